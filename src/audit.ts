// `coolpay audit`: do the books balance? Every transaction is recomputed from its operations, in SQL and so independently
// of the code that wrote them, and compared with its totals, with the outbox and with the simulator's own book.

import type pg from "pg";
import { missingMigrations, reach, WrongDatabase } from "./storage/migrate.ts";
import { createPool } from "./storage/pool.ts";

export type Audit = {
  /** One sentence per difference, `differences_max` at most for each question. */
  readonly differences: readonly string[];
  readonly transactions: number;
  readonly operations: number;
};

const differences_max = 100;

/** Reads one snapshot, so it may run beside a serving system. */
export async function audit(database_url: string): Promise<Audit> {
  const pool = createPool({ url: database_url, max: 1, name: "audit" });
  try {
    return await read(await reach(pool));
  } finally {
    await pool.end();
  }
}

async function read(client: pg.PoolClient): Promise<Audit> {
  try {
    if ((await missingMigrations(client)).length > 0)
      throw new WrongDatabase("The database lacks tables of this program: run coolpay migrate first.");
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const differences: string[] = [];
    for (const question of questions) differences.push(...(await ask(client, question)));
    const { rows } = await client.query<{ transactions: number; operations: number }>(
      "SELECT (SELECT count(*)::int FROM transactions) AS transactions, (SELECT count(*)::int FROM operations) AS operations",
    );
    return { differences, transactions: rows[0]?.transactions ?? 0, operations: rows[0]?.operations ?? 0 };
  } finally {
    client.release();
  }
}

type Question = { readonly what: string; readonly sql: string };

async function ask(client: pg.PoolClient, { what, sql }: Question): Promise<string[]> {
  const { rows } = await client.query<Record<string, unknown>>(`${sql} LIMIT ${differences_max}`);
  return rows.map(({ type, account_id, id, ...found }) => {
    const details = Object.entries(found).map(
      ([name, value]) => `${name} ${value === null ? "nothing" : String(value)}`,
    );
    return `${String(type)} ${String(id)} of account ${String(account_id)}: ${what} (${details.join(", ")})`;
  });
}

// What the operations add up to. An authorization is what authorize, session and recurring have been approved for.
const recomputed = `
  SELECT bucket, transaction_id,
    coalesce(sum(amount) FILTER (WHERE approved AND type IN ('authorize', 'session', 'recurring')), 0) AS authorized,
    coalesce(sum(amount) FILTER (WHERE approved AND type = 'capture'), 0) AS captured,
    coalesce(sum(amount) FILTER (WHERE pending AND type = 'capture'), 0) AS capture_pending,
    coalesce(sum(amount) FILTER (WHERE approved AND type = 'refund'), 0) AS refunded,
    coalesce(sum(amount) FILTER (WHERE pending AND type = 'refund'), 0) AS refund_pending,
    coalesce(bool_or(approved AND type = 'cancel' AND options ->> 'voids' IS NULL), false) AS cancelled,
    coalesce(bool_or(approved AND type IN ('authorize', 'session', 'recurring')), false) AS accepted,
    bool_or(pending) AS pending,
    bool_or(type = 'capture') AS capture_tried,
    count(*) AS count, max(id) AS last_id
  FROM (SELECT *, NOT pending AND status_code = '20000' AS approved FROM operations) o
  GROUP BY bucket, transaction_id`;

const state = `
  CASE WHEN r.count IS NULL THEN 'initial' WHEN r.pending THEN 'pending' WHEN r.cancelled OR r.capture_tried THEN 'processed'
    WHEN r.accepted THEN 'new' ELSE 'rejected' END`;

const compared = ["authorized", "captured", "capture_pending", "refunded", "refund_pending"] as const;

const questions: readonly Question[] = [
  ...compared.map((column) => ({
    what: `the operations add up to another ${column}`,
    sql: `SELECT t.type, t.account_id, t.id, t.${column} AS stored, coalesce(r.${column}, 0) AS recomputed
      FROM transactions t LEFT JOIN (${recomputed}) r ON r.bucket = t.bucket AND r.transaction_id = t.id
      WHERE t.${column} <> coalesce(r.${column}, 0)`,
  })),
  {
    what: "the operations lead to another state",
    sql: `SELECT t.type, t.account_id, t.id, t.state AS stored, ${state} AS recomputed, t.accepted, t.cancelled
      FROM transactions t LEFT JOIN (${recomputed}) r ON r.bucket = t.bucket AND r.transaction_id = t.id
      WHERE t.type = 'Payment' AND (t.state <> ${state} OR t.accepted <> coalesce(r.accepted, false)
        OR t.cancelled <> coalesce(r.cancelled, false))`,
  },
  {
    what: "operations are missing",
    sql: `SELECT t.type, t.account_id, t.id, t.last_operation_id AS expected, coalesce(r.count, 0) AS found
      FROM transactions t LEFT JOIN (${recomputed}) r ON r.bucket = t.bucket AND r.transaction_id = t.id
      WHERE t.last_operation_id <> coalesce(r.count, 0) OR t.last_operation_id <> coalesce(r.last_id, 0)`,
  },
  {
    what: "more was moved than may be",
    sql: `SELECT type, account_id, id, authorized, captured, refunded FROM transactions
      WHERE captured + capture_pending > authorized OR refunded + refund_pending > captured`,
  },
  {
    what: "a finished operation has no callback in the outbox",
    sql: `SELECT t.type, o.account_id, t.id, o.id AS operation FROM operations o
      JOIN transactions t ON t.bucket = o.bucket AND t.id = o.transaction_id
      LEFT JOIN callbacks c ON c.bucket = o.bucket AND c.resource_id = o.transaction_id AND c.operation_id = o.id
      WHERE NOT o.pending AND o.callback_url IS NOT NULL AND c.id IS NULL`,
  },
  {
    what: "the outbox holds a callback of an operation that has not finished or does not exist",
    sql: `SELECT c.resource_type AS type, c.account_id, c.resource_id AS id, c.operation_id AS operation FROM callbacks c
      LEFT JOIN operations o ON o.bucket = c.bucket AND o.transaction_id = c.resource_id AND o.id = c.operation_id
      WHERE o.id IS NULL OR o.pending`,
  },
  {
    what: "an operation has more than one callback",
    sql: `SELECT c.resource_type AS type, c.account_id, c.resource_id AS id, c.operation_id AS operation, count(*) AS callbacks
      FROM callbacks c GROUP BY c.bucket, c.resource_type, c.account_id, c.resource_id, c.operation_id HAVING count(*) > 1`,
  },
  {
    what: "an operation was approved that the simulator has not approved for that amount",
    sql: `SELECT t.type, o.account_id, t.id, o.id AS operation, o.type AS verb, o.amount, b.outcome AS book, b.amount AS book_amount
      FROM operations o JOIN transactions t ON t.bucket = o.bucket AND t.id = o.transaction_id
      LEFT JOIN simulator.book b ON b.reference = o.reference
      WHERE t.test_mode AND NOT o.pending AND o.status_code = '20000'
        AND (b.outcome IS DISTINCT FROM 'approved'
          OR b.amount <> CASE WHEN o.options ->> 'zero_auth' = 'true' THEN 0 ELSE coalesce(o.amount, 0) END)`,
  },
  {
    what: "the simulator approved what we hold for refused",
    sql: `SELECT t.type, o.account_id, t.id, o.id AS operation, o.type AS verb, o.status_code FROM simulator.book b
      JOIN operations o ON o.reference = b.reference
      JOIN transactions t ON t.bucket = o.bucket AND t.id = o.transaction_id
      WHERE b.outcome = 'approved' AND NOT o.pending AND o.status_code <> '20000'
        AND NOT EXISTS (SELECT FROM operations v WHERE v.bucket = o.bucket AND v.transaction_id = o.transaction_id
          AND (v.options ->> 'voids')::int = o.id AND v.status_code = '20000')`,
  },
  {
    what: "the simulator moved money that we know nothing of",
    sql: `SELECT 'Reference' AS type, 'unknown' AS account_id, b.reference AS id, b.verb, b.amount FROM simulator.book b
      WHERE b.outcome = 'approved' AND NOT EXISTS (SELECT FROM operations o WHERE o.reference = b.reference)`,
  },
];
