// The contract every acquirer keeps. An acquirer is a plain object with one verb per operation it can do: no base
// class, no access to storage. What it cannot do it leaves out, and the API says so.

import type { Card } from "../domain/card.ts";
import type { AddressesGiven, AddressName } from "../domain/transaction.ts";

/** One operation, as the acquirer is asked to perform it. */
export type Order = {
  /** The operation's own reference (a ulid): the same for every attempt, so that a retry cannot move money twice. */
  readonly reference: string;
  /** The ulid of what the money belongs to (payment, subscription, card, payout). */
  readonly transaction: string;
  /** Minor units; 0 where nothing is moved. */
  readonly amount: number;
  /** ISO 4217, alphabetic. */
  readonly currency: string;
  /** What the acquirer returned for the authorization that this operation builds on; only it knows what it means. */
  readonly authorization: string | null;
  readonly card: Card | null;
  readonly text_on_statement: string | null;
  /** The merchant's settings for this acquirer. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Acquirer-specific parameters, as sent. */
  readonly extras: Readonly<Record<string, unknown>>;
  /** Of a session: where the provider sends the shopper back to; null where no shopper is sent anywhere. */
  readonly return_url: string | null;
  /** Of a session: the payment method that the shopper chose (`mobilepay`), where an acquirer has several. */
  readonly method: string | null;
  /** Of a session: what the shop wants to know of the shopper. Wallets can ask her; others have no addresses. */
  readonly addresses: readonly AddressName[];
};

/** Three outcomes, never two: an answer that did not arrive is not a no. */
export type Outcome =
  | (Answer & {
      readonly kind: "approved";
      readonly authorization: string | null;
      /** Those that the order asked for and the shopper let be given. */
      readonly addresses?: AddressesGiven;
    })
  | (Answer & { readonly kind: "rejected" })
  /** `waiting`: the acquirer said that it is still working (or waits for the shopper); otherwise nothing was heard. */
  | { readonly kind: "unknown"; readonly reason: string; readonly waiting?: boolean; readonly data?: Data };

type Data = Readonly<Record<string, string>>;
type Answer = {
  /** Our code (`domain/status-codes.ts`): 20000, 30100, 40000, … */
  readonly status_code: string;
  /** The acquirer's own code and words. */
  readonly acquirer_status_code: string | null;
  readonly acquirer_status_msg: string | null;
  /** Shown in the operation's `data`. */
  readonly data?: Data;
};

/** What became of an order: an outcome, or the acquirer has never heard of it (and never will: see `late_ms`). */
export type Found = Outcome | { readonly kind: "never_heard" };

export type Verb = "authorize" | "session" | "recurring" | "capture" | "refund" | "cancel" | "renew" | "credit";

/** What a test of a merchant's settings looks at (reference: objects, section 11). */
export const tested_parts = ["visa", "mastercard", "dankort", "diners", "fbg1886", "3d_secure", "recurring"] as const;
export type TestResult = { readonly success: boolean; readonly message: string; readonly currency: string | null };
export type TestDetails = { readonly [part in (typeof tested_parts)[number]]?: TestResult };

export type Acquirer = {
  readonly name: string;
  /** How long after it was begun an order may still arrive there; `find` may say `never_heard` only later than this. */
  readonly late_ms: number;
  /** What became of the order with this reference? Moves no money. `begun_at` is when we began it. */
  readonly find: (order: Order & { readonly begun_at: Date }, signal: AbortSignal) => Promise<Found>;
  /**
   * Makes sure that an order which had no effect yet never has one: `never_heard` is then a promise. Left out by
   * acquirers that cannot promise it; their operations cannot be aborted.
   */
  readonly abort?: (order: Order, signal: AbortSignal) => Promise<Found>;
  /** What can be done with these settings of a merchant? Moves no money. Left out by acquirers that cannot say. */
  readonly test?: (settings: Order["settings"], signal: AbortSignal) => Promise<TestDetails>;
} & { readonly [verb in Verb]?: (order: Order, signal: AbortSignal) => Promise<Outcome> };
