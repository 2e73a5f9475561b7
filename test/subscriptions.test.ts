// Subscriptions from end to end, through HTTP: authorized once, charged again and again, one by one and in groups.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { audit } from "../src/audit.ts";
import { eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { Receiver } from "./support/receiver.ts";

let app: TestApp;
let shop: TestAccount;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
});
after(() => app.stop());

const card = (number = "1000000000000008") => ({ number, expiration: "3912", cvd: "208" });
// The card that is authorized once and refuses to be charged again.
const charged_once = "1000000000000081";
const rejected = "1000000000000016";

let orders = 0;
const orderId = (): string => `sub-${String(++orders).padStart(6, "0")}`;

async function create(more: object = {}): Promise<number> {
  const body = { order_id: orderId(), currency: "DKK", description: "Monthly tea box", ...more };
  const answer = await shop.call("POST", "/subscriptions", { body });
  assert.equal(answer.status, 201, answer.text);
  return answer.body.id;
}

async function active(number?: string, more: object = {}): Promise<number> {
  const id = await create(more);
  const answer = await shop.call("POST", `/subscriptions/${id}/authorize?synchronized`, {
    body: { amount: 0, card: card(number) },
  });
  assert.equal(answer.body.state, "active", answer.text);
  return id;
}

const charge = (id: number, body: object, headers: Record<string, string> = {}) =>
  shop.call("POST", `/subscriptions/${id}/recurring?synchronized`, { body, headers });

const message = "Validation error: Transaction in wrong state for this operation";

describe("a subscription", () => {
  test("begins as it was sent, has the members of a subscription and no amounts", async () => {
    const sent = {
      order_id: orderId(),
      currency: "eur",
      description: "Monthly tea box",
      variables: { customer: "88" },
      invoice_address: { city: "Odense" },
      text_on_statement: "Tea",
    };
    const made = await shop.call("POST", "/subscriptions", { body: sent });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.headers.get("location"), `${app.url}/subscriptions/${made.body.id}`);
    const { type, state, accepted, currency, description, group_ids, variables, text_on_statement } = made.body;
    assert.deepEqual(
      { type, state, accepted, currency, description, group_ids, variables, text_on_statement },
      {
        ...{ type: "Subscription", state: "initial", accepted: false, currency: "EUR" },
        ...{ description: "Monthly tea box", group_ids: [], variables: { customer: "88" }, text_on_statement: "Tea" },
      },
    );
    for (const name of ["balance", "fee", "subscription_id"]) assert.ok(!(name in made.body), name);
    assert.deepEqual((await shop.call("GET", `/subscriptions/${made.body.id}`)).body, made.body);
  });

  test("needs an order_id, a currency and a description; an order_id of a payment may be used again", async () => {
    const none = await shop.call("POST", "/subscriptions", { body: {} });
    assert.equal(none.status, 400);
    assert.deepEqual(none.body.errors, {
      order_id: ["is missing"],
      currency: ["is missing"],
      description: ["is missing"],
    });
    const order_id = orderId();
    await shop.call("POST", "/payments", { body: { order_id, currency: "DKK" } });
    await create({ order_id });
    const again = await shop.call("POST", "/subscriptions", {
      body: { order_id, currency: "DKK", description: "Tea" },
    });
    assert.equal(again.status, 409);
    assert.deepEqual(again.body.errors, { order_id: ["already exists on another subscription"] });
  });

  test("is active once it is authorized, by 0 too, and cancelled for good", async () => {
    const id = await active();
    const again = await shop.call("POST", `/subscriptions/${id}/authorize?synchronized`, {
      body: { amount: 100, card: card() },
    });
    assert.deepEqual([again.status, again.body.message], [400, message]);
    const cancelled = await shop.call("POST", `/subscriptions/${id}/cancel?synchronized`);
    assert.deepEqual([cancelled.status, cancelled.body.state, cancelled.body.accepted], [200, "cancelled", true]);
    const late = await charge(id, { amount: 100, order_id: orderId() });
    assert.deepEqual([late.status, late.body.message], [400, message]);
    assert.equal((await shop.call("POST", `/subscriptions/${id}/cancel`)).status, 400);
  });

  test("that was declined may be tried with another card", async () => {
    const id = await create();
    const authorize = (number: string) =>
      shop.call("POST", `/subscriptions/${id}/authorize?synchronized`, { body: { amount: 100, card: card(number) } });
    assert.equal((await authorize(rejected)).body.state, "rejected");
    assert.equal((await authorize("1000000000000008")).body.state, "active");
  });

  const kept = async (id: number): Promise<number> =>
    (await app.services.pool.query("SELECT FROM vault WHERE card_id = $1", [id])).rowCount ?? 0;

  test("keeps its card sealed until it is cancelled: the newest, and none that was refused or came by a session", async () => {
    const id = await create();
    const authorize = (number: string) =>
      shop.call("POST", `/subscriptions/${id}/authorize?synchronized`, { body: { amount: 0, card: card(number) } });
    await authorize(rejected);
    assert.equal(await kept(id), 0);
    await authorize("1000000000000008");
    assert.equal(await kept(id), 1);
    await shop.call("POST", `/subscriptions/${id}/cancel?synchronized`);
    assert.equal(await kept(id), 0);
    const by_session = await create();
    const body = { extras: { simulator: { session: "approved" } } };
    const session = await shop.call("POST", `/subscriptions/${by_session}/session?synchronized`, { body });
    assert.deepEqual([session.body.state, await kept(by_session)], ["active", 0]);
  });

  test("is charged by its card where the acquirer has given no reference, and not at all where it keeps none", async () => {
    const id = await active();
    await app.services.pool.query("UPDATE operations SET acquirer_reference = NULL WHERE transaction_id = $1", [id]);
    const paid = await charge(id, { amount: 100, order_id: orderId(), auto_capture: true });
    assert.deepEqual([paid.status, paid.body.state, paid.body.balance], [200, "processed", 100], paid.text);
    const declined = await active("1000000000000065");
    await app.services.pool.query("UPDATE operations SET acquirer_reference = NULL WHERE transaction_id = $1", [
      declined,
    ]);
    assert.equal((await charge(declined, { amount: 100, order_id: orderId() })).body.accepted, false);
    await app.services.pool.query("DELETE FROM vault WHERE card_id = $1", [id]);
    const refused = await charge(id, { amount: 100, order_id: orderId() });
    assert.deepEqual([refused.status, refused.body.message], [400, message]);
  });

  test("of a closed account keeps nothing", async () => {
    const other = await app.newAccount();
    const body = { order_id: orderId(), currency: "DKK", description: "Tea" };
    const made = await other.call("POST", "/subscriptions", { body });
    await other.call("POST", `/subscriptions/${made.body.id}/authorize?synchronized`, {
      body: { amount: 0, card: card() },
    });
    const of_account = "SELECT FROM vault WHERE account_id = $1";
    assert.equal((await app.services.pool.query(of_account, [other.id])).rowCount, 1);
    assert.equal((await other.owner("DELETE", "/account")).status, 204);
    assert.equal((await app.services.pool.query(of_account, [other.id])).rowCount, 0);
  });

  test("answers 202 with the operation's address, and 404 for what is another account's", async () => {
    const id = await create();
    const answer = await shop.call("POST", `/subscriptions/${id}/authorize`, { body: { amount: 100, card: card() } });
    assert.deepEqual([answer.status, answer.body.state, answer.body.operations[0].pending], [202, "initial", true]);
    assert.equal(answer.headers.get("location"), `${app.url}/subscriptions/${id}/operations/1`);
    await eventually(async () => (await shop.call("GET", `/subscriptions/${id}`)).body.state === "active");
    assert.equal((await shop.call("GET", `/subscriptions/${id}/operations/1`)).body.qp_status_code, "20000");
    const other = await app.newAccount();
    for (const path of [`/subscriptions/${id}`, `/subscriptions/${id}/payments`, `/subscriptions/${id}/operations/1`]) {
      const denied = await other.call("GET", path);
      assert.deepEqual([denied.status, denied.body.message], [404, `Not found: No Subscription with id ${id}`]);
    }
  });

  test("once active changes description and variables, not its address", async () => {
    const id = await active();
    const changed = await shop.call("PATCH", `/subscriptions/${id}`, {
      body: { description: "Coffee", variables: { a: "1" }, invoice_address: { city: "Aarhus" } },
    });
    const { description, variables, invoice_address } = changed.body;
    assert.deepEqual(
      { description, variables, invoice_address },
      { description: "Coffee", variables: { a: "1" }, invoice_address: null },
    );
  });

  test("has a link without capture, in either spelling", async () => {
    const id = await create();
    const link = await shop.call("PUT", `/subscriptions/${id}/link`, {
      body: { amount: 0, continueurl: "https://shop.example/ok" },
    });
    assert.match(link.body.url, /\/subscriptions\/[0-9a-f]{64}$/);
    const shown = (await shop.call("GET", `/subscriptions/${id}`)).body.link;
    assert.deepEqual([shown.url, shown.amount, shown.continue_url], [link.body.url, 0, "https://shop.example/ok"]);
    assert.equal((await shop.call("DELETE", `/subscriptions/${id}/link`)).status, 204);
    assert.equal((await shop.call("GET", `/subscriptions/${id}`)).body.link, null);
  });
});

describe("charging a subscription", () => {
  test("makes a payment of its own, with its own order_id and variables, captured and refunded as any other", async () => {
    const id = await active(undefined, { variables: { customer: "88" } });
    const order_id = orderId();
    const payment = await charge(id, { amount: 9900, order_id, variables: { month: "1" } });
    assert.equal(payment.status, 200, payment.text);
    const { type, state, subscription_id, variables, test_mode, acquirer, operations } = payment.body;
    assert.deepEqual(
      { type, state, subscription_id, variables, test_mode, acquirer },
      {
        ...{ type: "Payment", state: "new", subscription_id: id, variables: { month: "1" } },
        ...{ test_mode: true, acquirer: "clearhaus" },
      },
    );
    assert.deepEqual([operations.length, operations[0].type, operations[0].amount], [1, "recurring", 9900]);
    const captured = await shop.call("POST", `/payments/${payment.body.id}/capture?synchronized`, {
      body: { amount: 9900 },
    });
    assert.equal(captured.body.balance, 9900, captured.text);
    const refunded = await shop.call("POST", `/payments/${payment.body.id}/refund?synchronized`, {
      body: { amount: 900 },
    });
    assert.equal(refunded.body.balance, 9000);
    const listed = await shop.call("GET", `/subscriptions/${id}/payments`);
    assert.deepEqual(
      listed.body.map((p: { id: number }) => p.id),
      [payment.body.id],
    );
  });

  test("monthly for a year on the test clock: one is declined, one is repeated with the same Idempotency-Key", async () => {
    const id = await active();
    const balances: number[] = [];
    for (let month = 1; month <= 12; month++) {
      const body = { amount: 9900, order_id: `${orderId()}-${month}`, auto_capture: true };
      const key = { "Idempotency-Key": `${id}-${month}` };
      const paid = await charge(id, body, key);
      assert.equal(paid.status, 200, paid.text);
      if (month === 6) {
        const repeated = await charge(id, body, key);
        assert.deepEqual([repeated.status, repeated.body.id], [200, paid.body.id]);
        assert.equal(repeated.headers.get("idempotency-replayed"), "true");
      }
      balances.push(paid.body.balance);
      app.advance(30 * 86_400);
    }
    const once = await active(charged_once);
    assert.equal((await charge(once, { amount: 100, order_id: orderId() })).body.state, "new");
    const declined = await charge(once, { amount: 100, order_id: orderId() });
    assert.deepEqual([declined.status, declined.body.state, declined.body.accepted], [200, "rejected", false]);
    assert.deepEqual(
      balances,
      Array.from({ length: 12 }, () => 9900),
    );
    assert.equal((await shop.call("GET", `/subscriptions/${id}/payments?page_size=50`)).body.length, 12);
  });

  test("an order_id that a payment has is refused, and nothing is charged", async () => {
    const id = await active();
    const order_id = orderId();
    await charge(id, { amount: 100, order_id });
    const again = await charge(id, { amount: 100, order_id });
    assert.deepEqual([again.status, again.body.errors], [409, { order_id: ["already exists on another payment"] }]);
    assert.equal((await shop.call("GET", `/subscriptions/${id}/payments`)).body.length, 1);
  });

  test("of 20 at once with one order_id exactly one is charged", async () => {
    const id = await active();
    const order_id = orderId();
    const answers = await Promise.all(Array.from({ length: 20 }, () => charge(id, { amount: 100, order_id })));
    assert.deepEqual([answers.filter(({ status }) => status === 200).length], [1]);
    assert.equal(answers.filter(({ status }) => status === 409).length, 19);
  });

  test("tells the merchant of the payment, not of the subscription", async () => {
    const receiver = await new Receiver().start();
    try {
      const id = await active();
      const paid = await charge(
        id,
        { amount: 100, order_id: orderId(), auto_capture: true },
        { "CoolPay-Callback-Url": receiver.url },
      );
      await eventually(async () => receiver.received.length === 2);
      for (const { raw } of receiver.received) {
        const told = JSON.parse(raw);
        assert.deepEqual([told.type, told.id, told.subscription_id], ["Payment", paid.body.id, id]);
      }
    } finally {
      receiver.stop();
    }
  });
});

describe("a group of subscriptions", () => {
  const group = async (more: object = {}): Promise<number> => {
    const body = { name: "Tea boxes", amount: 9900, currency: "DKK", ...more };
    const made = await shop.owner("POST", "/subscription-groups", { body });
    assert.equal(made.status, 201, made.text);
    return made.body.id;
  };

  test("is made, read, changed, listed and deleted; its subscriptions stay", async () => {
    const id = await group({ description: "All of them" });
    const expected = { id, merchant_id: shop.id, name: "Tea boxes", amount: 9900, currency: "DKK" };
    assert.deepEqual((await shop.owner("GET", `/subscription-groups/${id}`)).body, {
      ...expected,
      description: "All of them",
    });
    const member = await active(undefined, { group_ids: [id] });
    const changed = await shop.owner("PATCH", `/subscription-groups/${id}`, { body: { amount: 10900 } });
    assert.equal(changed.body.amount, 10900);
    const listed = await shop.owner("GET", "/subscription-groups");
    assert.ok(listed.body.some((g: { id: number }) => g.id === id));
    const by_group = await shop.call("GET", `/subscriptions?group_id=${id}`);
    assert.deepEqual(
      by_group.body.map((s: { id: number }) => s.id),
      [member],
    );
    const deleted = await shop.owner("DELETE", `/subscription-groups/${id}`);
    assert.deepEqual([deleted.status, deleted.body.id], [200, id]);
    assert.equal((await shop.owner("GET", `/subscription-groups/${id}`)).status, 404);
    assert.deepEqual((await shop.call("GET", `/subscriptions/${member}`)).body.group_ids, []);
  });

  test("takes only the account's subscriptions in its currency", async () => {
    const id = await group();
    const refused = async (body: object) =>
      (
        await shop.call("POST", "/subscriptions", {
          body: { order_id: orderId(), currency: "DKK", description: "Tea", ...body },
        })
      ).body.errors;
    assert.deepEqual(await refused({ group_ids: [id], currency: "EUR" }), { "group_ids[]": ["has another currency"] });
    assert.deepEqual(await refused({ group_ids: [2_000_000_000] }), { "group_ids[]": ["is invalid"] });
    const other = await app.newAccount();
    assert.equal((await other.owner("GET", `/subscription-groups/${id}`)).status, 404);
    assert.equal(
      (await other.owner("POST", `/subscription-groups/${id}/capture`, { body: { order_id_prefix: "x" } })).status,
      404,
    );
  });

  test("of 1,000 is captured whole: one payment each, and none twice under one prefix", {
    timeout: 120_000,
  }, async () => {
    const id = await group({ amount: 500 });
    const members: number[] = [];
    for (let i = 0; i < 20; i++)
      members.push(...(await Promise.all(Array.from({ length: 50 }, () => active(undefined, { group_ids: [id] })))));
    const idle = await create({ group_ids: [id] });
    const capture = (headers = {}) =>
      shop.owner("POST", `/subscription-groups/${id}/capture`, { body: { order_id_prefix: "Nov-" }, headers });
    const answer = await capture({ "Idempotency-Key": "november" });
    assert.equal(answer.status, 202, answer.text);
    assert.equal(answer.body.filter((r: { status: number }) => r.status === 202).length, 1000);
    const message = "Validation error: Transaction in wrong state for this operation";
    assert.deepEqual(
      answer.body.filter((r: { status: number }) => r.status !== 202),
      [{ subscription_id: idle, status: 400, message }],
      "one that is not active says so",
    );
    assert.deepEqual((await capture({ "Idempotency-Key": "november" })).body, answer.body);
    const again = await capture();
    assert.equal(again.body.filter((r: { status: number }) => r.status === 409).length, 1000);
    assert.equal(again.body[0].message, "order_id already exists on another payment");
    const charged = async () => {
      const { rows } = await app.services.pool.query(
        "SELECT count(*)::int AS count, sum(captured)::int AS captured FROM transactions WHERE subscription_id = ANY($1) AND type = 'Payment'",
        [members],
      );
      return rows[0];
    };
    await eventually(async () => (await charged()).captured === 500_000, "every capture");
    assert.deepEqual(await charged(), { count: 1000, captured: 500_000 });
  });
});

test("after all that the books balance", async () => {
  await eventually(async () => (await audit(app.database_url)).differences.length === 0, "balance");
});
