// What nobody is asking about any more: an operation whose answer was lost or whose process is gone is asked about until it
// is known, and a session that a newer attempt ended is made to come to nothing. Money is never sent again.

import type { Found, Outcome } from "../acquirers/acquirer.ts";
import type { Operation, Transaction } from "../domain/transaction.ts";
import { askAgainAt, loadTransaction } from "../storage/transactions.ts";
import { acquirerFor } from "./acquiring.ts";
import { ask_timeout_ms, orderOf, settle, tries_max, unheard } from "./operate.ts";
import {
  type Begun,
  callbackFor,
  finished,
  type Key,
  newOperation,
  operationActivity,
  revised,
  ruledOut,
  systemOf,
  unreachable,
  type Wish,
} from "./operations.ts";
import type { Services } from "./services.ts";

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
  if (services.running.has(operation.reference)) return false;

  services.running.add(operation.reference);
  try {
    return await askAbout(services, { transaction, operation });
  } finally {
    services.running.delete(operation.reference);
  }
}

async function askAbout(services: Services, begun: Begun): Promise<boolean> {
  const { transaction, operation } = begun;
  const ruled_out = ruledOut(operation);
  if (ruled_out !== null) {
    await settle(services, begun, ruled_out);
    return true;
  }
  const acquirer = acquirerFor(services, transaction);
  const order = await orderOf(services, begun, null);
  const signal = AbortSignal.timeout(ask_timeout_ms);
  const found: Found =
    acquirer === null
      ? unheard("nobody can be asked")
      : await acquirer.find({ ...order, begun_at: operation.created_at }, signal).catch(unheard);
  if (found.kind === "unknown") {
    // The answer that was lost may have said where to send the shopper.
    if (Object.keys(found.data ?? {}).some((name) => !(name in operation.data))) await settle(services, begun, found);
    await askLater(services, transaction, operation);
    return false;
  }
  await settle(services, begun, found.kind === "never_heard" ? unreachable : found);
  return true;
}

// What is young is asked about often, what is old less so.
const ask_again_min_ms = 1_000;
const ask_again_max_ms = 300_000;

async function askLater({ pool, clock }: Services, transaction: Transaction, operation: Operation): Promise<void> {
  const now_ms = clock.now().getTime();
  const age_ms = now_ms - operation.created_at.getTime();
  const pause_ms = Math.min(ask_again_max_ms, Math.max(ask_again_min_ms, age_ms / 10));
  await askAgainAt(pool, { ...transaction, operation_id: operation.id }, new Date(now_ms + pause_ms));
}

/**
 * A session that was ended by a newer attempt must come to nothing at the acquirer too. Should it have been approved
 * meanwhile, the money is let go at once and that is noted as an own cancel operation.
 */
async function release(services: Services, seen: Transaction, session: Operation): Promise<void> {
  // The attempt that ended it may have gone to another acquirer.
  const transaction = { ...seen, acquirer: session.acquirer };
  const acquirer = acquirerFor(services, transaction);
  if (acquirer === null) return askLater(services, transaction, session);
  const order = await orderOf(services, { transaction, operation: session }, null);
  const signal = AbortSignal.timeout(ask_timeout_ms);
  const found = await (acquirer.abort === undefined
    ? acquirer.find({ ...order, begun_at: session.created_at }, signal)
    : acquirer.abort(order, signal)
  ).catch(unheard);
  if (found.kind === "unknown") return askLater(services, transaction, session);
  if (found.kind === "approved") {
    // Named after the session, so that a repeat after a crash is the same order.
    const reference = `${session.reference}-void`;
    const cancel = { ...order, reference, amount: 0, authorization: found.authorization, extras: {} };
    const outcome = (await acquirer.cancel?.(cancel, signal).catch(unheard)) ?? unheard("it cannot cancel");
    if (outcome.kind === "unknown") return askLater(services, transaction, session);
    await noteVoid(services, { transaction, session, reference, outcome });
  }
  await askAgainAt(services.pool, { ...transaction, operation_id: session.id }, null);
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
      callback_url: session.callback_url,
      options: { voids: session.id },
      acquirer: session.acquirer,
    };
    const noted = newOperation(services, { transaction: before, wish, at, version: session.version });
    // What it took back, so that nobody takes it for the payment's own cancel.
    const data = { voided_operation: String(session.id) };
    const done = finished({ ...noted, reference, data }, outcome, at);
    const transaction = { ...revised(before, [...before.operations, done], at), last_operation_id: done.id };
    const trail = [operationActivity(systemOf(done), { before, after: transaction, operation: done, at })];
    const callbacks = callbackFor(services, transaction, done);
    if ((await services.commit({ transaction, operations: [done], callbacks, activity: trail })) !== "done") continue;
    if (callbacks.length > 0) services.nudge();
    return;
  }
  throw new Error("a transaction changes faster than a void can be noted");
}
