// Agreements: who may act on an account, with which key. Nobody gives, takes or regenerates more than they hold
// themselves; only owners make owners; the last owner stays (reference: extensions, section 3).

import { createHash, randomBytes } from "node:crypto";
import { type AclPermission, type Agreement, type Method, may } from "../domain/access.ts";
import { notAuthorized, notFound, Refused } from "../domain/refusal.ts";
import { writeActivity } from "../storage/activity.ts";
import {
  type AgreementRow,
  acceptAgreement,
  agreementById,
  type Db,
  endAgreement,
  insertAgreement,
  insertUser,
  lockAccount,
  ownersOf,
  toAgreement,
  type UserRow,
  updateAgreement,
  updateKey,
} from "../storage/directory.ts";
import { claimKey } from "../storage/idempotency.ts";
import { inTransaction } from "../storage/pool.ts";
import { keyTaken } from "./accounts.ts";
import { activity, differences } from "./activity.ts";
import { keyHash } from "./directory.ts";
import { secretHex } from "./ids.ts";
import type { Seal } from "./seal.ts";
import type { Actor, Services } from "./services.ts";

/** A new API key: its hash to be found by, and itself sealed, to be shown to who may see it. */
export function newKey(seal: Seal): { key_hash: Buffer; key_sealed: Buffer } {
  const key = secretHex();
  return { key_hash: keyHash(key), key_sealed: seal.close(key, "api_key") };
}

const methods = ["get", "post", "put", "delete", "patch"] as const;

/** May `holder` give all of these? Throws 403 naming the first that it does not hold. */
function mustHold(holder: Agreement, permissions: readonly AclPermission[]): void {
  for (const line of permissions) {
    for (const name of methods) {
      const method = name.toUpperCase() as Method;
      if (line[name] && !may(holder, method, line.resource)) {
        throw notAuthorized(`Not authorized to grant ${method} ${line.resource}`);
      }
    }
  }
}

/** Everything that an agreement may do, as permissions over the known resources. */
export function permissionsOf(agreement: Agreement, resources: readonly string[]): AclPermission[] {
  if (agreement.permissions !== null) return [...agreement.permissions];
  return resources
    .map((resource) => {
      const allowed = (method: Method): boolean => may(agreement, method, resource);
      return {
        resource,
        get: allowed("GET"),
        post: allowed("POST"),
        put: allowed("PUT"),
        delete: allowed("DELETE"),
        patch: allowed("PATCH"),
      };
    })
    .filter((line) => methods.some((name) => line[name]));
}

/** Nobody acts on an agreement that holds more than theirs. */
function mustCover(holder: Agreement, target: Agreement, resources: readonly string[]): void {
  if (target.owner && !holder.owner) throw notAuthorized("Only owners change an owner's agreement");
  mustHold(holder, permissionsOf(target, resources));
}

type Wanted = {
  readonly user_email?: string | undefined;
  readonly system_user?: string | undefined;
  readonly owner?: boolean | undefined;
  readonly description?: string | null | undefined;
  readonly acl_permissions?: readonly AclPermission[] | undefined;
  readonly ip_restriction?: readonly { readonly address: string }[] | undefined;
};

export type Context = { readonly holder: Agreement; readonly resources: readonly string[] };

const invitation_bytes = 32;

/** Invites a person (answers the one-time token too) or makes a system user with a key. */
export async function createAgreement(
  services: Services,
  actor: Actor,
  { wanted, holder }: Context & { wanted: Wanted },
) {
  const { pool, seal, clock, directory } = services;
  const {
    user_email,
    system_user,
    owner = false,
    description = null,
    acl_permissions = [],
    ip_restriction = [],
  } = wanted;
  if ((user_email === undefined) === (system_user === undefined)) {
    throw new Refused("validation", { user_email: ["or system_user must be given, and only one of them"] });
  }
  if (owner && !holder.owner) throw notAuthorized("Only owners set owner");
  mustHold(holder, acl_permissions);
  const { account_id } = holder;
  const created_at = clock.now();
  const token = user_email === undefined ? null : randomBytes(invitation_bytes).toString("base64url");
  const id = await inTransaction(pool, async (db) => {
    const common = {
      account_id,
      owner,
      service: null,
      locked: false,
      description,
      permissions: acl_permissions,
      ip_restriction,
      created_at,
    };
    const made =
      system_user === undefined
        ? await insertAgreement(db, {
            ...common,
            user_id: null,
            accepted: false,
            invited_email: user_email?.toLowerCase() ?? null,
            invitation_hash: createHash("sha256")
              .update(token ?? "")
              .digest(),
          })
        : await insertAgreement(db, {
            ...common,
            user_id: await insertUser(db, {
              name: system_user,
              email: null,
              password_hash: null,
              is_system: true,
              created_at,
            }),
            accepted: true,
            ...newKey(seal),
          });
    await writeActivity(
      db,
      entry(actor, {
        account_id,
        id: made,
        action: "create",
        before: null,
        after: { ...common, user_email, system_user },
        at: created_at,
      }),
    );
    if (actor.claim !== null)
      await claimKey(db, { ...actor.claim, resource_type: "Agreement", resource_id: made, operation_id: null });
    return made;
  }).catch(keyTaken);
  directory.forget();
  return { agreement: await read(pool, id), token };
}

async function read(db: Db, id: number): Promise<AgreementRow> {
  const row = await agreementById(db, id);
  if (row === null) throw notFound("Agreement", id);
  return row;
}

/** One of this account's. Throws 404 for another's. */
export async function agreementOf(
  db: Db,
  { account_id, id }: { account_id: number; id: number },
): Promise<AgreementRow> {
  const row = await read(db, id);
  if (row.account_id !== account_id) throw notFound("Agreement", id);
  return row;
}

type Shown = { readonly [name: string]: unknown };

function entry(
  actor: Actor,
  change: { account_id: number; id: number; action: string; before: Shown | null; after: Shown | null; at: Date },
) {
  const { account_id, id, action, before, after, at } = change;
  const shown = (row: Shown | null): Shown | null =>
    row === null
      ? null
      : {
          owner: row.owner,
          description: row.description,
          acl_permissions: row.permissions,
          ip_restriction: row.ip_restriction,
          accepted: row.accepted,
          user_email: row.user_email,
          system_user: row.system_user,
        };
  return activity(actor, {
    target: { account_id, type: "Agreement", id },
    action,
    changes: differences(shown(before), shown(after)),
    at,
  });
}

type Change = Context & { readonly id: number };

export async function editAgreement(
  services: Services,
  actor: Actor,
  { id, wanted, holder, resources }: Change & { wanted: Wanted },
) {
  const { pool, clock, directory } = services;
  await inTransaction(pool, async (db) => {
    await lockAccount(db, holder.account_id);
    const before = await agreementOf(db, { account_id: holder.account_id, id });
    if (before.locked) throw notAuthorized("This agreement is locked");
    mustCover(holder, toAgreement(before), resources);
    if (wanted.owner !== undefined && wanted.owner !== before.owner && !holder.owner)
      throw notAuthorized("Only owners set owner");
    if (wanted.acl_permissions !== undefined) mustHold(holder, wanted.acl_permissions);
    const after = {
      owner: wanted.owner ?? before.owner,
      description: wanted.description === undefined ? before.description : wanted.description,
      permissions: wanted.acl_permissions ?? before.permissions,
      ip_restriction: wanted.ip_restriction ?? before.ip_restriction,
    };
    if (before.owner && !after.owner) await mustLeaveAnOwner(db, before);
    await updateAgreement(db, id, after);
    await writeActivity(
      db,
      entry(actor, {
        account_id: before.account_id,
        id,
        action: "update",
        before: { ...before },
        after: { ...before, ...after },
        at: clock.now(),
      }),
    );
    if (actor.claim !== null)
      await claimKey(db, { ...actor.claim, resource_type: "Agreement", resource_id: id, operation_id: null });
  }).catch(keyTaken);
  directory.forget();
  return read(pool, id);
}

async function mustLeaveAnOwner(db: Db, { account_id, id }: AgreementRow): Promise<void> {
  const owners = await ownersOf(db, account_id);
  if (owners.every((owner) => owner === id))
    throw new Refused("conflict", null, { message: "Conflict: the last owner cannot leave" });
}

export async function regenerateKey(services: Services, actor: Actor, { id, holder, resources }: Change) {
  const { pool, seal, clock, directory } = services;
  await inTransaction(pool, async (db) => {
    const before = await agreementOf(db, { account_id: holder.account_id, id });
    if (before.id !== holder.id) mustCover(holder, toAgreement(before), resources);
    if (!before.accepted)
      throw new Refused("conflict", null, { message: "Conflict: the invitation is not accepted yet" });
    await updateKey(db, id, newKey(seal));
    const at = clock.now();
    const target = { account_id: before.account_id, type: "Agreement", id };
    await writeActivity(
      db,
      activity(actor, { target, action: "api-key", changes: { api_key: ["[hidden]", "[hidden]"] }, at }),
    );
    if (actor.claim !== null)
      await claimKey(db, { ...actor.claim, resource_type: "Agreement", resource_id: id, operation_id: null });
  }).catch(keyTaken);
  directory.forget();
  return read(pool, id);
}

/** Ends somebody's access. `holder` null: a person leaves (or declines) an agreement that is her own. */
export async function removeAgreement(
  services: Services,
  actor: Actor,
  { row, context }: { row: AgreementRow; context: Context | null },
) {
  const { pool, clock, directory } = services;
  await inTransaction(pool, async (db) => {
    await lockAccount(db, row.account_id);
    const before = await read(db, row.id);
    if (before.locked) throw notAuthorized("This agreement is locked");
    if (context !== null && context.holder.id !== before.id)
      mustCover(context.holder, toAgreement(before), context.resources);
    if (before.owner && before.accepted) await mustLeaveAnOwner(db, before);
    const at = clock.now();
    await endAgreement(db, before.id, at);
    await writeActivity(
      db,
      entry(actor, {
        account_id: before.account_id,
        id: before.id,
        action: "delete",
        before: { ...before },
        after: null,
        at,
      }),
    );
  });
  directory.forget();
}

type Accepting = {
  readonly agreement: AgreementRow;
  readonly user: Pick<UserRow, "id" | "name">;
  readonly actor: Actor;
};

/** Inside a transaction: the invitation becomes this user's, once. */
export async function acceptAs(
  { seal, clock }: Services,
  db: Db,
  { agreement, user, actor }: Accepting,
): Promise<void> {
  const accepted = await acceptAgreement(db, agreement.id, { user_id: user.id, ...newKey(seal) });
  if (!accepted) throw new Refused("conflict", null, { message: "Conflict: the invitation was accepted already" });
  const { account_id, id } = agreement;
  const at = clock.now();
  await writeActivity(
    db,
    activity(actor, {
      target: { account_id, type: "Agreement", id },
      action: "accept",
      changes: { accepted: [false, true] },
      at,
    }),
  );
}

type Acceptance = {
  readonly id: number;
  readonly user: UserRow | Omit<UserRow, "password_hash">;
  readonly token: string | undefined;
};

/** By the one-time token, or without it when the invited e-mail is the caller's verified one. */
export async function accept(services: Services, actor: Actor, { id, user, token }: Acceptance): Promise<AgreementRow> {
  const { pool, directory } = services;
  await inTransaction(pool, async (db) => {
    const agreement = await read(db, id);
    const hash = token === undefined ? null : createHash("sha256").update(token).digest();
    const by_token = hash !== null && agreement.invitation_hash?.equals(hash) === true;
    const by_email = user.email_verified && user.email !== null && user.email === agreement.invited_email;
    if (agreement.accepted || !(by_token || by_email)) throw notFound("Agreement", id);
    await acceptAs(services, db, { agreement, user, actor });
  });
  directory.forget();
  return read(pool, id);
}
