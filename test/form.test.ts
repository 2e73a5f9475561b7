// The Form integration: what a shop's page posts, read as the window reads it, and the checksum that signs it.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseForm } from "../src/api/params.ts";
import { checkForm, checksumMatches, form_fields, formChecksum } from "../src/domain/form.ts";

const api_key = "aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899";
const minimal = {
  version: "v10",
  merchant_id: "42",
  agreement_id: "7",
  order_id: "ORD0001",
  amount: "1250",
  currency: "DKK",
  continueurl: "https://shop.example/ok",
  cancelurl: "https://shop.example/cancel",
  callbackurl: "https://shop.example/cb",
};
const urls = "https://shop.example/cb https://shop.example/cancel https://shop.example/ok";

/** As it arrives: encoded by the browser, read by us. */
const posted = (fields: Readonly<Record<string, string>>) => parseForm(new URLSearchParams(fields).toString());
const signedWith = (base: string): string => createHmac("sha256", api_key).update(base).digest("hex");

describe("the checksum", () => {
  // The reference's vectors, made with openssl.
  for (const [name, more, sum] of [
    ["A, a minimal form", {}, "f7b290f6d807057213702d43cebd0c833480aa52077b912dd50326f13d18ff27"],
    [
      "B, variables whose names sort by their brackets, and an empty value",
      {
        language: "da",
        autocapture: "1",
        payment_methods: "creditcard, !diners",
        description: "",
        "variables[item]": "Blå kop",
        "variables[item2]": "x",
        "variables[A]": "1",
        "variables[a]": "2",
      },
      "9c8487c057e3ffc5b9fba2965443696a648cd5b56709cf0143bb8ef776889c30",
    ],
    [
      "C, a subscription with nested variables",
      {
        type: "subscription",
        description: "Monthly box",
        autofee: "0",
        branding_id: "",
        deadline: "600",
        text_on_statement: "Shop",
        google_analytics_tracking_id: "UA-1",
        customer_email: "ann@example.com",
        "variables[cart][id]": "9",
        "variables[cart][ref]": "zz",
      },
      "d4adc41ddb913259708d50785af8c64e583fab491af79c56d6330494c9a8fe1d",
    ],
  ] as const) {
    test(`is the reference's: ${name}`, () => {
      const form = posted({ ...minimal, ...more, checksum: sum });
      assert.equal(formChecksum(form, api_key), sum);
      assert.ok(checksumMatches(form, api_key));
      assert.ok("order" in checkForm(form));
    });
  }

  const sum = (more: Readonly<Record<string, string>>) => formChecksum(posted({ ...minimal, ...more }), api_key);

  for (const [what, more, base] of [
    ["empty values count", { autofee: "" }, `7 1250  ${urls} DKK 42 ORD0001 v10`],
    ["unknown fields do not", { cardholder: "Ida", zzz: "1", "zz[a]": "2", toString: "3" }, undefined],
    ["nor does what it signs it with", { checksum: "f".repeat(64) }, undefined],
    [
      "historical fields do",
      { category: "SC21", vat_amount: "250" },
      `7 1250 ${urls.replace(" https://shop.example/ok", " SC21$&")} DKK 42 ORD0001 250 v10`,
    ],
    [
      "the closing bracket sorts after digits and capitals, before small letters",
      { "variables[ab]": "last", "variables[a]": "third", "variables[aZ]": "second", "variables[a0]": "first" },
      `7 1250 ${urls} DKK 42 ORD0001 first second third last v10`,
    ],
    [
      "names are sorted by their bytes, beyond the basic plane too",
      { "variables[\u{1f375}]": "tea", "variables[\uffee]": "circle", "variables[æ]": "ae" },
      `7 1250 ${urls} DKK 42 ORD0001 ae circle tea v10`,
    ],
    [
      "addresses and shipping are part of it",
      { "invoice_address[name]": "Ida", "invoice_address[city]": "Årslev", "shipping[amount]": "500", framed: "1" },
      `7 1250 ${urls} DKK 1 Årslev Ida 42 ORD0001 500 v10`,
    ],
  ] as const) {
    test(what, () => assert.equal(sum(more), base === undefined ? sum({}) : signedWith(base)));
  }

  test("a basket's lines are numbered, whether the form numbers them or not", () => {
    const tea = ["2", "T-1", "Tea", "4900", "0.25"];
    const cup = ["1", "C-1", "Cup", "9900", "0.25"];
    const members = ["qty", "item_no", "item_name", "item_price", "vat_rate"];
    const line = (at: (index: number) => string) =>
      [tea, cup].flatMap((values, index) =>
        members.map((member, place): [string, string] => [`basket[${at(index)}][${member}]`, values[place] ?? ""]),
      );
    const form = (at: (index: number) => string) =>
      parseForm(new URLSearchParams([...Object.entries(minimal), ...line(at)]).toString());
    const numbered = form(String);
    const bare = form(() => "");
    // [basket][0][item_name], …[item_no], …[item_price], …[qty], …[vat_rate], then those of line 1; after [amount].
    const lines = "Tea T-1 4900 2 0.25 Cup C-1 9900 1 0.25";
    const expected = signedWith(`7 1250 ${lines} ${urls} DKK 42 ORD0001 v10`);
    assert.deepEqual([formChecksum(numbered, api_key), formChecksum(bare, api_key)], [expected, expected]);
  });

  test("the eleventh line sorts between the first and the third, as text does", () => {
    const many = Object.fromEntries(Array.from({ length: 11 }, (_, at) => [`variables[list][${at}]`, `v${at}`]));
    const expected = `7 1250 ${urls} DKK 42 ORD0001 v0 v10 v1 v2 v3 v4 v5 v6 v7 v8 v9 v10`;
    assert.equal(sum(many), signedWith(expected));
    const bare = Array.from({ length: 11 }, (_, at): [string, string] => ["variables[list][]", `v${at}`]);
    const form = parseForm(new URLSearchParams([...Object.entries(minimal), ...bare]).toString());
    assert.equal(formChecksum(form, api_key), signedWith(expected));
  });

  test("matches only itself, made with the right key", () => {
    const right = sum({});
    const matches = (checksum: string) => checksumMatches(posted({ ...minimal, checksum }), api_key);
    assert.ok(matches(right));
    for (const wrong of [right.toUpperCase(), right.slice(1), `${right}0`, `${right} `, "", "ø".repeat(32)]) {
      assert.ok(!matches(wrong), wrong);
    }
    for (let at = 0; at < right.length; at += 1) {
      assert.ok(!matches(`${right.slice(0, at)}${right[at] === "0" ? "1" : "0"}${right.slice(at + 1)}`));
    }
    assert.ok(!checksumMatches(posted(minimal), api_key), "none at all");
    assert.ok(!checksumMatches(posted({ ...minimal, "checksum[]": right }), api_key), "a list");
    assert.ok(!checksumMatches(posted({ ...minimal, checksum: right }), api_key.replace("a", "b")));
  });

  test("no known field can be changed, taken away or added without it", () => {
    const form = { ...minimal, description: "Tea box", "variables[a]": "1", "basket[0][qty]": "1" };
    const right = sum(form);
    const field = fc.constantFrom(...(Object.keys(form) as (keyof typeof form)[]));
    const other = fc.string({ minLength: 1, maxLength: 8 }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(field, other, (name, value) => {
        fc.pre(value !== form[name]);
        const { [name]: _, ...without } = { ...form };
        for (const changed of [{ ...form, [name]: value }, without]) {
          assert.notEqual(formChecksum(posted(changed as Record<string, string>), api_key), right);
        }
      }),
    );
    for (const name of form_fields.filter((known) => known !== "checksum" && !(known in form))) {
      if (["variables", "basket"].includes(name)) continue;
      assert.notEqual(sum({ ...form, [name]: "" }), right, name);
    }
  });
});

describe("a form", () => {
  const whole = { ...minimal, checksum: "0".repeat(64) };
  const problems = (more: Readonly<Record<string, string>>) => {
    const checked = checkForm(posted({ ...whole, ...more }));
    return "problems" in checked ? checked.problems.map(({ field, problem }) => `${field} ${problem}`).join(", ") : "";
  };

  test("becomes an order, in the API's names; what was not given is null", () => {
    assert.deepEqual(checkForm(posted(whole)), {
      order: {
        merchant_id: 42,
        agreement_id: 7,
        order_id: "ORD0001",
        amount: 1250,
        currency: "DKK",
        type: "Payment",
        continue_url: "https://shop.example/ok",
        cancel_url: "https://shop.example/cancel",
        callback_url: "https://shop.example/cb",
        description: null,
        language: "en",
        auto_capture: null,
        auto_fee: null,
        payment_methods: null,
        acquirer: null,
        branding_id: null,
        google_analytics_tracking_id: null,
        google_analytics_client_id: null,
        deadline: null,
        text_on_statement: null,
        customer_email: null,
        framed: false,
        mirrored: {},
      },
    });
  });

  test("with everything becomes an order with everything", () => {
    const checked = checkForm(
      posted({
        ...whole,
        type: "subscription",
        description: "Monthly box - no. 1",
        language: "da",
        autocapture: "1",
        autofee: "0",
        payment_methods: "creditcard, !3d-jcb",
        acquirer: "clearhaus",
        branding_id: "12",
        google_analytics_tracking_id: "UA-1",
        google_analytics_client_id: "c.1",
        deadline: "600",
        text_on_statement: "Shop",
        customer_email: "ann@example.com",
        framed: "1",
        vat_amount: "",
        category: "SC21",
        "variables[a][b]": "1",
        "basket[0][qty]": "2",
        "shipping[method]": "own_delivery",
        "invoice_address[name]": "Ida",
        invoice_address_selection: "true",
        branding_config: '{"autojump":true}',
        something: "else",
      }),
    );
    assert.ok("order" in checked);
    const { mirrored, ...order } = checked.order;
    assert.deepEqual(JSON.parse(JSON.stringify(mirrored)), {
      variables: { a: { b: "1" } },
      invoice_address: { name: "Ida" },
      basket: { "0": { qty: "2" } },
      shipping: { method: "own_delivery" },
      invoice_address_selection: "true",
      branding_config: '{"autojump":true}',
    });
    assert.deepEqual(order, {
      merchant_id: 42,
      agreement_id: 7,
      order_id: "ORD0001",
      amount: 1250,
      currency: "DKK",
      type: "Subscription",
      continue_url: minimal.continueurl,
      cancel_url: minimal.cancelurl,
      callback_url: minimal.callbackurl,
      description: "Monthly box - no. 1",
      language: "da",
      auto_capture: true,
      auto_fee: false,
      payment_methods: "creditcard, !3d-jcb",
      acquirer: "clearhaus",
      branding_id: 12,
      google_analytics_tracking_id: "UA-1",
      google_analytics_client_id: "c.1",
      deadline: 600,
      text_on_statement: "Shop",
      customer_email: "ann@example.com",
      framed: true,
    });
  });

  test("with nothing in it lacks all that is required, in the fields' order", () => {
    const fields = "version merchant_id agreement_id order_id amount currency continueurl cancelurl checksum".split(
      " ",
    );
    const expected = { problems: fields.map((field) => ({ field, problem: "missing" })) };
    assert.deepEqual(checkForm({}), expected);
    assert.deepEqual(checkForm(posted(Object.fromEntries(form_fields.map((field) => [field, ""])))), expected);
  });

  for (const [field, good, bad] of [
    ["version", ["v10"], ["v9", "v10b", "10", "v10\n", "V10"]],
    ["merchant_id", ["1", "007"], ["0", "-1", "1.5", "x", "2147483648", "٣"]],
    ["agreement_id", ["1"], ["a", "99999999999"]],
    ["order_id", ["abcd", "0001", "a".repeat(20)], ["abc", "a".repeat(21), "ab-1", "ab 1", "æøåæ"]],
    ["amount", ["1", "999999999", "0001"], ["0", "-1", "12.50", "1000000000", "1e3", " 1"]],
    ["currency", ["DKK", "JPY"], ["dkk", "DK", "DKKK", "XXX", "ZZZ"]],
    [
      "continueurl",
      ["http://a.example", "HTTPS://a.example/?q=1"],
      ["ftp://a", "javascript:alert(1)", "/ok", "https://"],
    ],
    ["cancelurl", ["https://qp.payment.failure"], ["myapp://x", "https://a b"]],
    ["callbackurl", ["https://a.example/cb", ""], ["data:text/html,x"]],
    ["type", ["payment", "card", "payout", ""], ["Payment", "payments", "refund"]],
    ["subscription", ["0", ""], ["2", "true", "01"]],
    ["description", ["Tea box 1.0-b_c", "a".repeat(20), ""], ["a".repeat(21), "a,b", "<b>"]],
    ["language", ["da", "xx", ""], ["DA", "dan", "d", "en-GB"]],
    ["autocapture", ["0", "1", ""], ["2", "true", "yes"]],
    ["autofee", ["0", "1", ""], ["10"]],
    ["payment_methods", ["creditcard, !3d-visa-dk", "VISA", ""], ["visa;jcb", "visa_x", "<visa>", "a".repeat(1_001)]],
    ["acquirer", ["clearhaus", ""], ["Clearhaus", "bank", "nets1"]],
    ["branding_id", ["12", ""], ["0", "a", "-1"]],
    ["google_analytics_client_id", ["a".repeat(255), ""], ["a".repeat(256), "a\nb"]],
    ["deadline", ["1", "600", ""], ["0", "-1", "1.5", "316224001"]],
    ["text_on_statement", ["Shop & Co", ""], ["a".repeat(23), "Kød"]],
    ["customer_email", ["ann@example.com", ""], ["ann", "a@b", `${"a".repeat(250)}@b.dk`]],
    ["product_id", ["P02", ""], ["P-1", "3d-creditcard", "a".repeat(256)]],
    ["reference_title", ["Order 17", ""], ["creditcard", "3d-creditcard", "creditcard, !visa"]],
    ["category", ["SC21", ""], ["visa"]],
    ["checksum", ["0".repeat(64)], ["0".repeat(63), "A".repeat(64)]],
    ["framed", ["0", "1", "true", "false", ""], ["yes"]],
    ["shipping_address_selection", ["1", "false", ""], ["2"]],
    ["variables", [""], ["x"]],
    ["invoice_address", [""], ["Ida"]],
    ["branding_config", ["{}", ""], ["x".repeat(32_769)]],
  ] as const) {
    test(`${field} is judged by its pattern`, () => {
      for (const value of good) assert.equal(problems({ [field]: value }), "", JSON.stringify(value));
      for (const value of bad) assert.equal(problems({ [field]: value }), `${field} invalid`, JSON.stringify(value));
    });
  }

  for (const [what, more, expected] of [
    ["a subscription says what it is for", { type: "subscription" }, "description missing"],
    ["the old field says it too", { subscription: "1" }, "description missing"],
    ["and is stronger than the new one", { subscription: "0", type: "subscription" }, ""],
    ["nothing verifies a subscription's card", { subscription: "1", description: "Tea", amount: "0" }, ""],
    ["or a card that is only kept", { type: "card", amount: "0" }, ""],
    ["nobody is paid nothing", { type: "payout", amount: "0" }, "amount invalid"],
    ["krónur are whole", { currency: "ISK", amount: "1250" }, "amount invalid"],
    ["and then fine", { currency: "ISK", amount: "1200" }, ""],
    ["whoever is wrong twice hears of both", { amount: "x", currency: "kr" }, "amount invalid, currency invalid"],
  ] as const) {
    test(what, () => assert.equal(problems(more), expected));
  }

  test("says of each type what it becomes", () => {
    const typeOf = (more: Readonly<Record<string, string>>) => {
      const checked = checkForm(posted({ ...whole, description: "Tea", ...more }));
      return "order" in checked ? checked.order.type : checked.problems;
    };
    for (const [more, type] of [
      [{}, "Payment"],
      [{ type: "payment" }, "Payment"],
      [{ type: "subscription" }, "Subscription"],
      [{ type: "card" }, "Card"],
      [{ type: "payout" }, "Payout"],
      [{ subscription: "1" }, "Subscription"],
      [{ subscription: "1", type: "payment" }, "Subscription"],
      [{ subscription: "0", type: "subscription" }, "Payment"],
    ] as const) {
      assert.equal(typeOf(more), type);
    }
  });

  test("with a list or group where a text belongs is refused", () => {
    const { amount: _, ...rest } = whole;
    for (const name of ["amount[]", "amount[a]", "amount[0]"]) {
      assert.deepEqual(checkForm(posted({ ...rest, [name]: "1250" })), {
        problems: [{ field: "amount", problem: "invalid" }],
      });
    }
  });

  test("never fails, whatever is posted", () => {
    const text = fc.oneof(fc.string(), fc.constantFrom("", "1", "payment", "DKK"));
    const value = fc.oneof(text, fc.array(text), fc.dictionary(fc.string(), fc.oneof(text, fc.array(text))));
    const name = fc.oneof(fc.constantFrom(...form_fields), fc.constantFrom("toString", "zzz"));
    fc.assert(
      fc.property(fc.dictionary(name, value), (form) => {
        const checked = checkForm(form);
        assert.ok("order" in checked || checked.problems.length > 0);
        assert.match(formChecksum(form, api_key), /^[0-9a-f]{64}$/);
      }),
    );
  });
});
