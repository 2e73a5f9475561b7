// Saved cards and payouts from end to end, through HTTP.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import pg from "pg";
import { audit } from "../src/audit.ts";
import { eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";

let app: TestApp;
let shop: TestAccount;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
});
after(() => app.stop());

const visa = "1000000000000008";
const rejected = "1000000000000016";
const card = (number = visa) => ({ number, expiration: "3912", cvd: "208" });

let orders = 0;
const orderId = (): string => `card-${String(++orders).padStart(6, "0")}`;

async function saved(number = visa): Promise<number> {
  const made = await shop.call("POST", "/cards", { body: { variables: { customer: "88" } } });
  assert.equal(made.status, 201, made.text);
  const answer = await shop.call("POST", `/cards/${made.body.id}/authorize?synchronized`, {
    body: { card: card(number) },
  });
  assert.equal(answer.status, 200, answer.text);
  return made.body.id;
}

const token = (id: number) => shop.call("POST", `/cards/${id}/tokens`);

async function payWith(card_token: string) {
  const made = await shop.call("POST", "/payments", { body: { order_id: orderId(), currency: "DKK" } });
  return shop.call("POST", `/payments/${made.body.id}/authorize?synchronized`, {
    body: { amount: 1000, card: { token: card_token } },
  });
}

async function rowsOf(sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: app.database_url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe("a saved card", () => {
  test("has a card's members and no amounts", async () => {
    const id = await saved();
    const { body } = await shop.call("GET", `/cards/${id}`);
    assert.deepEqual(Object.keys(body), [
      ...["id", "merchant_id", "accepted", "type", "acquirer", "metadata", "link", "operations"],
      ...["variables", "test_mode", "created_at"],
    ]);
    assert.deepEqual([body.type, body.accepted, body.test_mode, body.metadata.last4], ["Card", true, true, "0008"]);
    const [operation] = body.operations;
    assert.deepEqual([operation.type, operation.qp_status_code], ["authorize", "20000"]);
    for (const name of ["amount", "3d_secure_status"]) assert.ok(!(name in operation), name);
    assert.deepEqual((await shop.call("GET", `/cards/${id}/operations/1`)).body, operation);
    assert.deepEqual((await shop.call("PATCH", `/cards/${id}`, { body: { variables: { a: "1" } } })).body.variables, {
      a: "1",
    });
  });

  test("pays by a token once; a second time it is refused and nothing is asked", async () => {
    const id = await saved();
    const made = await token(id);
    assert.equal(made.status, 202, made.text);
    assert.match(made.body.token, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(made.body.is_used, false);
    const paid = await payWith(made.body.token);
    assert.deepEqual([paid.status, paid.body.state, paid.body.metadata.last4], [200, "new", "0008"], paid.text);
    assert.equal(paid.body.metadata.origin, "saved_card");
    const again = await payWith(made.body.token);
    assert.deepEqual(
      [again.status, again.body.accepted, again.body.operations[0].qp_status_code],
      [200, false, "40001"],
    );
    const unknown = await payWith("6b2d1c7e-58f0-4d6a-9c1f-3a7be0c41d55");
    assert.equal(unknown.body.operations[0].qp_status_code, "40001");
  });

  test("tells its fee by a token, which is not used up by that", async () => {
    const { body } = await token(await saved());
    const fee = await shop.call("POST", "/fees", {
      body: { amount: 10_000, currency: "DKK", card: { token: body.token } },
    });
    assert.deepEqual(
      [fee.status, fee.body.payment_method, fee.body.total],
      [201, "visa", 10_000 + fee.body.fee],
      fee.text,
    );
    assert.equal((await payWith(body.token)).body.accepted, true);
    const used = await shop.call("POST", "/fees", { body: { amount: 10_000, card: { token: body.token } } });
    assert.deepEqual([used.status, used.body.errors], [400, { "card[token]": ["is invalid"] }]);
  });

  test("of 20 payments at once with one token exactly one is paid", async () => {
    const { body } = await token(await saved());
    const paid = await Promise.all(Array.from({ length: 20 }, () => payWith(body.token)));
    assert.equal(paid.filter((p) => p.body.accepted).length, 1);
  });

  test("of another account cannot be read, and its token pays nothing there", async () => {
    const id = await saved();
    const { body } = await token(id);
    const other = await app.newAccount();
    assert.equal((await other.call("GET", `/cards/${id}`)).status, 404);
    assert.equal((await other.call("POST", `/cards/${id}/tokens`)).status, 404);
    const made = await other.call("POST", "/payments", { body: { order_id: orderId(), currency: "DKK" } });
    const answer = await other.call("POST", `/payments/${made.body.id}/authorize?synchronized`, {
      body: { amount: 1000, card: { token: body.token } },
    });
    assert.equal(answer.body.accepted, false);
    assert.equal((await payWith(body.token)).body.accepted, true, "and it is not used up by that");
  });

  test("that was refused or cancelled makes no tokens, and is forgotten", async () => {
    const refused = await saved(rejected);
    assert.equal((await token(refused)).status, 400);
    const id = await saved();
    const kept = await token(id);
    const cancelled = await shop.call("POST", `/cards/${id}/cancel?synchronized`);
    assert.equal(cancelled.status, 200, cancelled.text);
    assert.equal((await token(id)).status, 400);
    assert.equal((await payWith(kept.body.token)).body.accepted, false);
    assert.deepEqual(await rowsOf(`SELECT FROM vault WHERE card_id IN (${refused}, ${id})`), []);
  });

  test("rests sealed: neither its number nor a CVD stands anywhere in the database", async () => {
    const id = await saved("1000000000000057");
    assert.equal((await rowsOf(`SELECT FROM vault WHERE card_id = ${id}`)).length, 1);
    const tables = (await rowsOf(
      `SELECT table_schema AS s, table_name AS t FROM information_schema.tables
       WHERE table_schema IN ('public', 'simulator') AND table_type = 'BASE TABLE'`,
    )) as { s: string; t: string }[];
    for (const { s, t } of tables) {
      const found = await rowsOf(`SELECT FROM ${s}.${t} AS r WHERE r::text LIKE '%1000000000000057%'`);
      assert.equal(found.length, 0, `${s}.${t} holds a card number`);
    }
  });

  test("is listed by its account alone, newest first, with Link", async () => {
    const page = await shop.call("GET", "/cards?page_size=2");
    assert.equal(page.body.length, 2);
    assert.ok(page.body[0].id > page.body[1].id);
    assert.match(page.headers.get("link") ?? "", /rel="next"/);
  });

  test("has a link that speaks the old spelling", async () => {
    const id = await saved();
    const link = await shop.call("PUT", `/cards/${id}/link`, { body: { continueurl: "https://shop.example/ok" } });
    assert.match(link.body.url, /\/cards\/[0-9a-f]{64}$/);
    const shown = (await shop.call("GET", `/cards/${id}`)).body.link;
    assert.deepEqual([shown.continueurl, shown.payment_methods], ["https://shop.example/ok", "creditcard"]);
    assert.ok(!("continue_url" in shown));
  });
});

describe("a payout", () => {
  const create = async (): Promise<number> => {
    const made = await shop.call("POST", "/payouts", { body: { order_id: orderId(), currency: "DKK" } });
    assert.equal(made.status, 201, made.text);
    return made.body.id;
  };
  const credit = (id: number, given: object = card()) =>
    shop.call("POST", `/payouts/${id}/credit?synchronized`, { body: { amount: 5000, card: given } });

  test("pays out to a card once", async () => {
    const id = await create();
    const paid = await credit(id);
    assert.equal(paid.status, 200, paid.text);
    const { type, state, accepted, balance, operations } = paid.body;
    assert.deepEqual(
      { type, state, accepted, balance },
      { type: "Payout", state: "processed", accepted: true, balance: 5000 },
    );
    assert.deepEqual([operations[0].type, operations[0].amount], ["credit", 5000]);
    for (const name of ["ulid", "basket", "shipping", "fee", "deadline_at"]) assert.ok(!(name in paid.body), name);
    assert.equal((await credit(id)).status, 400);
    assert.deepEqual((await shop.call("GET", `/payouts/${id}/operations/1`)).body, operations[0]);
    const listed = await shop.call("GET", "/payouts?state=processed");
    assert.deepEqual(listed.body[0].id, id);
  });

  test("that was declined may be tried again, with a saved card too", async () => {
    const id = await create();
    assert.equal((await credit(id, card(rejected))).body.state, "rejected");
    const { body } = await token(await saved());
    assert.equal((await credit(id, { token: body.token })).body.state, "processed");
  });

  test("has an order_id of its own kind", async () => {
    const order_id = orderId();
    for (const folder of ["payments", "payouts"])
      assert.equal((await shop.call("POST", `/${folder}`, { body: { order_id, currency: "DKK" } })).status, 201);
    const again = await shop.call("POST", "/payouts", { body: { order_id, currency: "DKK" } });
    assert.deepEqual([again.status, again.body.errors], [409, { order_id: ["already exists on another payout"] }]);
  });

  test("is not captured, refunded or cancelled: there is no such path", async () => {
    const id = await create();
    for (const verb of ["capture", "refund", "cancel", "authorize"])
      assert.equal((await shop.call("POST", `/payouts/${id}/${verb}`, { body: { amount: 1 } })).status, 404, verb);
  });
});

test("after all that the books balance", async () => {
  await eventually(async () => (await audit(app.database_url)).differences.length === 0, "balance");
});
