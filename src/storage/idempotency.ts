// Rows of Idempotency-Keys. The claim is written by the commit of the effect (commit.ts, or `claimKey` here in a plain
// transaction); the answer follows.

import type pg from "pg";
import type { Db } from "./directory.ts";
import type { IdempotencyRow } from "./rows.ts";

export type StoredKey = Omit<IdempotencyRow, "bucket" | "scope" | "key"> & { readonly answer: Buffer | null };

type Name = Pick<IdempotencyRow, "bucket" | "scope" | "key">;

/** A key and its answer are kept this long (reference: extensions, section 7). */
export const keys_kept_ms = 24 * 3_600_000;

// So many rows go at once: what others wait for is short, whatever a day has left.
const forgotten_at_once_max = 5_000;

/** Null for a key that nobody used since `kept_since`: an older row is in nobody's way any more. */
export async function findKey(
  pool: pg.Pool,
  { bucket, scope, key }: Name,
  kept_since: Date,
): Promise<StoredKey | null> {
  const { rows } = await pool.query<StoredKey>({
    name: "find_key",
    text: `SELECT fingerprint, resource_type, resource_id, operation_id, answer, created_at
      FROM idempotency_keys WHERE bucket = $1 AND scope = $2 AND key = $3`,
    values: [bucket, scope, key],
  });
  const [row] = rows;
  if (row === undefined || row.created_at >= kept_since) return row ?? null;
  await pool.query("DELETE FROM idempotency_keys WHERE bucket = $1 AND scope = $2 AND key = $3 AND created_at < $4", [
    bucket,
    scope,
    key,
    kept_since,
  ]);
  return null;
}

/** Inside the transaction of the effect. Throws a unique violation when another request has the key. */
export async function claimKey(db: Db, row: IdempotencyRow): Promise<void> {
  await db.query(
    `INSERT INTO idempotency_keys (bucket, scope, key, fingerprint, resource_type, resource_id, operation_id, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      row.bucket,
      row.scope,
      row.key,
      row.fingerprint,
      row.resource_type,
      row.resource_id,
      row.operation_id,
      row.created_at,
    ],
  );
}

type Kept = Name & { readonly fingerprint: Buffer; readonly answer: Buffer; readonly created_at: Date };

/**
 * Keeps the answer, unless one is kept already: then that is `earlier`, and the one to give. Makes the row for requests
 * that had no effect to commit it with. Null when the key is another request's.
 */
export async function storeAnswer(pool: pg.Pool, kept: Kept): Promise<{ readonly earlier: Buffer | null } | null> {
  const { rows } = await pool.query<{ earlier: Buffer | null }>({
    name: "store_answer",
    text: `INSERT INTO idempotency_keys AS k (bucket, scope, key, fingerprint, answer, created_at)
      VALUES ($1, $2, $3, $4, $5, $6)
      ON CONFLICT (bucket, scope, key) DO UPDATE SET answer = COALESCE(k.answer, excluded.answer)
      WHERE k.fingerprint = excluded.fingerprint RETURNING NULLIF(answer, $5) AS earlier`,
    values: [kept.bucket, kept.scope, kept.key, kept.fingerprint, kept.answer, kept.created_at],
  });
  return rows[0] ?? null;
}

/** Deletes what is older, in small parts. Another process may be doing the same. */
export async function forgetKeys(pool: pg.Pool, before: Date): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query(
      `WITH old AS MATERIALIZED (
        SELECT bucket, scope, key FROM idempotency_keys WHERE created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
       DELETE FROM idempotency_keys k USING old WHERE k.bucket = old.bucket AND k.scope = old.scope AND k.key = old.key`,
      [before, forgotten_at_once_max],
    );
    if ((rowCount ?? 0) < forgotten_at_once_max) return;
  }
}
