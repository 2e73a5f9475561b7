// The Agreement object (reference: objects, section 10) and the parameters that make and change one.

import { isIP } from "node:net";
import { type TSchema, Type } from "typebox";
import { flag, judged, list, nullable, text } from "../api/fields.ts";
import type { Agreement } from "../domain/access.ts";
import { type AclResource, permissionsOf } from "../domain/permissions.ts";
import type { User } from "../services/directory.ts";
import { wireTime } from "../services/present.ts";
import type { Services } from "../services/services.ts";
import { type AgreementRow, toAgreement } from "../storage/directory.ts";

const lines_max = 500;
const addresses_max = 100;

function readAddress(value: string): string | undefined {
  const [base = "", bits, ...more] = value.split("/");
  const family = isIP(base);
  const bits_max = family === 6 ? 128 : 32;
  const sized = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= bits_max);
  // A zone (`fe80::1%eth0`) means something on one machine only.
  return family !== 0 && more.length === 0 && sized && !base.includes("%") ? value : undefined;
}

const Address = judged(readAddress, { description: "IPv4 or IPv6 address, or a range such as 10.0.0.0/8" });

export const edit_fields = {
  owner: Type.Optional(flag()),
  description: Type.Optional(nullable(text({ max: 255 }))),
  ip_restriction: Type.Optional(list(Type.Object({ address: Address }), { max: addresses_max })),
};

/** The parameter `acl_permissions`; its resources must be among the known ones. */
export const aclPermissions = (resources: () => readonly AclResource[]) => {
  const known = (name: string): boolean => resources().some(({ resource }) => resource === name);
  const resource = judged((value) => (known(value) ? value : undefined), { message: "does not have a valid value" });
  const verb = Type.Optional(flag());
  const line = Type.Object({ resource, get: verb, post: verb, put: verb, delete: verb, patch: verb });
  return Type.Optional(list(line, { max: lines_max }));
};

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

const members = {
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

export const AgreementShape = Type.Object(members, { title: "Agreement" });

const invitation_token = Type.Optional(Type.String({ description: "Shown once; accepts the invitation" }));
export const NewAgreementShape = Type.Object({ ...members, invitation_token }, { title: "NewAgreement" });

/** Who looks, and through which agreement. */
export type Viewer = { readonly user: User | null; readonly holder: Agreement | null };

/** The key is shown on the caller's own agreement, a system user's to owners only. */
function showsKey({ user, holder }: Viewer, row: AgreementRow): boolean {
  const own = holder?.id === row.id || (user !== null && row.accepted && row.user_id === user.id);
  const managed = holder?.owner === true && holder.account_id === row.account_id && row.user_is_system === true;
  return own || managed;
}

type Shown = { readonly row: AgreementRow; readonly viewer: Viewer; readonly resources: readonly AclResource[] };

export async function presentAgreement({ directory, seal }: Services, { row, viewer, resources }: Shown) {
  const { settings } = await directory.account(row.account_id);
  return {
    id: row.id,
    owner: row.owner,
    api_key: row.key_sealed !== null && showsKey(viewer, row) ? seal.open(row.key_sealed, "api_key") : null,
    description: row.description,
    acl_permissions: permissionsOf(toAgreement(row), resources),
    ip_restriction: row.ip_restriction,
    accepted: row.accepted,
    locked: row.locked,
    support: false,
    service: row.service,
    user: {
      id: row.user_id,
      email: row.user_email ?? (row.accepted ? null : row.invited_email),
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
