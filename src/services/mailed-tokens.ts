// What a mailed token proves: that an e-mail address is somebody's (verification), or that she may choose a new password
// (reset). Tokens work once, for a while, and only for the e-mail that they were mailed to.

import { mail_texts } from "../domain/mail-texts.ts";
import { Refused } from "../domain/refusal.ts";
import { type Db, lockUser, type UserRow, updateUser, userByEmail, userById } from "../storage/directory.ts";
import { forgetTokens, insertToken, type Purpose, tokenHolder, useToken } from "../storage/mails.ts";
import { changing, conflict, inOneCommit } from "./changing.ts";
import type { User } from "./directory.ts";
import { managerLink, mustHaveMail, newToken, queueMail, tokenHash } from "./mails.ts";
import type { Actor, Services } from "./services.ts";
import { checkPassword, endAccess, noteUser } from "./users.ts";

const hour_ms = 3_600_000;
const lasts_ms = { verification: 24 * hour_ms, password_reset: hour_ms } as const;
const pages = { verification: "verification", password_reset: "password-reset" } as const;
// When somebody who was mailed enough may ask again, at the latest.
const retry_after_s = 3_600;

const wrongToken = () => new Refused("validation", { token: ["is invalid"] });
const target = ({ id }: { readonly id: number }) => ({ type: "User", id });

type Mailed = { readonly purpose: Purpose; readonly user: UserRow | null; readonly email: string };

/** Inside a transaction: a new token, and the mail with it. The work is the same whether somebody has this e-mail or not. */
async function mailToken(services: Services, db: Db, { purpose, user, email }: Mailed): Promise<boolean> {
  const { token, hash } = newToken();
  const expires_at = new Date(services.clock.now().getTime() + lasts_ms[purpose]);
  await insertToken(db, { hash, purpose, user_id: user?.id ?? null, email, expires_at });
  return queueMail(services, db, {
    kind: purpose,
    recipient: email,
    // Anybody may ask for a reset; an address to be verified is the user's own claim.
    behalf: purpose === "verification" && user !== null ? `user:${user.id}` : null,
    ...mail_texts[purpose]({ link: managerLink(services, pages[purpose], token), token }),
    lasts_ms: lasts_ms[purpose],
    nobody: user === null,
  });
}

/** Throws 409 when the e-mail is verified already, 429 when it was mailed enough. */
export async function askForVerification(services: Services, actor: Actor, { id }: User): Promise<void> {
  mustHaveMail(services);
  await inOneCommit(services, actor, {
    work: async (db) => {
      const user = await lockUser(db, id);
      if (user === null || user.email === null) throw new Refused("invalid_password");
      if (user.email_verified) throw conflict("the e-mail is verified already");
      const mailed = await mailToken(services, db, { purpose: "verification", user, email: user.email });
      if (!mailed) throw new Refused("too_many_failures", null, { message: "Too many mails", retry_after_s });
      return user;
    },
    target,
  });
}

type Verification = { readonly user: User; readonly token: string };

/** Throws 400 when the token is not this user's, was used, has expired, or the e-mail has changed since. */
export const verifyEmail = (services: Services, actor: Actor, { user, token }: Verification): Promise<UserRow> =>
  changing(services, actor, {
    work: async (db) => {
      const now = services.clock.now();
      const before = await lockUser(db, user.id);
      const holder = await useToken(db, { hash: tokenHash(token), purpose: "verification", now });
      if (before === null || holder?.user_id !== before.id || holder.email !== before.email) throw wrongToken();
      const after = { ...before, email_verified: true };
      await updateUser(db, user.id, after);
      await forgetTokens(db, user.id, "verification");
      await noteUser(db, actor, { action: "update", before, after, at: now });
      return after;
    },
    target,
  });

/** Mails a token to whoever has this e-mail. Whether anybody has, neither the answer nor its time tells. */
export async function askForReset(services: Services, actor: Actor, email: string): Promise<void> {
  mustHaveMail(services);
  await inOneCommit(services, actor, {
    work: async (db) => {
      const user = await userByEmail(db, email);
      await mailToken(services, db, { purpose: "password_reset", user, email: email.toLowerCase() });
    },
    // Names nobody: a repeat is answered without looking.
    target: () => ({ type: "PasswordReset", id: 0 }),
  });
}

type Reset = { readonly token: string; readonly password: string };

/** A new password; every session and proof of the old one ends. Throws 400 for a token that opens nothing. */
export async function resetPassword(services: Services, actor: Actor, { token, password }: Reset): Promise<void> {
  const { pool, directory, clock } = services;
  const presented = { hash: tokenHash(token), purpose: "password_reset" } as const;
  // Asked before the password is hashed, which is dear, and again where it counts.
  const holder = await tokenHolder(pool, { ...presented, now: clock.now() });
  const known = holder && (await userById(pool, holder.user_id));
  if (known === null || known.email !== holder?.email) throw wrongToken();
  checkPassword(password, [known.name, known.email ?? ""]);
  const password_hash = await directory.hashPassword(password);
  await changing(services, actor, {
    work: async (db) => {
      const at = clock.now();
      const before = await lockUser(db, known.id);
      const used = await useToken(db, { ...presented, now: at });
      if (before === null || used === null || used.email !== before.email) throw wrongToken();
      const after = { ...before, password_hash };
      await updateUser(db, before.id, after);
      await endAccess(db, before.id);
      await noteUser(db, { ...actor, user_id: before.id, name: before.name }, { action: "update", before, after, at });
      return after;
    },
    target,
  });
}
