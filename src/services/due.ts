// When a transaction's time has come: an unpaid one past its deadline is closed, an authorized one on its capture date is
// captured.

import { Refused } from "../domain/refusal.ts";
import { authorizationOf, pendingOperation, type Transaction } from "../domain/transaction.ts";
import { activity } from "./activity.ts";
import { begin, perform } from "./operate.ts";
import {
  aborted,
  callbackFor,
  endedActivity,
  endedCallback,
  endSession,
  finished,
  type Key,
  newOperation,
  revised,
  type Wish,
} from "./operations.ts";
import { change, find } from "./payments.ts";
import { givenBack } from "./plans.ts";
import { type Services, system } from "./services.ts";

/** Does what is due. Leaves it due when an operation is under way that must end first. */
export async function whenDue(services: Services, key: Key): Promise<void> {
  const transaction = await find(services, key);
  const now = services.clock.now();
  if (transaction.due_at === null || transaction.due_at > now) return;
  const pending = pendingOperation(transaction.operations);
  if (pending !== undefined && pending.type !== "session") return;
  if (transaction.accepted) await captureOnDate(services, transaction);
  else if (transaction.operations.some(({ type }) => type === "deadline")) await forgetDate(services, transaction);
  else await close(services, transaction);
}

/** There is nothing left to do at that time. */
const forgetDate = (services: Services, key: Key): Promise<Transaction> =>
  change(services, system, { key, action: "due", edit: () => ({ due_at: null }) });

async function captureOnDate(services: Services, transaction: Transaction): Promise<void> {
  const { account_id, type, id } = transaction;
  const authorization = authorizationOf(transaction.operations);
  try {
    const begun = await begin(
      services,
      { ...system, version: authorization?.version ?? system.version },
      {
        account_id,
        type,
        id,
        verb: "capture",
        amount: transaction.authorized,
        callback_url: authorization?.callback_url ?? null,
        revision: transaction.revision,
        planned: true,
      },
    );
    await perform(services, begun, null);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    // Something happened to it at this moment: the next round looks again.
    if (error.refusal.code === "operation_pending") return;
    // Captured or cancelled already: the date has no meaning any more.
    await forgetDate(services, transaction);
  }
}

/** An unpaid transaction past its deadline, as it shall be: an operation says so, a session that waited ends, and the
 * merchant hears of both. */
function closing(services: Services, before: Transaction, callback_url: string | null) {
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
    ended,
    transaction,
    operations: ended === null ? [operation] : [ended.now, operation],
    callbacks: [...endedCallback(services, before, ended), ...callbackFor(services, transaction, operation)],
  };
}

/** Appends the deadline operation, ends a session that still waits, and tells the merchant. */
async function close(services: Services, before: Transaction): Promise<void> {
  const account = await services.directory.account(before.account_id);
  const link_url = before.body.link?.callback_url;
  const callback_url = typeof link_url === "string" && link_url !== "" ? link_url : account.settings.callback_url;
  const { ended, transaction, operations, callbacks } = closing(services, before, callback_url);
  const { account_id, type, id } = transaction;
  const committed = await services.commit({
    transaction,
    operations,
    callbacks,
    uses: givenBack(ended?.now),
    activity: [
      ...endedActivity(system, before, ended),
      activity(system, {
        target: { account_id, type, id },
        action: "deadline",
        changes: { state: [before.state, transaction.state] },
        at: transaction.updated_at,
      }),
    ],
  });
  // On a conflict something else happened to it: the next round looks again.
  if (committed === "done") services.nudge();
}
