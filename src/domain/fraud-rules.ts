// Rule sets against fraud (reference: resources, section 15): what they may say, whether they hold for an attempt to pay,
// and what follows. The reference publishes operators, actions and texts, but no list of metrics: these names are ours.

import { brands } from "./card.ts";
import { countryNamed } from "./countries.ts";
import { isCurrency } from "./currency.ts";
import type { Metadata } from "./metadata.ts";
import type { Fields } from "./refusal.ts";
import { isApproved, type Operation } from "./transaction.ts";

export const actions = ["nothing", "flag", "force_3d", "block"] as const;
export const combinators = ["and", "or"] as const;
export const operators = ["==", "!=", "<", "<=", ">", ">=", "in", "not_in"] as const;

type Operator = (typeof operators)[number];
type Value = string | number | boolean;

type Metric = {
  readonly about: string;
  /** What a text means; undefined: nothing. */
  readonly read: (text: string) => Value | undefined;
  /** May be compared with `<` and its like. */
  readonly ordered?: true;
};

const readNumber = (text: string): number | undefined =>
  /^-?\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : undefined;
const readCountry = (text: string): string | undefined => countryNamed(text) ?? undefined;
const readLower = (text: string): string => text.toLowerCase();
const flags: Readonly<Record<string, boolean>> = {
  true: true,
  "1": true,
  yes: true,
  false: false,
  "0": false,
  no: false,
};
const readFlag = (text: string): boolean | undefined =>
  Object.hasOwn(flags, text.toLowerCase()) ? flags[text.toLowerCase()] : undefined;
const matching =
  (pattern: RegExp, tidy: (text: string) => string) =>
  (text: string): string | undefined =>
    pattern.test(text) ? tidy(text) : undefined;

/** What rules can ask about. */
export const metrics = {
  amount: { about: "in the currency's smallest unit", read: readNumber, ordered: true },
  currency: {
    about: "ISO 4217",
    read: (text) => (isCurrency(text.toUpperCase()) ? text.toUpperCase() : undefined),
  },
  card_brand: {
    about: "as in `metadata.brand`",
    read: (text) => (brands.has(text.toLowerCase()) ? text.toLowerCase() : undefined),
  },
  card_bin: { about: "the number's first six digits", read: matching(/^\d{6}$/, (text) => text) },
  card_country: { about: "the issuer's, ISO 3166-1 alpha-3", read: readCountry },
  card_hash: { about: "one card, as in `metadata.hash`", read: matching(/^[A-Za-z0-9]{1,64}$/, (text) => text) },
  is_3d_secure: { about: "true or false", read: readFlag },
  customer_ip: { about: "as sent", read: matching(/^[0-9a-f.:]{2,45}$/i, readLower) },
  ip_country: { about: "the customer's address's, ISO 3166-1 alpha-3", read: readCountry },
  invoice_country: { about: "ISO 3166-1 alpha-3", read: readCountry },
  shipping_country: { about: "ISO 3166-1 alpha-3", read: readCountry },
  customer_email: { about: "of the invoice address", read: matching(/^[^\s,]{1,254}$/, readLower) },
  attempts: { about: "earlier ones on this payment that failed", read: readNumber, ordered: true },
  test_mode: { about: "true or false", read: readFlag },
  fraud_score: { about: "0 to 100, of what is unusual about it", read: readNumber, ordered: true },
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof metrics;
export const metric_names = Object.keys(metrics) as MetricName[];

export type FilterRule = { readonly metric_name: MetricName; readonly operator: Operator; readonly value: string };

export type FraudRuleset = {
  readonly id: number;
  readonly name: string;
  readonly action: (typeof actions)[number];
  readonly combinator: (typeof combinators)[number];
  readonly filter_rules: readonly FilterRule[];
};

// So many values in one `in`.
const values_max = 200;

const isList = (operator: Operator): boolean => operator === "in" || operator === "not_in";

/** The values that a rule compares with; null when its text is none of its metric. */
function valuesOf({ metric_name, operator, value }: FilterRule): readonly Value[] | null {
  const texts = isList(operator)
    ? value
        .split(",")
        .map((text) => text.trim())
        .filter((text) => text !== "")
    : [value.trim()];
  const read: Metric["read"] = metrics[metric_name].read;
  const values = texts.map(read).filter((meant) => meant !== undefined);
  return texts.length === 0 || texts.length > values_max || values.length < texts.length ? null : values;
}

/** What is wrong with a rule, by its parameters; null: nothing. */
export function wrongWith(rule: FilterRule): Fields | null {
  const metric: Metric = metrics[rule.metric_name];
  const compares = !isList(rule.operator) && rule.operator !== "==" && rule.operator !== "!=";
  if (compares && metric.ordered !== true) return { "filter_rules[][operator]": ["does not have a valid value"] };
  return valuesOf(rule) === null ? { "filter_rules[][value]": ["is invalid"] } : null;
}

/** What is known of an attempt to pay; null: unknown. */
export type Facts = { readonly [name in MetricName]: Value | null };

type Comparison = (fact: Value, values: readonly Value[]) => boolean;

const comparisons: Readonly<Record<Operator, Comparison>> = {
  "==": (fact, [value]) => fact === value,
  "!=": (fact, [value]) => fact !== value,
  "<": (fact, [value]) => Number(fact) < Number(value),
  "<=": (fact, [value]) => Number(fact) <= Number(value),
  ">": (fact, [value]) => Number(fact) > Number(value),
  ">=": (fact, [value]) => Number(fact) >= Number(value),
  in: (fact, values) => values.includes(fact),
  not_in: (fact, values) => !values.includes(fact),
};

/** Of what is unknown nothing holds, `!=` and `not_in` neither: nobody is blocked for what we do not know. */
export function holds(rule: FilterRule, facts: Facts): boolean {
  const fact = facts[rule.metric_name];
  const values = valuesOf(rule);
  return fact !== null && values !== null && comparisons[rule.operator](fact, values);
}

export function triggers({ filter_rules, combinator }: FraudRuleset, facts: Facts): boolean {
  if (filter_rules.length === 0) return false;
  return combinator === "and"
    ? filter_rules.every((rule) => holds(rule, facts))
    : filter_rules.some((rule) => holds(rule, facts));
}

/** Why an operation ends before any acquirer is asked. */
export type RuledOut = { readonly status_code: "30100" | "40000" | "40300"; readonly status_msg: string };

export type Verdict = { readonly remarks: readonly string[]; readonly ruled_out: RuledOut | null };

export const nothing_suspicious: Verdict = { remarks: [], ruled_out: null };

/** What follows from the rule sets, in their order. A block goes before 3-D Secure; flags are noted whatever else happens. */
export function judge(rulesets: readonly FraudRuleset[], facts: Facts): Verdict {
  const triggered = rulesets.filter((ruleset) => ruleset.action !== "nothing" && triggers(ruleset, facts));
  const blocking = triggered.find(({ action }) => action === "block");
  const forcing = facts.is_3d_secure === true ? undefined : triggered.find(({ action }) => action === "force_3d");
  const remarks = triggered.flatMap(({ action, name, id }) => {
    if (action === "force_3d") return [];
    const word = action === "flag" ? "Flagged" : "Blocked";
    return [`${word} because FraudFilter rule set "${name}" (id: ${id}) triggered.`];
  });
  if (blocking !== undefined) return { remarks, ruled_out: { status_code: "40300", status_msg: "Fraud block" } };
  if (forcing === undefined) return { remarks, ruled_out: null };
  const status_msg = `3D Secure is required by FraudFilter rule set: "${forcing.name}" (id: ${forcing.id})`;
  return { remarks, ruled_out: { status_code: "30100", status_msg } };
}

/** What is suspicious joins the metadata; a remark that is there already is not repeated. */
export function suspicions(before: Metadata, { remarks }: Verdict): Metadata {
  if (remarks.length === 0) return {};
  const known = Array.isArray(before.fraud_remarks) ? (before.fraud_remarks as readonly string[]) : [];
  return { fraud_suspected: true, fraud_remarks: [...new Set([...known, ...remarks])] };
}

// A session that a newer attempt ended was not refused by anybody.
const aborted_code = "40003";

type Attempt = {
  readonly amount: number;
  readonly currency: string | null;
  /** With what this attempt's card and shopper are. */
  readonly metadata: Metadata;
  readonly test_mode: boolean;
  readonly invoice_address: Readonly<Record<string, string | null>> | null;
  readonly shipping_address: Readonly<Record<string, string | null>> | null;
  /** Those before this attempt. */
  readonly operations: readonly Operation[];
};

export function factsOf(attempt: Attempt): Facts {
  const { metadata, invoice_address, shipping_address } = attempt;
  const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);
  const country = (value: unknown): string | null => countryNamed(text(value) ?? "");
  const tries = attempt.operations.filter(({ type }) => type === "authorize" || type === "session");
  const facts = {
    amount: attempt.amount,
    currency: attempt.currency,
    card_brand: text(metadata.brand),
    card_bin: text(metadata.bin),
    card_country: country(metadata.country),
    card_hash: text(metadata.hash),
    is_3d_secure: metadata.is_3d_secure === true,
    customer_ip: text(metadata.customer_ip)?.toLowerCase() ?? null,
    ip_country: country(metadata.customer_country),
    invoice_country: country(invoice_address?.country_code),
    shipping_country: country(shipping_address?.country_code),
    customer_email: text(invoice_address?.email)?.toLowerCase() ?? null,
    attempts: tries.filter((one) => !one.pending && !isApproved(one) && one.status_code !== aborted_code).length,
    test_mode: attempt.test_mode,
  };
  return { ...facts, fraud_score: scoreOf(facts) };
}

type Scored = Omit<Facts, "fraud_score">;

const differ = (a: Value | null, b: Value | null): boolean => a !== null && b !== null && a !== b;

// Each alone is common; together they are not. Two countries that do not fit and no 3-D Secure make half of it.
const many_attempts = 3;
const points: readonly { readonly points: number; readonly when: (facts: Scored) => boolean }[] = [
  { points: 25, when: (facts) => differ(facts.card_country, facts.invoice_country) },
  { points: 25, when: (facts) => differ(facts.card_country, facts.ip_country) },
  { points: 15, when: (facts) => differ(facts.invoice_country, facts.shipping_country) },
  { points: 10, when: (facts) => facts.is_3d_secure === false },
  { points: 25, when: (facts) => Number(facts.attempts) >= many_attempts },
];

/** 0 to 100: the sum of what is unusual. Nobody else is asked, so it can be told why. */
const scoreOf = (facts: Scored): number =>
  Math.min(
    100,
    points.filter(({ when }) => when(facts)).reduce((sum, one) => sum + one.points, 0),
  );

/** Ids of the system's rule sets begin here: beyond what an account's own will ever reach, and below 2^31. */
export const system_ids_from = 2_147_483_001;

/** They hold on every account. */
export const system_rulesets: readonly FraudRuleset[] = [
  {
    id: system_ids_from,
    name: "Fraud score of at least 50",
    action: "flag",
    combinator: "and",
    filter_rules: [{ metric_name: "fraud_score", operator: ">=", value: "50" }],
  },
];
