// Money as a shopper reads it, in every language of the window.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formattedAmount, price } from "../src/domain/amounts.ts";
import { currencies, decimal } from "../src/domain/currency.ts";
import { amount_max } from "../src/domain/money.ts";

const languages =
  "bg cs da de el es et fi fo fr hr hu is it ja ka kl ko lt lv nl no pl pt ro ru sk sl sr sv tr uk zh en".split(" ");

/** Blanks that do not break, written as `_`. */
const visible = (text: string): string => text.replaceAll(/[\u00a0\u202f]/g, "_");

// Amount, currency, language | without currency | with it
for (const line of `
  24900 DKK da | 249,00 | 249,00_kr.
  124900 DKK da | 1.249,00 | 1.249,00_kr.
  5 DKK da | 0,05 | 0,05_kr.
  0 DKK da | 0,00 | 0,00_kr.
  24900 DKK en | 249.00 | DKK_249.00
  124900 EUR en | 1,249.00 | €1,249.00
  124900 EUR de | 1.249,00 | 1.249,00_€
  124900 EUR fr | 1_249,00 | 1_249,00_€
  124900 SEK sv | 1_249,00 | 1_249,00_kr
  124900 NOK no | 1_249,00 | 1_249,00_kr
  124900 DKK kl | 1.249,00 | kr._1.249,00
  124900 DKK fo | 1.249,00 | 1.249,00_kr
  124900 USD zh | 1,249.00 | US$1,249.00
  1250 JPY ja | 1,250 | ￥1,250
  1250 JPY en | 1,250 | ¥1,250
  12500 ISK is | 125 | 125_kr.
  12500 ISK en | 125 | ISK_125
  12550 ISK en | 125.50 | ISK_125.50
  12500 HUF hu | 125,00 | 125,00_Ft
  12500 KWD en | 12.500 | KWD_12.500
  12500 CLF en | 1.2500 | CLF_1.2500
  2147483647 EUR pl | 21_474_836,47 | 21_474_836,47_€
  124900 EUR ar | 1,249.00 | \u200f1,249.00_€
  124900 EUR xx | 1,249.00 | €1,249.00
  124900 EUR DA | 1.249,00 | 1.249,00_€
`
  .trim()
  .split("\n")) {
  const [what = "", bare, whole] = line.split("|").map((cell) => cell.trim());
  const [amount = "", currency = "", language = ""] = what.split(" ");
  test(`${what} is ${bare}, ${whole}`, () => {
    assert.equal(visible(formattedAmount(Number(amount), currency, language)), bare);
    assert.equal(visible(price(Number(amount), currency, language)), whole);
  });
}

test("every currency has its own decimals in every language, and no digit is lost", () => {
  // Of a currency's own sign, which may hold a dot, only digits matter.
  const digitsOf = (text: string): string => text.replaceAll(/\D/g, "");
  const currency = fc.constantFrom(...currencies.map(({ code }) => code));
  fc.assert(
    fc.property(currency, fc.integer({ min: 0, max: amount_max }), fc.boolean(), (code, some, whole) => {
      const amount = code === "ISK" && whole ? some - (some % 100) : some;
      const exact = decimal(amount, code);
      const digits = digitsOf(code === "ISK" && amount % 100 === 0 ? exact.slice(0, -3) : exact);
      for (const language of languages) {
        assert.equal(digitsOf(formattedAmount(amount, code, language)), digits, `${amount} ${code} ${language}`);
        assert.equal(digitsOf(price(amount, code, language)), digits, `${amount} ${code} ${language}`);
      }
    }),
    { numRuns: 60 },
  );
  for (const { code } of currencies) {
    for (const language of languages) assert.equal(digitsOf(price(1_234_500, code, language)).slice(0, 5), "12345");
  }
});

test("no language makes it fail", () => {
  const letters = "abcdefghijklmnopqrstuvwxyz".split("");
  const pairs = letters.flatMap((first) => letters.map((second) => first + second));
  for (const language of [...pairs, "", "d", "dansk", "da-", "da_DK", "-", "../", "\0", "x-", "💶"]) {
    assert.match(formattedAmount(124_900, "DKK", language), /^\d[^\d]?\d{3}[^\d]\d\d$|^1249[^\d]00$/, language);
  }
});
