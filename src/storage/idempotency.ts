// Rows of Idempotency-Keys. The claim is written by the commit of the effect (commit.ts, or `claim` here in a plain
// transaction); the answer follows.

import type pg from "pg";
import type { Db } from "./directory.ts";
import type { IdempotencyRow } from "./rows.ts";

export type StoredKey = Omit<IdempotencyRow, "bucket" | "scope" | "key"> & { readonly answer: Buffer | null };

type Name = Pick<IdempotencyRow, "bucket" | "scope" | "key">;

export async function findKey(pool: pg.Pool, { bucket, scope, key }: Name): Promise<StoredKey | null> {
  const { rows } = await pool.query<StoredKey>({
    name: "find_key",
    text: `SELECT fingerprint, resource_type, resource_id, operation_id, answer, created_at
      FROM idempotency_keys WHERE bucket = $1 AND scope = $2 AND key = $3`,
    values: [bucket, scope, key],
  });
  return rows[0] ?? null;
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

/** Keeps the answer; makes the row for requests that had no effect to commit it with. */
export async function storeAnswer(
  pool: pg.Pool,
  name: Name,
  stored: { fingerprint: Buffer; answer: Buffer; at: Date },
) {
  await pool.query({
    name: "store_answer",
    text: `INSERT INTO idempotency_keys (bucket, scope, key, fingerprint, answer, created_at) VALUES ($1, $2, $3, $4, $5, $6)
      ON CONFLICT (bucket, scope, key) DO UPDATE SET answer = excluded.answer
      WHERE idempotency_keys.fingerprint = excluded.fingerprint`,
    values: [name.bucket, name.scope, name.key, stored.fingerprint, stored.answer, stored.at],
  });
}

export async function forgetKeys(pool: pg.Pool, before: Date): Promise<void> {
  await pool.query("DELETE FROM idempotency_keys WHERE created_at < $1", [before]);
}
