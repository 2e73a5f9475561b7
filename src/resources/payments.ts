// Payments: create, read, change, list (reference: resources, section 7). What moves money stands in
// payment-operations.ts, the payment window's link in payment-links.ts.

import { type Static, Type } from "typebox";
import { type AnyRequest, type Effect, get, idIn, patch, post } from "../api/endpoint.ts";
import { flag, integer, nullable, oneOf, text, time } from "../api/fields.ts";
import { ADDRESS, BASKET, SHIPPING, SHOPSYSTEM, VARIABLES } from "../api/groups.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import { acquirer_names } from "../domain/acquirers.ts";
import { newMetadata } from "../domain/metadata.ts";
import { Refused } from "../domain/refusal.ts";
import { type Address, type Body, newBody, type Transaction } from "../domain/transaction.ts";
import { mustBeBranding } from "../services/brandings.ts";
import { spanOf } from "../services/days.ts";
import type { Key } from "../services/operations.ts";
import { create, find, patchPayment } from "../services/payments.ts";
import { presentPayment } from "../services/present.ts";
import { type ListQuery, listTransactions } from "../storage/transactions.ts";
import { currencyField, order_id, text_on_statement } from "./fields.ts";
import { PaymentShape } from "./payment-shape.ts";

/** Names the payment in the path. Throws 404 for what is not an id. */
export const paymentKey = ({ account, path }: Pick<AnyRequest<"merchant">, "account" | "path">): Key => ({
  account_id: account.id,
  type: "Payment",
  id: idIn(path, "Payment"),
});

/** The payment that a request with an Idempotency-Key had its effect on, as it is now. */
export const affectedPayment = ({ services, account }: AnyRequest<"merchant">, { id }: Effect): Promise<Transaction> =>
  find(services, { account_id: account.id, type: "Payment", id });

/** What both creating and changing a payment take. */
const details = {
  invoice_address: Type.Optional(ADDRESS),
  shipping_address: Type.Optional(ADDRESS),
  basket: Type.Optional(BASKET),
  shipping: Type.Optional(SHIPPING),
  variables: Type.Optional(VARIABLES),
};

const Create = Type.Object(
  {
    order_id,
    currency: currencyField(),
    ...details,
    branding_id: Type.Optional(integer({ min: 1 })),
    shopsystem: Type.Optional(SHOPSYSTEM),
    text_on_statement: Type.Optional(text_on_statement()),
  },
  { examples: [{ order_id: "A-1001", currency: "DKK" }] },
);

const Change = Type.Object(
  { ...details, deadline_at: Type.Optional(nullable(time())) },
  { examples: [{ variables: { cart: "c-881" } }] },
);

type Details = Static<typeof Change>;

const address_members = [
  "name",
  "att",
  "street",
  "city",
  "zip_code",
  "region",
  "country_code",
  "vat_no",
  "company_name",
  "house_number",
  "house_extension",
  "phone_number",
  "mobile_number",
  "email",
] as const;
const shipping_members = ["method", "company", "amount", "vat_rate", "tracking_number", "tracking_url"] as const;

/** All members, in their order; those that were not given are null. */
const filled = (members: readonly string[], given: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(members.map((name) => [name, given[name] ?? null]));

/** What was given, as it is stored; what was not given is absent. */
function bodyOf(input: Details): Partial<Body> {
  const { invoice_address, shipping_address, basket, shipping, variables, deadline_at } = input;
  return {
    ...(invoice_address && { invoice_address: filled(address_members, invoice_address) as Address }),
    ...(shipping_address && { shipping_address: filled(address_members, shipping_address) as Address }),
    ...(basket && { basket }),
    ...(shipping && { shipping: filled(shipping_members, shipping) }),
    ...(variables && { variables }),
    ...(deadline_at !== undefined && { deadline_at }),
  };
}

const created = (payment: Transaction, { services }: Pick<AnyRequest, "services">) => ({
  status: 201 as const,
  body: presentPayment(payment, services.addresses),
  headers: { Location: `${services.addresses.api_url}/payments/${payment.id}` },
});

const sorting: Sorting<"id" | "order_id" | "created_at"> = {
  sorts: { id: "number", order_id: "text", created_at: "time" },
  sort_by: "id",
  sort_dir: "desc",
};

const DateParts = Type.Object({
  year: Type.Optional(integer({ min: 1970, max: 9999 })),
  month: Type.Optional(integer({ min: 1, max: 12 })),
  day: Type.Optional(integer({ min: 1, max: 31 })),
  hour: Type.Optional(integer({ min: 0, max: 23 })),
  minute: Type.Optional(integer({ min: 0, max: 59 })),
});

const operations_size = Type.Optional(integer({ min: 0, description: "How many of the newest operations are shown" }));

/** The filters that all lists of transactions have (reference: TXFILTER). */
export const transactionFilters = (states: readonly string[]) => ({
  id: Type.Optional(integer({ min: 1 })),
  order_id: Type.Optional(text()),
  state: Type.Optional(oneOf(states)),
  accepted: Type.Optional(flag()),
  acquirer: Type.Optional(oneOf(acquirer_names)),
  fraud_suspected: Type.Optional(flag()),
  timestamp: Type.Optional(oneOf(["created_at", "updated_at"], { default: "created_at" })),
  min_time: Type.Optional(time({ description: "Inclusive; on the field that `timestamp` names" })),
  max_time: Type.Optional(time({ description: "Exclusive" })),
  date: Type.Optional(DateParts),
  operations_size,
});

const List = Type.Object({
  ...transactionFilters(["initial", "pending", "new", "rejected", "processed"]),
  ...pagingFields(sorting),
});

/** What the database is asked for. Throws when parts of `date` are given without their larger parts. */
function filtersOf(input: Static<typeof List>, timezone: string): ListQuery["filters"] {
  const { id, order_id, state, accepted, acquirer, fraud_suspected, date, min_time, max_time } = input;
  const span = date === undefined ? null : spanIn(date, timezone);
  const starts = [...(min_time === undefined ? [] : [new Date(min_time)]), ...(span === null ? [] : [span.from])];
  const ends = [...(max_time === undefined ? [] : [new Date(max_time)]), ...(span === null ? [] : [span.to])];
  return {
    id,
    order_id,
    state,
    accepted,
    acquirer,
    fraud_suspected,
    timestamp: input.timestamp === "updated_at" ? "updated_at" : "created_at",
    min_time: starts.length === 0 ? undefined : new Date(Math.max(...starts.map(Number))),
    max_time: ends.length === 0 ? undefined : new Date(Math.min(...ends.map(Number))),
  };
}

function spanIn(date: Static<typeof DateParts>, timezone: string) {
  const names = ["year", "month", "day", "hour", "minute"] as const;
  const given = names.filter((name) => date[name] !== undefined);
  const missing = names.slice(0, given.length).find((name) => date[name] === undefined);
  if (missing !== undefined) throw new Refused("validation", { [`date[${missing}]`]: ["is missing"] });
  if (date.year === undefined) return null;
  const { year, month = 1, day = 1 } = date;
  // A 31st of February would be a day in March.
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate())
    throw new Refused("validation", { "date[day]": ["is invalid"] });
  return spanOf({ ...date, year }, timezone);
}

export const payments = [
  get("/payments", {
    summary: "List payments",
    scope: "merchant",
    input: List,
    output: { 200: Type.Array(PaymentShape) },
    handle: (request) => {
      const { services, account, input } = request;
      const filters = filtersOf(input, account.settings.timezone);
      return listReply(request, {
        input,
        sorting,
        fetch: (page) => listTransactions(services.pool, { account_id: account.id, type: "Payment", filters, ...page }),
        anchorOf: ({ id, order_id, created_at }, sort_by) => ({
          value: sort_by === "id" ? id : sort_by === "order_id" ? (order_id ?? "") : created_at.toISOString(),
          id,
        }),
        present: (payment) => presentPayment(payment, services.addresses, input.operations_size),
      });
    },
  }),
  post("/payments", {
    summary: "Create a payment",
    description: "Nothing is authorized yet: that takes a link, a session or `authorize`.",
    scope: "merchant",
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
      return created(
        await create(services, actor, { account_id: account.id, type: "Payment", order_id, currency, body }),
        request,
      );
    },
    resume: async (request, effect) => created(await affectedPayment(request, effect), request),
  }),
  get("/payments/:id", {
    summary: "Read a payment",
    scope: "merchant",
    input: Type.Object({ operations_size }),
    output: { 200: PaymentShape },
    handle: async (request) => {
      const payment = await find(request.services, paymentKey(request));
      return { status: 200, body: presentPayment(payment, request.services.addresses, request.input.operations_size) };
    },
  }),
  patch("/payments/:id", {
    summary: "Change a payment",
    description:
      "Once it is authorized (or while an operation is pending) only variables and the shipping's tracking change.",
    scope: "merchant",
    nulls: true,
    input: Change,
    output: { 200: PaymentShape },
    handle: async (request) => {
      const { services, actor, input } = request;
      const payment = await patchPayment(services, actor, { key: paymentKey(request), body: bodyOf(input) });
      return { status: 200, body: presentPayment(payment, services.addresses) };
    },
    resume: async (request, effect) => ({
      status: 200,
      body: presentPayment(await affectedPayment(request, effect), request.services.addresses),
    }),
  }),
];
