// Payments: create, read, change, list, link (reference: resources, section 7). What moves money stands in
// payment-operations.ts.

import { Type } from "typebox";
import { get, patch, post } from "../api/endpoint.ts";
import { integer } from "../api/fields.ts";
import { SHOPSYSTEM } from "../api/groups.ts";
import { pagingFields } from "../api/paging.ts";
import { newMetadata } from "../domain/metadata.ts";
import { type Body, newBody } from "../domain/transaction.ts";
import { mustBeBranding } from "../services/brandings.ts";
import { create, find } from "../services/payments.ts";
import { currencyField, order_id, text_on_statement } from "./fields.ts";
import { affected, created, keyOf, payment, shown } from "./kinds.ts";
import { linksOf, PaymentLinkInput } from "./links.ts";
import { bodyOf, deadline_at, details, new_variables, operations_size, patched } from "./transaction-fields.ts";
import { fraud_suspected, listed, sorting, transactionFilters } from "./transaction-lists.ts";
import { PaymentShape } from "./transaction-shapes.ts";

const Create = Type.Object(
  {
    order_id,
    currency: currencyField(),
    ...details,
    ...new_variables,
    branding_id: Type.Optional(integer({ min: 1 })),
    shopsystem: Type.Optional(SHOPSYSTEM),
    text_on_statement: Type.Optional(text_on_statement()),
  },
  { examples: [{ order_id: "A-1001", currency: "DKK" }] },
);

const Change = Type.Object({ ...details, ...deadline_at }, { examples: [{ variables: { cart: "c-881" } }] });

/** The list's filters, in exports too. */
export const payment_filters = {
  ...transactionFilters(["initial", "pending", "new", "rejected", "processed"]),
  fraud_suspected,
};

const List = Type.Object({
  ...payment_filters,
  ...pagingFields(sorting),
});

export const payments = [
  get("/payments", {
    summary: "List payments",
    scope: "merchant",
    input: List,
    output: { 200: Type.Array(PaymentShape) },
    handle: (request) => listed(request, { kind: payment, input: request.input }),
  }),
  post("/payments", {
    summary: "Create a payment",
    description: "Nothing is authorized yet: that takes a link, a session or `authorize`.",
    scope: "merchant",
    charges: true,
    input: Create,
    output: { 201: PaymentShape },
    handle: async (request) => {
      const { services, actor, account, input } = request;
      const { order_id, currency, branding_id, shopsystem } = input;
      await mustBeBranding(services.pool, account.id, ["branding_id", branding_id]);
      const body: Body = {
        ...newBody(newMetadata(shopsystem)),
        ...bodyOf(input),
        text_on_statement: input.text_on_statement ?? account.settings.default_text_on_statement,
        branding_id: branding_id ?? null,
      };
      const wanted = { account_id: account.id, type: payment.type, order_id, currency, body };
      return created(payment, request, await create(services, actor, wanted));
    },
    resume: async (request, effect) => created(payment, request, await affected(payment, request, effect)),
  }),
  get("/payments/:id", {
    summary: "Read a payment",
    scope: "merchant",
    input: Type.Object({ operations_size }),
    output: { 200: PaymentShape },
    handle: async (request) =>
      shown(request, await find(request.services, keyOf(payment, request)), request.input.operations_size),
  }),
  patch("/payments/:id", {
    summary: "Change a payment",
    description:
      "Once it is authorized (or while an operation is pending) only variables and the shipping's tracking change.",
    scope: "merchant",
    nulls: true,
    input: Change,
    output: { 200: PaymentShape },
    handle: (request) => patched(payment, request),
    resume: async (request, effect) => shown(request, await affected(payment, request, effect)),
  }),
  ...linksOf(payment, PaymentLinkInput),
];
