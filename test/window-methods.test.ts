// What can be paid with at the window, and what else its links are for: methods, fees, providers, subscriptions, saved cards,
// payouts, telephone orders, the shop's Form, and the agreement that the window acts with.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { parseQuery } from "../src/api/body.ts";
import { acquirer_names } from "../src/domain/acquirers.ts";
import { methodsOf } from "../src/domain/fees.ts";
import { formChecksum } from "../src/domain/form.ts";
import { otherMethods, parsePaymentMethods } from "../src/domain/payment-methods.ts";
import { formTemplate } from "../src/window/model.ts";
import { standard_templates } from "../src/window/standard.ts";
import { eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { linker, urls } from "./support/links.ts";
import { newKey } from "./support/members.ts";
import { Receiver } from "./support/receiver.ts";
import { follow, type Page, submit, typed, visit } from "./support/shopper.ts";

type Operation = Readonly<Record<string, unknown>>;

let app: TestApp;
let shop: TestAccount;
let linked: ReturnType<typeof linker>;

before(async () => {
  app = await startApp({ settings: { trust_proxy: ["127.0.0.1"] } });
  shop = await app.newAccount();
  linked = linker(shop);
  const acquirers = { mobilepayonline: { active: true }, vipps: { active: true }, swish: { active: true } };
  const settings = await shop.owner("PATCH", "/account", { body: { acquirer_settings: acquirers } });
  assert.equal(settings.status, 200, settings.text);
});
after(() => app.stop());

const pays = (page: Page, number: string, more = {}): Promise<Page> => submit(page, typed(number, more), /\/pay$/);

describe("methods", () => {
  for (const [methods, number, more, ends] of [
    ["creditcard", "1000000000000008", {}, /Thank you/],
    ["creditcard", "1000040000000004", {}, /cannot be used|not accept/],
    ["3d-creditcard", "1000040000000004", {}, /Running|bank|moment/i],
    ["visa", "1000010000000007", {}, /cannot be used|not accept/],
    ["!visa", "1000010000000007", {}, /Thank you/],
    ["!visa", "1000000000000008", {}, /Running|bank|moment/i],
    ["!visa, !3d-visa", "1000000000000008", {}, /cannot be used|not accept/],
    ["visa-se", "1000000000000008", { cvd: "752" }, /Thank you/],
    ["visa-se", "1000000000000008", { cvd: "208" }, /cannot be used|not accept/],
    ["creditcard, !diners", "1000070000000001", {}, /cannot be used|not accept/],
  ] as const) {
    test(`${methods}: a ${number} with ${JSON.stringify(more)} → ${ends.source}`, async () => {
      const { url } = await linked({ payment_methods: methods });
      assert.match((await pays(await visit(url), number, more)).text, ends);
    });
  }

  test("that name nothing the shop has leave a page that says so", async () => {
    const page = await visit((await linked({ payment_methods: "bitcoin" })).url);
    assert.match(page.text, /no way to pay here/);
    assert.deepEqual(page.forms, []);
  });

  test("a card that is Visa and Dankort is used as the shopper chooses, where both are taken", async () => {
    for (const [methods, brand, is] of [
      ["creditcard", "dankort", "dankort"],
      ["creditcard", "visa", "visa"],
      ["dankort", "visa", "dankort"],
    ] as const) {
      const { url, read } = await linked({ payment_methods: methods });
      assert.match((await pays(await visit(url), "1000060000000002", { brand })).text, /Thank you/);
      assert.equal((await read()).metadata.brand, is);
    }
  });

  test("while typing the brand is known, and whether it is taken", async () => {
    const page = await visit((await linked({ payment_methods: "!diners, !3d-diners" })).url);
    const sid = page.forms[0]?.fields.session_id;
    const ask = async (cardnumber: string) => {
      const body = new URLSearchParams({ cardnumber });
      return (await fetch(new URL(`/${sid}/card`, page.url), { method: "POST", body })).json();
    };
    const known = (await ask("1000 0600 0000 0002")) as Record<string, unknown>;
    assert.deepEqual([known.brand, known.brands, known.accepted], ["visa-dankort", ["visa", "dankort"], true]);
    assert.equal(((await ask("1000070000000001")) as { accepted: boolean }).accepted, false);
    assert.equal(((await ask("4")) as { brand: null }).brand, null);
    const half = new URLSearchParams({ cardnumber: "1000000000000008", cvd: "2" });
    const asked = await fetch(new URL(`/${sid}/card`, page.url), { method: "POST", body: half });
    assert.equal(
      ((await asked.json()) as { accepted: boolean }).accepted,
      true,
      "half a CVD says nothing against a card",
    );
  });

  test("the shopper's own wish for 3-D Secure counts", async () => {
    const { url } = await linked({ branding_config: { enable_3d_card_field: true } });
    assert.match((await pays(await visit(url), "1000000000000008", { "3d": "1" })).html, /3ds_auth_form/);
  });
});

test("every method of another provider has its template", () => {
  const every = new Map(acquirer_names.flatMap((name) => methodsOf(name).map((method) => [method, name] as const)));
  for (const method of otherMethods(parsePaymentMethods(null), every))
    assert.ok(Object.hasOwn(standard_templates, formTemplate(method)), `${method}: ${formTemplate(method)}`);
});

describe("a fee", () => {
  test("is shown before it is paid, and is part of the total", async () => {
    const { url, read } = await linked({ auto_fee: true });
    const told = await pays(await visit(url), "1000000000000008", { cvd: "840" });
    assert.match(told.text, /adds a fee/);
    assert.match(told.text, /DKK 3\.61/);
    assert.match(told.text, /DKK 252\.61/);
    assert.deepEqual((await read()).operations, []);
    assert.match((await pays(told, "1000000000000008", { cvd: "840" })).text, /Thank you/);
    const payment = await read();
    assert.deepEqual([payment.fee, payment.operations[0].amount], [361, 25_261]);
  });

  test("is not taken of a form that did not show it: of two clicks the browser shows the second's page", async () => {
    for (const link of [{}, { payment_methods: "3d-visa" }]) {
      const { url, read } = await linked({ auto_fee: true, ...link });
      const page = await visit(url);
      for (let clicks = 0; clicks < 2; clicks++)
        assert.match((await pays(page, "1000000000000008", { cvd: "840" })).text, /adds a fee/);
      assert.deepEqual((await read()).operations, []);
    }
  });

  test("is not asked of cards that are protected from it", async () => {
    const { url, read } = await linked({ auto_fee: true });
    assert.match((await pays(await visit(url), "1000000000000008", { cvd: "208" })).text, /Thank you/);
    assert.equal((await read()).operations[0].amount, 24_900);
  });
});

describe("another provider", () => {
  const atProvider = async (link: object = {}) => {
    const made = await linked({ payment_methods: "creditcard, mobilepay", ...link });
    const choice = await visit(made.url);
    const way = await follow(choice, /payment-method\/mobilepay$/);
    return { ...made, choice, way, provider: await follow(way, /simulator\/provider/) };
  };

  test("approves: the payment is made, and the shopper is back", async () => {
    const { provider, read } = await atProvider({ auto_capture: true });
    assert.match(provider.text, /249/);
    const paid = await submit(provider, { answer: "approve" });
    assert.match(paid.text, /Thank you/);
    const { operations, acquirer } = await eventually(async () => {
      const now = await read();
      return now.state === "processed" && now;
    });
    assert.equal(acquirer, "mobilepayonline");
    assert.deepEqual(
      operations.map((o: Operation) => [o.type, o.qp_status_code]),
      [
        ["session", "20000"],
        ["capture", "20000"],
      ],
    );
  });

  test("of a wallet tells the shop the addresses that its link asks for, the callback and the audit trail too", async () => {
    const receiver = await new Receiver().start();
    try {
      const { provider, read, id } = await atProvider({ shipping_address_selection: true, callback_url: receiver.url });
      assert.match(provider.text, /Ship to Test Shopper/);
      assert.doesNotMatch(provider.text, /Invoice to/);
      await submit(provider, { answer: "approve" });
      const { shipping_address, invoice_address } = await read();
      assert.equal(invoice_address, null);
      const { name, zip_code, country_code, vat_no } = shipping_address;
      assert.deepEqual([name, zip_code, country_code, vat_no], ["Test Shopper", "5000", "DNK", null]);
      const told = await eventually(async () => receiver.received[0]);
      assert.deepEqual(JSON.parse(told.raw).shipping_address, shipping_address);
      const { body } = await shop.owner("GET", `/activity?target_type=Payment&target_id=${id}`);
      const trail = body.find(({ action }: { action: string }) => action === "session");
      assert.deepEqual(trail.changes.shipping_address_city, [null, "Odense C"]);
    } finally {
      await receiver.stop();
    }
  });

  test("that knows no addresses, or declines, leaves them as they are", async () => {
    const both = { invoice_address_selection: true, shipping_address_selection: true };
    const own = { invoice_address: { name: "Ida Holm" } };
    const made = await linked({ payment_methods: "mobilepay", ...both }, own);
    const way = await follow(await visit(made.url), /payment-method\/mobilepay$/);
    await submit(await follow(way, /simulator\/provider/), { answer: "decline" });
    const declined = await made.read();
    assert.deepEqual([declined.invoice_address.name, declined.shipping_address], ["Ida Holm", null]);
  });

  test("declines: the shopper chooses again, and pays by card", async () => {
    const { provider, read } = await atProvider();
    const declined = await submit(provider, { answer: "decline" });
    assert.match(declined.text, /could not be completed/);
    assert.ok(
      declined.links.some(({ href }) => href.endsWith("/payment-method/mobilepay")),
      "it may be tried again",
    );
    const paid = await pays(declined, "1000000000000008");
    assert.match(paid.text, /Thank you/);
    assert.deepEqual(
      (await read()).operations.map((o: Operation) => [o.type, o.qp_status_code]),
      [
        ["session", "40000"],
        ["authorize", "20000"],
      ],
    );
  });

  test("declines after a challenge that was left: that is told, and the bank is not asked again", async () => {
    const methods = "3d-mastercard, visa, mobilepay";
    const made = await linked({ payment_methods: methods });
    const challenge = await submit(await pays(await visit(made.url), "1000010000000007"), {}, /3ds-auth$/);
    assert.match(challenge.html, /3ds_challenge_form/);
    const sid = /data-session="([^"]+)"/.exec(challenge.html)?.[1];
    const way = await visit(new URL(`/${sid}/payment-method/mobilepay`, made.url).href);
    const back = await submit(await follow(way, /simulator\/provider/), { answer: "decline" });
    assert.match(back.text, /could not be completed/);
    assert.doesNotMatch(back.html, /3ds_challenge_form/);
  });

  test("is not gone to by a picture of a template, nor by what a browser fetches ahead", async () => {
    const { url, read } = await linked({ payment_methods: "creditcard, mobilepay" });
    const page = await visit(url);
    const way = page.links.find(({ href }) => /payment-method\/mobilepay$/.test(href))?.href ?? "";
    for (const [name, value] of [
      ["Sec-Fetch-Dest", "image"],
      ["Sec-Fetch-Dest", "style"],
      ["Sec-Purpose", "prefetch"],
    ] as const)
      assert.equal((await visit(way, { headers: { [name]: value } })).status, 503, value);
    assert.equal((await fetch(way, { method: "HEAD" })).status, 503);
    assert.deepEqual((await read()).operations, []);
    assert.equal((await visit(way, { headers: { "Sec-Fetch-Dest": "document" } })).status, 200);
  });

  test("whom the shopper never comes back from: what she approved there is found", async () => {
    const { provider, read } = await atProvider();
    const form = provider.forms[0];
    const body = new URLSearchParams({ answer: "approve" });
    const left = await fetch(form?.action ?? "", { method: "POST", body, redirect: "manual" });
    assert.equal(left.status, 303);
    await eventually(async () => {
      app.advance(60);
      return (await read()).state === "new";
    });
  });

  test("a shopper who leaves unanswered waits, may choose a card, and what comes later is let go", async () => {
    const { provider, read } = await atProvider();
    const waiting = await submit(provider, { answer: "leave" });
    assert.match(waiting.text, /One moment/);
    const cards = await visit(new URL(`${waiting.url}/payment-method-undo`).href, { address: waiting.address });
    assert.match((await pays(cards, "1000000000000008")).text, /Thank you/);
    const late = await submit(provider, { answer: "approve" });
    assert.match(late.text, /Thank you|already paid/);
    const payment = await read();
    assert.equal(
      payment.operations.filter((o: Operation) => o.qp_status_code === "20000" && o.type !== "cancel").length,
      1,
    );
    assert.equal(payment.operations[0].qp_status_code, "40003");
  });

  test("approved in one tab while a card pays in another: one of the two is let go, and that is noted", async () => {
    const { provider, url, read } = await atProvider();
    const form = provider.forms[0];
    const body = new URLSearchParams({ answer: "approve" });
    // Approved there, and nobody has heard of it yet.
    await fetch(form?.action ?? "", { method: "POST", body, redirect: "manual" });
    const card = await pays(await visit(url), "1000000000000008");
    assert.match(card.text, /Thank you|already paid/);
    const payment = await eventually(async () => {
      app.advance(5);
      const now = await read();
      const [session] = now.operations;
      const voided = now.operations.some(
        (o: Operation) => (o.data as Record<string, string>)?.voided_operation === "1",
      );
      return (session.qp_status_code === "20000" || voided) && now;
    });
    const kept = payment.operations.filter(
      (o: Operation) => o.qp_status_code === "20000" && ["authorize", "session"].includes(String(o.type)),
    );
    assert.equal(kept.length, 1);
    assert.equal(payment.state, "new");
  });

  test("one that asks for a telephone first gets it by its own form", async () => {
    const { url } = await linked({ payment_methods: "swish, vipps" });
    const selector = await visit(url);
    assert.match(selector.text, /How do you want to pay/);
    const swish = await follow(selector, /payment-method\/swish$/);
    const way = await submit(swish, { mobile: "0701234567" }, /process_swish$/);
    const paid = await submit(await follow(way, /simulator\/provider/), { answer: "approve" });
    assert.match(paid.text, /Thank you/);
  });
});

describe("what else links are for", () => {
  test("a subscription, which can be charged afterwards", async () => {
    const { id, url, read } = await linked({ amount: 0 }, {}, "subscriptions");
    const page = await visit(url);
    assert.match(page.text, /Monthly tea box/);
    assert.match((await pays(page, "1000000000000008")).text, /subscription is set up/);
    assert.equal((await read()).state, "active");
    const charged = await shop.call("POST", `/subscriptions/${id}/recurring?synchronized`, {
      body: { amount: 500, order_id: "rec-1" },
    });
    assert.equal(charged.body.state, "new", charged.text);
  });

  test("a card to be saved, of which tokens pay", async () => {
    const { id, url, read } = await linked({}, {}, "cards");
    assert.match((await pays(await visit(url), "1000000000000008")).text, /card is saved/);
    assert.equal((await read()).accepted, true);
    const { body } = await shop.call("POST", `/cards/${id}/tokens`);
    const made = await shop.call("POST", "/payments", { body: { order_id: "tok-1", currency: "DKK" } });
    const paid = await shop.call("POST", `/payments/${made.body.id}/authorize?synchronized`, {
      body: { amount: 500, card: { token: body.token } },
    });
    assert.equal(paid.body.accepted, true, paid.text);
  });

  test("a payout, which asks for no security code", async () => {
    const { url, read } = await linked({}, {}, "payouts");
    const page = await visit(url);
    assert.doesNotMatch(page.html, /name="cvd"/);
    const { cvd: _, ...card } = typed("1000000000000008");
    assert.match((await submit(page, card, /\/pay$/)).text, /payout is on its way/);
    assert.deepEqual(
      (await read()).operations.map((o: Operation) => [o.type, o.amount]),
      [["credit", 24_900]],
    );
  });

  test("an order by telephone: no holder, no security code, no 3-D Secure", async () => {
    const { url, read } = await linked({ moto: true, branding_config: { enable_card_holder_field: true } });
    const page = await visit(url);
    assert.doesNotMatch(page.html, /name="cvd"|name="cardholder"/);
    const { cvd: _, ...card } = typed("1000000000000008");
    assert.match((await submit(page, card, /\/pay$/)).text, /Thank you/);
    assert.equal((await read()).metadata.moto, true);
  });

  test("every language of the original is taken; what is not translated is English and says so", async () => {
    const danish = await visit((await linked({ language: "da" })).url);
    assert.match(danish.html, /<html lang="da"/);
    assert.match(danish.text, /249,00 kr\./);
    const georgian = await visit((await linked({ language: "ka" })).url);
    assert.match(georgian.html, /<html lang="en"/);
    const changed = await visit(
      `${new URL(danish.url).origin}/${danish.forms[0]?.fields.session_id}/update-language?language=en`,
    );
    assert.match(changed.html, /<html lang="en"/);
  });
});

describe("the shop hears of it", () => {
  test("by the callback alone, or by asking alone: both come out right, whichever comes first", async () => {
    const receiver = await new Receiver().start();
    const link = { callback_url: `${receiver.url}/cb`, auto_capture: true };
    const { id, url, read } = await linked(link);
    const paid = await pays(await visit(url), "1000000000000008");
    // The last page waits for the settled state: who asks when the shopper is back finds it.
    assert.match(paid.text, /Thank you/);
    assert.equal((await read()).accepted, true);
    await eventually(async () => receiver.of(id).length === 2);
    const heard = receiver.of(id).map(({ raw }) => JSON.parse(raw));
    assert.deepEqual(
      heard.map(({ accepted, operations }) => [accepted, operations.at(-1).type]),
      [
        [true, "authorize"],
        [true, "capture"],
      ],
    );
    // The other way round: the shopper is away while the provider approves, and the callback comes before she returns.
    const other = await linked({ ...link, payment_methods: "mobilepay" });
    const provider = await follow(await follow(await visit(other.url), /mobilepay$/), /simulator\/provider/);
    const body = new URLSearchParams({ answer: "approve" });
    await fetch(provider.forms[0]?.action ?? "", { method: "POST", body, redirect: "manual" });
    await eventually(async () => {
      app.advance(30);
      return receiver.of(other.id).length === 2;
    });
    const back = await submit(provider, { answer: "approve" });
    assert.match(back.text, /Thank you/);
    receiver.stop();
  });
});

describe("the shop's own Form", () => {
  type Fields = Record<string, string>;
  let agreement_id: number;
  let api_key: string;
  let number = 0;

  before(async () => {
    const agreements = await shop.owner("GET", "/agreements");
    const window = agreements.body.find(({ service }: { service: string }) => service === "payment_window");
    agreement_id = window.id;
    api_key = window.api_key;
  });

  function fieldsOf(more: Fields = {}): Fields {
    number += 1;
    return {
      ...{ version: "v10", merchant_id: String(shop.id), agreement_id: String(agreement_id) },
      ...{ order_id: `FORM${String(number).padStart(4, "0")}`, amount: "1250", currency: "DKK" },
      ...{ continueurl: urls.continue_url, cancelurl: urls.cancel_url },
      ...more,
    };
  }

  const signed = (fields: Fields, key = api_key): Fields => ({
    ...fields,
    checksum: formChecksum(parseQuery(new URLSearchParams(fields).toString()), key),
  });
  const line = (item_name: string, item_price: string): Fields =>
    Object.fromEntries(
      Object.entries({ qty: "1", item_no: "1", item_name, item_price, vat_rate: "0.25" }).map(([name, value]) => [
        `basket[0][${name}]`,
        value,
      ]),
    );
  const post = (fields: Fields, path = "/"): Promise<Page> =>
    visit(new URL(path, app.app.addresses.window_url).href, { method: "POST", body: new URLSearchParams(fields) });

  test("makes a payment with the key that signed it, and pays it", async () => {
    const fields = fieldsOf({ language: "da", autocapture: "1", "variables[cart]": "Blå kop", description: "" });
    const page = await post(signed(fields));
    assert.match(page.html, /<html lang="da"/);
    assert.match(page.text, /12,50 kr\./);
    assert.match((await pays(page, "1000000000000008")).html, /shop\.example\/ok/);
    const [payment] = (await shop.call("GET", `/payments?order_id=${fields.order_id}`)).body;
    assert.equal(payment.variables.cart, "Blå kop");
    await eventually(async () => (await shop.call("GET", `/payments/${payment.id}`)).body.balance === 1250);
    const again = await post(signed(fields));
    assert.match(again.text, /allerede betalt|already paid/i);
  });

  test("reuses an order that is not paid yet, with the new amount", async () => {
    const fields = fieldsOf();
    const first = await post(signed(fields));
    const second = await post(signed({ ...fields, amount: "2000" }));
    assert.match(second.text, /20\.00/);
    assert.match((await pays(first, "1000000000000008")).text, /has changed/);
    assert.match((await pays(second, "1000000000000008")).text, /Thank you/);
    const found = (await shop.call("GET", `/payments?order_id=${fields.order_id}`)).body;
    assert.deepEqual(
      found.map((one: { operations: Operation[] }) => one.operations.map(({ amount }) => amount)),
      [[2000]],
    );
  });

  test("gives the order that is posted again what the form now says of it, and leaves what it does not name", async () => {
    const fields = fieldsOf({ "variables[cart]": "one", "invoice_address[name]": "Ann", ...line("Cup", "1250") });
    await post(signed(fields));
    const { "invoice_address[name]": _, ...named } = fields;
    const more = { amount: "9900", "variables[cart]": "two", text_on_statement: "New" };
    const again = { ...named, ...more, ...line("Sofa", "9900") };
    const page = await post(signed(again));
    assert.match(page.text, /Sofa/);
    assert.doesNotMatch(page.text, /Cup/);
    const [{ variables, basket, invoice_address, text_on_statement }] = (
      await shop.call("GET", `/payments?order_id=${fields.order_id}`)
    ).body;
    assert.deepEqual(
      [variables, basket[0].item_name, basket[0].item_price, invoice_address.name, text_on_statement],
      [{ cart: "two" }, "Sofa", 9900, "Ann", "New"],
    );
  });

  test("says that the shop has cancelled an order, also where its link is gone", async () => {
    const fields = fieldsOf();
    await pays(await post(signed(fields)), "1000000000000008");
    const [{ id }] = (await shop.call("GET", `/payments?order_id=${fields.order_id}`)).body;
    await shop.call("POST", `/payments/${id}/cancel?synchronized`);
    assert.match((await post(signed(fields))).text, /The shop has cancelled this/);
    await shop.call("DELETE", `/payments/${id}/link`);
    assert.match((await post(signed(fields))).text, /The shop has cancelled this/);
  });

  test("a subscription, at /framed, with a deadline", async () => {
    const fields = fieldsOf({ type: "subscription", description: "Monthly box", deadline: "600" });
    const page = await post(signed(fields), "/framed");
    assert.match(page.headers.get("content-security-policy") ?? "", /frame-ancestors \*/);
    assert.match(page.html, /id="time_left"/);
    assert.match((await pays(page, "1000000000000008")).text, /subscription is set up/);
  });

  for (const [what, change, says] of [
    ["a wrong checksum", (f: Fields) => ({ ...f, checksum: "0".repeat(64) }), /checksum/],
    ["an amount changed by the shopper", (f: Fields) => ({ ...f, amount: "1" }), /checksum/],
    ["another shop's agreement", (f: Fields) => signed({ ...f, merchant_id: "1" }), /checksum/],
    ["no order id", ({ order_id: _, ...f }: Fields) => signed(f), /order_id is missing/],
    ["letters for an amount", (f: Fields) => signed({ ...f, amount: "12,50" }), /amount is invalid/],
    ["an old version", (f: Fields) => signed({ ...f, version: "v3" }), /version is invalid/],
    ["a branding of nobody's", (f: Fields) => signed({ ...f, branding_id: "99999" }), /branding_id/],
  ] as const) {
    test(`${what} gets a page that says what is wrong, and nothing is made`, async () => {
      const fields = fieldsOf();
      const page = await post(change(signed(fields)) as Fields);
      assert.equal(page.status, 400);
      assert.match(page.text, /sent something that is not right/);
      assert.match(page.text, says);
      assert.deepEqual((await shop.call("GET", `/payments?order_id=${fields.order_id}`)).body, []);
    });
  }
});

describe("the agreement that the window acts with", () => {
  test("is the restricted Payment Window, and stands in the activity", async () => {
    const { id, url } = await linked();
    await pays(await visit(url), "1000000000000008");
    const { body: trail } = await shop.owner("GET", `/activity?target_type=Payment&target_id=${id}`);
    const users = trail.map(({ action, extra }: { action: string; extra: { user: string } }) => [action, extra.user]);
    assert.deepEqual(users.slice(0, 2).sort(), [
      ["authorize", "Payment Window"],
      ["authorize", "System"],
    ]);
  });

  test("limits what can be done: one that may not authorize pays nothing", async () => {
    const key = await newKey(app, shop, ["GET /payments/:id"]);
    const { url, read } = await linked({ agreement_id: key.agreement_id });
    const page = await pays(await visit(url), "1000000000000008");
    assert.equal(page.status, 403);
    assert.match(page.text, /cannot take payments/);
    assert.deepEqual((await read()).operations, []);
  });
});
