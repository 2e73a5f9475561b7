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
    coalesce(bool_or(approved AND type IN ('authorize', 'session', 'recurring', 'credit')), false) AS accepted,
    bool_or(pending) AS pending,
    bool_or(type = 'capture') AS capture_tried,
    count(*) AS count, max(id) AS last_id
  FROM (SELECT *, NOT pending AND status_code = '20000' AS approved FROM operations) o
  GROUP BY bucket, transaction_id`;

const state = `
  CASE WHEN r.count IS NULL THEN 'initial' WHEN r.pending THEN 'pending'
    WHEN t.type IN ('Subscription', 'Card') AND r.cancelled THEN 'cancelled'
    WHEN r.cancelled OR r.capture_tried THEN 'processed'
    WHEN r.accepted THEN CASE t.type WHEN 'Payment' THEN 'new' WHEN 'Payout' THEN 'processed' ELSE 'active' END
    ELSE 'rejected' END`;

const compared = ["authorized", "captured", "capture_pending", "refunded", "refund_pending"] as const;

// What is decided at the acquirer is known here soon: the worker asks at least every five minutes.
const known_after = "interval '15 minutes'";
const long_ago = `now() + (SELECT offset_ms FROM clock) * interval '1 ms' - ${known_after}`;

// Operations with what they belong to, and with what the simulator's book says of them (if anything).
const booked = `operations o JOIN transactions t ON t.bucket = o.bucket AND t.id = o.transaction_id
  LEFT JOIN simulator.book b ON b.reference = o.reference`;
const of_operation = "t.type, t.account_id, t.id, o.id AS operation, o.type AS verb";
const is_approved = "NOT o.pending AND o.status_code = '20000'";
// An operation that a later one took back: a session that was approved after another attempt to pay had ended it.
const is_voided = `EXISTS (SELECT FROM operations v WHERE v.bucket = o.bucket AND v.transaction_id = o.transaction_id
  AND v.options ->> 'voids' = o.id::text AND v.status_code = '20000')`;

const totals: readonly Question[] = [
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
      WHERE t.state <> ${state} OR t.accepted <> coalesce(r.accepted, false)
        OR t.cancelled <> coalesce(r.cancelled, false)`,
  },
  {
    what: "more was moved than may be",
    sql: `SELECT type, account_id, id, authorized, captured, refunded FROM transactions
      WHERE captured + capture_pending > authorized OR refunded + refund_pending > captured
        OR (cancelled AND captured + capture_pending > 0)`,
  },
];

const histories: readonly Question[] = [
  {
    what: "operations are missing",
    sql: `SELECT t.type, t.account_id, t.id, t.last_operation_id AS expected, coalesce(r.count, 0) AS found
      FROM transactions t LEFT JOIN (${recomputed}) r ON r.bucket = t.bucket AND r.transaction_id = t.id
      WHERE t.last_operation_id <> coalesce(r.count, 0) OR t.last_operation_id <> coalesce(r.last_id, 0)`,
  },
  {
    what: "an operation is over without an outcome, or has one before it is over",
    sql: `SELECT ${of_operation}, o.pending, o.status_code, o.finished_at FROM ${booked}
      WHERE o.pending = (o.status_code IS NOT NULL) OR o.pending = (o.finished_at IS NOT NULL)`,
  },
  {
    what: "several operations are pending at once",
    sql: `SELECT t.type, t.account_id, t.id, count(*) AS operations FROM ${booked} WHERE o.pending
      GROUP BY t.bucket, t.type, t.account_id, t.id HAVING count(*) > 1`,
  },
  {
    what: "nobody asks any more what became of an operation",
    sql: `SELECT ${of_operation}, o.created_at, o.check_at FROM ${booked}
      WHERE (o.pending OR o.check_at IS NOT NULL) AND coalesce(o.check_at, o.created_at) < ${long_ago}`,
  },
  {
    what: "it was paid more than once",
    sql: `SELECT t.type, t.account_id, t.id, count(*) AS authorizations FROM ${booked}
      WHERE ${is_approved} AND o.type IN ('authorize', 'session', 'recurring', 'credit')
      GROUP BY t.bucket, t.type, t.account_id, t.id HAVING count(*) > 1`,
  },
  {
    what: "what belongs to it stands under another account",
    sql: `SELECT t.type, t.account_id, t.id, r.what, r.account_id AS stands_under FROM transactions t JOIN (
        SELECT bucket, transaction_id, account_id, 'operation ' || id AS what FROM operations
        UNION ALL SELECT bucket, resource_id, account_id, 'callback of operation ' || operation_id FROM callbacks
      ) r ON r.bucket = t.bucket AND r.transaction_id = t.id WHERE r.account_id <> t.account_id`,
  },
  {
    what: "an Idempotency-Key stands for what does not exist",
    sql: `SELECT k.resource_type AS type, a.account_id, k.resource_id AS id, k.operation_id AS operation
      FROM idempotency_keys k LEFT JOIN agreements a ON k.scope = 'agreement:' || a.id
      LEFT JOIN transactions t ON t.bucket = k.bucket AND t.id = k.resource_id AND t.type = k.resource_type
      LEFT JOIN operations o ON o.bucket = k.bucket AND o.transaction_id = k.resource_id AND o.id = k.operation_id
      WHERE k.resource_type IN ('Payment', 'Subscription', 'Card', 'Payout')
        AND (t.id IS NULL OR (k.operation_id IS NOT NULL AND o.id IS NULL))`,
  },
];

// What a callback told of the operation that it was sent for: the last one in its body.
const told = `SELECT bucket, resource_id, operation_id, resource_type, body::json ->> 'id' AS id,
  body::json ->> 'balance' AS balance, json_array_length(body::json -> 'operations') AS operations,
  body::json -> 'operations' -> -1 AS operation FROM callbacks`;
// The merchant's money as of an operation: what was captured until then less what was refunded.
const balance_then = `(SELECT coalesce(sum(CASE e.type WHEN 'capture' THEN e.amount WHEN 'refund' THEN -e.amount END), 0)
  FROM operations e WHERE e.bucket = o.bucket AND e.transaction_id = o.transaction_id AND e.id <= o.id
    AND NOT e.pending AND e.status_code = '20000')`;

const outbox: readonly Question[] = [
  {
    what: "a finished operation has no callback in the outbox",
    sql: `SELECT ${of_operation} FROM ${booked}
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
    // Older versions show other codes for a refusal, so only whether it was approved is compared.
    what: "a callback tells something else than its operation",
    sql: `SELECT ${of_operation}, o.amount, o.status_code, c.operation ->> 'amount' AS told_amount, c.balance AS told_balance
      FROM ${booked} JOIN (${told}) c ON c.bucket = o.bucket AND c.resource_id = o.transaction_id AND c.operation_id = o.id
      WHERE NOT o.pending AND (c.id, c.operations, c.operation ->> 'id', c.operation ->> 'type', c.operation ->> 'amount',
          c.operation ->> 'pending', coalesce(c.operation ->> 'qp_status_code', c.operation ->> 'status_code') = '20000')
        IS DISTINCT FROM (t.id::text, o.id::int, o.id::text, o.type, o.amount::text, 'false', o.status_code = '20000')
        OR (t.type = 'Payment' AND c.balance IS DISTINCT FROM ${balance_then}::text)`,
  },
];

const book: readonly Question[] = [
  {
    what: "an operation was approved that the simulator has not approved for that amount",
    sql: `SELECT ${of_operation}, o.amount, b.outcome AS book, b.amount AS book_amount FROM ${booked}
      WHERE t.test_mode AND ${is_approved} AND (b.outcome IS DISTINCT FROM 'approved'
        OR b.amount <> CASE WHEN o.options ->> 'zero_auth' = 'true' THEN 0 ELSE coalesce(o.amount, 0) END)`,
  },
  {
    what: "the simulator approved something else under an operation's name",
    sql: `SELECT ${of_operation}, b.verb AS book_verb, t.currency, b.currency AS book_currency, t.ulid,
        b.transaction AS book_transaction
      FROM ${booked} WHERE b.outcome = 'approved' AND (b.verb <> o.type OR b.currency <> t.currency OR b.transaction <> t.ulid)`,
  },
  {
    // What is still being asked about (check_at) may need a moment.
    what: "the simulator approved what we hold for refused",
    sql: `SELECT ${of_operation}, o.status_code FROM ${booked}
      WHERE b.outcome = 'approved' AND NOT o.pending AND o.status_code IS DISTINCT FROM '20000'
        AND NOT ${is_voided} AND (o.check_at IS NULL OR b.answer_at < ${long_ago})`,
  },
  {
    what: "the simulator has decided long ago what we still hold for pending",
    sql: `SELECT ${of_operation}, b.outcome AS book, b.answer_at AS since FROM ${booked}
      WHERE o.pending AND b.outcome IN ('approved', 'rejected', 'refused') AND b.answer_at < ${long_ago}`,
  },
  {
    what: "a live payment stands in the simulator's book",
    sql: `SELECT ${of_operation}, b.outcome AS book FROM ${booked} WHERE NOT t.test_mode AND b.reference IS NOT NULL`,
  },
  {
    // A void that is not noted yet is named after the session that it takes back.
    what: "the simulator moved money that we know nothing of",
    sql: `SELECT coalesce(t.type, 'Reference') AS type, coalesce(t.account_id::text, 'nobody') AS account_id,
        coalesce(t.id::text, b.reference) AS id, b.reference, b.verb, b.amount
      FROM simulator.book b LEFT JOIN transactions t ON t.ulid = b.transaction
      WHERE b.outcome = 'approved' AND NOT EXISTS (SELECT FROM operations o WHERE o.reference = b.reference)
        AND NOT EXISTS (SELECT FROM operations o WHERE o.reference || '-void' = b.reference AND o.check_at IS NOT NULL)`,
  },
];

const questions: readonly Question[] = [...totals, ...histories, ...outbox, ...book];
