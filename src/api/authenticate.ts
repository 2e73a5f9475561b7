// Who calls: HTTP Basic in three forms (none, e-mail and password, empty user and API key; RFC 7617) or a session's token
// (RFC 6750), and on whose account. Reference: extensions, section 2.

import { type Agreement, type Method, may } from "../domain/access.ts";
import { notAuthorized, Refused } from "../domain/refusal.ts";
import type { Account, Directory, User } from "../services/directory.ts";
import type { Services } from "../services/services.ts";
import { passes } from "../services/two-factor.ts";
import { addressesIn } from "./addresses.ts";
import type { Scope } from "./endpoint.ts";
import type { Throttle } from "./throttle.ts";

export type Credentials =
  | { readonly scope: "anonymous" }
  | { readonly scope: "user"; readonly user: User; readonly session_id: number | null }
  | { readonly scope: "merchant"; readonly agreement: Agreement };

export type Caller = {
  readonly agreement: Agreement | null;
  readonly account: Account | null;
  readonly user: User | null;
  /** The session that a person calls through; null with a password. */
  readonly session_id: number | null;
};

type Context = {
  readonly services: Services;
  readonly throttle: Throttle;
  readonly ip: string;
  /** The header `CoolPay-OTP`. */
  readonly code: string | undefined;
};

/** Reads `Authorization`. Wrong credentials are always refused, also where none are needed. */
export async function authenticate(header: string | undefined, context: Context): Promise<Credentials> {
  if (header === undefined || header === "") return { scope: "anonymous" };
  const session = /^Bearer +([\w-]{1,100})$/i.exec(header.trim())?.[1];
  if (session !== undefined) return bySession(session, context);
  const basic = decodeBasic(header);
  if (basic === null) throw new Refused("authentication_required");

  const { services, throttle, ip } = context;
  const { directory } = services;
  if (basic.user === "") {
    // A right key is let in whatever else comes from its address: no number of guesses finds one.
    const agreement = await directory.byKey(basic.password);
    if (agreement === null) {
      throttle.addresses.check(ip);
      throttle.addresses.failed(ip);
      throw new Refused("invalid_api_key");
    }
    return { scope: "merchant", agreement };
  }
  const email = basic.user.toLowerCase();
  throttle.addresses.check(ip);
  throttle.emails.check(email);
  const user = await directory.byPassword(email, basic.password);
  if (user === null) {
    throttle.addresses.failed(ip);
    throttle.emails.failed(email);
    throw new Refused("invalid_password");
  }
  const second = await passes(services, { user, address: ip, code: context.code?.trim() });
  if (second === "wrong") throttle.addresses.failed(ip);
  if (second !== "passes") throw new Refused("one_time_password_required");
  return { scope: "user", user, session_id: null };
}

/** A session was opened with password and code: it needs neither. */
async function bySession(token: string, { services, throttle, ip }: Context): Promise<Credentials> {
  const session = await services.directory.bySession(token);
  if (session !== null) return { scope: "user", user: session.user, session_id: session.id };
  throttle.addresses.check(ip);
  throttle.addresses.failed(ip);
  throw new Refused("authentication_required");
}

function decodeBasic(header: string): { user: string; password: string } | null {
  const match = /^Basic +([A-Za-z0-9+/_-]+={0,2})$/i.exec(header.trim());
  if (match?.[1] === undefined) return null;
  const text = Buffer.from(match[1], "base64").toString("utf8");
  const colon = text.indexOf(":");
  // RFC 7617 knows no control characters here, and PostgreSQL cannot be asked for a NUL.
  if (colon < 0 || text.includes("\0")) return null;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

type Wanted = {
  readonly scope: Scope;
  readonly permission: boolean;
  readonly charges: boolean;
  readonly method: Method;
  /** As declared: `/payments/:id`. */
  readonly path: string;
  /** The header `CoolPay-Account-Id`. */
  readonly account_header: string | undefined;
};

/** Finds the account and agreement that the caller acts through, and asks whether it may. */
export async function authorize(credentials: Credentials, wanted: Wanted, context: Context): Promise<Caller> {
  const { scope } = wanted;
  if (credentials.scope === "anonymous") {
    if (scope !== "anonymous") throw new Refused("authentication_required");
    return { agreement: null, account: null, user: null, session_id: null };
  }
  const user = credentials.scope === "user" ? credentials.user : null;
  const session_id = credentials.scope === "user" ? credentials.session_id : null;
  if (scope === "user") {
    if (user === null) throw forbidden(wanted);
    return { agreement: null, account: null, user, session_id };
  }
  const named = wanted.account_header?.trim();
  const agreement =
    credentials.scope === "merchant"
      ? ofKey(credentials.agreement, named)
      : await ofUser(credentials.user, { scope, named }, context.services.directory);
  if (agreement === null) return { agreement: null, account: null, user, session_id };

  if (!addressAllowed(agreement, context.ip)) throw notAuthorized("Address not allowed");
  const asks = scope === "merchant" || scope === "user_or_merchant" || wanted.permission;
  if (asks && !may(agreement, wanted.method, wanted.path)) throw forbidden(wanted);
  const account = await context.services.directory.account(agreement.account_id);
  if (wanted.charges && account.suspended_at !== null) throw notAuthorized("Account is suspended");
  return { agreement, account, user, session_id };
}

const forbidden = ({ method, path }: Wanted): Refused => notAuthorized(`Not authorized to ${method} ${path}`);

const nameIt = (): Refused => notAuthorized("Name the account in the header CoolPay-Account-Id");

/** A key's own agreement: it acts on one account. */
function ofKey(agreement: Agreement, named: string | undefined): Agreement {
  if (named && named !== String(agreement.account_id)) throw nameIt();
  return agreement;
}

/** The user's agreement with the account that was named, or with the only one there is; null: she acts for herself. */
async function ofUser(user: User, { scope, named }: { scope: Scope; named: string | undefined }, directory: Directory) {
  if (scope === "anonymous" || (!named && scope === "user_or_merchant")) return null;
  const agreements = await directory.agreementsOf(user.id);
  const agreement = named
    ? agreements.find(({ account_id }) => String(account_id) === named)
    : agreements.length === 1
      ? agreements[0]
      : undefined;
  if (agreement === undefined) throw nameIt();
  return agreement;
}

/** Is this address one of those (or in one of the ranges) that the agreement is restricted to? None: every address is. */
export function addressAllowed({ ip_restriction }: Pick<Agreement, "ip_restriction">, ip: string): boolean {
  if (ip_restriction.length === 0) return true;
  return addressesIn(ip_restriction.map(({ address }) => address))(ip);
}
