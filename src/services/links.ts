// The payment window link: what it says, with what the account says where the link does not, and how it is put and taken away
// (reference: payment-window, section 1).

import { isDeepStrictEqual } from "node:util";
import { Refused } from "../domain/refusal.ts";
import {
  type Body,
  type Link,
  pendingOperation,
  type Transaction,
  type TransactionType,
} from "../domain/transaction.ts";
import { activity, differences } from "./activity.ts";
import { mustBeBranding } from "./brandings.ts";
import type { Account } from "./directory.ts";
import { bucketToken } from "./ids.ts";
import {
  claimed,
  endedActivity,
  endedCallback,
  endSession,
  type Key,
  keyTaken,
  mustBeChargeable,
  revised,
} from "./operations.ts";
import { dueAt, find, mustHaveAPerson, shown, tries_max } from "./payments.ts";
import { givenBack } from "./plans.ts";
import type { Actor, Services } from "./services.ts";

/** What was asked for; null is as if it was not. */
export type LinkWish = {
  readonly agreement_id?: number | null | undefined;
  readonly language?: string | null | undefined;
  readonly amount?: number | null | undefined;
  readonly continue_url?: string | null | undefined;
  readonly cancel_url?: string | null | undefined;
  readonly callback_url?: string | null | undefined;
  readonly payment_methods?: string | null | undefined;
  readonly auto_fee?: boolean | null | undefined;
  readonly auto_capture?: boolean | null | undefined;
  readonly auto_capture_at?: string | null | undefined;
  readonly branding_id?: number | null | undefined;
  readonly google_analytics_client_id?: string | null | undefined;
  readonly google_analytics_tracking_id?: string | null | undefined;
  readonly acquirer?: string | null | undefined;
  readonly deadline?: number | null | undefined;
  readonly framed?: boolean | null | undefined;
  readonly branding_config?: Readonly<Record<string, unknown>> | null | undefined;
  readonly invoice_address_selection?: boolean | null | undefined;
  readonly shipping_address_selection?: boolean | null | undefined;
  readonly fee_vat?: number | null | undefined;
  readonly moto?: boolean | null | undefined;
  readonly customer_email?: string | null | undefined;
};

// What a card's link offers unless it says otherwise (reference: resources, section 10).
export const card_methods = "creditcard";

/** The agreement that the window acts with: the one named, or the Payment Window's own. Throws 400. */
async function agreementFor({ directory }: Services, account: Account, wanted: number | null | undefined) {
  const agreements = await directory.agreementsWith(account.id);
  const agreement = agreements.find(({ id, service }) => (wanted ? id === wanted : service === "payment_window"));
  if (agreement === undefined) throw new Refused("validation", { agreement_id: ["is invalid"] });
  return agreement.id;
}

type For = { readonly account: Account; readonly type: TransactionType; readonly version: string };

export type FullLink = Link & { readonly amount: number | null };

/** The link in full. Throws 400 for an agreement or branding that the account does not have. */
export async function linkFor(services: Services, { account, type, version }: For, wish: LinkWish): Promise<FullLink> {
  await mustBeBranding(services.pool, account.id, ["branding_id", wish.branding_id]);
  const { settings } = account;
  const methods = type === "Card" ? card_methods : settings.default_payment_methods;
  // The order of the members is the order in which they are shown.
  return {
    agreement_id: await agreementFor(services, account, wish.agreement_id),
    language: (wish.language ?? settings.default_payment_language).toLowerCase(),
    amount: wish.amount ?? null,
    continue_url: wish.continue_url ?? null,
    cancel_url: wish.cancel_url ?? null,
    callback_url: wish.callback_url ?? null,
    payment_methods: wish.payment_methods ?? methods,
    auto_fee: wish.auto_fee ?? settings.autofee,
    auto_capture: wish.auto_capture ?? null,
    auto_capture_at: wish.auto_capture_at ?? null,
    branding_id: wish.branding_id ?? null,
    google_analytics_client_id: wish.google_analytics_client_id ?? null,
    google_analytics_tracking_id: wish.google_analytics_tracking_id ?? null,
    version,
    acquirer: wish.acquirer ?? null,
    deadline: wish.deadline ?? null,
    framed: wish.framed ?? false,
    branding_config: wish.branding_config ?? {},
    invoice_address_selection: wish.invoice_address_selection ?? null,
    shipping_address_selection: wish.shipping_address_selection ?? null,
    fee_vat: wish.fee_vat ?? null,
    moto: wish.moto ?? false,
    customer_email: wish.customer_email ?? null,
  };
}

/** Creates or replaces the payment window link, and what else of the order is given with it; its address stays the same until it is deleted. */
export const putLink = (
  services: Services,
  actor: Actor,
  { key, link, details = {} }: { key: Key; link: FullLink; details?: Partial<Body> },
): Promise<Transaction> =>
  relink(services, actor, key, (before) => {
    mustHaveAPerson(before);
    mustBeChargeable(link.amount, before.currency);
    const ends_at = link.deadline === null ? null : new Date(services.clock.now().getTime() + link.deadline * 1000);
    const body = { ...before.body, ...details, link, link_deadline_at: ends_at?.toISOString() ?? null };
    return { body, link_token: before.link_token ?? bucketToken(before.bucket), due_at: dueAt(before, body) };
  });

type Relinked = Pick<Transaction, "body" | "link_token" | "due_at">;

/**
 * A session at a provider that the window began holds for the link's terms: when these change, or the link goes, it ends in
 * the same commit, and what may still come of it is let go.
 */
async function relink(
  services: Services,
  actor: Actor,
  key: Key,
  edit: (before: Transaction) => Relinked,
): Promise<Transaction> {
  for (let tries = 0; tries < tries_max; tries++) {
    const before = await find(services, key);
    const edited = edit(before);
    const at = services.clock.now();
    const pending = pendingOperation(before.operations);
    const is_windows = pending?.type === "session" && pending.options.return_url !== undefined;
    const changes_terms = !isDeepStrictEqual(before.body.link, edited.body.link);
    const ended = is_windows && changes_terms ? endSession(before.operations, at) : null;
    const operations = before.operations.map((o) => (o === ended?.was ? ended.now : o));
    const after = { ...revised(before, operations, at), ...edited };
    const committed = await services.commit({
      transaction: after,
      ...(ended && { operations: [ended.now] }),
      callbacks: endedCallback(services, before, ended),
      activity: [
        ...endedActivity(actor, before, ended),
        activity(actor, { target: key, action: "link", changes: differences(shown(before), shown(after)), at }),
      ],
      uses: givenBack(ended?.now),
      idempotency: claimed(actor, key, null),
    });
    if (committed === "done") {
      if (ended !== null) services.nudge();
      return after;
    }
    if (committed === "key_taken") throw keyTaken();
  }
  throw new Refused("unavailable", null, { retry_after_s: 1 });
}

export const deleteLink = (services: Services, actor: Actor, key: Key): Promise<Transaction> =>
  relink(services, actor, key, (before) => {
    const body = { ...before.body, link: null, link_deadline_at: null };
    return { body, link_token: null, due_at: dueAt(before, body) };
  });
