// Transactions as they stand on the wire (reference: objects). The newest names are spoken; older versions are made from
// these by the version changes.

import {
  allowedOperations,
  balanceOf,
  creditedOf,
  type Link,
  type Operation,
  type Transaction,
  type TransactionType,
} from "../domain/transaction.ts";

/** ISO 8601 in UTC with milliseconds: `2024-10-10T17:26:06.123Z`. */
export function wireTime(at: Date): string {
  if (at.getTime() !== last_ms) {
    last_ms = at.getTime();
    last_text = at.toISOString();
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
  readonly two_factor: boolean;
  readonly created_at: Date;
};

export const presentUser = ({ id, name, email, email_verified, two_factor, created_at }: ShownUser) => ({
  id,
  name,
  email,
  email_verified,
  two_factor,
  created_at: wireTime(created_at),
});

export type Addresses = { readonly window_url: string };

/** Where each stands in paths, the API's and the window's. */
export const folders = {
  Payment: "payments",
  Subscription: "subscriptions",
  Card: "cards",
  Payout: "payouts",
} as const;

/** The payment window's address of this transaction's link. */
export const linkUrl = ({ type, link_token }: Transaction, { window_url }: Addresses): string =>
  `${window_url}/${folders[type]}/${link_token}`;

export type WireOperation = ReturnType<typeof presentOperation>;

export function presentOperation(o: Operation) {
  return {
    id: o.id,
    type: o.type,
    amount: o.amount,
    pending: o.pending,
    status_code: o.status_code,
    status_msg: o.status_msg,
    acquirer_status_code: o.acquirer_status_code,
    acquirer_status_msg: o.acquirer_status_msg,
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

const newest = (operations: readonly Operation[], size: number | undefined): readonly Operation[] =>
  size === undefined ? operations : size === 0 ? [] : operations.slice(-size);

/** The Payment object. `operations_size` keeps only so many of the newest operations. */
export function presentPayment(t: Transaction, addresses: Addresses, operations_size?: number) {
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
    operations: newest(t.operations, operations_size).map(presentOperation),
    test_mode: t.test_mode,
    acquirer: t.acquirer,
    facilitator: b.facilitator,
    created_at: wireTime(t.created_at),
    updated_at: wireTime(t.updated_at),
    retented_at: wireTimeOrNull(t.retented_at),
    balance: balanceOf(t),
    ...amountsOf(t),
    fee: b.fee,
    // Only on payments made by a subscription: official typed clients read it as a number that is never null.
    ...(t.subscription_id === null ? {} : { subscription_id: t.subscription_id }),
    deadline_at: b.deadline_at,
    reseller_id: null,
    allowed_operations: allowedOperations(t),
  };
}

const amountsOf = ({ authorized, captured, refunded }: Transaction) => ({
  authorized_amount: authorized,
  captured_amount: captured,
  refunded_amount: refunded,
});

/** As a payment, of which no money is moved. */
function presentSubscription(t: Transaction, addresses: Addresses, operations_size?: number) {
  const { balance: _, fee: __, subscription_id: ___, ...rest } = presentPayment(t, addresses, operations_size);
  const { deadline_at, reseller_id, allowed_operations, ...common } = rest;
  const { description } = t.body;
  return {
    ...{ ...common, description, group_ids: t.group_ids ?? [], deadline_at, reseller_id, allowed_operations },
  };
}

function presentPayout(t: Transaction, addresses: Addresses, operations_size?: number) {
  const shown = presentPayment(t, addresses, operations_size);
  return {
    id: shown.id,
    merchant_id: shown.merchant_id,
    order_id: shown.order_id,
    accepted: shown.accepted,
    type: shown.type,
    text_on_statement: shown.text_on_statement,
    branding_id: shown.branding_id,
    variables: shown.variables,
    currency: shown.currency,
    state: shown.state,
    metadata: shown.metadata,
    link: shown.link,
    operations: shown.operations,
    test_mode: shown.test_mode,
    acquirer: shown.acquirer,
    facilitator: shown.facilitator,
    created_at: shown.created_at,
    updated_at: shown.updated_at,
    retented_at: shown.retented_at,
    balance: creditedOf(t.operations),
    ...amountsOf(t),
    allowed_operations: shown.allowed_operations,
  };
}

/** A saved card has no amounts. */
function presentCard(t: Transaction, addresses: Addresses, operations_size?: number) {
  const { metadata, link, variables } = t.body;
  return {
    id: t.id,
    merchant_id: t.account_id,
    accepted: t.accepted,
    type: t.type,
    acquirer: t.acquirer,
    metadata,
    link: link === null ? null : presentCardLink(linkUrl(t, addresses), link),
    operations: newest(t.operations, operations_size).map(presentCardOperation),
    variables,
    test_mode: t.test_mode,
    created_at: wireTime(t.created_at),
    allowed_operations: allowedOperations(t),
  };
}

const presentCardLink = (url: string, link: Link) => ({
  url,
  agreement_id: link.agreement_id,
  language: link.language,
  continue_url: link.continue_url,
  cancel_url: link.cancel_url,
  callback_url: link.callback_url,
  payment_methods: link.payment_methods,
  branding_id: link.branding_id,
  google_analytics_client_id: link.google_analytics_client_id,
  google_analytics_tracking_id: link.google_analytics_tracking_id,
  version: link.version,
  acquirer: link.acquirer,
  framed: link.framed,
  branding_config: link.branding_config,
});

function presentCardOperation(operation: Operation) {
  const { amount: _, "3d_secure_status": __, ...shown } = presentOperation(operation);
  return shown;
}

const presenters = {
  Payment: presentPayment,
  Subscription: presentSubscription,
  Card: presentCard,
  Payout: presentPayout,
} as const satisfies Record<
  TransactionType,
  (t: Transaction, addresses: Addresses, operations_size?: number) => object
>;

/** A transaction as its kind is shown. */
export const presentTransaction = (t: Transaction, addresses: Addresses, operations_size?: number): object =>
  presenters[t.type](t, addresses, operations_size);

/** An operation as its kind of transaction shows it. */
export const presentOperationOf = (type: TransactionType, operation: Operation): object =>
  type === "Card" ? presentCardOperation(operation) : presentOperation(operation);
