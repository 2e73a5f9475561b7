// Cards as requests give them: which are taken, what is kept of them, and what is not.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { brandOf, type CardInput, cardMetadata, checkCard } from "../src/domain/card.ts";
import { isLuhn, luhnDigit } from "../src/domain/luhn.ts";
import { newMetadata } from "../src/domain/metadata.ts";
import { status_codes, statusMessage } from "../src/domain/status-codes.ts";
import { scenarios, test_cards, testCard } from "../src/domain/test-cards.ts";

const now = new Date("2026-01-12T09:14:00Z");
const key = Buffer.alloc(32, 7);
const visa = "1000000000000008";

// The reference's table (testing, section "Test cards"), column by column: number for number, not by their rule.
const table: Readonly<Record<string, string>> = {
  visa: "0008 0016 0024 0032 0040 0057 0065 0073 0081 0099",
  mastercard: "0007 0015 0023 0031 0049 0056 0064 0072 0080 0098",
  dankort: "0006 0014 0022 0030 0048 0055 0063 - 0071 0089",
  "american-express": "0005 0013 0021 0039 0047 0054 0062 - 0070 0088",
  maestro: "0004 0012 0020 0038 0046 0053 0061 - 0079 0087",
  "visa-electron": "0003 0011 0029 0037 0045 0052 0060 0078 0086 0094",
  "visa-dankort": "0002 0010 0028 0036 0044 0051 0069 0077 0085 0093",
  diners: "0001 0019 0027 0035 0043 0050 0068 - 0076 0084",
  fbg1886: "0000 0018 0026 0034 0042 0059 0067 - 0075 0083",
  jcb: "0009 0017 0025 0033 0041 0058 0066 - 0074 0082",
  "mastercard-debet": "0006 0014 0022 0030 0048 0055 0063 - 0071 0089",
};

describe("the test cards", () => {
  test("are the 103 of the reference", () => {
    const expected = Object.entries(table).flatMap(([brand, tails], index) =>
      tails.split(" ").flatMap((tail, column) => {
        const number = `1000${String(index).padStart(2, "0")}000000${tail}`;
        return tail === "-" ? [] : [{ number, brand, scenario: scenarios[column] }];
      }),
    );
    assert.equal(expected.length, 103);
    assert.deepEqual(test_cards, expected);
    for (const card of expected) assert.deepEqual(testCard(card.number), card);
  });

  test("are taken as cards of their brand, with any CVD and any expiry to come", () => {
    for (const { number, brand } of test_cards) {
      for (const cvd of [undefined, "000", "208", "1234"]) {
        const checked = checkCard({ number, expiration: "2601", cvd }, now);
        assert.ok("card" in checked, number);
        assert.equal(checked.card.brand, brand);
      }
    }
  });

  test("no other number is one", () => {
    const numbers = new Set(test_cards.map(({ number }) => number));
    fc.assert(
      fc.property(fc.stringMatching(/^1000\d{12}$/), (number) => {
        assert.equal(testCard(number) === null, !numbers.has(number));
      }),
    );
    for (const number of ["", visa.slice(1), `${visa}0`, "4111111111111111", "__proto__"]) {
      assert.equal(testCard(number), null, number);
    }
  });
});

const digits = (length: number) => fc.stringMatching(new RegExp(`^\\d{${length}}$`));

describe("the check digit", () => {
  test("is right for exactly one of ten last digits, the one that is computed", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 18 }).chain((length) => digits(length)),
        (start) => {
          const right = [..."0123456789"].filter((digit) => isLuhn(start + digit));
          assert.deepEqual(right, [luhnDigit(start)]);
        },
      ),
    );
  });

  test("notices every single wrong digit", () => {
    fc.assert(
      fc.property(digits(15), fc.nat(14), fc.integer({ min: 1, max: 9 }), (start, at, by) => {
        const wrong = start.slice(0, at) + String((Number(start[at]) + by) % 10) + start.slice(at + 1);
        assert.ok(!isLuhn(wrong + luhnDigit(start)));
      }),
    );
  });

  test("is known for real-world samples, and for nothing but digits", () => {
    for (const number of ["4111111111111111", "5500000000000004", "340000000000009", "79927398713"]) {
      assert.ok(isLuhn(number), number);
    }
    for (const text of ["", "79927398710", "7992 7398 713", "4111111111111112", "٤١١١"]) assert.ok(!isLuhn(text), text);
  });
});

describe("the brand", () => {
  // First and last numbers of what each brand issues, and what lies just beside.
  const issued: Readonly<Record<string, string>> = {
    "4000000000000000": "visa",
    "4999999999999999": "visa",
    "4000000000000": "visa",
    "4571000000000000": "visa-dankort",
    "5019000000000000": "dankort",
    "4026000000000000": "visa-electron",
    "4175000000000000": "visa-electron",
    "5100000000000000": "mastercard",
    "5599999999999999": "mastercard",
    "2221000000000000": "mastercard",
    "2720999999999999": "mastercard",
    "340000000000000": "american-express",
    "379999999999999": "american-express",
    "36000000000000": "diners",
    "3528000000000000": "jcb",
    "3589999999999999": "jcb",
    "6007220000000000": "fbg1886",
    "5000000000000000": "maestro",
    "6759000000000000": "maestro",
    "560000000000": "maestro",
  };
  const foreign = [
    "2220999999999999",
    "2721000000000000",
    "3527999999999999",
    "3590000000000000",
    "6011000000000000",
    "6200000000000000",
    "6440000000000000",
    "6500000000000000",
    "1000110000000000",
    "40000000000000",
    "34000000000000",
  ];

  test("follows from the first digits and the length", () => {
    for (const [number, brand] of Object.entries(issued)) assert.equal(brandOf(number), brand, number);
    for (const number of foreign) assert.equal(brandOf(number), null, number);
  });

  test("a number without one is valid, but nobody accepts it", () => {
    const start = "601100000000000";
    assert.deepEqual(refused({ number: start + luhnDigit(start) }), {
      "card[number]": ["no acquirer accepts this card"],
    });
  });

  test("of a card with two can be chosen, others cannot", () => {
    const start = "457100000000000";
    const number = start + luhnDigit(start);
    for (const brand of [undefined, "visa", "dankort"]) {
      const checked = checkCard({ number, expiration: "3112", brand }, now);
      assert.ok("card" in checked);
      assert.equal(checked.card.brand, brand ?? "visa-dankort");
    }
    assert.deepEqual(refused({ number, brand: "jcb" }), { "card[brand]": ["does not have a valid value"] });
  });

  test("is one of the wire's names or none, whatever is sent", () => {
    const names = new Set([...Object.keys(table)]);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{12,19}$/)), (text) => {
        const brand = brandOf(text);
        assert.ok(brand === null || names.has(brand));
      }),
    );
  });
});

function refused(input: CardInput): unknown {
  const checked = checkCard({ number: visa, expiration: "3112", ...input }, now);
  assert.ok("errors" in checked, "it is refused");
  return checked.errors;
}

describe("what is wrong with a card is said", () => {
  test("parameter by parameter", () => {
    assert.deepEqual(refused({ number: undefined, expiration: undefined }), {
      "card[number]": ["is missing"],
      "card[expiration]": ["is missing"],
    });
    for (const number of ["1000000000000009", "4111", "a".repeat(16), "", "0".repeat(20)]) {
      assert.deepEqual(refused({ number }), { "card[number]": ["is invalid"] }, number);
    }
    for (const expiration of ["3113", "3100", "31", "12345", "13/31", "0/31", "2031-12", "", "١٢٣١"]) {
      assert.deepEqual(refused({ expiration }), { "card[expiration]": ["is invalid"] }, expiration);
    }
    for (const cvd of ["12", "12345", "12a", "", "١٢٣"]) {
      assert.deepEqual(refused({ cvd }), { "card[cvd]": ["is invalid"] }, cvd);
    }
    assert.deepEqual(refused({ status: "X" }), { "card[status]": ["does not have a valid value"] });
    for (const token of ["token", "apple_pay_token", "google_pay_token", "mobilepay_online_token"] as const) {
      assert.deepEqual(refused({ number: undefined, [token]: "t" }), { [`card[${token}]`]: ["is invalid"] });
    }
  });

  test("never with the number or the CVD", () => {
    const text = JSON.stringify(refused({ number: "4111111111111112", cvd: "98765", expiration: "9999" }));
    for (const secret of ["4111111111111112", "98765"]) assert.ok(!text.includes(secret), text);
  });
});

describe("the expiry", () => {
  const expiry = (expiration: string, at = now) => {
    const checked = checkCard({ number: visa, expiration }, at);
    return "card" in checked ? [checked.card.exp_month, checked.card.exp_year] : checked.errors["card[expiration]"];
  };

  test("is read as documented and as people write it", () => {
    for (const text of ["3112", "12/31", "12 / 31", "12/2031", "12 / 2031", " 3112 "]) {
      assert.deepEqual(expiry(text), [12, 2031], text);
    }
    assert.deepEqual(expiry("1/31"), [1, 2031]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 27, max: 99 }), (month, year) => {
        const [mm, yy] = [month, year].map((part) => String(part).padStart(2, "0"));
        for (const text of [`${yy}${mm}`, `${mm}/${yy}`, `${mm} / 20${yy}`]) {
          assert.deepEqual(expiry(text), [month, 2000 + year], text);
        }
      }),
    );
  });

  test("is good until its month has ended everywhere on earth", () => {
    assert.deepEqual(expiry("2601"), [1, 2026]);
    assert.deepEqual(expiry("2512"), ["is in the past"]);
    assert.deepEqual(expiry("2512", new Date("2026-01-01T11:59:59Z")), [12, 2025]);
    assert.deepEqual(expiry("2512", new Date("2026-01-01T12:00:00Z")), ["is in the past"]);
  });
});

describe("what is kept of a card", () => {
  function kept(input: CardInput, fingerprint_key = key) {
    const checked = checkCard({ number: visa, expiration: "3111", ...input }, now);
    assert.ok("card" in checked);
    return cardMetadata(checked.card, fingerprint_key);
  }

  test("is what may be shown", () => {
    const { hash, ...metadata } = kept({ issued_to: "Ida Holm", status: "Y", cvd: "208" });
    assert.deepEqual(metadata, {
      type: "card",
      origin: null,
      brand: "visa",
      bin: "100000",
      corporate: false,
      last4: "0008",
      exp_month: 11,
      exp_year: 2031,
      country: "DNK",
      is_3d_secure: true,
      "3d_secure_type": null,
      issued_to: "Ida Holm",
      number: null,
    });
    assert.match(String(hash), /^[A-Za-z0-9]{52}$/);
    const members = newMetadata(undefined);
    for (const name of Object.keys(metadata)) assert.ok(Object.hasOwn(members, name), name);
  });

  test("never holds the number or the CVD", () => {
    const numbers = fc.stringMatching(/^4[1-3]\d{13}$/).map((start) => start + luhnDigit(start));
    fc.assert(
      fc.property(numbers, fc.stringMatching(/^\d{3,4}$/), (number, cvd) => {
        const metadata = kept({ number, cvd });
        assert.ok(!JSON.stringify(metadata).includes(number));
        assert.ok(!Object.keys(metadata).includes("cvd"));
        const { hash: _, last4: __, ...rest } = metadata;
        assert.ok(Object.values(rest).every((value) => String(value) !== cvd));
      }),
    );
  });

  test("in test mode the CVD names the issuing country", () => {
    for (const [cvd, country] of [
      ["222", "SLV"],
      ["208", "DNK"],
      ["752", "SWE"],
      ["004", "AFG"],
      ["999", "DNK"],
      [undefined, "DNK"],
    ] as const) {
      assert.equal(kept({ cvd }).country, country, cvd);
    }
    assert.equal(kept({ number: "4111111111111111", cvd: "222" }).country, null);
  });

  test("3-D Secure is shown only where it was done", () => {
    const shown = (status?: string) => kept({ status }).is_3d_secure;
    assert.deepEqual(["Y", "A", "N", "U", "R", "C", undefined].map(shown), [
      ...[true, true],
      ...[false, false, false, false, false],
    ]);
  });

  test("the fingerprint is the same for the same number and key, and tells nothing without the key", () => {
    const { hash } = kept({});
    assert.equal(kept({ number: "1000 0000 0000 0008", expiration: "12/29", cvd: "123" }).hash, hash);
    assert.notEqual(kept({ number: "1000000000000016" }).hash, hash);
    assert.notEqual(kept({}, Buffer.alloc(32, 8)).hash, hash);
  });
});

test("every status code has its words", () => {
  assert.equal(statusMessage("20000"), "Approved");
  assert.equal(statusMessage("30100"), "3-D Secure required");
  assert.equal(statusMessage("40003"), "Operation aborted");
  for (const [code, words] of Object.entries(status_codes)) {
    assert.match(code, /^[2345]\d{4}$/);
    assert.equal(statusMessage(code), words);
  }
  for (const code of ["", "20001", "toString"]) assert.throws(() => statusMessage(code), RangeError);
});
