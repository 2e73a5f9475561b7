// An account's logos: one for the payment window, one for MobilePay.

import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";

export const logo_types = ["payment_window", "mobilepay"] as const;
export type LogoType = (typeof logo_types)[number];
export type LogoKey = { readonly account_id: number; readonly type: LogoType };

export async function readLogo(db: Db, { account_id, type }: LogoKey): Promise<Buffer | null> {
  const { rows } = await db.query<{ data: Buffer }>(
    "SELECT data FROM logos WHERE bucket = $1 AND account_id = $2 AND type = $3",
    [bucketOf(account_id), account_id, type],
  );
  return rows[0]?.data ?? null;
}

export async function hasLogo(db: Db, { account_id, type }: LogoKey): Promise<boolean> {
  const { rowCount } = await db.query("SELECT FROM logos WHERE bucket = $1 AND account_id = $2 AND type = $3", [
    bucketOf(account_id),
    account_id,
    type,
  ]);
  return rowCount === 1;
}

/** One that is there is replaced. */
export async function writeLogo(db: Db, { account_id, type }: LogoKey, data: Buffer): Promise<void> {
  await db.query(
    `INSERT INTO logos (bucket, account_id, type, data) VALUES ($1, $2, $3, $4)
     ON CONFLICT (bucket, account_id, type) DO UPDATE SET data = excluded.data`,
    [bucketOf(account_id), account_id, type, data],
  );
}

export async function deleteLogo(db: Db, { account_id, type }: LogoKey): Promise<void> {
  await db.query("DELETE FROM logos WHERE bucket = $1 AND account_id = $2 AND type = $3", [
    bucketOf(account_id),
    account_id,
    type,
  ]);
}
