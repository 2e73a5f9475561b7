// What a payment window link says, with what the account says where the link does not (reference: payment-window, section 1).

import { Refused } from "../domain/refusal.ts";
import type { Link, TransactionType } from "../domain/transaction.ts";
import { mustBeBranding } from "./brandings.ts";
import type { Account } from "./directory.ts";
import type { Services } from "./services.ts";

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
