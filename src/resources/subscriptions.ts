// Subscriptions: a card that was authorized once and is charged again and again (reference: resources, section 8).

import { Type } from "typebox";
import { get, patch, post } from "../api/endpoint.ts";
import { amountField, date, flag, integer, list, onlyTrue, text } from "../api/fields.ts";
import { SHOPSYSTEM, THREEDS_V2, VARIABLES } from "../api/groups.ts";
import { pagingFields, type Sorting } from "../api/paging.ts";
import { newMetadata } from "../domain/metadata.ts";
import { newBody } from "../domain/transaction.ts";
import { mustBeBranding } from "../services/brandings.ts";
import { cardAutoFee } from "../services/fees.ts";
import { perform } from "../services/operate.ts";
import { cardSource, sessionSource } from "../services/paying.ts";
import { create, find } from "../services/payments.ts";
import { mustHave } from "../services/plans.ts";
import { mustBeGroups } from "../services/subscription-groups.ts";
import { beginRecurring } from "../services/subscriptions.ts";
import { currencyField, order_id, text_on_statement } from "./fields.ts";
import { affected, created, keyOf, payment, shown, subscription } from "./kinds.ts";
import { linksOf, SubscriptionLinkInput } from "./links.ts";
import { isEmptied } from "./lists.ts";
import {
  acquiring,
  answer,
  callbackUrl,
  eraseOf,
  following,
  fraudReportOf,
  operationAbortOf,
  operationReadOf,
  paid,
  paid_with,
  resumed,
} from "./operations.ts";
import { optionsOf } from "./payment-operations.ts";
import {
  addresses,
  bodyOf,
  deadline_at,
  new_variables,
  operations_size,
  patched,
  variables,
} from "./transaction-fields.ts";
import { DateParts, fraud_suspected, listed, sorting, transactionFilters } from "./transaction-lists.ts";
import { PaymentShape, SubscriptionShape } from "./transaction-shapes.ts";

const description_max = 1_000;
const groups_of_one_max = 100;

const description = text({ max: description_max, description: "What the shopper subscribes to" });
const group_ids = Type.Optional(list(integer({ min: 1 }), { max: groups_of_one_max }));

const Create = Type.Object(
  {
    order_id,
    currency: currencyField(),
    description,
    ...addresses,
    ...new_variables,
    group_ids,
    branding_id: Type.Optional(integer({ min: 1 })),
    shopsystem: Type.Optional(SHOPSYSTEM),
    text_on_statement: Type.Optional(text_on_statement()),
    unscheduled: Type.Optional(flag({ description: "Charged whenever there is a reason, not on a schedule" })),
  },
  { examples: [{ order_id: "sub-501", currency: "DKK", description: "Monthly tea box" }] },
);

const Change = Type.Object(
  {
    description: Type.Optional(description),
    ...{ ...addresses, ...variables, ...deadline_at, group_ids },
    threeds_v2: Type.Optional(THREEDS_V2),
  },
  { examples: [{ variables: { customer: "c-881" } }] },
);

/** The list's filters, in exports too. */
export const subscription_filters = {
  ...transactionFilters(["initial", "pending", "active", "cancelled", "rejected"]),
  fraud_suspected,
  group_id: Type.Optional(integer({ min: 1 })),
  expired: Type.Optional(onlyTrue({ description: "Whose card has expired" })),
};

const List = Type.Object({
  ...subscription_filters,
  ...pagingFields(sorting),
});

// Nothing is taken: the amount only verifies the card, and may be nothing.
const amount = integer({ min: 0, description: "Verifies the card; nothing is taken" });

const Authorize = Type.Object(
  { amount, ...acquiring, ...paid_with },
  { examples: [{ amount: 0, card: { number: "1000000000000008", expiration: "3112", cvd: "208" } }] },
);

const Session = Type.Object({ autofee: Type.Optional(flag()), ...acquiring }, { examples: [{}] });

const Recurring = Type.Object(
  {
    amount: amountField(),
    order_id,
    auto_capture: Type.Optional(flag()),
    auto_capture_at: Type.Optional(date()),
    autofee: Type.Optional(flag()),
    zero_auth: Type.Optional(flag()),
    text_on_statement: Type.Optional(text_on_statement()),
    variables: Type.Optional(VARIABLES),
    fee_vat: Type.Optional(integer({ min: 0 })),
    description: Type.Optional(text({ max: description_max })),
    due_date: Type.Optional(date({ description: "For MobilePay" })),
  },
  { examples: [{ amount: 9900, order_id: "sub-501-1", auto_capture: true }] },
);

const payments_sorting: Sorting<"payment_id" | "order_id"> = {
  sorts: { payment_id: "number", order_id: "text" },
  sort_by: "payment_id",
  sort_dir: "desc",
};

/** This month as `expired_before` compares it; a card is good until its month ends. */
const monthOf = (at: Date): number => at.getUTCFullYear() * 100 + at.getUTCMonth() + 1;

type Only = { readonly group_id?: number; readonly expired?: boolean };

/** What only subscriptions are asked for. */
export const subscriptionFilters = ({ group_id, expired }: Only, now: Date) => ({
  ...(group_id !== undefined && { group_id }),
  ...(expired === true && { expired_before: monthOf(now) }),
});

const subscriptionReads = [
  get("/subscriptions", {
    summary: "List subscriptions",
    scope: "merchant",
    input: List,
    output: { 200: Type.Array(SubscriptionShape) },
    handle: (request) => {
      const { services, input } = request;
      const more = subscriptionFilters(input, services.clock.now());
      return listed(request, { kind: subscription, input, more });
    },
  }),
  get("/subscriptions/:id", {
    summary: "Read a subscription",
    scope: "merchant",
    input: Type.Object({ operations_size }),
    output: { 200: SubscriptionShape },
    handle: async (request) =>
      shown(request, await find(request.services, keyOf(subscription, request)), request.input.operations_size),
  }),
  get("/subscriptions/:id/payments", {
    summary: "List the payments of a subscription",
    scope: "merchant",
    input: Type.Object({
      accepted: Type.Optional(flag()),
      date: Type.Optional(DateParts),
      ...pagingFields(payments_sorting),
    }),
    output: { 200: Type.Array(PaymentShape) },
    handle: async (request) => {
      const { id } = await find(request.services, keyOf(subscription, request));
      const { sort_by, ...input } = request.input;
      const by = sort_by === "order_id" ? "order_id" : "id";
      return listed(request, { kind: payment, input: { ...input, sort_by: by }, more: { subscription_id: id } });
    },
  }),
];

const subscriptionWrites = [
  post("/subscriptions", {
    summary: "Create a subscription",
    description: "It can be charged once it is authorized: by a link, a session or `authorize`.",
    scope: "merchant",
    charges: true,
    input: Create,
    output: { 201: SubscriptionShape },
    handle: async (request) => {
      const { services, actor, account, input } = request;
      const { order_id, currency, shopsystem } = input;
      const type = subscription.type;
      await mustBeBranding(services.pool, account.id, ["branding_id", input.branding_id]);
      await mustBeGroups(services, { account_id: account.id, currency }, input.group_ids ?? []);
      mustHave(services, account, "subscriptions");
      const body = {
        ...newBody(newMetadata(shopsystem)),
        ...bodyOf(input),
        unscheduled: input.unscheduled ?? false,
        text_on_statement: input.text_on_statement ?? account.settings.default_text_on_statement,
        branding_id: input.branding_id ?? null,
      };
      const groups = input.group_ids === undefined ? {} : { group_ids: input.group_ids };
      const wanted = { account_id: account.id, type, order_id, currency, body, ...groups };
      return created(subscription, request, await create(services, actor, wanted));
    },
    resume: async (request, effect) => created(subscription, request, await affected(subscription, request, effect)),
  }),
  patch("/subscriptions/:id", {
    summary: "Change a subscription",
    description: "Once it is authorized only its description, groups and variables change.",
    scope: "merchant",
    nulls: true,
    input: Change,
    output: { 200: SubscriptionShape },
    handle: async (request) => {
      const { services, params, input } = request;
      const key = keyOf(subscription, request);
      const group_ids = isEmptied(params, "group_ids") ? [] : input.group_ids;
      if (group_ids !== undefined) await mustBeGroups(services, await find(services, key), group_ids);
      return patched(subscription, request, { ...(group_ids && { group_ids }) });
    },
    resume: async (request, effect) => shown(request, await affected(subscription, request, effect)),
  }),
];

const subscriptionOperations = [
  post("/subscriptions/:id/authorize", {
    summary: "Authorize a subscription",
    description: "The card's number and expiry rest sealed until the subscription is cancelled; the CVD is not kept.",
    scope: "merchant",
    charges: true,
    asynchronous: true,
    input: Authorize,
    output: { 200: SubscriptionShape, 202: SubscriptionShape },
    handle: async (request) => {
      const { input } = request;
      const kind = subscription;
      const verb = "authorize";
      const source = await cardSource(request.services, {
        account: request.account,
        key: keyOf(kind, request),
        verb,
        ...input,
      });
      const { amount, customer_ip, nin } = input;
      return paid(request, { kind, verb, amount, source, options: optionsOf(input), customer_ip, nin });
    },
    resume: resumed(subscription),
  }),
  post("/subscriptions/:id/session", {
    summary: "Start a session at the acquirer",
    scope: "merchant",
    charges: true,
    asynchronous: true,
    input: Session,
    output: { 200: SubscriptionShape, 202: SubscriptionShape },
    handle: async (request) => {
      const { services, account, input } = request;
      const kind = subscription;
      const key = keyOf(kind, request);
      const source = await sessionSource(services, { account, key, acquirer: input.acquirer });
      const { customer_ip } = input;
      return paid(request, { kind, verb: "session", amount: null, source, options: optionsOf(input), customer_ip });
    },
    resume: resumed(subscription),
  }),
  following(subscription, "cancel", "Cancel a subscription", Type.Object({})),
  post("/subscriptions/:id/recurring", {
    summary: "Charge a subscription",
    description: "Makes a payment of its own, which is captured and refunded as any other.",
    scope: "merchant",
    charges: true,
    asynchronous: "always",
    input: Recurring,
    output: { 200: PaymentShape, 202: PaymentShape },
    handle: async (request) => {
      const { services, actor, account, input } = request;
      const { amount, order_id } = input;
      const transaction = await find(services, keyOf(subscription, request));
      const wanted = input.autofee ?? account.settings.autofee;
      const autofee = { wanted, transaction, acquirer: transaction.acquirer ?? "", amount };
      const begun = await beginRecurring(services, actor, transaction, {
        amount,
        fee: transaction.state === "active" ? await cardAutoFee(services, autofee, transaction.body.metadata) : null,
        order_id,
        options: optionsOf(input),
        callback_url: callbackUrl(request),
        text_on_statement: input.text_on_statement ?? null,
        variables: input.variables ?? {},
      });
      return answer(request, { kind: payment, begun, performing: perform(services, begun, begun.card) });
    },
    resume: resumed(payment),
  }),
  fraudReportOf(subscription),
  eraseOf(subscription),
  operationReadOf(subscription),
  operationAbortOf(subscription),
];

export const subscriptions = [
  ...subscriptionReads,
  ...subscriptionWrites,
  ...linksOf(subscription, SubscriptionLinkInput),
  ...subscriptionOperations,
];
