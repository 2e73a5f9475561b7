// What hangs on a transaction and may tell of a person: its operations' extras and data, callbacks' bodies, the audit trail,
// kept answers. And which transactions have grown old.

import type pg from "pg";
import { bucketOf, type TransactionType } from "../domain/transaction.ts";
import { slot_count } from "./leases.ts";

type Key = { readonly account_id: number; readonly type: TransactionType; readonly id: number };

type Old = { readonly slots: readonly number[]; readonly before: Date; readonly limit: number };

/**
 * Transactions without any change since, to be erased. Not those where something is pending or planned, nor subscriptions
 * and saved cards in use. What was erased was changed by that, so the index holds few that are asked for in vain.
 */
export async function oldTransactions(pool: pg.Pool, { slots, before, limit }: Old): Promise<Key[]> {
  const { rows } = await pool.query<Key>({
    name: "old_transactions",
    text: `SELECT t.account_id, t.type, t.id FROM accounts a
      CROSS JOIN unnest(ARRAY['Payment', 'Subscription', 'Card', 'Payout'] COLLATE "C") AS k(type)
      CROSS JOIN LATERAL (SELECT * FROM transactions t WHERE t.bucket = (a.id % 1024)::smallint AND t.account_id = a.id
        AND t.type = k.type AND t.updated_at < $2 AND t.retented_at IS NULL AND t.due_at IS NULL AND t.state NOT IN ('pending', 'active')
        ORDER BY t.updated_at LIMIT $3) t
      WHERE t.bucket % ${slot_count} = ANY($1::int[]) LIMIT $3`,
    values: [slots, before, limit],
  });
  return rows;
}

const keyOf = ({ account_id, id }: Key): [number, number] => [bucketOf(account_id), id];

/**
 * Extras that the acquirer was given, where the shopper came back to, and what the acquirer said; that an operation took
 * back another one stays.
 */
export async function eraseOperations(pool: pg.Pool, key: Key): Promise<void> {
  await pool.query(
    `UPDATE operations SET options = (options::jsonb - 'extras' - 'return_url')::json, data = CASE WHEN options ->> 'voids' IS NULL
       THEN '{}'::json ELSE json_build_object('voided_operation', options ->> 'voids') END
     WHERE bucket = $1 AND transaction_id = $2 AND NOT pending`,
    keyOf(key),
  );
}

export type Text = { readonly id: string; readonly text: string };

/** The next callbacks of a transaction, or entries of its audit trail, with the text that may be personal. */
export async function textsOf(pool: pg.Pool, what: Texts, key: Key, page: { after: string; limit: number }) {
  const { table, column, owner } = texts[what];
  const { rows } = await pool.query<Text>(
    `SELECT id, ${column}::text AS text FROM ${table} WHERE bucket = $1 AND ${owner}_id = $2 AND account_id = $3
       AND ${owner}_type = $4 AND id > $5 ORDER BY id LIMIT $6`,
    [...keyOf(key), key.account_id, key.type, page.after, page.limit],
  );
  return rows;
}

export async function replaceTexts(pool: pg.Pool, what: Texts, key: Key, rows: readonly Text[]): Promise<void> {
  const { table, column, type } = texts[what];
  await pool.query(
    `UPDATE ${table} t SET ${column} = r.text::${type} FROM json_to_recordset($3) AS r(id text, text text)
     WHERE t.bucket = $1 AND t.account_id = $2 AND t.id = r.id COLLATE "C"`,
    [bucketOf(key.account_id), key.account_id, JSON.stringify(rows)],
  );
}

export type Texts = keyof typeof texts;
const texts = {
  callbacks: { table: "callbacks", column: "body", type: "text", owner: "resource" },
  activity: { table: "activity", column: "changes", type: "json", owner: "target" },
} as const;

/** Kept answers to requests about it; a repeat is answered from what is there now. */
export async function forgetAnswersAbout(pool: pg.Pool, key: Key): Promise<void> {
  await pool.query(
    `UPDATE idempotency_keys SET answer = NULL
     WHERE bucket = $1 AND resource_id = $2 AND resource_type = $3 AND answer IS NOT NULL`,
    [...keyOf(key), key.type],
  );
}
