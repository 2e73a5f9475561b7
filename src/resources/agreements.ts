// Agreements: who may act on an account (reference: resources, section 5; extensions, section 3).

import { Type } from "typebox";
import { addressAllowed } from "../api/authenticate.ts";
import {
  type AnyRequest,
  del,
  type Effect,
  type Endpoint,
  get,
  idIn,
  patch,
  post,
  put,
  type Reply,
} from "../api/endpoint.ts";
import { email, flag, integer, text } from "../api/fields.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import { type Agreement, may } from "../domain/access.ts";
import { tidied } from "../domain/permissions.ts";
import { notAuthorized, notFound } from "../domain/refusal.ts";
import {
  accept,
  agreementOf,
  createAgreement,
  editAgreement,
  invitationHash,
  isInvited,
  regenerateKey,
  removeAgreement,
} from "../services/agreements.ts";
import { listActivity } from "../storage/activity.ts";
import { type AgreementRow, agreementById, agreementsFor, agreementsOfAccount } from "../storage/directory.ts";
import { aclResources, aclResourcesEndpoint } from "./acl-resources.ts";
import { ActivityShape, sorting as activity_sorting, presentActivity } from "./activity.ts";
import { AgreementShape, aclPermissions, edit_fields, NewAgreementShape, presentAgreement } from "./agreement-shape.ts";
import { isEmptied, pageIn } from "./lists.ts";

const sorting: Sorting<"id"> = { sorts: { id: "number" }, sort_by: "id", sort_dir: "desc" };
const token_field = Type.Optional(text({ max: 200, description: "The invitation's one-time token" }));

type Allowed = { readonly method: "GET" | "PATCH" | "DELETE"; readonly id: number };

/** A person who names no account acts on the only one that she has, if her agreement there lets her. */
async function onlyHolder({ services, user, actor }: AnyRequest, { method, id }: Allowed): Promise<Agreement> {
  const agreements = user === null ? [] : await services.directory.agreementsOf(user.id);
  const [holder] = agreements;
  if (holder === undefined) throw notFound("Agreement", id);
  if (agreements.length > 1) throw notAuthorized("Name the account in the header CoolPay-Account-Id");
  if (!addressAllowed(holder, actor.ip ?? "")) throw notAuthorized("Address not allowed");
  if (!may(holder, method, "/agreements/:id")) throw notAuthorized(`Not authorized to ${method} /agreements/:id`);
  return holder;
}

type Found = { readonly row: AgreementRow; readonly holder: Agreement | null };

/** The agreement in the path. `holder` is null where it is the caller's own and no account was named. */
async function found(request: AnyRequest, { method, token }: Omit<Allowed, "id"> & { token?: string }): Promise<Found> {
  const { services, user, agreement } = request;
  const id = idIn(request.path, "Agreement");
  if (agreement === null && user !== null) {
    const row = await agreementById(services.pool, id);
    const by_token = token !== undefined && row?.invitation_hash?.equals(invitationHash(token)) === true;
    if (row !== null && (row.user_id === user.id || isInvited(user, row) || by_token)) return { row, holder: null };
  }
  const holder = agreement ?? (await onlyHolder(request, { method, id }));
  return { row: await agreementOf(services.pool, { account_id: holder.account_id, id }), holder };
}

type Filters = {
  readonly service?: string;
  readonly me?: boolean;
  readonly support?: boolean;
  readonly account_id?: number;
};

/** All of the account, or a person's own on every account. */
async function listed({ services, user, agreement }: AnyRequest, filters: Filters): Promise<AgreementRow[]> {
  // None is anybody's support agreement here.
  if (filters.support === true) return [];
  const mine = async (): Promise<AgreementRow[]> => {
    if (user === null) return [];
    const rows = await agreementsFor(services.pool, { user_id: user.id, email: user.email });
    return rows.filter((row) => row.user_id === user.id || isInvited(user, row));
  };
  const rows = agreement === null ? await mine() : await agreementsOfAccount(services.pool, agreement.account_id);
  const { service, account_id, me } = filters;
  return rows.filter(
    (row) =>
      (service === undefined || row.service === service) &&
      (account_id === undefined || row.account_id === account_id) &&
      (me !== true || row.id === agreement?.id || (user !== null && row.user_id === user.id)),
  );
}

export function agreementEndpoints(endpoints: () => readonly Endpoint[]): Endpoint[] {
  let known: ReturnType<typeof aclResources> | undefined;
  const resources = () => {
    known ??= aclResources(endpoints());
    return known;
  };
  const acl_permissions = aclPermissions(resources);

  const present = (request: AnyRequest, row: AgreementRow, holder: Agreement | null = request.agreement) =>
    presentAgreement(request.services, { row, viewer: { user: request.user, holder }, resources: resources() });
  const created = ({ services }: AnyRequest, id: number, body: object): Reply => ({
    status: 201,
    body,
    headers: { Location: `${services.addresses.api_url}/agreements/${id}` },
  });
  const affected = ({ services, account }: AnyRequest<"merchant">, { id }: Effect) =>
    agreementOf(services.pool, { account_id: account.id, id });
  const resumed = async (request: AnyRequest<"merchant">, effect: Effect): Promise<Reply> => ({
    status: 200,
    body: await present(request, await affected(request, effect)),
  });
  const emptied = ({ params }: AnyRequest) => (isEmptied(params, "ip_restriction") ? { ip_restriction: [] } : {});

  return [
    get("/agreements", {
      summary: "List agreements",
      description: "Of the account, or of the user on every account (invitations included) where no account is named.",
      scope: "user_or_merchant",
      input: Type.Object({
        service: Type.Optional(text()),
        me: Type.Optional(flag({ description: "Only the caller's" })),
        support: Type.Optional(flag()),
        account_id: Type.Optional(integer({ min: 1 })),
        ...pagingFields(sorting),
      }),
      output: { 200: Type.Array(AgreementShape) },
      handle: async (request) => {
        const rows = await listed(request, request.input);
        return listReply(request, {
          input: request.input,
          sorting,
          fetch: (page) => Promise.all(pageIn(rows, page, ({ id }) => id).map((row) => present(request, row))),
          anchorOf: ({ id }) => ({ value: id, id }),
          present: (shown) => shown,
        });
      },
    }),
    post("/agreements", {
      summary: "Invite a person, or make a system user with a key",
      description: "Exactly one of `user_email` and `system_user`. An invitation's token is answered once, here.",
      scope: "merchant",
      input: Type.Object({
        ...edit_fields,
        user_email: Type.Optional(email()),
        system_user: Type.Optional(text({ max: 100, description: "The system user's name" })),
        acl_permissions,
      }),
      output: { 201: NewAgreementShape },
      handle: async (request) => {
        const { services, actor, agreement: holder, input } = request;
        const wanted = { ...input, acl_permissions: tidied(input.acl_permissions ?? [], resources()) };
        const made = await createAgreement(services, actor, { wanted, holder, resources: resources() });
        const shown = await present(request, made.agreement);
        return created(request, shown.id, made.token === null ? shown : { ...shown, invitation_token: made.token });
      },
      // Without the invitation's token: only its hash was stored.
      resume: async (request, effect) =>
        created(request, effect.id, await present(request, await affected(request, effect))),
    }),
    get("/agreements/:id", {
      summary: "Read an agreement",
      scope: "user_or_merchant",
      input: Type.Object({}),
      output: { 200: AgreementShape },
      handle: async (request) => {
        const { row, holder } = await found(request, { method: "GET" });
        return { status: 200, body: await present(request, row, holder) };
      },
    }),
    patch("/agreements/:id", {
      summary: "Change an agreement, or accept an invitation",
      description: "`accepted` with the invitation's token, which a verified e-mail that matches makes needless.",
      scope: "user_or_merchant",
      nulls: true,
      input: Type.Object({ ...edit_fields, accepted: Type.Optional(flag()), token: token_field }),
      output: { 200: AgreementShape },
      handle: async (request) => {
        const { services, actor, user, input } = request;
        const id = idIn(request.path, "Agreement");
        if (input.accepted === true && user !== null) {
          return {
            status: 200,
            body: await present(request, await accept(services, actor, { id, user, token: input.token })),
          };
        }
        const holder = request.agreement ?? (await onlyHolder(request, { method: "PATCH", id }));
        const edit = { ...input, ...emptied(request) };
        const row = await editAgreement(services, actor, { id, edit, holder, resources: resources() });
        return { status: 200, body: await present(request, row, holder) };
      },
      resume: async (request) => {
        const { row, holder } = await found(request, { method: "PATCH" });
        return { status: 200, body: await present(request, row, holder) };
      },
    }),
    put("/agreements/:id", {
      summary: "Replace an agreement's permissions",
      description: "What is not among `acl_permissions` is not permitted any more.",
      scope: "merchant",
      nulls: true,
      input: Type.Object({ ...edit_fields, acl_permissions }),
      output: { 200: AgreementShape },
      handle: async (request) => {
        const { services, actor, agreement: holder, input } = request;
        const id = idIn(request.path, "Agreement");
        const lines = tidied(input.acl_permissions ?? [], resources());
        const edit = { ...input, ...emptied(request), acl_permissions: lines };
        const row = await editAgreement(services, actor, { id, edit, holder, resources: resources() });
        return { status: 200, body: await present(request, row) };
      },
      resume: resumed,
    }),
    del("/agreements/:id", {
      summary: "End an agreement; a person leaves or declines her own",
      scope: "user_or_merchant",
      input: Type.Object({ token: token_field }),
      output: { 204: null },
      handle: async (request) => {
        const { row, holder } = await found(request, { method: "DELETE", token: request.input.token });
        const context = holder === null ? null : { holder, resources: resources() };
        await removeAgreement(request.services, request.actor, { row, context });
        return { status: 204 };
      },
      resume: () => ({ status: 204 }),
    }),
    get("/agreements/:id/activity", {
      summary: "List what was done through an agreement",
      scope: "merchant",
      input: Type.Object(pagingFields(activity_sorting)),
      output: { 200: Type.Array(ActivityShape) },
      handle: async (request) => {
        const { services, account, input } = request;
        const { id } = await agreementOf(services.pool, {
          account_id: account.id,
          id: idIn(request.path, "Agreement"),
        });
        const query = { account_id: account.id, filters: { agreement_id: id } };
        return listReply(request, {
          input,
          sorting: activity_sorting,
          fetch: (page) => listActivity(services.pool, { ...query, ...page }),
          anchorOf: (row) => ({ value: row.id, id: row.id }),
          present: presentActivity,
        });
      },
    }),
    patch("/agreements/:id/api-key", {
      summary: "Regenerate an agreement's API key",
      description: "The old key stops at once.",
      scope: "merchant",
      input: Type.Object({}),
      output: { 200: AgreementShape },
      handle: async (request) => {
        const { services, actor, agreement: holder, path } = request;
        const id = idIn(path, "Agreement");
        const row = await regenerateKey(services, actor, { id, holder, resources: resources() });
        return { status: 200, body: await present(request, row) };
      },
      resume: resumed,
    }),
    aclResourcesEndpoint(resources),
  ];
}
