// Parameter names with brackets, as Rack and PHP write them: `variables[a]=1`, `basket[][qty]=1`, `basket[0][qty]=1`
// (reference: protocol, section 3). Everything that comes from outside becomes objects without a prototype, so that no
// name can reach into the program.

import { Refused } from "../domain/refusal.ts";

export type Params = Record<string, unknown>;

// A basket of a thousand lines with five members each; more is a mistake or an attack.
export const params_max = 5_000;
export const depth_max = 20;

const emptyObject = (): Params => Object.create(null) as Params;

export const malformed = (why: string, field = "body"): Refused =>
  new Refused("malformed_request", { [field]: ["is invalid"] }, { message: `Bad request: ${why}` });

/** Parses a query string or form-encoded body. Throws 400 for wrong encoding, too many or too deep parameters. */
export function parseForm(text: string): Params {
  const pairs: (readonly [string, string])[] = [];
  for (const part of text.split("&", params_max + 2)) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    pairs.push([decode(name), equals < 0 ? "" : decode(part.slice(equals + 1))]);
  }
  return fromPairs(pairs);
}

function decode(text: string): string {
  try {
    return text.includes("%") || text.includes("+") ? decodeURIComponent(text.replaceAll("+", " ")) : text;
  } catch {
    throw malformed("a parameter is not valid percent-encoded UTF-8");
  }
}

/** Builds nested parameters of names with brackets and their values, in order. */
export function fromPairs(pairs: readonly (readonly [string, unknown])[]): Params {
  if (pairs.length > params_max) throw malformed(`more than ${params_max} parameters`);
  const params = emptyObject();
  for (const [name, value] of pairs) {
    if (typeof value === "string") checkText(value);
    checkText(name);
    const path = pathOf(name);
    if (path.length > depth_max) throw malformed(`a parameter is nested more than ${depth_max} deep`);
    if (path[0] !== "") put(params, { path, value, name });
  }
  return params;
}

/** `a[b][][c]` -> a, b, "", c. What is not well bracketed is a plain name. */
function pathOf(name: string): string[] {
  const open = name.indexOf("[");
  if (open <= 0 || !/^(\[[^[\]]*\])+$/.test(name.slice(open))) return [checkName(name)];
  return [name.slice(0, open), ...name.slice(open + 1, -1).split("][")].map(checkName);
}

function checkName(name: string): string {
  if (name === "__proto__") throw malformed("a parameter may not be named __proto__");
  return name;
}

type Assignment = { readonly path: readonly string[]; readonly value: unknown; readonly name: string };

function put(root: Params, { path, value, name }: Assignment): void {
  let at: Params = root;
  for (let i = 0; i < path.length - 1; i++) {
    const key = path[i] ?? "";
    if (path[i + 1] !== "") {
      at = objectIn(at, key, name);
      continue;
    }
    const list = listIn(at, key, name);
    const rest = path.slice(i + 2);
    if (rest.length === 0) return void list.push(value);
    // A new element begins where the last one has this member already.
    const last = list.at(-1) as Params | undefined;
    if (last === undefined || typeof last !== "object" || has(last, rest)) list.push(emptyObject());
    at = list.at(-1) as Params;
    i += 1;
  }
  const key = path.at(-1) ?? "";
  if (typeof at[key] === "object") throw malformed(`the parameter ${name} is both a value and a group`, name);
  at[key] = value;
}

function objectIn(at: Params, key: string, name: string): Params {
  at[key] ??= emptyObject();
  const inner = at[key];
  if (typeof inner !== "object" || Array.isArray(inner)) throw malformed(`the parameter ${name} is both a value and a group`, name);
  return inner as Params;
}

function listIn(at: Params, key: string, name: string): unknown[] {
  at[key] ??= [];
  const inner = at[key];
  if (!Array.isArray(inner)) throw malformed(`the parameter ${name} is both a value and a list`, name);
  return inner;
}

function has(value: unknown, path: readonly string[]): boolean {
  let at = value;
  for (const key of path) {
    if (key === "") return Array.isArray(at) && at.length > 0;
    if (at === null || typeof at !== "object" || !Object.hasOwn(at, key)) return false;
    at = (at as Params)[key];
  }
  return true;
}

/** PostgreSQL stores neither NUL nor half a surrogate pair, and nobody means them. */
function checkText(text: string): void {
  if (text.includes("\0")) throw malformed("a parameter holds a NUL character");
  if (!text.isWellFormed()) throw malformed("a parameter is not valid Unicode");
}

/** Parsed JSON as parameters: the same limits as a form's. */
export function fromJson(value: unknown): Params {
  if (value === null || value === undefined || (Array.isArray(value) && value.length === 0)) return emptyObject();
  if (typeof value !== "object" || Array.isArray(value)) throw new Refused("validation", { body: ["is invalid"] });
  let count = 0;

  function copy(inner: unknown, depth: number): unknown {
    count += 1;
    if (count > params_max) throw malformed(`more than ${params_max} parameters`);
    if (typeof inner === "string") checkText(inner);
    if (typeof inner === "number" && Math.abs(inner) > Number.MAX_SAFE_INTEGER) {
      throw malformed("a number is beyond 2^53 and would be rounded: send it as a string");
    }
    if (inner === null || typeof inner !== "object") return inner;
    if (depth >= depth_max) throw malformed(`a parameter is nested more than ${depth_max} deep`);
    if (Array.isArray(inner)) return inner.map((item) => copy(item, depth + 1));
    const object = emptyObject();
    for (const [key, item] of Object.entries(inner)) {
      checkText(key);
      object[checkName(key)] = copy(item, depth + 1);
    }
    return object;
  }
  return copy(value, 0) as Params;
}
