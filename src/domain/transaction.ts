// A transaction (payment, subscription, card, payout) is what its operations add up to. Operations are only ever
// appended and settled; state, totals and acceptance are derived from them, so they cannot disagree with the history.

import type { RuledOut } from "./fraud-rules.ts";
import { type Amount, amount as amountOf, minus, plus, zero } from "./money.ts";
import { type Refusal, refuse } from "./refusal.ts";

export type TransactionType = "Payment" | "Subscription" | "Card" | "Payout";
export type OperationType =
  | "authorize"
  | "session"
  | "recurring"
  | "capture"
  | "refund"
  | "cancel"
  | "renew"
  | "credit"
  | "deadline";
export type State = "initial" | "pending" | "new" | "rejected" | "processed" | "active" | "cancelled";

/** What settling an operation needs to know, beside what is shown. */
export type OperationOptions = {
  readonly auto_capture?: boolean;
  /** YYYY-MM-DD, in the account's timezone. */
  readonly auto_capture_at?: string;
  /** The acquirer is asked for 0; the operation keeps its amount. */
  readonly zero_auth?: boolean;
  readonly extras?: Readonly<Record<string, unknown>>;
  /** Of a session: the window's address that the provider sends the shopper back to. It names a shopper's visit: erased. */
  readonly return_url?: string;
  /** Of a session: the payment method that the shopper chose, as in `payment_methods`. */
  readonly method?: string;
  /** Of a session: what the provider shall ask the shopper for. */
  readonly addresses?: readonly AddressName[];
  /** What the acquirer calls the subscription's authorization that a recurring payment builds on. */
  readonly authorization?: string;
  /** A cancel that takes back what this earlier operation was approved for, too late; it cancels nothing else. */
  readonly voids?: number;
  /** YYYY-MM: the month of the account's bounded plan that it holds a place in. */
  readonly counted?: string;
  /** Rules against fraud ended it: no acquirer is asked. */
  readonly ruled_out?: RuledOut;
};

export type Operation = {
  /** 1, 2, 3, … per transaction. */
  readonly id: number;
  readonly type: OperationType;
  readonly amount: number | null;
  readonly pending: boolean;
  readonly status_code: string | null;
  readonly status_msg: string | null;
  readonly acquirer_status_code: string | null;
  readonly acquirer_status_msg: string | null;
  readonly data: Readonly<Record<string, string>>;
  readonly acquirer: string | null;
  readonly three_d_secure_status: string | null;
  /** A ulid: our name for it at the acquirer. */
  readonly reference: string;
  readonly acquirer_reference: string | null;
  readonly options: OperationOptions;
  readonly version: string;
  readonly runner: number | null;
  /** When to ask the acquirer about it (again); also set on an ended session until nothing can come of it. */
  readonly check_at: Date | null;
  readonly created_at: Date;
  readonly finished_at: Date | null;
  readonly callback_url: string | null;
  readonly callback_success: boolean | null;
  readonly callback_response_code: number | null;
  readonly callback_duration: number | null;
  readonly callback_at: Date | null;
};

/** What follows from the operations. Stored beside them for filters and for the database's own checks. */
export type Derived = {
  readonly state: State;
  readonly accepted: boolean;
  readonly authorized: Amount;
  readonly captured: Amount;
  readonly capture_pending: Amount;
  readonly refunded: Amount;
  readonly refund_pending: Amount;
  readonly cancelled: boolean;
};

export type Address = Readonly<Record<string, string | null>>;

/** All members of an address, in their order. */
export const address_members = [
  ...["name", "att", "street", "city", "zip_code", "region", "country_code", "vat_no", "company_name", "house_number"],
  ...["house_extension", "phone_number", "mobile_number", "email"],
] as const;

export type AddressName = "invoice_address" | "shipping_address";
export type AddressesGiven = { readonly [name in AddressName]?: Address };

/** Everything that is shown but never searched. */
export type Body = {
  /** Of a subscription: what is paid for. */
  readonly description: string | null;
  /** Of a subscription: the shopper is not charged on a schedule, but whenever there is a reason. */
  readonly unscheduled: boolean;
  readonly text_on_statement: string | null;
  readonly branding_id: number | null;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly shipping_address: Address | null;
  readonly invoice_address: Address | null;
  readonly basket: readonly Readonly<Record<string, unknown>>[];
  readonly shipping: Readonly<Record<string, unknown>> | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly link: Link | null;
  readonly fee: number | null;
  readonly facilitator: string | null;
  /** ISO 8601. */
  readonly deadline_at: string | null;
  /** When the link's own deadline passes, ISO 8601; not shown. */
  readonly link_deadline_at: string | null;
};

/** The body of a transaction of which nothing more is known. */
export const newBody = (metadata: Body["metadata"]): Body => ({
  description: null,
  unscheduled: false,
  text_on_statement: null,
  branding_id: null,
  variables: {},
  shipping_address: null,
  invoice_address: null,
  basket: [],
  shipping: null,
  metadata,
  link: null,
  fee: null,
  facilitator: null,
  deadline_at: null,
  link_deadline_at: null,
});

/** The payment window link, without its URL (which is made of the token and the window's public address). */
export type Link = Readonly<Record<string, unknown>> & { readonly deadline: number | null };

export type Transaction = Derived & {
  readonly bucket: number;
  readonly account_id: number;
  readonly id: number;
  readonly ulid: string;
  readonly type: TransactionType;
  readonly order_id: string | null;
  readonly currency: string | null;
  readonly test_mode: boolean;
  readonly acquirer: string | null;
  readonly fraud_suspected: boolean;
  readonly subscription_id: number | null;
  /** Of a subscription: the groups that it is charged with. */
  readonly group_ids: readonly number[] | null;
  readonly body: Body;
  readonly link_token: string | null;
  readonly due_at: Date | null;
  readonly last_operation_id: number;
  readonly revision: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly retented_at: Date | null;
  readonly operations: readonly Operation[];
};

/** Number of buckets that accounts are spread over (architecture: storage rules). */
export const buckets = 1024;
export const bucketOf = (account_id: number): number => account_id % buckets;

export const approved_code = "20000";
export const isApproved = (operation: Operation): boolean =>
  !operation.pending && operation.status_code === approved_code;

export const pendingOperation = (operations: readonly Operation[]): Operation | undefined =>
  operations.find((operation) => operation.pending);

/** The approved operation that captures, refunds and cancels build on: the first approved authorization. */
export const authorizationOf = (operations: readonly Operation[]): Operation | undefined =>
  operations.find((operation) => authorizes(operation.type) && isApproved(operation));

const authorizes = (type: OperationType): boolean => type === "authorize" || type === "session" || type === "recurring";
const accepts = (type: OperationType): boolean => authorizes(type) || type === "credit";

type Command = {
  readonly from: readonly State[];
  /** The most it may move, in minor units. */
  readonly limit?: (totals: Derived) => number;
  /** What else must hold. */
  readonly when?: (totals: Derived, operations: readonly Operation[]) => boolean;
};

const not_closed: Command["when"] = (_, operations) => operations.every(({ type }) => type !== "deadline");

const paying: Command = { from: ["initial", "rejected"], when: not_closed };

/** What each command needs: the states it may start from, what must hold, and the most it may move. */
export const commands: Readonly<Record<TransactionType, Readonly<Partial<Record<OperationType, Command>>>>> = {
  Payment: {
    authorize: paying,
    session: paying,
    recurring: { from: ["initial"] },
    capture: {
      from: ["new", "processed"],
      when: (t) => t.authorized > 0 && !t.cancelled,
      limit: (t) => t.authorized - t.captured - t.capture_pending,
    },
    refund: {
      from: ["processed"],
      when: (t) => t.captured > 0,
      limit: (t) => t.captured - t.refunded - t.refund_pending,
    },
    cancel: { from: ["new", "processed"], when: (t) => t.captured === 0 && !t.cancelled },
    renew: { from: ["new"] },
  },
  // Its authorization moves nothing: payments that build on it do.
  Subscription: { authorize: paying, session: paying, cancel: { from: ["active"] } },
  Card: { authorize: paying, cancel: { from: ["active"] } },
  Payout: { credit: paying },
};

/** A session only waits for the shopper: a new attempt to pay ends it. */
export const endsSession = (type: OperationType): boolean => type === "authorize" || type === "session";

/** May this happen now? The one place that answers; the acquirer is only asked after a yes (null). */
export function decide(
  { type, operations }: Pick<Transaction, "type" | "operations">,
  verb: OperationType,
  amount: number | null,
): Refusal | null {
  const command = commands[type][verb];
  if (command === undefined) return refuse("wrong_state", {});

  const pending = pendingOperation(operations);
  const ends_session = pending?.type === "session" && endsSession(verb);
  if (pending !== undefined && !ends_session) return refuse("operation_pending", {});

  const before = derive(
    type,
    operations.filter((operation) => operation !== pending),
  );
  if (!command.from.includes(before.state)) return refuse("wrong_state", {});
  if (command.when !== undefined && !command.when(before, operations)) return refuse("wrong_state", {});
  if (command.limit !== undefined && (amount ?? 0) > command.limit(before)) {
    return refuse("amount_too_large", { amount: ["is too large"] });
  }
  return null;
}

/** What can be done with it now; with an amount, of the smallest there is. */
export function allowedOperations(transaction: Pick<Transaction, "type" | "state" | "operations">): OperationType[] {
  const { type, state } = transaction;
  // Charging a subscription makes a payment, which begins with its operation: nobody asks for it later.
  const own = (Object.keys(commands[type]) as OperationType[]).filter(
    (verb) => verb !== "recurring" && decide(transaction, verb, 1) === null,
  );
  return type === "Subscription" && state === "active" ? ["recurring", ...own] : own;
}

/** State and totals of a transaction with these operations. Throws when they are impossible: a mistake of ours. */
export function derive(type: TransactionType, operations: readonly Operation[]): Derived {
  let authorized = zero;
  let captured = zero;
  let capture_pending = zero;
  let refunded = zero;
  let refund_pending = zero;
  let cancelled = false;
  for (const operation of operations) {
    const amount = amountOf(operation.amount ?? 0);
    if (operation.pending) {
      if (operation.type === "capture") capture_pending = plus(capture_pending, amount);
      if (operation.type === "refund") refund_pending = plus(refund_pending, amount);
      continue;
    }
    if (!isApproved(operation)) continue;
    if (authorizes(operation.type)) authorized = plus(authorized, amount);
    if (operation.type === "capture") captured = plus(captured, amount);
    if (operation.type === "refund") refunded = plus(refunded, amount);
    if (operation.type === "cancel" && operation.options.voids === undefined) cancelled = true;
  }
  const accepted = operations.some((operation) => accepts(operation.type) && isApproved(operation));
  const totals = { accepted, authorized, captured, capture_pending, refunded, refund_pending, cancelled };
  return { state: stateOf(type, operations, { accepted, cancelled }), ...totals };
}

type Ends = { readonly accepted: boolean; readonly cancelled: boolean };

function stateOf(type: TransactionType, operations: readonly Operation[], ends: Ends): State {
  if (operations.length === 0) return "initial";
  if (pendingOperation(operations) !== undefined) return "pending";
  return settled_states[type](ends, operations);
}

const kept = ({ accepted, cancelled }: Ends): State => (cancelled ? "cancelled" : accepted ? "active" : "rejected");

/** The state when nothing is pending (reference: states, sections 1, 5 and 6). */
const settled_states: Readonly<Record<TransactionType, (ends: Ends, operations: readonly Operation[]) => State>> = {
  Payment: ({ accepted, cancelled }, operations) => {
    // Any finished capture, declined too, makes it processed; a declined cancel leaves it new.
    if (cancelled || operations.some(({ type }) => type === "capture")) return "processed";
    return accepted ? "new" : "rejected";
  },
  Subscription: kept,
  // A card's state is not shown: whether it was accepted, and its operations, tell.
  Card: kept,
  Payout: ({ accepted }) => (accepted ? "processed" : "rejected"),
};

/** What the merchant has received: captured less refunded, approved operations only. */
export const balanceOf = ({ captured, refunded }: Derived): Amount => minus(captured, refunded);

/** What a payout has paid, in minor units. */
export const creditedOf = (operations: readonly Operation[]): number =>
  operations.reduce((sum, o) => (o.type === "credit" && isApproved(o) ? sum + (o.amount ?? 0) : sum), 0);
