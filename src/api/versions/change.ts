// What a version did to the one below it, as records of the past: once released they are not edited. The code speaks the
// newest version; from these records older requests are lifted to it, its answers and callbacks lowered, and its schemas
// rewritten, so that documents stay true. A change never needs other data than the newest version has.

import type { TSchema } from "typebox";

export type Change = {
  /** For the merchant: what changed, as `/changelog` and the reference page say it. */
  readonly says: string;
  /** How the objects of answers and callbacks, named by their schemas' titles, were before. */
  readonly objects?: Readonly<Record<string, Before>>;
  /** Instants in answers had whole seconds before. */
  readonly whole_seconds?: true;
  readonly requests?: readonly RequestChange[];
  /** What no mapping can express, as it was before. */
  readonly switches?: Partial<Switches>;
};

/** How an object was, by the names of its newer members. What is not mentioned was as it is. */
export type Before = {
  /** The older name; several where one value stood under several names. */
  readonly named?: Readonly<Record<string, string | readonly string[]>>;
  readonly absent?: readonly string[];
  /** The older value of a newer one. */
  // biome-ignore lint/suspicious/noExplicitAny: each knows its member.
  readonly valued?: Readonly<Record<string, (value: any) => unknown>>;
  /** The older shape of a newer member, where its document shall show another. */
  readonly shaped?: Readonly<Record<string, TSchema>>;
};

/** How the parameters of some endpoints (`PUT /payments/:id/link`) were, by their newer names. */
export type RequestChange = {
  readonly endpoints: readonly string[];
  readonly named?: Readonly<Record<string, string>>;
  /** The newer names were taken too. */
  readonly both?: true;
  /** Not taken: ignored, as anything unknown was. */
  readonly absent?: readonly string[];
};

/** Read by the shared mechanisms; each version has its own values. */
export type Switches = {
  /** Parameters that no endpoint declares are refused, not ignored. */
  readonly refuse_unknown: boolean;
  /** PATCH merges `variables` into those there are (RFC 7396), and does not replace them. */
  readonly merge_variables: boolean;
  /** `?synchronized` is taken by POST `/subscriptions/{id}/recurring`. */
  readonly synchronized_recurring: boolean;
  /** Lists carry `Link` headers (RFC 8288). */
  readonly link_headers: boolean;
  /** A callback is delivered by 2xx alone; 302 and 303 are failures. */
  readonly callback_2xx_only: boolean;
};

/** As the newest version has them. */
export const newest_switches: Switches = {
  refuse_unknown: true,
  merge_variables: true,
  synchronized_recurring: false,
  link_headers: true,
  callback_2xx_only: false,
};

type Lower = (value: unknown) => unknown;
type Schema = {
  readonly title?: string;
  readonly type?: string;
  readonly format?: string;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly examples?: readonly Readonly<Record<string, unknown>>[];
};

/** A schema as an older version had it, and how a newer value becomes an older one; null: it is the same. */
export type Lowered = { readonly schema: TSchema; readonly lower: Lower | null };

/** One version's changes, applied to the shape of an answer. */
export function lowered(schema: TSchema, changes: readonly Change[]): Lowered {
  // TypeBox types a schema's keywords one by one; here they are looked at as what they are, JSON Schema.
  return walked(schema as unknown as Schema, changes) as unknown as Lowered;
}

type Walked = { readonly schema: Schema; readonly lower: Lower | null };

function walked(schema: Schema, changes: readonly Change[]): Walked {
  if (schema.anyOf !== undefined) return choice(schema, schema.anyOf, changes);
  if (schema.items !== undefined) return list(schema, schema.items, changes);
  if (schema.properties !== undefined) return object(schema, schema.properties, changes);
  const seconds = changes.some(({ whole_seconds }) => whole_seconds === true);
  return { schema, lower: seconds && schema.format === "date-time" ? wholeSeconds : null };
}

/** `2026-01-12T09:14:33.123Z` was `2026-01-12T09:14:33Z`. */
export const wholeSeconds: Lower = (value) => (typeof value === "string" ? `${value.slice(0, 19)}Z` : value);

function choice(schema: Schema, options: readonly Schema[], changes: readonly Change[]): Walked {
  const all = options.map((option) => walked(option, changes));
  const lowers = all.flatMap(({ lower }) => (lower === null ? [] : [lower]));
  const [only] = lowers;
  if (only === undefined) return { schema, lower: null };
  if (lowers.length > 1) throw new Error("of several shapes only one may differ between versions");
  return {
    schema: { ...schema, anyOf: all.map((one) => one.schema) },
    lower: (value) => (value === null ? null : only(value)),
  };
}

function list(schema: Schema, items: Schema, changes: readonly Change[]): Walked {
  const { schema: older, lower } = walked(items, changes);
  if (lower === null) return { schema, lower };
  return { schema: { ...schema, items: older }, lower: (values) => (values as unknown[]).map(lower) };
}

type Member = { readonly names: readonly string[]; readonly lower: Lower | null };

function object(schema: Schema, properties: Readonly<Record<string, Schema>>, changes: readonly Change[]): Walked {
  const befores = changes.flatMap(({ objects }) => (schema.title && objects?.[schema.title]) || []);
  for (const { named = {}, absent = [], valued = {} } of befores) {
    const unknown = [...Object.keys(named), ...absent, ...Object.keys(valued)].filter((name) => !(name in properties));
    if (unknown.length > 0) throw new Error(`a change names what ${schema.title} does not have: ${unknown.join(", ")}`);
  }
  const older: Record<string, Schema> = {};
  const plan = new Map<string, Member>();
  for (const [name, inner] of Object.entries(properties)) {
    const { schema: inner_schema, lower: inner_lower } = walked(inner, changes);
    const valued = befores.flatMap((before) => before.valued?.[name] ?? []);
    const lower = valued.reduce<Lower | null>(
      (first, then) => (first === null ? then : (value) => then(first(value))),
      inner_lower,
    );
    const named = befores.map((before) => before.named?.[name]).find((one) => one !== undefined);
    const gone = befores.some(({ absent }) => absent?.includes(name));
    const names = gone ? [] : typeof named === "string" ? [named] : (named ?? [name]);
    const shaped = befores.map((before) => before.shaped?.[name]).find((one) => one !== undefined);
    const shape = (shaped as unknown as Schema | undefined) ?? inner_schema;
    for (const older_name of names) older[older_name] = shape;
    if (gone || named !== undefined || lower !== null) plan.set(name, { names, lower });
  }
  if (plan.size === 0) return { schema, lower: null };
  const required = schema.required?.flatMap((name) => plan.get(name)?.names ?? [name]);
  return { schema: { ...schema, properties: older, ...(required && { required }) }, lower: byPlan(plan) };
}

/** Copies what is not planned otherwise; the value itself, which others may hold, stays as it is. */
const byPlan =
  (plan: ReadonlyMap<string, Member>): Lower =>
  (value) => {
    const newer = value as Record<string, unknown>;
    const older: Record<string, unknown> = {};
    for (const name of Object.keys(newer)) {
      const member = plan.get(name);
      if (member === undefined) older[name] = newer[name];
      else {
        const meant = member.lower === null ? newer[name] : member.lower(newer[name]);
        for (const older_name of member.names) older[older_name] = meant;
      }
    }
    return older;
  };

type Params = Readonly<Record<string, unknown>>;
/** `named`: the newer names that stand for older ones which were sent. */
export type Lifted = { readonly params: Params; readonly named: Readonly<Record<string, string>> };
export type Lift = (params: Params) => Lifted;

/** How an older request becomes one of the newest version, oldest change first; null: it is the same. */
export function lifting(endpoint: string, changes: readonly Change[]): Lift | null {
  const steps = concerning(endpoint, changes).reverse();
  if (steps.length === 0) return null;
  return (given) => {
    const params: Record<string, unknown> = { ...given };
    const sent_as: Record<string, string> = {};
    for (const { named = {}, absent = [] } of steps) {
      for (const name of absent) delete params[name];
      for (const [newer, older] of Object.entries(named)) {
        if (params[older] === undefined) continue;
        // An empty text counts as not given.
        if ((params[newer] ?? "") === "") {
          params[newer] = params[older];
          sent_as[newer] = older;
        }
        delete params[older];
      }
    }
    return { params, named: sent_as };
  };
}

/** An endpoint's parameters as an older version had them, for its documents. */
export function inputBefore(endpoint: string, input: TSchema, changes: readonly Change[]): TSchema {
  const older = concerning(endpoint, changes).reduce(inputBeforeOne, input as unknown as Schema);
  return older as unknown as TSchema;
}

function inputBeforeOne(schema: Schema, { named = {}, both, absent = [] }: RequestChange): Schema {
  const properties = Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const older = named[name];
    if (absent.includes(name)) return [];
    if (older === undefined) return [[name, member] as const];
    if (both !== true) return [[older, member] as const];
    const taken = { ...member, description: "Old spelling, still taken", deprecated: true };
    return [[name, member] as const, [older, taken] as const];
  });
  // The newer names first, then their old spellings.
  const is_old = (name: string): boolean => both === true && Object.values(named).includes(name);
  const sorted = [...properties.filter(([name]) => !is_old(name)), ...properties.filter(([name]) => is_old(name))];
  const spelled = (name: string): string => (both === true ? name : (named[name] ?? name));
  const required = schema.required?.map(spelled);
  const examples = schema.examples?.map((example) =>
    Object.fromEntries(Object.entries(example).map(([name, value]) => [spelled(name), value])),
  );
  return {
    ...{ ...schema, properties: Object.fromEntries(sorted) },
    ...{ ...(required && { required }), ...(examples && { examples }) },
  };
}

const concerning = (endpoint: string, changes: readonly Change[]): RequestChange[] =>
  changes.flatMap(({ requests = [] }) => requests.filter(({ endpoints }) => endpoints.includes(endpoint)));
