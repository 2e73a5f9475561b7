// Building blocks of declared parameters. Each is a JSON Schema, so that the OpenAPI document can show it as it is; what
// JSON Schema cannot say stands beside it as a function, which disappears when the schema is written out.

import { type TProperties, type TSchema, type TUnsafe, Type } from "typebox";
import { isHttpUrl, isReturnUrl, url_length_max } from "../domain/urls.ts";
import { readJson } from "./params.ts";

export type Extra = {
  readonly description?: string;
  readonly default?: unknown;
  readonly deprecated?: boolean;
  /** Said instead of the usual message, whatever is wrong. */
  readonly message?: string;
};

/** Beyond JSON Schema. */
export type Rules = {
  /** Reads a text and answers what it means, or undefined when it means nothing. */
  readonly read?: (text: string) => unknown;
  /** Said instead of the usual message. */
  readonly "x-message"?: string;
  /** The most that a map may be, written as JSON. */
  readonly "x-max-bytes"?: number;
  /** An empty text is a value of its own, not one that was not given. */
  readonly "x-empty"?: boolean;
};

const annotated = ({ message, ...extra }: Extra) => ({
  ...extra,
  ...(message === undefined ? {} : { "x-message": message }),
});

type TextOptions = Extra & {
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: RegExp;
  /** May be empty. */
  readonly empty?: boolean;
};

// What is stored and shown without a limit of its own.
const text_max_default = 1_000;

/** A text; numbers and booleans are taken as theirs. Lengths count characters, not UTF-16 units. */
export const text = ({ min, max = text_max_default, pattern, empty, ...extra }: TextOptions = {}) =>
  Type.String({
    ...(min === undefined ? {} : { minLength: min }),
    ...(empty === true ? { "x-empty": true } : {}),
    maxLength: max,
    ...(pattern === undefined
      ? {}
      : { pattern: pattern.source, read: (value: string) => (pattern.test(value) ? value : undefined) }),
    ...annotated(extra),
  });

type NumberOptions = Extra & { readonly min?: number; readonly max?: number };

// Typed clients read integers as 32-bit.
const integer_max = 2 ** 31 - 1;

/** A whole number; `"100"` and `100.0` are. */
export const integer = ({ min = -integer_max, max = integer_max, ...extra }: NumberOptions = {}) =>
  Type.Integer({ minimum: min, maximum: max, ...annotated(extra) });

export const number = ({ min = -integer_max, max = integer_max, ...extra }: NumberOptions = {}) =>
  Type.Number({ minimum: min, maximum: max, ...annotated(extra) });

/** Minor units, more than zero. */
export const amountField = (extra: Extra = {}) =>
  integer({ min: 1, description: "In the currency's smallest unit", ...extra });

/** `1 0 true false yes no on off`, any case. */
export const flag = (extra: Extra = {}) => Type.Boolean(annotated(extra));

/** A filter that is asked for or not: there is no opposite. */
export const onlyTrue = (extra: Extra = {}) =>
  Type.Unsafe<true>({ type: "boolean", enum: [true], ...annotated(extra) });

/** One of these words, in exactly this spelling. */
export const oneOf = <const Value extends string>(values: readonly Value[], extra: Extra = {}) =>
  Type.Unsafe<Value>({ type: "string", enum: [...values], ...annotated(extra) }) as TUnsafe<Value>;

const special = (schema: object, read: (text: string) => unknown, extra: Extra) =>
  Type.Unsafe<string>({ type: "string", ...schema, read, ...annotated(extra) });

/** An instant: ISO 8601, or `YYYY-MM-DD HH:MM:SS +zzzz` as in filters. Answers ISO 8601 in UTC. */
export const time = (extra: Extra = {}) => special({ format: "date-time" }, readTime, extra);

const time_pattern = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?)? ?(Z|UTC|[+ -]\d\d:?\d\d)?$/i;

function readTime(value: string): string | undefined {
  const match = time_pattern.exec(value.trim());
  if (match === null) return undefined;
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "", zone = "Z"] = match;
  // A plus that was not percent-encoded arrives as a space.
  const offset = /^[A-Z]/i.test(zone) ? "Z" : zone.replace(" ", "+").replace(/^(...):?(..)$/, "$1:$2");
  if (readDate(`${year}-${month}-${day}`) === undefined) return undefined;
  const at = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}${fraction.slice(0, 4)}${offset}`);
  if (Number.isNaN(at.getTime()) || at.getUTCFullYear() < 1970 || at.getUTCFullYear() > 9999) return undefined;
  return at.toISOString();
}

/** A day: `YYYY-MM-DD`. */
export const date = (extra: Extra = {}) => special({ format: "date" }, readDate, extra);

function readDate(value: string): string | undefined {
  if (!/^(19[7-9]|[2-9]\d\d)\d-\d\d-\d\d$/.test(value)) return undefined;
  const at = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(value) ? value : undefined;
}

/** An `http` or `https` address, kept as sent. */
export const httpUrl = (extra: Extra = {}) => address(isHttpUrl, extra);

/** Where a shopper goes afterwards, an app too; kept as sent. */
export const returnUrl = (extra: Extra = {}) =>
  address(isReturnUrl, { description: "Of a page, or an app's own: `myapp://paid`", ...extra });

const address = (isFit: (value: string) => boolean, extra: Extra) =>
  special({ format: "uri", maxLength: url_length_max }, (value) => (isFit(value) ? value : undefined), extra);

export const email = (extra: Extra = {}) =>
  special(
    { format: "email", maxLength: 254 },
    (value) => (/^[^\s@<>"]+@[^\s@<>"]+\.[^\s@<>".]+$/.test(value) ? value : undefined),
    extra,
  );

/** A text that only `read` can judge; it answers what is kept, or undefined. */
export const judged = (read: (text: string) => string | undefined, extra: Extra = {}) => special({}, read, extra);

// What a shop wants to find again, or an acquirer to know: some words, not documents. They are kept with each payment and
// sent with each of its callbacks.
const map_bytes_max = 32_768;
const map_members_max = 500;

const free_object = {
  type: "object",
  additionalProperties: true,
  maxProperties: map_members_max,
  "x-max-bytes": map_bytes_max,
};

/** An object of whatever the caller wants to keep, as sent. */
export const map = (extra: Extra = {}) => Type.Unsafe<Record<string, unknown>>({ ...free_object, ...annotated(extra) });

/** Has it outgrown what a map may hold? */
export const isLargeMap = (value: object): boolean =>
  Object.keys(value).length > free_object.maxProperties ||
  Buffer.byteLength(JSON.stringify(value)) > free_object["x-max-bytes"];

/** What the shop wants to find again: a map, shown in every answer and callback. */
export const variables = (extra: Extra = {}) => map({ description: "Whatever the shop wants to find again", ...extra });

/** An object, or a text that holds one as JSON. */
export const json = (extra: Extra = {}) =>
  Type.Unsafe<Record<string, unknown>>({ ...free_object, read: readJsonText, ...annotated(extra) });

function readJsonText(value: string): unknown {
  try {
    return readJson(value);
  } catch {
    return undefined;
  }
}

/** Members under one name: `shipping[method]`. One of which nothing is given counts as not given. */
export const group = <Members extends TProperties>(members: Members, extra: Extra = {}) =>
  Type.Object(members, annotated(extra));

/** `basket[][qty]=1`, `basket[0][qty]=1` or a JSON array; a single value is a list of one. */
export const list = <Item extends TSchema>(item: Item, { max, ...extra }: Extra & { readonly max: number }) =>
  Type.Array(item, { maxItems: max, ...annotated(extra) });

/** May be cleared with JSON null where the endpoint takes nulls. */
export const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
