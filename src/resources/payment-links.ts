// The payment window's link of a payment (reference: resources 7.5, payment-window section 1).

import { type Static, Type } from "typebox";
import { type AnyRequest, del, put, type Request } from "../api/endpoint.ts";
import { flag, httpUrl } from "../api/fields.ts";
import { LINK } from "../api/groups.ts";
import { notFound, Refused } from "../domain/refusal.ts";
import type { Link, Transaction } from "../domain/transaction.ts";
import { mustBeBranding } from "../services/brandings.ts";
import { deleteLink, putLink } from "../services/payments.ts";
import { linkUrl } from "../services/present.ts";
import { LinkUrlShape } from "./payment-shape.ts";
import { affectedPayment, paymentKey } from "./payments.ts";

const old = { description: "Old spelling, still taken", deprecated: true };

const PutLink = Type.Object(
  {
    ...LINK.properties,
    continueurl: Type.Optional(httpUrl(old)),
    cancelurl: Type.Optional(httpUrl(old)),
    callbackurl: Type.Optional(httpUrl(old)),
    autofee: Type.Optional(flag(old)),
    autocapture: Type.Optional(flag(old)),
  },
  { examples: [{ amount: 1000, continue_url: "https://shop.example/ok", cancel_url: "https://shop.example/cancel" }] },
);

/** The agreement that the window acts with: the one named, or the Payment Window's own. */
async function agreementFor({ services, account }: Request<typeof PutLink, "merchant">, wanted: number | undefined) {
  const agreements = await services.directory.agreementsWith(account.id);
  const agreement = agreements.find(({ id, service }) =>
    wanted === undefined ? service === "payment_window" : id === wanted,
  );
  if (agreement === undefined) throw new Refused("validation", { agreement_id: ["is invalid"] });
  return agreement.id;
}

async function linkOf(request: Request<typeof PutLink, "merchant">): Promise<Link & { readonly amount: number }> {
  const { services, account, version } = request;
  const input: Static<typeof PutLink> = request.input;
  await mustBeBranding(services.pool, account.id, ["branding_id", input.branding_id]);
  const { settings } = account;
  // The order of the members is the order in which they are shown.
  return {
    agreement_id: await agreementFor(request, input.agreement_id),
    language: (input.language ?? settings.default_payment_language).toLowerCase(),
    amount: input.amount,
    continue_url: input.continue_url ?? input.continueurl ?? null,
    cancel_url: input.cancel_url ?? input.cancelurl ?? null,
    callback_url: input.callback_url ?? input.callbackurl ?? null,
    payment_methods: input.payment_methods ?? settings.default_payment_methods,
    auto_fee: input.auto_fee ?? input.autofee ?? settings.autofee,
    auto_capture: input.auto_capture ?? input.autocapture ?? null,
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

const linked = (payment: Transaction, { services }: Pick<AnyRequest, "services">) => ({
  status: 200 as const,
  body: { url: linkUrl(payment, services.addresses) },
});

export const paymentLinks = [
  put("/payments/:id/link", {
    summary: "Create or replace a payment's link to the payment window",
    description: "The address stays the same until the link is deleted.",
    scope: "merchant",
    input: PutLink,
    output: { 200: LinkUrlShape },
    handle: async (request) => {
      const link = await linkOf(request);
      return linked(await putLink(request.services, request.actor, { key: paymentKey(request), link }), request);
    },
    resume: async (request, effect) => {
      const payment = await affectedPayment(request, effect);
      if (payment.link_token === null) throw notFound("Link", payment.id);
      return linked(payment, request);
    },
  }),
  del("/payments/:id/link", {
    summary: "Delete a payment's link",
    scope: "merchant",
    input: Type.Object({}),
    output: { 204: null },
    handle: async (request) => {
      await deleteLink(request.services, request.actor, paymentKey(request));
      return { status: 204 };
    },
    resume: () => ({ status: 204 }),
  }),
];
