// Reads of transactions, one statement each, always within one account's bucket.

import type pg from "pg";
import { bucketOf, type Operation, type Transaction, type TransactionType } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";
import { default_lease_ms, slot_count } from "./leases.ts";
import { unpackBody } from "./packed.ts";

type Row = Omit<Transaction, "operations"> & { readonly operations: readonly OperationRow[] | null };
type OperationRow = Record<keyof Operation, unknown>;

// The same rows in the order of their numbers; json_agg spares a second round trip.
const operations_of = `(SELECT json_agg(o ORDER BY o.id) FROM operations o WHERE o.bucket = t.bucket AND o.transaction_id = t.id)`;

type Key = { readonly account_id: number; readonly type: TransactionType; readonly id: number };

/** Null when the account has no such transaction. */
export async function loadTransaction(pool: pg.Pool, { account_id, type, id }: Key): Promise<Transaction | null> {
  const { rows } = await pool.query<Row>({
    name: "load_transaction",
    text: `SELECT t.*, ${operations_of} AS operations FROM transactions t
      WHERE t.bucket = $1 AND t.id = $2 AND t.account_id = $3 AND t.type = $4`,
    values: [bucketOf(account_id), id, account_id, type],
  });
  return rows[0] === undefined ? null : fromRow(rows[0]);
}

/** The transaction that a payment window link leads to. */
export async function transactionByLink(
  pool: pg.Pool,
  { bucket, type, link_token }: Pick<Transaction, "bucket" | "type"> & { readonly link_token: string },
): Promise<Transaction | null> {
  const { rows } = await pool.query<Row>({
    name: "transaction_by_link",
    text: `SELECT t.*, ${operations_of} AS operations FROM transactions t
      WHERE t.bucket = $1 AND t.link_token = $2 AND t.type = $3`,
    values: [bucket, link_token, type],
  });
  return rows[0] === undefined ? null : fromRow(rows[0]);
}

export function fromRow(row: Row): Transaction {
  return { ...row, body: unpackBody(row.body), operations: (row.operations ?? []).map(operationFromJson) };
}

// Within json_agg times are text.
function operationFromJson(row: OperationRow): Operation {
  const time = (value: unknown): Date | null => (value === null ? null : new Date(String(value)));
  return {
    ...(row as unknown as Operation),
    created_at: time(row.created_at) ?? new Date(0),
    check_at: time(row.check_at),
    finished_at: time(row.finished_at),
    callback_at: time(row.callback_at),
  };
}

export type ListQuery = {
  readonly account_id: number;
  readonly type: TransactionType;
  readonly filters: {
    readonly id?: number;
    readonly order_id?: string;
    readonly state?: string;
    readonly accepted?: boolean;
    readonly acquirer?: string;
    readonly fraud_suspected?: boolean;
    readonly subscription_id?: number;
    /** Subscriptions in this group. */
    readonly group_id?: number;
    /** Cards that expired before this month: year * 100 + month. */
    readonly expired_before?: number;
    readonly min_time?: Date;
    /** Exclusive. */
    readonly max_time?: Date;
    readonly timestamp: "created_at" | "updated_at";
  };
  readonly sort_by: "id" | "order_id" | "created_at";
  readonly sort_dir: "asc" | "desc";
  readonly limit: number;
  readonly offset: number;
  /** Continue after (or, backwards, before) this row. */
  readonly after: { readonly value: string | number; readonly id: string | number; readonly backwards: boolean } | null;
};

const card_month = `(t.body #>> '{metadata,exp_year}')::int * 100 + (t.body #>> '{metadata,exp_month}')::int`;

/** One page of an account's transactions, in the order asked for. */
export async function listTransactions(db: Db, query: ListQuery): Promise<Transaction[]> {
  const { account_id, type, filters, sort_by, after } = query;
  const values: unknown[] = [bucketOf(account_id), account_id, type];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const where = ["t.bucket = $1", "t.account_id = $2", "t.type = $3"];
  for (const name of [
    "id",
    "order_id",
    "state",
    "accepted",
    "acquirer",
    "fraud_suspected",
    "subscription_id",
  ] as const) {
    const value = filters[name];
    if (value !== undefined) where.push(`t.${name} = ${bind(value)}`);
  }
  // The partial index holds only rows with groups.
  if (filters.group_id !== undefined)
    where.push("t.group_ids IS NOT NULL", `t.group_ids @> ARRAY[${bind(filters.group_id)}]::integer[]`);
  if (filters.expired_before !== undefined) where.push(`${card_month} < ${bind(filters.expired_before)}`);
  if (filters.min_time !== undefined) where.push(`t.${filters.timestamp} >= ${bind(filters.min_time)}`);
  if (filters.max_time !== undefined) where.push(`t.${filters.timestamp} < ${bind(filters.max_time)}`);

  const descending = (query.sort_dir === "desc") !== (after?.backwards ?? false);
  const direction = descending ? "DESC" : "ASC";
  const row = sort_by === "id" ? "t.id" : `(t.${sort_by}, t.id)`;
  if (after !== null) {
    const bound = sort_by === "id" ? bind(after.id) : `(${bind(after.value)}, ${bind(after.id)})`;
    where.push(`${row} ${descending ? "<" : ">"} ${bound}`);
  }
  const order = sort_by === "id" ? `t.id ${direction}` : `t.${sort_by} ${direction}, t.id ${direction}`;
  const { rows } = await db.query<Row>(
    `SELECT t.*, ${operations_of} AS operations FROM transactions t WHERE ${where.join(" AND ")}
     ORDER BY ${order} LIMIT ${bind(query.limit)} OFFSET ${bind(query.offset)}`,
    values,
  );
  const page = rows.map(fromRow);
  return after?.backwards ? page.reverse() : page;
}

/** Those of these order ids that the account uses already. */
export async function takenOrderIds(
  pool: pg.Pool,
  { account_id, type, order_ids }: { account_id: number; type: TransactionType; order_ids: readonly string[] },
): Promise<Set<string>> {
  const { rows } = await pool.query<{ order_id: string }>(
    "SELECT order_id FROM transactions WHERE bucket = $1 AND account_id = $2 AND type = $3 AND order_id = ANY($4::text[])",
    [bucketOf(account_id), account_id, type, order_ids],
  );
  return new Set(rows.map((row) => row.order_id));
}

type KeyOfOperation = Key & { readonly operation_id: number };
export type PendingOperation = KeyOfOperation & { readonly bucket: number };

type Abandoned = {
  readonly slots: readonly number[];
  readonly process_id: number;
  /** References of the operations that this process is asking about already. */
  readonly busy: readonly string[];
  readonly now: Date;
  readonly limit: number;
};

/**
 * Operations that the acquirer must be asked about and nobody is asking about: those that this process began, whoever
 * works for their slot, and in these slots those whose process is gone.
 */
export async function abandonedOperations(
  pool: pg.Pool,
  { slots, process_id, busy, now, limit }: Abandoned,
): Promise<PendingOperation[]> {
  const { rows } = await pool.query<PendingOperation>({
    name: "abandoned_operations",
    text: `SELECT o.bucket, o.account_id, t.type, t.id, o.id AS operation_id
      FROM operations o JOIN transactions t ON t.bucket = o.bucket AND t.id = o.transaction_id
      WHERE (o.pending OR o.check_at IS NOT NULL) AND (o.check_at IS NULL OR o.check_at <= $4) AND o.reference <> ALL($5::text[])
        AND (o.runner = $2 OR (o.bucket % ${slot_count} = ANY($1::int[]) AND NOT EXISTS (SELECT FROM processes p
          WHERE p.id = o.runner AND p.seen_at > now() - interval '${default_lease_ms} ms')))
      ORDER BY o.created_at LIMIT $3`,
    values: [slots, process_id, limit, now, busy],
  });
  return rows;
}

/**
 * The acquirer does not know yet: when to ask about this operation again. Null: there is nothing left to ask. Does nothing
 * to an operation that was settled meanwhile.
 */
export async function askAgainAt(pool: pg.Pool, key: KeyOfOperation, at: Date | null): Promise<void> {
  await pool.query({
    name: "ask_again_at",
    text: "UPDATE operations SET check_at = $4 WHERE bucket = $1 AND transaction_id = $2 AND id = $3 AND (pending OR check_at IS NOT NULL)",
    values: [bucketOf(key.account_id), key.id, key.operation_id, at],
  });
}

/**
 * Transactions whose deadline or capture date has come. Not those where an operation is under way that must end first, nor
 * the captures of suspended accounts, which wait.
 */
export async function dueTransactions(
  pool: pg.Pool,
  { slots, now, limit }: { slots: readonly number[]; now: Date; limit: number },
): Promise<Key[]> {
  const { rows } = await pool.query<Key>({
    name: "due_transactions",
    text: `SELECT t.account_id, t.type, t.id FROM transactions t
      WHERE t.due_at <= $2 AND t.bucket % ${slot_count} = ANY($1::int[]) AND NOT EXISTS (SELECT FROM operations o
        WHERE o.bucket = t.bucket AND o.transaction_id = t.id AND o.pending AND o.type <> 'session')
        AND NOT (t.accepted AND EXISTS (SELECT FROM accounts a WHERE a.id = t.account_id AND a.suspended_at IS NOT NULL))
      ORDER BY t.due_at LIMIT $3`,
    values: [slots, now, limit],
  });
  return rows;
}
