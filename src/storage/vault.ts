// Rows of the vault (`card_id` names a Card or a subscription) and of the tokens that stand for its Cards.

import type pg from "pg";
import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";

type CardKey = { readonly account_id: number; readonly card_id: number };

/** The sealed card that this operation saved; null when there is none. */
export async function savedCard(
  pool: pg.Pool,
  { account_id, reference }: { account_id: number; reference: string },
): Promise<Buffer | null> {
  const { rows } = await pool.query<{ sealed: Buffer }>({
    name: "saved_card",
    text: "SELECT sealed FROM vault WHERE bucket = $1 AND reference = $2 AND account_id = $3",
    values: [bucketOf(account_id), reference, account_id],
  });
  return rows[0]?.sealed ?? null;
}

/** Deletes what is saved of a card, except what these operations saved. */
export async function deleteSaved(
  pool: pg.Pool,
  { account_id, card_id }: CardKey,
  except: readonly string[],
): Promise<void> {
  await pool.query({
    name: "delete_saved",
    text: "DELETE FROM vault WHERE bucket = $1 AND card_id = $2 AND reference <> ALL($3::text[])",
    values: [bucketOf(account_id), card_id, except],
  });
}

/** An account that is closed charges nobody any more. */
export async function deleteSavedOf(db: Db, account_id: number): Promise<void> {
  for (const table of ["vault", "card_tokens"])
    await db.query(`DELETE FROM ${table} WHERE bucket = $1 AND account_id = $2`, [bucketOf(account_id), account_id]);
}

/**
 * Deletes what no approved operation saved, or saved of what was cancelled since or whose account was closed: what a lost
 * process left.
 */
export async function deleteUnused(pool: pg.Pool): Promise<void> {
  await pool.query(`DELETE FROM vault v USING transactions t, operations o, accounts a
    WHERE t.bucket = v.bucket AND t.id = v.card_id AND o.bucket = v.bucket AND o.transaction_id = v.card_id
      AND o.reference = v.reference AND NOT o.pending AND a.id = v.account_id
      AND (o.status_code <> '20000' OR t.cancelled OR a.closed_at IS NOT NULL)`);
}

export async function insertToken(
  db: Db,
  { account_id, card_id }: CardKey,
  { token_hash, created_at }: { token_hash: Buffer; created_at: Date },
): Promise<void> {
  await db.query({
    name: "insert_token",
    text: "INSERT INTO card_tokens (bucket, token_hash, account_id, card_id, created_at) VALUES ($1, $2, $3, $4, $5)",
    values: [bucketOf(account_id), token_hash, account_id, card_id, created_at],
  });
}

/** The card that an unused token stands for; null when it was used or never given. */
export async function cardOfToken(pool: pg.Pool, account_id: number, token_hash: Buffer): Promise<number | null> {
  const { rows } = await pool.query<{ card_id: number }>({
    name: "card_of_token",
    text: "SELECT card_id FROM card_tokens WHERE bucket = $1 AND token_hash = $2 AND account_id = $3 AND used_at IS NULL",
    values: [bucketOf(account_id), token_hash, account_id],
  });
  return rows[0]?.card_id ?? null;
}

/** Uses a token up; false when another request was faster. */
export async function useToken(pool: pg.Pool, account_id: number, token_hash: Buffer, at: Date): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: "use_token",
    text: `UPDATE card_tokens SET used_at = $4 WHERE bucket = $1 AND token_hash = $2 AND account_id = $3 AND used_at IS NULL`,
    values: [bucketOf(account_id), token_hash, account_id, at],
  });
  return rowCount === 1;
}
