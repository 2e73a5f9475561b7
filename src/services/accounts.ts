// Merchant accounts: opening one with its three agreements, changing its settings and keys, closing it.

import type { Service } from "../domain/access.ts";
import { type AccountSettings, newAccount } from "../domain/account.ts";
import { default_settings, secret_settings } from "../domain/acquirer-settings.ts";
import type { AcquirerName } from "../domain/acquirers.ts";
import { notFound } from "../domain/refusal.ts";
import { writeActivity } from "../storage/activity.ts";
import {
  accountById,
  agreementById,
  agreementsOfAccount,
  changePrivateKey,
  closeAccount,
  type Db,
  insertAccount,
  insertAgreement,
  lockAccount,
  updateSettings,
} from "../storage/directory.ts";
import { deleteSavedOf } from "../storage/vault.ts";
import { activity, differences } from "./activity.ts";
import { insertSystemUser, newKey, noteAgreement } from "./agreements.ts";
import { mustBeBranding } from "./brandings.ts";
import { changing } from "./changing.ts";
import { mustBeKey } from "./cryptography-keys.ts";
import type { Account, User } from "./directory.ts";
import { secretHex } from "./ids.ts";
import { openSettings, sealSettings } from "./secrets.ts";
import type { Actor, Services } from "./services.ts";

/** Settings as they are sent: what is not given stays, groups are merged member by member. */
export type SettingsChange = { readonly [name in keyof AccountSettings]?: unknown };

type New = { readonly user: User; readonly wanted: SettingsChange & { shop_name: string; contact_email: string } };

export async function openAccount(services: Services, actor: Actor, { user, wanted }: New): Promise<Account> {
  const { seal, clock, directory } = services;
  const at = clock.now();
  const { shop_name, contact_email } = wanted;
  const settings = merged(newAccount({ shop_name, contact_email }), wanted);
  const id = await changing(services, actor, {
    work: async (db) => {
      // Users are numbered before agreements everywhere, so that two changes never wait for each other's counter.
      const window_user = await insertSystemUser(db, { name: "Payment Window", at });
      const api_user = await insertSystemUser(db, { name: "API User", at });
      const private_key = seal.close(secretHex(), "private_key");
      const account_id = await insertAccount(db, {
        settings: sealSettings(seal, settings),
        private_key,
        created_at: at,
      });
      // It has none yet, so none can be named.
      await mustBeBranding(db, account_id, ["default_branding_id", brandingIn(wanted)]);
      await mustBeKey(db, account_id, [key_parameter, keyIn(wanted)]);
      await note(db, actor, { account_id, action: "create", changes: changesOf(null, settings), at });
      const members: readonly Member[] = [
        { user_id: user.id, owner: true, service: null, locked: false },
        { user_id: window_user, owner: false, service: "payment_window", locked: true },
        { user_id: api_user, owner: false, service: "api_user", locked: false },
      ];
      for (const member of members) await addMember(services, db, { account_id, member, actor, at });
      return account_id;
    },
    target,
  });
  return directory.account(id);
}

const target = (id: number) => ({ type: "Account", id });

type Member = {
  readonly user_id: number;
  readonly owner: boolean;
  readonly service: Service | null;
  readonly locked: boolean;
};
type Joining = { readonly account_id: number; readonly member: Member; readonly actor: Actor; readonly at: Date };

async function addMember({ seal }: Services, db: Db, { account_id, member, actor, at }: Joining): Promise<void> {
  const open = { accepted: true, description: null, permissions: null, ip_restriction: [], created_at: at };
  const id = await insertAgreement(db, { account_id, ...member, ...open, ...newKey(seal) });
  await noteAgreement(db, actor, { action: "create", before: null, after: await agreementById(db, id), at });
}

const merged = (before: AccountSettings, change: SettingsChange): AccountSettings =>
  mergeGroup(before, withDefaults(before, change)) as AccountSettings;

type Values = Readonly<Record<string, unknown>>;

/** Whatever is said about an acquirer says its defaults too, where there is nothing yet. */
function withDefaults({ acquirer_settings: now }: AccountSettings, change: SettingsChange): SettingsChange {
  const said = Object.entries((change.acquirer_settings ?? {}) as Readonly<Record<string, Values>>);
  const filled = said.map(([acquirer, values]): [string, Values] => {
    const defaults = Object.entries(default_settings[acquirer as AcquirerName] ?? {});
    const unset = defaults.filter(([name]) => (now[acquirer]?.[name] ?? null) === null);
    return [acquirer, { ...Object.fromEntries(unset), ...values }];
  });
  return said.length === 0 ? change : { ...change, acquirer_settings: Object.fromEntries(filled) };
}

const key_parameter = "acquirer_settings[swish][cryptography_key_id]";

/** The key that Swish is to know the merchant by, if the settings name one. */
function keyIn({ acquirer_settings }: SettingsChange): number | null {
  const { swish } = (acquirer_settings ?? {}) as Partial<AccountSettings["acquirer_settings"]>;
  const id = swish?.cryptography_key_id;
  return typeof id === "number" ? id : null;
}

/** The branding that the settings name, if any. */
const brandingIn = ({ default_branding_id: id }: SettingsChange): number | null => (typeof id === "number" ? id : null);

const replaced_whole = new Set(["default_branding_config"]);

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

/** Of a secret only that it changed. */
function changesOf(before: AccountSettings | null, after: AccountSettings) {
  const changes = Object.entries(differences(before && { ...before }, { ...after }));
  return Object.fromEntries(
    changes.map(([name, pair]) => [name, secret_names.has(name) ? (["[hidden]", "[hidden]"] as const) : pair]),
  );
}

const secret_names = new Set([
  ...secret_settings.map(({ acquirer, name }) => `acquirer_settings_${acquirer}_${name}`),
  "integration_settings_economic_agreement_token",
]);

type Noted = { readonly account_id: number; readonly action: string; readonly at: Date };

const note = (
  db: Db,
  actor: Actor,
  { account_id, action, changes, at }: Noted & { changes: ReturnType<typeof differences> },
): Promise<void> =>
  writeActivity(db, activity(actor, { target: { account_id, type: "Account", id: account_id }, action, changes, at }));

export async function changeAccount(
  services: Services,
  actor: Actor,
  { id, change }: { readonly id: number; readonly change: SettingsChange | ((now: AccountSettings) => SettingsChange) },
): Promise<Account> {
  const { seal, clock, directory } = services;
  await changing(services, actor, {
    work: async (db) => {
      await lockAccount(db, id);
      const row = await accountById(db, id);
      if (row === null || row.closed_at !== null) throw notFound("Account", id);
      const before = openSettings(seal, row.settings);
      const wanted = typeof change === "function" ? change(before) : change;
      await mustBeBranding(db, id, ["default_branding_id", brandingIn(wanted)]);
      // An acquirer's own endpoint calls it by its short name.
      const parameter = typeof change === "function" ? "cryptography_key_id" : key_parameter;
      await mustBeKey(db, id, [parameter, keyIn(wanted)]);
      const after = merged(before, wanted);
      const changes = changesOf(before, after);
      if (Object.keys(changes).length === 0) return id;
      await updateSettings(db, id, sealSettings(seal, after));
      await note(db, actor, { account_id: id, action: "update", changes, at: clock.now() });
      return id;
    },
    target,
  });
  return directory.account(id);
}

/** The old key signs beside the new one for a day. */
export async function rotatePrivateKey(services: Services, actor: Actor, account_id: number): Promise<string> {
  const { seal, clock } = services;
  const key = secretHex();
  await changing(services, actor, {
    work: async (db) => {
      const at = clock.now();
      await changePrivateKey(db, account_id, { private_key: seal.close(key, "private_key"), at });
      await note(db, actor, {
        account_id,
        action: "private-key",
        changes: { private_key: ["[hidden]", "[hidden]"] },
        at,
      });
      return account_id;
    },
    target,
  });
  return key;
}

/** No key works any more and no card is kept; the books stay, and what was begun is still settled. Throws 404 when it is closed already. */
export const close = (services: Services, actor: Actor, account_id: number): Promise<number> =>
  changing(services, actor, {
    work: async (db) => {
      const at = services.clock.now();
      await lockAccount(db, account_id);
      const row = await accountById(db, account_id);
      if (row === null || row.closed_at !== null) throw notFound("Account", account_id);
      const ended = await agreementsOfAccount(db, account_id);
      await closeAccount(db, account_id, at);
      await deleteSavedOf(db, account_id);
      for (const before of ended) await noteAgreement(db, actor, { action: "delete", before, after: null, at });
      await note(db, actor, { account_id, action: "delete", changes: { closed_at: [null, at.toISOString()] }, at });
      return account_id;
    },
    target,
  });
