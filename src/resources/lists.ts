// Lists that are short enough to be read whole.

import type { Page } from "../api/paging.ts";

/** The page's rows in its order; `keyOf` is what they are sorted by, different for each. */
export function pageIn<Row, Key extends string | number>(
  rows: readonly Row[],
  { sort_dir, limit, offset, after }: Page<string>,
  keyOf: (row: Row) => Key,
): Row[] {
  const sign = (sort_dir === "asc" ? 1 : -1) * (after?.backwards ? -1 : 1);
  const order = (a: string | number, b: string | number): number => (a < b ? -sign : a > b ? sign : 0);
  const page = rows
    .filter((row) => after === null || order(keyOf(row), after.id) > 0)
    .sort((a, b) => order(keyOf(a), keyOf(b)))
    .slice(offset, offset + limit);
  return after?.backwards ? page.reverse() : page;
}

/** JSON's `[]` and `null` empty a list on PATCH and PUT; an empty text in a form is as if not given. */
export function isEmptied(params: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = params[name];
  return value === null || (Array.isArray(value) && value.length === 0);
}
