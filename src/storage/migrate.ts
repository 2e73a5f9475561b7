// Migrations: numbered SQL files, append-only, each applied once in a transaction, under a lock so that several
// processes may start at once. They are safe while the previous release still serves.

import { readdirSync, readFileSync } from "node:fs";
import type pg from "pg";

const folder = new URL("./migrations/", import.meta.url);

// Any number that nobody else uses: "coolpay" in hexadecimal, cut to 31 bits.
const lock_key = 0x6f6f6c70;

/** Applies what is missing; answers how many that were. Throws when the database is newer than this program. */
export async function migrate(pool: pg.Pool): Promise<number> {
  const files = readdirSync(folder)
    .filter((name) => /^\d{4}_.*\.sql$/.test(name))
    .sort();
  const client = await pool.connect();
  try {
    await client.query("SELECT pg_advisory_lock($1)", [lock_key]);
    await client.query(
      'CREATE TABLE IF NOT EXISTS migrations (name text COLLATE "C" PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    const { rows } = await client.query<{ name: string }>("SELECT name FROM migrations");
    const applied = new Set(rows.map(({ name }) => name));
    const unknown = [...applied].find((name) => !files.includes(name));
    if (unknown !== undefined)
      throw new Error(`The database is newer than this program: it holds migration ${unknown}.`);

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
