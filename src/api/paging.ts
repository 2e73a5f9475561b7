// Lists, one page at a time: `page` and `page_size` as the reference has them, and keyset paging by an opaque `page_key`
// that the `Link` header (RFC 8288) carries. A page key stays right while new rows arrive, and costs the same on every page.

import { Type } from "typebox";
import { Refused } from "../domain/refusal.ts";
import type { AnyRequest, Reply } from "./endpoint.ts";
import { integer, oneOf, text } from "./fields.ts";

const page_size_max = 100;
const page_size_default = 20;
// Skipping rows reads them; farther on, `page_key` is the way.
const skipped_rows_max = 100_000;
const page_key_length_max = 500;

/** What a value in a page key must be, so that the database can compare it. */
type Kind = "number" | "text" | "time";

export type Sorting<Sort extends string> = {
  /** What the rows can be sorted by, and what that is. */
  readonly sorts: Readonly<Record<Sort, Kind>>;
  readonly sort_by: NoInfer<Sort>;
  readonly sort_dir: "asc" | "desc";
  /** What the rows' ids are: they decide between rows that sort alike. */
  readonly id?: Kind;
};

/** The parameters of a list. */
export const pagingFields = <Sort extends string>({ sorts, sort_by, sort_dir }: Sorting<Sort>) => ({
  page: Type.Optional(integer({ min: 1, default: 1 })),
  page_size: Type.Optional(integer({ min: 1, max: page_size_max, default: page_size_default })),
  page_key: Type.Optional(text({ max: page_key_length_max, description: "Opaque; taken from a Link header" })),
  sort_by: Type.Optional(oneOf(Object.keys(sorts) as Sort[], { default: sort_by })),
  sort_dir: Type.Optional(oneOf(["asc", "desc"], { default: sort_dir })),
});

export type PagingInput<Sort extends string> = {
  readonly page?: number;
  readonly page_size?: number;
  readonly page_key?: string;
  readonly sort_by?: Sort;
  readonly sort_dir?: "asc" | "desc";
};

/** What a page begins after (or, backwards, ends before). */
export type Anchor = { readonly value: string | number; readonly id: string | number; readonly backwards: boolean };

export type Page<Sort extends string> = {
  readonly sort_by: Sort;
  readonly sort_dir: "asc" | "desc";
  /** One more than the page holds, to know whether another follows. */
  readonly limit: number;
  readonly offset: number;
  readonly after: Anchor | null;
};

type List<Sort extends string, Row> = {
  readonly input: PagingInput<Sort>;
  readonly sorting: Sorting<Sort>;
  /** The rows in the order asked for, `limit` at most, reading backwards from `after` where it says so. */
  readonly fetch: (page: Page<Sort>) => Promise<readonly Row[]>;
  readonly anchorOf: (row: Row, sort_by: Sort) => Omit<Anchor, "backwards">;
  readonly present: (row: Row) => unknown;
};

/** A list's answer: the page's rows and the `Link` header to its neighbours. */
export async function listReply<Sort extends string, Row>(
  { services, url, params, version }: Pick<AnyRequest, "services" | "url" | "params" | "version">,
  { input, sorting, fetch, anchorOf, present }: List<Sort, Row>,
): Promise<Reply> {
  const page = input.page ?? 1;
  const size = input.page_size ?? page_size_default;
  const sort_by = input.sort_by ?? sorting.sort_by;
  const sort_dir = input.sort_dir ?? sorting.sort_dir;
  const after =
    input.page_key === undefined
      ? null
      : readKey(input.page_key, { value: sorting.sorts[sort_by], id: sorting.id ?? "number" });
  if (after === null && page * size > skipped_rows_max) {
    throw new Refused("validation", { page: [`is too large, use page_key beyond ${skipped_rows_max} rows`] });
  }
  const offset = after === null ? (page - 1) * size : 0;
  const rows = await fetch({ sort_by, sort_dir, limit: size + 1, offset, after });

  const backwards = after?.backwards ?? false;
  const more = rows.length > size;
  const shown = !more ? rows : backwards ? rows.slice(1) : rows.slice(0, size);
  const first = shown[0];
  const last = shown.at(-1);
  const links: string[] = [];
  const link = (rel: string, row: Row, back: boolean): void => {
    const key = writeKey({ ...anchorOf(row, sort_by), backwards: back });
    links.push(`<${services.addresses.api_url}${url.path}?${queryWith(params, key)}>; rel="${rel}"`);
  };
  if (last !== undefined && (backwards || more)) link("next", last, false);
  if (first !== undefined && (backwards ? more : after !== null || offset > 0)) link("prev", first, true);
  return {
    status: 200,
    body: shown.map(present),
    ...(links.length === 0 || !version.switches.link_headers ? {} : { headers: { Link: links.join(", ") } }),
  };
}

const writeKey = ({ value, id, backwards }: Anchor): string =>
  Buffer.from(JSON.stringify([value, id, backwards ? 1 : 0])).toString("base64url");

type Kinds = { readonly value: Kind; readonly id: Kind };

function readKey(key: string, kinds: Kinds): Anchor {
  const anchor = parsedKey(key);
  if (anchor === null || !isKind(anchor.value, kinds.value) || !isKind(anchor.id, kinds.id)) {
    throw new Refused("validation", { page_key: ["is invalid"] });
  }
  return anchor;
}

function parsedKey(key: string): Anchor | null {
  // A bare number is what older clients know as a key: the id to continue after.
  if (/^\d{1,10}$/.test(key)) return { value: Number(key), id: Number(key), backwards: false };
  try {
    const [value, id, back] = JSON.parse(Buffer.from(key, "base64url").toString("utf8")) as [string, string, unknown];
    return back === 0 || back === 1 ? { value, id, backwards: back === 1 } : null;
  } catch {
    return null;
  }
}

const integer_max = 2 ** 31 - 1;

function isKind(value: unknown, kind: Kind): boolean {
  if (kind === "number") return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= integer_max;
  if (typeof value !== "string" || value.includes("\0")) return false;
  return kind === "text" || isInstant(value);
}

/** As we write them; `2026-02-31T00:00:00.000Z` is none, though `Date` reads it. */
function isInstant(value: string): boolean {
  const at = /^\d{4}-/.test(value) ? new Date(value) : new Date(Number.NaN);
  return at.getTime() >= 0 && at.toISOString() === value;
}

/** The request's own parameters, wherever they were sent, with the page replaced. */
function queryWith(params: Readonly<Record<string, unknown>>, page_key: string): string {
  const query = new URLSearchParams();
  const add = (name: string, value: unknown): void => {
    if (value === null || value === undefined) return;
    if (typeof value === "object") {
      for (const [key, inner] of Object.entries(value))
        add(Array.isArray(value) ? `${name}[]` : `${name}[${key}]`, inner);
    } else query.append(name, String(value));
  };
  for (const [name, value] of Object.entries(params)) if (name !== "page" && name !== "page_key") add(name, value);
  query.set("page_key", page_key);
  return query.toString();
}
