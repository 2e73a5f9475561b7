// The standard branding: every page of it, its texts in every language, its weight, and what its script makes of what is typed.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { brandOf } from "../src/domain/card.ts";
import { test_cards } from "../src/domain/test-cards.ts";
import { readPo } from "../src/services/locale-files.ts";
import {
  asDocument,
  branding,
  locales,
  pictures,
  render,
  samples,
  script,
  templates,
  textsOf,
} from "./support/branding-pages.ts";

const texts = new Set(
  Object.values(templates).flatMap((source) =>
    [...source.matchAll(/\{%-?\s*t\s(.+?)-?%\}/g)].map(([, text = ""]) => text.trim()),
  ),
);

describe("a page of the standard branding", () => {
  for (const [name, sample] of Object.entries(samples)) {
    test(`${name}: no script or style of its own, nothing untold`, () => {
      for (const layout of ["layout", "layout_redirect"]) {
        const html = render(sample, {}, layout);
        assert.doesNotMatch(html, /<(script|style)\b|\s(style|on[a-z]+)\s*=/i);
        assert.doesNotMatch(html, /undefined|\[object|NaN|\{[{%]/);
        assert.match(html, /<h1>\s*\S/);
        // Each addressed thing is there once, each label has its field.
        const ids = [...html.matchAll(/\sid="([^"]*)"/g)].map(([, id = ""]) => id);
        assert.deepEqual(ids, [...new Set(ids)]);
        for (const [, of = "", list = ""] of html.matchAll(/\s(for|aria-describedby|aria-labelledby)="([^"]*)"/g))
          for (const id of list.split(" ")) assert.ok(ids.includes(id), `${of} ${id}`);
        // Nothing but the shop's own addresses leads elsewhere.
        for (const [, address = ""] of html.matchAll(/\s(?:src|href|action)="([^"]*)"/g))
          assert.match(address, /^(\/(?!\/)|#[\w-]+$|https:\/\/shop\.example)/);
      }
    });
  }

  test("what a shop says is text, whatever it looks like", () => {
    const html = render({
      content: "form",
      model: { ...samples.card?.model, displayname: "<b>Kop</b>", order_id: '"x' },
    });
    assert.match(html, /&lt;b&gt;Kop/);
    assert.match(html, /&quot;x/);
  });

  test("every template that the reference names is there", () => {
    const named =
      `layout layout_redirect selector payment_methods_list form form/error form/card form/3ds_auth form/3ds_challenge
      3d waiting success cancelled deadline error order_info footer cancel ${[
        "mobilepay_online mobilepay_subscriptions vipps vippspsp vmp_epayment swish paypal paypalpayments klarnapayments viabill",
        "anydaysplit resurs sofort sofort_ideal sofortppro trustly trustly_ideal bancontact blik paysafecard przelewy24 wechatpay",
        "unzer_pay_later_invoice unzer_pay_later_direct_debit",
      ]
        .flatMap((line) => line.split(" "))
        .map((name) => `form/${name}`)
        .join(" ")}`.split(/\s+/);
    assert.deepEqual(
      named.filter((name) => templates[name] === undefined),
      [],
    );
  });

  test("pictures that are shown exist", () => {
    const brands = readdirSync(join(branding, "brands"));
    for (const sample of Object.values(samples)) {
      for (const [, name = ""] of render(sample).matchAll(/brands\/([^"]+)"/g)) assert.ok(brands.includes(name), name);
    }
    for (const source of Object.values(templates))
      for (const [, name = ""] of source.matchAll(/images\.([\w.-]+)/g)) assert.ok(pictures.includes(name), name);
  });

  test("payouts and moto ask for no security code, moto for no holder", () => {
    const asks = (name: string, field: string) =>
      render(samples[name] ?? assert.fail(name)).includes(`name="${field}"`);
    assert.ok(asks("card", "cvd") && !asks("payout", "cvd") && !asks("moto", "cvd"));
    assert.ok(asks("card-everything", "cardholder") && !asks("moto", "cardholder"));
  });
});

describe("its texts", () => {
  test("there are those of the languages that were promised", () => {
    const promised = "da_DK de_DE es_ES fi_FI fo_FO fr_FR is_IS it_IT nb_NO nl_NL pl_PL sv_SE".split(" ");
    assert.deepEqual(
      promised.filter((locale) => !locales.includes(locale)),
      [],
    );
  });

  for (const locale of locales)
    test(`${locale}: each has a translation, and none is left over`, () => {
      const translated = textsOf(locale);
      assert.deepEqual(
        [...texts].filter((text) => translated[text] === undefined),
        [],
      );
      assert.deepEqual(
        Object.keys(translated).filter((text) => !texts.has(text)),
        [],
      );
      for (const [text, translation] of Object.entries(translated)) {
        // They stand in attributes, too.
        assert.doesNotMatch(translation, /["<>&]/);
        assert.equal(/[.:?]$/.exec(text)?.[0], /[.:?]$/.exec(translation)?.[0], `${text} → ${translation}`);
      }
    });

  test("what is fuzzy or empty counts as not translated", () => {
    const po = 'msgid "a"\nmsgstr "b"\n\n#, fuzzy\nmsgid "c"\nmsgstr "d"\n\nmsgid "e"\nmsgstr ""\n';
    assert.deepEqual({ ...readPo(Buffer.from(po)) }, { a: "b" });
  });
});

test("a card page weighs less than 60 kB, its script less than 15", () => {
  const packed = (bytes: string | Buffer): number => gzipSync(bytes, { level: 9 }).length;
  const sample = samples["card-everything"] ?? assert.fail();
  const html = asDocument(render(sample, textsOf("da_DK")), { language: "da", layout: "layout" });
  const shown = [
    ...new Set(
      [...html.matchAll(/\ssrc="\/(?:assets\/v2\/images\/)?((?:brands|images)\/[^"]+)"/g)].map(([, name = ""]) => name),
    ),
  ];
  const script_bytes = packed(readFileSync(script));
  const weights = {
    page: packed(html),
    stylesheet: packed(readFileSync(join(branding, "stylesheets/paymentwindow.css"))),
    script: script_bytes,
    pictures: shown.reduce((sum, name) => sum + packed(readFileSync(join(branding, name))), 0),
  };
  const total = Object.values(weights).reduce((sum, bytes) => sum + bytes, 0);
  console.log(`card page, gzipped bytes: ${JSON.stringify({ ...weights, total })}`);
  assert.ok(shown.length > 5);
  assert.ok(script_bytes < 15_000);
  assert.ok(total < 60_000);
});

describe("its script, of what is typed,", () => {
  // Without a document it starts nothing; its functions are those of the context.
  const context = createContext({});
  runInContext(readFileSync(script, "utf8"), context);
  const call = (name: string, ...args: unknown[]): unknown => {
    context.args = args;
    return runInContext(`${name}(...args)`, context);
  };

  for (const [typed, shown] of [
    ["4571 0000-00000001", "4571 0000 0000 0001"],
    ["12345", "1234 5"],
    ["1234 ", "1234"],
    ["371449635398431", "3714 496353 98431"],
    ["37144", "3714 4"],
    ["1000 0300 0000 0005", "1000 0300 0000 0005"],
    ["abc", ""],
    ["1".repeat(30), "1111 1111 1111 1111 111"],
  ] as const)
    test(`number ${typed} is shown as ${shown}`, () => assert.equal(call("formatNumber", typed), shown));

  for (const [typed, how, shown] of [
    ["3", "", "03 / "],
    ["1", "", "1"],
    ["12", "", "12 / "],
    ["12 /", "deleteContentBackward", "12"],
    ["0", "deleteContentBackward", "0"],
    ["3", "deleteContentBackward", "3"],
    ["1229", "", "12 / 29"],
    ["12/2029", "", "12 / 29"],
    ["122029", "", "12 / 29"],
    ["1/29", "", "01 / 29"],
    ["12 / 202", "", "12 / 202"],
    ["12 / 295", "", "12 / 29"],
    ["12-29", "", "12 / 29"],
    ["12 / 2", "deleteContentBackward", "12 / 2"],
    ["3 / 29", "deleteContentForward", "3 / 29"],
    [" / 29", "deleteContentForward", " / 29"],
    ["1 / 29", "insertText", "1 / 29"],
    ["10 / 29", "insertText", "10 / 29"],
    ["4 / 29", "insertText", "04 / 29"],
  ] as const)
    test(`expiry ${typed}${how === "" ? "" : `, by ${how},`} is shown as ${shown}`, () =>
      assert.equal(call("formatExpiry", typed, how), shown));

  test("expiry is good until the end of its month", () => {
    const now = new Date(2029, 2, 31);
    assert.equal(call("expiryProblem", "03 / 29", now), null);
    assert.equal(call("expiryProblem", "02 / 29", now), "past");
    assert.equal(call("expiryProblem", "13 / 29", now), "invalid");
    assert.equal(call("expiryProblem", "03 / ", now), "invalid");
  });

  test("brands are those of the server", () => {
    const numbers = [
      ...test_cards.map(({ number }) => number),
      // Of each beginning one in some lengths. Beginnings of test cards are no other's.
      ...Array.from({ length: 8_999 }, (_, index) => `${index + 1_001}`).flatMap((start) =>
        [13, 15, 16, 19].map((length) => start.padEnd(length, "7")),
      ),
    ];
    for (const number of numbers) {
      assert.equal(call("brandOf", number), brandOf(number), number);
    }
  });
});
