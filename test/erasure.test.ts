// Erasure: what tells of a person goes, everywhere that it stands; amounts stay and the books balance. On request, and by
// itself after so many months.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { audit } from "../src/audit.ts";
import { begin, perform } from "../src/services/operate.ts";
import { eraseOld } from "../src/services/retention.ts";
import { system } from "../src/services/services.ts";
import { loadTransaction } from "../src/storage/transactions.ts";
import { eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { Receiver } from "./support/receiver.ts";

let app: TestApp;
let shop: TestAccount;
const receiver = new Receiver();
before(async () => {
  await receiver.start();
  app = await startApp();
  shop = await app.newAccount();
});
after(async () => {
  receiver.stop();
  await app.stop();
});

const wrong_state = "Validation error: Transaction in wrong state for this operation";
/** Every one of these names her. */
const persons = ["Astrid", "Solvej", "202.168.7.9", "astrid@home.example", "0101901234", "TRACK-77", "GA-4711"];
const address = { name: "Astrid Solvej", city: "Odense", email: "astrid@home.example", mobile_number: "+4520304050" };

let orders = 0;
const order = (): { order_id: string; currency: string } => ({
  order_id: `erase-${String(++orders).padStart(4, "0")}`,
  currency: "DKK",
});

async function post(path: string, body: object = {}, headers: Record<string, string> = {}) {
  const answer = await shop.call("POST", path, { body, headers });
  assert.ok(answer.status < 300, `${path}: ${answer.text}`);
  return answer.body;
}

const erase = (path: string, headers: Record<string, string> = {}) => shop.owner("POST", `${path}/erase`, { headers });

/** A payment whose shopper stands everywhere, captured and told to the shop. */
async function paid(): Promise<{ id: number; path: string; key: string }> {
  const key = `astrid ${orders}`;
  const told = { "Idempotency-Key": key, "CoolPay-Callback-Url": `${receiver.url}/told` };
  const variables = { customer: "Astrid", born: "Solvej" };
  const details = { variables, invoice_address: address, shipping_address: address };
  const { id } = await post("/payments", { ...order(), ...details, shipping: { tracking_number: "TRACK-77" } });
  const path = `/payments/${id}`;
  await shop.call("PATCH", path, { body: { variables: { ...variables, again: "Astrid" } } });
  const link = { amount: 1000, customer_email: "astrid@home.example", google_analytics_client_id: "GA-4711" };
  assert.equal((await shop.call("PUT", `${path}/link`, { body: link })).status, 200);
  const card = { number: "1000000000000008", expiration: "3912", cvd: "208", issued_to: "Astrid Solvej" };
  const nin = { number: "0101901234", country_code: "DNK", gender: "female" };
  const extras = { simulator: { shopper: "Astrid" } };
  await post(`${path}/authorize?synchronized`, { amount: 1000, card, customer_ip: "202.168.7.9", nin, extras }, told);
  await post(`${path}/capture?synchronized`, { amount: 600 }, { ...told, "Idempotency-Key": `${key} capture` });
  await post(`${path}/fraud-report`, { description: "Astrid says that it was not her" });
  await eventually(async () => receiver.of(id).length === 2, "both callbacks");
  return { id, path, key };
}

/** Where in the database, as text, one of these words stands in what belongs to this transaction or its bucket. */
async function found(words: readonly string[]): Promise<string[]> {
  const { pool, seal } = app.services;
  const { rows: tables } = await pool.query<{ name: string }>(
    "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('public', 'simulator')",
  );
  const texts: [string, string][] = [];
  for (const { name } of tables) {
    const { rows } = await pool.query<{ text: string }>(`SELECT r::text AS text FROM ${name} r`);
    for (const { text } of rows) texts.push([name, text]);
  }
  const { rows: kept } = await pool.query<{ answer: Buffer }>(
    "SELECT answer FROM idempotency_keys WHERE answer IS NOT NULL",
  );
  for (const { answer } of kept) texts.push(["a kept answer", seal.open(answer, "answer")]);
  return texts.flatMap(([name, text]) =>
    words.filter((word) => text.includes(word)).map((word) => `${word} in ${name}`),
  );
}

test("what the request log and exports have told of her goes, too, however it was told", async () => {
  const account = await app.newAccount();
  await account.owner("PATCH", "/account", { body: { logging_stops_at: "2099-01-01T00:00:00Z" } });
  const body = {
    order_id: "told-her-1",
    currency: "DKK",
    invoice_address: { name: "Ragnhild" },
    variables: { of: "Ragnhild" },
  };
  const { id } = (await account.call("POST", "/payments", { body })).body;
  assert.equal((await account.call("POST", "/payments", { body })).status, 409);
  await account.call("GET", "/payments");
  await account.call("PATCH", `/payments/0${id}`, { body: { variables: { of: "Ragnhild" } } });
  const made = await account.owner("POST", "/exports", { body: { resource: "payments" } });
  const file = `/exports/${made.body.id}`;
  await eventually(async () => (await account.owner("GET", file)).body.state === "ready", "the export");
  assert.match((await account.owner("GET", `${file}/file`)).text, /Ragnhild/);
  const wrong = { shipping: { method: "by bike", company: "Ragnhild" } };
  assert.equal((await account.call("PATCH", `/payments/${id}`, { body: wrong })).status, 400);
  assert.equal((await account.owner("POST", `/payments/${id}/erase`)).status, 200);
  assert.equal((await account.owner("GET", `${file}/file`)).status, 404);
  // What is in mind only is written within a second, and then erased.
  await eventually(async () => {
    await new Promise((done) => setTimeout(done, 500));
    return (await found(["Ragnhild"])).length === 0;
  }, "the end of what was told");
});

test("an erased payment is not made personal again by what its refund says", async () => {
  const { path } = await paid();
  assert.equal((await erase(path)).status, 200);
  const extras = { note: "Torbjørn" };
  const refunded = await shop.call("POST", `${path}/refund?synchronized`, { body: { amount: 10, extras } });
  assert.equal(refunded.status, 200, refunded.text);
  const { rows } = await app.services.pool.query("SELECT options::text AS text FROM operations WHERE type = 'refund'");
  assert.ok(!rows.some(({ text }) => text.includes("Torbjørn")));
});

describe("a payment that is erased on request", () => {
  test("names nobody any more, anywhere; its amounts, order and card's brand stay, and the books balance", async () => {
    const { path, key } = await paid();
    const before = (await shop.call("GET", path)).body;
    const wrong = { shipping: { method: "by bike", company: persons[0] } };
    const refused = await shop.call("PATCH", path, { body: wrong });
    const logged = `/requests/${refused.headers.get("x-request-id")}`;
    await eventually(async () => (await shop.call("GET", logged)).body?.request_body != null, "the request log");
    assert.ok((await found(persons)).length >= persons.length, "she stood everywhere");
    const { status, body } = await erase(path, { "Idempotency-Key": "erase her" });
    assert.equal(status, 200);
    assert.deepEqual(await found(persons), []);

    assert.match(body.retented_at, /^\d{4}-\d\d-\d\dT/);
    assert.deepEqual((await shop.call("GET", path)).body, body);
    assert.deepEqual(
      [body.variables, body.invoice_address, body.shipping_address, body.link, body.metadata.hash],
      [{}, null, null, null, null],
    );
    const { order_id, balance, state, currency, ulid, accepted, acquirer } = before;
    assert.deepEqual(
      { order_id, balance, state, currency, ulid, accepted, acquirer },
      {
        ...{ order_id: body.order_id, balance: body.balance, state: body.state, currency: body.currency },
        ...{ ulid: body.ulid, accepted: body.accepted, acquirer: body.acquirer },
      },
    );
    assert.deepEqual([body.balance, body.metadata.brand, body.metadata.last4], [600, "visa", "0008"]);
    assert.deepEqual(
      body.operations.map((o: { type: string; amount: number }) => [o.type, o.amount]),
      [
        ["authorize", 1000],
        ["capture", 600],
      ],
    );
    assert.deepEqual((await audit(app.database_url)).differences, []);

    const again = await erase(path);
    assert.deepEqual([again.status, again.body], [200, body], "a second time nothing changes");
    const replayed = await erase(path, { "Idempotency-Key": "erase her" });
    assert.deepEqual([replayed.headers.get("idempotency-replayed"), replayed.body], ["true", body]);
    const old_key = await shop.call("POST", `${path}/capture?synchronized`, {
      body: { amount: 600 },
      headers: { "Idempotency-Key": `${key} capture`, "CoolPay-Callback-Url": `${receiver.url}/told` },
    });
    assert.deepEqual([old_key.headers.get("idempotency-replayed"), old_key.body.variables], ["true", {}]);
    assert.deepEqual(await found(persons), []);
  });

  test("still refunds; nothing makes it personal again", async () => {
    const { path } = await paid();
    await erase(path);
    const refunded = await shop.call("POST", `${path}/refund?synchronized`, { body: { amount: 600 } });
    assert.deepEqual([refunded.status, refunded.body.balance, refunded.body.variables], [200, 0, {}], refunded.text);
    for (const [method, after, body] of [
      ["PATCH", "", { variables: { customer: "Astrid" } }],
      ["PUT", "/link", { amount: 100 }],
      ["POST", "/fraud-report", { description: "Astrid" }],
      ["POST", "/capture", { amount: 100 }],
    ] as const) {
      const answer = await shop.call(method, path + after, { body });
      assert.deepEqual([answer.status, answer.body.message], [400, wrong_state], `${method} ${after}`);
    }
    assert.deepEqual((await audit(app.database_url)).differences, []);
  });

  test("must be over: not with money held, a capture planned or an operation pending; an unpaid one is closed by it", async () => {
    const { id } = await post("/payments", { ...order(), variables: { customer: "Astrid" } });
    const path = `/payments/${id}`;
    const card = (number = "1000000000000008") => ({ number, expiration: "3912", cvd: "208" });
    await post(`${path}/session`, { amount: 1000 });
    const pending = await erase(path);
    assert.deepEqual([pending.status, pending.body.message], [400, wrong_state]);
    await post(`${path}/authorize?synchronized`, { amount: 1000, card: card() });
    const held = await erase(path);
    assert.deepEqual([held.status, held.body.message], [400, wrong_state]);
    assert.equal((await shop.call("GET", path)).body.variables.customer, "Astrid");

    const unpaid = `/payments/${(await post("/payments", order())).id}`;
    assert.equal((await erase(unpaid)).status, 200);
    const late = await shop.call("POST", `${unpaid}/authorize`, { body: { amount: 1000, card: card() } });
    assert.deepEqual([late.status, late.body.message], [400, wrong_state]);
    const other = await app.newAccount();
    assert.equal((await other.owner("POST", `${unpaid}/erase`)).status, 404);
  });

  test("where a session sent the shopper back to goes, too", async () => {
    const { id } = await post("/payments", order());
    const key = { account_id: shop.id, type: "Payment", id } as const;
    const options = {
      extras: { simulator: { session: "rejected" } },
      return_url: "https://window.example/abc/return",
      method: "mobilepay",
    };
    const wish = { ...key, verb: "session", amount: 1000, options, callback_url: null } as const;
    const begun = await begin(app.services, system, { ...wish, acquirer: "clearhaus", test_mode: true });
    await perform(app.services, begun, null);
    const kept = async () => (await loadTransaction(app.services.pool, key))?.operations[0]?.options;
    assert.deepEqual(await kept(), options);
    assert.equal((await erase(`/payments/${id}`)).status, 200);
    assert.deepEqual(await kept(), { method: "mobilepay" });
  });

  test("subscriptions, cards and payouts too, but not while a customer uses them", async () => {
    const card = { number: "1000000000000008", expiration: "3912", cvd: "208", issued_to: "Astrid Solvej" };
    for (const [folder, made] of [
      ["subscriptions", { ...order(), description: "Tea", variables: { customer: "Astrid" } }],
      ["cards", { variables: { customer: "Astrid" } }],
    ] as const) {
      const path = `/${folder}/${(await post(`/${folder}`, made)).id}`;
      await post(`${path}/authorize?synchronized`, folder === "cards" ? { card } : { amount: 0, card });
      assert.equal((await erase(path)).body.message, wrong_state);
      await post(`${path}/cancel?synchronized`);
      const erased = await erase(path);
      assert.deepEqual([erased.status, erased.body.variables, erased.body.metadata.issued_to], [200, {}, null]);
    }
    const payout = `/payouts/${(await post("/payouts", { ...order(), variables: { customer: "Astrid" } })).id}`;
    await post(`${payout}/credit?synchronized`, { amount: 500, card });
    const erased = await erase(payout);
    assert.deepEqual([erased.body.balance, erased.body.variables, erased.body.metadata.issued_to], [500, {}, null]);
    assert.deepEqual((await audit(app.database_url)).differences, []);
  });
});

test("after its months without a change everything is erased by itself, except what a customer still uses", async () => {
  const card = { number: "1000000000000008", expiration: "3912", cvd: "208", issued_to: "Astrid" };
  const { path: old } = await paid();
  const saved = `/cards/${(await post("/cards", { variables: { customer: "Astrid" } })).id}`;
  await post(`${saved}/authorize?synchronized`, { card });
  const planned = `/payments/${(await post("/payments", { ...order(), variables: { customer: "Astrid" } })).id}`;
  await post(`${planned}/authorize?synchronized`, { amount: 500, card, auto_capture_at: "2099-01-01" });
  const shown = async (path: string) => (await shop.call("GET", path)).body;

  const round = () =>
    eraseOld(app.services, {
      slots: Array.from({ length: 16 }, (_, i) => i),
      months: 60,
      stopping: new AbortController().signal,
    });
  app.advance(59 * 30 * 86_400);
  const { path: young } = await paid();
  await round();
  assert.equal((await shown(old)).retented_at, null, "not yet");
  app.advance(2 * 31 * 86_400);
  await round();
  const erased = await shown(old);
  assert.deepEqual([erased.variables, erased.balance, erased.retented_at !== null], [{}, 600, true]);
  assert.equal((await shown(young)).retented_at, null);
  assert.deepEqual((await shown(saved)).variables, { customer: "Astrid" });
  assert.equal((await post(`${saved}/tokens`)).is_used, false);
  assert.deepEqual((await shown(planned)).variables, { customer: "Astrid" });
  assert.deepEqual((await audit(app.database_url)).differences, []);
});
