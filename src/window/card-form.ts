// The card form as shoppers fill it in (reference: branding-templates): read, and what is wrong with it told by field.

import { type CardInput, checkCard, issuingCountry } from "../domain/card.ts";
import { type Fields, Refused } from "../domain/refusal.ts";
import { testCard } from "../domain/test-cards.ts";
import type { Entered, Field, Problem, ProblemKind } from "./model.ts";

export type CardForm = {
  readonly card: CardInput;
  readonly entered: Entered;
  /** Of which moment the form is: so many cards had been tried. Null where its template does not say. */
  readonly attempt: number | null;
  /** What it has shown as the fee, in minor units. Null where its template does not say. */
  readonly fee: number | null;
  /** It lets the shopper choose between the brands of a card. */
  readonly asks_brand: boolean;
  /** The shopper wants 3-D Secure, where the branding offers it. */
  readonly three_d_secure: boolean;
};

type Params = Readonly<Record<string, unknown>>;

// Nothing that a person types is longer; what is, is cut, and then wrong.
const typed_max = 100;

export function text(params: Params, name: string): string {
  const value = params[name];
  return typeof value === "string" ? value.slice(0, typed_max).trim() : "";
}

/** Digits as people group them: blanks of all kinds, dashes, dots. */
const digits = (typed: string): string => typed.replace(/[\s.\-–]/gu, "");

/** `MM/YY` of what was typed: `1229`, `12 / 2029`, `12-29`. As it is where it is none of these. */
export function expiryTyped(typed: string): string {
  const [, month, year] = /^(\d{1,2})\D*(?:20)?(\d\d)$/.exec(typed.replace(/\s/g, "")) ?? [];
  return month === undefined ? typed : `${month.padStart(2, "0")}/${year}`;
}

function wholeIn(params: Params, name: string): number | null {
  const typed = text(params, name);
  return /^\d{1,9}$/.test(typed) ? Number(typed) : null;
}

export function readCardForm(params: Params): CardForm {
  const number = digits(text(params, "cardnumber"));
  const split = params.expiration as Params | undefined;
  const expiration =
    typeof split === "object" && split !== null
      ? `${text(split, "month")}/${text(split, "year").replace(/^20(?=\d\d$)/, "")}`
      : expiryTyped(text(params, "expiration"));
  const cvd = text(params, "cvd");
  const brand = text(params, "brand");
  const cardholder = text(params, "cardholder");
  const is_empty = expiration === "" || expiration === "/";
  return {
    card: {
      ...(number !== "" && { number }),
      ...(!is_empty && { expiration }),
      ...(cvd !== "" && { cvd }),
      ...(cardholder !== "" && { issued_to: cardholder }),
      ...((brand === "visa" || brand === "dankort") && { brand }),
    },
    entered: enteredOf({ number, expiration: is_empty ? "" : expiration, issued_to: cardholder, brand }),
    attempt: wholeIn(params, "attempt"),
    fee: wholeIn(params, "fee"),
    asks_brand: text(params, "asks_brand") !== "",
    three_d_secure: text(params, "3d") !== "",
  };
}

/** What comes back into the form: also of a card that was held meanwhile. */
export const enteredOf = ({ number = "", expiration = "", issued_to = "", brand = "" }: CardInput): Entered => ({
  cardnumber: number.replace(/(\d{4})(?=\d)/g, "$1 "),
  expiration: expiration.replace("/", " / "),
  cardholder: issued_to,
  brand,
});

type Checked = { readonly country: string | null; readonly brand: string; readonly test: boolean };

/** The card's brand and country, or everything that is wrong with what was typed. */
export function checkTyped(
  card: CardInput,
  { now, cvd_needed }: { readonly now: Date; readonly cvd_needed: boolean },
): Checked | { readonly problems: readonly Problem[] } {
  // A brand that the card does not have is nothing that the shopper chose: the field was shown for another card.
  const { brand: _, ...plain } = card;
  const checked = checkCard(plain, now);
  const missing = cvd_needed && card.cvd === undefined ? [{ field: "cvd", problem: "missing" } as const] : [];
  if ("errors" in checked) return { problems: [...problemsIn(checked.errors), ...missing] };
  if (missing.length > 0) return { problems: missing };
  const { number, brand } = checked.card;
  return { brand, country: issuingCountry(checked.card), test: testCard(number) !== null };
}

const fields: Readonly<Record<string, Field>> = {
  "card[number]": "cardnumber",
  "card[expiration]": "expiration",
  "card[cvd]": "cvd",
  "card[brand]": "brand",
  "card[issued_to]": "cardholder",
};

const kinds: Readonly<Record<string, ProblemKind>> = {
  "is missing": "missing",
  "is in the past": "past",
  "no acquirer accepts this card": "not_accepted",
  "test cards are not allowed": "test_not_allowed",
  "a live card cannot pay a test transaction": "live_on_test",
  "a test card cannot pay a live transaction": "test_on_live",
};

/** In the order of the form. Nothing, where the refusal is not about the card. */
export const problemsIn = (errors: Fields): Problem[] =>
  Object.entries(fields).flatMap(([name, field]) => {
    const [why] = errors[name] ?? [];
    return why === undefined ? [] : [{ field, problem: kinds[why] ?? "invalid" }];
  });

/** The problems that a refusal tells of; throws what is about something else. */
export function problemsOf(error: unknown): Problem[] {
  const problems = error instanceof Refused ? problemsIn(error.refusal.fields ?? {}) : [];
  if (problems.length === 0) throw error;
  return problems;
}
