// Migrations: numbered SQL files, append-only, each applied once in a transaction, under a lock so that several
// processes may start at once. They are safe while the previous release still serves.

import { readdirSync, readFileSync } from "node:fs";
import type pg from "pg";

const folder = new URL("./migrations/", import.meta.url);

// Any number that nobody else uses: "coolpay" in hexadecimal, cut to 31 bits.
const lock_key = 0x6f6f6c70;

// PostgreSQL's own form of 15.0.
const server_version_min = 150_000;

/** This database cannot be used; the message says why and what to do, in one sentence. */
export class WrongDatabase extends Error {}

/** The first connection of all: says in one sentence why there is none. */
export async function reach(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    const { message, code } = error as { message?: string; code?: string };
    throw new WrongDatabase(`The database cannot be reached: check DATABASE_URL (${message || code}).`);
  }
}

const migrationFiles = (): string[] =>
  readdirSync(folder)
    .filter((name) => /^\d{4}_.*\.sql$/.test(name))
    .sort();

/** The migrations that this program knows and the database does not have. */
export async function missingMigrations(db: pg.Pool | pg.PoolClient): Promise<string[]> {
  const { rows } = await db.query<{ there: boolean }>("SELECT to_regclass('migrations') IS NOT NULL AS there");
  if (rows[0]?.there !== true) return migrationFiles();
  const applied = await db.query<{ name: string }>("SELECT name FROM migrations");
  const names = new Set(applied.rows.map(({ name }) => name));
  return migrationFiles().filter((name) => !names.has(name));
}

/** Applies what is missing; answers how many that were. Throws when the database is newer than this program. */
export async function migrate(pool: pg.Pool): Promise<number> {
  const files = migrationFiles();
  const client = await reach(pool);
  try {
    const version = await client.query<{ server_version_num: string }>("SHOW server_version_num");
    if (Number(version.rows[0]?.server_version_num) < server_version_min)
      throw new WrongDatabase("This PostgreSQL is too old: CoolPay needs 15 or newer.");
    await client.query("SELECT pg_advisory_lock($1)", [lock_key]);
    await client.query(
      'CREATE TABLE IF NOT EXISTS migrations (name text COLLATE "C" PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    const { rows } = await client.query<{ name: string }>("SELECT name FROM migrations");
    const applied = new Set(rows.map(({ name }) => name));
    const unknown = [...applied].find((name) => !files.includes(name));
    if (unknown !== undefined)
      throw new WrongDatabase(
        `The database is newer than this program: it holds migration ${unknown}. Use the release that made it.`,
      );

    const missing = files.filter((name) => !applied.has(name));
    for (const name of missing) await apply(client, name);
    return missing.length;
  } finally {
    await client.query("SELECT pg_advisory_unlock($1)", [lock_key]).catch(() => {});
    client.release();
  }
}

async function apply(client: pg.PoolClient, name: string): Promise<void> {
  await client.query("BEGIN");
  try {
    await client.query(readFileSync(new URL(name, folder), "utf8"));
    await client.query("INSERT INTO migrations (name) VALUES ($1)", [name]);
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}
