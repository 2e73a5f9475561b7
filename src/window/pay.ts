// One attempt to pay with a card: what was typed, 3-D Secure where it is asked for, the acquirer. Whatever happens, at most
// one authorization comes of it: the session does one thing at a time, and the transaction one operation.

import { setTimeout as sleep } from "node:timers/promises";
import type { CardInput } from "../domain/card.ts";
import { offeredBy } from "../domain/fees.ts";
import { cardAllowed, parsePaymentMethods } from "../domain/payment-methods.ts";
import type { Operation } from "../domain/transaction.ts";
import { attemptEnded, guard, type Verdict } from "../services/card-testing.ts";
import type { Source } from "../services/paying.ts";
import type { Answered } from "../services/proof-of-work.ts";
import type { Services } from "../services/services.ts";
import { changeSession, withoutCard } from "../services/window-sessions.ts";
import { attemptOf, authorized, type Next, nextAfter, sourceOf, verbOf } from "./attempt.ts";
import { type CardForm, checkTyped, problemsOf } from "./card-form.ts";
import { brandsOf, cardAttempts, onlyOf } from "./model.ts";
import { begin3ds } from "./three-d-secure.ts";
import { again, type Visit } from "./visit.ts";

const three_d_secure_required: readonly (string | null)[] = ["30100", "30101"];

/** A payout names where money goes, which no CVD proves; over the phone it is not asked for. */
export const needsCvd = ({ terms, transaction }: Visit): boolean => !terms.moto && transaction.type !== "Payout";

/** Does what the filled in form says, as far as it can now. */
export async function payByCard(
  services: Services,
  visit: Visit,
  form: CardForm & { readonly work: Answered | null },
): Promise<Next> {
  // Loaded again after a decline: that was this form's attempt.
  if (form.attempt !== null && form.attempt !== cardAttempts(visit.transaction)) return { kind: "sent_before" };
  const typed = checkTyped(form.card, { now: services.clock.now(), cvd_needed: needsCvd(visit) });
  if ("problems" in typed) return { kind: "problems", problems: typed.problems };
  const brands = brandsOf(visit, typed);
  const [only] = brands;
  if (only === undefined) return { kind: "problems", problems: [{ field: "cardnumber", problem: "not_accepted" }] };
  const { brand: chosen, ...plain } = form.card;
  const is_cobadged = typed.brand !== only;
  const brand = chosen !== undefined && brands.includes(chosen) ? chosen : brands.length === 1 ? only : undefined;
  if (brands.length > 1 && brand === undefined && form.asks_brand)
    return { kind: "problems", problems: [{ field: "brand", problem: "missing" }] };
  const card: CardInput = { ...plain, ...(is_cobadged && brand !== undefined && { brand }) };

  let source: Source;
  try {
    source = await sourceOf(services, visit, card);
  } catch (error) {
    return { kind: "problems", problems: problemsOf(error) };
  }
  const { fee } = source;
  // What another answer has shown meanwhile, this shopper may not have seen: of two clicks the browser shows the second's.
  const shown = form.fee ?? visit.session.fee;
  if (fee !== visit.session.fee) await changeSession(services, visit.session, { fee });
  if (fee !== null && fee > 0 && fee !== shown) return { kind: "fee_added" };

  const attempt = attemptOf(visit, card);
  const verdict = await guarded(services, { ...attempt, work: form.work });
  if (verdict.kind !== "go") return { kind: "guarded", verdict };

  // Who is elsewhere by now has left her bank.
  const free = { ...visit, session: await withoutCard(services, visit.session) };
  const asks = asks3ds(visit, form, { ...typed, brands: brand === undefined ? brands : [brand] });
  const { next, operation } = await attempted(services, free, { card, source, asks }).catch(async (error: unknown) => {
    // Nothing was begun: the turn that the guard has given is free again.
    await attemptEnded(services, attempt, null);
    throw error;
  });
  // Whoever is with her bank is still at it: what is begun there counts until it has ended.
  if (operation !== "authenticating") await attemptEnded(services, attempt, operation);
  return next;
}

// So long a shopper waits without being told: it looks like a slow page.
const unnoticed_s = 3;

/** A short delay is waited out here. */
async function guarded(services: Services, asked: Parameters<typeof guard>[1]): Promise<Verdict> {
  const verdict = await guard(services, asked);
  if (verdict.kind !== "slow_down" || verdict.wait_s > unnoticed_s) return verdict;
  await sleep(verdict.wait_s * 1000);
  return guard(services, asked);
}

type Typed = { readonly brands: readonly string[]; readonly country: string | null; readonly test: boolean };

/** Whether 3-D Secure is asked for before the acquirer is: by the link, by the card's kind, or by the shopper. */
function asks3ds(visit: Visit, { three_d_secure }: CardForm, { brands, country, test }: Typed): boolean {
  const { terms, account, transaction } = visit;
  if (terms.moto || transaction.type === "Payout") return false;
  const offered = offeredBy(onlyOf(account.settings.acquirer_settings, terms.acquirer), { test });
  const wanted = parsePaymentMethods(terms.payment_methods);
  const forms = brands.map((brand) => cardAllowed(wanted, offered.cards, { brand, country }));
  return three_d_secure || !forms.every((form) => form === "plain");
}

type Attempt = { readonly card: CardInput; readonly source: Source; readonly asks: boolean };

type Attempted = { readonly next: Next; readonly operation: Operation | "authenticating" };

async function attempted(services: Services, visit: Visit, { card, source, asks }: Attempt): Promise<Attempted> {
  if (asks) return { next: await begin3ds(services, visit, { card, source }), operation: "authenticating" };
  const operation = await authorized(services, visit, { source });
  const may_authenticate = !visit.terms.moto && verbOf(visit) === "authorize";
  if (!three_d_secure_required.includes(operation.status_code) || !may_authenticate)
    return { next: await nextAfter(services, visit, operation), operation };
  return {
    next: await begin3ds(services, await again(services, visit), { card, source }),
    operation: "authenticating",
  };
}
