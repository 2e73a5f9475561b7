// Groups of subscriptions that are charged together (reference: resources, section 9).

import { Type } from "typebox";
import { type AnyRequest, del, type Effect, get, idIn, patch, post, type Reply } from "../api/endpoint.ts";
import { amountField, text } from "../api/fields.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import {
  captureGroup,
  changeGroup,
  createGroup,
  findGroup,
  groupCaptured,
  removeGroup,
} from "../services/subscription-groups.ts";
import { groupsOf, type SubscriptionGroup } from "../storage/subscription-groups.ts";
import { currencyField } from "./fields.ts";
import { pageIn } from "./lists.ts";
import { callbackUrl } from "./operations.ts";

const name_max = 255;
const description_max = 1_000;
// With a subscription's id behind it it must still be an order_id.
const prefix_max = 16;

const SubscriptionGroupShape = Type.Object(
  {
    id: Type.Integer(),
    merchant_id: Type.Integer(),
    name: Type.String(),
    amount: Type.Integer(),
    currency: Type.String(),
    description: Type.Union([Type.String(), Type.Null()]),
  },
  { title: "SubscriptionGroup" },
);

const SubscriptionGroupResultShape = Type.Object(
  {
    subscription_id: Type.Integer(),
    status: Type.Integer({ description: "As HTTP: 202, 400 or 409" }),
    message: Type.Union([Type.String(), Type.Null()]),
  },
  { title: "SubscriptionGroupResult" },
);

const present = ({ id, account_id, name, amount, currency, description }: SubscriptionGroup) => ({
  id,
  merchant_id: account_id,
  name,
  amount,
  currency,
  description,
});

const keyIn = ({ account, path }: Pick<AnyRequest<"merchant">, "account" | "path">) => ({
  account_id: account.id,
  id: idIn(path, "SubscriptionGroup"),
});

const created = ({ services }: AnyRequest, group: SubscriptionGroup): Reply => ({
  status: 201,
  body: present(group),
  headers: { Location: `${services.addresses.api_url}/subscription-groups/${group.id}` },
});

const affected = ({ services, account }: AnyRequest<"merchant">, { id }: Effect): Promise<SubscriptionGroup> =>
  findGroup(services, { account_id: account.id, id });

const sorting: Sorting<"id"> = { sorts: { id: "number" }, sort_by: "id", sort_dir: "desc" };

const description = text({ max: description_max });

export const subscriptionGroups = [
  get("/subscription-groups", {
    summary: "List subscription groups",
    scope: "merchant",
    input: Type.Object(pagingFields(sorting)),
    output: { 200: Type.Array(SubscriptionGroupShape) },
    handle: async (request) => {
      const rows = await groupsOf(request.services.pool, request.account.id);
      return listReply(request, {
        input: request.input,
        sorting,
        fetch: async (page) => pageIn(rows, page, ({ id }) => id),
        anchorOf: ({ id }) => ({ value: id, id }),
        present,
      });
    },
  }),
  post("/subscription-groups", {
    summary: "Create a subscription group",
    scope: "merchant",
    input: Type.Object(
      {
        name: text({ min: 1, max: name_max }),
        amount: amountField(),
        currency: currencyField(),
        description: Type.Optional(description),
      },
      { examples: [{ name: "Tea boxes", amount: 9900, currency: "DKK" }] },
    ),
    output: { 201: SubscriptionGroupShape },
    handle: async (request) => {
      const { services, actor, account, input } = request;
      const fields = { ...input, description: input.description ?? null };
      return created(request, await createGroup(services, actor, { account_id: account.id, fields }));
    },
    resume: async (request, effect) => created(request, await affected(request, effect)),
  }),
  get("/subscription-groups/:id", {
    summary: "Read a subscription group",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: SubscriptionGroupShape },
    handle: async (request) => ({ status: 200, body: present(await findGroup(request.services, keyIn(request))) }),
  }),
  patch("/subscription-groups/:id", {
    summary: "Change a subscription group",
    scope: "merchant",
    input: Type.Object(
      {
        name: Type.Optional(text({ min: 1, max: name_max })),
        amount: Type.Optional(amountField()),
        description: Type.Optional(description),
      },
      { examples: [{ amount: 10900 }] },
    ),
    output: { 200: SubscriptionGroupShape },
    handle: async (request) => {
      const { services, actor, input } = request;
      return {
        status: 200,
        body: present(await changeGroup(services, actor, { key: keyIn(request), fields: input })),
      };
    },
    resume: async (request, effect) => ({ status: 200, body: present(await affected(request, effect)) }),
  }),
  del("/subscription-groups/:id", {
    summary: "Delete a subscription group",
    description: "Its subscriptions stay, without the group.",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: SubscriptionGroupShape },
    handle: async (request) => ({
      status: 200,
      body: present(await removeGroup(request.services, request.actor, keyIn(request))),
    }),
    resume: async (request, { id }) => ({
      status: 200,
      body: present(await findGroup(request.services, { account_id: request.account.id, id }, "deleted too")),
    }),
  }),
  post("/subscription-groups/:id/capture", {
    summary: "Charge all subscriptions of a group",
    description:
      "An auto-captured payment of the group's amount on each; what is not active says so. Order ids are the prefix and the id.",
    scope: "merchant",
    charges: true,
    input: Type.Object(
      { order_id_prefix: text({ min: 1, max: prefix_max, pattern: /^[a-zA-Z0-9 ._-]*$/ }) },
      { examples: [{ order_id_prefix: "2026-11-" }] },
    ),
    output: { 202: Type.Array(SubscriptionGroupResultShape) },
    handle: async (request) => {
      const { services, actor, input } = request;
      const wanted = { key: keyIn(request), prefix: input.order_id_prefix, callback_url: callbackUrl(request) };
      return { status: 202, body: await captureGroup(services, actor, wanted) };
    },
    resume: async (request) => {
      const prefix = String(request.params.order_id_prefix);
      return { status: 202, body: await groupCaptured(request.services, keyIn(request), prefix) };
    },
  }),
];
