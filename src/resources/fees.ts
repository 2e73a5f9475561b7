// What acquirers take for a payment, and the formulas that say so (reference: resources, section 12).

import { Type } from "typebox";
import { type AnyRequest, del, get, patch, post, type Reply, wordIn } from "../api/endpoint.ts";
import { amountField, group, oneOf, text } from "../api/fields.ts";
import { CARD } from "../api/groups.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import { type AcquirerName, acquirer_names } from "../domain/acquirers.ts";
import { checkNumber, issuingCountry } from "../domain/card.ts";
import { formula_length_max } from "../domain/fee-formula.ts";
import { formulaKey, methodNamed } from "../domain/fees.ts";
import { Refused } from "../domain/refusal.ts";
import { chooseForCard } from "../services/acquiring.ts";
import { savedCardIn } from "../services/cards.ts";
import {
  calculateCardFee,
  calculateFee,
  type FeeFormula,
  formulaFor,
  listFormulas,
  type Priced,
  resetFormula,
  setFormula,
} from "../services/fees.ts";
import type { Services } from "../services/services.ts";
import { currencyField } from "./fields.ts";
import { pageIn } from "./lists.ts";

const FeeFormulaShape = Type.Object(
  { acquirer: Type.String(), payment_method: Type.String(), formula: Type.String(), standard: Type.Boolean() },
  { title: "FeeFormula" },
);
const CalculatedFeeShape = Type.Object(
  {
    acquirer: Type.String(),
    payment_method: Type.String(),
    formula: Type.String(),
    amount: Type.Integer(),
    fee: Type.Integer(),
    total: Type.Integer(),
  },
  { title: "CalculatedFee" },
);

const grammar = `\`+ - * / ( )\`, decimals, \`amount\` in the currency's smallest unit, and numbers in percent of it: \`70 + 1.45%\`. Rounded half up once, at the end.`;

const { number, token, apple_pay_token, mobilepay_online_token, brand } = CARD.properties;
const Calculate = Type.Object(
  {
    amount: amountField(),
    currency: Type.Optional(currencyField()),
    card: Type.Optional(group({ number, token, apple_pay_token, mobilepay_online_token, brand })),
    acquirer: Type.Optional(oneOf(acquirer_names)),
  },
  { examples: [{ amount: 10_000, currency: "DKK", card: { number: "1000000000000008" } }] },
);

const not_valid = "does not have a valid value";

const words = { acquirer: acquirer_names };

/** The acquirer and its method that the path names. Throws 400 for what there is not. */
function pricedIn(path: Readonly<Record<string, string>>): Priced {
  const acquirer = wordIn(path, "acquirer", acquirer_names);
  const method = methodNamed(acquirer, path.payment_method ?? "");
  if (method === null) throw new Refused("validation", { payment_method: [not_valid] });
  return { acquirer, method };
}

const ofPath = ({ account, path }: AnyRequest<"merchant">) => ({ account_id: account.id, ...pricedIn(path) });

const shown = async (request: AnyRequest<"merchant">): Promise<Reply> => ({
  status: 200,
  body: await formulaFor(request.services, ofPath(request)),
});

const sorting: Sorting<"acquirer"> = {
  sorts: { acquirer: "text" },
  sort_by: "acquirer",
  sort_dir: "asc",
  id: "text",
};
const { page, page_size, page_key } = pagingFields(sorting);
const keyOf = ({ acquirer, payment_method }: FeeFormula): string => formulaKey(acquirer, payment_method);

const formulas = [
  get("/fees/formulas", {
    summary: "List the fee formulas",
    description: "Of the account's active acquirers, and of those that it wrote formulas for.",
    scope: "merchant",
    input: Type.Object({ page, page_size, page_key }),
    output: { 200: Type.Array(FeeFormulaShape) },
    handle: async (request) => {
      const { services, account, input } = request;
      const { acquirer_settings } = account.settings;
      const isActive = (name: AcquirerName): boolean => acquirer_settings[name]?.active === true;
      const all = await listFormulas(services, account.id, (name, has_own) => has_own || isActive(name));
      return listReply(request, {
        input,
        sorting,
        fetch: async (wanted) => pageIn(all, wanted, keyOf),
        anchorOf: (row) => ({ value: keyOf(row), id: keyOf(row) }),
        present: (row) => row,
      });
    },
  }),
  get("/fees/formulas/:acquirer", {
    summary: "List an acquirer's fee formulas",
    scope: "merchant",
    words,
    input: Type.Object({}),
    output: { 200: Type.Array(FeeFormulaShape) },
    handle: async ({ services, account, path }) => {
      const acquirer = wordIn(path, "acquirer", acquirer_names);
      return { status: 200, body: await listFormulas(services, account.id, (name) => name === acquirer) };
    },
  }),
  get("/fees/formulas/:acquirer/:payment_method", {
    summary: "Read a fee formula",
    description: "`standard`: the account has not written its own. A method may name a country: `mastercard-dk`.",
    scope: "merchant",
    words,
    input: Type.Object({}),
    output: { 200: FeeFormulaShape },
    handle: shown,
  }),
  patch("/fees/formulas/:acquirer/:payment_method", {
    summary: "Write a fee formula",
    description: grammar,
    scope: "merchant",
    words,
    input: Type.Object(
      { formula: Type.Optional(text({ min: 1, max: formula_length_max, description: grammar })) },
      { examples: [{ formula: "70 + 1.45%" }] },
    ),
    output: { 200: FeeFormulaShape },
    handle: async (request) => {
      const { services, actor, input } = request;
      const { formula } = input;
      const named = ofPath(request);
      if (formula === undefined) throw new Refused("validation", { formula: ["is missing"] });
      return { status: 200, body: await setFormula(services, actor, { ...named, formula }) };
    },
    resume: shown,
  }),
  del("/fees/formulas/:acquirer/:payment_method", {
    summary: "Return to the standard fee formula",
    scope: "merchant",
    words,
    input: Type.Object({}),
    output: { 204: null },
    handle: async (request) => {
      await resetFormula(request.services, request.actor, ofPath(request));
      return { status: 204 };
    },
    resume: () => ({ status: 204 }),
  }),
];

type Given = Parameters<typeof checkNumber>[0];

/** By its number, or the saved one behind a token, which is not used up. */
async function cardGiven(services: Services, account_id: number, given: Given) {
  if (given.number === undefined && given.token !== undefined) {
    const saved = await savedCardIn(services, account_id, given.token);
    if (saved === null) throw new Refused("validation", { "card[token]": ["is invalid"] });
    return saved.data;
  }
  const checked = checkNumber(given);
  if ("errors" in checked) throw new Refused("validation", checked.errors);
  return { ...checked.card, cvd: null };
}

export const feeEndpoints = [
  post("/fees", {
    summary: "Calculate the fee for a card",
    description:
      "By the acquirer that would take it. Auto-fee adds it only on corporate cards and on cards issued outside the EU.",
    scope: "merchant",
    input: Calculate,
    output: { 201: CalculatedFeeShape },
    handle: async ({ services, account, input }) => {
      const { amount, currency = null, card: given = {} } = input;
      const card = await cardGiven(services, account.id, given);
      const { acquirer } = await chooseForCard(services, card, {
        settings: account.settings,
        transaction: { account_id: account.id, acquirer: null, test_mode: false, currency },
        acquirer: input.acquirer ?? null,
        amount,
      });
      const described = { brand: card.brand, country: issuingCountry(card) };
      const charge = { account_id: account.id, acquirer, card: described, amount, currency };
      return { status: 201, body: await calculateCardFee(services, charge) };
    },
  }),
  post("/fees/:acquirer/:payment_method", {
    summary: "Calculate the fee of a payment method",
    scope: "merchant",
    words,
    input: Type.Object({ amount: amountField() }, { examples: [{ amount: 10_000 }] }),
    output: { 200: CalculatedFeeShape },
    handle: async (request) => {
      const { amount } = request.input;
      return { status: 200, body: await calculateFee(request.services, { ...ofPath(request), amount }) };
    },
  }),
  ...formulas,
];
