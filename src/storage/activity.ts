// The audit trail of what is not a transaction's own (those travel with commit.ts), and reading all of it.

import type pg from "pg";
import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";
import type { ActivityRow } from "./rows.ts";

export async function writeActivity(db: Db, row: ActivityRow): Promise<void> {
  await db.query("INSERT INTO activity SELECT * FROM json_populate_record(NULL::activity, $1)", [JSON.stringify(row)]);
}

export type ActivityList = {
  readonly account_id: number;
  readonly filters: {
    readonly user_id?: number | undefined;
    readonly agreement_id?: number | undefined;
    readonly target_type?: string | undefined;
    readonly target_id?: number | undefined;
  };
  readonly sort_dir: "asc" | "desc";
  readonly limit: number;
  readonly offset: number;
  readonly after: { readonly id: string | number; readonly backwards: boolean } | null;
};

/** In the order of their ids, which begin with the time. */
export async function listActivity(
  db: Db,
  { account_id, filters, sort_dir, limit, offset, after }: ActivityList,
): Promise<ActivityRow[]> {
  const values: unknown[] = [bucketOf(account_id), account_id];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const where = ["bucket = $1", "account_id = $2"];
  for (const name of ["user_id", "agreement_id", "target_type", "target_id"] as const) {
    if (filters[name] !== undefined) where.push(`${name} = ${bind(filters[name])}`);
  }
  const descending = (sort_dir === "desc") !== (after?.backwards ?? false);
  if (after !== null) where.push(`id ${descending ? "<" : ">"} ${bind(String(after.id))}`);
  const { rows } = await db.query<ActivityRow>(
    `SELECT * FROM activity WHERE ${where.join(" AND ")} ORDER BY id ${descending ? "DESC" : "ASC"}
     LIMIT ${bind(limit)} OFFSET ${bind(offset)}`,
    values,
  );
  return after?.backwards ? rows.reverse() : rows;
}

export async function activityById(
  pool: pg.Pool,
  { account_id, id }: { account_id: number; id: string },
): Promise<ActivityRow | null> {
  const { rows } = await pool.query<ActivityRow>(
    "SELECT * FROM activity WHERE bucket = $1 AND account_id = $2 AND id = $3",
    [bucketOf(account_id), account_id, id],
  );
  return rows[0] ?? null;
}
