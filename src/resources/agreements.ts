// Agreements and what may be permitted by them (reference: resources, section 5; objects, section 10).

import { isIP } from "node:net";
import { type Static, type TObject, type TSchema, Type } from "typebox";
import { type AnyRequest, del, type Endpoint, get, idIn, patch, post, put } from "../api/endpoint.ts";
import { email, flag, integer, judged, list, nullable, oneOf, text } from "../api/fields.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import { notFound, Refused } from "../domain/refusal.ts";
import {
  accept,
  agreementOf,
  type Context,
  createAgreement,
  editAgreement,
  permissionsOf,
  regenerateKey,
  removeAgreement,
} from "../services/agreements.ts";
import { wireTime } from "../services/present.ts";
import { listActivity } from "../storage/activity.ts";
import {
  type AgreementRow,
  agreementById,
  agreementsFor,
  agreementsOfAccount,
  toAgreement,
} from "../storage/directory.ts";
import { ActivityShape, sorting as activity_sorting, presentActivity } from "./activity.ts";

const or_null = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

const AclPermissionShape = Type.Object(
  {
    resource: Type.String(),
    get: Type.Boolean(),
    post: Type.Boolean(),
    put: Type.Boolean(),
    delete: Type.Boolean(),
    patch: Type.Boolean(),
  },
  { title: "AclPermission" },
);

const agreement_members = {
  id: Type.Integer(),
  owner: Type.Boolean(),
  api_key: or_null(Type.String()),
  description: or_null(Type.String()),
  acl_permissions: Type.Array(AclPermissionShape),
  ip_restriction: Type.Array(Type.Object({ address: Type.String() })),
  accepted: Type.Boolean(),
  locked: Type.Boolean(),
  support: Type.Boolean(),
  service: or_null(Type.String()),
  user: Type.Object({
    id: or_null(Type.Integer()),
    email: or_null(Type.String()),
    system_user: Type.Boolean(),
    name: or_null(Type.String()),
  }),
  account: Type.Object({
    id: Type.Integer(),
    type: Type.String(),
    name: Type.String(),
    shop_name: Type.String(),
    callback_url: or_null(Type.String()),
  }),
  created_at: Type.String({ format: "date-time" }),
};
const AgreementShape = Type.Object(agreement_members, { title: "Agreement" });
const NewAgreementShape = Type.Object(
  {
    ...agreement_members,
    invitation_token: Type.Optional(Type.String({ description: "Shown once; accepts the invitation" })),
  },
  { title: "NewAgreement" },
);

const AclResourceShape = Type.Object(
  {
    account_type: Type.String(),
    resource: Type.String(),
    description: Type.String(),
    actions: Type.Array(Type.String()),
  },
  { title: "AclResource" },
);

const lines_max = 500;
const addresses_max = 100;

function readAddress(value: string): string | undefined {
  const [base = "", bits, ...more] = value.split("/");
  const family = isIP(base);
  const bits_max = family === 6 ? 128 : 32;
  const good =
    family !== 0 && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= bits_max));
  return good ? value : undefined;
}

const ip_restriction = Type.Optional(
  list(
    Type.Object({
      address: judged(readAddress, { description: "IPv4 or IPv6 address, or a range such as 10.0.0.0/8" }),
    }),
    {
      max: addresses_max,
    },
  ),
);

const sorting: Sorting<"id"> = { sorts: { id: "number" }, sort_by: "id", sort_dir: "desc" };

/** May be listed for an agreement: what needs an account. */
const needsAccount = ({ scope, permission, listed }: Endpoint): boolean =>
  listed !== false && (scope === "merchant" || scope === "user_or_merchant" || permission === true);

export function agreementEndpoints(endpoints: () => readonly Endpoint[]): Endpoint[] {
  const resources = (): string[] => [
    ...new Set(
      endpoints()
        .filter(needsAccount)
        .map(({ path }) => path),
    ),
  ];

  const permission = {
    resource: judged((value) => (resources().includes(value) ? value : undefined), {
      message: "does not have a valid value",
    }),
    get: Type.Optional(flag()),
    post: Type.Optional(flag()),
    put: Type.Optional(flag()),
    delete: Type.Optional(flag()),
    patch: Type.Optional(flag()),
  };
  const acl_permissions = Type.Optional(list(Type.Object(permission), { max: lines_max }));
  const edit = {
    owner: Type.Optional(flag()),
    description: Type.Optional(nullable(text({ max: 255 }))),
    ip_restriction,
  };

  type Lines = Static<TObject<typeof permission>>[];
  const filled = (lines: Lines | undefined) =>
    lines?.map((line) => ({
      resource: line.resource,
      get: line.get ?? false,
      post: line.post ?? false,
      put: line.put ?? false,
      delete: line.delete ?? false,
      patch: line.patch ?? false,
    }));

  /** The key is shown on the caller's own agreement, a system user's to owners only. */
  function keyFor({ services, user, agreement }: AnyRequest, row: AgreementRow): string | null {
    const own = agreement?.id === row.id || (user !== null && row.user_id === user.id && row.accepted);
    const managed = agreement?.owner === true && agreement.account_id === row.account_id && row.user_is_system === true;
    return row.key_sealed !== null && (own || managed) ? services.seal.open(row.key_sealed, "api_key") : null;
  }

  async function present(request: AnyRequest, row: AgreementRow) {
    const { settings } = await request.services.directory.account(row.account_id);
    return {
      id: row.id,
      owner: row.owner,
      api_key: keyFor(request, row),
      description: row.description,
      acl_permissions: permissionsOf(toAgreement(row), resources()),
      ip_restriction: row.ip_restriction,
      accepted: row.accepted,
      locked: row.locked,
      support: false,
      service: row.service,
      user: {
        id: row.user_id,
        email: row.user_email ?? row.invited_email,
        system_user: row.user_is_system ?? false,
        name: row.user_name,
      },
      account: {
        id: row.account_id,
        type: "Merchant",
        name: settings.shop_name,
        shop_name: settings.shop_name,
        callback_url: settings.callback_url,
      },
      created_at: wireTime(row.created_at),
    };
  }

  const context = ({ agreement }: AnyRequest<"merchant">): Context => ({ holder: agreement, resources: resources() });

  /** The agreement in the path, if the caller may know of it. */
  async function found({ services, agreement, user, path }: AnyRequest): Promise<AgreementRow> {
    const id = idIn(path, "Agreement");
    if (agreement !== null) return agreementOf(services.pool, { account_id: agreement.account_id, id });
    const row = await agreementById(services.pool, id);
    const mine = row !== null && user !== null && (row.user_id === user.id || row.invited_email === user.email);
    if (row === null || !mine) throw notFound("Agreement", id);
    return row;
  }

  return [
    get("/agreements", {
      summary: "List agreements",
      description: "Of the account, or of the user on every account (invitations included) where no account is named.",
      scope: "user_or_merchant",
      input: Type.Object({
        service: Type.Optional(text()),
        me: Type.Optional(flag()),
        support: Type.Optional(flag()),
        account_id: Type.Optional(integer({ min: 1 })),
        ...pagingFields(sorting),
      }),
      output: { 200: Type.Array(AgreementShape) },
      handle: async (request) => {
        const { services, agreement, user, input } = request;
        const { service, me, account_id, support } = input;
        const all =
          agreement !== null
            ? await agreementsOfAccount(services.pool, agreement.account_id)
            : await agreementsFor(services.pool, { user_id: user?.id ?? 0, email: user?.email ?? null });
        const rows = all.filter(
          (row) =>
            (service === undefined || row.service === service) &&
            (account_id === undefined || row.account_id === account_id) &&
            support !== true &&
            (me !== true || row.id === agreement?.id || (user !== null && row.user_id === user.id)),
        );
        const shown = await Promise.all(rows.map((row) => present(request, row)));
        return listReply(request, {
          input,
          sorting,
          fetch: async ({ sort_dir, limit, offset, after }) => {
            const sign = (sort_dir === "asc" ? 1 : -1) * (after?.backwards ? -1 : 1);
            const page = shown
              .filter(({ id }) => after === null || sign * (id - Number(after.id)) > 0)
              .sort((a, b) => sign * (a.id - b.id))
              .slice(offset, offset + limit);
            return after?.backwards ? page.reverse() : page;
          },
          anchorOf: ({ id }) => ({ value: id, id }),
          present: (row) => row,
        });
      },
    }),
    post("/agreements", {
      summary: "Invite a person, or make a system user with a key",
      scope: "merchant",
      input: Type.Object({
        ...edit,
        user_email: Type.Optional(email()),
        system_user: Type.Optional(text({ max: 100, description: "The system user's name" })),
        acl_permissions,
      }),
      output: { 201: NewAgreementShape },
      handle: async (request) => {
        const { services, actor, input } = request;
        const wanted = { ...input, acl_permissions: filled(input.acl_permissions) };
        const { agreement, token } = await createAgreement(services, actor, { ...context(request), wanted });
        const body = { ...(await present(request, agreement)), ...(token === null ? {} : { invitation_token: token }) };
        return { status: 201, body, headers: { Location: `${services.addresses.api_url}/agreements/${agreement.id}` } };
      },
    }),
    get("/agreements/:id", {
      summary: "Read an agreement",
      scope: "user_or_merchant",
      input: Type.Object({}),
      output: { 200: AgreementShape },
      handle: async (request) => ({ status: 200, body: await present(request, await found(request)) }),
    }),
    patch("/agreements/:id", {
      summary: "Change an agreement, or accept an invitation",
      scope: "user_or_merchant",
      nulls: true,
      input: Type.Object({
        ...edit,
        accepted: Type.Optional(flag()),
        token: Type.Optional(text({ max: 200, description: "The invitation's" })),
      }),
      output: { 200: AgreementShape },
      handle: async (request) => {
        const { services, actor, agreement, user, input } = request;
        const id = idIn(request.path, "Agreement");
        if (input.accepted === true && user !== null) {
          return {
            status: 200,
            body: await present(request, await accept(services, actor, { id, user, token: input.token })),
          };
        }
        if (agreement === null) throw new Refused("validation", { accepted: ["is missing"] });
        const edited = await editAgreement(services, actor, {
          id,
          wanted: input,
          holder: agreement,
          resources: resources(),
        });
        return { status: 200, body: await present(request, edited) };
      },
    }),
    put("/agreements/:id", {
      summary: "Replace an agreement's permissions",
      scope: "merchant",
      input: Type.Object({ ...edit, acl_permissions }),
      output: { 200: AgreementShape },
      handle: async (request) => {
        const { services, actor, input } = request;
        const id = idIn(request.path, "Agreement");
        const wanted = { ...input, acl_permissions: filled(input.acl_permissions) ?? [] };
        return {
          status: 200,
          body: await present(request, await editAgreement(services, actor, { id, wanted, ...context(request) })),
        };
      },
    }),
    del("/agreements/:id", {
      summary: "End an agreement; for a user without an account: leave or decline",
      scope: "user_or_merchant",
      input: Type.Object({}),
      output: { 204: null },
      handle: async (request) => {
        const { services, actor, agreement } = request;
        const row = await found(request);
        const holding = agreement === null ? null : { holder: agreement, resources: resources() };
        await removeAgreement(services, actor, { row, context: holding });
        return { status: 204 };
      },
    }),
    get("/agreements/:id/activity", {
      summary: "List what was done through an agreement",
      scope: "merchant",
      input: Type.Object(pagingFields(activity_sorting)),
      output: { 200: Type.Array(ActivityShape) },
      handle: async (request) => {
        const { services, account, input } = request;
        const { id } = await found(request);
        return listReply(request, {
          input,
          sorting: activity_sorting,
          fetch: (page) =>
            listActivity(services.pool, { account_id: account.id, filters: { agreement_id: id }, ...page }),
          anchorOf: (row) => ({ value: row.id, id: row.id }),
          present: presentActivity,
        });
      },
    }),
    patch("/agreements/:id/api-key", {
      summary: "Regenerate an agreement's API key",
      scope: "merchant",
      input: Type.Object({}),
      output: { 200: AgreementShape },
      handle: async (request) => {
        const { services, actor, path } = request;
        const row = await regenerateKey(services, actor, { id: idIn(path, "Agreement"), ...context(request) });
        return { status: 200, body: await present(request, row) };
      },
    }),
    get("/acl-resources", {
      summary: "List what can be permitted",
      scope: "user_or_merchant",
      input: Type.Object({
        account_type: Type.Optional(oneOf(["Any", "Merchant", "Reseller"])),
        page: Type.Optional(integer({ min: 1, default: 1 })),
        page_size: Type.Optional(integer({ min: 1, max: 1_000 })),
      }),
      output: { 200: Type.Array(AclResourceShape) },
      handle: ({ input }) => {
        const { page = 1, page_size = 1_000, account_type } = input;
        const shown = account_type === "Reseller" ? [] : resources();
        const body = shown.slice((page - 1) * page_size, page * page_size).map((resource) => {
          const of_resource = endpoints().filter(({ path }) => path === resource);
          return {
            account_type: "Merchant",
            resource,
            description: of_resource.map(({ summary }) => summary).join("; "),
            actions: of_resource.map(({ method }) => method),
          };
        });
        return { status: 200, body };
      },
    }),
  ];
}
