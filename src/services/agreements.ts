// Agreements: who may act on an account, with which key. Nobody gives, takes or regenerates more than they hold
// themselves; only owners make owners; the last owner stays (reference: extensions, section 3).

import { createHash, randomBytes } from "node:crypto";
import type { AclPermission, Agreement } from "../domain/access.ts";
import { type AclResource, firstBeyond, named, permissionsOf } from "../domain/permissions.ts";
import { notAuthorized, notFound, Refused } from "../domain/refusal.ts";
import { writeActivity } from "../storage/activity.ts";
import {
  type AgreementRow,
  acceptAgreement,
  agreementById,
  agreementsOfAccount,
  type Db,
  endAgreement,
  insertAgreement,
  insertUser,
  lockAccount,
  toAgreement,
  type UserRow,
  updateAgreement,
  updateKey,
} from "../storage/directory.ts";
import { activity, differences } from "./activity.ts";
import { changing, conflict, taken } from "./changing.ts";
import { keyHash, type User } from "./directory.ts";
import { secretHex } from "./ids.ts";
import { mailInvitation } from "./mails.ts";
import { mustHave } from "./plans.ts";
import type { Seal } from "./seal.ts";
import type { Actor, Services } from "./services.ts";

/** A new API key: its hash to be found by, and itself sealed, to be shown to who may see it. */
export function newKey(seal: Seal): { key_hash: Buffer; key_sealed: Buffer } {
  const key = secretHex();
  return { key_hash: keyHash(key), key_sealed: seal.close(key, "api_key") };
}

/** The API key of one of the account's agreements, to check what was signed with it; null where it has none. */
export async function agreementKey(
  { pool, seal }: Pick<Services, "pool" | "seal">,
  { account_id, id }: { readonly account_id: number; readonly id: number },
): Promise<string | null> {
  const row = await agreementById(pool, id);
  const is_its = row !== null && row.account_id === account_id && row.accepted;
  return is_its && row.key_sealed !== null ? seal.open(row.key_sealed, "api_key") : null;
}

export const invitationHash = (token: string): Buffer => createHash("sha256").update(token).digest();

/** Who changes agreements, and what can be permitted at all. */
export type Context = { readonly holder: Agreement; readonly resources: readonly AclResource[] };

/** Throws 403 for what the giver does not hold herself. */
export function mustHold(holder: Agreement, permissions: readonly AclPermission[]): void {
  const beyond = firstBeyond(holder, permissions);
  if (beyond !== null) throw notAuthorized(`Not authorized to grant ${beyond}`);
}

type Address = { readonly address: string };

/** Who may come only from some addresses lets nobody in from others, herself neither. Throws 403. */
function mustBeWithin({ owner, ip_restriction: own }: Agreement, wanted: readonly Address[]): void {
  if (owner || own.length === 0) return;
  const is_within = ({ address }: Address): boolean => own.some((one) => one.address === address);
  if (wanted.length === 0 || !wanted.every(is_within))
    throw notAuthorized("Not authorized to allow other addresses than one's own");
}

/** Nobody acts on an agreement that holds more than theirs. */
function mustCover({ holder, resources }: Context, target: AgreementRow): void {
  if (target.id === holder.id) return;
  if (target.owner && !holder.owner) throw notAuthorized("Only owners change an owner's agreement");
  mustHold(holder, permissionsOf(toAgreement(target), resources));
}

function mustBeOwner(holder: Agreement): void {
  if (!holder.owner) throw notAuthorized("Only owners set owner");
}

/** An account without a person who may do everything could never be managed again. */
async function mustLeaveAnOwner(db: Db, { account_id, id }: AgreementRow): Promise<void> {
  const others = await agreementsOfAccount(db, account_id);
  const stays = others.some((row) => row.owner && row.accepted && row.user_is_system === false && row.id !== id);
  if (!stays) throw conflict("the last owner cannot leave");
}

const isLastWord = (row: AgreementRow): boolean => row.owner && row.accepted && row.user_is_system === false;

async function read(db: Db, id: number): Promise<AgreementRow> {
  const row = await agreementById(db, id);
  if (row === null) throw notFound("Agreement", id);
  return row;
}

type Key = { readonly account_id: number; readonly id: number };

/** One of this account's. Throws 404 for another's. */
export async function agreementOf(db: Db, { account_id, id }: Key): Promise<AgreementRow> {
  const row = await read(db, id);
  if (row.account_id !== account_id) throw notFound("Agreement", id);
  return row;
}

const target = (row: Pick<AgreementRow, "id">) => ({ type: "Agreement", id: row.id });

const shown = (row: AgreementRow) => ({
  owner: row.owner,
  description: row.description,
  acl_permissions: row.permissions === null ? null : named(row.permissions),
  ip_restriction: row.ip_restriction.map(({ address }) => address),
  accepted: row.accepted,
  user: row.user_name ?? row.invited_email,
});

type Noted = { readonly action: string; readonly before: AgreementRow | null; readonly after: AgreementRow | null };

/** The audit trail's line about an agreement that was made, changed or ended. */
export async function noteAgreement(db: Db, actor: Actor, { action, before, after, at }: Noted & { at: Date }) {
  const row = after ?? before;
  if (row === null) throw new Error("there is no agreement to write about");
  const changes = differences(before && shown(before), after && shown(after));
  const { account_id, id } = row;
  await writeActivity(db, activity(actor, { target: { account_id, type: "Agreement", id }, action, changes, at }));
}

type Edit = {
  readonly owner?: boolean | undefined;
  readonly description?: string | null | undefined;
  readonly acl_permissions?: readonly AclPermission[] | undefined;
  readonly ip_restriction?: readonly { readonly address: string }[] | undefined;
};

type Wanted = Edit & { readonly user_email?: string | undefined; readonly system_user?: string | undefined };

const invitation_bytes = 32;

/** Invites a person (and answers the one-time token) or makes a system user with a key. */
export async function createAgreement(
  services: Services,
  actor: Actor,
  { wanted, holder }: Context & { readonly wanted: Wanted },
): Promise<{ readonly agreement: AgreementRow; readonly token: string | null }> {
  const { seal, clock } = services;
  const { owner = false, description = null, acl_permissions = [], system_user } = wanted;
  // What is not said is as with who gives.
  const ip_restriction = wanted.ip_restriction ?? (holder.owner ? [] : holder.ip_restriction);
  const email = wanted.user_email?.toLowerCase();
  if ((email === undefined) === (system_user === undefined)) {
    throw new Refused("validation", { user_email: ["or system_user must be given, and only one of them"] });
  }
  if (owner) mustBeOwner(holder);
  mustHold(holder, acl_permissions);
  mustBeWithin(holder, ip_restriction);
  const { account_id } = holder;
  if (email !== undefined) mustHave(services, await services.directory.account(account_id), "users");
  const at = clock.now();
  const token = email === undefined ? null : randomBytes(invitation_bytes).toString("base64url");
  const common = {
    account_id,
    owner,
    service: null,
    locked: false,
    description,
    permissions: acl_permissions,
    ip_restriction,
    created_at: at,
  };
  const agreement = await changing(services, actor, {
    work: async (db) => {
      await lockAccount(db, account_id);
      const person = {
        user_id: null,
        accepted: false,
        invited_email: email,
        invitation_hash: invitationHash(token ?? ""),
      };
      const id =
        system_user === undefined
          ? await insertAgreement(db, { ...common, ...person })
          : await insertAgreement(db, {
              ...common,
              user_id: await insertSystemUser(db, { name: system_user, at }),
              accepted: true,
              ...newKey(seal),
            });
      const others = (await agreementsOfAccount(db, account_id)).filter((row) => row.id !== id);
      if (email !== undefined && others.some((row) => row.user_email === email || row.invited_email === email)) {
        throw taken("user_email", "is already connected to this account");
      }
      const row = await read(db, id);
      await noteAgreement(db, actor, { action: "create", before: null, after: row, at });
      if (email !== undefined && token !== null) await mailInvitation(services, db, { account_id, id, email, token });
      return row;
    },
    target,
  });
  return { agreement, token };
}

/** A user that cannot log in: only its agreement's key acts. */
export const insertSystemUser = (db: Db, { name, at }: { readonly name: string; readonly at: Date }): Promise<number> =>
  insertUser(db, { name, email: null, password_hash: null, is_system: true, created_at: at });

type Change = Context & { readonly id: number };

export const editAgreement = (
  services: Services,
  actor: Actor,
  { id, edit, ...context }: Change & { readonly edit: Edit },
): Promise<AgreementRow> =>
  changing(services, actor, {
    work: async (db) => {
      const { holder } = context;
      await lockAccount(db, holder.account_id);
      const before = await agreementOf(db, { account_id: holder.account_id, id });
      if (before.locked) throw notAuthorized("This agreement is locked");
      mustCover(context, before);
      if (edit.owner !== undefined && edit.owner !== before.owner) mustBeOwner(holder);
      if (edit.acl_permissions !== undefined) mustHold(holder, edit.acl_permissions);
      if (edit.ip_restriction !== undefined) mustBeWithin(holder, edit.ip_restriction);
      await updateAgreement(db, id, {
        owner: edit.owner ?? before.owner,
        description: edit.description === undefined ? before.description : edit.description,
        permissions: edit.acl_permissions ?? before.permissions,
        ip_restriction: edit.ip_restriction ?? before.ip_restriction,
      });
      const after = await read(db, id);
      if (isLastWord(before) && !after.owner) await mustLeaveAnOwner(db, before);
      await noteAgreement(db, actor, { action: "update", before, after, at: services.clock.now() });
      return after;
    },
    target,
  });

export const regenerateKey = (services: Services, actor: Actor, { id, ...context }: Change): Promise<AgreementRow> =>
  changing(services, actor, {
    work: async (db) => {
      const { account_id } = context.holder;
      await lockAccount(db, account_id);
      const before = await agreementOf(db, { account_id, id });
      mustCover(context, before);
      if (!before.accepted) throw conflict("the invitation is not accepted yet");
      await updateKey(db, id, newKey(services.seal));
      const changes = { api_key: ["[hidden]", "[hidden]"] } as const;
      const entry = {
        target: { account_id, type: "Agreement", id },
        action: "api-key",
        changes,
        at: services.clock.now(),
      };
      await writeActivity(db, activity(actor, entry));
      return read(db, id);
    },
    target,
  });

/** Ends somebody's access. Without a `context` a person leaves (or declines) what is her own. */
export const removeAgreement = (
  services: Services,
  actor: Actor,
  { row, context }: { readonly row: AgreementRow; readonly context: Context | null },
): Promise<AgreementRow> =>
  changing(services, actor, {
    work: async (db) => {
      await lockAccount(db, row.account_id);
      const before = await read(db, row.id);
      if (before.locked) throw notAuthorized("This agreement is locked");
      if (context !== null) mustCover(context, before);
      await end(db, actor, { agreement: before, at: services.clock.now() });
      return before;
    },
    target,
  });

/** Inside a transaction that holds the account's lock. Throws 409 when nobody would be left to own the account. */
export async function end(
  db: Db,
  actor: Actor,
  { agreement, at }: { agreement: AgreementRow; at: Date },
): Promise<void> {
  if (isLastWord(agreement)) await mustLeaveAnOwner(db, agreement);
  await endAgreement(db, agreement.id, at);
  await noteAgreement(db, actor, { action: "delete", before: agreement, after: null, at });
}

type Accepting = { readonly agreement: AgreementRow; readonly user: Pick<UserRow, "id">; readonly actor: Actor };

/** Inside a transaction: the invitation becomes this user's, once. */
export async function acceptAs(
  { seal, clock }: Services,
  db: Db,
  { agreement, user, actor }: Accepting,
): Promise<void> {
  const { account_id, id } = agreement;
  await lockAccount(db, account_id);
  const others = await agreementsOfAccount(db, account_id);
  if (others.some(({ user_id }) => user_id === user.id)) throw conflict("you are connected to this account already");
  const accepted = await acceptAgreement(db, id, { user_id: user.id, ...newKey(seal) });
  if (!accepted) throw conflict("the invitation was accepted already");
  await noteAgreement(db, actor, { action: "accept", before: agreement, after: await read(db, id), at: clock.now() });
}

/** An invitation that this user may see without its token: the e-mail must be hers beyond doubt. */
export const isInvited = ({ email, email_verified }: User, { accepted, invited_email }: AgreementRow): boolean =>
  !accepted && email !== null && email_verified && email === invited_email;

type Acceptance = { readonly id: number; readonly user: User; readonly token: string | undefined };

/** By the one-time token, or without it when the invited e-mail is the caller's verified one. */
export const accept = (services: Services, actor: Actor, { id, user, token }: Acceptance): Promise<AgreementRow> =>
  changing(services, actor, {
    work: async (db) => {
      const agreement = await read(db, id);
      if (agreement.accepted && agreement.user_id === user.id) return agreement;
      const by_token = token !== undefined && agreement.invitation_hash?.equals(invitationHash(token)) === true;
      if (agreement.accepted || !(by_token || isInvited(user, agreement))) throw notFound("Agreement", id);
      await acceptAs(services, db, { agreement, user, actor });
      return read(db, id);
    },
    target,
  });
