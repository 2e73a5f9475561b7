// Rule sets against fraud (reference: resources, section 15; objects, section 15). They act on POST
// /payments/{id}/authorize.

import { type Static, Type } from "typebox";
import { type AnyRequest, del, type Effect, get, idIn, patch, post, type Reply } from "../api/endpoint.ts";
import { list, oneOf, text } from "../api/fields.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import { actions, combinators, type FraudRuleset, metric_names, metrics, operators } from "../domain/fraud-rules.ts";
import {
  changeFraudRuleset,
  findFraudRuleset,
  listFraudRulesets,
  makeFraudRuleset,
  removeFraudRuleset,
} from "../services/fraud.ts";
import { pageIn } from "./lists.ts";

const name_max = 100;
const value_max = 2_000;
const rules_max = 50;

const FraudRulesetShape = Type.Object(
  {
    id: Type.Integer(),
    merchant_id: Type.Integer(),
    name: Type.String(),
    action: Type.Enum([...actions]),
    combinator: Type.Enum([...combinators]),
    filter_rules: Type.Array(
      Type.Object(
        { metric_name: Type.String(), operator: Type.Enum([...operators]), value: Type.String() },
        { title: "FraudFilterRule" },
      ),
    ),
  },
  { title: "FraudRuleset" },
);

const metrics_text = metric_names.map((name) => `${name}: ${metrics[name].about}`).join("; ");

const fields = {
  // It stands in messages of one line: no control characters.
  name: text({ max: name_max, pattern: /^[ -~\u00a0-\uffff]+$/ }),
  filter_rules: list(
    Type.Object({
      metric_name: oneOf(metric_names, { description: metrics_text }),
      operator: oneOf(operators),
      value: text({ max: value_max, description: "`42`, `DNK`, or for in and not_in `DNK, DEU`" }),
    }),
    { max: rules_max },
  ),
  action: oneOf(actions),
  combinator: oneOf(combinators, { description: "Whether all rules must hold, or any" }),
};

const example = {
  name: "Large and far away",
  filter_rules: [{ metric_name: "card_country", operator: "not_in", value: "DNK, SWE" }],
  action: "force_3d",
  combinator: "and",
};
const Make = Type.Object(fields, { examples: [example] });
const Change = Type.Object({
  name: Type.Optional(fields.name),
  filter_rules: Type.Optional(fields.filter_rules),
  action: Type.Optional(fields.action),
  combinator: Type.Optional(fields.combinator),
});

/** What was given; what was not is absent. */
const given = ({ name, filter_rules, action, combinator }: Static<typeof Change>) => ({
  ...(name !== undefined && { name }),
  ...(filter_rules !== undefined && { filter_rules }),
  ...(action !== undefined && { action }),
  ...(combinator !== undefined && { combinator }),
});

const sorting: Sorting<"id"> = { sorts: { id: "number" }, sort_by: "id", sort_dir: "asc" };
// The reference knows no pages here: who asks for none gets all.
const page_size_default = 100;

const present = ({ account }: AnyRequest<"merchant">, ruleset: FraudRuleset) => ({
  id: ruleset.id,
  merchant_id: account.id,
  name: ruleset.name,
  action: ruleset.action,
  combinator: ruleset.combinator,
  filter_rules: ruleset.filter_rules,
});

const keyOf = ({ account, path }: AnyRequest<"merchant">) => ({
  account_id: account.id,
  id: idIn(path, "FraudRuleset"),
});

const affected = ({ services, account }: AnyRequest<"merchant">, { id }: Effect): Promise<FraudRuleset> =>
  findFraudRuleset(services, { account_id: account.id, id });

const made = (request: AnyRequest<"merchant">, ruleset: FraudRuleset): Reply => ({
  status: 201,
  body: present(request, ruleset),
  headers: { Location: `${request.services.addresses.api_url}/fraud-rulesets/${ruleset.id}` },
});

export const fraudRulesets = [
  get("/fraud-rulesets", {
    summary: "List fraud rule sets, the system's among them",
    scope: "merchant",
    input: Type.Object(pagingFields(sorting)),
    output: { 200: Type.Array(FraudRulesetShape) },
    handle: (request) => {
      const { services, account, input } = request;
      return listReply(request, {
        input: { ...input, page_size: input.page_size ?? page_size_default },
        sorting,
        fetch: async (page) => pageIn(await listFraudRulesets(services, account.id), page, ({ id }) => id),
        anchorOf: ({ id }) => ({ value: id, id }),
        present: (ruleset) => present(request, ruleset),
      });
    },
  }),
  post("/fraud-rulesets", {
    summary: "Make a fraud rule set",
    description:
      "It is looked at on every `authorize` of a payment. Of what is not known of a payment no rule holds. `flag` marks it, " +
      "`force_3d` refuses it (30100) without 3-D Secure, `block` refuses it (40300).",
    scope: "merchant",
    input: Make,
    output: { 201: FraudRulesetShape },
    handle: async (request) => {
      const { services, actor, account, input } = request;
      const { name, filter_rules, action, combinator } = input;
      const wanted = { name, filter_rules, action, combinator };
      return made(request, await makeFraudRuleset(services, actor, { account_id: account.id, wanted }));
    },
    resume: async (request, effect) => made(request, await affected(request, effect)),
  }),
  get("/fraud-rulesets/:id", {
    summary: "Read a fraud rule set",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: FraudRulesetShape },
    handle: async (request) => ({
      status: 200,
      body: present(request, await findFraudRuleset(request.services, keyOf(request))),
    }),
  }),
  patch("/fraud-rulesets/:id", {
    summary: "Change a fraud rule set",
    description: "What is not given stays; `filter_rules` are replaced together. The system's do not change.",
    scope: "merchant",
    input: Change,
    output: { 200: FraudRulesetShape },
    handle: async (request) => {
      const { services, actor, input } = request;
      const changed = await changeFraudRuleset(services, actor, { ...keyOf(request), change: given(input) });
      return { status: 200, body: present(request, changed) };
    },
    resume: async (request, effect) => ({ status: 200, body: present(request, await affected(request, effect)) }),
  }),
  del("/fraud-rulesets/:id", {
    summary: "Delete a fraud rule set",
    scope: "merchant",
    input: Type.Object({}),
    output: { 204: null },
    handle: async (request) => {
      await removeFraudRuleset(request.services, request.actor, keyOf(request));
      return { status: 204 };
    },
    resume: () => ({ status: 204 }),
  }),
];
