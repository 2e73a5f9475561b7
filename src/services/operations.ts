// What operations are made of: begun, ended and told of as plain data, before anything is stored or sent.

import type { Outcome } from "../acquirers/acquirer.ts";
import { type Card, holdsCardData } from "../domain/card.ts";
import { isChargeable } from "../domain/currency.ts";
import type { Verdict } from "../domain/fraud-rules.ts";
import type { Metadata } from "../domain/metadata.ts";
import { Refused } from "../domain/refusal.ts";
import { statusMessage } from "../domain/status-codes.ts";
import {
  derive,
  type Operation,
  type OperationOptions,
  type OperationType,
  pendingOperation,
  type Transaction,
  type TransactionType,
} from "../domain/transaction.ts";
import type { ActivityRow, CallbackRow } from "../storage/rows.ts";
import { activity, differences } from "./activity.ts";
import { ulid } from "./ids.ts";
import { type Actor, type Services, system } from "./services.ts";

export type Key = { readonly account_id: number; readonly type: TransactionType; readonly id: number };

export type Wish = Key & {
  readonly verb: OperationType;
  readonly amount: number | null;
  readonly options?: OperationOptions;
  readonly callback_url: string | null;
  readonly acquirer?: string | null;
  readonly test_mode?: boolean;
  readonly three_d_secure_status?: string | null;
  /** To be saved in the vault. */
  readonly keep?: Card;
  /** What of the amount is the acquirer's fee; null where none was asked for. Left out where it stays as it is. */
  readonly fee?: number | null;
  /** What becomes known of the card and the shopper. */
  readonly metadata?: Metadata;
  /** What the rules against fraud say of it. */
  readonly fraud?: Verdict;
  /** The capture that a date planned: the date is used up with it. */
  readonly planned?: true;
  /** Only in the state with this revision: refused as `operation_pending` when something happened since. */
  readonly revision?: number;
};

/** An operation that was begun, with the transaction as of then. */
export type Begun = { readonly transaction: Transaction; readonly operation: Operation };

/** Throws where the currency has no such amount at any acquirer: half a króna. */
export function mustBeChargeable(amount: number | null, currency: string | null): void {
  if (amount === null || currency === null || isChargeable(amount, currency)) return;
  throw new Refused("validation", { amount: ["is invalid"] });
}

/**
 * Extras go to the acquirer as they are, and rest with the operation: a card has parameters of its own, which do not. Throws
 * `validation` for a card's number or CVD in them (PCI DSS, requirement 3).
 */
export function mustHoldNoCard(extras: unknown): void {
  if (holdsCardData(extras)) throw new Refused("validation", { extras: ["must not hold card data"] });
}

/** Another process had the effect that this key stands for: nothing was stored here, and the edge looks what it answered. */
export const keyTaken = (): Refused => new Refused("idempotency_key_running", null, { retry_after_s: 1 });

export const claimed = (
  { claim }: Pick<Actor, "claim">,
  { type, id }: { type: string; id: number },
  operation_id: number | null,
) => (claim === null ? null : { ...claim, resource_type: type, resource_id: id, operation_id });

export function newOperation(
  services: Services,
  { transaction, wish, at, version }: { transaction: Transaction; wish: Wish; at: Date; version: string },
): Operation {
  return {
    id: transaction.last_operation_id + 1,
    type: wish.verb,
    amount: wish.amount,
    pending: true,
    status_code: null,
    status_msg: null,
    acquirer_status_code: null,
    acquirer_status_msg: null,
    data: {},
    acquirer: wish.acquirer ?? transaction.acquirer,
    three_d_secure_status: wish.three_d_secure_status ?? null,
    reference: ulid(at),
    acquirer_reference: null,
    options: { ...wish.options, ...(wish.fraud?.ruled_out && { ruled_out: wish.fraud.ruled_out }) },
    version,
    runner: services.process_id(),
    check_at: null,
    created_at: at,
    finished_at: null,
    callback_url: wish.callback_url,
    callback_success: null,
    callback_response_code: null,
    callback_duration: null,
    callback_at: null,
  };
}

export function revised(before: Transaction, operations: readonly Operation[], at: Date): Transaction {
  return { ...before, ...derive(before.type, operations), operations, revision: before.revision + 1, updated_at: at };
}

/** The operation as the outcome leaves it. An unknown outcome leaves it pending. */
export function finished(operation: Operation, outcome: Outcome, at: Date): Operation {
  const data = { ...operation.data, ...outcome.data };
  if (outcome.kind === "unknown") return { ...operation, data };
  return {
    ...operation,
    data,
    pending: false,
    status_code: outcome.status_code,
    status_msg: operation.options.ruled_out?.status_msg ?? statusMessage(outcome.status_code),
    acquirer_status_code: outcome.acquirer_status_code,
    acquirer_status_msg: outcome.acquirer_status_msg,
    acquirer_reference: outcome.kind === "approved" ? outcome.authorization : operation.acquirer_reference,
    runner: null,
    check_at: null,
    finished_at: at,
  };
}

/** Answered by us, not by the acquirer. */
export const aborted = {
  kind: "rejected",
  status_code: "40003",
  acquirer_status_code: null,
  acquirer_status_msg: null,
} as const satisfies Outcome;

/** No answer will come any more, and nothing happened. */
export const unreachable: Outcome = { ...aborted, status_code: "50300" };

/** The outcome of an operation that rules against fraud ended; null: an acquirer decides. */
export const ruledOut = ({ options }: Operation): Exclude<Outcome, { kind: "unknown" }> | null =>
  options.ruled_out === undefined ? null : { ...aborted, status_code: options.ruled_out.status_code };

export type Ended = { readonly was: Operation; readonly now: Operation };

/** `check_at` stays set on the ended session: the worker makes sure that nothing comes of it at the acquirer. */
export function endSession(operations: readonly Operation[], at: Date): Ended | null {
  const was = pendingOperation(operations);
  return was === undefined ? null : { was, now: { ...finished(was, aborted, at), check_at: at } };
}

/** The merchant hears of the session that ended, with the transaction as it was then. */
export function endedCallback(services: Services, before: Transaction, ended: Ended | null): CallbackRow[] {
  if (ended === null) return [];
  const operations = before.operations.map((o) => (o === ended.was ? ended.now : o));
  return callbackFor(services, revised(before, operations, ended.now.finished_at ?? before.updated_at), ended.now);
}

/** That the session ended, in the audit trail: it is settled without a request of its own. */
export function endedActivity(actor: Actor, before: Transaction, ended: Ended | null): ActivityRow[] {
  if (ended === null) return [];
  const at = ended.now.finished_at ?? before.updated_at;
  const operations = before.operations.map((o) => (o === ended.was ? ended.now : o));
  return [operationActivity(actor, { before, after: revised(before, operations, at), operation: ended.now, at })];
}

/**
 * The outbox row of a finished operation: the resource as of this settle, its operations up to this one (receivers look at
 * the last); none when no URL was resolved.
 */
export function callbackFor(services: Services, transaction: Transaction, operation: Operation): CallbackRow[] {
  if (operation.callback_url === null) return [];
  const { bucket, account_id, type, id } = transaction;
  const at = operation.finished_at ?? transaction.updated_at;
  const told = { ...transaction, operations: transaction.operations.filter((o) => o.id <= operation.id) };
  return [
    {
      bucket,
      id: ulid(at),
      account_id,
      resource_type: type,
      resource_id: id,
      operation_id: operation.id,
      sequence: operation.id,
      url: operation.callback_url,
      version: operation.version,
      body: services.callbackBody(told, operation.version),
      next_attempt_at: at,
      created_at: at,
    },
  ];
}

export const systemOf = ({ version }: Operation): Actor => ({ ...system, version });

export function operationActivity(
  actor: Actor,
  { before, after, operation, at }: { before: Transaction; after: Transaction; operation: Operation; at: Date },
) {
  const { account_id, type, id } = after;
  return activity(actor, {
    target: { account_id, type, id },
    action: operation.type,
    changes: {
      state: [before.state, after.state],
      operation: [null, operation.id],
      operation_amount: [null, operation.amount],
      operation_status_code: [null, operation.status_code],
      ...bodyChanges(before, after),
    },
    at,
  });
}

// What an operation may change of a transaction beside its totals.
const learnt = ["fee", "invoice_address", "shipping_address"] as const;

function bodyChanges(before: Transaction, after: Transaction) {
  const names = learnt.filter((name) => before.body[name] !== after.body[name]);
  const of = ({ body }: Transaction) => Object.fromEntries(names.map((name) => [name, body[name]]));
  return names.length === 0 ? {} : differences(of(before), of(after));
}
