// Changes every sealed record to the newest master key, so that older ones may be taken away. Only a record's wrapped data
// key changes. It goes in batches beside a serving system, and may be broken off and begun again at any time.

import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { AccountSettings } from "../domain/account.ts";
import { retried } from "../storage/errors.ts";
import { forgetOtherMasterKeys, processesSealingOtherwise } from "../storage/master-keys.ts";
import {
  countSealed,
  replaceSealed,
  replaceSettings,
  type SealedColumn,
  type SealedRow,
  sealedBatch,
  settingsBatch,
} from "../storage/sealed.ts";
import { keyIdIn, type Ring, SealError } from "./seal.ts";
import { rewrapSettings, sealedIn } from "./secrets.ts";
import { savedCardPurpose } from "./vault.ts";

type Sealed = SealedColumn & { readonly purpose: string | ((row: SealedRow) => string) };

const in_bucket = (name: string, type: "text" | "integer") => ({ bucket: "smallint", [name]: type }) as const;

/** Every column that holds sealed records, beside `accounts.settings`, and what they were sealed as. */
export const sealed_columns: readonly Sealed[] = [
  { table: "secrets", column: "sealed", key: { name: "text" }, purpose: ({ key }) => String(key.name) },
  { table: "accounts", column: "private_key", key: { id: "integer" }, purpose: "private_key" },
  { table: "accounts", column: "old_private_key", key: { id: "integer" }, purpose: "private_key" },
  { table: "agreements", column: "key_sealed", key: { id: "integer" }, purpose: "api_key" },
  { table: "cryptography_keys", column: "private_key", key: in_bucket("id", "integer"), purpose: "cryptography key" },
  { table: "zero4_platforms", column: "secret", key: in_bucket("account_id", "integer"), purpose: "04-platform" },
  {
    table: "vault",
    column: "sealed",
    key: in_bucket("reference", "text"),
    purpose: ({ key }) => savedCardPurpose(String(key.reference)),
  },
  {
    table: "idempotency_keys",
    column: "answer",
    key: { bucket: "smallint", scope: "text", key: "text" },
    purpose: "answer",
  },
  { table: "two_factors", column: "sealed", key: { user_id: "integer" }, purpose: "two-factor" },
  { table: "mails", column: "sealed", key: { id: "text" }, purpose: "mail" },
];

const batch_max = 200;
// What is written meanwhile is sealed with the newest key already: a second pass finds what others changed in the first.
const passes_max = 5;
// Others may be changing the same rows in another order.
const tries_max = 3;
// Every process tells its key once a second.
const told_patience_ms = 4_000;
const told_check_ms = 250;

/** Answers how many records were changed. Throws `SealError` while a process still seals with another key. */
export async function rewrapAll(pool: pg.Pool, ring: Ring): Promise<number> {
  await allSealWith(pool, ring.keyId());
  let changed = 0;
  for (let pass = 0; pass < passes_max; pass++) {
    let found = await rewrapAllSettings(pool, ring);
    for (const column of sealed_columns) found += await rewrapColumn(pool, ring, column);
    changed += found;
    if (found > 0) continue;
    await allSealWith(pool, ring.keyId());
    await forgetOtherMasterKeys(pool, ring.keyId());
    return changed;
  }
  throw new SealError(`Records change faster than they are sealed anew (${changed} were): run it again.`);
}

async function allSealWith(pool: pg.Pool, id: string): Promise<void> {
  const deadline = performance.now() + told_patience_ms;
  for (;;) {
    const count = await processesSealingOtherwise(pool, id);
    if (count === 0) return;
    if (performance.now() > deadline) {
      const who = count === 1 ? "A process still seals" : `${count} processes still seal`;
      throw new SealError(`${who} with another key than ${id}: send SIGHUP to coolpay first, then run this again.`);
    }
    await sleep(told_check_ms);
  }
}

async function rewrapColumn(pool: pg.Pool, ring: Ring, column: Sealed): Promise<number> {
  let changed = 0;
  for (let after: SealedRow | null = null; ; ) {
    const rows: SealedRow[] = await sealedBatch(pool, column, { newest: ring.keyId(), after, limit: batch_max });
    const renewed = rows.flatMap((row) => {
      const now = rewrapped(ring, column, row);
      return now === null ? [] : [{ ...row, now }];
    });
    await retried(tries_max, () => replaceSealed(pool, column, renewed));
    changed += renewed.length;
    const last = rows.at(-1);
    if (rows.length < batch_max || last === undefined) return changed;
    after = last;
  }
}

function rewrapped(ring: Ring, { table, column, purpose }: Sealed, row: SealedRow): Buffer | null {
  try {
    return ring.rewrap(row.sealed, typeof purpose === "string" ? purpose : purpose(row));
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    throw new SealError(`${table}.${column} of ${JSON.stringify(row.key)}: ${error.message}`);
  }
}

async function rewrapAllSettings(pool: pg.Pool, ring: Ring): Promise<number> {
  let changed = 0;
  for (let after = 0; ; ) {
    const rows = await settingsBatch(pool, { after, limit: batch_max });
    for (const { id, settings } of rows) {
      const before = JSON.parse(settings) as AccountSettings;
      const wanting = sealedIn(before).filter((sealed) => keyIdIn(sealed) !== ring.keyId()).length;
      if (wanting === 0) continue;
      const now = JSON.stringify(rewrapSettings(ring, before));
      await retried(tries_max, () => replaceSettings(pool, { id, settings, now }));
      changed += wanting;
    }
    const last = rows.at(-1);
    if (rows.length < batch_max || last === undefined) return changed;
    after = last.id;
  }
}

/** How many records each master key has sealed, by its id. Reads everything. */
export async function recordsByKey(pool: pg.Pool): Promise<ReadonlyMap<string, number>> {
  const total = new Map<string, number>();
  const add = (id: string, count: number) => total.set(id, (total.get(id) ?? 0) + count);
  for (const column of sealed_columns) for (const [id, count] of await countSealed(pool, column)) add(id, count);
  for (let after = 0; ; ) {
    const rows = await settingsBatch(pool, { after, limit: batch_max });
    for (const { settings } of rows)
      for (const sealed of sealedIn(JSON.parse(settings) as AccountSettings)) add(keyIdIn(sealed), 1);
    const last = rows.at(-1);
    if (rows.length < batch_max || last === undefined) return total;
    after = last.id;
  }
}
