// What agreements can be permitted: every declared endpoint that asks an agreement (reference: resources, section 5).

import { Type } from "typebox";
import { type Endpoint, get } from "../api/endpoint.ts";
import { oneOf } from "../api/fields.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import type { AclResource } from "../domain/permissions.ts";
import { pageIn } from "./lists.ts";

const AclResourceShape = Type.Object(
  {
    account_type: Type.String(),
    resource: Type.String(),
    description: Type.String(),
    actions: Type.Array(Type.Enum(["GET", "POST", "PUT", "PATCH", "DELETE"])),
  },
  { title: "AclResource" },
);

type Described = AclResource & { readonly description: string };

const asksAgreement = ({ scope, permission, listed }: Endpoint): boolean =>
  listed !== false && (scope === "merchant" || scope === "user_or_merchant" || permission === true);

/** Path by path, in the order of their declaration. */
export function aclResources(endpoints: readonly Endpoint[]): readonly Described[] {
  const by_path = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints.filter(asksAgreement)) {
    by_path.set(endpoint.path, [...(by_path.get(endpoint.path) ?? []), endpoint]);
  }
  return [...by_path].map(([resource, declared]) => ({
    resource,
    description: declared.map(({ summary }) => summary).join("; "),
    actions: declared.map(({ method }) => method),
  }));
}

const sorting: Sorting<"resource"> = {
  sorts: { resource: "text" },
  sort_by: "resource",
  sort_dir: "asc",
  id: "text",
};

export const aclResourcesEndpoint = (resources: () => readonly Described[]): Endpoint =>
  get("/acl-resources", {
    summary: "List what can be permitted",
    scope: "user_or_merchant",
    input: Type.Object({
      account_type: Type.Optional(oneOf(["Any", "Merchant", "Reseller"])),
      ...pagingFields(sorting),
    }),
    output: { 200: Type.Array(AclResourceShape) },
    handle: (request) =>
      listReply(request, {
        input: request.input,
        sorting,
        fetch: async (page) =>
          request.input.account_type === "Reseller" ? [] : pageIn(resources(), page, ({ resource }) => resource),
        anchorOf: ({ resource }) => ({ value: resource, id: resource }),
        present: (row) => ({ account_type: "Merchant", ...row }),
      }),
  });
