// Validation, once per request: parameters in, typed input out, or every parameter that is wrong with what is wrong with
// it (reference: extensions, section 6; protocol, section 3). Schemas are compiled to plain functions when the server is
// made; the paths that errors are named by are written then, too.

import type { TObject, TSchema } from "typebox";
import type { Fields } from "../domain/refusal.ts";
import type { Rules } from "./fields.ts";
import { isGroup } from "./params.ts";

export type Checked = (
  params: Readonly<Record<string, unknown>>,
) =>
  | { readonly value: Record<string, unknown>; readonly errors: null }
  | { readonly value: Record<string, never>; readonly errors: Fields };

/** What is said about a parameter. Clients compare these texts. */
export const messages = {
  missing: "is missing",
  invalid: "is invalid",
  not_in_list: "does not have a valid value",
  unknown: "is unknown",
  too_large: "is too large",
  length: (min: number, max: number) => `must have length between ${min} and ${max}`,
  too_many: (max: number) => `must have at most ${max} elements`,
} as const;

/** The part of JSON Schema that is understood; `compile` throws for anything else. */
type Schema = Rules & {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly additionalProperties?: unknown;
};

type Errors = Record<string, string[]>;
/** Answers what the value means, `wrong` after noting why it means nothing, or undefined when it counts as not given. */
type Reader = (value: unknown, errors: Errors) => unknown;
/** Where a schema stands: its parameter's path, whether JSON null clears, whether what is not declared is refused. */
type Place = { readonly path: string; readonly nulls: boolean; readonly closed: boolean };

const wrong = Symbol("wrong");

type Options = {
  /** JSON null clears what is nullable. */
  readonly nulls: boolean;
  /** What is not declared is refused, unless it is one of `also`; null: it is ignored. */
  readonly closed?: { readonly also: readonly string[] } | null;
};

/** What an endpoint's input must be, as a function. */
export function compile(schema: TObject, { nulls, closed = null }: Options): Checked {
  const members = membersOf(plain(schema), { path: "", nulls, closed: closed !== null });
  const unknown = closed === null ? () => {} : unknownIn(plain(schema), { path: "", also: closed.also });
  return (params) => {
    const errors: Errors = {};
    const value = readMembers(members, params, errors);
    unknown(params, errors);
    return Object.keys(errors).length > 0 ? { value: {}, errors } : { value, errors: null };
  };
}

// TypeBox types a schema's keywords one by one; here they are looked at as what they are, JSON Schema.
const plain = (schema: TSchema): Schema => schema as unknown as Schema;

/** The same thing wrong with a hundred lines of a basket is said once. */
function note(errors: Errors, path: string, message: string): typeof wrong {
  errors[path] ??= [];
  if (!errors[path].includes(message)) errors[path].push(message);
  return wrong;
}

function readerFor(schema: Schema, place: Place): Reader {
  const meant = schema.anyOf?.find(({ type }) => type !== "null");
  if (meant !== undefined) return readerFor(meant, place);
  if (schema.type === "boolean") return flagReader(schema, place);
  if (schema.enum !== undefined) return wordReader(schema, place);
  if (schema.type === "string") return textReader(schema, place);
  if (schema.type === "integer" || schema.type === "number") return numberReader(schema, place);
  if (schema.type === "array") return listReader(schema, place);
  if (schema.type === "object")
    return schema.properties === undefined ? mapReader(schema, place) : groupReader(schema, place);
  throw new Error(`no such parameter can be read: ${place.path}: ${JSON.stringify(schema)}`);
}

/** Null, an empty text, a list of nothing: as if not given. */
const isNothing = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || (Array.isArray(value) && value.every(isNothing));

type Member = {
  readonly name: string;
  readonly path: string;
  readonly required: boolean;
  readonly clears: boolean;
  readonly may_be_empty: boolean;
  readonly read: Reader;
};

const inside = (path: string, name: string): string => (path === "" ? name : `${path}[${name}]`);

// What could not be a parameter (a card number, what every object has) is not repeated.
export const shownName = (name: string): string =>
  /^[a-z_]\w{0,49}$/i.test(name) && !(name in {}) ? name : "parameter";

/** Notes each member that is not declared. */
function unknownIn(
  { properties = {}, additionalProperties }: Schema,
  { path, also }: { readonly path: string; readonly also: readonly string[] },
): (given: Readonly<Record<string, unknown>>, errors: Errors) => void {
  if (additionalProperties === true) return () => {};
  const known = new Set([...Object.keys(properties), ...also]);
  return (given, errors) => {
    for (const name of Object.keys(given)) {
      if (!known.has(name)) note(errors, inside(path, shownName(name)), messages.unknown);
    }
  };
}

function membersOf({ properties = {}, required = [] }: Schema, { path, nulls, closed }: Place): readonly Member[] {
  return Object.entries(properties).map(([name, schema]) => {
    const inner_path = inside(path, name);
    return {
      name,
      path: inner_path,
      required: required.includes(name),
      may_be_empty: (schema.anyOf ?? [schema]).some((one) => one["x-empty"] === true),
      clears: nulls && schema.anyOf?.some(({ type }) => type === "null") === true,
      read: readerFor(schema, { path: inner_path, nulls, closed }),
    };
  });
}

/** Only declared members are looked at. */
function readMembers(members: readonly Member[], given: Readonly<Record<string, unknown>>, errors: Errors) {
  const read_members: Record<string, unknown> = {};
  for (const { name, path, required, clears, may_be_empty, read } of members) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === null && clears) {
      read_members[name] = null;
      continue;
    }
    const given_nothing = isNothing(value) && !(may_be_empty && value === "");
    const meant = given_nothing ? undefined : read(value, errors);
    if (meant === wrong) continue;
    if (meant !== undefined) read_members[name] = meant;
    else if (required) note(errors, path, messages.missing);
  }
  return read_members;
}

function groupReader(schema: Schema, place: Place): Reader {
  const members = membersOf(schema, place);
  const all_optional = members.every(({ required }) => !required);
  const unknown = place.closed ? unknownIn(schema, { path: place.path, also: [] }) : () => {};
  return (value, errors) => {
    if (!isGroup(value)) return note(errors, place.path, messages.invalid);
    unknown(value, errors);
    const read_members = readMembers(members, value, errors);
    // Modules send a shipment whose every member is empty.
    return all_optional && Object.keys(read_members).length === 0 ? undefined : read_members;
  };
}

const isScalar = (value: unknown): value is string | number | boolean =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean";

function wordReader(
  { enum: words = [], "x-message": message = messages.not_in_list }: Schema,
  { path }: Place,
): Reader {
  return (value, errors) => (words.includes(value) ? value : note(errors, path, message));
}

function textReader(schema: Schema, { path }: Place): Reader {
  const { minLength: min = 0, maxLength: max = Number.MAX_SAFE_INTEGER, read, "x-message": message } = schema;
  const length_message = message ?? messages.length(min, max);
  return (value, errors) => {
    if (!isScalar(value)) return note(errors, path, message ?? messages.invalid);
    const text = String(value);
    if (isShorter(text, min) || !isShorter(text, max + 1)) return note(errors, path, length_message);
    if (read === undefined) return text;
    return read(text) ?? note(errors, path, message ?? messages.invalid);
  };
}

/** In characters (code points), as JSON Schema counts; they are only counted where that can matter. */
function isShorter(text: string, length: number): boolean {
  if (text.length < length) return true;
  if (text.length >= 2 * length) return false;
  let count = 0;
  for (const _ of text) count += 1;
  return count < length;
}

function numberReader(schema: Schema, { path }: Place): Reader {
  const { type, minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
  const message = schema["x-message"] ?? messages.invalid;
  return (value, errors) => {
    const number = readNumber(value);
    const good = number >= minimum && number <= maximum && (type === "number" || Number.isInteger(number));
    return good ? number : note(errors, path, message);
  };
}

/** NaN unless it is one, or a text of one without exponent; PHP modules write whole numbers as `1000.0` too. */
function readNumber(value: unknown): number {
  // Adding 0 makes a plain zero of a negative one.
  if (typeof value === "number") return value + 0;
  return typeof value === "string" && /^-?\d{1,15}(\.\d{1,15})?$/.test(value) ? Number(value) + 0 : Number.NaN;
}

const flags: ReadonlyMap<string, boolean> = new Map([
  ...["1", "true", "yes", "on"].map((word) => [word, true] as const),
  ...["0", "false", "no", "off"].map((word) => [word, false] as const),
]);

function flagReader({ enum: words, "x-message": message = messages.invalid }: Schema, { path }: Place): Reader {
  return (value, errors) => {
    const meant = isScalar(value) ? flags.get(String(value).toLowerCase()) : undefined;
    if (meant === undefined) return note(errors, path, message);
    return words === undefined || words.includes(meant) ? meant : note(errors, path, messages.not_in_list);
  };
}

function listReader(
  { items = {}, maxItems: max = Number.POSITIVE_INFINITY }: Schema,
  { path, ...place }: Place,
): Reader {
  const read = readerFor(items, { ...place, path: `${path}[]` });
  return (value, errors) => {
    const given = Array.isArray(value) ? value : isScalar(value) ? [value] : numbered(value);
    if (given === null) return note(errors, path, messages.invalid);
    if (given.length > max) return note(errors, path, messages.too_many(max));
    const meant = given.filter((item) => !isNothing(item)).map((item) => read(item, errors));
    const list = meant.filter((item) => item !== undefined);
    return list.length === 0 ? undefined : list;
  };
}

/** `basket[0][qty]`, `basket[1][qty]`: a list with its numbers written out. Null for any other object. */
function numbered(value: unknown): readonly unknown[] | null {
  if (!isGroup(value)) return null;
  const entries = Object.entries(value);
  if (!entries.every(([key]) => /^\d{1,6}$/.test(key))) return null;
  return entries.sort(([a], [b]) => Number(a) - Number(b)).map(([, item]) => item);
}

function mapReader(schema: Schema, { path }: Place): Reader {
  const {
    read,
    maxProperties = Number.POSITIVE_INFINITY,
    "x-max-bytes": bytes_max = Number.POSITIVE_INFINITY,
  } = schema;
  return (value, errors) => {
    const object = typeof value === "string" ? read?.(value) : value;
    if (!isGroup(object)) return note(errors, path, schema["x-message"] ?? messages.invalid);
    const is_large =
      Object.keys(object).length > maxProperties || Buffer.byteLength(JSON.stringify(object)) > bytes_max;
    return is_large ? note(errors, path, messages.too_large) : object;
  };
}
