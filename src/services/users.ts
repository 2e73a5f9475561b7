// People: signing up, changing what is known of them, leaving.

import { createHash } from "node:crypto";
import { weakness } from "../domain/passwords.ts";
import { notAuthorized, Refused } from "../domain/refusal.ts";
import { writeActivity } from "../storage/activity.ts";
import {
  agreementByInvitation,
  agreementsOfUser,
  deleteUser,
  endAgreement,
  insertUser,
  lockAccount,
  ownersOf,
  type UserRow,
  updateUser,
  userById,
} from "../storage/directory.ts";
import { isUniqueViolation } from "../storage/errors.ts";
import { claimKey } from "../storage/idempotency.ts";
import { inTransaction } from "../storage/pool.ts";
import { activity, differences } from "./activity.ts";
import { acceptAs } from "./agreements.ts";
import type { User } from "./directory.ts";
import { presentUser } from "./present.ts";
import type { Actor, Services } from "./services.ts";

export type SignupPolicy = "open" | "invite" | "closed";

type NewUser = {
  readonly name: string;
  readonly email: string;
  readonly password: string;
  readonly token: string | undefined;
};

export const invitationHash = (token: string): Buffer => createHash("sha256").update(token).digest();

const email_taken = () => new Refused("conflict", { email: ["is already in use"] }, { message: "Validation error" });

function checkPassword(password: string, about: readonly string[]): void {
  const weak = weakness(password, about);
  if (weak !== null) throw new Refused("validation", { password: [weak] });
}

/** A new user; with an invitation's token also a member of the account that invited. */
export async function signUp(
  services: Services,
  actor: Actor,
  { wanted, policy }: { wanted: NewUser; policy: SignupPolicy },
): Promise<UserRow> {
  const { pool, directory, clock } = services;
  const { name, email, password, token } = wanted;
  if (policy === "closed") throw notAuthorized("Sign-up is closed");
  if (policy === "invite" && token === undefined) throw new Refused("validation", { token: ["is missing"] });
  checkPassword(password, [name, email]);
  const created_at = clock.now();
  const password_hash = await directory.hashPassword(password);
  try {
    return await inTransaction(pool, async (db) => {
      const invitation = token === undefined ? null : await agreementByInvitation(db, invitationHash(token));
      if (token !== undefined && invitation === null) throw new Refused("validation", { token: ["is invalid"] });
      const id = await insertUser(db, { name, email, password_hash, is_system: false, created_at });
      const user = await userById(db, id);
      if (user === null) throw new Error("a new user cannot be read");
      if (invitation !== null)
        await acceptAs(services, db, { agreement: invitation, user, actor: { ...actor, user_id: id, name } });
      await writeActivity(db, userActivity(actor, { id, action: "create", before: null, after: user, at: created_at }));
      return user;
    });
  } catch (error) {
    if (isUniqueViolation(error, "users_email_key")) throw email_taken();
    throw error;
  } finally {
    directory.forget();
  }
}

type Person = Pick<UserRow, "name" | "email">;

/** Users belong to no account; their trail stands under account 0. */
function userActivity(
  actor: Actor,
  change: { id: number; action: string; before: Person | null; after: Person | null; at: Date },
) {
  const { id, action, before, after, at } = change;
  const shown = (person: Person | null) => (person === null ? null : { name: person.name, email: person.email });
  const changes = differences(shown(before), shown(after));
  return activity(
    { ...actor, user_id: actor.user_id ?? id },
    { target: { account_id: 0, type: "User", id }, action, changes, at },
  );
}

export type UserChange = {
  readonly name?: string | undefined;
  readonly email?: string | undefined;
  readonly password?: string | undefined;
  readonly current_password?: string | undefined;
};

export async function changeUser(
  services: Services,
  actor: Actor,
  { user, change }: { user: User; change: UserChange },
) {
  const { pool, directory, clock } = services;
  const { name, email, password, current_password } = change;
  const before = await userById(pool, user.id);
  if (before === null) throw new Refused("authentication_required");
  if (email !== undefined || password !== undefined) {
    if (current_password === undefined) throw new Refused("validation", { current_password: ["is missing"] });
    const proven =
      before.password_hash !== null && (await directory.verifyPassword(before.password_hash, current_password));
    if (!proven) throw new Refused("validation", { current_password: ["is invalid"] });
  }
  if (password !== undefined) checkPassword(password, [name ?? before.name, email ?? before.email ?? ""]);
  const new_email = email?.toLowerCase() ?? before.email;
  const after = {
    name: name ?? before.name,
    email: new_email,
    email_verified: before.email_verified && new_email === before.email,
    password_hash: password === undefined ? before.password_hash : await directory.hashPassword(password),
  };
  const at = clock.now();
  try {
    await inTransaction(pool, async (db) => {
      await updateUser(db, user.id, after);
      const entry = userActivity(actor, { id: user.id, action: "update", before, after, at });
      const changes =
        password === undefined ? entry.changes : { ...entry.changes, password: ["[hidden]", "[hidden]"] as const };
      await writeActivity(db, { ...entry, changes });
      if (actor.claim !== null)
        await claimKey(db, { ...actor.claim, resource_type: "User", resource_id: user.id, operation_id: null });
    });
  } catch (error) {
    if (isUniqueViolation(error, "users_email_key")) throw email_taken();
    throw error;
  } finally {
    directory.forget();
  }
  return presentUser({ ...before, ...after });
}

/** Leaves every account and is forgotten. Refused while an account would be left without an owner. */
export async function removeUser(services: Services, actor: Actor, user: User): Promise<void> {
  const { pool, directory, clock } = services;
  const at = clock.now();
  await inTransaction(pool, async (db) => {
    for (const agreement of await agreementsOfUser(db, user.id)) {
      await lockAccount(db, agreement.account_id);
      const owners = await ownersOf(db, agreement.account_id);
      if (agreement.owner && owners.length === 1 && owners[0] === agreement.id) {
        throw new Refused("conflict", null, {
          message: `Conflict: you are the last owner of account ${agreement.account_id}`,
        });
      }
      await endAgreement(db, agreement.id, at);
    }
    await deleteUser(db, user.id, at);
    await writeActivity(db, userActivity(actor, { id: user.id, action: "delete", before: user, after: null, at }));
  });
  directory.forget();
}
