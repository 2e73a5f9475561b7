// Methods of other providers (MobilePay, Klarna, …): a session there, where the shopper is sent to and comes back from, or
// never does. What became of it is asked of the provider, as of any operation whose answer is not known.

import { setTimeout as sleep } from "node:timers/promises";
import { type AddressName, type Operation, pendingOperation } from "../domain/transaction.ts";
import { pay, sessionSource } from "../services/paying.ts";
import { repair } from "../services/repair.ts";
import type { Services } from "../services/services.ts";
import { changeSession } from "../services/window-sessions.ts";
import { callbackUrlOf, optionsOf } from "./attempt.ts";
import { methodsOf } from "./model.ts";
import { actingFor, again, keyOf, type Terms, type Visit } from "./visit.ts";

const patience_ms = 10_000;

/** What some providers must be told before. */
export type Person = Readonly<Record<string, unknown>>;

/** Methods that ask for something first: their forms post it to `/process_…`. */
export const asks_first: ReadonlySet<string> = new Set(["swish"]);

/** Is it one that this link may be paid with? */
export const isOffered = (services: Services, visit: Visit, method: string): boolean =>
  methodsOf(services, visit).others.has(method);

/**
 * The session's operation at the provider: the one under way where it is of this method, else a new one, which ends any
 * other. Its `data.redirect_url` is where the shopper goes.
 */
export async function providerSession(
  services: Services,
  visit: Visit,
  { method, person }: { readonly method: string; readonly person: Person },
): Promise<Operation> {
  const { transaction, terms, account, shopper, session } = visit;
  const return_url = `${services.addresses.window_url}/${session.id}/return`;
  const pending = pendingOperation(transaction.operations);
  const is_same = pending?.options.method === method && pending.options.return_url === return_url;
  if (pending !== undefined && is_same && pending.data.redirect_url !== undefined) return pending;

  const acquirer = methodsOf(services, visit).others.get(method) ?? null;
  const key = keyOf(transaction);
  const actor = await actingFor(services, visit, "session");
  const source = await sessionSource(services, { account, key, acquirer });
  const { begun, performing } = await pay(services, actor, {
    key,
    verb: "session",
    amount: transaction.type === "Payment" ? terms.amount : null,
    source,
    options: {
      ...optionsOf(visit),
      ...(Object.keys(person).length > 0 && { extras: person }),
      ...(addressesWanted(terms).length > 0 && { addresses: addressesWanted(terms) }),
      return_url,
      method,
    },
    callback_url: callbackUrlOf(visit),
    customer_ip: shopper.address,
  });
  await changeSession(services, session, { method });
  await Promise.race([performing, sleep(patience_ms, undefined, { ref: false })]);
  const now = (await again(services, visit)).transaction;
  return now.operations.find(({ id }) => id === begun.operation.id) ?? begun.operation;
}

const addressesWanted = (terms: Terms): AddressName[] => [
  ...(terms.invoice_address_selection ? (["invoice_address"] as const) : []),
  ...(terms.shipping_address_selection ? (["shipping_address"] as const) : []),
];

/** Asks the provider what became of a session that is still open, and answers how things stand then. */
export async function askProvider(services: Services, visit: Visit): Promise<Visit> {
  const pending = pendingOperation(visit.transaction.operations);
  if (pending === undefined) return visit;
  await repair(services, { ...keyOf(visit.transaction), operation_id: pending.id });
  return again(services, visit);
}
