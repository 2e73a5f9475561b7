// The four kinds of transactions, as far as their endpoints differ: paths and shapes.

import type { TObject } from "typebox";
import { type AnyRequest, type Effect, idIn, type Reply } from "../api/endpoint.ts";
import type { Transaction, TransactionType } from "../domain/transaction.ts";
import type { Key } from "../services/operations.ts";
import { find } from "../services/payments.ts";
import { presentTransaction } from "../services/present.ts";
import {
  CardOperationShape,
  CardShape,
  OperationShape,
  PaymentShape,
  PayoutShape,
  SubscriptionShape,
} from "./transaction-shapes.ts";

export type Kind = {
  readonly type: TransactionType;
  /** In every path. */
  readonly folder: "payments" | "subscriptions" | "cards" | "payouts";
  /** In summaries: `a payment`. */
  readonly name: string;
  readonly shape: TObject;
  readonly operation_shape: TObject;
};

export const payment: Kind = {
  type: "Payment",
  folder: "payments",
  name: "a payment",
  shape: PaymentShape,
  operation_shape: OperationShape,
};
export const subscription: Kind = {
  type: "Subscription",
  folder: "subscriptions",
  name: "a subscription",
  shape: SubscriptionShape,
  operation_shape: OperationShape,
};
export const card: Kind = {
  type: "Card",
  folder: "cards",
  name: "a card",
  shape: CardShape,
  operation_shape: CardOperationShape,
};
export const payout: Kind = {
  type: "Payout",
  folder: "payouts",
  name: "a payout",
  shape: PayoutShape,
  operation_shape: OperationShape,
};

export const kinds: Readonly<Record<TransactionType, Kind>> = {
  Payment: payment,
  Subscription: subscription,
  Card: card,
  Payout: payout,
};

type Placed = Pick<AnyRequest<"merchant">, "account" | "path">;

/** Names the transaction in the path. Throws 404 for what is not an id. */
export const keyOf = ({ type }: Kind, { account, path }: Placed): Key => ({
  account_id: account.id,
  type,
  id: idIn(path, type),
});

/** The transaction that a request with an Idempotency-Key had its effect on, as it is now. */
export const affected = (
  { type }: Kind,
  { services, account }: AnyRequest<"merchant">,
  { id }: Effect,
): Promise<Transaction> => find(services, { account_id: account.id, type, id });

/** The answer that shows it. */
export const shown = (
  { services }: Pick<AnyRequest, "services">,
  transaction: Transaction,
  operations_size?: number,
): Reply => ({ status: 200, body: presentTransaction(transaction, services.addresses, operations_size) });

/** 201 with its address. */
export const created = (
  { folder }: Kind,
  { services }: Pick<AnyRequest, "services">,
  transaction: Transaction,
): Reply => ({
  status: 201,
  body: presentTransaction(transaction, services.addresses),
  headers: { Location: `${services.addresses.api_url}/${folder}/${transaction.id}` },
});
