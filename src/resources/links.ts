// The payment window's link of a transaction (reference: resources 7.5, payment-window section 1).

import { type TObject, Type } from "typebox";
import { type AnyRequest, del, type Endpoint, put, type Reply } from "../api/endpoint.ts";
import { integer } from "../api/fields.ts";
import { LINK, paymentMethods } from "../api/groups.ts";
import { notFound } from "../domain/refusal.ts";
import type { Transaction } from "../domain/transaction.ts";
import { card_methods, deleteLink, type LinkWish, linkFor, putLink } from "../services/links.ts";
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
export const CardLinkInput = Type.Object(
  { ...plain, payment_methods: Type.Optional(paymentMethods({ default: card_methods })) },
  { examples: [{ continue_url: "https://shop.example/saved" }] },
);

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
      const { services, actor, account, version } = request;
      const link = await linkFor(
        services,
        { account, type: kind.type, version: version.name },
        request.input as LinkWish,
      );
      return linked(await putLink(services, actor, { key: keyOf(kind, request), link }), request);
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
