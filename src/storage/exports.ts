// Exports and their files, which rest in chunks: none is ever whole in memory. Each attempt writes chunks of its own, so
// that two processes that both believe to be at it cannot mix their work.

import type pg from "pg";
import type { Delimiter } from "../domain/csv.ts";
import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";
import { slot_count } from "./leases.ts";

export type ExportRow = {
  readonly bucket: number;
  readonly id: number;
  readonly account_id: number;
  readonly resource: string;
  readonly format: "csv";
  readonly delimiter: Delimiter;
  readonly filters: Readonly<Record<string, unknown>>;
  readonly state: "pending" | "ready" | "failed";
  readonly attempts: number;
  readonly rows: number | null;
  /** 64 bits arrive as a text. */
  readonly bytes: string | null;
  readonly created_at: Date;
  readonly expires_at: Date | null;
};

export type ExportKey = { readonly account_id: number; readonly id: number };
export type NewExport = Pick<
  ExportRow,
  "id" | "account_id" | "resource" | "format" | "delimiter" | "filters" | "created_at"
>;

export async function insertExport(db: Db, row: NewExport): Promise<void> {
  await db.query(
    `INSERT INTO exports (bucket, id, account_id, resource, format, delimiter, filters, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      bucketOf(row.account_id),
      row.id,
      row.account_id,
      row.resource,
      row.format,
      row.delimiter,
      JSON.stringify(row.filters),
      row.created_at,
    ],
  );
}

/** All that have not expired. */
export async function exportsOf(db: Db, account_id: number, now: Date): Promise<ExportRow[]> {
  const { rows } = await db.query<ExportRow>(
    "SELECT * FROM exports WHERE bucket = $1 AND account_id = $2 AND (expires_at IS NULL OR expires_at > $3)",
    [bucketOf(account_id), account_id, now],
  );
  return rows;
}

export async function exportById(db: Db, { account_id, id }: ExportKey, now: Date): Promise<ExportRow | null> {
  const { rows } = await db.query<ExportRow>(
    "SELECT * FROM exports WHERE bucket = $1 AND account_id = $2 AND id = $3 AND (expires_at IS NULL OR expires_at > $4)",
    [bucketOf(account_id), account_id, id, now],
  );
  return rows[0] ?? null;
}

/** The oldest that waits in these slots. */
export async function pendingExport(pool: pg.Pool, slots: readonly number[]): Promise<ExportRow | null> {
  const { rows } = await pool.query<ExportRow>({
    name: "pending_export",
    text: `SELECT * FROM exports WHERE state = 'pending' AND bucket % ${slot_count} = ANY($1::int[]) ORDER BY created_at LIMIT 1`,
    values: [slots],
  });
  return rows[0] ?? null;
}

/** The number of this attempt; null: it does not wait any more. */
export async function beginAttempt(pool: pg.Pool, { account_id, id }: ExportKey): Promise<number | null> {
  const { rows } = await pool.query<{ attempts: number }>(
    "UPDATE exports SET attempts = attempts + 1 WHERE bucket = $1 AND id = $2 AND state = 'pending' RETURNING attempts",
    [bucketOf(account_id), id],
  );
  return rows[0]?.attempts ?? null;
}

export type Chunk = ExportKey & { readonly attempt: number; readonly position: number };

export async function writeChunk(pool: pg.Pool, { account_id, id, attempt, position }: Chunk, data: Buffer) {
  await pool.query(
    "INSERT INTO export_chunks (bucket, export_id, attempt, position, data) VALUES ($1, $2, $3, $4, $5)",
    [bucketOf(account_id), id, attempt, position, data],
  );
}

export async function readChunk(pool: pg.Pool, { account_id, id, attempt, position }: Chunk): Promise<Buffer | null> {
  const { rows } = await pool.query<{ data: Buffer }>(
    "SELECT data FROM export_chunks WHERE bucket = $1 AND export_id = $2 AND attempt = $3 AND position = $4",
    [bucketOf(account_id), id, attempt, position],
  );
  return rows[0]?.data ?? null;
}

type Ended = ExportKey & {
  readonly state: "ready" | "failed";
  readonly attempt: number;
  readonly rows: number | null;
  readonly bytes: number | null;
  readonly expires_at: Date;
};

/** Ends the attempt, unless another has begun since. What other attempts left goes. */
export async function endExport(pool: pg.Pool, ended: Ended): Promise<void> {
  await pool.query(
    `WITH ended AS (
       UPDATE exports SET state = $4, rows = $5, bytes = $6, expires_at = $7
       WHERE bucket = $1 AND id = $2 AND attempts = $3 AND state = 'pending' RETURNING bucket, id)
     DELETE FROM export_chunks c USING ended e
     WHERE c.bucket = e.bucket AND c.export_id = e.id AND (c.attempt <> $3 OR $4 = 'failed')`,
    [bucketOf(ended.account_id), ended.id, ended.attempt, ended.state, ended.rows, ended.bytes, ended.expires_at],
  );
}

// A file may be large: the chunks of few go at once.
const forgotten_at_once_max = 10;

/** Deletes what has expired, with its file. Another process may be doing the same. */
export async function forgetExports(pool: pg.Pool, now: Date): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query(
      `WITH old AS MATERIALIZED (
         SELECT bucket, id FROM exports WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED),
       chunks AS (DELETE FROM export_chunks c USING old WHERE c.bucket = old.bucket AND c.export_id = old.id)
       DELETE FROM exports e USING old WHERE e.bucket = old.bucket AND e.id = old.id`,
      [now, forgotten_at_once_max],
    );
    if ((rowCount ?? 0) < forgotten_at_once_max) return;
  }
}

/** Forgets what an account exported since, whatever is in it. */
export async function forgetExportsSince(pool: pg.Pool, account_id: number, since: Date): Promise<void> {
  await pool.query(
    `WITH made AS MATERIALIZED (
       SELECT bucket, id FROM exports WHERE bucket = $1 AND account_id = $2 AND created_at >= $3 FOR UPDATE),
     chunks AS (DELETE FROM export_chunks c USING made WHERE c.bucket = made.bucket AND c.export_id = made.id)
     DELETE FROM exports e USING made WHERE e.bucket = made.bucket AND e.id = made.id`,
    [bucketOf(account_id), account_id, since],
  );
}
