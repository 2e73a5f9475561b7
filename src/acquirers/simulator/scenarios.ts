// What the simulator answers to an order: a function of the test card (or the session's wish) and of what its book holds
// about the authorization. No clock and no storage here.

import { type Scenario, testCard } from "../../domain/test-cards.ts";
import type { AddressesGiven } from "../../domain/transaction.ts";
import type { Order, Verb } from "../acquirer.ts";

export type Decision = {
  readonly outcome: "approved" | "rejected" | "waiting";
  readonly status_code: string;
  readonly acquirer_status_code: string | null;
  readonly acquirer_status_msg: string | null;
  /** Until then the simulator says that it is still working. */
  readonly delay_ms: number;
};

/** What the book knows of the authorization that an order builds on. */
export type Authorization = {
  readonly scenario: string;
  readonly amount: number;
  readonly currency: string;
  readonly captured: number;
  readonly refunded: number;
  readonly recurred: number;
  readonly cancelled: boolean;
};

type Basis = { readonly scenario: string; readonly authorization: Authorization | null };

const card_delay_ms = 60_000;
// Where no shopper is, one is simulated who approves after this long.
const shopper_delay_ms = 5_000;

const approved: Decision = {
  outcome: "approved",
  status_code: "20000",
  acquirer_status_code: "20000",
  acquirer_status_msg: "Approved",
  delay_ms: 0,
};

const rejected = (acquirer_status_msg: string, acquirer_status_code = "40000"): Decision => ({
  outcome: "rejected",
  status_code: "40000",
  acquirer_status_code,
  acquirer_status_msg,
  delay_ms: 0,
});

const three_d_secure_required: Decision = {
  outcome: "rejected",
  status_code: "30100",
  acquirer_status_code: "30100",
  acquirer_status_msg: "3-D Secure required",
  delay_ms: 0,
};

/** What a shopper answers, simulated or on the provider's page. */
export const shopper_answers = { approved, rejected: rejected("Rejected by the shopper") } as const;

/** `extras[simulator][session]`: what the simulated shopper does. */
const session_wishes: Readonly<Record<string, Decision>> = {
  ...shopper_answers,
  waiting: {
    outcome: "waiting",
    status_code: "20200",
    acquirer_status_code: "20200",
    acquirer_status_msg: "Waiting",
    delay_ms: 0,
  },
};

/** Wallets know where their shopper lives. */
export const knowsAddresses = (method: string | null): boolean => /^(mobilepay|paypal|vipps|vmp)\b/.test(method ?? "");

/** The simulated shopper's. */
export const shopper_addresses: Required<AddressesGiven> = {
  invoice_address: {
    name: "Test Shopper",
    street: "Testvej",
    house_number: "12",
    city: "Aarhus C",
    zip_code: "8000",
    country_code: "DNK",
    email: "shopper@example.com",
    mobile_number: "+4500000000",
  },
  shipping_address: {
    name: "Test Shopper",
    att: "Parcel shop",
    street: "Pakkevej",
    house_number: "3",
    city: "Odense C",
    zip_code: "5000",
    country_code: "DNK",
  },
};

/** The verbs that need an approved authorization. */
export const follows: ReadonlySet<string> = new Set<Verb>(["recurring", "capture", "refund", "cancel", "renew"]);

/** What kind of card (or session) this order belongs to: kept in the book instead of the card. */
export function scenarioOf(verb: Verb, order: Order, authorization: Authorization | null): string {
  const { card, extras, return_url } = order;
  if (card !== null) return testCard(card.number)?.scenario ?? "live";
  if (authorization !== null) return authorization.scenario;
  if (verb !== "session") return "none";
  const wish = (extras.simulator as { session?: unknown } | undefined)?.session;
  if (typeof wish === "string" && Object.hasOwn(session_wishes, wish)) return `session_${wish}`;
  // Somebody real can be sent to the provider's page: nobody is simulated.
  return return_url === null ? "session" : "session_waiting";
}

export function decide(verb: Verb, order: Order, { scenario, authorization }: Basis): Decision {
  const decision = decideAtOnce(verb, order, { scenario, authorization });
  const is_delayed = scenario === "delayed" && decision.outcome === "approved";
  return is_delayed ? { ...decision, delay_ms: card_delay_ms } : decision;
}

function decideAtOnce(verb: Verb, order: Order, { scenario, authorization }: Basis): Decision {
  // The simulator never approves a live card.
  if (scenario === "live") return rejected("Not a test card", "40110");
  // The merchant's own charge of a card that it keeps.
  const by_card = verb === "recurring" && order.authorization === null && order.card !== null;
  if (by_card && scenario === "recurring_rejected") return rejected("Rejected");
  if (follows.has(verb) && !by_card) {
    return authorization === null ? rejected("Unknown authorization") : following(verb, order, authorization);
  }
  if (verb === "session") {
    return session_wishes[scenario.replace("session_", "")] ?? { ...approved, delay_ms: shopper_delay_ms };
  }
  return scenario === "none" ? rejected("Card missing") : paying(scenario as Scenario, order);
}

// Codes of acquirers, as Clearhaus has them: 40135 card expired, 40310 authentication failure.
function paying(scenario: Scenario, { card }: Order): Decision {
  const status = card?.three_d_secure?.status;
  if (scenario === "rejected") return rejected("Rejected");
  if (scenario === "expired") return rejected("Card expired", "40135");
  if (status === "N" || status === "R") return rejected("3-D Secure failed", "40310");
  if (scenario === "three_d_secure_required" && status !== "Y" && status !== "A") return three_d_secure_required;
  return approved;
}

function following(verb: Verb, { amount, currency }: Order, authorization: Authorization): Decision {
  const { scenario, captured, refunded, cancelled, recurred } = authorization;
  if (scenario === `${verb}_rejected`) return rejected("Rejected");
  if (cancelled) return rejected("Authorization was cancelled");
  const moves = verb === "capture" || verb === "refund";
  if (moves && currency !== authorization.currency) return rejected("Not the authorization's currency", "40140");
  // Asked for 0 (zero_auth), it does not know the bound.
  const limit = authorization.amount === 0 ? Number.POSITIVE_INFINITY : authorization.amount;
  if (verb === "capture" && captured + amount > limit) return rejected("Amount exceeds the authorization");
  if (verb === "refund" && refunded + amount > captured) return rejected("Amount exceeds the captures");
  if (verb === "cancel" && captured > 0) return rejected("Already captured");
  if (verb === "recurring" && scenario === "authorize_once" && recurred > 0) return rejected("Rejected");
  return approved;
}
