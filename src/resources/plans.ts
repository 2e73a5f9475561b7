// Plans: what the operator offers, and which one the account is on (reference: extensions, section 4).

import { Type } from "typebox";
import { type AnyRequest, type Endpoint, get, put, type Reply } from "../api/endpoint.ts";
import { oneOf } from "../api/fields.ts";
import { features, type Plans } from "../domain/plans.ts";
import { changePlan, planNow } from "../services/plans.ts";

const members = {
  name: Type.String(),
  price: Type.Integer({ description: "A month's, in the currency's smallest unit" }),
  currency: Type.String(),
  transactions_per_month: Type.Union([Type.Integer(), Type.Null()], {
    description: "Approved live authorizations; null: no bound",
  }),
  features: Type.Array(Type.Enum([...features])),
};
const PlanShape = Type.Object(members, { title: "Plan" });
const AccountPlanShape = Type.Object(
  {
    ...members,
    month: Type.String({ description: "The current one in the account's timezone: YYYY-MM" }),
    transactions_this_month: Type.Integer({ description: "Live authorizations, approved or still holding a place" }),
  },
  { title: "AccountPlan" },
);

async function shown({ services, account }: AnyRequest<"merchant">): Promise<Reply> {
  const now = await services.directory.account(account.id);
  return { status: 200, body: await planNow(services, now) };
}

export const planEndpoints = (plans: Plans): Endpoint[] => [
  get("/plans", {
    summary: "List the plans that there are",
    scope: "anonymous",
    input: Type.Object({}),
    output: { 200: Type.Array(PlanShape) },
    handle: () => ({ status: 200, body: plans }),
  }),
  get("/account/plan", {
    summary: "Read the account's plan, and what this month has used",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: AccountPlanShape },
    handle: shown,
  }),
  put("/account/plan", {
    summary: "Change the account's plan",
    description: "What the account has beyond the new one stays and works on; more of it is 402.",
    scope: "merchant",
    input: Type.Object({ plan: oneOf(plans.map(({ name }) => name)) }, { examples: [{ plan: plans[0].name }] }),
    output: { 200: AccountPlanShape },
    handle: async (request) => {
      const { services, actor, account, input } = request;
      await changePlan(services, actor, { account_id: account.id, plan: input.plan });
      return shown(request);
    },
    resume: shown,
  }),
];
