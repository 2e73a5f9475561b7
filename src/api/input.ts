// Validation, once per request: parameters in, typed input out, or every parameter that is wrong with what is wrong with
// it (reference: extensions, section 6). Schemas are compiled to plain functions when the server is made.

import type { TObject, TSchema } from "typebox";
import type { Fields } from "../domain/refusal.ts";
import type { Rules } from "./fields.ts";

export type Checked = (params: Readonly<Record<string, unknown>>) =>
  | { readonly value: Record<string, unknown>; readonly errors: null }
  | { readonly value: null; readonly errors: Fields };

type Errors = Record<string, string[]>;
/** Answers the value, or undefined after noting what is wrong under `path`. */
type Reader = (value: unknown, path: string, errors: Errors) => unknown;
type Schema = TSchema & Rules & { readonly [keyword: string]: unknown };

const missing = "is missing";
const invalid = "is invalid";
const not_in_list = "does not have a valid value";

export function compile(schema: TObject, { nulls }: { nulls: boolean }): Checked {
  const read = objectReader(schema as unknown as Schema, nulls);
  return (params) => {
    const errors: Errors = {};
    const value = read(params, "", errors) as Record<string, unknown>;
    return Object.keys(errors).length > 0 ? { value: null, errors } : { value, errors: null };
  };
}

const wrong = (errors: Errors, path: string, message: string): undefined => {
  errors[path] = [...(errors[path] ?? []), message];
};

function readerFor(schema: Schema, nulls: boolean): Reader {
  const { type, enum: values } = schema as { type?: string; enum?: readonly unknown[] };
  const options = (schema as { anyOf?: readonly Schema[] }).anyOf;
  if (options?.[0] !== undefined) return readerFor(options[0], nulls);
  if (values !== undefined) return (value, path, errors) => (values.includes(value) ? value : wrong(errors, path, schema.message ?? not_in_list));
  if (type === "string") return textReader(schema);
  if (type === "integer" || type === "number") return numberReader(schema);
  if (type === "boolean") return (value, path, errors) => readFlag(value) ?? wrong(errors, path, invalid);
  if (type === "array") return listReader(schema, nulls);
  if ((schema as { properties?: object }).properties !== undefined) return objectReader(schema, nulls);
  return mapReader(schema);
}

/** Null, an empty text or list, where nothing of that kind is meant: as if not given. */
const isNothing = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);

function objectReader(schema: Schema, nulls: boolean): Reader {
  const { properties, required = [] } = schema as unknown as { properties: Record<string, Schema>; required?: readonly string[] };
  const members = Object.entries(properties).map(([name, member]) => ({
    name,
    required: required.includes(name),
    clears: nulls && (member as { anyOf?: readonly Schema[] }).anyOf?.some(({ type }) => type === "null") === true,
    read: readerFor(member, nulls),
  }));
  return (value, path, errors) => {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return wrong(errors, path, invalid);
    const given = value as Record<string, unknown>;
    const object: Record<string, unknown> = {};
    for (const { name, required: needed, clears, read } of members) {
      const inner = given[name];
      const inner_path = path === "" ? name : `${path}[${name}]`;
      if (inner === null && clears) object[name] = null;
      else if (isNothing(inner)) {
        if (needed) wrong(errors, inner_path, missing);
      } else {
        const read_value = read(inner, inner_path, errors);
        if (read_value !== undefined) object[name] = read_value;
      }
    }
    return object;
  };
}

function textReader(schema: Schema): Reader {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema as { minLength?: number; maxLength?: number };
  const { read, message } = schema;
  const length_message = message ?? `must have length between ${minLength} and ${maxLength}`;
  return (value, path, errors) => {
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return wrong(errors, path, message ?? invalid);
    const text = String(value);
    if (text.length < minLength || text.length > maxLength) return wrong(errors, path, length_message);
    if (read === undefined) return text;
    return read(text) ?? wrong(errors, path, message ?? invalid);
  };
}

function numberReader(schema: Schema): Reader {
  const { type, minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema as {
    type?: string;
    minimum?: number;
    maximum?: number;
  };
  return (value, path, errors) => {
    const number = readNumber(value);
    const good = number !== undefined && number >= minimum && number <= maximum && (type === "number" || Number.isInteger(number));
    return good ? number : wrong(errors, path, schema.message ?? invalid);
  };
}

/** A number, or a text of one without exponent; PHP modules write whole numbers as `1000.0` too. */
function readNumber(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" && /^-?\d{1,15}(\.\d{1,15})?$/.test(value) ? Number(value) : undefined;
}

const yes = new Set(["1", "true", "yes", "on"]);
const no = new Set(["0", "false", "no", "off"]);

function readFlag(value: unknown): boolean | undefined {
  const text = String(value).toLowerCase();
  return yes.has(text) ? true : no.has(text) ? false : undefined;
}

function listReader(schema: Schema, nulls: boolean): Reader {
  const { items, maxItems = Number.POSITIVE_INFINITY } = schema as unknown as { items: Schema; maxItems?: number };
  const read = readerFor(items, nulls);
  const of_texts = items.type === "string";
  return (value, path, errors) => {
    const given = Array.isArray(value) ? value : numbered(value) ?? (of_texts && typeof value === "string" ? [value] : null);
    if (given === null) return wrong(errors, path, invalid);
    if (given.length > maxItems) return wrong(errors, path, `must have at most ${maxItems} elements`);
    return given.filter((item) => !isNothing(item)).map((item) => read(item, `${path}[]`, errors));
  };
}

/** `basket[0][qty]`, `basket[1][qty]`: a list with its numbers written out. */
function numbered(value: unknown): unknown[] | null {
  if (value === null || typeof value !== "object") return null;
  const entries = Object.entries(value);
  if (!entries.every(([key]) => /^\d{1,6}$/.test(key))) return null;
  return entries.sort(([a], [b]) => Number(a) - Number(b)).map(([, item]) => item);
}

function mapReader(schema: Schema): Reader {
  const { read } = schema;
  return (value, path, errors) => {
    const object = typeof value === "string" ? read?.(value) : value;
    if (object === undefined || object === null || typeof object !== "object" || Array.isArray(object)) return wrong(errors, path, invalid);
    return object;
  };
}
