// People and keys with less than everything, for tests of who may do what.

import type { Client, TestAccount, TestApp } from "./app.ts";

/** `GET /payments`, as it stands in an agreement. */
export function permissions(...granted: readonly string[]) {
  const lines = new Map<string, Record<string, unknown>>();
  for (const permission of granted) {
    const [method = "", resource = ""] = permission.split(" ");
    lines.set(resource, { ...lines.get(resource), resource, [method.toLowerCase()]: true });
  }
  return [...lines.values()];
}

export type Member = {
  readonly agreement_id: number;
  readonly email: string;
  readonly password: string;
  /** With the account's header. */
  readonly call: Client;
  /** As a person, without naming an account. */
  readonly alone: Client;
};

/** Somebody who signed up, was invited and accepted. */
export async function newMember(
  app: TestApp,
  account: TestAccount,
  granted: readonly string[],
  owner = false,
): Promise<Member> {
  const { email, password, call: alone } = await app.signUp();
  const body = { user_email: email, owner, acl_permissions: permissions(...granted) };
  const invited = await account.owner("POST", "/agreements", { body });
  if (invited.status !== 201) throw new Error(`no invitation: ${invited.text}`);
  const { id, invitation_token } = invited.body;
  const accepted = await alone("PATCH", `/agreements/${id}`, { body: { accepted: true, token: invitation_token } });
  if (accepted.status !== 200) throw new Error(`not accepted: ${accepted.text}`);
  const call = app.client(email, password, { "CoolPay-Account-Id": String(account.id) });
  return { agreement_id: id, email, password, call, alone };
}

export type Key = { readonly agreement_id: number; readonly api_key: string; readonly call: Client };

/** A system user with a key of its own. */
export async function newKey(
  app: TestApp,
  account: TestAccount,
  granted: readonly string[],
  more: object = {},
): Promise<Key> {
  const body = { system_user: "Warehouse", acl_permissions: permissions(...granted), ...more };
  const made = await account.owner("POST", "/agreements", { body });
  if (made.status !== 201) throw new Error(`no system user: ${made.text}`);
  const { id, api_key } = made.body;
  return { agreement_id: id, api_key, call: app.client("", api_key) };
}
