// When a transaction's time has come: an unpaid one past its deadline is closed, an authorized one on its capture date is
// captured.

import { Refused } from "../domain/refusal.ts";
import { authorizationOf, pendingOperation, type Transaction } from "../domain/transaction.ts";
import { activity } from "./activity.ts";
import { begin, closing, type Key, perform } from "./operate.ts";
import { change, find } from "./payments.ts";
import { type Services, system } from "./services.ts";

/** Does what is due. Leaves it due when an operation is under way that must end first. */
export async function whenDue(services: Services, key: Key): Promise<void> {
  const transaction = await find(services, key);
  const now = services.clock.now();
  if (transaction.due_at === null || transaction.due_at > now) return;
  const pending = pendingOperation(transaction.operations);
  if (pending !== undefined && pending.type !== "session") return;
  if (transaction.accepted) await captureOnDate(services, transaction);
  else await close(services, transaction);
}

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
      },
    );
    await perform(services, begun, null);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    // Captured or cancelled meanwhile: the date has no meaning any more.
    await change(services, system, { key: transaction, action: "auto_capture_at", edit: () => ({ due_at: null }) });
  }
}

/** Appends the deadline operation, ends a session that still waits, and tells the merchant. */
async function close(services: Services, before: Transaction): Promise<void> {
  const account = await services.directory.account(before.account_id);
  const link_url = before.body.link?.callback_url;
  const callback_url = typeof link_url === "string" && link_url !== "" ? link_url : account.settings.callback_url;
  const { transaction, operations, callbacks } = closing(services, before, callback_url);
  const { account_id, type, id } = transaction;
  const committed = await services.commit({
    transaction,
    operations,
    callbacks,
    activity: [
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
