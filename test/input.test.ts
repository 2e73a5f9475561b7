// What parameters mean: texts of forms become numbers and booleans, empty ones count as not given, and everything that is
// wrong is said at once, by its path in brackets.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Static, Type } from "typebox";
import {
  amountField,
  date,
  email,
  flag,
  group,
  httpUrl,
  integer,
  json,
  list,
  map,
  nullable,
  number,
  returnUrl,
  text,
  time,
  variables,
} from "../src/api/fields.ts";
import { ADDRESS, BASKET, CARD, LINK, SHIPPING } from "../src/api/groups.ts";
import { compile } from "../src/api/input.ts";
import { parseForm, parseJson } from "../src/api/params.ts";
import { isHttpUrl, isReturnUrl } from "../src/domain/urls.ts";

const read = compile(
  Type.Object({
    order_id: text({ pattern: /^[a-zA-Z0-9 ._-]{4,20}$/, max: 20, message: "must have length between 4 and 20" }),
    amount: Type.Optional(amountField()),
    rate: Type.Optional(number({ min: 0, max: 100 })),
    auto_capture: Type.Optional(flag()),
    name: Type.Optional(text({ min: 2, max: 5 })),
    shipping: Type.Optional(SHIPPING),
    basket: Type.Optional(BASKET),
    invoice_address: Type.Optional(ADDRESS),
    variables: Type.Optional(variables()),
    group_ids: Type.Optional(list(integer({ min: 1 }), { max: 3 })),
    config: Type.Optional(json()),
    url: Type.Optional(httpUrl()),
    continue_url: Type.Optional(returnUrl()),
    at: Type.Optional(time()),
    day: Type.Optional(date()),
    mail: Type.Optional(email()),
  }),
  { nulls: false },
);

/** The value of one parameter, or what is said about it. */
function one(name: string, value: unknown): unknown {
  const { value: input, errors } = read({ order_id: "A-1001", [name]: value });
  return errors === null ? input[name] : errors[name];
}

const invalid = ["is invalid"];
const json_of = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;

test("whole numbers are taken as numbers, as digits, and as PHP writes floats", () => {
  for (const value of [100, "100", "100.0", 100.0, "0100"]) assert.equal(one("amount", value), 100);
  for (const value of [
    0,
    -1,
    "-1",
    "1.5",
    1.5,
    "1e3",
    " 100",
    "0x64",
    "2147483648",
    2 ** 31,
    true,
    [100],
    { a: 1 },
    "١",
  ]) {
    assert.deepEqual(one("amount", value), invalid, JSON.stringify(value));
  }
  assert.equal(one("amount", 2_147_483_647), 2_147_483_647);
  assert.equal(one("rate", "0.25"), 0.25);
  assert.ok(Object.is(one("rate", -0), 0), "a negative zero is a plain one");
  assert.deepEqual(one("rate", "-0.25"), invalid);
});

test("1 0 true false yes no on off are booleans, in any case, and nothing else is", () => {
  for (const value of [true, 1, "1", "true", "TRUE", "yes", "On"]) assert.equal(one("auto_capture", value), true);
  for (const value of [false, 0, "0", "false", "No", "off"]) assert.equal(one("auto_capture", value), false);
  for (const value of [2, "2", "maybe", ["1"], { a: "1" }, Object.create(null)]) {
    assert.deepEqual(one("auto_capture", value), invalid);
  }
});

test("null, empty texts, empty lists and lists of nothing count as not given", () => {
  for (const name of ["amount", "auto_capture", "shipping", "basket", "variables", "config", "url", "group_ids"]) {
    for (const value of [null, "", [], [""], [null], undefined]) assert.equal(one(name, value), undefined, name);
  }
  const modules = { order_id: "A-1001", shipping: { tracking_url: "", company: "" }, invoice_address: {} };
  assert.deepEqual(read(modules), { value: { order_id: "A-1001" }, errors: null });
});

test("an order id that is missing or empty is missing; a wrong one is told its length", () => {
  for (const order_id of [undefined, null, "", []]) {
    assert.deepEqual(read({ order_id }).errors, { order_id: ["is missing"] });
  }
  for (const order_id of ["abc", "a".repeat(21), "ab/cd", "abcdé", "ab\tcd", {}, ["abcd"]]) {
    assert.deepEqual(read({ order_id }).errors, { order_id: ["must have length between 4 and 20"] });
  }
  assert.deepEqual(read({ order_id: 1001 }).value, { order_id: "1001" });
  assert.deepEqual(read({ order_id: " a b " }).value, { order_id: " a b " }, "ids are never trimmed");
});

test("everything that is wrong is said at once, by its path in brackets, and once", () => {
  const { errors } = read(
    parseForm(
      "amount=-5&shipping[method]=pigeon&shipping[amount]=x&basket[][qty]=1&basket[][item_no]=A&basket[][qty]=x&name=a" +
        "&invoice_address=Bredgade&rate=much&basket[][item_no]=B",
    ),
  );
  assert.deepEqual(errors, {
    order_id: ["is missing"],
    amount: invalid,
    rate: invalid,
    name: ["must have length between 2 and 5"],
    "shipping[method]": ["does not have a valid value"],
    "shipping[amount]": invalid,
    "basket[][qty]": invalid,
    "basket[][item_name]": ["is missing"],
    "basket[][item_price]": ["is missing"],
    "basket[][vat_rate]": ["is missing"],
    invoice_address: invalid,
  });
});

test("what an answer says about a wrong parameter never repeats its value", () => {
  const check = compile(Type.Object({ card: CARD }), { nulls: false });
  for (const number of ["4571".repeat(20), ["4571000000000000"], { 4571: "4571" }]) {
    const { errors } = check({ card: { number, brand: "4571" } });
    assert.ok(errors !== null);
    assert.doesNotMatch(JSON.stringify(errors), /4571/);
  }
});

test("parameters that nobody declared are ignored", () => {
  const sent = { order_id: "A-1001", test_mode: 1, order_post_id: "7", constructor: "x", toString: "y" };
  assert.deepEqual(read(sent), { value: { order_id: "A-1001" }, errors: null });
  const inherited = compile(Type.Object({ toString: Type.Optional(text()) }), { nulls: false });
  assert.deepEqual(inherited({}).value, {}, "what an object inherits was not sent");
});

test("a list may be written with empty brackets, with numbers in any order, as JSON, or as its only value", () => {
  const line = (n: number) => ({ qty: n, item_no: `K-${n}`, item_name: "Kop", item_price: 100 * n, vat_rate: 0.25 });
  const lines = Array.from({ length: 12 }, (_, i) => line(i + 1));
  const form = (bracket: (i: number) => string, order = lines) =>
    order
      .flatMap((one_line) =>
        Object.entries(one_line).map(([key, value]) => `basket${bracket(lines.indexOf(one_line))}[${key}]=${value}`),
      )
      .join("&");
  const expected = { order_id: "A-1001", basket: lines };
  for (const body of [form(() => "[]"), form((i) => `[${i}]`), form((i) => `%5B${i}%5D`, lines.toReversed())]) {
    assert.deepEqual(json_of(read(parseForm(`order_id=A-1001&${body}`)).value), expected);
  }
  assert.deepEqual(json_of(read(parseJson(JSON.stringify(expected))).value), expected);
  assert.deepEqual(one("group_ids", "7"), [7]);
  assert.deepEqual(one("group_ids", 7), [7]);
  assert.deepEqual(one("group_ids", ["1", "", 2]), [1, 2]);
  assert.deepEqual(one("group_ids", [1, 2, 3, 4]), ["must have at most 3 elements"]);
  assert.deepEqual(one("group_ids", { a: 1 }), invalid);
  assert.deepEqual(read({ order_id: "A-1001", group_ids: [1, "x", "y"] }).errors, { "group_ids[]": invalid });
});

test("an incomplete basket line is refused, an empty one too", () => {
  const members = ["qty", "item_no", "item_name", "item_price", "vat_rate"];
  const { errors } = read({ order_id: "A-1001", basket: [{}] });
  assert.deepEqual(
    Object.keys(errors ?? {}),
    members.map((name) => `basket[][${name}]`),
  );
});

test("what is missing in a group is named by itself, a group that is missing by its own name", () => {
  const check = compile(Type.Object({ card: group({ number: text() }) }), { nulls: false });
  assert.deepEqual(check({ card: { cvd: "123" } }).errors, { "card[number]": ["is missing"] });
  assert.deepEqual(check({ card: [] }).errors, { card: ["is missing"] });
});

test("JSON null clears what is nullable, where the endpoint takes nulls; an empty text never does", () => {
  const Change = Type.Object({
    deadline_at: Type.Optional(nullable(time())),
    name: Type.Optional(text()),
    address: Type.Optional(group({ city: Type.Optional(nullable(text())) })),
  });
  const takes_nulls = compile(Change, { nulls: true });
  const takes_none = compile(Change, { nulls: false });
  const nulls = { deadline_at: null, name: null, address: { city: null } };
  assert.deepEqual(takes_nulls(nulls), { value: { deadline_at: null, address: { city: null } }, errors: null });
  assert.deepEqual(takes_none(nulls), { value: {}, errors: null });
  assert.deepEqual(takes_nulls({ deadline_at: "", address: { city: "" } }), { value: {}, errors: null });
  assert.deepEqual(takes_nulls({ deadline_at: "soon" }).errors, { deadline_at: invalid });
});

test("variables are kept as sent; the branding's configuration may be a text of JSON", () => {
  const kept = { a: "1", b: { c: ["x", null, ""], constructor: "k" }, n: 2.5, t: true };
  assert.deepEqual(one("variables", kept), kept);
  assert.deepEqual(one("variables", {}), {});
  assert.deepEqual(one("variables", "x"), invalid);
  assert.deepEqual(one("variables", ["x"]), invalid);
  assert.deepEqual(one("variables", { a: "x".repeat(40_000) }), ["is too large"]);
  assert.deepEqual(one("variables", Object.fromEntries(Array.from({ length: 501 }, (_, i) => [i, 1]))), [
    "is too large",
  ]);
  assert.deepEqual(json_of(one("config", '{"color":"#fff"}')), { color: "#fff" });
  assert.deepEqual(one("config", { color: "#fff" }), { color: "#fff" });
  for (const bad of [
    "{",
    "[1]",
    "1",
    '{"a":"\\u0000"}',
    '{"a":"\\ud800"}',
    '{"a":12345678901234567890}',
    '{"__proto__":1}',
  ]) {
    assert.deepEqual(one("config", bad), invalid, bad);
  }
});

test("lengths count characters: an emoji is one", () => {
  assert.equal(one("name", "🍵".repeat(5)), "🍵".repeat(5));
  for (const count of [1, 6, 1_000]) {
    assert.deepEqual(one("name", "🍵".repeat(count)), ["must have length between 2 and 5"]);
  }
});

test("addresses, e-mails, days and instants are judged by their form", () => {
  for (const url of ["https://shop.example/ok?a=1#b", "http://127.0.0.1:8080", "HTTPS://qp.payment.success"]) {
    assert.equal(one("url", url), url);
  }
  for (const url of [
    "ftp://shop.example",
    "shop.example",
    "https://",
    "https:///x",
    "https://a b",
    "https://a\u0007b",
    "https://a.example/\u0007",
    "javascript:alert(1)",
  ]) {
    assert.deepEqual(one("url", url), invalid, url);
    assert.equal(isHttpUrl(url), false);
    assert.deepEqual(one("continue_url", url), invalid, url);
  }
  assert.equal(one("mail", "ida@example.com"), "ida@example.com");
  for (const mail of ["ida", "ida@", "@example.com", "a@b@c.dk", "ida@example"])
    assert.deepEqual(one("mail", mail), invalid);
  assert.equal(one("day", "2028-02-29"), "2028-02-29");
  for (const day of ["2027-02-29", "2027-2-9", "29-02-2028", "2027-13-01"]) assert.deepEqual(one("day", day), invalid);
  assert.equal(one("at", "2026-01-12 10:14:31 +0100"), "2026-01-12T09:14:31.000Z");
  assert.equal(one("at", "2026-01-12T09:14:31.123Z"), "2026-01-12T09:14:31.123Z");
  assert.deepEqual(one("at", "tomorrow"), invalid);
});

test("a shopper may be sent to a page or to an app, kept as sent; never to what runs script or opens the device", () => {
  const readLink = compile(Type.Object(LINK.properties), { nulls: false });
  for (const url of [
    "https://shop.example/ok?a=1#b",
    "https://qp.payment.success",
    "HTTPS://Shop.example/OK",
    "myapp://paid",
    "MyApp://paid?order=A-1001",
    "com.shop.app:/done",
    "data.shop.app:/done",
    "javascripts://paid",
  ]) {
    const { value } = readLink({ amount: 1, continue_url: url, cancel_url: url });
    assert.deepEqual([value.continue_url, value.cancel_url], [url, url]);
    const { errors } = readLink({ amount: 1, callback_url: url });
    assert.deepEqual(errors, isHttpUrl(url) ? null : { callback_url: invalid });
  }
  const runs = ["javascript:alert(1)", "javascript://x%0aalert(1)", "data:text/html,x", "data:/text/html,x"];
  const opens = ["vbscript:/x", "blob:/x", "file:///etc/passwd", "about:/blank", "view-source://x", "filesystem:/x"];
  for (const url of [...runs, ...opens]) {
    const [scheme = "", ...rest] = url.split(":");
    const spelled = [scheme, scheme.toUpperCase(), scheme.replace("a", "A")];
    for (const lead of ["", " ", "\t", "\n", "\u0001", "\u001f", "\u00a0", "\ufeff"]) {
      for (const name of [...spelled, `${scheme[0]}\t${scheme.slice(1)}`, `${scheme}\r\n`]) {
        const sent = `${lead}${name}:${rest.join(":")}`;
        assert.equal(isReturnUrl(sent), false, JSON.stringify(sent));
      }
    }
  }
  for (const url of [
    "",
    ":",
    "//shop.example",
    "/ok",
    "myapp:",
    "myapp:/",
    "localhost:3000",
    "1app://x",
    "my app://x",
  ]) {
    assert.equal(isReturnUrl(url), false, url);
  }
  assert.ok(isReturnUrl(`app://${"a".repeat(2_042)}`) && !isReturnUrl(`app://${"a".repeat(2_043)}`));
});

test("where unknown parameters are refused, names that could not be one are not repeated", () => {
  const check = compile(Type.Object({ a: Type.Optional(group({ b: Type.Optional(text()) })), free: map() }), {
    nulls: false,
    closed: { also: ["synchronized"] },
  });
  const params = JSON.parse(`{"a": {"c": 1, "b": "x"}, "free": {"any": 1}, "synchronized": "", "__proto__": 1,
    "constructor": 1, "1000000000000008": 1, "d": 1}`);
  assert.deepEqual(check(params).errors, {
    "a[c]": ["is unknown"],
    parameter: ["is unknown"],
    d: ["is unknown"],
  });
  assert.equal(check({ free: { any: 1 }, synchronized: "" }).errors, null);
});

test("every declared group is plain JSON Schema when it is written out", () => {
  const document = JSON.stringify({ ADDRESS, BASKET, CARD, LINK, SHIPPING, extras: map() });
  assert.doesNotMatch(document, /"read"|"message":|~/);
  assert.match(document, /"x-max-bytes"/);
  const { properties } = JSON.parse(JSON.stringify(LINK)) as { properties: Record<string, { type: string }> };
  assert.equal(properties.amount?.type, "integer");
  assert.equal(properties.framed?.type, "boolean");
});

test("a schema that cannot be read fails when the server is made, not when a request comes", () => {
  assert.throws(() => compile(Type.Object({ a: Type.Symbol() as never }), { nulls: false }), /cannot|can be read/);
});

test("property: nothing that can be sent makes validation fail, and what is accepted stays accepted", () => {
  const Input = Type.Object({ ...LINK.properties, basket: Type.Optional(BASKET), shipping: Type.Optional(SHIPPING) });
  const check = compile(Input, { nulls: true });
  const names = fc.constantFrom(...Object.keys(Input.properties), "__proto__", "qty", "method", "0");
  const { anything } = fc.letrec((tie) => ({
    anything: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.constantFrom("", "1", "true", "100", "https://a.example", null, 0, 1, 2 ** 31, -1, false),
      fc.string(),
      fc.double(),
      fc.array(tie("anything"), { maxLength: 3 }),
      fc.dictionary(names, tie("anything"), { maxKeys: 4, noNullPrototype: false }),
    ),
  }));
  let accepted = 0;
  fc.assert(
    fc.property(fc.dictionary(names, anything, { maxKeys: 3 }), (params) => {
      const { value, errors } = check({ amount: "100", ...params });
      if (errors === null) accepted += Object.keys(value).length > 1 ? 1 : 0;
      if (errors === null) assert.deepEqual(check(value), { value, errors: null });
      else assert.ok(Object.values(errors).every((said) => said.length > 0 && new Set(said).size === said.length));
    }),
    { numRuns: 2_000 },
  );
  assert.ok(accepted > 50, `${accepted} accepted`);
});

test("property: an input means the same from a form as from JSON", () => {
  const Input = Type.Object({
    ...LINK.properties,
    shipping: Type.Optional(SHIPPING),
    variables: Type.Optional(variables()),
  });
  const check = compile(Input, { nulls: false });
  const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter((value) => !value.includes("\0"));
  const input: fc.Arbitrary<Static<typeof Input>> = fc.record(
    {
      amount: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      framed: fc.boolean(),
      payment_methods: word,
      shipping: fc.record({ company: word, amount: fc.nat(2 ** 31 - 1), method: fc.constant("own_delivery" as const) }),
      variables: fc.dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), word, { minKeys: 1, maxKeys: 3 }),
    },
    { requiredKeys: ["amount"] },
  );
  fc.assert(
    fc.property(input, (value) => {
      const form = new URLSearchParams();
      for (const [name, member] of Object.entries(value)) {
        if (typeof member !== "object" || member === null) form.append(name, String(member));
        else for (const [key, inner] of Object.entries(member)) form.append(`${name}[${key}]`, String(inner));
      }
      assert.deepEqual(json_of(check(parseForm(form.toString()))), json_of({ value, errors: null }));
      assert.deepEqual(json_of(check(parseJson(JSON.stringify(value)))), json_of({ value, errors: null }));
    }),
    { numRuns: 300 },
  );
});
