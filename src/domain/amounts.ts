// Money as a shopper reads it. How it is written, Intl knows; how many decimals it has, our own table (currency.ts): the
// runtime's is wrong for some currencies and changes with it.

import { decimal, exponentOf, isChargeable, isoDivisor } from "./currency.ts";

/** Minor units as the language writes them, without the currency: `1.249,00` in Danish. Never throws for a language. */
export const formattedAmount = (amount: number, currency: string, language: string): string =>
  written(amount, { currency, language, style: "decimal" });

/** With the currency, as the language writes it: `1.249,00 kr.` of DKK in Danish, `DKK 1,249.00` in English. Blanks do not break. */
export const price = (amount: number, currency: string, language: string): string =>
  written(amount, { currency, language, style: "currency" });

type Writing = {
  readonly currency: string;
  readonly language: string;
  readonly style: "decimal" | "currency";
};

// Making one takes longer than all that it then writes.
const formats = new Map<string, Intl.NumberFormat>();
const formats_max = 1_000;

function written(amount: number, { currency, language, style }: Writing): string {
  const digits = shownDecimals(amount, currency);
  const key = `${style} ${currency} ${language} ${digits}`;
  const known = formats.get(key);
  if (known === undefined && formats.size >= formats_max) formats.clear();
  const format = known ?? formatOf({ currency, language, style }, digits);
  formats.set(key, format);
  return format.format(Number(decimal(amount, currency)));
}

function formatOf({ currency, language, style }: Writing, digits: number): Intl.NumberFormat {
  // What Intl does not know is written as in English; without a second choice it would be as on the server.
  const languages = /^[a-z]{2}$/i.test(language) ? [language, "en"] : ["en"];
  return new Intl.NumberFormat(languages, {
    style,
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    // Some languages have digits of their own, which a bank statement would not show.
    numberingSystem: "latn",
  });
}

/** Krónur have two decimals here, but nobody writes them, unless there is something in them after all. */
const shownDecimals = (amount: number, currency: string): number =>
  isChargeable(amount, currency) ? exponentOf(currency) - Math.log10(isoDivisor(currency)) : exponentOf(currency);
