// An account's settings for the 04-Platform: one row, or none.

import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";

/** `secret` is sealed. */
export type Zero4Row = { readonly phone: string; readonly secret: Buffer };

export async function zero4Of(db: Db, account_id: number): Promise<Zero4Row | null> {
  const { rows } = await db.query<Zero4Row>(
    "SELECT phone, secret FROM zero4_platforms WHERE bucket = $1 AND account_id = $2",
    [bucketOf(account_id), account_id],
  );
  return rows[0] ?? null;
}

export async function putZero4(
  db: Db,
  { account_id, row, at }: { readonly account_id: number; readonly row: Zero4Row; readonly at: Date },
): Promise<void> {
  await db.query(
    `INSERT INTO zero4_platforms (bucket, account_id, phone, secret, updated_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (bucket, account_id) DO UPDATE
       SET phone = excluded.phone, secret = excluded.secret, updated_at = excluded.updated_at`,
    [bucketOf(account_id), account_id, row.phone, row.secret, at],
  );
}

export async function deleteZero4(db: Db, account_id: number): Promise<void> {
  await db.query("DELETE FROM zero4_platforms WHERE bucket = $1 AND account_id = $2", [
    bucketOf(account_id),
    account_id,
  ]);
}
