// Who is who, from memory where it can be: keys, passwords and accounts are looked up on every request. What is
// remembered is asked for again after a few seconds, so that a revoked key or changed password stops working everywhere.

import { createHmac, hash, randomBytes } from "node:crypto";
import { hash as argon2Hash, verify as argon2Verify } from "@node-rs/argon2";
import type pg from "pg";
import type { Agreement } from "../domain/access.ts";
import type { FraudRuleset } from "../domain/fraud-rules.ts";
import { notFound } from "../domain/refusal.ts";
import {
  type AccountRow,
  accountById,
  agreementByKeyHash,
  agreementsOfAccount,
  agreementsOfUser,
  toAgreement,
  type UserRow,
  userByEmail,
  userById,
} from "../storage/directory.ts";
import { fraudRulesetsOf } from "../storage/fraud-rulesets.ts";
import { hasLogo } from "../storage/logos.ts";
import { sessionByToken } from "../storage/sessions.ts";
import { limiter } from "./limited.ts";
import type { Seal } from "./seal.ts";
import { openSettings } from "./secrets.ts";

// Below the 5 s that a revoked key may still work elsewhere (extensions, section 2).
const remembered_ms = 4_000;
const remembered_max = 10_000;
// A cached proof of a password; argon2id takes a good part of a second of a core.
const proof_ms = 300_000;
const hashes_at_once_max = 2;
const hashes_waiting_max = 20;
// The old private key signs beside the new one for this long.
const old_key_ms = 24 * 3_600_000;

export type Account = Omit<AccountRow, "private_key" | "old_private_key" | "private_key_changed_at">;
export type User = Omit<UserRow, "password_hash">;

export type Directory = {
  readonly byKey: (key: string) => Promise<Agreement | null>;
  /** Null when e-mail or password is wrong. Takes the same time for an unknown e-mail. */
  readonly byPassword: (email: string, password: string) => Promise<User | null>;
  /** Null when there is no such session (any more). */
  readonly bySession: (token: string) => Promise<{ readonly id: number; readonly user: User } | null>;
  readonly agreementsOf: (user_id: number) => Promise<readonly Agreement[]>;
  /** Every accepted agreement of an account. */
  readonly agreementsWith: (account_id: number) => Promise<readonly Agreement[]>;
  /** Throws when there is no such account (any more). */
  readonly account: (id: number) => Promise<Account>;
  /** Newest first; two for a day after a change. */
  readonly privateKeys: (account_id: number) => Promise<readonly string[]>;
  /** The account's own rule sets against fraud, in the order of their ids. */
  readonly fraudRulesets: (account_id: number) => Promise<readonly FraudRuleset[]>;
  readonly hashPassword: (password: string) => Promise<string>;
  /** Does this stored hash belong to this password? */
  readonly verifyPassword: (hash: string, password: string) => Promise<boolean>;
  /** Has the payment window one of this account to show? */
  readonly hasLogo: (account_id: number) => Promise<boolean>;
  /** After a change made here: ask again at once. */
  readonly forget: () => void;
};

export const keyHash = (key: string): Buffer => hash("sha256", key, "buffer");

type Parts = {
  readonly pool: pg.Pool;
  readonly seal: Seal;
  readonly now: () => Date;
  readonly password_cost?: PasswordCost | undefined;
};

export function createDirectory({ pool, seal, now, password_cost = owasp_cost }: Parts): Directory {
  const keys = remembering((hash: string) =>
    agreementByKeyHash(pool, Buffer.from(hash, "hex")).then((row) => (row === null ? null : toAgreement(row))),
  );
  const accounts = remembering(async (id: number) => {
    const row = await accountById(pool, id);
    if (row === null) throw notFound("Account", id);
    return { ...row, settings: openSettings(seal, row.settings) };
  });
  const users = remembering((email: string) => userByEmail(pool, email));
  const sessions = remembering(async (hash: string) => {
    const session = await sessionByToken(pool, Buffer.from(hash, "hex"));
    const user = session && (await userById(pool, session.user_id));
    return session && user && { id: session.id, expires_at: session.expires_at, user: withoutPassword(user) };
  });
  const memberships = remembering(async (user_id: number) =>
    (await agreementsOfUser(pool, user_id)).filter(({ accepted }) => accepted).map(toAgreement),
  );
  const members = remembering(async (account_id: number) =>
    (await agreementsOfAccount(pool, account_id)).filter(({ accepted }) => accepted).map(toAgreement),
  );
  const rulesets = remembering(
    (account_id: number): Promise<readonly FraudRuleset[]> => fraudRulesetsOf(pool, account_id),
  );
  const logos = remembering((account_id: number) => hasLogo(pool, { account_id, type: "payment_window" }));
  const passwords = passwordProofs(password_cost);

  return {
    byKey: (key) => keys.get(hash("sha256", key)),
    async byPassword(email, password) {
      const row = await users.get(email.toLowerCase());
      const correct = await passwords.check(row?.password_hash ?? null, password);
      return row !== null && correct ? withoutPassword(row) : null;
    },
    async bySession(token) {
      const session = await sessions.get(hash("sha256", token));
      return session !== null && session.expires_at > now() ? session : null;
    },
    agreementsOf: memberships.get,
    agreementsWith: members.get,
    account: accounts.get,
    async privateKeys(account_id) {
      const row = await accounts.get(account_id);
      const keys = [seal.open(row.private_key, "private_key")];
      const changed = row.private_key_changed_at?.getTime() ?? 0;
      if (row.old_private_key !== null && now().getTime() - changed < old_key_ms) {
        keys.push(seal.open(row.old_private_key, "private_key"));
      }
      return keys;
    },
    fraudRulesets: rulesets.get,
    hasLogo: logos.get,
    hashPassword: (password) => passwords.hash(password),
    verifyPassword: (hash, password) => passwords.check(hash, password),
    forget() {
      for (const cache of [keys, accounts, users, sessions, memberships, members, rulesets, logos]) cache.clear();
    },
  };
}

const withoutPassword = ({ password_hash: _, ...user }: UserRow): User => user;

/** Remembers answers for `remembered_ms`; concurrent questions are asked once. */
function remembering<Key, Value>(ask: (key: Key) => Promise<Value>) {
  type Entry = { readonly value: Promise<Value>; readonly until: number };
  let entries = new Map<Key, Entry>();
  return {
    get(key: Key): Promise<Value> {
      const now = performance.now();
      const known = entries.get(key);
      if (known !== undefined && known.until > now) return known.value;
      if (entries.size >= remembered_max) entries = new Map();
      const value = ask(key);
      const entry = { value, until: now + remembered_ms };
      entries.set(key, entry);
      value.catch(() => {
        if (entries.get(key) === entry) entries.delete(key);
      });
      return value;
    },
    clear() {
      entries = new Map();
    },
  };
}

/** Of argon2id: KiB of memory, and how often it is gone through. */
export type PasswordCost = { readonly memoryCost: number; readonly timeCost: number };

// OWASP's advice: 19 MiB, 2 passes, 1 lane.
const owasp_cost: PasswordCost = { memoryCost: 19_456, timeCost: 2 };

/** argon2id, at most two at once; a proof is a hash keyed with this process's own secret. */
function passwordProofs(cost: PasswordCost) {
  const options = { ...cost, parallelism: 1 };
  const secret = randomBytes(32);
  const proofs = new Map<string, number>();
  const under_way = new Map<string, Promise<boolean>>();
  const limited = limiter({ at_once_max: hashes_at_once_max, waiting_max: hashes_waiting_max, retry_after_s: 1 });
  // Checked for unknown e-mails, so that they take as long as known ones.
  const decoy = argon2Hash(randomBytes(16).toString("hex"), options);

  async function verify(hash: string | null, password: string, proof: string): Promise<boolean> {
    const correct = await limited(async () => argon2Verify(hash ?? (await decoy), password));
    if (hash === null || !correct) return false;
    if (proofs.size >= remembered_max) proofs.clear();
    proofs.set(proof, performance.now() + proof_ms);
    return true;
  }

  return {
    hash: (password: string) => limited(() => argon2Hash(password, options)),
    check(hash: string | null, password: string): Promise<boolean> {
      const proof = createHmac("sha256", secret).update(`${hash}\n${password}`).digest("hex");
      if ((proofs.get(proof) ?? 0) > performance.now()) return Promise.resolve(true);
      // A client that opens with many requests at once proves itself once.
      const known = under_way.get(proof);
      if (known !== undefined) return known;
      const checked = verify(hash, password, proof).finally(() => under_way.delete(proof));
      under_way.set(proof, checked);
      return checked;
    },
  };
}
