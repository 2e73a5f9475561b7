// What every attempt with a card comes down to, with 3-D Secure or without: one operation at the acquirer.

import { setTimeout as sleep } from "node:timers/promises";
import type { CardInput } from "../domain/card.ts";
import { isApproved, type Operation, type OperationOptions } from "../domain/transaction.ts";
import type { Verdict } from "../services/card-testing.ts";
import { cardSource, type Paying, pay, type Source } from "../services/paying.ts";
import type { Services } from "../services/services.ts";
import { dropCard } from "../services/window-sessions.ts";
import type { Problem } from "./model.ts";
import { actingFor, again, keyOf, type Visit } from "./visit.ts";

/** What the shopper sees next. `here`: whatever the session's page is now. */
export type Next =
  | { readonly kind: "here" }
  | { readonly kind: "problems"; readonly problems: readonly Problem[] }
  | { readonly kind: "fee_added" }
  | { readonly kind: "declined" }
  /** The same form came before. */
  | { readonly kind: "sent_before" }
  | { readonly kind: "three_d_secure_failed" }
  | { readonly kind: "guarded"; readonly verdict: Exclude<Verdict, { kind: "go" }> };

// What takes longer is waited for on a page of its own.
const patience_ms = 10_000;

/** Of a payout money goes to the card. */
export const verbOf = ({ transaction }: Visit): "authorize" | "credit" =>
  transaction.type === "Payout" ? "credit" : "authorize";

/** What the link says of the operation. */
export const optionsOf = ({ terms, transaction }: Visit): OperationOptions =>
  transaction.type !== "Payment"
    ? {}
    : {
        ...(terms.auto_capture && { auto_capture: true }),
        ...(terms.auto_capture_at && { auto_capture_at: terms.auto_capture_at }),
      };

export const callbackUrlOf = ({ terms, account }: Visit): string | null =>
  terms.callback_url || account.settings.callback_url;

/** As the guard against card testing knows it. */
export const attemptOf = ({ transaction, shopper }: Visit, { number = "" }: CardInput) => ({
  transaction,
  address: shopper.address,
  card_number: number,
});

/** Throws what `problemsOf` reads. */
export const sourceOf = (services: Services, visit: Visit, card: CardInput): Promise<Source> =>
  cardSource(services, {
    account: visit.account,
    key: keyOf(visit.transaction),
    verb: verbOf(visit),
    card,
    acquirer: visit.terms.acquirer,
    amount: visit.terms.amount,
    autofee: visit.terms.auto_fee,
  });

/** Neither a declined card is kept nor one that paid. */
export async function nextAfter(services: Services, visit: Visit, operation: Operation): Promise<Next> {
  if (operation.pending) return { kind: "here" };
  await dropCard(services, visit.session);
  return isApproved(operation) ? { kind: "here" } : { kind: "declined" };
}

type Authorizing = Pick<Paying, "source" | "metadata" | "ruled_out">;

/** Asks the acquirer, and answers the operation as it is when that was heard, or has taken long enough. */
export async function authorized(services: Services, visit: Visit, authorizing: Authorizing): Promise<Operation> {
  const { terms, shopper, transaction } = visit;
  const actor = await actingFor(services, visit, verbOf(visit));
  const { begun, performing } = await pay(services, actor, {
    key: keyOf(transaction),
    revision: transaction.revision,
    verb: verbOf(visit),
    amount: terms.amount,
    options: optionsOf(visit),
    callback_url: callbackUrlOf(visit),
    customer_ip: shopper.address,
    ...authorizing,
    metadata: { ...authorizing.metadata, moto: terms.moto },
  });
  await Promise.race([performing, sleep(patience_ms, undefined, { ref: false })]);
  const now = (await again(services, visit)).transaction;
  return now.operations.find(({ id }) => id === begun.operation.id) ?? begun.operation;
}
