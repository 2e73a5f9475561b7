// Payments that build on a subscription: a recurring payment begins with its operation, in one commit, and lives on its
// own from then (reference: states, section 5).

import type { Card } from "../domain/card.ts";
import { Refused } from "../domain/refusal.ts";
import { authorizationOf, derive, newBody, type OperationOptions, type Transaction } from "../domain/transaction.ts";
import { type Begun, mustBeChargeable, newOperation, operationActivity } from "./operations.ts";
import { born, store } from "./payments.ts";
import { takenOf } from "./plans.ts";
import type { Actor, Services } from "./services.ts";
import { keptCard } from "./vault.ts";

export type Recurring = {
  /** Minor units of the subscription's currency. */
  readonly amount: number;
  /** What the acquirer's fee adds to it; null where it adds none. */
  readonly fee: number | null;
  /** Of the new payment. */
  readonly order_id: string;
  readonly options: OperationOptions;
  readonly callback_url: string | null;
  /** Null: the subscription's. */
  readonly text_on_statement: string | null;
  readonly variables: Readonly<Record<string, unknown>>;
};

/** `card`: the subscription's own, where its acquirer has given no reference to charge it by. */
export type BegunRecurring = Begun & { readonly card: Card | null };

/**
 * Makes the payment with its pending operation. Throws 402 by the plan, `wrong_state` unless the subscription is active and can be charged.
 */
export async function beginRecurring(
  services: Services,
  actor: Actor,
  subscription: Transaction,
  wanted: Recurring,
): Promise<BegunRecurring> {
  const { account_id, id, currency, acquirer, test_mode, state, body } = subscription;
  const { fee, order_id, options, callback_url, text_on_statement, variables } = wanted;
  const amount = wanted.amount + (fee ?? 0);
  mustBeChargeable(amount, currency);
  // Its own operations end nothing here.
  const charged = { account_id, operations: [] };
  const taken = await takenOf(services, { transaction: charged, verb: "recurring", test_mode });
  if (state !== "active") throw new Refused("wrong_state", {});
  const authorization = authorizationOf(subscription.operations)?.acquirer_reference ?? null;
  const card = authorization === null ? await keptCard(services, subscription) : null;
  if (authorization === null && card === null) throw new Refused("wrong_state", {});

  const before = await born(services, {
    account_id,
    type: "Payment",
    order_id,
    currency,
    subscription_id: id,
    body: {
      ...newBody({ ...body.metadata, origin: "subscription" }),
      text_on_statement: text_on_statement ?? body.text_on_statement,
      branding_id: body.branding_id,
      fee,
      variables,
    },
  });
  const at = before.created_at;
  const wish = {
    ...{ account_id, type: before.type, id: before.id, verb: "recurring" as const },
    ...{ amount, callback_url, acquirer },
    options: { ...options, ...(authorization !== null && { authorization }), ...taken.mark },
  };
  const operation = newOperation(services, { transaction: before, wish, at, version: actor.version });
  const operations = [operation];
  const transaction: Transaction = {
    ...before,
    ...derive("Payment", operations),
    operations,
    acquirer,
    test_mode,
    last_operation_id: operation.id,
  };
  services.running.add(operation.reference);
  try {
    const trail = [operationActivity(actor, { before, after: transaction, operation, at })];
    await store(services, actor, transaction, { trail, taken });
  } catch (error) {
    services.running.delete(operation.reference);
    throw error;
  }
  return { transaction, operation, card };
}
