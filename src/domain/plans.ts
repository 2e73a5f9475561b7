// Plans: what the operator sells to merchants. A plan bounds live authorizations per month, and may lack features
// (reference: extensions, section 4).

import { isCurrency } from "./currency.ts";

export const features = ["subscriptions", "payouts", "brandings", "users"] as const;
export type Feature = (typeof features)[number];

export type Plan = {
  readonly name: string;
  /** A month's, in the currency's smallest unit. Nothing is charged here: the operator's books do that. */
  readonly price: number;
  readonly currency: string;
  /** Approved live authorizations; null: no bound. */
  readonly transactions_per_month: number | null;
  readonly features: readonly Feature[];
};

/** The first is every account's that was not put on another, or whose plan is not offered any more. */
export type Plans = readonly [Plan, ...Plan[]];

export const unlimited: Plan = {
  name: "unlimited",
  price: 0,
  currency: "EUR",
  transactions_per_month: null,
  features,
};

/** Beside `unlimited` in the demo, so that 402 can be seen. */
export const small: Plan = {
  name: "small",
  price: 1_900,
  currency: "EUR",
  transactions_per_month: 1_000,
  features: ["subscriptions", "brandings", "users"],
};

const plans_max = 100;
const integer_max = 2 ** 31 - 1;

/** What an operator wrote, as plans; or what is wrong with it, in words that go on after "plan 2". */
export function readPlans(value: unknown): { readonly plans: Plans } | { readonly problems: readonly string[] } {
  if (!Array.isArray(value) || value.length === 0 || value.length > plans_max)
    return { problems: [`must be a list of 1 to ${plans_max} plans`] };
  const names = value.map((plan) => (plan as Partial<Plan> | null)?.name);
  const problems = value.flatMap((plan: unknown, i) =>
    [...problemsOf(plan), ...(names.indexOf(names[i]) < i ? ["has the name of an earlier one"] : [])].map(
      (problem) => `plan ${i + 1} ${problem}`,
    ),
  );
  if (problems.length > 0) return { problems };
  const [first, ...rest] = value as Plan[];
  return { plans: [first as Plan, ...rest] };
}

const isCount = (value: unknown): boolean =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= integer_max;

/** What each member must be. */
const members: Readonly<Record<keyof Plan, readonly [(value: unknown) => boolean, string]>> = {
  name: [(value) => /^[a-z0-9][a-z0-9_-]{0,39}$/.test(String(value)), "a word of a-z, 0-9, - and _, at most 40"],
  price: [isCount, "a whole number, in the currency's smallest unit"],
  currency: [(value) => typeof value === "string" && isCurrency(value), "an ISO 4217 code such as EUR"],
  transactions_per_month: [(value) => value === null || isCount(value), "a whole number, or null for no bound"],
  features: [
    (value) => Array.isArray(value) && value.every((name) => features.includes(name)),
    `a list of some of ${features.join(", ")}`,
  ],
};

function problemsOf(plan: unknown): string[] {
  if (plan === null || typeof plan !== "object" || Array.isArray(plan)) return ["is not an object"];
  const given = plan as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(members, name));
  return [
    ...unknown.map((name) => `has a member ${name}, which means nothing`),
    ...Object.entries(members).flatMap(([name, [isGood, what]]) =>
      isGood(given[name]) ? [] : [`needs ${name}: ${what}`],
    ),
  ];
}
