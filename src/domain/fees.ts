// What acquirers take for a payment (reference: resources, section 12; states, section 4): which methods each offers, the
// formula that holds until a merchant writes her own, and when a fee may be put on the shopper's bill.

import { type AcquirerName, acquirer_names } from "./acquirers.ts";
import { alpha2Of, isAlpha2, isInEuropeanUnion } from "./countries.ts";

type Formulas = Readonly<Record<string, string>>;

// Where everybody starts from; each merchant replaces them by what her own agreement with the acquirer says.
const cards: Formulas = {
  "american-express": "2.75%",
  dankort: "0.7%",
  diners: "2.75%",
  fbg1886: "0.7%",
  jcb: "2.75%",
  maestro: "1.45%",
  mastercard: "1.45%",
  "mastercard-debet": "1.45%",
  visa: "1.45%",
  "visa-electron": "1.45%",
};

/** Acquirer -> payment method (payment-window, section 4) -> the standard formula. */
export const standard_formulas: Readonly<Record<AcquirerName, Formulas>> = {
  bambora: cards,
  clearhaus: cards,
  coinify: { bitcoin: "1%" },
  elavon: cards,
  handelsbanken: cards,
  klarna: { klarna: "2.95%" },
  klarnapayments: { "klarna-payments": "2.95%" },
  mobilepay: { mobilepay: "1%" },
  mobilepayonline: { mobilepay: "1%" },
  mobilepaysubscriptions: { "mobilepay-subscriptions": "1%" },
  nets: cards,
  paypal: { paypal: "3.4%" },
  paysafecard: { paysafecard: "10%" },
  resurs: { resurs: "2.95%" },
  sofort: { ideal: "0.9%", sofort: "0.9%" },
  swedbank: cards,
  swish: { swish: "1%" },
  teller: cards,
  trustly: { ideal: "0.9%", trustly: "0.9%" },
  valitor: cards,
  viabill: { viabill: "2.95%" },
  vipps: { vipps: "1%" },
};

export const methodsOf = (acquirer: AcquirerName): readonly string[] => Object.keys(standard_formulas[acquirer]);

/** A payment method that an acquirer offers, perhaps of cards from one country only: `mastercard-dk`. */
export type Method = { readonly name: string; readonly base: string };

/** Null for what this acquirer does not offer. */
export function methodNamed(acquirer: AcquirerName, name: string): Method | null {
  if (Object.hasOwn(standard_formulas[acquirer], name)) return { name, base: name };
  const [, base = "", country = ""] = /^(.+)-([a-z]{2})$/.exec(name) ?? [];
  const offered = Object.hasOwn(standard_formulas[acquirer], base) && isAlpha2(country.toUpperCase());
  return offered ? { name, base } : null;
}

/** A card as fees and priorities look at it; `country`: alpha-3 of the issuer, where it is known. */
export type FeeCard = { readonly brand: string; readonly country: string | null };

/** A card that is both Visa and Dankort is a Dankort where those are taken: at Nets. */
export const brandAt = (acquirer: string, brand: string): string =>
  brand !== "visa-dankort" ? brand : acquirer === "nets" ? "dankort" : "visa";

/** What may be said about such a card, the closest first: `visa-dk`, `visa`. */
export function methodsFor(brand: string, country: string | null): readonly string[] {
  const alpha2 = country === null ? null : alpha2Of(country);
  return alpha2 === null ? [brand] : [`${brand}-${alpha2.toLowerCase()}`, brand];
}

/** A merchant's own formulas, by `acquirer/method`. */
export type OwnFormulas = ReadonlyMap<string, string>;

export const formulaKey = (acquirer: string, method: string): string => `${acquirer}/${method}`;

export type FormulaInForce = { readonly formula: string; readonly standard: boolean };

/** The merchant's own for the method, else for the method without its country, else the standard one. */
export function formulaInForce(own: OwnFormulas, acquirer: AcquirerName, { name, base }: Method): FormulaInForce {
  const formula = own.get(formulaKey(acquirer, name)) ?? own.get(formulaKey(acquirer, base));
  return formula === undefined
    ? { formula: standard_formulas[acquirer][base] ?? "0", standard: true }
    : { formula, standard: false };
}

/** Acquirer settings without which a brand is not taken. */
const needed_setting: Readonly<Record<string, string>> = {
  "american-express": "americanexpress",
  diners: "dinersclub",
  fbg1886: "fbg1886",
};
const clearhaus_brands: readonly string[] = ["maestro", "mastercard", "mastercard-debet", "visa", "visa-electron"];

/** Has the merchant agreed with this acquirer that it takes cards of this brand? */
export function takesBrand(acquirer: string, brand: string, settings: Readonly<Record<string, unknown>>): boolean {
  const method = brandAt(acquirer, brand);
  if (!Object.hasOwn(standard_formulas, acquirer)) return false;
  if (standard_formulas[acquirer as AcquirerName] !== cards) return false;
  if (acquirer === "clearhaus") return clearhaus_brands.includes(method);
  if (method === "dankort") return acquirer === "nets";
  const needed = needed_setting[method];
  return needed === undefined || settings[needed] === true;
}

/** Methods that a merchant's acquirers offer: brands of cards, and other methods with the acquirer of each. */
export type Offered = { readonly cards: ReadonlySet<string>; readonly others: ReadonlyMap<string, AcquirerName> };

type AcquirerSettings = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/**
 * What the active acquirers of an account offer. `test`: to test cards, of which every brand works wherever cards are taken at
 * all, before anything was agreed.
 */
export function offeredBy(settings: AcquirerSettings, { test }: { readonly test: boolean }): Offered {
  const active = acquirer_names.filter((acquirer) => settings[acquirer]?.active === true);
  const card_acquirers = active.filter((acquirer) => standard_formulas[acquirer] === cards);
  const takes = (brand: string) =>
    card_acquirers.some((acquirer) => test || takesBrand(acquirer, brand, settings[acquirer] ?? {}));
  // Where two offer the same it is the newer service, which comes later: mobilepayonline, trustly.
  const others = active
    .filter((acquirer) => !card_acquirers.includes(acquirer))
    .flatMap((acquirer) => methodsOf(acquirer).map((method) => ({ method, acquirer })))
    // Sofort and Trustly offer iDEAL to whom has agreed on it.
    .filter(({ method, acquirer }) => method !== "ideal" || settings[acquirer]?.ideal === true);
  return {
    cards: new Set(Object.keys(cards).filter(takes)),
    others: new Map(others.map(({ method, acquirer }) => [method, acquirer])),
  };
}

type Issued = { readonly corporate: boolean; readonly country: string | null };

/**
 * May the acquirer's fee be put on the shopper's bill? Since 2018 only on corporate cards and on consumer cards that were
 * issued outside the EU (states, section 4; Directive (EU) 2015/2366, article 62). What is not known counts as protected.
 */
export const mayAddFee = ({ corporate, country }: Issued): boolean =>
  corporate || (country !== null && !isInEuropeanUnion(country));
