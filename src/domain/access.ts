// Who may do what. A permission is a declared method and path; owners may do everything, the system users' agreements
// have presets (reference: extensions, section 3), every other agreement a list of its own.

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
export type Permission = `${Method} /${string}`;
export type Service = "payment_window" | "api_user";

/** One line of an agreement's permissions, as on the wire. */
export type AclPermission = {
  readonly resource: string;
  readonly get: boolean;
  readonly post: boolean;
  readonly put: boolean;
  readonly delete: boolean;
  readonly patch: boolean;
};

export type Agreement = {
  readonly id: number;
  readonly account_id: number;
  readonly user_id: number | null;
  readonly user_name: string | null;
  readonly owner: boolean;
  readonly service: Service | null;
  readonly locked: boolean;
  /** Null: the preset of its service (nothing, where there is none). */
  readonly permissions: readonly AclPermission[] | null;
  readonly ip_restriction: readonly { readonly address: string }[];
};

// Erasing cannot be undone: a shop's key does not need it.
const money = /^\/(payments|subscriptions|cards|payouts)(\/(?!:id\/erase$)|$)/;
const api_user_reads =
  /^\/(fees\/formulas(\/.*)?|brandings(\/.*)?|acquirers(\/.*)?|account|account\/private-key|ping|callbacks(\/:id)?|requests(\/:id)?|exports(\/.*)?)$/;

const presets: Readonly<Record<Service, (method: Method, path: string) => boolean>> = {
  api_user: (method, path) =>
    money.test(path) ||
    (method === "GET" && api_user_reads.test(path)) ||
    (method === "POST" && (path === "/ping" || /^\/fees(\/:acquirer\/:payment_method)?$/.test(path))),
  payment_window: (method, path) =>
    (method === "POST" &&
      /^\/(payments|subscriptions|cards|payouts)(\/:id\/(authorize|session|credit))?$/.test(path)) ||
    (method === "GET" && /^\/(payments|subscriptions|cards|payouts)\/:id$/.test(path)) ||
    (method === "POST" && path === "/fees"),
};

/** May this agreement call `method path`? `path` is the declared one: `/payments/:id/link`. */
export function may(agreement: Agreement, method: Method, path: string): boolean {
  if (agreement.owner) return true;
  if (agreement.permissions === null) {
    return agreement.service !== null && presets[agreement.service](method, path);
  }
  const verb = method.toLowerCase() as "get" | "post" | "put" | "delete" | "patch";
  return agreement.permissions.some((line) => line.resource === path && line[verb]);
}
