// People: signing up, changing what is known of them, leaving.

import { weakness } from "../domain/passwords.ts";
import { notAuthorized, Refused } from "../domain/refusal.ts";
import { deleteOpenRequests } from "../storage/access-requests.ts";
import { writeActivity } from "../storage/activity.ts";
import {
  type AgreementRow,
  agreementByInvitation,
  agreementsOfUser,
  type Db,
  deleteUser,
  insertUser,
  lockAccount,
  lockUser,
  type UserRow,
  updateUser,
  userByEmail,
  userById,
} from "../storage/directory.ts";
import { isUniqueViolation } from "../storage/errors.ts";
import { forgetTokens } from "../storage/mails.ts";
import { deleteSessions } from "../storage/sessions.ts";
import { deleteTwoFactor, forgetProofs } from "../storage/two-factor.ts";
import { activity, differences } from "./activity.ts";
import { acceptAs, end, invitationHash } from "./agreements.ts";
import { changing, taken } from "./changing.ts";
import type { User } from "./directory.ts";
import type { Actor, Services } from "./services.ts";

export type SignupPolicy = "open" | "invite" | "closed";

type NewUser = {
  readonly name: string;
  readonly email: string;
  readonly password: string;
  readonly token: string | undefined;
};

const email_taken = () => taken("email", "is already in use");

function emailTaken(error: unknown): never {
  throw isUniqueViolation(error, "users_email_key") ? email_taken() : error;
}

/** In HTTP Basic (RFC 7617) the password begins at the first colon: such a person could never come in. */
function checkEmail(email: string | undefined): void {
  if (email?.includes(":")) throw new Refused("validation", { email: ["is invalid"] });
}

/** Throws 400 for a weak one. */
export function checkPassword(password: string, about: readonly string[]): void {
  const weak = weakness(password, about);
  if (weak !== null) throw new Refused("validation", { password: [weak] });
}

const target = ({ id }: { readonly id: number }) => ({ type: "User", id });

/** A new user; with an invitation's token also a member of the account that invited. */
export async function signUp(
  services: Services,
  actor: Actor,
  { wanted, policy }: { readonly wanted: NewUser; readonly policy: SignupPolicy },
): Promise<UserRow> {
  const { pool, directory, clock } = services;
  const { name, password, token } = wanted;
  const email = wanted.email.toLowerCase();
  if (policy === "closed") throw notAuthorized("Sign-up is closed");
  if (policy === "invite" && token === undefined) throw new Refused("validation", { token: ["is missing"] });
  checkEmail(email);
  checkPassword(password, [name, email]);
  // Asked before the password is hashed, which is dear, and again where it counts.
  await invitationFor(pool, token);
  if ((await userByEmail(pool, email)) !== null) throw email_taken();
  const password_hash = await directory.hashPassword(password);

  return changing(services, actor, {
    work: async (db) => {
      const at = clock.now();
      const invitation = await invitationFor(db, token);
      // Accounts are locked before users are numbered everywhere, so that two changes never wait for each other.
      if (invitation !== null) await lockAccount(db, invitation.account_id);
      const id = await insertUser(db, { name, email, password_hash, is_system: false, created_at: at });
      const user = await userById(db, id);
      if (user === null) throw new Error("a new user cannot be read");
      const self = { ...actor, user_id: id, name };
      await noteUser(db, self, { action: "create", before: null, after: user, at });
      if (invitation !== null) await acceptAs(services, db, { agreement: invitation, user, actor: self });
      return user;
    },
    target,
  }).catch(emailTaken);
}

/** The open invitation that this token accepts; null without a token. */
async function invitationFor(db: Db, token: string | undefined): Promise<AgreementRow | null> {
  if (token === undefined) return null;
  const invitation = await agreementByInvitation(db, invitationHash(token));
  if (invitation === null) throw new Refused("validation", { token: ["is invalid"] });
  return invitation;
}

type Noted = {
  readonly action: string;
  readonly before: UserRow | null;
  readonly after: UserRow | null;
  readonly at: Date;
};

// Users belong to no account; their trail stands under this one, which no account has.
const no_account = 0;

/** The audit trail's line about a person. */
export async function noteUser(db: Db, actor: Actor, { action, before, after, at }: Noted): Promise<void> {
  const shown = (user: UserRow | null) =>
    user && {
      name: user.name,
      email: user.email,
      email_verified: user.email_verified,
      two_factor: user.two_factor,
    };
  const new_password = before !== null && after !== null && before.password_hash !== after.password_hash;
  const changes = {
    ...differences(shown(before), shown(after)),
    ...(new_password ? { password: ["[hidden]", "[hidden]"] as const } : {}),
  };
  const id = (after ?? before)?.id ?? null;
  await writeActivity(
    db,
    activity(actor, { target: { account_id: no_account, type: "User", id }, action, changes, at }),
  );
}

type UserChange = {
  readonly name?: string | undefined;
  readonly email?: string | undefined;
  readonly password?: string | undefined;
  readonly current_password?: string | undefined;
};

/** Changes oneself; e-mail and password only with the current password. */
export async function changeUser(
  services: Services,
  actor: Actor,
  { user, change }: { readonly user: User; readonly change: UserChange },
): Promise<UserRow> {
  const { pool, directory, clock } = services;
  const { name, password } = change;
  const email = change.email?.toLowerCase();
  checkEmail(email);
  const known = await mustExist(userById(pool, user.id));
  const proves = email !== undefined || password !== undefined;
  if (proves) await prove(services, known, change.current_password);
  if (password !== undefined) checkPassword(password, [name ?? known.name, email ?? known.email ?? ""]);
  const password_hash = password === undefined ? undefined : await directory.hashPassword(password);

  return changing(services, actor, {
    work: async (db) => {
      const before = await mustExist(lockUser(db, user.id));
      if (proves && before.password_hash !== known.password_hash) throw wrongPassword("is invalid");
      const after = {
        ...before,
        name: name ?? before.name,
        email: email ?? before.email,
        email_verified: before.email_verified && (email === undefined || email === before.email),
        password_hash: password_hash ?? before.password_hash,
      };
      await updateUser(db, user.id, after);
      if (password !== undefined) await endAccess(db, user.id);
      if (after.email !== before.email) await forgetTokens(db, user.id);
      await noteUser(db, actor, { action: "update", before, after, at: clock.now() });
      return after;
    },
    target,
  }).catch(emailTaken);
}

/** Throws 401 for somebody who has left meanwhile. */
export async function mustExist(found: Promise<UserRow | null>): Promise<UserRow> {
  const user = await found;
  if (user === null) throw new Refused("invalid_password");
  return user;
}

const wrongPassword = (why: string) => new Refused("validation", { current_password: [why] });

/** What a password has opened until now ends: sessions, proven addresses, and resets that were mailed. */
export async function endAccess(db: Db, user_id: number): Promise<void> {
  await deleteSessions(db, user_id);
  await forgetProofs(db, user_id);
  await forgetTokens(db, user_id, "password_reset");
}

/** Throws 400 unless this is the user's password. */
export async function prove(
  { directory }: Services,
  { password_hash }: UserRow,
  given: string | undefined,
): Promise<void> {
  if (given === undefined) throw wrongPassword("is missing");
  if (password_hash === null || !(await directory.verifyPassword(password_hash, given)))
    throw wrongPassword("is invalid");
}

/** Leaves every account and is forgotten. Throws 409 while an account would be left without an owner. */
export const removeUser = (services: Services, actor: Actor, user: User): Promise<UserRow> =>
  changing(services, actor, {
    work: async (db) => {
      const at = services.clock.now();
      const ids = (await agreementsOfUser(db, user.id)).map(({ account_id }) => account_id);
      // In one order for all, so that two who leave never wait for each other.
      for (const account_id of ids.sort((a, b) => a - b)) await lockAccount(db, account_id);
      for (const agreement of await agreementsOfUser(db, user.id)) await end(db, actor, { agreement, at });
      const before = await mustExist(lockUser(db, user.id));
      await endAccess(db, user.id);
      await forgetTokens(db, user.id);
      await deleteTwoFactor(db, user.id);
      await deleteOpenRequests(db, user.id);
      await deleteUser(db, user.id, at);
      await noteUser(db, actor, { action: "delete", before, after: null, at });
      return before;
    },
    target,
  });
