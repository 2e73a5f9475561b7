// Permissions as a list: what an agreement may do, spelled out over the endpoints that exist, and whether who gives holds
// as much.

import { type AclPermission, type Agreement, type Method, may, type Permission } from "./access.ts";

/** A declared path and the methods that it has. */
export type AclResource = { readonly resource: string; readonly actions: readonly Method[] };

const verbs = { GET: "get", POST: "post", PUT: "put", DELETE: "delete", PATCH: "patch" } as const;
const methods = Object.keys(verbs) as Method[];

/** Everything that an agreement may do, only what exists. */
export const permissionsOf = (agreement: Agreement, resources: readonly AclResource[]): AclPermission[] =>
  linesOf(resources, (method, resource) => may(agreement, method, resource));

type Asked = { readonly resource: string } & { readonly [verb in (typeof verbs)[Method]]?: boolean | undefined };

/** What was asked for: lines on one resource become one, and verbs that the resource does not have are left out. */
export const tidied = (asked: readonly Asked[], resources: readonly AclResource[]): AclPermission[] =>
  linesOf(resources, (method, name) => asked.some((line) => line.resource === name && line[verbs[method]] === true));

function linesOf(resources: readonly AclResource[], allowed: (method: Method, resource: string) => boolean) {
  return resources
    .map(({ resource, actions }) => {
      const has = (method: Method): boolean => actions.includes(method) && allowed(method, resource);
      return {
        resource,
        get: has("GET"),
        post: has("POST"),
        put: has("PUT"),
        delete: has("DELETE"),
        patch: has("PATCH"),
      };
    })
    .filter((line) => methods.some((method) => line[verbs[method]]));
}

/** The lines one by one: `GET /payments`. */
export const named = (lines: readonly AclPermission[]): Permission[] =>
  lines.flatMap((line) =>
    methods
      .filter((method) => line[verbs[method]])
      .map((method) => `${method} ${line.resource as `/${string}`}` as const),
  );

/** The first of these permissions that the holder does not have; null when it has all. */
export const firstBeyond = (holder: Agreement, lines: readonly AclPermission[]): Permission | null =>
  named(lines).find((permission) => {
    const [method, resource = ""] = permission.split(" ");
    return !may(holder, method as Method, resource);
  }) ?? null;
