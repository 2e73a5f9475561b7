// The one writer of transactions: what a request changes (the row, its operations, callbacks, activity, Idempotency-Key)
// travels as one change, and many callers' changes travel as one statement (see coalesce.ts).
//
// A new row loses against a taken order_id, an update against another update of the revision that it read; then nothing
// of that change is written, and its neighbours are not disturbed.

import type pg from "pg";
import type { Operation, Transaction } from "../domain/transaction.ts";
import { coalesce } from "./coalesce.ts";
import { isCheckViolation, isUniqueViolation } from "./errors.ts";
import type { ActivityRow, CallbackRow, IdempotencyRow, UseRow, VaultRow } from "./rows.ts";
import {
  activity_columns,
  activityJson,
  begunJson,
  callbackJson,
  created_columns,
  createdJson,
  keyJson,
  mutable_columns,
  operationJson,
  updatedJson,
  useJson,
  vaultJson,
} from "./travel.ts";

export type Change = {
  /** The row as it shall be; `revision` 0 makes a new one, n replaces revision n - 1. */
  readonly transaction: Transaction;
  /** Operations that are new or were settled. */
  readonly operations?: readonly Operation[];
  readonly callbacks?: readonly CallbackRow[];
  readonly activity?: readonly ActivityRow[];
  readonly vault?: readonly VaultRow[];
  readonly uses?: readonly UseRow[];
  readonly idempotency?: IdempotencyRow | null;
};

/**
 * `conflict`: the order_id is taken (new rows) or the revision has moved on (updates). `plan_used_up`: others took what the
 * account's plan had left in the month.
 */
export type Committed = "done" | "conflict" | "key_taken" | "plan_used_up";

export type Commit = (change: Change) => Promise<Committed>;

export function committer(pool: pg.Pool): Commit {
  const commit = coalesce<Change, Committed>({
    keyOf: ({ transaction }) => (transaction.revision === 0 ? null : `${transaction.bucket}/${transaction.id}`),
    flush: (changes) => flush(pool, changes),
  });
  return async (change) => {
    try {
      return await commit(change);
    } catch (error) {
      if (isUniqueViolation(error, "idempotency_keys_pkey")) return "key_taken";
      if (isCheckViolation(error, "plan_bound")) return "plan_used_up";
      throw error;
    }
  };
}

const settled_columns = [
  "pending",
  "status_code",
  "status_msg",
  "acquirer_status_code",
  "acquirer_status_msg",
  "data",
  "acquirer",
  "three_d_secure_status",
  "acquirer_reference",
  "runner",
  "check_at",
  "finished_at",
];
const callback_columns =
  "bucket, id, account_id, resource_type, resource_id, operation_id, sequence, url, version, body, next_attempt_at, created_at";
const key_columns = "bucket, scope, key, fingerprint, resource_type, resource_id, operation_id, created_at";

/** Of each transaction that was written: what its other rows hang on. */
const returned = "bucket, id, account_id, type, updated_at";

const begun_columns = [...new Set([...Object.keys(created_columns), ...mutable_columns])].join(", ");
const heads: readonly Part[] = ["created", "begun", "updated"];

/** The parts of a batch, in the order of their parameters; a part without rows is left out of the statement. */
const parts = {
  created: (p: string) => `
    INSERT INTO transactions (${names(created_columns)}) SELECT ${names(created_columns)}
    FROM json_to_recordset(${p}) AS r(${typed(created_columns)}) ON CONFLICT DO NOTHING RETURNING ${returned}`,
  begun: (p: string) => `
    INSERT INTO transactions (${begun_columns}) SELECT ${begun_columns}
    FROM json_populate_recordset(NULL::transactions, ${p}) ON CONFLICT DO NOTHING RETURNING ${returned}`,
  updated: (p: string) => `
    UPDATE transactions t SET ${mutable_columns.map((c) => `${c} = r.${c}`).join(", ")}
    FROM json_populate_recordset(NULL::transactions, ${p}) r
    WHERE t.bucket = r.bucket AND t.id = r.id AND t.revision = r.revision - 1 RETURNING ${prefixed(returned, "t")}`,
  operations: (p: string) => `
    INSERT INTO operations SELECT r.* FROM json_populate_recordset(NULL::operations, ${p}) r
    JOIN ok ON ok.bucket = r.bucket AND ok.id = r.transaction_id ORDER BY r.bucket, r.transaction_id, r.id
    ON CONFLICT (bucket, transaction_id, id) DO UPDATE SET ${settled_columns.map((c) => `${c} = excluded.${c}`).join(", ")}`,
  callbacks: (p: string) => `
    INSERT INTO callbacks (${callback_columns}) SELECT ${prefixed(callback_columns)}
    FROM json_populate_recordset(NULL::callbacks, ${p}) r JOIN ok ON ok.bucket = r.bucket AND ok.id = r.resource_id`,
  activity: (p: string) => `
    INSERT INTO activity (${names(activity_columns)}, account_id, target_type, created_at)
    SELECT ${prefixed(names(activity_columns))}, ok.account_id, ok.type, ok.updated_at
    FROM json_to_recordset(${p}) AS r(${typed(activity_columns)}) JOIN ok ON ok.bucket = r.bucket AND ok.id = r.target_id`,
  vault: (p: string) => `
    INSERT INTO vault SELECT r.* FROM json_populate_recordset(NULL::vault, ${p}) r
    JOIN ok ON ok.bucket = r.bucket AND ok.id = r.card_id`,
  // A batch may hold many of one account. In one order, so that two batches do not wait for each other.
  uses: (p: string) => `
    INSERT INTO plan_uses AS u (bucket, account_id, month, used, bound)
    SELECT ok.bucket, ok.account_id, r.month, sum(r.taken), max(r.bound)
    FROM json_to_recordset(${p}) AS r(bucket smallint, transaction_id integer, month text, taken integer, bound integer)
    JOIN ok ON ok.bucket = r.bucket AND ok.id = r.transaction_id GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (bucket, account_id, month) DO UPDATE SET used = u.used + excluded.used, bound = excluded.bound`,
  keys: (p: string) => `
    INSERT INTO idempotency_keys (${key_columns}) SELECT ${prefixed(key_columns)}
    FROM json_populate_recordset(NULL::idempotency_keys, ${p}) r JOIN ok ON ok.bucket = r.bucket AND ok.id = r.resource_id`,
};
type Part = keyof typeof parts;

function prefixed(columns: string, prefix = "r"): string {
  return columns
    .split(", ")
    .map((column) => `${prefix}.${column}`)
    .join(", ");
}

function names(columns: object): string {
  return Object.keys(columns).join(", ");
}

function typed(columns: object): string {
  return Object.entries(columns)
    .map(([name, type]) => `${name} ${type}`)
    .join(", ");
}

const statements = new Map<string, string>();

function statementFor(present: readonly Part[]): { name: string; text: string } {
  const name = `commit_${present.join("_")}`;
  let text = statements.get(name);
  if (text === undefined) {
    const ctes = present.map((part, i) => ({ part, sql: `${part} AS (${parts[part](`$${i + 1}`)})` }));
    const first = ctes.filter(({ part }) => heads.includes(part));
    const rest = ctes.filter(({ part }) => !heads.includes(part));
    const ok = `ok AS (${first.map(({ part }) => `SELECT * FROM ${part}`).join(" UNION ALL ")})`;
    text = `WITH ${[...first.map(({ sql }) => sql), ok, ...rest.map(({ sql }) => sql)].join(",")}
      SELECT count(*)::int AS count, string_agg(bucket || '/' || id, ' ') AS done FROM ok`;
    statements.set(name, text);
  }
  return { name, text };
}

async function flush(pool: pg.Pool, changes: readonly Change[]): Promise<Committed[]> {
  const rows: Record<Part, string[]> = {
    created: [],
    begun: [],
    updated: [],
    operations: [],
    callbacks: [],
    activity: [],
    vault: [],
    uses: [],
    keys: [],
  };
  const sorted = changes.length === 1 ? changes : [...changes].sort(byRow);
  for (const { transaction, operations, callbacks, activity, vault, uses, idempotency } of sorted) {
    if (transaction.revision !== 0) rows.updated.push(updatedJson(transaction));
    else if (transaction.last_operation_id === 0 && transaction.group_ids === null)
      rows.created.push(createdJson(transaction));
    else rows.begun.push(begunJson(transaction));
    for (const operation of operations ?? []) rows.operations.push(operationJson(transaction, operation));
    for (const callback of callbacks ?? []) rows.callbacks.push(callbackJson(callback));
    for (const entry of activity ?? []) rows.activity.push(activityJson(entry));
    for (const card of vault ?? []) rows.vault.push(vaultJson(card));
    for (const use of uses ?? []) rows.uses.push(useJson(transaction, use));
    if (idempotency) rows.keys.push(keyJson(idempotency));
  }
  const present = (Object.keys(parts) as Part[]).filter((part) => rows[part].length > 0);
  const values = present.map((part) => `[${rows[part].join(",")}]`);
  const { rows: answers } = await pool.query<{ count: number; done: string }>({ ...statementFor(present), values });
  const { count, done } = answers[0] ?? { count: 0, done: "" };
  if (count === changes.length) return changes.map(() => "done");
  const names = new Set(done?.split(" "));
  return changes.map(({ transaction: t }) => (names.has(`${t.bucket}/${t.id}`) ? "done" : "conflict"));
}

const byRow = ({ transaction: a }: Change, { transaction: b }: Change): number => a.bucket - b.bucket || a.id - b.id;
