// Sealed records as they are changed to another master key: read in the order of their keys, a batch at a time, and replaced
// only where they are still what was read.

import type pg from "pg";

/** A column that holds sealed records. Its table's primary key: column -> type. */
export type SealedColumn = {
  readonly table: string;
  readonly column: string;
  readonly key: Readonly<Record<string, "smallint" | "integer" | "text">>;
};

type Value = string | number;
export type SealedRow = { readonly key: Readonly<Record<string, Value>>; readonly sealed: Buffer };

type Wanted = {
  /** Records that were sealed with this master key are left out. */
  readonly newest: string;
  readonly after: SealedRow | null;
  readonly limit: number;
};

/** The next records that need another master key. */
export async function sealedBatch(
  pool: pg.Pool,
  { table, column, key }: SealedColumn,
  { newest, after, limit }: Wanted,
): Promise<SealedRow[]> {
  const names = Object.keys(key);
  const later = after === null ? "" : `AND (${names.join(", ")}) > (${names.map((_, i) => `$${i + 3}`).join(", ")})`;
  const { rows } = await pool.query<{ sealed: Buffer } & Record<string, Value>>(
    `SELECT ${names.join(", ")}, ${column} AS sealed FROM ${table}
     WHERE ${column} IS NOT NULL AND encode(substring(${column} FROM 2 FOR 4), 'hex') <> $1 ${later}
     ORDER BY ${names.join(", ")} LIMIT $2`,
    [newest, limit, ...(after === null ? [] : names.map((name) => after.key[name]))],
  );
  return rows.map(({ sealed, ...values }) => ({ key: values, sealed }));
}

export type Replacement = SealedRow & { readonly now: Buffer };

const bytea = (bytes: Buffer): string => `\\x${bytes.toString("hex")}`;

/** Answers how many were replaced: what was written anew meanwhile stays as it was written. */
export async function replaceSealed(
  pool: pg.Pool,
  { table, column, key }: SealedColumn,
  rows: readonly Replacement[],
): Promise<number> {
  const columns = Object.entries(key).map(([name, type]) => `${name} ${type}`);
  const same = Object.keys(key).map((name) => `t.${name} = r.${name}`);
  const { rowCount } = await pool.query(
    `UPDATE ${table} t SET ${column} = r.sealed_now
     FROM json_to_recordset($1) AS r(${columns.join(", ")}, sealed_before bytea, sealed_now bytea)
     WHERE ${same.join(" AND ")} AND t.${column} = r.sealed_before`,
    [JSON.stringify(rows.map((row) => ({ ...row.key, sealed_before: bytea(row.sealed), sealed_now: bytea(row.now) })))],
  );
  return rowCount ?? 0;
}

/** How many records of this column each master key has sealed. */
export async function countSealed(pool: pg.Pool, { table, column }: SealedColumn): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ id: string; count: number }>(
    `SELECT encode(substring(${column} FROM 2 FOR 4), 'hex') AS id, count(*)::int AS count FROM ${table}
     WHERE ${column} IS NOT NULL GROUP BY 1`,
  );
  return new Map(rows.map(({ id, count }) => [id, count]));
}

/** Accounts' settings hold sealed records among others: the next accounts, with these as the text that they are. */
export async function settingsBatch(
  pool: pg.Pool,
  { after, limit }: { after: number; limit: number },
): Promise<{ readonly id: number; readonly settings: string }[]> {
  const { rows } = await pool.query<{ id: number; settings: string }>(
    "SELECT id, settings::text AS settings FROM accounts WHERE id > $1 ORDER BY id LIMIT $2",
    [after, limit],
  );
  return rows;
}

/** False where they were changed meanwhile. */
export async function replaceSettings(
  pool: pg.Pool,
  { id, settings, now }: { id: number; settings: string; now: string },
): Promise<boolean> {
  const { rowCount } = await pool.query("UPDATE accounts SET settings = $3 WHERE id = $1 AND settings::text = $2", [
    id,
    settings,
    now,
  ]);
  return rowCount === 1;
}
