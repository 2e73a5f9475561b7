// Which methods a shopper may pay with: the syntax of `payment_methods` (reference: payment-window, section 4).
//
// A list of `[!][3d-]method[-cc]`. A card can be used in two forms, plainly and with 3-D Secure, and each token speaks of one
// of them: `visa` is not `3d-visa`. `cc` is the country that issued the card.

import { marksOf } from "./card.ts";
import { countryNamed } from "./countries.ts";
import type { FeeCard } from "./fees.ts";
import type { TransactionType } from "./transaction.ts";

export type CardForm = "plain" | "three_d_secure";

const plain = ["plain"] as const;
const three_d_secure = ["three_d_secure"] as const;
// The better one for the shopper first: without a question in between.
const both = ["plain", "three_d_secure"] as const;

type CardMethod = {
  readonly nice_name: string;
  readonly forms: readonly CardForm[];
  /** May a token name a country? */
  readonly countries: boolean;
};

/** In the order in which their logos stand. */
const card_methods: Readonly<Record<string, CardMethod>> = {
  dankort: { nice_name: "Dankort", forms: both, countries: false },
  visa: { nice_name: "Visa", forms: both, countries: true },
  "visa-electron": { nice_name: "Visa Electron", forms: both, countries: true },
  mastercard: { nice_name: "Mastercard", forms: both, countries: true },
  "mastercard-debet": { nice_name: "Mastercard Debet", forms: both, countries: true },
  maestro: { nice_name: "Maestro", forms: three_d_secure, countries: true },
  "american-express": { nice_name: "American Express", forms: plain, countries: true },
  diners: { nice_name: "Diners Club", forms: plain, countries: true },
  jcb: { nice_name: "JCB", forms: both, countries: true },
  fbg1886: { nice_name: "Forbrugsforeningen", forms: plain, countries: false },
};

/** In the order in which they are offered. */
const other_methods: Readonly<Record<string, string>> = {
  mobilepay: "MobilePay",
  "mobilepay-subscriptions": "MobilePay Subscriptions",
  vipps: "Vipps",
  swish: "Swish",
  "apple-pay": "Apple Pay",
  "google-pay": "Google Pay",
  paypal: "PayPal",
  "klarna-payments": "Klarna",
  klarna: "Klarna",
  viabill: "ViaBill",
  "anyday-split": "Anyday",
  resurs: "Resurs Bank",
  trustly: "Trustly",
  sofort: "Sofort",
  ideal: "iDEAL",
  bancontact: "Bancontact",
  blik: "BLIK",
  przelewy24: "Przelewy24",
  wechatpay: "WeChat Pay",
  paysafecard: "paysafecard",
  bitcoin: "Bitcoin",
};

const named_otherwise: Readonly<Record<string, string>> = { creditcard: "Card", "visa-dankort": "Visa/Dankort" };

/** A method as a shopper reads it: `American Express`. What we do not know is called what the merchant calls it. */
export function niceName(method: string): string {
  for (const names of [other_methods, named_otherwise])
    if (Object.hasOwn(names, method)) return names[method] ?? method;
  return cardMethod(method)?.nice_name ?? method;
}

const cardMethod = (brand: string): CardMethod | undefined =>
  Object.hasOwn(card_methods, brand) ? card_methods[brand] : undefined;

/** `creditcard` stands for every brand. */
const every_card = "creditcard";

type Token = {
  /** A method, `creditcard`, or whatever else was written, which is then the name of nothing. */
  readonly name: string;
  readonly three_d_secure: boolean;
  /** Alpha-3; null: of any country. */
  readonly country: string | null;
};

/** What a merchant wrote. With nothing included, everything is that is not excluded. */
export type Wanted = { readonly included: readonly Token[]; readonly excluded: readonly Token[] };

/**
 * Reads `payment_methods`; null and what is empty mean everything. Order, blanks and case do not matter. What names no method
 * matches nothing: alone it leaves nothing to pay with, which is safer than everything.
 */
export function parsePaymentMethods(text: string | null): Wanted {
  const written = (text ?? "")
    .toLowerCase()
    .replaceAll(/\s/g, "")
    .split(",")
    .filter((token) => token !== "");
  return {
    included: written.filter((token) => !token.startsWith("!")).map(tokenOf),
    excluded: written.filter((token) => token.startsWith("!")).map((token) => tokenOf(token.slice(1))),
  };
}

function tokenOf(text: string): Token {
  const three_d_secure = text.startsWith("3d-");
  const name = three_d_secure ? text.slice("3d-".length) : text;
  const [, method = "", code = ""] = /^(.+)-([a-z]{2})$/.exec(name) ?? [];
  const country = method === every_card || cardMethod(method)?.countries === true ? countryNamed(code) : null;
  return { name: country === null ? name : method, three_d_secure, country };
}

type Used = { readonly name: string; readonly form: CardForm; readonly country: string | null };

const allows = ({ included, excluded }: Wanted, is: (token: Token) => boolean): boolean =>
  (included.length === 0 || included.some(is)) && !excluded.some(is);

/** A country that is not known is none that was named. */
const speaksOf =
  ({ name, form, country }: Used) =>
  (token: Token): boolean =>
    (token.name === name || token.name === every_card) &&
    token.three_d_secure === (form === "three_d_secure") &&
    (token.country === null || token.country === country);

/** Card brands that the account's acquirers offer: `offeredBy` of fees.ts. */
type Brands = Pick<ReadonlySet<string>, "has">;

/**
 * How a card may be used, the plain form first; null: not at all. Maestro always takes 3-D Secure. `visa-dankort` is none of
 * the brands here: ask about those of `brandsAllowed`.
 */
export function cardAllowed(wanted: Wanted, offered: Brands, { brand, country }: FeeCard): CardForm | null {
  if (!offered.has(brand)) return null;
  const forms = cardMethod(brand)?.forms ?? [];
  return forms.find((form) => allows(wanted, speaksOf({ name: brand, form, country }))) ?? null;
}

/** As which of its brands a card may be used; more than one of a Visa/Dankort, and then the shopper chooses. */
export const brandsAllowed = (wanted: Wanted, offered: Brands, { brand, country }: FeeCard): readonly string[] =>
  marksOf(brand).filter((mark) => cardAllowed(wanted, offered, { brand: mark, country }) !== null);

/** Brands of which at least some card may be used, those of a single country too, in the order of their logos. */
export function cardBrandsShown(wanted: Wanted, offered: Brands): readonly string[] {
  // null stands for all countries that nobody named.
  const countries = new Set([null, ...wanted.included.map(({ country }) => country)]);
  return Object.keys(card_methods).filter((brand) =>
    [...countries].some((country) => cardAllowed(wanted, offered, { brand, country }) !== null),
  );
}

/** Methods beside cards that may be used, in the order in which they are offered. */
export const otherMethods = (wanted: Wanted, offered: Pick<ReadonlySet<string>, "has">): readonly string[] =>
  Object.keys(other_methods).filter(
    (method) => offered.has(method) && allows(wanted, ({ name, three_d_secure }) => name === method && !three_d_secure),
  );

/** Can this kind of transaction be paid with such a method beside cards? A subscription needs one that can be charged again. */
export const suits = (method: string, type: TransactionType): boolean =>
  type === "Payment"
    ? method !== "mobilepay-subscriptions"
    : type === "Subscription" && ["mobilepay-subscriptions", "paypal"].includes(method);
