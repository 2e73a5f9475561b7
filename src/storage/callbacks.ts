// The outbox of callbacks: what is due, what came of an attempt, and what a merchant sees of it.

import type pg from "pg";
import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";
import { slot_count } from "./leases.ts";
import type { CallbackRow } from "./rows.ts";

export type Attempt = {
  readonly at: string;
  readonly response_code: number | null;
  readonly duration: number;
  readonly error: string | null;
};

export type Callback = Omit<CallbackRow, "next_attempt_at"> & {
  readonly state: "pending" | "delivered" | "given_up";
  readonly attempts: number;
  readonly next_attempt_at: Date | null;
  readonly response_code: number | null;
  readonly duration: number | null;
  readonly attempt_log: readonly Attempt[];
  readonly headers: Readonly<Record<string, string>> | null;
  readonly delivered_at: Date | null;
};

type Due = {
  readonly slots: readonly number[];
  readonly now: Date;
  readonly limit: number;
  /** Ids of callbacks that are under way already. */
  readonly busy: readonly string[];
  /** Origins (`https://shop.example`) that have as much under way as they may. */
  readonly full: readonly string[];
};

/** Callbacks whose time has come: of one resource and URL only the first that is not delivered. */
export async function dueCallbacks(pool: pg.Pool, { slots, now, limit, busy, full }: Due): Promise<Callback[]> {
  const { rows } = await pool.query<Callback>({
    name: "due_callbacks",
    text: `SELECT c.* FROM callbacks c
      WHERE c.state = 'pending' AND c.next_attempt_at <= $2 AND c.bucket % ${slot_count} = ANY($1::int[]) AND c.id <> ALL($4::text[])
        AND NOT EXISTS (SELECT FROM unnest($5::text[]) AS origin WHERE starts_with(c.url, origin))
        AND NOT EXISTS (SELECT FROM callbacks earlier WHERE earlier.bucket = c.bucket AND earlier.resource_id = c.resource_id
          AND earlier.sequence < c.sequence AND earlier.state = 'pending' AND earlier.url = c.url)
      ORDER BY c.next_attempt_at LIMIT $3`,
    values: [slots, now, limit, busy, full],
  });
  return rows;
}

export type Result = {
  readonly bucket: number;
  readonly id: string;
  readonly resource_id: number;
  readonly operation_id: number;
  readonly state: Callback["state"];
  readonly next_attempt_at: Date | null;
  readonly success: boolean;
  readonly attempt: Attempt;
  readonly headers: Readonly<Record<string, string>>;
};

/** Writes down attempts: on the callback, and on the operation that it tells of. One statement for all. */
export async function recordAttempts(pool: pg.Pool, results: readonly Result[]): Promise<void> {
  const rows = results.map(({ attempt, ...result }) => ({ ...result, ...attempt, attempt }));
  await pool.query({
    name: "record_attempts",
    text: `WITH r AS (
        SELECT * FROM json_to_recordset($1) AS r(bucket smallint, id text, resource_id integer, operation_id smallint, state text,
          next_attempt_at timestamptz, success boolean, at timestamptz, response_code smallint, duration integer, attempt json, headers json)
      ), done AS (
        UPDATE callbacks c SET state = r.state, attempts = c.attempts + 1, next_attempt_at = r.next_attempt_at,
          response_code = r.response_code, duration = r.duration, headers = r.headers,
          attempt_log = (c.attempt_log::jsonb || jsonb_build_array(r.attempt))::json,
          delivered_at = CASE WHEN r.state = 'delivered' THEN r.at ELSE c.delivered_at END
        FROM r WHERE c.bucket = r.bucket AND c.id = r.id
      )
      UPDATE operations o SET callback_success = r.success, callback_response_code = r.response_code,
        callback_duration = r.duration, callback_at = r.at
      FROM r WHERE o.bucket = r.bucket AND o.transaction_id = r.resource_id AND o.id = r.operation_id`,
    values: [JSON.stringify(rows)],
  });
}

export type CallbackList = {
  readonly account_id: number;
  readonly filters: {
    readonly resource_type?: string | undefined;
    readonly resource_id?: number | undefined;
    readonly state?: string | undefined;
    readonly since?: Date | undefined;
  };
  readonly sort_dir: "asc" | "desc";
  readonly limit: number;
  readonly offset: number;
  readonly after: { readonly id: string | number; readonly backwards: boolean } | null;
};

/** In the order of their ids, which is the order of their creation. */
export async function listCallbacks(
  db: Db,
  { account_id, filters, sort_dir, limit, offset, after }: CallbackList,
): Promise<Callback[]> {
  const values: unknown[] = [bucketOf(account_id), account_id];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const where = ["bucket = $1", "account_id = $2"];
  for (const name of ["resource_type", "resource_id", "state"] as const) {
    if (filters[name] !== undefined) where.push(`${name} = ${bind(filters[name])}`);
  }
  if (filters.since !== undefined) where.push(`created_at >= ${bind(filters.since)}`);
  const descending = (sort_dir === "desc") !== (after?.backwards ?? false);
  if (after !== null) where.push(`id ${descending ? "<" : ">"} ${bind(String(after.id))}`);
  const { rows } = await db.query<Callback>(
    `SELECT * FROM callbacks WHERE ${where.join(" AND ")} ORDER BY id ${descending ? "DESC" : "ASC"}
     LIMIT ${bind(limit)} OFFSET ${bind(offset)}`,
    values,
  );
  return after?.backwards ? rows.reverse() : rows;
}

export async function callbackById(
  pool: pg.Pool,
  { account_id, id }: { account_id: number; id: string },
): Promise<Callback | null> {
  const { rows } = await pool.query<Callback>(
    "SELECT * FROM callbacks WHERE bucket = $1 AND account_id = $2 AND id = $3",
    [bucketOf(account_id), account_id, id],
  );
  return rows[0] ?? null;
}

type Replay = {
  readonly account_id: number;
  readonly now: Date;
  readonly id?: string;
  readonly since?: Date | undefined;
  readonly state?: string | undefined;
};

/** Puts callbacks back to the start of their attempts; the log of earlier ones stays. Answers how many. */
export async function replayCallbacks(db: Db, { account_id, now, id, since, state }: Replay): Promise<number> {
  const { rowCount } = await db.query(
    `UPDATE callbacks SET state = 'pending', attempts = 0, next_attempt_at = $3
     WHERE bucket = $1 AND account_id = $2 AND ($4::text IS NULL OR id = $4)
       AND ($5::timestamptz IS NULL OR created_at >= $5) AND ($6::text IS NULL OR state = $6)`,
    [bucketOf(account_id), account_id, now, id ?? null, since ?? null, state ?? null],
  );
  return rowCount ?? 0;
}
