// Rows on their way into the statement of commit.ts: each as JSON, its members named like their columns. They are written
// out member by member, and times as texts, because thousands a second pass here: walking over members takes twice as long,
// and JSON.stringify several times as long where it meets a Date.

import type { Operation, Transaction } from "../domain/transaction.ts";
import { packBody } from "./packed.ts";
import type { ActivityRow, CallbackRow, IdempotencyRow, UseRow, VaultRow } from "./rows.ts";

/** What a new row says, and of which type; the rest is as every transaction begins (the table's defaults). */
export const created_columns = {
  bucket: "smallint",
  account_id: "integer",
  id: "integer",
  ulid: "text",
  type: "text",
  order_id: "text",
  currency: "text",
  state: "text",
  subscription_id: "integer",
  body: "json",
  created_at: "timestamptz",
  updated_at: "timestamptz",
} as const;

/** What an activity says beside what its transaction says already: whose it is, and when. */
export const activity_columns = {
  bucket: "smallint",
  target_id: "integer",
  id: "text",
  action: "text",
  changes: "json",
  user_id: "integer",
  agreement_id: "integer",
  extra: "json",
} as const;

/** What may change of it. */
export const mutable_columns = [
  "group_ids",
  "state",
  "accepted",
  "test_mode",
  "acquirer",
  "fraud_suspected",
  "authorized",
  "captured",
  "capture_pending",
  "refunded",
  "refund_pending",
  "cancelled",
  "body",
  "link_token",
  "due_at",
  "last_operation_id",
  "revision",
  "updated_at",
  "retented_at",
] as const;

type Row<Name extends string> = Readonly<Record<Name, unknown>>;

/** A new row that is as every transaction begins. */
export const createdJson = (t: Transaction): string => JSON.stringify(createdRow(t));

/** A new row that begins with an operation, or in groups. */
export const begunJson = (t: Transaction): string => JSON.stringify({ ...createdRow(t), ...updatedRow(t) });

function createdRow(t: Transaction): Row<keyof typeof created_columns> {
  return {
    bucket: t.bucket,
    account_id: t.account_id,
    id: t.id,
    ulid: t.ulid,
    type: t.type,
    order_id: t.order_id,
    currency: t.currency,
    state: t.state,
    subscription_id: t.subscription_id,
    body: packBody(t.body),
    created_at: timeText(t.created_at),
    updated_at: timeText(t.updated_at),
  };
}

export const updatedJson = (t: Transaction): string => JSON.stringify(updatedRow(t));

function updatedRow(t: Transaction): Row<(typeof mutable_columns)[number] | "bucket" | "id"> {
  return {
    bucket: t.bucket,
    id: t.id,
    group_ids: t.group_ids,
    state: t.state,
    accepted: t.accepted,
    test_mode: t.test_mode,
    acquirer: t.acquirer,
    fraud_suspected: t.fraud_suspected,
    authorized: t.authorized,
    captured: t.captured,
    capture_pending: t.capture_pending,
    refunded: t.refunded,
    refund_pending: t.refund_pending,
    cancelled: t.cancelled,
    body: packBody(t.body),
    link_token: t.link_token,
    due_at: timeText(t.due_at),
    last_operation_id: t.last_operation_id,
    revision: t.revision,
    updated_at: timeText(t.updated_at),
    retented_at: timeText(t.retented_at),
  };
}

export const operationJson = ({ bucket, account_id, id: transaction_id }: Transaction, operation: Operation): string =>
  JSON.stringify({
    ...operation,
    bucket,
    account_id,
    transaction_id,
    check_at: timeText(operation.check_at),
    created_at: timeText(operation.created_at),
    finished_at: timeText(operation.finished_at),
    callback_at: timeText(operation.callback_at),
  });

export const callbackJson = (row: CallbackRow): string =>
  JSON.stringify({
    ...row,
    next_attempt_at: timeText(row.next_attempt_at),
    created_at: timeText(row.created_at),
  });

export function activityJson(entry: ActivityRow): string {
  const row: Row<keyof typeof activity_columns> = {
    bucket: entry.bucket,
    target_id: entry.target_id,
    id: entry.id,
    action: entry.action,
    changes: entry.changes,
    user_id: entry.user_id,
    agreement_id: entry.agreement_id,
    extra: entry.extra,
  };
  return JSON.stringify(row);
}

export const vaultJson = (row: VaultRow): string =>
  JSON.stringify({ ...row, sealed: `\\x${row.sealed.toString("hex")}` });

export const useJson = ({ bucket, id: transaction_id }: Transaction, use: UseRow): string =>
  JSON.stringify({ ...use, bucket, transaction_id });

export const keyJson = (row: IdempotencyRow): string =>
  JSON.stringify({
    ...row,
    fingerprint: `\\x${row.fingerprint.toString("hex")}`,
    created_at: timeText(row.created_at),
  });

// What belongs together mostly has one time.
let last: Date | null = null;
let last_text = "";

function timeText(at: Date | null): string | null {
  if (at === null) return null;
  if (at !== last) {
    last_text = at.toISOString();
    last = at;
  }
  return last_text;
}
