// Payouts: money that goes to a card (reference: resources, section 11).

import { Type } from "typebox";
import { type Endpoint, get, patch, post } from "../api/endpoint.ts";
import { amountField } from "../api/fields.ts";
import { pagingFields } from "../api/paging.ts";
import { newMetadata } from "../domain/metadata.ts";
import { newBody } from "../domain/transaction.ts";
import { cardSource } from "../services/paying.ts";
import { create, find } from "../services/payments.ts";
import { mustHave } from "../services/plans.ts";
import { currencyField, order_id, text_on_statement } from "./fields.ts";
import { affected, created, keyOf, payout, shown } from "./kinds.ts";
import { linksOf, PayoutLinkInput } from "./links.ts";
import { acquiring, eraseOf, operationReadOf, paid, paid_with, resumed } from "./operations.ts";
import { optionsOf } from "./payment-operations.ts";
import { bodyOf, new_variables, operations_size, patched, variables } from "./transaction-fields.ts";
import { listed, sorting, transactionFilters } from "./transaction-lists.ts";
import { PayoutShape } from "./transaction-shapes.ts";

/** The list's filters, in exports too. */
export const payout_filters = transactionFilters(["initial", "pending", "rejected", "processed"]);

export const payouts: Endpoint[] = [
  get("/payouts", {
    summary: "List payouts",
    scope: "merchant",
    input: Type.Object({ ...payout_filters, ...pagingFields(sorting) }),
    output: { 200: Type.Array(PayoutShape) },
    handle: (request) => listed(request, { kind: payout, input: request.input }),
  }),
  post("/payouts", {
    summary: "Create a payout",
    scope: "merchant",
    charges: true,
    input: Type.Object(
      { order_id, currency: currencyField(), ...new_variables, text_on_statement: Type.Optional(text_on_statement()) },
      { examples: [{ order_id: "PO-1077", currency: "DKK" }] },
    ),
    output: { 201: PayoutShape },
    handle: async (request) => {
      const { services, actor, account, input } = request;
      const { order_id, currency } = input;
      mustHave(services, account, "payouts");
      const body = {
        ...newBody(newMetadata(undefined)),
        ...bodyOf(input),
        text_on_statement: input.text_on_statement ?? account.settings.default_text_on_statement,
      };
      const wanted = { account_id: account.id, type: payout.type, order_id, currency, body };
      return created(payout, request, await create(services, actor, wanted));
    },
    resume: async (request, effect) => created(payout, request, await affected(payout, request, effect)),
  }),
  get("/payouts/:id", {
    summary: "Read a payout",
    scope: "merchant",
    input: Type.Object({ operations_size }),
    output: { 200: PayoutShape },
    handle: async (request) =>
      shown(request, await find(request.services, keyOf(payout, request)), request.input.operations_size),
  }),
  patch("/payouts/:id", {
    summary: "Change a payout's variables",
    scope: "merchant",
    input: Type.Object(variables, { examples: [{ variables: { claim: "c-881" } }] }),
    output: { 200: PayoutShape },
    handle: (request) => patched(payout, request),
    resume: async (request, effect) => shown(request, await affected(payout, request, effect)),
  }),
  ...linksOf(payout, PayoutLinkInput),
  post("/payouts/:id/credit", {
    summary: "Pay out to a card",
    scope: "merchant",
    charges: true,
    asynchronous: true,
    input: Type.Object(
      { amount: amountField(), ...acquiring, ...paid_with },
      { examples: [{ amount: 5000, card: { number: "1000000000000008", expiration: "3112" } }] },
    ),
    output: { 200: PayoutShape, 202: PayoutShape },
    handle: async (request) => {
      const { input } = request;
      const verb = "credit";
      const source = await cardSource(request.services, {
        account: request.account,
        key: keyOf(payout, request),
        verb,
        ...input,
      });
      const { amount, customer_ip, nin } = input;
      return paid(request, { kind: payout, verb, amount, source, options: optionsOf(input), customer_ip, nin });
    },
    resume: resumed(payout),
  }),
  eraseOf(payout),
  operationReadOf(payout),
];
