// Fee formulas: what they mean, what is refused, and that nothing is lost on the way to whole minor units.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { acquirer_names } from "../src/domain/acquirers.ts";
import { feeOn, parseFormula, wrongWithFormula } from "../src/domain/fee-formula.ts";
import { mayAddFee, methodNamed, methodsOf, standard_formulas, takesBrand } from "../src/domain/fees.ts";

function fee(formula: string, amount: number, step?: number): number | string {
  const parsed = parseFormula(formula);
  if ("wrong" in parsed) return parsed.wrong;
  const made = feeOn(parsed.formula, amount, step);
  return "fee" in made ? made.fee : made.wrong;
}

describe("a formula means", () => {
  const rows = `
    1.45%                     | 10000      | 145
    1.25%                     | 10000      | 125
    0.7 + 1.45%               | 10000      | 146
    70 + 1.45 %               | 10000      | 215
    1.45%                     | 100        | 1
    0.5%                      | 100        | 1
    0.49%                     | 100        | 0
    amount * 0.0145           | 10000      | 145
    amount / 3                | 100        | 33
    amount / 3 * 3            | 100        | 100
    10 - 4 - 3                | 1          | 3
    100 / 10 / 5              | 1          | 2
    2 + 3 * 4                 | 1          | 14
    (2 + 3) * 4               | 1          | 20
    2*(3+(4-1))               | 1          | 12
    100%                      | 2147483647 | 2147483647
    0                         | 2147483647 | 0
    0.1 + 0.2 + 0.2           | 1          | 1
    (amount - 50) * 2%        | 100        | 100`;
  for (const row of rows.trim().split("\n")) {
    const [formula = "", amount, expected] = row.split("|").map((cell) => cell.trim());
    test(`${formula} of ${amount} is ${expected}`, () => assert.equal(fee(formula, Number(amount)), Number(expected)));
  }

  test("in a currency without half units, steps of what can be moved", () => {
    assert.equal(fee("1.45%", 10_000, 100), 100);
    assert.equal(fee("1.5%", 10_000, 100), 200);
  });
});

describe("a formula is refused", () => {
  const nested = (depth: number): string => `${"(".repeat(depth)}1${")".repeat(depth)}`;
  for (const [formula, why] of [
    ["9**9**9", "is invalid at character 3"],
    ["amount/0", "divides by zero (on an amount of 1)"],
    ["1 / (amount - amount)", "divides by zero (on an amount of 1)"],
    ["amount - 100", "must not make a negative fee (on an amount of 1)"],
    ["5000 - amount", "must not make a negative fee (on an amount of 10000)"],
    ["9999999999", "makes a fee that is too large (on an amount of 1)"],
    ["amount * amount", "makes a fee that is too large (on an amount of 1000000)"],
    ["", "is invalid: it ends too early"],
    ["1 +", "is invalid: it ends too early"],
    ["(1", "is invalid: it ends too early"],
    ["1)", "is invalid at character 2"],
    ["1 2", "is invalid at character 3"],
    ["-1", "is invalid at character 1"],
    ["1,25%", "is invalid at character 2"],
    ["1.", "is invalid at character 2"],
    [".5", "is invalid at character 1"],
    ["1e9", "is invalid at character 2"],
    ["0x10", "is invalid at character 2"],
    ["amount%", "is invalid at character 7"],
    ["1%%", "is invalid at character 3"],
    ["2 amount", "is invalid at character 3"],
    ["AMOUNT", "is invalid at character 1"],
    ["process.exit()", "is invalid at character 1"],
    ["١%", "is invalid at character 1"],
    [`1${" + 1".repeat(50)}`, "must have length between 1 and 200"],
    [nested(21), "has more than 20 parentheses within each other"],
  ] as const) {
    test(`${formula.slice(0, 30)}: ${why}`, () => assert.equal(wrongWithFormula(formula), why));
  }

  test("parentheses as deep as allowed, and as long as allowed", () => {
    assert.equal(wrongWithFormula(nested(20)), null);
    assert.equal(wrongWithFormula(`1${"+1".repeat(99)}`), null);
    assert.equal(wrongWithFormula(`amount${"*amount".repeat(27)}`)?.startsWith("makes a fee"), true);
  });
});

describe("whatever is written", () => {
  const amounts = fc.integer({ min: 1, max: 2 ** 31 - 1 });

  test("a percentage is exact, rounded half up, for every amount", () => {
    fc.assert(
      fc.property(amounts, fc.integer({ min: 0, max: 9_999 }), (amount, hundredths) => {
        const exact = (2n * BigInt(amount) * BigInt(hundredths) + 10_000n) / 20_000n;
        assert.equal(
          fee(`${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, "0")}%`, amount),
          Number(exact),
        );
      }),
    );
  });

  test("there is a whole fee of 0 to 2147483647, or a reason", () => {
    const pieces = fc.constantFrom(
      "1",
      "0.7",
      "1.45%",
      "amount",
      "+",
      "-",
      "*",
      "/",
      "(",
      ")",
      " ",
      "9999",
      "x",
      "%",
      ".",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 60 }), amounts, (parts, amount) => {
        const made = fee(parts.join(""), amount);
        if (typeof made === "string") return assert.ok(made.length > 5);
        assert.ok(Number.isInteger(made) && made >= 0 && made <= 2 ** 31 - 1);
      }),
      { numRuns: 1_000 },
    );
  });

  test("spaces around operators mean nothing", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("", " ", "   "), { minLength: 8, maxLength: 8 }),
        ([a, b, c, d, e, f, g, h]) => {
          assert.equal(fee(`${a}(${b}70${c}+${d}1.45${e}%${f})${g}*2${h}`, 10_000), 430);
        },
      ),
    );
  });
});

describe("what acquirers offer", () => {
  test("every standard formula is one", () => {
    for (const acquirer of acquirer_names)
      for (const method of methodsOf(acquirer))
        assert.equal(wrongWithFormula(standard_formulas[acquirer][method] ?? ""), null, `${acquirer} ${method}`);
  });

  test("a method may name a country that there is", () => {
    assert.deepEqual(methodNamed("clearhaus", "mastercard-dk"), { name: "mastercard-dk", base: "mastercard" });
    assert.deepEqual(methodNamed("clearhaus", "mastercard-debet"), {
      name: "mastercard-debet",
      base: "mastercard-debet",
    });
    assert.deepEqual(methodNamed("nets", "american-express-us"), {
      name: "american-express-us",
      base: "american-express",
    });
    for (const name of ["mastercard-xx", "mastercard-DK", "viabill", "", "dk", "toString", "visa-dk-dk", "__proto__"])
      assert.equal(methodNamed("clearhaus", name), null, name);
  });

  test("cards are taken where that was agreed", () => {
    const rows = `
      clearhaus visa             yes
      clearhaus visa-dankort     yes
      clearhaus dankort          no
      clearhaus american-express no
      nets      dankort          yes
      nets      visa-dankort     yes
      teller    dankort          no
      teller    diners           no
      mobilepay visa             no`;
    for (const row of rows.trim().split("\n")) {
      const [acquirer = "", brand = "", answer] = row.trim().split(/ +/);
      assert.equal(takesBrand(acquirer, brand, {}), answer === "yes", row);
    }
    assert.equal(takesBrand("teller", "diners", { dinersclub: true }), true);
    assert.equal(takesBrand("teller", "american-express", { americanexpress: true }), true);
  });
});

describe("a fee may be put on the shopper's bill", () => {
  const rows = `
    consumer  DNK  no
    consumer  SWE  no
    consumer  REU  no
    consumer  NOR  yes
    consumer  GBR  yes
    consumer  USA  yes
    consumer  ?    no
    corporate DNK  yes
    corporate USA  yes
    corporate ?    yes`;
  for (const row of rows.trim().split("\n")) {
    const [holder, country = "", answer] = row.trim().split(/ +/);
    test(`${holder} card issued in ${country}: ${answer}`, () => {
      const issued = { corporate: holder === "corporate", country: country === "?" ? null : country };
      assert.equal(mayAddFee(issued), answer === "yes");
    });
  }
});
