// The request log: written by the many, read newest first, forgotten by age.

import type pg from "pg";
import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";

export type RequestRow = {
  readonly id: string;
  readonly at: Date;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Milliseconds. */
  readonly duration: number;
  readonly version: string | null;
  readonly agreement_id: number | null;
  readonly ip: string;
};

export type RequestDetails = {
  readonly query: unknown;
  readonly request_headers: unknown;
  readonly request_body: unknown;
  readonly response_headers: unknown;
  readonly response_body: unknown;
};

/** Rows as JSON, members named like columns. A power cut may cost the last of them: nobody waits for the disk. */
export async function insertRequests(pool: pg.Pool, rows: readonly string[]): Promise<void> {
  await pool.query({
    name: "insert_requests",
    text: `INSERT INTO requests SELECT r.* FROM json_populate_recordset(NULL::requests, $1) r
      WHERE (SELECT set_config('synchronous_commit', 'off', true)) = 'off' ON CONFLICT DO NOTHING`,
    values: [`[${rows.join(",")}]`],
  });
}

const shown = "id, at, method, path, status, duration, version, agreement_id, ip";

export type RequestList = {
  readonly account_id: number;
  readonly filters: {
    readonly method?: string | undefined;
    readonly status?: number | undefined;
    readonly failed?: boolean | undefined;
    /** Begins with this. */
    readonly path?: string | undefined;
    readonly agreement_id?: number | undefined;
    /** Ids begin with the time: the first that counts, and the first that does not any more. */
    readonly from_id?: string | undefined;
    readonly to_id?: string | undefined;
  };
  readonly sort_dir: "asc" | "desc";
  readonly limit: number;
  readonly offset: number;
  readonly after: { readonly id: string | number; readonly backwards: boolean } | null;
};

/** In the order of their ids, which is the order of their answers. */
export async function listRequests(
  db: Db,
  { account_id, filters, sort_dir, limit, offset, after }: RequestList,
): Promise<RequestRow[]> {
  const values: unknown[] = [bucketOf(account_id), account_id];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const where = ["bucket = $1", "account_id = $2"];
  const { failed, path, from_id, to_id } = filters;
  for (const name of ["method", "status", "agreement_id"] as const) {
    if (filters[name] !== undefined) where.push(`${name} = ${bind(filters[name])}`);
  }
  if (failed !== undefined) where.push(failed ? "status >= 400" : "status < 400");
  if (path !== undefined) where.push(`starts_with(path, ${bind(path)})`);
  if (from_id !== undefined) where.push(`id >= ${bind(from_id)}`);
  if (to_id !== undefined) where.push(`id < ${bind(to_id)}`);
  const descending = (sort_dir === "desc") !== (after?.backwards ?? false);
  if (after !== null) where.push(`id ${descending ? "<" : ">"} ${bind(String(after.id))}`);
  const { rows } = await db.query<RequestRow>(
    `SELECT ${shown} FROM requests WHERE ${where.join(" AND ")} ORDER BY id ${descending ? "DESC" : "ASC"}
     LIMIT ${bind(limit)} OFFSET ${bind(offset)}`,
    values,
  );
  return after?.backwards ? rows.reverse() : rows;
}

export async function requestById(
  pool: pg.Pool,
  { account_id, id }: { account_id: number; id: string },
): Promise<(RequestRow & { readonly details: RequestDetails | null }) | null> {
  const { rows } = await pool.query<RequestRow & { readonly details: RequestDetails | null }>(
    `SELECT ${shown}, details FROM requests WHERE bucket = $1 AND account_id = $2 AND id = $3`,
    [bucketOf(account_id), account_id, id],
  );
  return rows[0] ?? null;
}

// So many rows go at once: what others wait for is short, whatever a day has left.
const forgotten_at_once_max = 5_000;

/** Deletes what is older, in small parts. Another process may be doing the same. */
export async function forgetRequests(pool: pg.Pool, before: Date): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query(
      `DELETE FROM requests WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM requests WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))`,
      [before, forgotten_at_once_max],
    );
    if ((rowCount ?? 0) < forgotten_at_once_max) return;
  }
}

type About = {
  readonly account_id: number;
  /** `payments` */
  readonly folder: string;
  readonly id: number;
  readonly order_id: string | null;
  readonly from_id: string;
};

/**
 * Forgets headers and bodies of requests since `from_id` that are about a transaction: on its path or below, or with its
 * order id or id in what was said (a creation, a list). Of another thing with that number they may go, too.
 */
export async function forgetDetails(
  pool: pg.Pool,
  { account_id, folder, id, order_id, from_id }: About,
): Promise<void> {
  await pool.query(
    `UPDATE requests SET details = NULL WHERE bucket = $1 AND account_id = $2 AND id >= $3 AND details IS NOT NULL
       AND (path ~ $4 OR details::text ~ $5 OR strpos(details::text, $6) > 0)`,
    [
      ...[bucketOf(account_id), account_id, from_id],
      `^/${folder}/0*${id}(/|$)`,
      // Where it was cut it is a text within the text.
      `"id\\\\?":${id}[,}]`,
      order_id ?? "\u0001",
    ],
  );
}
