// Somebody asks to be connected to an account, and an owner of it answers. Asking tells nothing about the account, not
// even whether there is one; granting gives no more than the owner says, which is nothing unless she says it.

import type { AclPermission, Agreement } from "../domain/access.ts";
import { mail_texts } from "../domain/mail-texts.ts";
import { notAuthorized, notFound, Refused } from "../domain/refusal.ts";
import {
  type AccessRequestRow,
  accessRequestById,
  accessRequestsSince,
  answerAccessRequest,
  insertAccessRequest,
} from "../storage/access-requests.ts";
import {
  type AgreementRow,
  agreementById,
  agreementsOfAccount,
  type Db,
  insertAgreement,
  lockAccount,
  lockUser,
} from "../storage/directory.ts";
import { isUniqueViolation } from "../storage/errors.ts";
import { mustHold, newKey, noteAgreement } from "./agreements.ts";
import { changing, conflict, inOneCommit, taken } from "./changing.ts";
import type { User } from "./directory.ts";
import { managerLink, queueMail, shopName } from "./mails.ts";
import { mustHave } from "./plans.ts";
import type { Actor, Services } from "./services.ts";
import { mustExist } from "./users.ts";

// Enough for a bookkeeper with many clients, too little to look for accounts.
const per_day_max = 10;
const day_ms = 24 * 3_600_000;
// An account may have many owners; that many are told.
const told_owners_max = 10;

const target = ({ id }: { readonly id: number }) => ({ type: "AccessRequest", id });

async function read(db: Db, id: number): Promise<AccessRequestRow> {
  const row = await accessRequestById(db, id);
  if (row === null) throw notFound("AccessRequest", id);
  return row;
}

const isOwner = (row: AgreementRow): boolean => row.owner && row.accepted && row.user_is_system === false;

type Asking = { readonly user: User; readonly account_id: number; readonly message: string };

/**
 * Answered alike whether there is such an account or not. Throws 409 when the person is connected already or has an open
 * request, 429 after too many in a day.
 */
export const askForAccess = (
  services: Services,
  actor: Actor,
  { user, account_id, message }: Asking,
): Promise<AccessRequestRow> =>
  inOneCommit(services, actor, {
    work: async (db) => {
      const at = services.clock.now();
      // One at a time, so that the count holds.
      await mustExist(lockUser(db, user.id));
      if ((await accessRequestsSince(db, user.id, new Date(at.getTime() - day_ms))) >= per_day_max)
        throw new Refused("too_many_failures", null, { message: "Too many access requests", retry_after_s: 3_600 });
      const members = await agreementsOfAccount(db, account_id);
      if (members.some(({ user_id }) => user_id === user.id))
        throw taken("account_id", "you are connected to this account already");
      const id = await insertAccessRequest(db, { account_id, user_id: user.id, message, created_at: at });
      await tellOwners(services, db, { account_id, user, owners: members.filter(isOwner) });
      return read(db, id);
    },
    target,
  }).catch((error: unknown) => {
    if (isUniqueViolation(error, "access_requests_open")) throw taken("account_id", "you have asked for this already");
    throw error;
  });

type Telling = { readonly account_id: number; readonly user: User; readonly owners: readonly AgreementRow[] };

async function tellOwners(services: Services, db: Db, { account_id, user, owners }: Telling): Promise<void> {
  if (owners.length === 0) return;
  const shop = await shopName(db, account_id);
  for (const { user_email } of owners.slice(0, told_owners_max)) {
    if (user_email === null) continue;
    const link = managerLink(services, "access-requests");
    const text = mail_texts.access_request({ shop, name: user.name, email: user.email ?? "", link });
    await queueMail(services, db, {
      kind: "access_request",
      recipient: user_email,
      behalf: `account:${account_id}`,
      ...text,
    });
  }
}

type Answer = {
  readonly id: number;
  readonly granted: boolean;
  readonly acl_permissions: readonly AclPermission[];
  /** The caller's agreements. */
  readonly holders: readonly Agreement[];
};

/** Throws 404 for a request that is no account's of hers, 402 when the plan lacks users, 403 when she may not give that much, 409 when it was answered. */
export const answerRequest = (
  services: Services,
  actor: Actor,
  { id, granted, acl_permissions, holders }: Answer,
): Promise<AccessRequestRow> =>
  changing(services, actor, {
    work: async (db) => {
      const { account_id } = await read(db, id);
      await lockAccount(db, account_id);
      const holder = holders.find((one) => one.owner && one.account_id === account_id);
      if (holder === undefined) throw notFound("AccessRequest", id);
      // What this process remembers of her may be some seconds old.
      const now_holds = await agreementById(db, holder.id);
      if (now_holds === null || !isOwner(now_holds)) throw notAuthorized("Only owners answer access requests");
      mustHold(holder, acl_permissions);
      const request = await read(db, id);
      if (request.state !== "pending") throw conflict("the access request was answered already");
      const agreement_id = granted ? await connect(services, db, { actor, request, acl_permissions }) : null;
      const at = services.clock.now();
      await answerAccessRequest(db, { id, state: granted ? "granted" : "refused", agreement_id, at });
      return read(db, id);
    },
    target,
  });

type Connecting = {
  readonly actor: Actor;
  readonly request: AccessRequestRow;
  readonly acl_permissions: readonly AclPermission[];
};

async function connect(services: Services, db: Db, { actor, request, acl_permissions }: Connecting): Promise<number> {
  const { account_id, user_id, user_email } = request;
  const at = services.clock.now();
  const members = await agreementsOfAccount(db, account_id);
  if (members.some((row) => row.user_id === user_id)) throw conflict("this person is connected already");
  mustHave(services, await services.directory.account(account_id), "users");
  const id = await insertAgreement(db, {
    account_id,
    user_id,
    owner: false,
    service: null,
    locked: false,
    accepted: true,
    description: null,
    permissions: acl_permissions,
    ip_restriction: [],
    created_at: at,
    ...newKey(services.seal),
  });
  const after = await agreementById(db, id);
  await noteAgreement(db, actor, { action: "create", before: null, after, at });
  if (user_email !== null) {
    const text = mail_texts.access_granted({
      shop: await shopName(db, account_id),
      link: managerLink(services, "accounts"),
    });
    await queueMail(services, db, {
      kind: "access_granted",
      recipient: user_email,
      behalf: `account:${account_id}`,
      ...text,
    });
  }
  return id;
}
