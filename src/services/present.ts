// Transactions as they stand on the wire (reference: objects). The newest names are spoken; older versions are made from
// these by the version changes.

import { balanceOf, type Operation, type Transaction } from "../domain/transaction.ts";

/** ISO 8601 in UTC, whole seconds: `2024-10-10T17:26:06Z`. */
export function wireTime(at: Date): string {
  if (at.getTime() !== last_ms) {
    last_ms = at.getTime();
    last_text = `${at.toISOString().slice(0, 19)}Z`;
  }
  return last_text;
}
// Most answers hold one instant several times.
let last_ms = Number.NaN;
let last_text = "";

const wireTimeOrNull = (at: Date | null): string | null => (at === null ? null : wireTime(at));

type ShownUser = {
  readonly id: number;
  readonly name: string;
  readonly email: string | null;
  readonly email_verified: boolean;
  readonly created_at: Date;
};

export const presentUser = ({ id, name, email, email_verified, created_at }: ShownUser) => ({
  id,
  name,
  email,
  email_verified,
  two_factor: false,
  created_at: wireTime(created_at),
});

export type Addresses = { readonly window_url: string };

const link_folder = { Payment: "payments", Subscription: "subscriptions", Card: "cards", Payout: "payouts" } as const;

/** The payment window's address of this transaction's link. */
export const linkUrl = ({ type, link_token }: Transaction, { window_url }: Addresses): string =>
  `${window_url}/${link_folder[type]}/${link_token}`;

export type WireOperation = ReturnType<typeof presentOperation>;

export function presentOperation(o: Operation) {
  return {
    id: o.id,
    type: o.type,
    amount: o.amount,
    pending: o.pending,
    qp_status_code: o.status_code,
    qp_status_msg: o.status_msg,
    // CoolPay's own WHCMS and WooCommerce modules read these twins.
    cp_status_code: o.status_code,
    cp_status_msg: o.status_msg,
    aq_status_code: o.acquirer_status_code,
    aq_status_msg: o.acquirer_status_msg,
    data: o.data,
    callback_url: o.callback_url,
    callback_success: o.callback_success,
    callback_response_code: o.callback_response_code,
    callback_duration: o.callback_duration,
    acquirer: o.acquirer,
    "3d_secure_status": o.three_d_secure_status,
    callback_at: wireTimeOrNull(o.callback_at),
    created_at: wireTime(o.created_at),
  };
}

/** The Payment object. `operations_size` keeps only so many of the newest operations. */
export function presentPayment(t: Transaction, addresses: Addresses, operations_size?: number) {
  const shown =
    operations_size === undefined ? t.operations : operations_size === 0 ? [] : t.operations.slice(-operations_size);
  const b = t.body;
  return {
    id: t.id,
    ulid: t.ulid,
    merchant_id: t.account_id,
    order_id: t.order_id,
    accepted: t.accepted,
    type: t.type,
    text_on_statement: b.text_on_statement,
    branding_id: b.branding_id,
    variables: b.variables,
    currency: t.currency,
    state: t.state,
    metadata: b.metadata,
    link: b.link === null ? null : { url: linkUrl(t, addresses), ...b.link },
    shipping_address: b.shipping_address,
    invoice_address: b.invoice_address,
    basket: b.basket,
    shipping: b.shipping,
    operations: shown.map(presentOperation),
    test_mode: t.test_mode,
    acquirer: t.acquirer,
    facilitator: b.facilitator,
    created_at: wireTime(t.created_at),
    updated_at: wireTime(t.updated_at),
    retented_at: wireTimeOrNull(t.retented_at),
    balance: balanceOf(t),
    fee: b.fee,
    // Only on payments made by a subscription: official typed clients read it as a number that is never null.
    ...(t.subscription_id === null ? {} : { subscription_id: t.subscription_id }),
    deadline_at: b.deadline_at,
    reseller_id: null,
  };
}
