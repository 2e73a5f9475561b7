// Rows of cryptography keys: few of each account. The private key is read only where something is signed.

import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";

export type CryptographyKey = {
  readonly id: number;
  readonly type: "ec" | "rsa";
  readonly short_description: string;
  /** Bits; null on an ec key. */
  readonly key_size: number | null;
  /** As OpenSSL names it; null on an rsa key. */
  readonly curve: string | null;
  /** SubjectPublicKeyInfo, DER. */
  readonly public_key: Buffer;
  readonly public_key_hash: string;
  /** PEM. */
  readonly certificate: string | null;
  readonly certificate_expires_at: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
};

export type Key = { readonly account_id: number; readonly id: number };

const columns = `id, type, short_description, key_size, curve, public_key, public_key_hash, certificate,
  certificate_expires_at, created_at, updated_at`;

export async function cryptographyKeysOf(db: Db, account_id: number): Promise<CryptographyKey[]> {
  const { rows } = await db.query<CryptographyKey>(
    `SELECT ${columns} FROM cryptography_keys WHERE bucket = $1 AND account_id = $2 ORDER BY id`,
    [bucketOf(account_id), account_id],
  );
  return rows;
}

export async function countCryptographyKeys(db: Db, account_id: number): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM cryptography_keys WHERE bucket = $1 AND account_id = $2",
    [bucketOf(account_id), account_id],
  );
  return rows[0]?.count ?? 0;
}

/** Null when the account has no such key. */
export async function cryptographyKeyById(db: Db, { account_id, id }: Key): Promise<CryptographyKey | null> {
  const { rows } = await db.query<CryptographyKey>(
    `SELECT ${columns} FROM cryptography_keys WHERE bucket = $1 AND id = $2 AND account_id = $3`,
    [bucketOf(account_id), id, account_id],
  );
  return rows[0] ?? null;
}

/** PKCS #8, sealed. Null when the account has no such key. */
export async function sealedPrivateKey(db: Db, { account_id, id }: Key): Promise<Buffer | null> {
  const { rows } = await db.query<{ private_key: Buffer }>(
    "SELECT private_key FROM cryptography_keys WHERE bucket = $1 AND id = $2 AND account_id = $3",
    [bucketOf(account_id), id, account_id],
  );
  return rows[0]?.private_key ?? null;
}

type New = { readonly account_id: number; readonly key: CryptographyKey; readonly private_key: Buffer };

export async function insertCryptographyKey(db: Db, { account_id, key, private_key }: New): Promise<void> {
  await db.query(
    `INSERT INTO cryptography_keys (bucket, account_id, id, type, short_description, key_size, curve, public_key,
       public_key_hash, private_key, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      bucketOf(account_id),
      account_id,
      key.id,
      key.type,
      key.short_description,
      key.key_size,
      key.curve,
      key.public_key,
      key.public_key_hash,
      private_key,
      key.created_at,
      key.updated_at,
    ],
  );
}

/** What may change of it: how it is described, and its certificate. */
export async function updateCryptographyKey(db: Db, account_id: number, key: CryptographyKey): Promise<void> {
  await db.query(
    `UPDATE cryptography_keys SET short_description = $4, certificate = $5, certificate_expires_at = $6, updated_at = $7
     WHERE bucket = $1 AND id = $2 AND account_id = $3`,
    [
      bucketOf(account_id),
      key.id,
      account_id,
      key.short_description,
      key.certificate,
      key.certificate_expires_at,
      key.updated_at,
    ],
  );
}

/** The private key with it: nothing can be signed by it any more. */
export async function deleteCryptographyKey(db: Db, { account_id, id }: Key): Promise<void> {
  await db.query("DELETE FROM cryptography_keys WHERE bucket = $1 AND id = $2 AND account_id = $3", [
    bucketOf(account_id),
    id,
    account_id,
  ]);
}
