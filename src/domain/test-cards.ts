// The test cards (reference: testing): 16 digits, `1000 BB00 0000 00NN`. The brand follows from digits 5 and 6, what the
// card does from the tail, and the last digit is a Luhn check digit.

import { luhnDigit } from "./luhn.ts";

export const scenarios = [
  "approved",
  "rejected",
  "expired",
  "capture_rejected",
  "refund_rejected",
  "cancel_rejected",
  "recurring_rejected",
  "three_d_secure_required",
  "authorize_once",
  "delayed",
] as const;

export type Scenario = (typeof scenarios)[number];
export type TestCard = { readonly number: string; readonly brand: string; readonly scenario: Scenario };

/** In the order of their digits 5 and 6. Brands without 3-D Secure skip its scenario. */
const brands = [
  { brand: "visa", three_d_secure: true },
  { brand: "mastercard", three_d_secure: true },
  { brand: "dankort", three_d_secure: false },
  { brand: "american-express", three_d_secure: false },
  { brand: "maestro", three_d_secure: false },
  { brand: "visa-electron", three_d_secure: true },
  { brand: "visa-dankort", three_d_secure: true },
  { brand: "diners", three_d_secure: false },
  { brand: "fbg1886", three_d_secure: false },
  { brand: "jcb", three_d_secure: false },
  { brand: "mastercard-debet", three_d_secure: false },
];

export const test_cards: readonly TestCard[] = brands.flatMap(({ brand, three_d_secure }, brand_index) =>
  scenarios
    .filter((scenario) => three_d_secure || scenario !== "three_d_secure_required")
    .map((scenario, index) => {
      const start = `1000${String(brand_index).padStart(2, "0")}${String(index).padStart(9, "0")}`;
      return { number: start + luhnDigit(start), brand, scenario };
    }),
);

const by_number = new Map(test_cards.map((card) => [card.number, card]));

/** Null for every number that is not one of the test cards. */
export const testCard = (number: string): TestCard | null => by_number.get(number) ?? null;
