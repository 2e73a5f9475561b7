// Saved cards and the tokens that pay with them once (reference: resources, section 10).

import { Type } from "typebox";
import { type Endpoint, get, patch, post } from "../api/endpoint.ts";
import { group, oneOf, text, time } from "../api/fields.ts";
import { CARD } from "../api/groups.ts";
import { pagingFields, type Sorting } from "../api/paging.ts";
import { newMetadata } from "../domain/metadata.ts";
import { newBody } from "../domain/transaction.ts";
import { cardSource } from "../services/paying.ts";
import { create, find } from "../services/payments.ts";
import { wireTime } from "../services/present.ts";
import { type CardToken, newToken } from "../services/vault.ts";
import { affected, card, created, keyOf, shown } from "./kinds.ts";
import { CardLinkInput, linksOf } from "./links.ts";
import { acquiring, eraseOf, following, fraudReportOf, operationReadOf, paid, resumed } from "./operations.ts";
import { optionsOf } from "./payment-operations.ts";
import { bodyOf, new_variables, patched, variables } from "./transaction-fields.ts";
import { fraud_suspected, listed } from "./transaction-lists.ts";
import { CardShape, CardTokenShape } from "./transaction-shapes.ts";

const sorting: Sorting<"id"> = { sorts: { id: "number" }, sort_by: "id", sort_dir: "desc" };

/** The list's filters, in exports too. */
export const card_filters = {
  timestamp: Type.Optional(oneOf(["created_at", "updated_at"], { default: "created_at" })),
  min_time: Type.Optional(time()),
  max_time: Type.Optional(time()),
  fraud_suspected,
};

const { cvd, issued_to, brand, status, eci, xav, cavv } = CARD.properties;

const Authorize = Type.Object(
  {
    card: group({
      number: text({ max: 40 }),
      expiration: text({ max: 10, description: "YYMM" }),
      ...{ cvd, issued_to, brand, status, eci, xav, cavv },
    }),
    ...acquiring,
  },
  { examples: [{ card: { number: "1000000000000008", expiration: "3112", cvd: "208" } }] },
);

const tokenReply = ({ token, is_used, created_at }: CardToken) => ({
  status: 202 as const,
  body: { token, is_used, created_at: wireTime(created_at) },
});

export const cards: Endpoint[] = [
  get("/cards", {
    summary: "List saved cards",
    scope: "merchant",
    input: Type.Object({ ...card_filters, ...pagingFields(sorting) }),
    output: { 200: Type.Array(CardShape) },
    handle: (request) => listed(request, { kind: card, input: request.input }),
  }),
  post("/cards", {
    summary: "Create a card, to be saved by its authorization",
    scope: "merchant",
    charges: true,
    input: Type.Object(new_variables, { examples: [{}] }),
    output: { 201: CardShape },
    handle: async (request) => {
      const { services, actor, account, input } = request;
      const body = { ...newBody(newMetadata(undefined)), ...bodyOf(input) };
      const wanted = { account_id: account.id, type: card.type, order_id: null, currency: null, body };
      return created(card, request, await create(services, actor, wanted));
    },
    resume: async (request, effect) => created(card, request, await affected(card, request, effect)),
  }),
  get("/cards/:id", {
    summary: "Read a saved card",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: CardShape },
    handle: async (request) => shown(request, await find(request.services, keyOf(card, request))),
  }),
  patch("/cards/:id", {
    summary: "Change a saved card's variables",
    scope: "merchant",
    input: Type.Object(variables, { examples: [{ variables: { customer: "88" } }] }),
    output: { 200: CardShape },
    handle: (request) => patched(card, request),
    resume: async (request, effect) => shown(request, await affected(card, request, effect)),
  }),
  ...linksOf(card, CardLinkInput),
  post("/cards/:id/authorize", {
    summary: "Save a card",
    description: "Number and expiry rest sealed until the card is cancelled; the CVD is not kept.",
    scope: "merchant",
    charges: true,
    asynchronous: true,
    input: Authorize,
    output: { 200: CardShape, 202: CardShape },
    handle: async (request) => {
      const { input } = request;
      const verb = "authorize";
      const source = await cardSource(request.services, {
        account: request.account,
        key: keyOf(card, request),
        verb,
        ...input,
      });
      const { customer_ip } = input;
      return paid(request, { kind: card, verb, amount: null, source, options: optionsOf(input), customer_ip });
    },
    resume: resumed(card),
  }),
  following(card, "cancel", "Cancel a saved card: it is forgotten", Type.Object({})),
  post("/cards/:id/tokens", {
    summary: "Make a token that pays with the card once",
    description: "As `card[token]` of an authorization.",
    scope: "merchant",
    charges: true,
    input: Type.Object({}),
    output: { 202: CardTokenShape },
    handle: async (request) => {
      const { services, actor } = request;
      return tokenReply(await newToken(services, actor, await find(services, keyOf(card, request))));
    },
    // Nobody heard of the token that was made first.
    resume: async (request, effect) => {
      const { services, actor } = request;
      return tokenReply(await newToken(services, { ...actor, claim: null }, await affected(card, request, effect)));
    },
  }),
  fraudReportOf(card),
  eraseOf(card),
  operationReadOf(card),
];
