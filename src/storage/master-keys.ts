// Which master keys the database's records need, which one each living process seals with, and the installation's own
// secrets. A key's id (8 hexadecimal digits) stands in each sealed record behind its first byte (services/seal.ts).

import type pg from "pg";
import type { Db } from "./directory.ts";
import { default_lease_ms } from "./leases.ts";
import { missingMigrations, reach } from "./migrate.ts";

// Made the table whose rows hold sealed API keys, and the one that says which master keys are needed.
const agreements_migration = "0001_foundation.sql";
const master_keys_migration = "0006_master_keys.sql";

/**
 * Ids of the master keys that records of this database need; none where nothing was sealed yet. Throws `WrongDatabase`
 * when the database is of no use.
 */
export async function masterKeysNeeded(pool: pg.Pool): Promise<readonly string[]> {
  const client = await reach(pool);
  try {
    const missing = await missingMigrations(client);
    if (missing.includes(agreements_migration)) return [];
    // An older release sealed without writing its key down.
    const oldest = `(SELECT encode(substring(key_sealed FROM 2 FOR 4), 'hex') AS id FROM agreements
      WHERE key_sealed IS NOT NULL ORDER BY agreements.id LIMIT 1)`;
    const noted = missing.includes(master_keys_migration) ? "" : "UNION SELECT id FROM master_keys";
    return (await client.query<{ id: string }>(`${oldest} ${noted}`)).rows.map(({ id }) => id);
  } finally {
    client.release();
  }
}

/** From here on records are sealed with this key. */
export async function noteMasterKey(db: Db, id: string): Promise<void> {
  await db.query("INSERT INTO master_keys (id) VALUES ($1) ON CONFLICT DO NOTHING", [id]);
}

/** No record needs another key than this one any more. */
export async function forgetOtherMasterKeys(db: Db, id: string): Promise<void> {
  await db.query("DELETE FROM master_keys WHERE id <> $1", [id]);
}

/** How many living processes seal with another key than this one, or do not say with which. */
export async function processesSealingOtherwise(db: Db, id: string): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM processes
     WHERE seen_at > now() - interval '${default_lease_ms} ms' AND master_key IS DISTINCT FROM $1`,
    [id],
  );
  return rows[0]?.count ?? 0;
}

/** Keeps the secret under this name, unless there is one; answers the one that is kept, sealed. */
export async function keepSecret(db: Db, name: string, sealed: Buffer): Promise<Buffer> {
  await db.query("INSERT INTO secrets (name, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING", [name, sealed]);
  return (await secretNamed(db, name)) ?? sealed;
}

export async function secretNamed(db: Db, name: string): Promise<Buffer | null> {
  const { rows } = await db.query<{ sealed: Buffer }>("SELECT sealed FROM secrets WHERE name = $1", [name]);
  return rows[0]?.sealed ?? null;
}

/** Whether anybody has used this installation yet. */
export async function hasAccounts(db: Db): Promise<boolean> {
  const { rows } = await db.query<{ there: boolean }>("SELECT EXISTS (SELECT FROM accounts) AS there");
  return rows[0]?.there === true;
}
