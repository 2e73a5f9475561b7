// Shoppers' sessions at the payment window.

import type pg from "pg";
import type { TransactionType } from "../domain/transaction.ts";

/** How far 3-D Secure is. */
export type Authentication = {
  /** EMV 3-D Secure: threeDSServerTransID. */
  readonly transaction_id: string;
  readonly message_version: string;
  readonly step: "method" | "challenge";
  /** Where the issuer looks at the browser first; null where it does not. */
  readonly method: { readonly url: string; readonly data: string } | null;
  readonly challenge: { readonly acs_url: string; readonly creq: string } | null;
};

export type WindowSession = {
  readonly bucket: number;
  readonly id: string;
  readonly account_id: number;
  readonly type: TransactionType;
  readonly transaction_id: number;
  /** Hash of the link as it was when the session began. */
  readonly terms: string;
  readonly language: string;
  /** Of another provider, once one was chosen. */
  readonly method: string | null;
  /** The last that was shown to the shopper, in minor units. */
  readonly fee: number | null;
  readonly attempts: number;
  /** Card and CVD, for as long as 3-D Secure is under way. */
  readonly held: Buffer | null;
  readonly held_until: Date | null;
  readonly authentication: Authentication | null;
  /** Something was being done in it at that moment: what else is said of it may be half of a step. */
  readonly busy: boolean;
  readonly created_at: Date;
  readonly expires_at: Date;
};

type Key = Pick<WindowSession, "bucket" | "id">;

const columns = `bucket, id, account_id, type, transaction_id, terms, language, method, fee, attempts, held, held_until,
  authentication, coalesce(busy_until > now(), false) AS busy, created_at, expires_at`;

/** Not waited for until it is on the disk: what a crash of the database takes with it, the shopper opens again. */
export async function insertWindowSession(pool: pg.Pool, session: WindowSession): Promise<void> {
  const { bucket, id, account_id, type, transaction_id, terms, language, created_at, expires_at } = session;
  await pool.query({
    name: "insert_window_session",
    text: `INSERT INTO window_sessions (bucket, id, account_id, type, transaction_id, terms, language, created_at, expires_at)
      SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 WHERE (SELECT set_config('synchronous_commit', 'off', true)) = 'off'`,
    values: [bucket, id, account_id, type, transaction_id, terms, language, created_at, expires_at],
  });
}

export async function windowSession(pool: pg.Pool, { bucket, id }: Key): Promise<WindowSession | null> {
  const { rows } = await pool.query<WindowSession>({
    name: "window_session",
    text: `SELECT ${columns} FROM window_sessions WHERE bucket = $1 AND id = $2`,
    values: [bucket, id],
  });
  return rows[0] ?? null;
}

type Changes = Partial<Pick<WindowSession, (typeof changeable)[number]>>;
const changeable = ["language", "method", "fee", "held", "held_until", "authentication"] as const;

/** Writes what is given, and answers the session as it then is. Null when it is gone. */
export async function changeWindowSession(
  pool: pg.Pool,
  { bucket, id }: Key,
  changes: Changes,
): Promise<WindowSession | null> {
  const names = changeable.filter((name) => changes[name] !== undefined);
  const set = names.map((name, i) => `${name} = $${i + 3}`).join(", ");
  const { rows } = await pool.query<WindowSession>(
    `UPDATE window_sessions SET ${set} WHERE bucket = $1 AND id = $2 RETURNING ${columns}`,
    [bucket, id, ...names.map((name) => changes[name])],
  );
  return rows[0] ?? null;
}

/** Takes the session's turn for an attempt that takes at most so long; false while another attempt has it. */
export async function takeTurn(pool: pg.Pool, { bucket, id }: Key, lease_ms: number): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: "take_window_turn",
    text: `UPDATE window_sessions SET attempts = attempts + 1, busy_until = now() + $3 * interval '1 ms'
      WHERE bucket = $1 AND id = $2 AND (busy_until IS NULL OR busy_until <= now())`,
    values: [bucket, id, lease_ms],
  });
  return rowCount === 1;
}

export async function giveTurnBack(pool: pg.Pool, { bucket, id }: Key): Promise<void> {
  await pool.query({
    name: "give_window_turn_back",
    text: "UPDATE window_sessions SET busy_until = NULL WHERE bucket = $1 AND id = $2",
    values: [bucket, id],
  });
}

export async function forgetWindowSessions(pool: pg.Pool, now: Date): Promise<void> {
  await pool.query("DELETE FROM window_sessions WHERE expires_at <= $1", [now]);
  await pool.query(
    "UPDATE window_sessions SET held = NULL, held_until = NULL WHERE held IS NOT NULL AND held_until <= $1",
    [now],
  );
}
