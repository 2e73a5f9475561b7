// Which acquirer does it, and whether it is a test (reference: testing; extensions, sections 3 and 6).

import type { Acquirer, Verb } from "../acquirers/acquirer.ts";
import type { ThreeDSecure } from "../acquirers/three-d-secure.ts";
import type { AccountSettings } from "../domain/account.ts";
import { type Card, issuingCountry } from "../domain/card.ts";
import { takesBrand } from "../domain/fees.ts";
import { Refused } from "../domain/refusal.ts";
import { testCard } from "../domain/test-cards.ts";
import type { Transaction } from "../domain/transaction.ts";
import { preferred } from "./fees.ts";
import type { Services } from "./services.ts";

/** The adapter that this transaction is bound to; null when its acquirer has none. */
export const acquirerFor = (
  { simulator, acquirers }: Services,
  { test_mode, acquirer }: Transaction,
): Acquirer | null => (test_mode ? simulator : (acquirers[acquirer ?? ""] ?? null));

/** The 3-D Secure server that a transaction's issuer is asked through; null when there is none. Never the simulated one for live. */
export const threeDSecureFor = ({ three_d_secure }: Services, test_mode: boolean): ThreeDSecure | null =>
  test_mode ? three_d_secure.simulator : three_d_secure.live;

export type Choice = { readonly acquirer: string; readonly test_mode: boolean };

type Wanted = {
  readonly settings: AccountSettings;
  readonly transaction: Pick<Transaction, "account_id" | "acquirer" | "test_mode" | "currency">;
  /** Forced by the request. */
  readonly acquirer: string | null;
  /** What it shall do. */
  readonly verb?: Verb;
  /** Minor units: acquirers' fees on it are compared. */
  readonly amount?: number;
};

// Where nothing is charged yet, acquirers are compared by what they take for an everyday purchase.
const everyday_amount = 10_000;

/**
 * For a card: test cards go to the simulator under the real acquirer's name, live cards to an acquirer that can. Of several
 * it is the one that the merchant prefers, else the one with the lowest fee.
 */
export async function chooseForCard(
  services: Services,
  card: Pick<Card, "number" | "brand" | "cvd">,
  wanted: Wanted,
): Promise<Choice> {
  const { acquirers } = services;
  const { settings, transaction } = wanted;
  const active = activeAcquirers(settings);
  const named = wanted.acquirer === null ? active : active.filter((name) => name === wanted.acquirer);
  const is_test = testCard(card.number) !== null;
  if (is_test && !settings.allow_test_transactions) throw refusedCard("test cards are not allowed");
  if (transaction.acquirer !== null && transaction.test_mode !== is_test) {
    throw refusedCard(
      is_test ? "a test card cannot pay a live transaction" : "a live card cannot pay a test transaction",
    );
  }
  if (named.length === 0 && wanted.acquirer !== null) throw new Refused("validation", { acquirer: ["is invalid"] });
  const able = is_test ? named : named.filter((name) => acquirers[name]?.[wanted.verb ?? "authorize"] !== undefined);
  const agreed = able.filter((name) => takesBrand(name, card.brand, settings.acquirer_settings[name] ?? {}));
  const { account_id, currency } = transaction;
  const charge = { account_id, currency, amount: wanted.amount ?? everyday_amount };
  const known = { brand: card.brand, country: issuingCountry(card) };
  // Test cards of every brand work from the first day, before anything was agreed.
  const acquirer = await preferred(services, { ...charge, card: known }, agreed.length > 0 ? agreed : able);
  if (acquirer === undefined) throw refusedCard("no acquirer accepts this card");
  return { acquirer, test_mode: is_test };
}

const refusedCard = (why: string): Refused => new Refused("validation", { "card[number]": [why] });

/** For a session there is no card number: a test when the acquirer has no adapter or no credentials. */
export function chooseForSession({ acquirers }: Services, { settings, transaction, acquirer }: Wanted): Choice {
  const name = acquirer ?? activeAcquirers(settings)[0];
  const credentials = name === undefined ? undefined : settings.acquirer_settings[name];
  if (name === undefined || credentials?.active !== true) throw new Refused("validation", { acquirer: ["is invalid"] });
  const live = acquirers[name]?.session !== undefined && hasCredentials(credentials);
  const test_mode = !live;
  if (test_mode && !settings.allow_test_transactions) throw new Refused("validation", { acquirer: ["is invalid"] });
  if (transaction.acquirer !== null && transaction.test_mode !== test_mode) {
    throw new Refused("validation", { acquirer: ["is invalid"] });
  }
  return { acquirer: name, test_mode };
}

/** Is there an acquirer that real money could go to? */
export const isLive = ({ acquirers }: Pick<Services, "acquirers">, settings: AccountSettings): boolean =>
  activeAcquirers(settings).some(
    (name) => acquirers[name] !== undefined && hasCredentials(settings.acquirer_settings[name] ?? {}),
  );

const activeAcquirers = ({ acquirer_settings }: AccountSettings): string[] =>
  Object.keys(acquirer_settings).filter((name) => acquirer_settings[name]?.active === true);

const hasCredentials = (settings: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(settings).some(([name, value]) => /key|secret|password|token|code$/.test(name) && Boolean(value));
