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

async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    const { message, code } = error as { message?: string; code?: string };
    throw new WrongDatabase(`The database cannot be reached: check DATABASE_URL (${message || code}).`);
  }
}

/** The first connection of all. Throws `WrongDatabase` when there is none, or its server is of no use. */
export async function reach(pool: pg.Pool): Promise<pg.PoolClient> {
  const client = await connect(pool);
  try {
    const { rows } = await client.query<{ server_version_num: string }>("SHOW server_version_num");
    if (Number(rows[0]?.server_version_num) < server_version_min)
      throw new WrongDatabase("This PostgreSQL is too old: CoolPay needs 15 or newer.");
    return client;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

const migrationFiles = (): string[] =>
  readdirSync(folder)
    .filter((name) => /^\d{4}_.*\.sql$/.test(name))
    .sort();

type Migrations = {
  /** Known to this program, not applied to the database. */
  readonly missing: readonly string[];
  /** Applied to the database by a newer release. */
  readonly unknown: readonly string[];
};

/** How this program and the database differ. */
export async function compareMigrations(db: pg.Pool | pg.PoolClient): Promise<Migrations> {
  const files = migrationFiles();
  const { rows } = await db.query<{ there: boolean }>("SELECT to_regclass('migrations') IS NOT NULL AS there");
  if (rows[0]?.there !== true) return { missing: files, unknown: [] };
  const applied = (await db.query<{ name: string }>("SELECT name FROM migrations ORDER BY name")).rows;
  const names = new Set(applied.map(({ name }) => name));
  return {
    missing: files.filter((name) => !names.has(name)),
    unknown: [...names].filter((name) => !files.includes(name)),
  };
}

/** The migrations that the database lacks. Throws `WrongDatabase` when it is newer than this program. */
export async function missingMigrations(db: pg.Pool | pg.PoolClient): Promise<readonly string[]> {
  const { missing, unknown } = await compareMigrations(db);
  if (unknown.length === 0) return missing;
  throw new WrongDatabase(
    `The database is newer than this program: it holds migration ${unknown[0]}. Use the release that made it.`,
  );
}

/** Applies what is missing; answers how many that were. Throws `WrongDatabase` when the database is of no use. */
export async function migrate(pool: pg.Pool): Promise<number> {
  const client = await reach(pool);
  try {
    await client.query("SELECT pg_advisory_lock($1)", [lock_key]);
    const missing = await missingMigrations(client);
    if (missing.length > 0) {
      await client.query(
        'CREATE TABLE IF NOT EXISTS migrations (name text COLLATE "C" PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
      );
    }
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
