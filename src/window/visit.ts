// A request of a shopper: the session, what is paid, the shop, and who the window acts as (reference: payment-window,
// section 8). The window has no more rights than that agreement.

import { addressAllowed } from "../api/authenticate.ts";
import { type Agreement, may } from "../domain/access.ts";
import type { RuledOut } from "../domain/fraud-rules.ts";
import { Refused, unlessMissing } from "../domain/refusal.ts";
import { isApproved, type Link, type Operation, pendingOperation, type Transaction } from "../domain/transaction.ts";
import type { Account } from "../services/directory.ts";
import { folders, linkUrl } from "../services/present.ts";
import type { Actor, Services } from "../services/services.ts";
import { termsOf, transactionIn, type WindowSession } from "../services/window-sessions.ts";

/** The members of a link that the window reads, as links.ts writes them. */
export type Terms = Link & {
  readonly agreement_id: number;
  readonly amount: number | null;
  readonly language: string;
  readonly continue_url: string | null;
  readonly cancel_url: string | null;
  readonly callback_url: string | null;
  readonly payment_methods: string | null;
  readonly auto_fee: boolean;
  readonly auto_capture: boolean | null;
  readonly auto_capture_at: string | null;
  readonly branding_id: number | null;
  readonly branding_config: Readonly<Record<string, unknown>>;
  readonly version: string;
  readonly acquirer: string | null;
  readonly framed: boolean;
  readonly moto: boolean;
  readonly customer_email: string | null;
  /** Null: not said, and of what is no payment undefined. */
  readonly invoice_address_selection?: boolean | null;
  readonly shipping_address_selection?: boolean | null;
};

/** Who asks, as far as the request tells. */
export type Shopper = { readonly address: string };

export type Visit = {
  readonly session: WindowSession;
  readonly transaction: Transaction;
  readonly account: Account;
  readonly terms: Terms;
  readonly shopper: Shopper;
};

/** Why a visit cannot go on, as the pages name it. */
export type Obstacle =
  | "already_paid"
  | "cancelled_by_shop"
  | "deadline"
  | "link_unknown"
  | "not_available"
  | "payment_link_changed"
  | "session_expired";

export const keyOf = ({ account_id, type, id }: Transaction) => ({ account_id, type, id });

/** A session's visit; null where its link is gone, or the account. */
export async function visitOf(services: Services, session: WindowSession, shopper: Shopper): Promise<Visit | null> {
  const transaction = await transactionIn(services, session);
  return transaction === null ? null : visiting(services, { session, transaction, shopper });
}

type Parts = Pick<Visit, "session" | "transaction" | "shopper">;

export async function visiting(services: Services, parts: Parts): Promise<Visit | null> {
  const terms = parts.transaction.body.link as Terms | null;
  const account = await services.directory.account(parts.transaction.account_id).catch(unlessMissing);
  return terms === null || account === null || account.closed_at !== null ? null : { ...parts, terms, account };
}

/** With what became of the transaction meanwhile. */
export const again = async (services: Services, visit: Visit): Promise<Visit> =>
  (await visitOf(services, visit.session, visit.shopper)) ?? visit;

/** What stands in the way of paying, first things first; null: nothing. */
export function obstacleOf({ clock }: Pick<Services, "clock">, visit: Visit): Obstacle | null {
  const { transaction, session, account } = visit;
  if (transaction.cancelled) return "cancelled_by_shop";
  if (transaction.accepted) return "already_paid";
  // What is under way at an acquirer decides first.
  const pending = pendingOperation(transaction.operations);
  if (pending !== undefined && pending.type !== "session") return null;
  if (isPast(transaction, clock.now())) return "deadline";
  if (termsOf(transaction) !== session.terms) return "payment_link_changed";
  if (account.suspended_at !== null || transaction.retented_at !== null) return "not_available";
  return null;
}

/** The earlier of the link's and the payment's own. */
export function deadlineOf({ body }: Transaction): Date | null {
  const times = [body.link_deadline_at, body.deadline_at].flatMap((at) => (at === null ? [] : [Date.parse(at)]));
  return times.length === 0 ? null : new Date(Math.min(...times));
}

function isPast(transaction: Transaction, now: Date): boolean {
  const deadline = deadlineOf(transaction);
  return transaction.operations.some(({ type }) => type === "deadline") || (deadline !== null && deadline <= now);
}

/** The last attempt to pay, whatever became of it. */
export const lastAttempt = ({ operations }: Transaction): Operation | undefined =>
  operations.findLast(({ type }) => type === "authorize" || type === "session" || type === "credit");

export const isDeclined = (operation: Operation | undefined): boolean =>
  operation !== undefined && !operation.pending && !isApproved(operation);

/** How an attempt stands among the operations that ended at the shopper's bank: no acquirer was asked. */
export const unauthenticated_as: RuledOut = { status_code: "40000", status_msg: "3-D Secure failed" };

/** Was it the shopper's bank that said no? */
export const isUnauthenticated = (operation: Operation | undefined): boolean =>
  operation?.options.ruled_out?.status_msg === unauthenticated_as.status_msg;

/** The address that the session began at; null where the link is gone. */
export const startOverUrl = ({ addresses }: Pick<Services, "addresses">, { transaction }: Visit): string | null =>
  transaction.link_token === null ? null : linkUrl(transaction, addresses);

// Where the window itself calls from.
const own_address = "127.0.0.1";

/** The link's agreement, which must hold the permission: the window does not do what it may not. Throws 403. */
export async function actingFor(
  { directory }: Pick<Services, "directory">,
  { account, terms, transaction, shopper }: Visit,
  verb: "authorize" | "session" | "credit",
): Promise<Actor> {
  const agreements = await directory.agreementsWith(account.id);
  const agreement: Agreement | undefined = agreements.find(({ id }) => id === terms.agreement_id);
  const path = `/${folders[transaction.type]}/:id/${verb}`;
  const allowed = agreement !== undefined && may(agreement, "POST", path) && addressAllowed(agreement, own_address);
  if (!allowed) throw new Refused("not_authorized");
  return {
    user_id: agreement.user_id,
    agreement_id: agreement.id,
    name: agreement.user_name,
    path: path.replace(":id", String(transaction.id)),
    ip: shopper.address,
    version: terms.version,
    claim: null,
  };
}
