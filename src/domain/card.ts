// A card as a request gives it: checked, then described. What may be kept of it is its metadata; the number and the CVD
// are for the acquirer alone and leave no trace (PCI DSS 3.2, 3.3).

import { createHmac } from "node:crypto";
import { countryOfNumber } from "./countries.ts";
import { isLuhn } from "./luhn.ts";
import type { Metadata } from "./metadata.ts";
import type { Fields } from "./refusal.ts";
import { testCard } from "./test-cards.ts";

export type CardInput = {
  readonly number?: string | undefined;
  readonly expiration?: string | undefined;
  readonly cvd?: string | undefined;
  readonly issued_to?: string | undefined;
  readonly brand?: string | undefined;
  readonly token?: string | undefined;
  readonly apple_pay_token?: string | undefined;
  readonly google_pay_token?: string | undefined;
  readonly mobilepay_online_token?: string | undefined;
  /** 3-D Secure that was done elsewhere. */
  readonly status?: string | undefined;
  readonly eci?: string | undefined;
  readonly xav?: string | undefined;
  readonly cavv?: string | undefined;
};

/** What an operation may need of a card. Number, expiry and CVD live in memory only, between form and settle; never stored, never logged. */
export type Card = {
  readonly number: string;
  readonly exp_month: number;
  readonly exp_year: number;
  readonly cvd: string | null;
  readonly brand: string;
  readonly issued_to: string | null;
  /** Set when 3-D Secure was done: the scheme's status and its proof. */
  readonly three_d_secure: {
    readonly status: string;
    readonly eci: string | null;
    readonly cavv: string | null;
  } | null;
};

/**
 * Which brand issues such numbers (ISO/IEC 7812 issuer ranges); the first range that fits. `visa-dankort` is a Visa number
 * of a Danish bank that is a Dankort too: the caller says which of the two to use.
 */
const ranges: readonly { readonly brand: string; readonly pattern: RegExp; readonly lengths: readonly number[] }[] = [
  { brand: "visa-dankort", pattern: /^4571/, lengths: [16] },
  { brand: "dankort", pattern: /^5019/, lengths: [16] },
  { brand: "visa-electron", pattern: /^(4026|417500|4405|4508|4844|4913|4917)/, lengths: [16] },
  { brand: "visa", pattern: /^4/, lengths: [13, 16, 19] },
  { brand: "fbg1886", pattern: /^600722/, lengths: [16, 17, 18, 19] },
  { brand: "mastercard", pattern: /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, lengths: [16] },
  { brand: "american-express", pattern: /^3[47]/, lengths: [15] },
  { brand: "diners", pattern: /^(30[0-5]|3095|36|38|39)/, lengths: [14, 15, 16, 17, 18, 19] },
  { brand: "jcb", pattern: /^(352[89]|35[3-8])/, lengths: [16, 17, 18, 19] },
  // 6011, 62, 644 to 649 and 65 belong to Discover and UnionPay.
  { brand: "maestro", pattern: /^(5[06-9]|6(?!011|2|4[4-9]|5))/, lengths: [12, 13, 14, 15, 16, 17, 18, 19] },
];

/** Null when no brand that we know issues such numbers. */
export function brandOf(number: string): string | null {
  return (
    testCard(number)?.brand ??
    ranges.find(({ pattern, lengths }) => pattern.test(number) && lengths.includes(number.length))?.brand ??
    null
  );
}

/** A card with several brands may be used as any of them. */
const also: Readonly<Record<string, readonly string[]>> = {
  "visa-dankort": ["visa", "dankort"],
  visa: ["visa-electron"],
  mastercard: ["mastercard-debet"],
};

/** The brands that stand on a card, of which its holder may choose: both of a Visa/Dankort, else the one. */
export const marksOf = (brand: string): readonly string[] => (brand === "visa-dankort" ? (also[brand] ?? []) : [brand]);

/** Every brand that a card may be. */
export const brands: ReadonlySet<string> = new Set([
  ...ranges.map(({ brand }) => brand),
  ...Object.values(also).flat(),
]);

const wallet_tokens = ["token", "apple_pay_token", "google_pay_token", "mobilepay_online_token"] as const;

type Numbered = Pick<Card, "number" | "brand">;

/** Number and brand alone: what a fee depends on. */
export function checkNumber(input: CardInput): { readonly card: Numbered } | { readonly errors: Fields } {
  const { number, brand, errors } = numberIn(input);
  if (number === undefined || brand === null || Object.keys(errors).length > 0) return { errors };
  return { card: { number, brand: input.brand ?? brand } };
}

function numberIn(input: CardInput) {
  const errors: Record<string, string[]> = {};
  const number = input.number?.replace(/[ -]/g, "");
  const brand = number === undefined ? null : brandOf(number);
  if (number === undefined) {
    const token = wallet_tokens.find((name) => input[name] !== undefined);
    errors[token === undefined ? "card[number]" : `card[${token}]`] = [
      token === undefined ? "is missing" : "is invalid",
    ];
  } else if (!/^\d{12,19}$/.test(number) || !isLuhn(number)) errors["card[number]"] = ["is invalid"];
  else if (brand === null) errors["card[number]"] = ["no acquirer accepts this card"];
  if (input.brand !== undefined && brand !== null && input.brand !== brand && !also[brand]?.includes(input.brand)) {
    errors["card[brand]"] = ["does not have a valid value"];
  }
  return { number, brand, errors };
}

/** The card, or what is wrong with it. `now` decides whether it has expired. */
export function checkCard(input: CardInput, now: Date): { readonly card: Card } | { readonly errors: Fields } {
  const { number, brand, errors } = numberIn(input);
  const expiry = input.expiration === undefined ? null : expiryOf(input.expiration);
  if (input.expiration === undefined) errors["card[expiration]"] = ["is missing"];
  else if (expiry === null) errors["card[expiration]"] = ["is invalid"];
  else if (isPast(expiry, now)) errors["card[expiration]"] = ["is in the past"];
  if (input.cvd !== undefined && !/^\d{3,4}$/.test(input.cvd)) errors["card[cvd]"] = ["is invalid"];
  // A number in the wrong field would rest in the open.
  if (holdsCardData(input.issued_to)) errors["card[issued_to]"] = ["is invalid"];
  if (input.status !== undefined && !/^[YANURC]$/.test(input.status))
    errors["card[status]"] = ["does not have a valid value"];
  if (number === undefined || brand === null || expiry === null || Object.keys(errors).length > 0) return { errors };
  return {
    card: {
      number,
      ...expiry,
      cvd: input.cvd ?? null,
      brand: input.brand ?? brand,
      issued_to: input.issued_to ?? null,
      three_d_secure:
        input.status === undefined
          ? null
          : { status: input.status, eci: input.eci ?? null, cavv: input.cavv ?? input.xav ?? null },
    },
  };
}

/** `YYMM` as documented; `MM/YY` and `MM / YYYY` as people write it. */
function expiryOf(text: string): { exp_month: number; exp_year: number } | null {
  const documented = /^(\d\d)(\d\d)$/.exec(text.trim());
  const written = /^(\d\d?) ?\/ ?(?:20)?(\d\d)$/.exec(text.trim());
  const [year, month] = documented !== null ? [documented[1], documented[2]] : [written?.[2], written?.[1]];
  const exp_month = Number(month ?? 0);
  return exp_month >= 1 && exp_month <= 12 ? { exp_month, exp_year: 2000 + Number(year) } : null;
}

/** A card is good until the end of its month, wherever on earth that ends last. */
const isPast = ({ exp_month, exp_year }: { exp_month: number; exp_year: number }, now: Date): boolean =>
  Date.UTC(exp_year, exp_month, 1, 12) <= now.getTime();

/** Alpha-3; null where it is not known. In test mode the CVD chooses it (reference: testing); DNK where that names none. */
export const issuingCountry = ({ number, cvd }: Pick<Card, "number" | "cvd">): string | null =>
  testCard(number) === null ? null : (countryOfNumber(cvd ?? "") ?? "DNK");

// EMV 3-D Secure: authenticated, or at least attempted. In every other case it was asked for in vain.
const performed: readonly string[] = ["Y", "A"];

/**
 * What is shown and kept: all members that say something about a card, so that nothing of an earlier attempt with another
 * card stays. `fingerprint_key` makes the hash useless to whoever has not got it.
 */
export function cardMetadata(card: Card, fingerprint_key: Buffer): Metadata {
  const { number, brand, exp_month, exp_year, issued_to, three_d_secure } = card;
  const is_test = testCard(number) !== null;
  return {
    type: "card",
    origin: null,
    brand,
    bin: number.slice(0, 6),
    corporate: is_test ? false : null,
    last4: number.slice(-4),
    exp_month,
    exp_year,
    country: issuingCountry(card),
    is_3d_secure: performed.includes(three_d_secure?.status ?? ""),
    "3d_secure_type": null,
    issued_to,
    hash: fingerprint(number, fingerprint_key),
    number: null,
  };
}

// 52 printable characters, as the live service has.
const hash_length = 52;

/** A keyed hash: 16 digits could be tried out one by one if it had no key. */
const fingerprint = (number: string, key: Buffer): string =>
  createHmac("sha512", key).update(number).digest("base64url").replace(/[-_]/g, "x").slice(0, hash_length);

const cvd_name = /^(cv[cdvn]2?|csc|security[_-]?code)$/i;

/** Does it hold, at any depth, what looks like a card's number, or a member that is named like a CVD? */
export function holdsCardData(value: unknown): boolean {
  if (typeof value === "string" || typeof value === "number")
    return isCardNumber(String(value).replaceAll(/[ -]/g, ""));
  if (value === null || typeof value !== "object") return false;
  return Object.entries(value).some(([name, inner]) => cvd_name.test(name) || holdsCardData(inner));
}

const isCardNumber = (digits: string): boolean =>
  /^\d{13,19}$/.test(digits) && isLuhn(digits) && brandOf(digits) !== null;
