// Every currency: its data against a published table, its amounts written and read back.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import published from "currency-codes";
import fc from "fast-check";
import {
  currencies,
  decimal,
  exponentOf,
  isChargeable,
  isCurrency,
  isoDivisor,
  minorUnits,
} from "../src/domain/currency.ts";
import { amount_max } from "../src/domain/money.ts";

const any_currency = fc.constantFrom(...currencies.map(({ code }) => code));
const any_amount = fc.integer({ min: 0, max: amount_max });

describe("the table of currencies", () => {
  // Newer than the published table: Curaçao's guilder of 2025, which took over the old one's number.
  const newer = ["XCG"];
  // Metals, units of account and test codes: nobody pays with them.
  const no_money = /^X(A[GU]|B[A-D]|DR|P[DT]|SU|TS|UA|XX)$/;

  test("is that of ISO 4217, except that ISK has two decimals here", () => {
    const expected = published.data
      .filter(({ code }) => !no_money.test(code))
      .map(({ code, number, digits, currency }) => ({
        code,
        numeric: number,
        exponent: code === "ISK" ? 2 : digits,
        name: currency.trim(),
      }));
    assert.deepEqual(
      currencies.filter(({ code }) => !newer.includes(code)),
      expected,
    );
  });

  test("is sorted, and names every code once", () => {
    const codes = currencies.map(({ code }) => code);
    assert.deepEqual(codes, [...new Set(codes)].sort());
    for (const { code, numeric, exponent, name } of currencies) {
      assert.match(code, /^[A-Z]{3}$/);
      assert.match(numeric, /^\d{3}$/);
      assert.ok(Number.isInteger(exponent) && exponent >= 0 && exponent <= 4, code);
      assert.ok(name.length > 0 && name === name.trim(), code);
    }
  });

  test("knows nothing else", () => {
    for (const code of ["", "dkk", "DKK ", "EU", "XXX", "XAU", "toString", "__proto__"]) {
      assert.ok(!isCurrency(code), code);
      assert.throws(() => exponentOf(code), RangeError);
    }
    for (const { code } of currencies) assert.ok(isCurrency(code));
  });

  test("holds the decimals that others get wrong", () => {
    const exponents = { DKK: 2, JPY: 0, KWD: 3, HUF: 2, IQD: 3, IDR: 2, COP: 2, ISK: 2, CLF: 4, UGX: 0 };
    for (const [code, exponent] of Object.entries(exponents)) assert.equal(exponentOf(code), exponent, code);
  });
});

describe("an amount of Icelandic krónur", () => {
  test("has two decimals here and none at an acquirer, so only whole krónur can be charged", () => {
    assert.equal(isoDivisor("ISK"), 100);
    assert.ok(isChargeable(12500, "ISK"));
    assert.ok(!isChargeable(12550, "ISK"));
    assert.equal(decimal(12500, "ISK"), "125.00");
  });

  test("is alone in that", () => {
    for (const { code } of currencies.filter(({ code }) => code !== "ISK")) {
      assert.equal(isoDivisor(code), 1, code);
      assert.ok(isChargeable(1, code), code);
    }
  });
});

describe("an amount on a screen", () => {
  test("has the currency's decimals", () => {
    const shown: readonly [number, string, string][] = [
      [12500, "DKK", "125.00"],
      [5, "DKK", "0.05"],
      [0, "DKK", "0.00"],
      [125, "JPY", "125"],
      [0, "JPY", "0"],
      [1234, "KWD", "1.234"],
      [1, "CLF", "0.0001"],
      [-1250, "EUR", "-12.50"],
      [amount_max, "DKK", "21474836.47"],
    ];
    for (const [minor, code, text] of shown) assert.equal(decimal(minor, code), text);
  });

  test("reads back as it was written, in every currency", () => {
    for (const { code, exponent } of currencies) {
      fc.assert(
        fc.property(any_amount, (minor) => {
          const text = decimal(minor, code);
          assert.equal(minorUnits(text, code), minor);
          assert.equal(minorUnits(decimal(-minor, code), code), minor === 0 ? 0 : -minor);
          assert.equal((text.split(".")[1] ?? "").length, exponent);
        }),
        { numRuns: 20 },
      );
    }
  });

  test("is read with fewer decimals, never with more", () => {
    fc.assert(
      fc.property(any_currency, fc.nat(100_000), (code, whole) => {
        const exponent = exponentOf(code);
        assert.equal(minorUnits(String(whole), code), whole * 10 ** exponent);
        assert.equal(minorUnits(`${whole}.${"0".repeat(exponent + 1)}`, code), null);
      }),
    );
    for (const text of ["", ".", "1.", ".5", "1,50", "1e3", "0x1", " 1", "1 000", "NaN", "Infinity", "--1", "١"]) {
      assert.equal(minorUnits(text, "DKK"), null, text);
    }
    assert.equal(minorUnits("999999999999999.99", "DKK"), null, "beyond what a number holds exactly");
  });
});
