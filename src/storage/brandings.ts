// Brandings and their files.

import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";

export type BrandingFile = {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** Base64; null where it was not asked for. */
  readonly data: string | null;
};

export type BrandingRow = {
  readonly id: number;
  readonly account_id: number;
  readonly name: string;
  readonly created_at: Date;
  /** By their names. */
  readonly resources: readonly BrandingFile[];
};

type Key = { readonly account_id: number; readonly id: number };

/** Of a file's content only as much is read as is shown. */
const columns = (with_data: boolean): string => `b.id, b.account_id, b.name, b.created_at, COALESCE((
  SELECT json_agg(json_build_object('name', f.name, 'size', octet_length(f.data),
    'data', ${with_data ? "translate(encode(f.data, 'base64'), E'\\n', '')" : "NULL"}) ORDER BY f.name)
  FROM branding_files f WHERE f.bucket = b.bucket AND f.branding_id = b.id), '[]') AS resources`;

export async function brandingById(db: Db, { account_id, id }: Key, with_data: boolean): Promise<BrandingRow | null> {
  const { rows } = await db.query<BrandingRow>(
    `SELECT ${columns(with_data)} FROM brandings b WHERE b.bucket = $1 AND b.account_id = $2 AND b.id = $3`,
    [bucketOf(account_id), account_id, id],
  );
  return rows[0] ?? null;
}

export type BrandingList = {
  readonly account_id: number;
  readonly with_data: boolean;
  readonly sort_by: "name" | "id";
  readonly sort_dir: "asc" | "desc";
  readonly limit: number;
  readonly offset: number;
  readonly after: { readonly value: string | number; readonly id: string | number; readonly backwards: boolean } | null;
};

/** One page of an account's brandings, in the order asked for. */
export async function listBrandings(db: Db, query: BrandingList): Promise<BrandingRow[]> {
  const { account_id, with_data, sort_by, sort_dir, limit, offset, after } = query;
  const values: unknown[] = [bucketOf(account_id), account_id];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const descending = (sort_dir === "desc") !== (after?.backwards ?? false);
  const direction = descending ? "DESC" : "ASC";
  const [row, order] =
    sort_by === "id" ? ["b.id", `b.id ${direction}`] : ["(b.name, b.id)", `b.name ${direction}, b.id ${direction}`];
  const where = ["b.bucket = $1", "b.account_id = $2"];
  if (after !== null) {
    const bound = sort_by === "id" ? bind(after.id) : `(${bind(after.value)}, ${bind(after.id)})`;
    where.push(`${row} ${descending ? "<" : ">"} ${bound}`);
  }
  const { rows } = await db.query<BrandingRow>(
    `SELECT ${columns(with_data)} FROM brandings b WHERE ${where.join(" AND ")}
     ORDER BY ${order} LIMIT ${bind(limit)} OFFSET ${bind(offset)}`,
    values,
  );
  return after?.backwards ? rows.reverse() : rows;
}

/** Until the transaction ends nobody else changes this branding or its files. Null when there is none. */
export async function lockBranding(db: Db, { account_id, id }: Key): Promise<{ readonly name: string } | null> {
  const { rows } = await db.query<{ name: string }>(
    "SELECT name FROM brandings WHERE bucket = $1 AND account_id = $2 AND id = $3 FOR UPDATE",
    [bucketOf(account_id), account_id, id],
  );
  return rows[0] ?? null;
}

export async function hasBranding(db: Db, { account_id, id }: Key): Promise<boolean> {
  const { rowCount } = await db.query("SELECT FROM brandings WHERE bucket = $1 AND account_id = $2 AND id = $3", [
    bucketOf(account_id),
    account_id,
    id,
  ]);
  return rowCount === 1;
}

export async function countBrandings(db: Db, account_id: number): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM brandings WHERE bucket = $1 AND account_id = $2",
    [bucketOf(account_id), account_id],
  );
  return rows[0]?.count ?? 0;
}

type New = Key & { readonly name: string; readonly created_at: Date };

export async function insertBranding(db: Db, { account_id, id, name, created_at }: New): Promise<void> {
  await db.query("INSERT INTO brandings (bucket, account_id, id, name, created_at) VALUES ($1, $2, $3, $4, $5)", [
    bucketOf(account_id),
    account_id,
    id,
    name,
    created_at,
  ]);
}

export async function copyFiles(db: Db, { account_id, id }: Key, from_id: number): Promise<void> {
  await db.query(
    `INSERT INTO branding_files (bucket, account_id, branding_id, name, data)
     SELECT bucket, account_id, $3, name, data FROM branding_files
     WHERE bucket = $1 AND account_id = $2 AND branding_id = $4`,
    [bucketOf(account_id), account_id, id, from_id],
  );
}

export async function renameBranding(db: Db, { account_id, id }: Key, name: string): Promise<void> {
  await db.query("UPDATE brandings SET name = $4 WHERE bucket = $1 AND account_id = $2 AND id = $3", [
    bucketOf(account_id),
    account_id,
    id,
    name,
  ]);
}

/** With its files. */
export async function deleteBranding(db: Db, { account_id, id }: Key): Promise<void> {
  await db.query("DELETE FROM brandings WHERE bucket = $1 AND account_id = $2 AND id = $3", [
    bucketOf(account_id),
    account_id,
    id,
  ]);
}

export type FileKey = Key & { readonly name: string };

export async function readFile(db: Db, { account_id, id, name }: FileKey): Promise<Buffer | null> {
  const { rows } = await db.query<{ data: Buffer }>(
    "SELECT data FROM branding_files WHERE bucket = $1 AND account_id = $2 AND branding_id = $3 AND name = $4",
    [bucketOf(account_id), account_id, id, name],
  );
  return rows[0]?.data ?? null;
}

/** What the payment window shows of a branding; `data` only of what it reads itself. */
export type ShownBranding = {
  readonly files_version: number;
  readonly files: readonly { readonly name: string; readonly data: Buffer | null }[];
};

/** Changes with its files; null when the account has none with this id. */
export async function filesVersion(db: Db, { account_id, id }: Key): Promise<number | null> {
  const { rows } = await db.query<{ files_version: number }>({
    name: "files_version",
    text: "SELECT files_version FROM brandings WHERE bucket = $1 AND account_id = $2 AND id = $3",
    values: [bucketOf(account_id), account_id, id],
  });
  return rows[0]?.files_version ?? null;
}

/** Null when the account has none with this id. `locales`: folders such as `da%`, as LIKE has it. */
export async function shownBranding(
  db: Db,
  { account_id, id, locales }: Key & { readonly locales: readonly string[] },
): Promise<ShownBranding | null> {
  const { rows } = await db.query<{ files_version: number; name: string | null; data: Buffer | null }>(
    `SELECT b.files_version, f.name, CASE WHEN lower(f.name) LIKE '%.liquid' OR f.name = 'config.json'
        OR (f.name LIKE ANY($4) AND f.name ~* '/branding\\.(po|mo)$') THEN f.data END AS data
     FROM brandings b LEFT JOIN branding_files f ON f.bucket = b.bucket AND f.branding_id = b.id
     WHERE b.bucket = $1 AND b.account_id = $2 AND b.id = $3`,
    [bucketOf(account_id), account_id, id, locales.map((locale) => `locales/${locale}/%`)],
  );
  if (rows[0] === undefined) return null;
  const files = rows.flatMap(({ name, data }) => (name === null ? [] : [{ name, data }]));
  return { files_version: rows[0].files_version, files };
}

/** A file, with the version of the branding's files that it is of. */
export async function shownFile(
  db: Db,
  { account_id, id, name }: FileKey,
): Promise<{ readonly data: Buffer; readonly files_version: number } | null> {
  const { rows } = await db.query<{ data: Buffer; files_version: number }>(
    `SELECT f.data, b.files_version FROM branding_files f JOIN brandings b ON b.bucket = f.bucket AND b.id = f.branding_id
     WHERE f.bucket = $1 AND f.account_id = $2 AND f.branding_id = $3 AND f.name = $4`,
    [bucketOf(account_id), account_id, id, name],
  );
  return rows[0] ?? null;
}

/** How many files a branding has beside this one, and how many bytes these are. */
export async function otherFiles(
  db: Db,
  { account_id, id, name }: FileKey,
): Promise<{ readonly count: number; readonly bytes: number }> {
  const { rows } = await db.query<{ count: number; bytes: number }>(
    `SELECT count(*)::int AS count, COALESCE(sum(octet_length(data)), 0)::int AS bytes FROM branding_files
     WHERE bucket = $1 AND account_id = $2 AND branding_id = $3 AND name <> $4`,
    [bucketOf(account_id), account_id, id, name],
  );
  return rows[0] ?? { count: 0, bytes: 0 };
}

/** The other Liquid templates of the branding, by their names. */
export async function otherTemplates(db: Db, { account_id, id, name }: FileKey): Promise<Record<string, Buffer>> {
  const { rows } = await db.query<{ name: string; data: Buffer }>(
    `SELECT name, data FROM branding_files
     WHERE bucket = $1 AND account_id = $2 AND branding_id = $3 AND name <> $4 AND lower(name) LIKE '%.liquid'`,
    [bucketOf(account_id), account_id, id, name],
  );
  return Object.fromEntries(rows.map((row) => [row.name, row.data]));
}

/** Stylesheets and images are named after it at the payment window. */
const newVersion = (db: Db, { account_id, id }: Key) =>
  db.query("UPDATE brandings SET files_version = files_version + 1 WHERE bucket = $1 AND account_id = $2 AND id = $3", [
    bucketOf(account_id),
    account_id,
    id,
  ]);

/** A file of that name is replaced. */
export async function writeFile(db: Db, { account_id, id, name }: FileKey, data: Buffer): Promise<void> {
  await newVersion(db, { account_id, id });
  await db.query(
    `INSERT INTO branding_files (bucket, account_id, branding_id, name, data) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (bucket, branding_id, name) DO UPDATE SET data = excluded.data`,
    [bucketOf(account_id), account_id, id, name, data],
  );
}

export async function deleteFile(db: Db, { account_id, id, name }: FileKey): Promise<void> {
  await newVersion(db, { account_id, id });
  await db.query(
    "DELETE FROM branding_files WHERE bucket = $1 AND account_id = $2 AND branding_id = $3 AND name = $4",
    [bucketOf(account_id), account_id, id, name],
  );
}
