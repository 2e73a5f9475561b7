// What is counted against card testing. Whoever is let through is written with the revision that it read, so that of
// attempts that come at once, to whichever process, each sees those before it. Nobody waits for the disk: a power cut may
// cost the last of it.

import type pg from "pg";
import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";
import { slot_count } from "./leases.ts";

/** One address's attempts on one account. */
export type AttemptKey = { readonly account_id: number; readonly test_mode: boolean; readonly network: Buffer };

export type AttemptRow = {
  readonly declined_at: readonly Date[];
  readonly under_way: readonly Date[];
  readonly attempt_at: Date;
  readonly revision: number;
};

export type Standing = {
  /** Null: nothing is known of this address. */
  readonly row: AttemptRow | null;
  /** The account's alarm is on. */
  readonly alarm: boolean;
  /** The work that is brought was used. */
  readonly work_used: boolean;
};

const keyOf = ({ account_id, test_mode, network }: AttemptKey) => [
  bucketOf(account_id),
  account_id,
  test_mode,
  network,
];

const unhurried = "(SELECT set_config('synchronous_commit', 'off', true)) = 'off'";

export async function standingOf(pool: pg.Pool, key: AttemptKey, work_id: string | null): Promise<Standing> {
  const { rows } = await pool.query<AttemptRow & Omit<Standing, "row">>({
    name: "card_attempt_standing",
    text: `SELECT a.declined_at, a.under_way, a.attempt_at, a.revision,
        EXISTS (SELECT FROM card_testing_alarms l
          WHERE l.bucket = k.bucket AND l.account_id = $2 AND l.test_mode = $3 AND l.since IS NOT NULL) AS alarm,
        EXISTS (SELECT FROM card_attempt_work w WHERE w.bucket = k.bucket AND w.account_id = $2 AND w.id = $5) AS work_used
      FROM (SELECT $1::smallint AS bucket) k LEFT JOIN card_attempts a
        ON a.bucket = k.bucket AND a.account_id = $2 AND a.test_mode = $3 AND a.address = $4`,
    values: [...keyOf(key), work_id],
  });
  const [{ alarm = false, work_used = false, ...row } = {} as Partial<AttemptRow & Standing>] = rows;
  return { row: typeof row.revision === "number" ? (row as AttemptRow) : null, alarm, work_used };
}

type Turn = {
  readonly key: AttemptKey;
  readonly at: Date;
  /** Those before it that still count, oldest first. */
  readonly under_way: readonly Date[];
  /** As it was read; null: there was no row. */
  readonly revision: number | null;
  /** The proof of work that this attempt is let through by. */
  readonly work_id: string | null;
};

/** `outrun`: another attempt came first, and this one must look again. `work_used`: it brought work that is used now. */
export async function takeTurn(
  pool: pg.Pool,
  { key, at, under_way, revision, work_id }: Turn,
): Promise<"taken" | "outrun" | "work_used"> {
  const { rows } = await pool.query<{ taken: boolean; work: boolean }>({
    name: "card_attempt_turn",
    text: `WITH turn AS (
        INSERT INTO card_attempts AS a (bucket, account_id, test_mode, address, declined_at, under_way, attempt_at, revision)
        SELECT $1, $2, $3, $4, '{}', $5::timestamptz[] || $6::timestamptz, $6, 1 WHERE ${unhurried}
        ON CONFLICT (bucket, account_id, test_mode, address) DO UPDATE
          SET under_way = excluded.under_way, attempt_at = excluded.attempt_at, revision = a.revision + 1
          WHERE a.revision = $7
        RETURNING 1
      ), work AS (
        INSERT INTO card_attempt_work (bucket, account_id, id, used_at)
        SELECT $1, $2, $8, $6 FROM turn WHERE $8::text IS NOT NULL ON CONFLICT DO NOTHING RETURNING 1
      )
      SELECT EXISTS (SELECT FROM turn) AS taken, EXISTS (SELECT FROM work) AS work`,
    values: [...keyOf(key), under_way, at, revision ?? -1, work_id],
  });
  const [{ taken = false, work = false } = {}] = rows;
  if (!taken) return "outrun";
  return work_id === null || work ? "taken" : "work_used";
}

type Ended = {
  readonly key: AttemptKey;
  readonly at: Date;
  readonly outcome: "approved" | "declined" | "neither";
  /** Declines from before that do not count any more. */
  readonly hour_ago: Date;
  /** So many are remembered. */
  readonly declines_max: number;
};

/** One less is under way. A decline is added; an approval forgives the older half of them. */
export async function endAttempt(pool: pg.Pool, { key, at, outcome, hour_ago, declines_max }: Ended): Promise<void> {
  await pool.query({
    name: "card_attempt_end",
    text: `INSERT INTO card_attempts AS a (bucket, account_id, test_mode, address, declined_at, under_way, attempt_at, revision)
      SELECT $1, $2, $3, $4, CASE WHEN $6 = 'declined' THEN ARRAY[$5::timestamptz] ELSE '{}' END, '{}', $5, 1 WHERE ${unhurried}
      ON CONFLICT (bucket, account_id, test_mode, address) DO UPDATE SET
        under_way = a.under_way[2:],
        declined_at = ARRAY(SELECT d FROM unnest(a.declined_at || excluded.declined_at) d WHERE d > $7 ORDER BY d DESC
          LIMIT CASE WHEN $6 = 'approved' THEN (SELECT count(*) / 2 FROM unnest(a.declined_at) d WHERE d > $7) ELSE $8::int END),
        revision = a.revision + 1`,
    values: [...keyOf(key), at, outcome, hour_ago, declines_max],
  });
}

export type Minute = {
  readonly bucket: number;
  readonly account_id: number;
  readonly test_mode: boolean;
  /** ISO 8601, a whole minute. */
  readonly minute: string;
  readonly attempts: number;
  readonly declined: number;
};

/** Adds to what other processes have counted. */
export async function addMinutes(pool: pg.Pool, minutes: readonly Minute[]): Promise<void> {
  // In one order, or two processes might wait for each other.
  await pool.query({
    name: "add_card_attempt_minutes",
    text: `INSERT INTO card_attempt_minutes AS m SELECT r.* FROM json_populate_recordset(NULL::card_attempt_minutes, $1) r
      WHERE ${unhurried} ORDER BY bucket, account_id, test_mode, minute
      ON CONFLICT (bucket, account_id, test_mode, minute) DO UPDATE
        SET attempts = m.attempts + excluded.attempts, declined = m.declined + excluded.declined`,
    values: [JSON.stringify(minutes)],
  });
}

export type Watched = {
  readonly account_id: number;
  readonly test_mode: boolean;
  readonly attempts: number;
  readonly declined: number;
  /** When the alarm went on; null: it is off. */
  readonly since: Date | null;
};

/** What each account had since then, of those that had so many attempts or whose alarm is on. */
export async function watchedAccounts(
  pool: pg.Pool,
  { slots, since, attempts_min, limit }: { slots: readonly number[]; since: Date; attempts_min: number; limit: number },
): Promise<Watched[]> {
  const { rows } = await pool.query<Watched>({
    name: "watched_accounts",
    text: `WITH counted AS (SELECT bucket, account_id, test_mode, sum(attempts)::int AS attempts, sum(declined)::int AS declined
        FROM card_attempt_minutes WHERE minute > $2 AND bucket % ${slot_count} = ANY ($1::int[])
        GROUP BY bucket, account_id, test_mode),
      alarmed AS (SELECT bucket, account_id, test_mode, since
        FROM card_testing_alarms WHERE since IS NOT NULL AND bucket % ${slot_count} = ANY ($1::int[]))
      SELECT account_id, test_mode, coalesce(attempts, 0) AS attempts, coalesce(declined, 0) AS declined, since
      FROM counted FULL JOIN alarmed USING (bucket, account_id, test_mode)
      WHERE attempts >= $3 OR since IS NOT NULL ORDER BY since NULLS FIRST LIMIT $4`,
    values: [slots, since, attempts_min, limit],
  });
  return rows;
}

type Alarm = { readonly account_id: number; readonly test_mode: boolean; readonly at: Date };

/** Null: it was on already. Else when its account was mailed last, if ever. */
export async function alarmOn(
  db: Db,
  { account_id, test_mode, at }: Alarm,
): Promise<{ mailed_at: Date | null } | null> {
  const { rows } = await db.query<{ mailed_at: Date | null }>(
    `INSERT INTO card_testing_alarms AS l (bucket, account_id, test_mode, since, changed_at) VALUES ($1, $2, $3, $4, $4)
     ON CONFLICT (bucket, account_id, test_mode) DO UPDATE SET since = excluded.since, changed_at = excluded.changed_at
       WHERE l.since IS NULL RETURNING mailed_at`,
    [bucketOf(account_id), account_id, test_mode, at],
  );
  return rows[0] ?? null;
}

export async function alarmMailed(db: Db, { account_id, test_mode, at }: Alarm): Promise<void> {
  await db.query(
    "UPDATE card_testing_alarms SET mailed_at = $4 WHERE bucket = $1 AND account_id = $2 AND test_mode = $3",
    [bucketOf(account_id), account_id, test_mode, at],
  );
}

/** False: it was off already. */
export async function alarmOff(db: Db, { account_id, test_mode, at }: Alarm): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE card_testing_alarms SET since = NULL, changed_at = $4
     WHERE bucket = $1 AND account_id = $2 AND test_mode = $3 AND since IS NOT NULL`,
    [bucketOf(account_id), account_id, test_mode, at],
  );
  return rowCount === 1;
}

/** Accounts whose alarm is on, for cards that are no test cards. */
export async function alarmCount(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM card_testing_alarms WHERE since IS NOT NULL AND NOT test_mode",
  );
  return rows[0]?.count ?? 0;
}

/** Deletes what is older. */
export async function forgetAttempts(pool: pg.Pool, before: Date): Promise<void> {
  await pool.query("DELETE FROM card_attempts WHERE attempt_at < $1", [before]);
  await pool.query("DELETE FROM card_attempt_work WHERE used_at < $1", [before]);
  await pool.query("DELETE FROM card_attempt_minutes WHERE minute < $1", [before]);
  await pool.query("DELETE FROM card_testing_alarms WHERE since IS NULL AND changed_at < $1", [before]);
}
