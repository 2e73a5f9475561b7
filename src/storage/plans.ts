// Which plan an account is on, and how much of a month it has used.

import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";

/** Null: the first of the configuration. */
export async function updatePlan(db: Db, account_id: number, plan: string): Promise<void> {
  await db.query("UPDATE accounts SET plan = $2 WHERE id = $1", [account_id, plan]);
}

export type Month = {
  readonly account_id: number;
  /** YYYY-MM */
  readonly month: string;
  readonly from: Date;
  /** Exclusive. */
  readonly to: Date;
};

// Whatever was begun in a month has changed its transaction since that month began: the index on updated_at finds them.
const counted = `SELECT count(*)::int FROM transactions t JOIN operations o ON o.bucket = t.bucket AND o.transaction_id = t.id
  WHERE t.bucket = $1 AND t.account_id = $2 AND t.type IN ('Payment', 'Subscription', 'Card', 'Payout')
    AND t.updated_at >= $3 AND NOT t.test_mode AND o.type IN ('authorize', 'session', 'recurring', 'credit')
    AND o.created_at >= $3 AND o.created_at < $4
    AND (o.status_code = '20000' OR (o.pending AND o.options ->> 'counted' = $5))`;

const values = ({ account_id, month, from, to }: Month) => [bucketOf(account_id), account_id, from, to, month];

/** Live authorizations of the month, counted from the operations: approved ones, and pending ones that hold a place. */
export async function countUse(db: Db, month: Month): Promise<number> {
  const { rows } = await db.query<{ count: number }>(counted, values(month));
  return rows[0]?.count ?? 0;
}

/** What the counter says; the first time in a month it begins with what the operations say. */
export async function usedOf(db: Db, month: Month): Promise<number> {
  const read = async (): Promise<number | undefined> => {
    const { rows } = await db.query<{ used: number }>({
      name: "plan_used",
      text: "SELECT used FROM plan_uses WHERE bucket = $1 AND account_id = $2 AND month = $3",
      values: [bucketOf(month.account_id), month.account_id, month.month],
    });
    return rows[0]?.used;
  };
  const used = await read();
  if (used !== undefined) return used;
  await db.query(
    `INSERT INTO plan_uses (bucket, account_id, month, used) SELECT $1, $2, $5, (${counted}) ON CONFLICT DO NOTHING`,
    values(month),
  );
  return (await read()) ?? 0;
}

/** After a time under another plan: the counter says again what the operations say. Inside a transaction. */
export async function recountUse(db: Db, month: Month): Promise<void> {
  // Who is about to add something holds the row until that is committed, and is counted then.
  const { rowCount } = await db.query(
    "SELECT FROM plan_uses WHERE bucket = $1 AND account_id = $2 AND month = $3 FOR UPDATE",
    [bucketOf(month.account_id), month.account_id, month.month],
  );
  if (rowCount === 0) return;
  await db.query(
    `UPDATE plan_uses SET used = (${counted}), bound = NULL WHERE bucket = $1 AND account_id = $2 AND month = $5`,
    values(month),
  );
}
