// Every operation runs in three phases:
//
//   begin     one commit: decide, append a pending operation, reserve its amount
//   ask       no transaction open: the acquirer, with the operation's own reference as idempotency key
//   settle    one commit, only if still pending: totals move, the callback goes to the outbox
//
// A crash after any phase is repaired by the worker, which asks what became of it (find), never sending money again.

import type { CardData, Order, Outcome, Verb } from "../acquirers/acquirer.ts";
import { isChargeable } from "../domain/currency.ts";
import type { Metadata } from "../domain/metadata.ts";
import { notFound, Refused, unless } from "../domain/refusal.ts";
import { statusMessage } from "../domain/status-codes.ts";
import {
  authorizationOf,
  decide,
  derive,
  isApproved,
  type Operation,
  type OperationOptions,
  type OperationType,
  pendingOperation,
  type Transaction,
  type TransactionType,
} from "../domain/transaction.ts";
import type { CallbackRow } from "../storage/rows.ts";
import { askAgainAt, loadTransaction } from "../storage/transactions.ts";
import { acquirerFor } from "./acquiring.ts";
import { activity } from "./activity.ts";
import { startOfDay } from "./days.ts";
import { ulid } from "./ids.ts";
import { type Actor, type Services, system } from "./services.ts";

// Longer than any acquirer may take to answer; what has not answered by then is found by the worker.
const ask_timeout_ms = 30_000;
// Two callers that keep overtaking each other: each try is decided on the newest state, so a refusal comes soon.
const tries_max = 100;

export type Key = { readonly account_id: number; readonly type: TransactionType; readonly id: number };

export type Wish = Key & {
  readonly verb: OperationType;
  readonly amount: number | null;
  readonly options?: OperationOptions;
  readonly callback_url: string | null;
  readonly acquirer?: string | null;
  readonly test_mode?: boolean;
  readonly three_d_secure_status?: string | null;
  /** What becomes known of the card and the shopper. */
  readonly metadata?: Metadata;
};

/** An operation that was begun, with the transaction as of then. */
export type Begun = { readonly transaction: Transaction; readonly operation: Operation };

/** Decides and reserves. Throws `Refused` when it may not happen now. */
export async function begin(services: Services, actor: Actor, wish: Wish): Promise<Begun> {
  for (let tries = 0; tries < tries_max; tries++) {
    const before = await loadTransaction(services.pool, wish);
    if (before === null) throw notFound(wish.type, wish.id);
    mustBeChargeable(wish.amount, before.currency);
    unless(decide(before.operations, wish.verb, wish.amount));
    // Once tried, a transaction is bound to its mode; the caller saw an older state of it.
    const bound = before.acquirer !== null && (wish.test_mode ?? before.test_mode) !== before.test_mode;
    if (bound) throw new Refused("wrong_state", {});

    const at = services.clock.now();
    const ended = endSession(before.operations, at);
    const operation = newOperation(services, { transaction: before, wish, at, version: actor.version });
    const operations = [...before.operations.map((o) => (o === ended?.was ? ended.now : o)), operation];
    const transaction: Transaction = {
      ...before,
      ...derive(operations),
      operations,
      acquirer: wish.acquirer ?? before.acquirer,
      test_mode: wish.test_mode ?? before.test_mode,
      body: { ...before.body, metadata: { ...before.body.metadata, ...wish.metadata } },
      // A capture or cancel by hand takes the place of the one that was planned.
      due_at: wish.verb === "capture" || wish.verb === "cancel" ? null : before.due_at,
      last_operation_id: operation.id,
      revision: before.revision + 1,
      updated_at: at,
    };
    const key = running(transaction, operation);
    services.running.add(key);
    const committed = await services
      .commit({
        transaction,
        operations: ended === null ? [operation] : [ended.now, operation],
        callbacks: endedCallback(services, before, ended),
        activity: [operationActivity(actor, { before, after: transaction, operation, at })],
        idempotency: claimed(actor, transaction, operation.id),
      })
      .catch((error: unknown) => {
        services.running.delete(key);
        throw error;
      });
    if (committed === "done") {
      if (ended !== null) services.nudge();
      return { transaction, operation };
    }
    services.running.delete(key);
    if (committed === "key_taken") throw new Refused("idempotency_key_running", null, { retry_after_s: 1 });
  }
  throw new Refused("operation_pending", {});
}

/** Throws where the currency has no such amount at any acquirer: half a króna. */
export function mustBeChargeable(amount: number | null, currency: string | null): void {
  if (amount === null || currency === null || isChargeable(amount, currency)) return;
  throw new Refused("validation", { amount: ["is invalid"] });
}

export const claimed = ({ claim }: Actor, { type, id }: { type: string; id: number }, operation_id: number | null) =>
  claim === null ? null : { ...claim, resource_type: type, resource_id: id, operation_id };

const running = ({ bucket, id }: Transaction, operation: { id: number }): string => `${bucket}/${id}/${operation.id}`;

function newOperation(
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
    options: wish.options ?? {},
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

type Ended = { readonly was: Operation; readonly now: Operation };

/** `check_at` stays set on the ended session: the worker makes sure that nothing comes of it at the acquirer. */
function endSession(operations: readonly Operation[], at: Date): Ended | null {
  const was = pendingOperation(operations);
  return was === undefined ? null : { was, now: { ...finished(was, aborted, at), check_at: at } };
}

/** The merchant hears of the session that ended, with the transaction as it was then. */
function endedCallback(services: Services, before: Transaction, ended: Ended | null): CallbackRow[] {
  if (ended === null) return [];
  const operations = before.operations.map((o) => (o === ended.was ? ended.now : o));
  return callbackFor(services, revised(before, operations, ended.now.finished_at ?? before.updated_at), ended.now);
}

/** Answered by us, not by the acquirer. */
const aborted = {
  kind: "rejected",
  status_code: "40003",
  acquirer_status_code: null,
  acquirer_status_msg: null,
} as const satisfies Outcome;
const unreachable: Outcome = { ...aborted, status_code: "50300" };

/** An unpaid transaction past its deadline, as it shall be: an operation says so, a session that waited ends, and the
 * merchant hears of both. */
export function closing(services: Services, before: Transaction, callback_url: string | null) {
  const at = services.clock.now();
  const ended = endSession(before.operations, at);
  const { account_id, type, id } = before;
  const version = before.operations.at(-1)?.version ?? before.body.link?.version ?? system.version;
  const wish: Wish = { account_id, type, id, verb: "deadline", amount: null, callback_url };
  const operation = finished(
    newOperation(services, { transaction: before, wish, at, version: String(version) }),
    aborted,
    at,
  );
  const operations = [...before.operations.map((o) => (o === ended?.was ? ended.now : o)), operation];
  const transaction: Transaction = {
    ...revised(before, operations, at),
    due_at: null,
    last_operation_id: operation.id,
  };
  return {
    transaction,
    operations: ended === null ? [operation] : [ended.now, operation],
    callbacks: [...endedCallback(services, before, ended), ...callbackFor(services, transaction, operation)],
  };
}

/** Asks the acquirer and settles. Never throws: what is unknown stays pending, and the worker finds out. */
export async function perform(services: Services, begun: Begun, card: CardData | null): Promise<void> {
  const { transaction, operation } = begun;
  try {
    const outcome = await ask(services, begun, card);
    if (outcome.kind !== "unknown" || outcome.data !== undefined) await settle(services, begun, outcome);
  } catch (error) {
    services.log.error(
      { error: String(error), operation: operation.reference },
      "an operation could not be settled yet",
    );
  } finally {
    services.running.delete(running(transaction, operation));
  }
}

async function ask(services: Services, begun: Begun, card: CardData | null): Promise<Outcome> {
  const { transaction, operation } = begun;
  const acquirer = acquirerFor(services, transaction);
  const verb = acquirer?.[operation.type as Verb];
  if (verb === undefined)
    return { ...aborted, status_code: "40000", acquirer_status_msg: "Not supported by the acquirer" };
  const order = await orderOf(services, begun, card);
  const outcome = await verb(order, AbortSignal.timeout(ask_timeout_ms)).catch(
    (error: unknown): Outcome => ({ kind: "unknown", reason: String(error) }),
  );
  services.health.asked(transaction.acquirer ?? "", outcome.kind !== "unknown" || outcome.waiting === true);
  return outcome;
}

async function orderOf(services: Services, { transaction, operation }: Begun, card: CardData | null): Promise<Order> {
  const { account_id, ulid: name, currency, acquirer, body } = transaction;
  const account = await services.directory.account(account_id);
  return {
    reference: operation.reference,
    transaction: name,
    amount: operation.options.zero_auth ? 0 : (operation.amount ?? 0),
    currency: currency ?? "",
    authorization: authorizationOf(transaction.operations)?.acquirer_reference ?? null,
    card,
    text_on_statement: body.text_on_statement,
    settings: account.settings.acquirer_settings[acquirer ?? ""] ?? {},
    extras: operation.options.extras ?? {},
  };
}

/** Asks what became of an operation that nobody settled, and settles it when that is known. True when it is over. */
export async function repair(services: Services, key: Key & { operation_id: number }): Promise<boolean> {
  const transaction = await loadTransaction(services.pool, key);
  const operation = transaction?.operations.find(({ id }) => id === key.operation_id);
  if (transaction === null || operation === undefined) return true;
  if (!operation.pending) {
    // Settled since it was listed, or a session that a newer attempt ended: only of the latter something may still come.
    if (operation.check_at !== null) await release(services, transaction, operation);
    return true;
  }
  const name = running(transaction, operation);
  if (services.running.has(name)) return false;

  services.running.add(name);
  try {
    const acquirer = acquirerFor(services, transaction);
    if (acquirer === null) return false;
    const order = await orderOf(services, { transaction, operation }, null);
    const found = await acquirer.find(
      { ...order, begun_at: operation.created_at },
      AbortSignal.timeout(ask_timeout_ms),
    );
    if (found.kind === "unknown") {
      await askAgainAt(services.pool, key, nextAsk(operation.created_at, services.clock.now()));
      return false;
    }
    await settle(services, { transaction, operation }, found.kind === "never_heard" ? unreachable : found);
    return true;
  } finally {
    services.running.delete(name);
  }
}

// What is young is asked about often, what is old less so.
const ask_again_min_ms = 1_000;
const ask_again_max_ms = 300_000;

function nextAsk(begun_at: Date, now: Date): Date {
  const age_ms = now.getTime() - begun_at.getTime();
  return new Date(now.getTime() + Math.min(ask_again_max_ms, Math.max(ask_again_min_ms, age_ms / 10)));
}

/**
 * Stops a pending operation that had no effect at the acquirer. False when it had one (it is then settled), or when the
 * acquirer cannot promise that it never will.
 */
export async function stop(services: Services, begun: Begun): Promise<boolean> {
  const acquirer = acquirerFor(services, begun.transaction);
  if (acquirer?.abort === undefined) return false;
  const order = await orderOf(services, begun, null);
  const found = await acquirer.abort(order, AbortSignal.timeout(ask_timeout_ms));
  if (found.kind === "unknown") return false;
  await settle(services, begun, found.kind === "never_heard" ? aborted : found);
  return found.kind === "never_heard";
}

/** Records the answer, if the operation is still pending, and does what follows from it. */
export async function settle(services: Services, begun: Begun, outcome: Outcome): Promise<Transaction> {
  let before: Transaction | null = begun.transaction;
  for (let tries = 0; tries < tries_max; tries++) {
    const operation = before?.operations.find(({ id }) => id === begun.operation.id);
    if (before === null || operation === undefined) throw notFound(begun.transaction.type, begun.transaction.id);
    if (!operation.pending) return before;
    const settled = await trySettle(services, { before, operation, outcome });
    if (settled !== null) return settled;
    before = await loadTransaction(services.pool, begun.transaction);
  }
  throw new Error("a transaction changes faster than it can be settled");
}

type Settling = { readonly before: Transaction; readonly operation: Operation; readonly outcome: Outcome };

async function trySettle(services: Services, { before, operation, outcome }: Settling): Promise<Transaction | null> {
  const at = services.clock.now();
  const done = finished(operation, outcome, at);
  const replaced = before.operations.map((o) => (o.id === operation.id ? done : o));
  const after = revised(before, replaced, at);
  if (outcome.kind === "unknown") {
    // The acquirer still works on it: only what it said so far (where to send the shopper) is written.
    return (await services.commit({ transaction: after, operations: [done] })) === "done" ? after : null;
  }

  const callbacks = callbackFor(services, after, done);
  const account = await services.directory.account(before.account_id);
  const { auto_capture, auto_capture_at } = done.options;
  const capture =
    isApproved(done) && auto_capture === true ? autoCapture(services, { after, authorize: done, at }) : null;
  const captures_at =
    isApproved(done) && auto_capture_at ? startOfDay(auto_capture_at, account.settings.timezone) : null;
  const next: Transaction = {
    ...(capture === null ? after : { ...revised(after, [...after.operations, capture], at), revision: after.revision }),
    due_at: captures_at ?? (after.accepted ? null : after.due_at),
    last_operation_id: capture?.id ?? after.last_operation_id,
  };
  const committed = await services.commit({
    transaction: next,
    operations: capture === null ? [done] : [done, capture],
    callbacks,
    activity: [operationActivity(systemOf(done), { before, after, operation: done, at })],
  });
  if (committed !== "done") return null;
  if (callbacks.length > 0) services.nudge();
  if (capture === null) return next;

  const begun = { transaction: next, operation: capture };
  services.running.add(running(next, capture));
  await perform(services, begun, null);
  return (await loadTransaction(services.pool, next)) ?? next;
}

function revised(before: Transaction, operations: readonly Operation[], at: Date): Transaction {
  return { ...before, ...derive(operations), operations, revision: before.revision + 1, updated_at: at };
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
    status_msg: statusMessage(outcome.status_code),
    acquirer_status_code: outcome.acquirer_status_code,
    acquirer_status_msg: outcome.acquirer_status_msg,
    acquirer_reference: outcome.kind === "approved" ? outcome.authorization : operation.acquirer_reference,
    runner: null,
    check_at: null,
    finished_at: at,
  };
}

/** The capture that follows an approved authorization at once; it inherits callback URL and version. */
function autoCapture(
  services: Services,
  { after, authorize, at }: { after: Transaction; authorize: Operation; at: Date },
): Operation {
  const { account_id, type, id } = after;
  const wish: Wish = {
    account_id,
    type,
    id,
    verb: "capture",
    amount: authorize.amount,
    callback_url: authorize.callback_url,
  };
  return newOperation(services, { transaction: after, wish, at, version: authorize.version });
}

/** The outbox row of a finished operation: the resource as of this settle; none when no URL was resolved. */
export function callbackFor(services: Services, transaction: Transaction, operation: Operation): CallbackRow[] {
  if (operation.callback_url === null) return [];
  const { bucket, account_id, type, id } = transaction;
  const at = operation.finished_at ?? transaction.updated_at;
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
      body: services.callbackBody(transaction, operation.version),
      next_attempt_at: at,
      created_at: at,
    },
  ];
}

/**
 * A session that was ended by a newer attempt must come to nothing at the acquirer too. Should it have been approved
 * meanwhile, the money is let go at once and that is noted as an own cancel operation.
 */
async function release(services: Services, transaction: Transaction, session: Operation): Promise<void> {
  const acquirer = acquirerFor(services, { ...transaction, acquirer: session.acquirer });
  if (acquirer === null) return;
  const key = { ...transaction, operation_id: session.id };
  const order = await orderOf(services, { transaction, operation: session }, null);
  const signal = AbortSignal.timeout(ask_timeout_ms);
  const found = await (acquirer.abort === undefined
    ? acquirer.find({ ...order, begun_at: session.created_at }, signal)
    : acquirer.abort(order, signal));
  const now = services.clock.now();
  if (found.kind === "unknown") return askAgainAt(services.pool, key, nextAsk(session.created_at, now));
  if (found.kind === "approved") {
    // Named after the session, so that a repeat after a crash is the same order.
    const reference = `${session.reference}-void`;
    const cancel = { ...order, reference, amount: 0, authorization: found.authorization, extras: {} };
    const outcome = (await acquirer.cancel?.(cancel, signal)) ?? { kind: "unknown" as const, reason: "cannot cancel" };
    if (outcome.kind === "unknown") return askAgainAt(services.pool, key, nextAsk(session.created_at, now));
    await noteVoid(services, { transaction, session, reference, outcome });
  }
  await askAgainAt(services.pool, key, null);
}

type Voided = { transaction: Transaction; session: Operation; reference: string; outcome: Outcome };

async function noteVoid(services: Services, { transaction: seen, session, reference, outcome }: Voided): Promise<void> {
  for (let tries = 0; tries < tries_max; tries++) {
    const before = await loadTransaction(services.pool, seen);
    if (before === null || before.operations.some(({ options }) => options.voids === session.id)) return;
    const at = services.clock.now();
    const { account_id, type, id } = before;
    const wish: Wish = {
      account_id,
      type,
      id,
      verb: "cancel",
      amount: null,
      callback_url: null,
      options: { voids: session.id },
    };
    const noted = newOperation(services, { transaction: before, wish, at, version: session.version });
    const done = finished({ ...noted, reference }, outcome, at);
    const transaction = { ...revised(before, [...before.operations, done], at), last_operation_id: done.id };
    if ((await services.commit({ transaction, operations: [done] })) === "done") return;
  }
}

const systemOf = ({ version }: Operation): Actor => ({ ...system, version });

function operationActivity(
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
    },
    at,
  });
}
