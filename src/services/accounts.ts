// Merchant accounts: opening one with its three agreements, changing its settings and keys, closing it.

import { type AccountSettings, newAccount } from "../domain/account.ts";
import { Refused } from "../domain/refusal.ts";
import { writeActivity } from "../storage/activity.ts";
import {
  accountById,
  changePrivateKey,
  closeAccount,
  insertAccount,
  insertAgreement,
  insertUser,
  lockAccount,
  updateSettings,
} from "../storage/directory.ts";
import { isUniqueViolation } from "../storage/errors.ts";
import { claimKey } from "../storage/idempotency.ts";
import { inTransaction } from "../storage/pool.ts";
import { activity, differences } from "./activity.ts";
import { newKey } from "./agreements.ts";
import type { Account, User } from "./directory.ts";
import { secretHex } from "./ids.ts";
import { openSettings, sealSettings } from "./secrets.ts";
import type { Actor, Services } from "./services.ts";

export type SettingsChange = { readonly [name in keyof AccountSettings]?: unknown };

/** A claim that another request committed meanwhile. */
export function keyTaken(error: unknown): never {
  if (isUniqueViolation(error, "idempotency_keys_pkey"))
    throw new Refused("idempotency_key_running", null, { retry_after_s: 1 });
  throw error;
}

export async function openAccount(
  services: Services,
  actor: Actor,
  { user, wanted }: { user: User; wanted: SettingsChange & { shop_name: string; contact_email: string } },
): Promise<Account> {
  const { pool, seal, clock, directory } = services;
  const created_at = clock.now();
  const settings = merged(newAccount(wanted), wanted);
  const id = await inTransaction(pool, async (db) => {
    const private_key = seal.close(secretHex(), "private_key");
    const account_id = await insertAccount(db, { settings: sealSettings(seal, settings), private_key, created_at });
    const common = { account_id, accepted: true, description: null, ip_restriction: [], created_at };
    await insertAgreement(db, {
      ...common,
      user_id: user.id,
      owner: true,
      service: null,
      locked: false,
      permissions: null,
      ...newKey(seal),
    });
    for (const { name, service, locked } of [
      { name: "Payment Window", service: "payment_window", locked: true },
      { name: "API User", service: "api_user", locked: false },
    ] as const) {
      const user_id = await insertUser(db, { name, email: null, password_hash: null, is_system: true, created_at });
      await insertAgreement(db, {
        ...common,
        user_id,
        owner: false,
        service,
        locked,
        permissions: null,
        ...newKey(seal),
      });
    }
    await writeActivity(
      db,
      activity(actor, {
        target: { account_id, type: "Account", id: account_id },
        action: "create",
        changes: { shop_name: [null, settings.shop_name], contact_email: [null, settings.contact_email] },
        at: created_at,
      }),
    );
    if (actor.claim !== null)
      await claimKey(db, { ...actor.claim, resource_type: "Account", resource_id: account_id, operation_id: null });
    return account_id;
  }).catch(keyTaken);
  directory.forget();
  return directory.account(id);
}

/** What is given replaces what was; groups are merged member by member. */
function merged(before: AccountSettings, change: SettingsChange): AccountSettings {
  return mergeGroup(before, change) as AccountSettings;
}

const replaced_whole = new Set(["default_branding_config", "shop_urls", "currencies"]);

function mergeGroup(before: object, change: object): object {
  const old = before as Record<string, unknown>;
  const result: Record<string, unknown> = { ...old };
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) continue;
    const group = value !== null && typeof value === "object" && !Array.isArray(value) && !replaced_whole.has(name);
    result[name] = group ? mergeGroup((old[name] ?? {}) as object, value) : value;
  }
  return result;
}

export async function changeAccount(
  services: Services,
  actor: Actor,
  { id, change }: { id: number; change: SettingsChange },
): Promise<Account> {
  const { pool, seal, clock, directory } = services;
  await inTransaction(pool, async (db) => {
    await lockAccount(db, id);
    const row = await accountById(db, id);
    if (row === null) throw new Refused("not_found");
    const before = openSettings(seal, row.settings);
    const after = merged(before, change);
    await updateSettings(db, id, sealSettings(seal, after));
    const changes = differences(before, after);
    if (Object.keys(changes).length > 0) {
      const target = { account_id: id, type: "Account", id };
      await writeActivity(db, activity(actor, { target, action: "update", changes, at: clock.now() }));
    }
    if (actor.claim !== null)
      await claimKey(db, { ...actor.claim, resource_type: "Account", resource_id: id, operation_id: null });
  }).catch(keyTaken);
  directory.forget();
  return directory.account(id);
}

/** The old key signs beside the new one for a day. */
export async function rotatePrivateKey(services: Services, actor: Actor, account_id: number): Promise<string> {
  const { pool, seal, clock, directory } = services;
  const key = secretHex();
  const at = clock.now();
  await inTransaction(pool, async (db) => {
    await changePrivateKey(db, account_id, { private_key: seal.close(key, "private_key"), at });
    const target = { account_id, type: "Account", id: account_id };
    const changes = { private_key: ["[hidden]", "[hidden]"] as const };
    await writeActivity(db, activity(actor, { target, action: "private-key", changes, at }));
    if (actor.claim !== null)
      await claimKey(db, { ...actor.claim, resource_type: "Account", resource_id: account_id, operation_id: null });
  }).catch(keyTaken);
  directory.forget();
  return key;
}

/** No key works any more; the books stay. */
export async function close(services: Services, actor: Actor, account_id: number): Promise<void> {
  const { pool, clock, directory } = services;
  const at = clock.now();
  await inTransaction(pool, async (db) => {
    await closeAccount(db, account_id, at);
    const target = { account_id, type: "Account", id: account_id };
    await writeActivity(
      db,
      activity(actor, { target, action: "delete", changes: { closed_at: [null, at.toISOString()] }, at }),
    );
  });
  directory.forget();
}
