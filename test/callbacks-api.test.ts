// Callbacks as a merchant's server gets them, from operations made through the API.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { type Received, Receiver } from "./support/receiver.ts";

let app: TestApp;
let shop: TestAccount;
let receiver: Receiver;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
  receiver = await new Receiver().start();
  await shop.owner("PATCH", "/account", { body: { callback_url: `${receiver.url}/account?shop=1` } });
});
after(async () => {
  await app.stop();
  receiver.stop();
});

const card = { number: "1000000000000008", expiration: "3112", cvd: "208" };
let orders = 0;

async function newPayment(): Promise<number> {
  orders += 1;
  const made = await shop.call("POST", "/payments", { body: { order_id: `callback-${orders}`, currency: "DKK" } });
  return made.body.id;
}

const act = (id: number, verb: string, body: object = {}, headers: Record<string, string> = {}) =>
  shop.call("POST", `/payments/${id}/${verb}?synchronized`, { body, headers });

const lastOperation = ({ raw }: Received): string => {
  const { type, qp_status_code } = JSON.parse(raw).operations.at(-1);
  return `${type} ${qp_status_code}`;
};

describe("a receiver", () => {
  test("gets every operation once, in order, with a checksum that verifies", async () => {
    const id = await newPayment();
    await act(id, "authorize", { amount: 1000, card });
    await act(id, "capture", { amount: 600 });
    await act(id, "capture", { amount: 400 });
    await act(id, "refund", { amount: 100 });
    await eventually(async () => receiver.of(id).length >= 4, "four callbacks");
    await new Promise((done) => setTimeout(done, 700));
    const got = receiver.of(id);
    assert.deepEqual(got.map(lastOperation), ["authorize 20000", "capture 20000", "capture 20000", "refund 20000"]);

    const { private_key } = (await shop.owner("GET", "/account/private-key")).body;
    for (const { headers, raw, path } of got) {
      assert.equal(path, "/account?shop=1");
      const checksum = createHmac("sha256", private_key).update(raw).digest("hex");
      assert.equal(headers["coolpay-checksum-sha256"], checksum);
      assert.equal(headers["quickpay-checksum-sha256"], checksum);
      assert.equal(headers["coolpay-resource-type"], "Payment");
      assert.equal(headers["quickpay-account-id"], String(shop.id));
      assert.equal(headers["coolpay-api-version"], "v10");
      assert.equal(headers["content-type"], "application/json");
      const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${raw}`;
      assert.equal(
        headers["webhook-signature"],
        `v1,${createHmac("sha256", private_key).update(signed).digest("base64")}`,
      );
    }
    assert.equal(new Set(got.map(({ headers }) => headers["webhook-id"])).size, 4);
    const sequence = got.map(({ headers }) => Number(headers["coolpay-sequence"]));
    assert.deepEqual(
      sequence,
      [...sequence].sort((a, b) => a - b),
    );
  });

  test("gets the payment as it was then, its own callback not told of yet", async () => {
    const id = await newPayment();
    await act(id, "authorize", { amount: 900, card, auto_capture: true });
    await eventually(async () => receiver.of(id).length >= 2);
    const [first, second] = receiver.of(id).map(({ raw }) => JSON.parse(raw));
    assert.deepEqual([first.state, first.balance, first.operations.length, first.accepted], ["new", 0, 1, true]);
    assert.deepEqual([second.state, second.balance, second.operations.length], ["processed", 900, 2]);
    assert.deepEqual(
      [first.operations[0].callback_url, first.operations[0].callback_success],
      [`${receiver.url}/account?shop=1`, null],
    );
    const told = await eventually(async () => {
      const { body } = await shop.call("GET", `/payments/${id}`);
      return body.operations.every((o: { callback_success: boolean }) => o.callback_success) && body;
    });
    assert.equal(told.operations[1].callback_response_code, 200);
    assert.ok(told.operations[1].callback_at);
  });

  test("is the one that the request names, in either spelling", async () => {
    const id = await newPayment();
    await act(id, "authorize", { amount: 900, card }, { "QuickPay-Callback-Url": `${receiver.url}/old` });
    await act(id, "cancel", {}, { "CoolPay-Callback-Url": `${receiver.url}/new?a=b` });
    await eventually(async () => receiver.of(id).length >= 2);
    assert.deepEqual(
      receiver.of(id).map(({ path }) => path),
      ["/old", "/new?a=b"],
    );
    const wrong = await act(id, "renew", {}, { "CoolPay-Callback-Url": "ftp://shop.example" });
    assert.deepEqual(wrong.body.errors, { "CoolPay-Callback-Url": ["is invalid"] });
  });

  test("that answers 500 is asked again, in order, with the same webhook-id, until it comes back", async () => {
    const id = await newPayment();
    receiver.status = ({ raw }) => (JSON.parse(raw).id === id ? 500 : 200);
    await act(id, "authorize", { amount: 1000, card });
    await act(id, "capture", { amount: 1000 });
    await eventually(async () => receiver.of(id).length >= 1);
    await new Promise((done) => setTimeout(done, 700));
    assert.deepEqual(receiver.of(id).map(lastOperation), ["authorize 20000"], "the capture's waits behind it");
    // From when an attempt is noted the next one's time runs.
    const noted = (attempts: number) =>
      eventually(async () => {
        const { body } = await shop.call("GET", `/callbacks?resource_type=Payment&resource_id=${id}`);
        return body.some((callback: { attempts: number }) => callback.attempts === attempts);
      }, `attempt ${attempts}`);
    for (const [at, seconds] of [61, 121].entries()) {
      await noted(at + 1);
      app.advance(seconds);
    }
    await noted(3);
    receiver.status = () => 200;
    app.advance(301);
    await eventually(async () => receiver.of(id).length >= 5, "all of them");
    const got = receiver.of(id);
    assert.deepEqual(got.map(lastOperation), [...Array(4).fill("authorize 20000"), "capture 20000"]);
    assert.equal(new Set(got.slice(0, 4).map(({ headers, raw }) => headers["webhook-id"] + raw)).size, 1);

    const list = await shop.call("GET", `/callbacks?resource_type=Payment&resource_id=${id}`);
    const [second, first] = list.body;
    assert.deepEqual([first.state, first.attempts, first.response_code], ["delivered", 4, 200]);
    const { body } = await shop.call("GET", `/callbacks/${first.id}`);
    assert.deepEqual(
      body.attempt_log.map((a: { response_code: number }) => a.response_code),
      [500, 500, 500, 200],
    );
    assert.equal(body.body, got[0]?.raw);
    assert.ok(body.headers["webhook-id"]);

    // Replay: the same again.
    const replayed = await shop.owner("POST", `/callbacks/${second.id}/replay`);
    assert.equal(replayed.status, 202, replayed.text);
    await eventually(async () => receiver.of(id).length >= 6, "the replay");
    assert.equal(receiver.of(id).at(-1)?.headers["webhook-id"], second.id);
    assert.equal((await shop.call("POST", `/callbacks/${second.id}/replay`)).status, 403);
    const other = await app.newAccount();
    assert.equal((await other.owner("POST", `/callbacks/${second.id}/replay`)).status, 404);
  });

  test("that moved is followed, body and all", async () => {
    const id = await newPayment();
    receiver.status = ({ path }) => (path.startsWith("/moved") ? 200 : 307);
    await act(id, "authorize", { amount: 1000, card });
    await eventually(async () => receiver.of(id).length >= 2);
    receiver.status = () => 200;
    assert.deepEqual(
      receiver.of(id).map(({ path }) => path),
      ["/account?shop=1", "/moved?x=1"],
    );
    const [a, b] = receiver.of(id);
    assert.equal(a?.raw, b?.raw);
  });

  test("can be asked what it was told since when, page by page, and told again since then", async () => {
    const since = new Date(app.services.clock.now().getTime() + 2_000).toISOString();
    app.advance(5);
    const id = await newPayment();
    await act(id, "authorize", { amount: 1000, card });
    await act(id, "capture", { amount: 400 });
    await act(id, "capture", { amount: 600 });
    const list = (query: string) => shop.call("GET", `/callbacks?since=${since}&${query}`);
    await eventually(async () => (await list("state=delivered")).body.length === 3, "three that were delivered");
    assert.deepEqual((await list("state=pending")).body, []);
    assert.deepEqual((await list("resource_type=Payout")).body, []);
    assert.deepEqual((await list(`resource_id=${id + 1}`)).body, []);

    const page = await list("page_size=2&sort_dir=asc");
    const next = /<([^>]+)>; rel="next"/.exec(page.headers.get("link") ?? "")?.[1] ?? "";
    const rest = await shop.call("GET", next.slice(app.url.length));
    const all = [...page.body, ...rest.body].map(({ operation_id }: { operation_id: number }) => operation_id);
    assert.deepEqual(all, [1, 2, 3]);
    for (const wrong of ["state=sent", "resource_type=Refund", "since=soon", "page_key=x"])
      assert.equal((await shop.call("GET", `/callbacks?${wrong}`)).status, 400, wrong);

    const before_ = receiver.of(id).length;
    const replayed = await shop.owner("POST", "/callbacks/replay", { body: { since, state: "delivered" } });
    assert.deepEqual([replayed.status, replayed.body], [202, { queued: 3 }]);
    await eventually(async () => receiver.of(id).length === before_ + 3, "all three again");
  });

  test("is given up after 24 attempts, and everything given up can be sent again at once", async () => {
    const id = await newPayment();
    receiver.status = ({ raw }) => (JSON.parse(raw).id === id ? 503 : 200);
    await act(id, "authorize", { amount: 1000, card });
    const state = async () => (await shop.call("GET", `/callbacks?resource_id=${id}`)).body[0];
    for (let attempt = 1; attempt <= 24; attempt++) {
      await eventually(async () => (await state()).attempts >= attempt, `attempt ${attempt}`);
      app.advance(3601);
    }
    await eventually(async () => (await state()).state === "given_up");
    assert.equal(receiver.of(id).length, 24);
    receiver.status = () => 200;
    const { status, body } = await shop.owner("POST", "/callbacks/replay", { body: { state: "given_up" } });
    assert.deepEqual([status, body], [202, { queued: 1 }]);
    await eventually(async () => (await state()).state === "delivered");
  });
});

test("500 callbacks of 250 payments all arrive, each once", async () => {
  const ids = await Promise.all(Array.from({ length: 250 }, newPayment));
  await Promise.all(ids.map((id) => act(id, "authorize", { amount: 500, card, auto_capture: true })));
  const wanted = new Set(ids);
  const mine = () => receiver.received.filter(({ raw }) => wanted.has(JSON.parse(raw).id));
  await eventually(async () => mine().length >= 500, "500 callbacks");
  await new Promise((done) => setTimeout(done, 700));
  const got = Map.groupBy(mine(), ({ raw }) => JSON.parse(raw).id);
  assert.equal([...got.values()].flat().length, 500);
  for (const id of ids) assert.deepEqual(got.get(id)?.map(lastOperation), ["authorize 20000", "capture 20000"]);
});

test("private addresses are refused where they are not allowed", async () => {
  const strict = await startApp({ settings: { allow_private_callbacks: false } });
  try {
    const merchant = await strict.newAccount();
    await merchant.owner("PATCH", "/account", { body: { callback_url: `${receiver.url}/secret` } });
    const made = await merchant.call("POST", "/payments", { body: { order_id: "private-1", currency: "DKK" } });
    await merchant.call("POST", `/payments/${made.body.id}/authorize?synchronized`, { body: { amount: 100, card } });
    const told = await eventually(async () => {
      const [callback] = (await merchant.call("GET", "/callbacks")).body;
      return callback?.attempts > 0 && callback;
    });
    const { body } = await merchant.call("GET", `/callbacks/${told.id}`);
    assert.deepEqual([body.response_code, body.attempt_log[0].error], [null, "the address is not public"]);
    assert.ok(receiver.received.every(({ path }) => path !== "/secret"));
  } finally {
    await strict.stop();
  }
});
