// The seal of a process: the keys of the file, after a look at which ones the database's records need, and how they are read
// again while it serves.

import { randomBytes } from "node:crypto";
import type pg from "pg";
import { hasAccounts, keepSecret, masterKeysNeeded, noteMasterKey, secretNamed } from "../storage/master-keys.ts";
import { masterKeys } from "./master-keys.ts";
import { createRing, createSeal, keyIdOf, type Ring, type Seal, SealError } from "./seal.ts";

type Place = {
  readonly pool: pg.Pool;
  readonly file: string;
  /** A key is made where there is none and nothing was sealed yet. */
  readonly make: boolean;
};

// A record that nobody can open may be asked for often; the file is not read again more often than this.
const read_again_ms = 1_000;
const hash_key_name = "hash key";

/** The file's keys, all that are needed among them. Throws `SealError`, which says what is missing. */
export async function keysFor({ pool, file, make }: Place): Promise<readonly Buffer[]> {
  const needed = await masterKeysNeeded(pool);
  const keys = masterKeys(file, make && needed.length === 0);
  const there = keys.map(keyIdOf);
  const missing = needed.filter((id) => !there.includes(id));
  if (missing.length === 0) return keys;
  const [which, it] = missing.length === 1 ? ["master key", "it"] : ["master keys", "them"];
  throw new SealError(
    `Secrets in the database are sealed with ${which} ${missing.join(", ")}, not in ${file} (there: ${there.join(", ")}): ` +
      `put ${it} back, each on a line of its own, or name the right file in COOLPAY_MASTER_KEY_FILE.`,
  );
}

export type Sealing = {
  readonly seal: Seal;
  /** Reads the file again. Throws `SealError`, and goes on with the keys it had, when a key that is needed is missing. */
  readonly reload: () => Promise<void>;
};

/** Throws `SealError` when there is no key, or not the right one. The database must be migrated. */
export async function openSeal(place: Place): Promise<Sealing> {
  const { pool, file } = place;
  const keys = await keysFor(place);
  const ring = createRing(
    keys,
    rarely(() => masterKeys(file, false)),
  );
  await noteMasterKey(pool, ring.keyId());
  return {
    seal: createSeal(ring, await hashKey(pool, { ring, keys })),
    async reload() {
      const read = await keysFor({ ...place, make: false });
      const [newest] = read;
      if (newest !== undefined) await noteMasterKey(pool, keyIdOf(newest));
      ring.use(read);
    },
  };
}

/** What the keys of hashes are derived from: made once. Older installations derived them from their master key. */
async function hashKey(pool: pg.Pool, { ring, keys }: { ring: Ring; keys: readonly Buffer[] }): Promise<Buffer> {
  const kept = await secretNamed(pool, hash_key_name);
  if (kept !== null) return Buffer.from(ring.open(kept, hash_key_name), "base64");
  const oldest = keys.at(-1);
  const made = oldest !== undefined && (await hasAccounts(pool)) ? oldest : randomBytes(32);
  const sealed = await keepSecret(pool, hash_key_name, ring.close(made.toString("base64"), hash_key_name));
  return Buffer.from(ring.open(sealed, hash_key_name), "base64");
}

function rarely(read: () => readonly Buffer[]): () => readonly Buffer[] {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    if (performance.now() - last < read_again_ms) return [];
    last = performance.now();
    try {
      return read();
    } catch {
      // The record that nobody can open is the trouble to be told.
      return [];
    }
  };
}
