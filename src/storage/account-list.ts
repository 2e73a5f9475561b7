// The operator's view of all accounts.

import type pg from "pg";

export type ListedAccount = {
  readonly id: number;
  readonly shop_name: string;
  readonly created_at: Date;
  readonly suspended_at: Date | null;
  readonly closed_at: Date | null;
  /** Null: the first of the configuration. */
  readonly plan: string | null;
  /** Payments, subscriptions, cards and payouts created since. */
  readonly transactions: number;
};

type Page = { readonly after: number; readonly limit: number; readonly since: Date };

/** In the order of their ids. Counts by index, account by account. */
export async function listAccounts(pool: pg.Pool, { after, limit, since }: Page): Promise<ListedAccount[]> {
  const { rows } = await pool.query<ListedAccount>(
    `SELECT a.id, a.settings ->> 'shop_name' AS shop_name, a.created_at, a.suspended_at, a.closed_at, a.plan, t.transactions
     FROM (SELECT * FROM accounts WHERE id > $1 ORDER BY id LIMIT $2) a
     CROSS JOIN LATERAL (SELECT count(*)::int AS transactions
       FROM unnest(ARRAY['Payment', 'Subscription', 'Card', 'Payout'] COLLATE "C") AS k(type) JOIN transactions t
         ON t.bucket = (a.id % 1024)::smallint AND t.account_id = a.id AND t.type = k.type AND t.created_at >= $3) t
     ORDER BY a.id`,
    [after, limit, since],
  );
  return rows;
}
