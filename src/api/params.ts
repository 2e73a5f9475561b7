// Parameters as everybody writes them: names with brackets, as Rack and PHP have them (`variables[a]=1`,
// `basket[][qty]=1`, `basket[0][qty]=1`), and JSON (reference: protocol, section 3). No name may reach into the
// program: what is built of names has no prototype, `__proto__` is refused, and only own members are looked at.

import { isUtf8 } from "node:buffer";
import { Refused } from "../domain/refusal.ts";

export type Params = Record<string, unknown>;
export type Pair = readonly [name: string, value: string];

// A basket of a thousand lines with five members each, and a thousand for the rest; more is a mistake or an attack.
export const params_max = 6_000;
// `variables[a][b]` is 3 deep. Nobody's data is deeper than this, and whoever walks it may recurse.
export const depth_max = 20;
// Room for the deepest name that anybody means.
const name_length_max = 1_000;

const emptyObject = (): Params => Object.create(null) as Params;

export const isGroup = (value: unknown): value is Params =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** 400 for what cannot even be read as parameters. Says what is wrong with the request, never what it held. */
export const malformed = (why: string, parameter = "body"): Refused =>
  new Refused("malformed_request", { [parameter]: ["is invalid"] }, { message: `Bad request: ${why}` });

/**
 * A parameter as an error may name it. What nobody would call one may be a value in the wrong place, such as a card
 * number, and is not repeated.
 */
const shownName = (name: string): string =>
  /^[a-z_][\w-]{0,50}(\[[\w-]{0,50}\])*$/i.test(name) && !/\d{8}/.test(name) ? name : "body";

/** The bytes as text. Throws 400 unless they are UTF-8: nothing is replaced. */
export function decodeUtf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw malformed("the body is not valid UTF-8");
  return bytes.toString("utf8");
}

/** Parses a form-encoded body. Throws 400 for wrong encoding, too many or too deep parameters. */
export const parseForm = (text: string): Params => fromPairs(formPairs(text));

/** Parses a request's query string, whose bytes Node hands over as Latin-1. Throws as `parseForm` does. */
export function parseQuery(text: string): Params {
  const bytes = Buffer.from(text, "latin1");
  if (!isUtf8(bytes)) throw malformed("the query is not valid UTF-8", "query");
  return parseForm(bytes.toString("utf8"));
}

function* formPairs(text: string): Generator<Pair> {
  for (let start = 0, end = 0; start < text.length; start = end + 1) {
    end = text.indexOf("&", start);
    if (end < 0) end = text.length;
    if (end === start) continue;
    const part = text.slice(start, end);
    const equals = part.indexOf("=");
    yield equals < 0 ? [decode(part), ""] : [decode(part.slice(0, equals)), decode(part.slice(equals + 1))];
  }
}

function decode(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    throw malformed("a parameter is not valid percent-encoded UTF-8");
  }
}

/** Builds nested parameters of names with brackets and their values, in order. Of a repeated plain one the last counts. */
export function fromPairs(pairs: Iterable<Pair>): Params {
  const params = emptyObject();
  let count = 0;
  for (const [name, value] of pairs) {
    count += 1;
    if (count > params_max) throw tooMany();
    checkName(name);
    checkText(value);
    const path = pathOf(name);
    if (path.length > depth_max) throw malformed(`a parameter is nested more than ${depth_max} deep`);
    if (path[0] === "") continue;
    if (!put(params, path, value)) throw malformed("a parameter is both a value and a group or list", shownName(name));
  }
  return params;
}

/** `a[b][][c]` -> a, b, "", c. What is not well bracketed is a plain name. */
function pathOf(name: string): readonly string[] {
  const open = name.indexOf("[");
  if (open <= 0 || !name.endsWith("]")) return [name];
  const path = [name.slice(0, open)];
  for (let at = open; at < name.length; ) {
    const close = name.indexOf("]", at);
    const inner = name.slice(at + 1, close);
    if (name[at] !== "[" || inner.includes("[")) return [name];
    path.push(inner);
    at = close + 1;
  }
  // On a null prototype the name would be harmless, but what is made of the parameters later may have one.
  if (path.includes("__proto__")) throw malformed("a parameter may not be named __proto__");
  return path;
}

/** False when the path leads through a value, or ends at a group or list. There, an empty value counts as not given. */
function put(group: Params, [key = "", ...rest]: readonly string[], value: string): boolean {
  const there = group[key];
  const free = there === undefined || there === "";
  if (rest.length === 0) {
    if (typeof there === "object") return value === "";
    group[key] = value;
    return true;
  }
  if (rest[0] === "") {
    if (!free && !Array.isArray(there)) return false;
    const list: unknown[] = free ? [] : (there as unknown[]);
    group[key] = list;
    return add(list, rest.slice(1), value);
  }
  if (!free && !isGroup(there)) return false;
  const inner = free ? emptyObject() : (there as Params);
  group[key] = inner;
  return put(inner, rest, value);
}

/** Rack's rule: a new element begins where the last one has this member already. */
function add(list: unknown[], rest: readonly string[], value: string): boolean {
  if (rest.length === 0) return list.push(value) > 0;
  if (rest[0] === "") {
    const inner: unknown[] = [];
    list.push(inner);
    return add(inner, rest.slice(1), value);
  }
  const last = list.at(-1);
  if (isGroup(last) && !has(last, rest)) return put(last, rest, value);
  const element = emptyObject();
  list.push(element);
  return put(element, rest, value);
}

/** A list within an element never begins a new one: `a[][b][]=1&a[][b][]=2` is one element with two. */
function has(element: Params, path: readonly string[]): boolean {
  let at: unknown = element;
  for (const key of path) {
    if (!isGroup(at) || !Object.hasOwn(at, key)) return false;
    at = at[key];
  }
  return true;
}

function checkName(name: string): void {
  if (name.length > name_length_max) throw malformed(`a parameter's name is longer than ${name_length_max} characters`);
  if (name === "__proto__") throw malformed("a parameter may not be named __proto__");
  checkText(name);
}

/** PostgreSQL stores neither NUL nor half a surrogate pair, and nobody means them. */
function checkText(text: string): void {
  if (text.includes("\0")) throw malformed("a parameter holds a NUL character");
  if (!text.isWellFormed()) throw malformed("a parameter is not valid Unicode");
}

/** A JSON body as parameters, with the limits of a form's. Nothing, `null` and `[]` count as `{}`. Throws 400. */
export function parseJson(text: string): Params {
  const bare = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  if (bare.trim() === "") return emptyObject();
  const value = readJson(bare);
  if (value === null || (Array.isArray(value) && value.length === 0)) return emptyObject();
  if (!isGroup(value)) throw new Refused("validation", { body: ["is invalid"] });
  return value;
}

/** JSON from outside. Throws 400 for what is not JSON, too much, too deep, or no text or number of ours. */
export function readJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed("the body is not valid JSON");
  }
  mustBeHarmless(value, [], { count: 0 });
  return value;
}

/** `__proto__` is refused as a name, and members are only looked for where they were sent: so it may stay as it is. */
function mustBeHarmless(value: unknown, path: string[], seen: { count: number }): void {
  if (typeof value === "object" && value !== null) {
    if (path.length >= depth_max) throw malformed(`a parameter is nested more than ${depth_max} deep`);
    // Each would count as one at least; a long list is not walked to find that out.
    if (Array.isArray(value) && value.length > params_max) throw tooMany();
    const keys = Object.keys(value);
    // What holds nothing counts as one, as a value does: so no body is only brackets.
    if (keys.length === 0) countOne(seen);
    const is_list = Array.isArray(value);
    for (const key of keys) {
      if (!is_list) checkName(key);
      path.push(is_list ? "" : key);
      mustBeHarmless((value as Params)[key], path, seen);
      path.pop();
    }
    return;
  }
  countOne(seen);
  if (typeof value === "string") checkText(value);
  // Beyond 2^53 JSON.parse has rounded already. What shall keep all its digits is sent as a text.
  if (typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    const [first = "body", ...inner] = path;
    throw new Refused("validation", { [shownName(first + inner.map((key) => `[${key}]`).join(""))]: ["is invalid"] });
  }
}

function countOne(seen: { count: number }): void {
  seen.count += 1;
  if (seen.count > params_max) throw tooMany();
}

const tooMany = (): Refused => malformed(`more than ${params_max} parameters`);
