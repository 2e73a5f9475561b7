// Plans: what an account may not do is 402 with nothing stored, and the bound on live authorizations is exact.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Plan, unlimited } from "../src/domain/plans.ts";
import { changePlan } from "../src/services/plans.ts";
import { system } from "../src/services/services.ts";
import { type Answer, eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";

const five: Plan = { ...unlimited, name: "five", price: 900, transactions_per_month: 5 };
const bare: Plan = { ...unlimited, name: "bare", transactions_per_month: 0, features: [] };

let app: TestApp;
before(async () => {
  app = await startApp({ settings: { plans: [unlimited, five, bare] } });
  person = await app.newAccount();
  // The simulator in a live acquirer's seat: with a key, its sessions are no tests.
  Object.assign(app.services.acquirers, { clearhaus: app.services.simulator });
});
after(() => app.stop());

const test_card = { number: "1000000000000008", expiration: "3112", cvd: "208" };
let orders = 0;

let person: TestAccount;

/** Another account of the same person: hashing one more password takes longer than all else here. */
async function newShop(): Promise<Pick<TestAccount, "id" | "call" | "owner">> {
  const alone = app.client(person.email, person.password);
  const { id } = (await alone("POST", "/accounts", { body: { shop_name: "Te og Tid", contact_email: person.email } }))
    .body;
  const owner = app.client(person.email, person.password, { "CoolPay-Account-Id": String(id) });
  const agreements = await owner("GET", "/agreements");
  const { api_key } = agreements.body.find(({ service }: Answer["body"]) => service === "api_user");
  return { id, owner, call: app.client("", api_key) };
}

type Shop = Awaited<ReturnType<typeof newShop>>;

async function liveShop(plan = "five"): Promise<Shop> {
  const shop = await newShop();
  await shop.owner("PATCH", "/acquirers/clearhaus", { body: { api_key: "key", active: true } });
  const put = await shop.owner("PUT", "/account/plan", { body: { plan } });
  assert.equal(put.status, 200, put.text);
  return shop;
}

async function made(shop: Shop, folder = "payments"): Promise<number> {
  orders += 1;
  const body = { order_id: `plan-${orders}`, currency: "DKK", description: "Tea" };
  return (await shop.call("POST", `/${folder}`, { body })).body.id;
}

/** A live authorization, as the shopper decides it. */
const session = (shop: Shop, id: number, shopper = "approved", folder = "payments"): Promise<Answer> =>
  shop.call("POST", `/${folder}/${id}/session?synchronized`, {
    body: { amount: 100, extras: { simulator: { session: shopper } } },
  });

const used = async (shop: Shop): Promise<number> =>
  (await shop.owner("GET", "/account/plan")).body.transactions_this_month;

const beyond = {
  message: "Payment plan required: more than 5 transactions a month",
  errors: null,
  error_code: null,
};

describe("an account's plan", () => {
  test("is one of those that anybody may read, and the first to begin with", async () => {
    const { status, body } = await app.anonymous("GET", "/plans");
    assert.deepEqual([status, body], [200, [unlimited, five, bare]]);
    const shop = await newShop();
    const plan = await shop.owner("GET", "/account/plan");
    assert.deepEqual(
      [plan.body.name, plan.body.transactions_per_month, plan.body.transactions_this_month],
      ["unlimited", null, 0],
    );
    assert.match(plan.body.month, /^\d{4}-\d\d$/);
    assert.equal((await shop.call("GET", "/account/plan")).status, 403, "an API User does not see it");
  });

  test("is changed by its owner, which the trail tells, or by the operator", async () => {
    const shop = await newShop();
    const wrong = await shop.owner("PUT", "/account/plan", { body: { plan: "gold" } });
    assert.deepEqual([wrong.status, wrong.body.errors], [400, { plan: ["does not have a valid value"] }]);
    const put = await shop.owner("PUT", "/account/plan", { body: { plan: "five" } });
    assert.deepEqual([put.status, put.body.name], [200, "five"]);
    const [entry] = (await shop.owner("GET", "/activity?target_type=Account")).body;
    assert.deepEqual([entry.action, entry.changes], ["plan", { plan: ["unlimited", "five"] }]);

    await changePlan(app.services, system, { account_id: shop.id, plan: "bare" });
    assert.equal((await shop.owner("GET", "/account/plan")).body.name, "bare");
    await assert.rejects(changePlan(app.services, system, { account_id: shop.id, plan: "gold" }));
    await assert.rejects(changePlan(app.services, system, { account_id: 2 ** 31 - 1, plan: "five" }), /Not found/);
  });

  test("that lacks a feature answers 402 on POST of it, live or test, and nothing is stored", async () => {
    const shop = await newShop();
    const { body: branding } = await shop.owner("POST", "/brandings", { body: { name: "Shop" } });
    await shop.owner("PUT", "/account/plan", { body: { plan: "bare" } });
    const order = { order_id: "lacks-1", currency: "DKK" };
    for (const [what, path, body] of [
      ["subscriptions", "/subscriptions", { ...order, description: "Tea" }],
      ["payouts", "/payouts", order],
      ["brandings", "/brandings", { name: "Other" }],
      ["brandings", `/brandings/${branding.id}/copy`, {}],
      ["users", "/agreements", { user_email: "ida@shop.example" }],
    ] as const) {
      const before_ = await shop.owner("GET", `/${path.split("/")[1]}`);
      const answer = await shop.owner("POST", path, { body });
      const error = { message: `Payment plan required: ${what}`, errors: null, error_code: null };
      assert.deepEqual([answer.status, answer.body], [402, error], path);
      assert.deepEqual((await shop.owner("GET", `/${path.split("/")[1]}`)).body, before_.body, path);
    }
    assert.equal((await shop.owner("POST", "/agreements", { body: { system_user: "Warehouse" } })).status, 201);
    assert.equal((await shop.call("POST", "/cards", { body: {} })).status, 201);
    // Parameters come first, and what is not there.
    assert.equal((await shop.call("POST", "/payouts", { body: { ...order, currency: "Euro" } })).status, 400);
    assert.equal((await shop.owner("POST", "/brandings/2147483647/copy")).status, 404);
    // Refused before an order id could be taken.
    await shop.owner("PUT", "/account/plan", { body: { plan: "unlimited" } });
    assert.equal((await shop.call("POST", "/payouts", { body: order })).status, 201);
    await shop.owner("PUT", "/account/plan", { body: { plan: "bare" } });
    assert.equal((await shop.call("POST", "/payouts", { body: order })).status, 402, "402 comes before 409");
  });
});

describe("a bound on live authorizations", () => {
  test("is exact although many come at once", async () => {
    const shop = await liveShop();
    const ids = await Promise.all(Array.from({ length: 24 }, () => made(shop)));
    const answers = await Promise.all(ids.map((id) => session(shop, id)));
    const refused = answers.filter(({ status }) => status === 402);
    assert.equal(answers.filter(({ status, body }) => status === 200 && body.accepted && !body.test_mode).length, 5);
    assert.equal(refused.length, 19);
    for (const { body } of refused) assert.deepEqual(body, beyond);
    assert.equal(await used(shop), 5);
    const { body: payments } = await shop.call("GET", "/payments?page_size=100");
    const untouched = payments.filter(
      ({ operations, state }: Answer["body"]) => operations.length === 0 && state === "initial",
    );
    assert.equal(untouched.length, 19, "nothing of the refused ones was stored");
  });

  test("counts what was approved: not tests, rejections, captures, refunds; a month later there is room again", async () => {
    const shop = await liveShop();
    const first = await made(shop);
    assert.equal((await session(shop, first)).body.accepted, true);
    for (const shopper of ["rejected", "rejected", "approved", "approved", "approved", "rejected", "approved"])
      assert.equal((await session(shop, await made(shop), shopper)).status, 200, shopper);
    assert.equal(await used(shop), 5);
    // It is full. What comes after an authorization goes on, and so do tests and new payments.
    assert.equal((await session(shop, await made(shop))).status, 402);
    assert.equal((await session(shop, first)).status, 402, "402 comes before the wrong state");
    for (const verb of ["capture", "refund"])
      assert.equal(
        (await shop.call("POST", `/payments/${first}/${verb}?synchronized`, { body: { amount: 100 } })).status,
        200,
      );
    const tested = await shop.call("POST", `/payments/${await made(shop)}/authorize?synchronized`, {
      body: { amount: 100, card: test_card },
    });
    assert.deepEqual([tested.status, tested.body.accepted], [200, true]);
    assert.equal(await used(shop), 5);

    app.advance(32 * 86_400);
    assert.equal(await used(shop), 0);
    assert.equal((await session(shop, await made(shop))).status, 200);
  });

  test("a session that waits holds one place, whatever becomes of it", async () => {
    const shop = await liveShop();
    const waiting = await made(shop);
    const deadline_at = new Date(app.services.clock.now().getTime() + 600_000).toISOString();
    await shop.call("PATCH", `/payments/${waiting}`, { body: { deadline_at } });
    for (let i = 0; i < 4; i++) await session(shop, await made(shop));
    assert.equal((await session(shop, waiting, "waiting")).status, 200);
    assert.equal((await session(shop, await made(shop))).status, 402);
    // A newer attempt takes the place of the one that it ends; a deadline gives it back.
    assert.equal((await session(shop, waiting, "waiting")).status, 200);
    assert.equal(await used(shop), 5);
    app.advance(601);
    await eventually(async () => (await used(shop)) === 4, "the place is free");
    assert.equal((await session(shop, await made(shop))).status, 200);
  });

  test("holds for each recurring payment, also of a group", async () => {
    const shop = await liveShop("unlimited");
    const { body: group } = await shop.owner("POST", "/subscription-groups", {
      body: { name: "Tea", amount: 100, currency: "DKK" },
    });
    await shop.owner("PUT", "/account/plan", { body: { plan: "unlimited" } });
    const ids: number[] = [];
    for (let i = 0; i < 4; i++) {
      const id = await made(shop, "subscriptions");
      await shop.call("PATCH", `/subscriptions/${id}`, { body: { group_ids: [group.id] } });
      assert.equal((await session(shop, id, "approved", "subscriptions")).body.state, "active");
      ids.push(id);
    }
    // What happened on the plan before counts as well.
    await shop.owner("PUT", "/account/plan", { body: { plan: "five" } });
    assert.equal(await used(shop), 4);
    const captured = await shop.owner("POST", `/subscription-groups/${group.id}/capture`, {
      body: { order_id_prefix: "nov-" },
    });
    assert.equal(captured.status, 202, captured.text);
    const statuses = captured.body.map(({ status }: Answer["body"]) => status).sort();
    assert.deepEqual(statuses, [202, 402, 402, 402]);
    assert.equal(captured.body.find(({ status }: Answer["body"]) => status === 402).message, beyond.message);
    const one = { amount: 100, order_id: "one-more" };
    const refused = await shop.call("POST", `/subscriptions/${ids[0]}/recurring`, { body: one });
    assert.deepEqual([refused.status, refused.body], [402, beyond]);
    assert.equal((await shop.call("GET", "/payments?order_id=one-more")).body.length, 0);
  });
});
