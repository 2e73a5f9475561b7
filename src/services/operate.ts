// Every operation runs in three phases:
//
//   begin     one commit: decide, append a pending operation, reserve its amount
//   ask       no transaction open: the acquirer, with the operation's own reference as idempotency key
//   settle    one commit, only if still pending: totals move, the callback goes to the outbox
//
// A crash after any phase is repaired by the worker, which asks what became of it (repair.ts), never sending money again.

import type { Order, Outcome, Verb } from "../acquirers/acquirer.ts";
import type { Card } from "../domain/card.ts";
import { closedByErasure } from "../domain/erasure.ts";
import { nothing_suspicious, suspicions } from "../domain/fraud-rules.ts";
import { notFound, Refused, unless } from "../domain/refusal.ts";
import {
  address_members,
  authorizationOf,
  decide,
  derive,
  isApproved,
  type Operation,
  type Transaction,
} from "../domain/transaction.ts";
import type { Committed } from "../storage/commit.ts";
import { loadTransaction } from "../storage/transactions.ts";
import { acquirerFor } from "./acquiring.ts";
import { startOfDay } from "./days.ts";
import {
  aborted,
  type Begun,
  callbackFor,
  claimed,
  endedActivity,
  endedCallback,
  endSession,
  finished,
  keyTaken,
  mustBeChargeable,
  mustHoldNoCard,
  newOperation,
  operationActivity,
  revised,
  ruledOut,
  systemOf,
  type Wish,
} from "./operations.ts";
import { givenBack, takenOf } from "./plans.ts";
import type { Actor, Claim, Services } from "./services.ts";
import { forgetUnused, keepsCard, spend, vaultRow } from "./vault.ts";

// Longer than any acquirer may take to answer; what has not answered by then is found by the worker.
export const ask_timeout_ms = 30_000;
// Two callers that keep overtaking each other: each try is decided on the newest state, so a refusal comes soon.
export const tries_max = 100;

/** Decides and reserves. Throws `Refused` when it may not happen now. */
export async function begin(services: Services, actor: Actor, wish: Wish): Promise<Begun> {
  for (let tries = 0; tries < tries_max; tries++) {
    const before = await loadTransaction(services.pool, wish);
    if (before === null) throw notFound(wish.type, wish.id);
    if (before.revision !== (wish.revision ?? before.revision)) throw new Refused("operation_pending", {});
    mustBeChargeable(wish.amount, before.currency);
    mustHoldNoCard(wish.options?.extras);
    const test_mode = wish.test_mode ?? before.test_mode;
    const { mark, uses, refused } = await takenOf(services, { transaction: before, verb: wish.verb, test_mode });
    if (closedByErasure(before, wish.verb)) throw new Refused("wrong_state", {});
    unless(decide(before, wish.verb, wish.amount));
    // Once tried, a transaction is bound to its mode; the caller saw an older state of it.
    const bound = before.acquirer !== null && test_mode !== before.test_mode;
    if (bound) throw new Refused("wrong_state", {});

    const { metadata } = before.body;
    const { fraud = nothing_suspicious } = wish;
    const at = services.clock.now();
    const ended = endSession(before.operations, at);
    // What was erased is not made personal again.
    const { extras: _, return_url: __, ...impersonal } = wish.options ?? {};
    const options = before.retented_at === null ? wish.options : impersonal;
    const counted = { ...wish, options: { ...options, ...mark } };
    const operation = newOperation(services, { transaction: before, wish: counted, at, version: actor.version });
    const operations = [...before.operations.map((o) => (o === ended?.was ? ended.now : o)), operation];
    const transaction: Transaction = {
      ...before,
      ...derive(before.type, operations),
      operations,
      acquirer: wish.acquirer ?? before.acquirer,
      test_mode,
      fraud_suspected: before.fraud_suspected || fraud.remarks.length > 0,
      body: {
        ...before.body,
        ...(wish.fee !== undefined && { fee: wish.fee }),
        metadata: { ...metadata, ...wish.metadata, ...suspicions(metadata, fraud) },
      },
      due_at: wish.planned ? null : before.due_at,
      last_operation_id: operation.id,
      revision: before.revision + 1,
      updated_at: at,
    };
    const key = operation.reference;
    services.running.add(key);
    const committed = await services
      .commit({
        transaction,
        operations: ended === null ? [operation] : [ended.now, operation],
        callbacks: endedCallback(services, before, ended),
        activity: [
          ...endedActivity(actor, before, ended),
          operationActivity(actor, { before, after: transaction, operation, at }),
        ],
        vault: wish.keep === undefined ? [] : [vaultRow(services, transaction, operation, wish.keep)],
        uses: [...givenBack(ended?.now), ...uses],
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
    if (committed === "key_taken") throw keyTaken();
    if (committed === "plan_used_up") throw refused;
  }
  throw new Refused("operation_pending", {});
}

// A token that is unknown or was used (reference: states, section 6).
const request_data_error = "40001";

/**
 * Asks the acquirer and settles. Never throws: what is unknown stays pending, and the worker finds out. `token`: of the saved
 * card that it is, used up by this; a token that is no good ends it without asking.
 */
export async function perform(
  services: Services,
  begun: Begun,
  card: Card | null,
  token: string | null = null,
): Promise<void> {
  const { operation } = begun;
  try {
    const outcome = await ask(services, begun, { card, token });
    if (outcome.kind !== "unknown" || outcome.data !== undefined) await settle(services, begun, outcome);
  } catch (error) {
    services.log.error(
      { error: String(error), operation: operation.reference },
      "an operation could not be settled yet",
    );
  } finally {
    services.running.delete(operation.reference);
  }
}

type Means = { readonly card: Card | null; readonly token: string | null };

async function ask(services: Services, begun: Begun, { card, token }: Means): Promise<Outcome> {
  const { transaction, operation } = begun;
  const ruled_out = ruledOut(operation);
  if (ruled_out !== null) return ruled_out;
  if (token !== null && (card === null || !(await spend(services, transaction.account_id, token))))
    return { ...aborted, status_code: request_data_error };
  const acquirer = acquirerFor(services, transaction);
  const verb = acquirer?.[operation.type as Verb];
  if (verb === undefined)
    return { ...aborted, status_code: "40000", acquirer_status_msg: "Not supported by the acquirer" };
  const order = await orderOf(services, begun, card);
  const outcome = await verb(order, AbortSignal.timeout(ask_timeout_ms)).catch(unheard);
  // Test transactions never reach the acquirer whose name they bear.
  if (!transaction.test_mode)
    services.health.asked(transaction.acquirer ?? "", outcome.kind !== "unknown" || outcome.waiting === true);
  return outcome;
}

/** An acquirer that fails to answer has not said no. */
export const unheard = (error: unknown): Outcome & { kind: "unknown" } => ({ kind: "unknown", reason: String(error) });

export async function orderOf(
  services: Services,
  { transaction, operation }: Begun,
  card: Card | null,
): Promise<Order> {
  const { account_id, ulid: name, currency, acquirer, body } = transaction;
  const account = await services.directory.account(account_id);
  return {
    reference: operation.reference,
    transaction: name,
    amount: operation.options.zero_auth ? 0 : (operation.amount ?? 0),
    currency: currency ?? "",
    authorization:
      operation.options.authorization ?? authorizationOf(transaction.operations)?.acquirer_reference ?? null,
    card,
    text_on_statement: body.text_on_statement,
    settings: account.settings.acquirer_settings[acquirer ?? ""] ?? {},
    extras: operation.options.extras ?? {},
    return_url: operation.options.return_url ?? null,
    method: operation.options.method ?? null,
    addresses: operation.options.addresses ?? [],
  };
}

/**
 * Stops a pending operation that had no effect at the acquirer. False when it had one (it is then settled), or when the
 * acquirer cannot promise that it never will.
 */
export async function stop(services: Services, actor: Actor, begun: Begun): Promise<boolean> {
  const acquirer = acquirerFor(services, begun.transaction);
  if (acquirer?.abort === undefined) return false;
  const order = await orderOf(services, begun, null);
  const found = await acquirer.abort(order, AbortSignal.timeout(ask_timeout_ms)).catch(unheard);
  if (found.kind === "unknown") return false;
  const stopped = found.kind === "never_heard";
  await settle(services, { ...begun, claim: stopped ? actor.claim : null }, stopped ? aborted : found);
  return stopped;
}

/**
 * Records the answer, if the operation is still pending, and does what follows from it. `claim`: of the request whose
 * effect this is, where it is not the one that began the operation.
 */
export async function settle(
  services: Services,
  { claim = null, ...begun }: Begun & { readonly claim?: Claim | null },
  outcome: Outcome,
): Promise<Transaction> {
  let before: Transaction | null = begun.transaction;
  for (let tries = 0; tries < tries_max; tries++) {
    const operation = before?.operations.find(({ id }) => id === begun.operation.id);
    if (before === null || operation === undefined) throw notFound(begun.transaction.type, begun.transaction.id);
    if (!operation.pending) return before;
    const settled = await trySettle(services, { before, operation, outcome, claim });
    if (settled !== null) return settled;
    before = await loadTransaction(services.pool, begun.transaction);
  }
  throw new Error("a transaction changes faster than it can be settled");
}

type Settling = {
  readonly before: Transaction;
  readonly operation: Operation;
  readonly outcome: Outcome;
  readonly claim: Claim | null;
};

async function trySettle(
  services: Services,
  { before, operation, outcome, claim }: Settling,
): Promise<Transaction | null> {
  const at = services.clock.now();
  const done = finished(operation, outcome, at);
  const replaced = before.operations.map((o) => (o.id === operation.id ? done : o));
  const after = withAddresses(revised(before, replaced, at), done, outcome);
  if (outcome.kind === "unknown") {
    // The acquirer still works on it: only what it said so far (where to send the shopper) is written.
    return (await services.commit({ transaction: after, operations: [done] })) === "done" ? after : null;
  }

  const callbacks = callbackFor(services, after, done);
  const account = await services.directory.account(before.account_id);
  const { auto_capture, auto_capture_at } = done.options;
  const follows = isApproved(done) && auto_capture === true;
  // While its account is suspended it waits, as one that is planned for a date does.
  const waits = account.suspended_at !== null;
  const capture = follows && !waits ? autoCapture(services, { after, authorize: done, at }) : null;
  const captures_at =
    isApproved(done) && auto_capture_at
      ? startOfDay(auto_capture_at, account.settings.timezone)
      : follows && waits
        ? at
        : null;
  const next: Transaction = {
    ...(capture === null ? after : { ...revised(after, [...after.operations, capture], at), revision: after.revision }),
    due_at: dueAfter({ before, after, done, captures_at }),
    last_operation_id: capture?.id ?? after.last_operation_id,
  };
  if (capture !== null) services.running.add(capture.reference);
  let committed: Committed | null = null;
  try {
    committed = await services.commit({
      transaction: next,
      operations: capture === null ? [done] : [done, capture],
      callbacks,
      activity: [operationActivity(systemOf(done), { before, after, operation: done, at })],
      uses: givenBack(done),
      idempotency: claimed({ claim }, next, operation.id),
    });
  } finally {
    if (capture !== null && committed !== "done") services.running.delete(capture.reference);
  }
  if (committed === "key_taken") throw keyTaken();
  if (committed !== "done") return null;
  if (callbacks.length > 0) services.nudge();
  if (keepsCard(next)) await forgetUnused(services, next);
  if (capture === null) return next;

  await perform(services, { transaction: next, operation: capture }, null);
  return (await loadTransaction(services.pool, next)) ?? next;
}

// As long as the API takes them.
const address_max = 255;

/** With the addresses that the shopper let the provider give, of those it was asked for. What was erased takes none in again. */
function withAddresses(transaction: Transaction, { options }: Operation, outcome: Outcome): Transaction {
  const given = outcome.kind === "approved" ? outcome.addresses : undefined;
  if (given === undefined || transaction.retented_at !== null) return transaction;
  const taken = (options.addresses ?? []).flatMap((name) => {
    const { [name]: address } = given;
    if (address === undefined) return [];
    return [[name, Object.fromEntries(address_members.map((m) => [m, address[m]?.slice(0, address_max) ?? null]))]];
  });
  return { ...transaction, body: { ...transaction.body, ...Object.fromEntries(taken) } };
}

type Dates = { before: Transaction; after: Transaction; done: Operation; captures_at: Date | null };

/**
 * Once it is paid its deadline means nothing any more. A capture's date stands until a capture or cancel by hand took its
 * place: one that was declined did not.
 */
function dueAfter({ before, after, done, captures_at }: Dates): Date | null {
  if (before.accepted !== after.accepted) return captures_at;
  const takes_its_place = isApproved(done) && (done.type === "capture" || done.type === "cancel");
  return takes_its_place ? null : after.due_at;
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
