// The payment window's link of a transaction (reference: resources 7.5, payment-window section 1).

import { type TObject, Type } from "typebox";
import { type AnyRequest, del, type Endpoint, put, type Reply } from "../api/endpoint.ts";
import { integer } from "../api/fields.ts";
import { LINK, type LinkInput, paymentMethods } from "../api/groups.ts";
import { notFound, Refused } from "../domain/refusal.ts";
import type { Link, Transaction } from "../domain/transaction.ts";
import { mustBeBranding } from "../services/brandings.ts";
import { deleteLink, putLink } from "../services/payments.ts";
import { linkUrl } from "../services/present.ts";
import { affected, type Kind, keyOf } from "./kinds.ts";
import { LinkUrlShape } from "./transaction-shapes.ts";

const examples = [{ amount: 1000, continue_url: "https://shop.example/ok", cancel_url: "https://shop.example/cancel" }];

export const PaymentLinkInput = Type.Object(LINK.properties, { examples });

const { auto_capture: _, auto_capture_at: __, ...without_capture } = LINK.properties;
/** Its amount only verifies the card: none is fine. */
export const SubscriptionLinkInput = Type.Object(
  {
    ...without_capture,
    amount: integer({ min: 0, description: "Shown to the shopper; nothing is taken" }),
  },
  { examples },
);

const { agreement_id, language, payment_methods, branding_id, acquirer, framed, branding_config } = LINK.properties;
const { google_analytics_tracking_id, google_analytics_client_id, continue_url, cancel_url, callback_url } =
  LINK.properties;
const plain = {
  ...{ agreement_id, language, payment_methods, branding_id, acquirer, framed, branding_config },
  ...{ google_analytics_tracking_id, google_analytics_client_id, continue_url, cancel_url, callback_url },
};
export const PayoutLinkInput = Type.Object({ amount: LINK.properties.amount, ...plain }, { examples });
// What a card's link offers unless it says otherwise (reference: resources, section 10).
const card_methods = "creditcard";
export const CardLinkInput = Type.Object(
  { ...plain, payment_methods: Type.Optional(paymentMethods({ default: card_methods })) },
  { examples: [{ continue_url: "https://shop.example/saved" }] },
);

type Asking = AnyRequest<"merchant"> & { readonly input: Partial<LinkInput> };

/** The agreement that the window acts with: the one named, or the Payment Window's own. */
async function agreementFor({ services, account }: Asking, wanted: number | undefined) {
  const agreements = await services.directory.agreementsWith(account.id);
  const agreement = agreements.find(({ id, service }) =>
    wanted === undefined ? service === "payment_window" : id === wanted,
  );
  if (agreement === undefined) throw new Refused("validation", { agreement_id: ["is invalid"] });
  return agreement.id;
}

async function linkOf(kind: Kind, request: Asking): Promise<Link & { readonly amount: number | null }> {
  const { services, account, version, input } = request;
  await mustBeBranding(services.pool, account.id, ["branding_id", input.branding_id]);
  const { settings } = account;
  const methods = kind.type === "Card" ? card_methods : settings.default_payment_methods;
  // The order of the members is the order in which they are shown.
  return {
    agreement_id: await agreementFor(request, input.agreement_id),
    language: (input.language ?? settings.default_payment_language).toLowerCase(),
    amount: input.amount ?? null,
    continue_url: input.continue_url ?? null,
    cancel_url: input.cancel_url ?? null,
    callback_url: input.callback_url ?? null,
    payment_methods: input.payment_methods ?? methods,
    auto_fee: input.auto_fee ?? settings.autofee,
    auto_capture: input.auto_capture ?? null,
    auto_capture_at: input.auto_capture_at ?? null,
    branding_id: input.branding_id ?? null,
    google_analytics_client_id: input.google_analytics_client_id ?? null,
    google_analytics_tracking_id: input.google_analytics_tracking_id ?? null,
    version: version.name,
    acquirer: input.acquirer ?? null,
    deadline: input.deadline ?? null,
    framed: input.framed ?? false,
    branding_config: input.branding_config ?? {},
    invoice_address_selection: input.invoice_address_selection ?? null,
    shipping_address_selection: input.shipping_address_selection ?? null,
    fee_vat: input.fee_vat ?? null,
    moto: input.moto ?? false,
    customer_email: input.customer_email ?? null,
  };
}

const linked = (transaction: Transaction, { services }: Pick<AnyRequest, "services">): Reply => ({
  status: 200,
  body: { url: linkUrl(transaction, services.addresses) },
});

/** 204, but 200 of a card's: both with nothing in it (reference: resources, sections 7.6 and 10). */
const unlinked = ({ type }: Kind): { readonly status: 200 | 204 } => ({ status: type === "Card" ? 200 : 204 });

/** PUT and DELETE of the link of this kind of transaction. */
export const linksOf = (kind: Kind, input: TObject): Endpoint[] => [
  put(`/${kind.folder}/:id/link`, {
    summary: `Create or replace ${kind.name}'s link to the payment window`,
    description: "The address stays the same until the link is deleted.",
    scope: "merchant",
    charges: true,
    input,
    output: { 200: LinkUrlShape },
    handle: async (request) => {
      const link = await linkOf(kind, request as Asking);
      return linked(await putLink(request.services, request.actor, { key: keyOf(kind, request), link }), request);
    },
    resume: async (request, effect) => {
      const transaction = await affected(kind, request, effect);
      if (transaction.link_token === null) throw notFound("Link", transaction.id);
      return linked(transaction, request);
    },
  }),
  del(`/${kind.folder}/:id/link`, {
    summary: `Delete ${kind.name}'s link`,
    scope: "merchant",
    input: Type.Object({}),
    output: { [unlinked(kind).status]: null },
    handle: async (request) => {
      await deleteLink(request.services, request.actor, keyOf(kind, request));
      return unlinked(kind);
    },
    resume: () => unlinked(kind),
  }),
];
