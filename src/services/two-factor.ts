// The second factor: codes of an authenticator app (RFC 6238, by the package otpauth) or recovery codes, each accepted once
// whichever process it comes to. A code proves an address for some minutes, so that a client need not ask for each call.

import { hash, randomBytes } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import { Refused } from "../domain/refusal.ts";
import { type Db, lockUser, type UserRow, userById } from "../storage/directory.ts";
import { inTransaction } from "../storage/pool.ts";
import { deleteSessions } from "../storage/sessions.ts";
import {
  confirmTwoFactor,
  countTry,
  deleteTwoFactor,
  isProven,
  lockTwoFactor,
  storeProof,
  storeTwoFactor,
  type TwoFactorRow,
  twoFactorOf,
  useRecoveryCode,
  useStep,
} from "../storage/two-factor.ts";
import { changing, conflict } from "./changing.ts";
import type { User } from "./directory.ts";
import type { Actor, Services } from "./services.ts";
import { mustExist, noteUser, prove } from "./users.ts";

// What every authenticator app can do (RFC 6238, section 1.2, and what apps have settled on).
const period_s = 30;
const totp_settings = { issuer: "CoolPay", algorithm: "SHA1", digits: 6, period: period_s } as const;
const secret_bytes = 20;
// A code may be typed slowly, and a phone's clock be wrong: one step before and after (RFC 6238, section 5.2).
const steps_around = 1;

const recovery_code_count = 10;
const recovery_code_bytes = 10;
const recovery_pattern = /^[a-z2-7]{4}(-[a-z2-7]{4}){3}$/;

// A code proves an address for this long (reference: extensions, section 3).
const proof_ms = 5 * 60_000;
// As many as passwords of one e-mail (reference: extensions, section 2), counted for all processes together.
const tries_max = 10;
const tries_window_ms = 15 * 60_000;

const seal_purpose = "two-factor";

type Sealed = { readonly secret: string; readonly recovery_codes?: readonly string[] };

const totpOf = (secret: string, label: string): TOTP =>
  new TOTP({ ...totp_settings, label, secret: Secret.fromBase32(secret) });

const open = ({ seal }: Services, { sealed }: TwoFactorRow): Sealed => JSON.parse(seal.open(sealed, seal_purpose));

const close = ({ seal }: Services, value: Sealed): Buffer => seal.close(JSON.stringify(value), seal_purpose);

/** 80 random bits in letters that are hard to mistake: `k3v7-q2md-…`. */
const newRecoveryCode = (): string =>
  (new Secret({ buffer: Uint8Array.from(randomBytes(recovery_code_bytes)).buffer }).base32.match(/.{4}/g) ?? [])
    .join("-")
    .toLowerCase();

const recoveryHash = (code: string): Buffer => hash("sha256", code, "buffer");

export type Enrolment = {
  readonly secret: string;
  readonly otpauth_url: string;
  readonly recovery_codes: readonly string[];
};

const shown = ({ secret, recovery_codes = [] }: Sealed, { email, name }: User): Enrolment => ({
  secret,
  otpauth_url: totpOf(secret, email ?? name).toString(),
  recovery_codes,
});

const target = ({ id }: { readonly id: number }) => ({ type: "User", id });
const inForce = () => conflict("two-factor is in force already: end it first");

/** A secret for an authenticator app, and recovery codes. Neither is asked for before `confirm`. Throws 409 when it is in force. */
export async function begin(services: Services, actor: Actor, user: User): Promise<Enrolment> {
  const secret = new Secret({ size: secret_bytes }).base32;
  const sealed = { secret, recovery_codes: Array.from({ length: recovery_code_count }, newRecoveryCode) };
  const at = services.clock.now();
  await changing(services, actor, {
    work: async (db) => {
      await mustExist(lockUser(db, user.id));
      if (!(await storeTwoFactor(db, { user_id: user.id, sealed: close(services, sealed), at }))) throw inForce();
      return user;
    },
    target,
  });
  return shown(sealed, user);
}

/** What `begin` answered; null when there is nothing, or it is in force and nothing of it is shown any more. */
export async function begun(services: Services, user: User): Promise<Enrolment | null> {
  const row = await twoFactorOf(services.pool, user.id);
  return row === null || row.confirmed_at !== null ? null : shown(open(services, row), user);
}

const wrongCode = () => new Refused("validation", { code: ["is invalid"] });

type WithCode = { readonly user: User; readonly code: string };

/**
 * In force once a code shows that the app has the secret; other sessions, opened by the password alone, end. Throws 400 for a
 * wrong code, 409 when there is nothing to confirm.
 */
export const confirm = (
  services: Services,
  actor: Actor,
  { user, code, session_id }: WithCode & { readonly session_id: number | null },
): Promise<UserRow> =>
  changing(services, actor, {
    work: async (db) => {
      const at = services.clock.now();
      const before = await mustExist(lockUser(db, user.id));
      const row = await twoFactorOf(db, user.id);
      if (row === null) throw conflict("two-factor was not begun");
      if (row.confirmed_at !== null) throw inForce();
      const { secret, recovery_codes = [] } = open(services, row);
      const step = stepOf(secret, code, at);
      if (step === null) throw wrongCode();
      await confirmTwoFactor(db, {
        user_id: user.id,
        sealed: close(services, { secret }),
        step,
        recovery_hashes: recovery_codes.map(recoveryHash),
        at,
      });
      await deleteSessions(db, user.id, session_id);
      const after = { ...before, two_factor: true };
      await noteUser(db, actor, { action: "two-factor", before, after, at });
      return after;
    },
    target,
  });

type Ending = WithCode & { readonly current_password: string };

/** Ends it. Asks for both factors once more, whatever the address has proven: a borrowed session shall not do it. */
export async function end(
  services: Services,
  actor: Actor,
  { user, code, current_password }: Ending,
): Promise<UserRow> {
  const before = await mustExist(userById(services.pool, user.id));
  if (!before.two_factor) throw conflict("two-factor is not in force");
  await prove(services, before, current_password);
  await countedTry(services, services.pool, user.id);
  return changing(services, actor, {
    work: async (db) => {
      const at = services.clock.now();
      await mustExist(lockUser(db, user.id));
      if (!(await useCode(services, db, { user_id: user.id, code }))) throw wrongCode();
      await deleteTwoFactor(db, user.id);
      const after = { ...before, two_factor: false };
      await noteUser(db, actor, { action: "two-factor", before, after, at });
      return after;
    },
    target,
  });
}

/** The time step that this code belongs to, if it is one of those around now. */
function stepOf(secret: string, code: string, now: Date): number | null {
  if (!/^\d{6}$/.test(code)) return null;
  const timestamp = now.getTime();
  const delta = totpOf(secret, "").validate({ token: code, timestamp, window: steps_around });
  return delta === null ? null : Math.floor(timestamp / (period_s * 1000)) + delta;
}

/** Throws 429 when too many codes were tried. Every try counts before its code is looked at, so that none is free. */
async function countedTry({ clock }: Services, db: Db, user_id: number): Promise<void> {
  const now = clock.now();
  const { tries, since } = await countTry(db, { user_id, now, window_ms: tries_window_ms });
  if (tries <= tries_max) return;
  const left_ms = since.getTime() + tries_window_ms - now.getTime();
  throw new Refused("too_many_failures", null, { retry_after_s: Math.max(1, Math.ceil(left_ms / 1000)) });
}

/** Uses up a code of the app or a recovery code; false when it is neither, or was used. */
async function useCode(
  services: Services,
  db: Db,
  { user_id, code }: { readonly user_id: number; readonly code: string },
): Promise<boolean> {
  const recovery = code.toLowerCase();
  if (recovery_pattern.test(recovery)) return useRecoveryCode(db, { user_id, hash: recoveryHash(recovery) });
  const row = await twoFactorOf(db, user_id);
  if (row === null) return false;
  const step = stepOf(open(services, row).secret, code, services.clock.now());
  return step !== null && useStep(db, { user_id, step });
}

type Passing = { readonly user: User; readonly address: string; readonly code: string | undefined };

/**
 * May a call with this user's right password pass, from this address and with this code (the header `CoolPay-OTP`)? A code
 * that passes proves the address for five minutes, for every process. Throws 429 when too many codes were tried.
 */
export async function passes(
  services: Services,
  { user, address, code }: Passing,
): Promise<"passes" | "missing" | "wrong"> {
  if (!user.two_factor) return "passes";
  const { pool, clock } = services;
  const now = clock.now();
  const user_id = user.id;
  if (await isProven(pool, { user_id, address, now })) return "passes";
  // What this process remembers of the user may be older than the end of it.
  if (((await twoFactorOf(pool, user_id))?.confirmed_at ?? null) === null) return "passes";
  if (code === undefined || code === "") return "missing";
  return inTransaction(pool, async (db) => {
    // One at a time: of many requests that open with one code the first uses it, and finds the address proven for the others.
    await lockTwoFactor(db, user_id);
    if (await isProven(db, { user_id, address, now })) return "passes";
    await countedTry(services, db, user_id);
    if (!(await useCode(services, db, { user_id, code }))) return "wrong";
    await storeProof(db, { user_id, address, until: new Date(now.getTime() + proof_ms) });
    return "passes";
  });
}
