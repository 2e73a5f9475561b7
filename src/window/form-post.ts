// The Form (reference: payment-window, section 2): a page of the shop posts an order, signed with an agreement's API key. The
// window makes it as that key's client of the API, with no more rights than the key has, and goes on as with any link.

import { isDeepStrictEqual } from "node:util";
import { checkForm, checksumMatches, type FormOrder } from "../domain/form.ts";
import { Refused } from "../domain/refusal.ts";
import type { Body, Transaction } from "../domain/transaction.ts";
import { agreementKey } from "../services/agreements.ts";
import { type LinkWish, linkFor, putLink } from "../services/links.ts";
import { find, findByOrderId } from "../services/payments.ts";
import { folders, linkUrl } from "../services/present.ts";
import type { Actor, Services } from "../services/services.ts";
import { type Answer, seeOther } from "./page.ts";
import { plainPage } from "./plain.ts";

/** A call of the API by key, without a network between. */
export type CallApi = (call: {
  readonly method: "POST" | "PUT";
  readonly path: string;
  readonly api_key: string;
  readonly version: string;
  readonly body: Readonly<Record<string, unknown>>;
}) => Promise<{ readonly status: number; readonly body: unknown }>;

type Posted = {
  readonly params: Readonly<Record<string, unknown>>;
  /** It came to `/framed`. */
  readonly framed: boolean;
  readonly language: string;
  readonly callApi: CallApi;
  readonly detailsOf: DetailsOf;
};

/** What these parameters of the API say of a transaction, as it is stored; they were found good before. */
export type DetailsOf = (params: Readonly<Record<string, unknown>>) => Partial<Body>;

// Forms have been this version's since there are any.
const version = "v10";

type Wrong = { readonly status?: number; readonly error?: string; readonly description?: string };

/** Leads to the page of what was posted, or says what is wrong with it. Nothing is told to the shop's callback URL. */
export async function formPosted(services: Services, posted: Posted): Promise<Answer> {
  const { params, framed, language, callApi, detailsOf } = posted;
  const wrong = ({ status = 400, error = "form_invalid", description }: Wrong): Promise<Answer> =>
    plainPage(services, { status, error, language, framed, ...(description !== undefined && { description }) });
  const checked = checkForm(params);
  if ("problems" in checked) {
    const description = checked.problems.map(({ field, problem }) => `${field} is ${problem}`).join(", ");
    return wrong({ description });
  }
  const { order } = checked;
  const api_key = await agreementKey(services, { account_id: order.merchant_id, id: order.agreement_id });
  // An agreement that there is not is no other answer than a key that is not its own.
  if (!checksumMatches(params, api_key ?? "") || api_key === null)
    return wrong({ description: "checksum does not match merchant_id, agreement_id and its API key" });

  const made = await callApi({
    method: "POST",
    path: `/${folders[order.type]}`,
    api_key,
    version,
    body: bodyOf(order),
  });
  const transaction = await transactionMade(services, order, made);
  if (transaction === "not_available") return wrong({ status: 403, error: "not_available" });
  if (typeof transaction === "string") return wrong({ description: transaction });
  if (transaction.accepted && transaction.link_token === null)
    return wrong({ status: 200, error: transaction.cancelled ? "cancelled_by_shop" : "already_paid" });
  const { text_on_statement } = order;
  const linked = transaction.accepted
    ? transaction
    : await withLink(services, order, {
        transaction,
        framed,
        details: { ...detailsOf(bodyOf(order)), ...(text_on_statement !== null && { text_on_statement }) },
      });
  if (typeof linked === "string") return wrong({ description: linked });
  return seeOther(linkUrl(linked, { window_url: "" }));
}

function bodyOf(order: FormOrder): Record<string, unknown> {
  const { variables, invoice_address, shipping_address, basket, shipping } = order.mirrored;
  const { order_id, currency, text_on_statement, branding_id, description } = order;
  const named = { order_id, currency, variables, text_on_statement };
  const body = {
    Payment: { ...named, branding_id, invoice_address, shipping_address, basket, shipping },
    Subscription: { ...named, branding_id, description, invoice_address, shipping_address },
    Card: { variables },
    Payout: named,
  }[order.type];
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null && value !== undefined));
}

/** What was made, or has the order id and is not paid yet; else why not, in words for the shop's developer. */
async function transactionMade(
  services: Services,
  order: FormOrder,
  { status, body }: Awaited<ReturnType<CallApi>>,
): Promise<Transaction | string> {
  const { merchant_id: account_id, type, order_id, currency } = order;
  const told = (body ?? {}) as { id?: number; errors?: Record<string, string[]> | null };
  if (status === 201 && told.id !== undefined) return find(services, { account_id, type, id: told.id });
  if (status === 409) {
    const known = await findByOrderId(services, { account_id, type, order_id });
    if (known === null) throw new Refused("unavailable", null, { retry_after_s: 1 });
    return known.currency === currency ? known : "currency is another one than this order_id was used with";
  }
  if (status === 402 || status === 403 || status === 401) return "not_available";
  if (status >= 500) throw new Refused("unavailable", null, { retry_after_s: 1 });
  return Object.entries(told.errors ?? {})
    .map(([field, problems]) => `${field} ${problems.join(", ")}`)
    .join("; ");
}

type Linking = {
  readonly transaction: Transaction;
  readonly framed: boolean;
  readonly details: Partial<Body>;
};

/**
 * The form's terms as a link of the window's own. An order id that is posted again gets the new ones, and what else the form
 * gives of the order.
 */
async function withLink(
  services: Services,
  order: FormOrder,
  { transaction, framed, details }: Linking,
): Promise<Transaction | string> {
  const { merchant_id: account_id, type, agreement_id } = order;
  const account = await services.directory.account(account_id);
  const { invoice_address_selection, shipping_address_selection, branding_config } = order.mirrored;
  const isOn = (value: unknown): boolean | null => (value === undefined ? null : ["1", "true"].includes(String(value)));
  const wish: LinkWish = {
    ...order,
    framed: framed || order.framed,
    amount: type === "Card" ? null : order.amount,
    branding_config: settingsIn(branding_config),
    invoice_address_selection: isOn(invoice_address_selection),
    shipping_address_selection: isOn(shipping_address_selection),
  };
  const actor: Actor = {
    ...{ user_id: null, agreement_id, name: "Payment Window", path: "/", ip: null, version, claim: null },
  };
  try {
    const link = await linkFor(services, { account, type, version }, wish);
    // The same form again is the same link: its deadline does not begin anew.
    const wanted = { ...transaction.body, ...details, link };
    if (isDeepStrictEqual(transaction.body, wanted)) return transaction;
    return await putLink(services, actor, { key: { account_id, type, id: transaction.id }, link, details });
  } catch (error) {
    if (!(error instanceof Refused) || error.refusal.code !== "validation") throw error;
    return Object.entries(error.refusal.fields ?? {})
      .map(([field, problems]) => `${field} ${problems.join(", ")}`)
      .join("; ");
  }
}

/** A group as it came, or its JSON as a text; what is neither is nothing. */
function settingsIn(value: unknown): Record<string, unknown> | null {
  try {
    const read: unknown = typeof value === "string" ? JSON.parse(value) : value;
    return typeof read === "object" && read !== null && !Array.isArray(read) ? { ...read } : null;
  } catch {
    return null;
  }
}
