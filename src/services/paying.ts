// Paying with a card or at a provider, and saving or crediting a card: the same whether a merchant's server asks or the
// payment window.

import type { Card, CardInput } from "../domain/card.ts";
import { nothing_suspicious, type RuledOut } from "../domain/fraud-rules.ts";
import type { Metadata } from "../domain/metadata.ts";
import type { OperationOptions, Transaction } from "../domain/transaction.ts";
import { type Choice, chooseForCard, chooseForSession } from "./acquiring.ts";
import { cardIn, type GivenCard, savedCardIn } from "./cards.ts";
import type { Account } from "./directory.ts";
import { cardAutoFee } from "./fees.ts";
import { verdictOn } from "./fraud.ts";
import { begin, perform } from "./operate.ts";
import type { Begun, Key } from "./operations.ts";
import { find } from "./payments.ts";
import type { Actor, Services } from "./services.ts";
import { keepsCard } from "./vault.ts";

/** Where the money comes from or goes to. `token`: of the saved card that it is, to be spent; `card` is null where it is no good. */
export type Source = {
  readonly transaction: Transaction;
  readonly choice: Omit<Choice, "acquirer"> & { readonly acquirer: string | null };
  readonly card: GivenCard | null;
  readonly token: string | null;
  /** What the acquirer's fee adds to the amount, in minor units; null where it adds none. */
  readonly fee: number | null;
};

type Asked = {
  readonly account: Account;
  readonly key: Key;
  readonly acquirer?: string | null | undefined;
};

type CardAsked = Asked & {
  readonly verb: "authorize" | "credit";
  readonly card?: CardInput | undefined;
  /** Minor units: acquirers' fees on it are compared. */
  readonly amount?: number | null | undefined;
  /** On payments: the acquirer's fee is added to the amount. The account's setting unless it is said. */
  readonly autofee?: boolean | undefined;
};

/** The card that was given, or the saved one that a token stands for, with the acquirer that takes it. Throws 400. */
export async function cardSource(services: Services, asked: CardAsked): Promise<Source> {
  const { account, key, verb, card: input, amount } = asked;
  const token = input?.number === undefined ? (input?.token ?? null) : null;
  const transaction = await find(services, key);
  const card = token === null ? cardIn(services, account.id, input) : await savedCardIn(services, account.id, token);
  if (card === null) return { transaction, choice: transaction, card, token, fee: null };
  const { settings } = account;
  const wanted = { settings, transaction, acquirer: asked.acquirer ?? null, verb, ...(amount && { amount }) };
  const choice = await chooseForCard(services, card.data, wanted);
  const has_fee = key.type === "Payment" && (asked.autofee ?? settings.autofee);
  const autofee = { wanted: has_fee, transaction, acquirer: choice.acquirer, amount: amount ?? 0 };
  return { transaction, choice, card, token, fee: await cardAutoFee(services, autofee, card.metadata) };
}

/** A provider that the shopper is sent to: there is no card. Throws 400. */
export async function sessionSource(services: Services, { account, key, acquirer }: Asked): Promise<Source> {
  const transaction = await find(services, key);
  const choice = chooseForSession(services, { settings: account.settings, transaction, acquirer: acquirer ?? null });
  return { transaction, choice, card: null, token: null, fee: null };
}

export type Paying = {
  readonly key: Key;
  readonly verb: "authorize" | "session" | "credit";
  /** Null where nothing is moved. */
  readonly amount: number | null;
  readonly source: Source;
  readonly options: OperationOptions;
  readonly callback_url: string | null;
  readonly customer_ip?: string | undefined;
  /** What else becomes known of the card and the shopper. */
  readonly metadata?: Metadata;
  /** Ends it before any rule or acquirer is asked. */
  readonly ruled_out?: RuledOut;
  /** Only in the state with this revision: refused as `operation_pending` when something happened since. */
  readonly revision?: number;
};

/** `performing` never fails, and ends when the acquirer's answer is settled or was not heard. */
export type Performing = { readonly begun: Begun; readonly performing: Promise<void> };

/** Begins an authorization, session or credit at the acquirer that was chosen for it, and asks it. Throws `Refused`. */
export async function pay(services: Services, actor: Actor, paying: Paying): Promise<Performing> {
  const { key, verb, amount, source, options, callback_url, customer_ip } = paying;
  const { transaction, card, token, choice, fee } = source;
  const fraud = paying.ruled_out
    ? { ...nothing_suspicious, ruled_out: paying.ruled_out }
    : verb === "authorize" && card !== null
      ? await verdictOn(services, { transaction, card, choice, amount: amount ?? 0, customer_ip })
      : undefined;
  const begun = await begin(services, actor, {
    ...key,
    verb,
    amount: amount === null ? null : amount + (fee ?? 0),
    ...(key.type === "Payment" && { fee }),
    options,
    callback_url,
    acquirer: choice.acquirer,
    test_mode: choice.test_mode,
    three_d_secure_status: card?.data.three_d_secure?.status ?? null,
    ...kept(key, card?.data),
    ...(fraud && { fraud }),
    ...(paying.revision !== undefined && { revision: paying.revision }),
    metadata: { ...card?.metadata, ...(customer_ip && { customer_ip }), ...paying.metadata },
  });
  return { begun, performing: perform(services, begun, card?.data ?? null, token) };
}

/** Cards and subscriptions keep what they are authorized with, in the vault. */
const kept = (key: Key, card: Card | undefined): { keep?: Card } =>
  keepsCard(key) && card !== undefined ? { keep: card } : {};
