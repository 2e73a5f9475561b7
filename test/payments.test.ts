// A payment from end to end, through HTTP: from form, JSON and multipart alike.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { audit } from "../src/audit.ts";
import { repair } from "../src/services/repair.ts";
import { askAgainAt } from "../src/storage/transactions.ts";
import { type Client, eventually, ordered, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { Receiver } from "./support/receiver.ts";

let app: TestApp;
let shop: TestAccount;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
});
after(() => app.stop());

const visa = "1000000000000008";
const card = (number = visa, cvd = "208") => ({ number, expiration: "3112", cvd });

let orders = 0;
const orderId = (): string => {
  orders += 1;
  return `order-${String(orders).padStart(6, "0")}`;
};

async function create(call: Client = shop.call, more: object = {}): Promise<number> {
  const answer = await call("POST", "/payments", { body: { order_id: orderId(), currency: "DKK", ...more } });
  assert.equal(answer.status, 201, answer.text);
  return answer.body.id;
}

async function authorized(amount: number, number = visa): Promise<number> {
  const id = await create();
  const answer = await shop.call("POST", `/payments/${id}/authorize?synchronized`, {
    body: { amount, card: card(number) },
  });
  assert.equal(answer.status, 200, answer.text);
  return id;
}

const act = (id: number, verb: string, body?: object) =>
  shop.call("POST", `/payments/${id}/${verb}?synchronized`, body === undefined ? {} : { body });

type Shown = { type: string; amount: number | null; pending: boolean; qp_status_code: string | null };
const operations = (payment: { operations: Shown[] }): string[] =>
  payment.operations.map(
    ({ type, amount, pending, qp_status_code }) => `${type} ${amount} ${pending ? "pending" : qp_status_code}`,
  );

describe("dates stand until something takes their place", () => {
  const planned = async (number: string): Promise<number> => {
    const id = await create();
    const in_two_days = new Date(app.services.clock.now().getTime() + 2 * 86_400_000).toISOString().slice(0, 10);
    const body = { amount: 1000, card: card(number), auto_capture_at: in_two_days };
    await shop.call("POST", `/payments/${id}/authorize?synchronized`, { body });
    return id;
  };

  test("a cancel that is declined leaves the planned capture", async () => {
    const id = await planned("1000000000000057");
    const declined = await act(id, "cancel");
    assert.equal(declined.body.state, "new");
    app.advance(3 * 86_400);
    await eventually(async () => (await shop.call("GET", `/payments/${id}`)).body.balance === 1000, "the capture");
  });

  test("a capture by hand takes its place", async () => {
    const id = await planned(visa);
    assert.equal((await act(id, "capture", { amount: 400 })).body.balance, 400);
    app.advance(3 * 86_400);
    await eventually(async () => (await shop.call("GET", `/payments/${id}`)).body.operations.length === 2);
    assert.equal((await shop.call("GET", `/payments/${id}`)).body.balance, 400);
  });

  test("of a link's deadline and the payment's own the earlier counts, in whatever order they came", async () => {
    const id = await create();
    const later = new Date(app.services.clock.now().getTime() + 5 * 86_400_000).toISOString();
    await shop.call("PUT", `/payments/${id}/link`, { body: { amount: 1000, deadline: 60 } });
    await shop.call("PATCH", `/payments/${id}`, { body: { deadline_at: later } });
    app.advance(61);
    await eventually(async () => (await shop.call("GET", `/payments/${id}`)).body.operations[0]?.type === "deadline");
  });

  test("the void of a session that was approved too late is told, and says what it took back", async () => {
    const receiver = await new Receiver().start();
    try {
      const headers = { "CoolPay-Callback-Url": receiver.url };
      const extras = { simulator: { session: "approved", fault: "lost_after" } };
      let id = 0;
      // The worker may hear of the approval first, and the payment is then paid.
      for (let status = 0; status !== 200; ) {
        id = await create();
        await shop.call("POST", `/payments/${id}/session`, { body: { amount: 1000, extras }, headers });
        status = (await act(id, "authorize", { amount: 1000, card: card() })).status;
      }
      await eventually(
        async () => receiver.of(id).some(({ raw }) => JSON.parse(raw).operations.length === 3),
        "the void",
      );
      const told = receiver.of(id).map(({ raw }) => JSON.parse(raw));
      const { state, accepted, operations: all } = told.at(-1);
      assert.deepEqual([state, accepted, all[2].type, all[2].data], ["new", true, "cancel", { voided_operation: "1" }]);
      const { body: acquirers } = await app.anonymous("GET", "/operational-status/acquirers?page_size=100");
      const clearhaus = acquirers.find(({ acquirer }: { acquirer: string }) => acquirer === "clearhaus");
      assert.equal(clearhaus.health, 100, "a lost answer of a test is not the acquirer's");
    } finally {
      receiver.stop();
    }
  });

  test("a session that a newer attempt ended is in the audit trail", async () => {
    const id = await create();
    const body = { amount: 1000, extras: { simulator: { session: "waiting" } } };
    await shop.call("POST", `/payments/${id}/session`, { body });
    await eventually(async () => (await shop.call("GET", `/payments/${id}`)).body.state === "pending");
    await act(id, "authorize", { amount: 1000, card: card() });
    const { body: trail } = await shop.owner("GET", `/activity?target_type=Payment&target_id=${id}`);
    const ended = trail.find(({ changes }: { changes: Record<string, unknown[]> }) =>
      changes.operation_status_code?.includes("40003"),
    );
    assert.deepEqual([ended.action, ended.changes.operation], ["session", [null, 1]]);
  });
});

describe("from form, JSON and multipart alike", () => {
  const flat = { order_id: "", currency: "dkk", "variables[cart]": "c-1", "invoice_address[city]": "Odense" };
  const line = {
    "basket[][qty]": "1",
    "basket[][item_no]": "K-1",
    "basket[][item_name]": "Kop",
    "basket[][item_price]": "12500",
    "basket[][vat_rate]": "0.25",
  };

  const ways: Record<string, () => Parameters<Client>[2]> = {
    form: () => ({ body: new URLSearchParams({ ...flat, ...line, order_id: orderId() }) }),
    JSON: () => ({
      body: {
        order_id: orderId(),
        currency: "dkk",
        variables: { cart: "c-1" },
        invoice_address: { city: "Odense" },
        basket: [{ qty: 1, item_no: "K-1", item_name: "Kop", item_price: 12500, vat_rate: 0.25 }],
      },
    }),
    multipart: () => {
      const body = new FormData();
      for (const [name, value] of Object.entries({ ...flat, ...line, order_id: orderId() })) body.append(name, value);
      return { body };
    },
  };

  for (const [way, sent] of Object.entries(ways)) {
    test(`a payment made by ${way} is what was sent`, async () => {
      const { status, body, headers } = await shop.call("POST", "/payments", sent());
      assert.equal(status, 201);
      assert.equal(headers.get("location"), `${app.url}/payments/${body.id}`);
      assert.equal(body.currency, "DKK");
      assert.deepEqual(body.variables, { cart: "c-1" });
      assert.equal(body.invoice_address.city, "Odense");
      assert.equal(body.invoice_address.name, null);
      assert.deepEqual(body.basket, [{ qty: 1, item_no: "K-1", item_name: "Kop", item_price: 12500, vat_rate: 0.25 }]);
      assert.deepEqual(
        {
          state: body.state,
          accepted: body.accepted,
          operations: body.operations,
          link: body.link,
          balance: body.balance,
        },
        { state: "initial", accepted: false, operations: [], link: null, balance: 0 },
      );
      const read = await shop.call("GET", `/payments/${body.id}`);
      assert.deepEqual(read.body, body);
    });
  }
});

describe("authorizing", () => {
  test("approved: new, accepted, in test mode, at the merchant's own acquirer", async () => {
    const id = await create();
    const { status, body } = await shop.call("POST", `/payments/${id}/authorize?synchronized`, {
      body: { amount: 1000, card: card(visa, "222"), customer_ip: "203.0.113.20" },
    });
    assert.equal(status, 200);
    assert.deepEqual(operations(body), ["authorize 1000 20000"]);
    const { state, accepted, test_mode, acquirer, balance } = body;
    assert.deepEqual(
      { state, accepted, test_mode, acquirer, balance },
      { state: "new", accepted: true, test_mode: true, acquirer: "clearhaus", balance: 0 },
    );
    assert.equal(body.operations[0].aq_status_code, "20000");
    const { brand, bin, last4, country, exp_month, exp_year, is_3d_secure, customer_ip } = body.metadata;
    assert.deepEqual(
      { brand, bin, last4, country, exp_month, exp_year, is_3d_secure, customer_ip },
      {
        brand: "visa",
        bin: "100000",
        last4: "0008",
        country: "SLV",
        exp_month: 12,
        exp_year: 2031,
        is_3d_secure: false,
        customer_ip: "203.0.113.20",
      },
    );
    assert.match(body.metadata.hash, /^[\x21-\x7e]{51,52}$/);
  });

  test("without ?synchronized: 202, where to ask, and the payment as it was with the operation pending", async () => {
    const id = await create();
    const { status, headers, body } = await shop.call("POST", `/payments/${id}/authorize`, {
      body: { amount: 1000, card: card() },
    });
    assert.equal(status, 202);
    assert.equal(headers.get("location"), `${app.url}/payments/${id}/operations/1`);
    assert.equal(body.state, "initial");
    assert.deepEqual(operations(body), ["authorize 1000 pending"]);
    const settled = await eventually(async () => {
      const read = await shop.call("GET", `/payments/${id}/operations/1`);
      return read.body.pending ? null : read.body;
    });
    assert.equal(settled.qp_status_code, "20000");
    assert.equal(settled.cp_status_msg, "Approved");
  });

  test("rejected: still 200, the decline is in the operation, and it may be tried again", async () => {
    const id = await create();
    const declined = await shop.call("POST", `/payments/${id}/authorize?synchronized`, {
      body: { amount: 1000, card: card("1000000000000016") },
    });
    assert.equal(declined.status, 200);
    assert.deepEqual([declined.body.state, declined.body.accepted], ["rejected", false]);
    assert.equal(declined.body.operations[0].qp_status_msg, "Rejected by acquirer");
    const again = await shop.call("POST", `/payments/${id}/authorize?synchronized`, {
      body: { amount: 1000, card: card() },
    });
    assert.deepEqual(operations(again.body), ["authorize 1000 40000", "authorize 1000 20000"]);
    assert.equal(again.body.state, "new");
  });

  test("3-D Secure required: 30100 without it, approved with it", async () => {
    const id = await create();
    const number = "1000000000000073";
    const without = await shop.call("POST", `/payments/${id}/authorize?synchronized`, {
      body: { amount: 500, card: card(number) },
    });
    assert.deepEqual(operations(without.body), ["authorize 500 30100"]);
    const proof = { status: "Y", eci: "05", cavv: "AAABBEg0VhI0VniQEjRWAAAAAAA=" };
    const with_it = await shop.call("POST", `/payments/${id}/authorize?synchronized`, {
      body: { amount: 500, card: { ...card(number), ...proof } },
    });
    assert.equal(with_it.body.state, "new");
    assert.equal(with_it.body.operations[1]["3d_secure_status"], "Y");
    assert.equal(with_it.body.metadata.is_3d_secure, true);
  });

  test("delayed: pending for a minute of the application's clock, then approved", async () => {
    const id = await create();
    await shop.call("POST", `/payments/${id}/authorize`, { body: { amount: 700, card: card("1000000000000099") } });
    await ordered(app, id);
    const pending = await shop.call("GET", `/payments/${id}`);
    assert.deepEqual([pending.body.state, operations(pending.body)], ["pending", ["authorize 700 pending"]]);
    app.advance(61);
    const settled = await eventually(async () => {
      const read = await shop.call("GET", `/payments/${id}`);
      return read.body.state === "new" && read.body;
    });
    assert.deepEqual(operations(settled), ["authorize 700 20000"]);
  });

  test("auto_capture: a capture of the whole amount follows at once", async () => {
    const id = await create();
    const { body } = await shop.call("POST", `/payments/${id}/authorize?synchronized`, {
      body: { amount: 900, card: card(), auto_capture: true },
    });
    assert.deepEqual(operations(body), ["authorize 900 20000", "capture 900 20000"]);
    assert.deepEqual([body.state, body.balance], ["processed", 900]);
  });

  test("auto_capture_at: captured when that day begins in the account's timezone", async () => {
    const id = await create();
    const day = new Date(app.services.clock.now().getTime() + 2 * 86_400_000).toISOString().slice(0, 10);
    await shop.call("POST", `/payments/${id}/authorize?synchronized`, {
      body: { amount: 900, card: card(), auto_capture_at: day },
    });
    app.advance(3 * 86_400);
    const body = await eventually(async () => {
      const read = await shop.call("GET", `/payments/${id}`);
      return read.body.state === "processed" && read.body;
    });
    assert.deepEqual(operations(body), ["authorize 900 20000", "capture 900 20000"]);
  });

  test("a live card finds no acquirer: refused, nothing stored", async () => {
    const id = await create();
    const { status, body } = await act(id, "authorize", { amount: 1000, card: card("4111111111111111") });
    assert.equal(status, 400);
    assert.deepEqual(body.errors, { "card[number]": ["no acquirer accepts this card"] });
    assert.deepEqual((await shop.call("GET", `/payments/${id}`)).body.operations, []);
  });

  test("test cards can be forbidden", async () => {
    const other = await app.newAccount();
    await other.owner("PATCH", "/account", { body: { allow_test_transactions: false } });
    const id = await create(other.call);
    const { status, body } = await other.call("POST", `/payments/${id}/authorize`, {
      body: { amount: 1000, card: card() },
    });
    assert.equal(status, 400);
    assert.deepEqual(body.errors, { "card[number]": ["test cards are not allowed"] });
  });
});

describe("capture, refund and cancel", () => {
  test("partial captures and refunds, up to what is there", async () => {
    const id = await authorized(1000);
    assert.equal((await act(id, "capture", { amount: 600 })).body.balance, 600);
    const too_much = await act(id, "capture", { amount: 401 });
    assert.equal(too_much.status, 400);
    assert.deepEqual(too_much.body, {
      message: "Validation error",
      errors: { amount: ["is too large"] },
      error_code: null,
    });
    assert.equal((await act(id, "capture", { amount: 400 })).body.balance, 1000);
    assert.equal((await act(id, "refund", { amount: 250 })).body.balance, 750);
    assert.deepEqual((await act(id, "refund", { amount: 751 })).body.errors, { amount: ["is too large"] });
    const { body } = await act(id, "refund", { amount: 750 });
    assert.deepEqual([body.balance, body.state, body.accepted], [0, "processed", true]);
    const more = await act(id, "capture", { amount: 1 });
    assert.equal(more.status, 400, "what was refunded cannot be captured again");
  });

  test("cancel closes it; nothing follows", async () => {
    const id = await authorized(1000);
    const { body } = await act(id, "cancel");
    assert.deepEqual([body.state, operations(body)], ["processed", ["authorize 1000 20000", "cancel null 20000"]]);
    for (const verb of ["capture", "cancel", "renew", "authorize"]) {
      const refused = await act(id, verb, { amount: 100, card: card() });
      assert.equal(refused.status, 400, verb);
      assert.deepEqual(refused.body, {
        message: "Validation error: Transaction in wrong state for this operation",
        errors: {},
        error_code: null,
      });
    }
  });

  test("renew asks for a fresh authorization and leaves the amounts alone", async () => {
    const id = await authorized(1000);
    const { body } = await act(id, "renew");
    assert.deepEqual([body.state, operations(body)[1]], ["new", "renew null 20000"]);
    assert.equal((await act(id, "capture", { amount: 1000 })).body.balance, 1000);
  });

  test("what a test card rejects stays rejected", async () => {
    const capture = await act(await authorized(1000, "1000000000000032"), "capture", { amount: 1000 });
    assert.deepEqual(
      [capture.body.state, capture.body.balance, operations(capture.body)[1]],
      ["processed", 0, "capture 1000 40000"],
    );
    const refunding = await authorized(1000, "1000000000000040");
    await act(refunding, "capture", { amount: 1000 });
    assert.equal((await act(refunding, "refund", { amount: 1000 })).body.balance, 1000);
    const cancelling = await act(await authorized(1000, "1000000000000057"), "cancel");
    assert.deepEqual([cancelling.body.state, operations(cancelling.body)[1]], ["new", "cancel null 40000"]);
  });

  test("parameters are judged before the state", async () => {
    const id = await create();
    assert.deepEqual((await act(id, "capture")).body.errors, { amount: ["is missing"] });
    for (const amount of [0, -1, 1.5, 2 ** 31, "x"]) {
      assert.deepEqual((await act(id, "capture", { amount })).body.errors, { amount: ["is invalid"] }, String(amount));
    }
    assert.equal(
      (await act(id, "capture", { amount: 1 })).body.message,
      "Validation error: Transaction in wrong state for this operation",
    );
  });

  test("an Icelandic amount counts two decimals, and has whole krónur only", async () => {
    const id = await create(shop.call, { currency: "ISK" });
    const half = await act(id, "authorize", { amount: 12_550, card: card() });
    assert.deepEqual([half.status, half.body.errors], [400, { amount: ["is invalid"] }]);
    const link = await shop.call("PUT", `/payments/${id}/link`, { body: { amount: 50 } });
    assert.deepEqual([link.status, link.body.errors], [400, { amount: ["is invalid"] }]);
    assert.equal((await act(id, "authorize", { amount: 12_500, card: card() })).body.state, "new");
  });

  test("64 parallel captures of 100 on 1,000 never go beyond it", async () => {
    const id = await authorized(1000);
    const answers = await Promise.all(Array.from({ length: 64 }, () => act(id, "capture", { amount: 100 })));
    const approved = answers.filter(({ status }) => status === 200).length;
    assert.ok(answers.every(({ status }) => status === 200 || status === 400));
    const { body } = await shop.call("GET", `/payments/${id}`);
    assert.equal(body.balance, 100 * approved);
    assert.ok(body.balance <= 1000);
    while ((await act(id, "capture", { amount: 100 })).status === 200);
    assert.equal((await shop.call("GET", `/payments/${id}`)).body.balance, 1000);
  });
});

describe("a session", () => {
  test("waits for the shopper, who approves", async () => {
    const id = await create();
    const { status, body } = await act(id, "session", { amount: 1000 });
    assert.equal(status, 200);
    assert.deepEqual([body.state, operations(body)], ["pending", ["session 1000 pending"]]);
    assert.ok(body.operations[0].data.session_id);
    app.advance(6);
    const paid = await eventually(async () => {
      const read = await shop.call("GET", `/payments/${id}`);
      return read.body.state === "new" && read.body;
    });
    assert.deepEqual(operations(paid), ["session 1000 20000"]);
    assert.equal((await act(id, "capture", { amount: 1000 })).body.balance, 1000);
  });

  test("is ended by a newer attempt", async () => {
    const id = await create();
    await act(id, "session", { amount: 1000, extras: { simulator: { session: "waiting" } } });
    const { body } = await act(id, "authorize", { amount: 1000, card: card() });
    assert.deepEqual(operations(body), ["session 1000 40003", "authorize 1000 20000"]);
    assert.equal(body.state, "new");
  });

  test("that the shopper approved after a newer attempt began is let go at once, and that is noted", async () => {
    // The worker may hear of the approval first, and the payment is then paid: each try is a new payment.
    let id = 0;
    for (let status = 0; status !== 200; ) {
      id = await create();
      await act(id, "session", { amount: 1000, extras: { simulator: { session: "approved", fault: "lost_after" } } });
      ({ status } = await act(id, "authorize", { amount: 700, card: card() }));
    }
    const paid = await eventually(async () => {
      const { body } = await shop.call("GET", `/payments/${id}`);
      return body.operations.length === 3 && body;
    }, "the void");
    assert.deepEqual(operations(paid), ["session 1000 40003", "authorize 700 20000", "cancel null 20000"]);
    assert.equal(paid.state, "new");
    assert.equal((await act(id, "capture", { amount: 700 })).body.balance, 700);
    assert.deepEqual((await audit(app.database_url)).differences, []);
  });
});

describe("the worker", () => {
  test("leaves alone what was settled after it had been listed", async () => {
    const id = await authorized(1000);
    const key = { account_id: shop.id, type: "Payment", id, operation_id: 1 } as const;
    assert.equal(await repair(app.services, key), true);
    await askAgainAt(app.services.pool, key, new Date(0));
    assert.equal(await repair(app.services, key), true);
    assert.deepEqual(operations((await shop.call("GET", `/payments/${id}`)).body), ["authorize 1000 20000"]);
    assert.equal((await act(id, "capture", { amount: 1000 })).body.balance, 1000, "the acquirer still holds it");
  });
});

describe("aborting", () => {
  test("stops a capture that has had no effect yet", async () => {
    const id = await create();
    await shop.call("POST", `/payments/${id}/authorize`, { body: { amount: 1000, card: card("1000000000000099") } });
    await ordered(app, id);
    app.advance(61);
    await eventually(async () => (await shop.call("GET", `/payments/${id}`)).body.state === "new");
    const { headers } = await shop.call("POST", `/payments/${id}/capture`, { body: { amount: 1000 } });
    const path = new URL(headers.get("location") ?? "").pathname;
    const aborted = await shop.call("PATCH", path, { body: { pending: false } });
    assert.equal(aborted.status, 200, aborted.text);
    assert.deepEqual([aborted.body.pending, aborted.body.qp_status_code], [false, "40003"]);
    assert.equal((await shop.call("GET", `/payments/${id}`)).body.balance, 0);
    assert.equal((await shop.call("PATCH", path, { body: { pending: false } })).status, 428);
  });

  test("428 for what is over, 400 for pending=true, 404 for no such operation", async () => {
    const id = await authorized(1000);
    const path = `/payments/${id}/operations/1`;
    assert.equal((await shop.call("PATCH", path, { body: { pending: false } })).status, 428);
    assert.equal((await shop.call("PATCH", path, { body: { pending: true } })).status, 400);
    const missing = await shop.call("GET", `/payments/${id}/operations/9`);
    assert.equal(missing.status, 404);
    assert.match(missing.body.message, /^Not found: /);
  });
});

describe("order ids", () => {
  test("are unique, exact and between 4 and 20 characters", async () => {
    const order_id = orderId();
    assert.equal((await shop.call("POST", "/payments", { body: { order_id, currency: "DKK" } })).status, 201);
    const again = await shop.call("POST", "/payments", { body: { order_id, currency: "DKK" } });
    assert.equal(again.status, 409);
    assert.deepEqual(again.body, {
      message: "Validation error",
      errors: { order_id: ["already exists on another payment"] },
      error_code: null,
    });
    for (const wrong of ["abc", "x".repeat(21), "a/b/c", "smør-1"]) {
      const refused = await shop.call("POST", "/payments", { body: { order_id: wrong, currency: "DKK" } });
      assert.deepEqual(
        [refused.status, refused.body.errors],
        [400, { order_id: ["must have length between 4 and 20"] }],
        wrong,
      );
    }
    const missing = await shop.call("POST", "/payments", { body: { order_id: "", currency: "DKK" } });
    assert.deepEqual(missing.body.errors, { order_id: ["is missing"] });
    const other = await app.newAccount();
    assert.equal((await other.call("POST", "/payments", { body: { order_id, currency: "DKK" } })).status, 201);
  });
});

describe("lists", () => {
  test("filters, and pages that a Link header leads through", async () => {
    const other = await app.newAccount();
    const ids: number[] = [];
    for (let i = 0; i < 7; i++) ids.push(await create(other.call));
    const newest_first = [...ids].reverse();
    const list = async (query: string) => other.call("GET", `/payments?${query}`);
    const shown = (body: { id: number }[]) => body.map(({ id }) => id);

    assert.deepEqual(shown((await list("")).body), newest_first);
    assert.deepEqual(shown((await list("page=2&page_size=3")).body), newest_first.slice(3, 6));
    assert.deepEqual((await list("page=9")).body, []);
    assert.deepEqual(shown((await list("sort_by=created_at&sort_dir=asc&page_size=2")).body), ids.slice(0, 2));

    const walked: number[] = [];
    let next: string | undefined = `${app.url}/payments?page_size=3&sort_by=order_id&state=initial`;
    while (next !== undefined) {
      const path: string = next.slice(app.url.length);
      const page = await other.call("GET", path);
      walked.push(...shown(page.body));
      const link: string = page.headers.get("link") ?? "";
      assert.match(path, /state=initial/);
      next = /<([^>]+)>; rel="next"/.exec(link)?.[1];
    }
    assert.deepEqual(walked, newest_first);

    const [first = 0] = ids;
    const one = await other.call("GET", `/payments/${first}`);
    assert.deepEqual(shown((await list(`order_id=${one.body.order_id}`)).body), [first]);
    assert.deepEqual(shown((await list(`id=${first}`)).body), [first]);
    assert.deepEqual((await list("accepted=true")).body, []);
    assert.deepEqual((await list("min_time=2030-01-01 00:00:00 %2B0000")).body, []);
    const year = new Date(app.services.clock.now().getTime() + 3_600_000).getUTCFullYear();
    assert.equal((await list(`date[year]=${year}`)).body.length, 7);
    assert.deepEqual((await list(`date[year]=${year - 1}`)).body, []);
    assert.deepEqual((await list("date[month]=1")).body.errors, { "date[year]": ["is missing"] });
  });

  test("refuse what makes no sense", async () => {
    for (const [query, field] of [
      ["sort_dir=up", "sort_dir"],
      ["page_size=101", "page_size"],
      ["page_key=nonsense", "page_key"],
      ["page_key=eyJ4", "page_key"],
      ["state=paid", "state"],
      ["page=2000&page_size=100", "page"],
    ] as const) {
      const { status, body } = await shop.call("GET", `/payments?${query}`);
      assert.equal(status, 400, query);
      assert.ok(field in (body.errors ?? {}), `${query}: ${JSON.stringify(body)}`);
    }
  });

  test("show only the newest operations where asked", async () => {
    const id = await authorized(1000);
    await act(id, "capture", { amount: 100 });
    await act(id, "capture", { amount: 200 });
    const { body } = await shop.call("GET", `/payments?id=${id}&operations_size=1`);
    assert.deepEqual(operations(body[0]), ["capture 200 20000"]);
  });
});

describe("links", () => {
  const put = (id: number, body: object) => shop.call("PUT", `/payments/${id}/link`, { body });

  test("keep their address until they are deleted, and know both spellings", async () => {
    const id = await create();
    const made = await put(id, {
      amount: 12500,
      continueurl: "https://shop.example/ok",
      autocapture: "1",
      language: "da",
    });
    assert.equal(made.status, 200, made.text);
    assert.deepEqual(Object.keys(made.body), ["url"]);
    assert.match(made.body.url, /\/payments\/[0-9a-f]{64}$/);
    const { link } = (await shop.call("GET", `/payments/${id}`)).body;
    assert.deepEqual(
      [link.url, link.amount, link.continue_url, link.auto_capture, link.language, link.version, link.auto_fee],
      [made.body.url, 12500, "https://shop.example/ok", true, "da", "v10", false],
    );
    const agreements = await shop.owner("GET", "/agreements");
    const window = agreements.body.find((a: { service: string }) => a.service === "payment_window");
    assert.equal(link.agreement_id, window.id);
    assert.equal(
      (await put(id, { amount: 100, continue_url: "https://a.example", continueurl: "https://b.example" })).body.url,
      made.body.url,
    );
    assert.equal((await shop.call("GET", `/payments/${id}`)).body.link.continue_url, "https://a.example");
    assert.equal((await shop.call("DELETE", `/payments/${id}/link`)).status, 204);
    assert.equal((await shop.call("GET", `/payments/${id}`)).body.link, null);
    assert.notEqual((await put(id, { amount: 100 })).body.url, made.body.url);
  });

  test("refuse what cannot be", async () => {
    const id = await create();
    assert.deepEqual((await put(id, {})).body.errors, { amount: ["is missing"] });
    const wrong = await put(id, { amount: 1, continue_url: "javascript:alert(1)", agreement_id: 1, acquirer: "bank" });
    assert.deepEqual(wrong.body.errors, { continue_url: ["is invalid"], acquirer: ["does not have a valid value"] });
    assert.deepEqual((await put(id, { amount: 1, agreement_id: 1 })).body.errors, { agreement_id: ["is invalid"] });
  });

  test("close an unpaid payment when their deadline has passed", async () => {
    const id = await create();
    await put(id, { amount: 100, deadline: 60 });
    app.advance(61);
    const closed = await eventually(async () => {
      const read = await shop.call("GET", `/payments/${id}`);
      return read.body.operations.length > 0 && read.body;
    });
    assert.deepEqual([closed.state, closed.operations[0].type], ["rejected", "deadline"]);
    assert.equal((await act(id, "authorize", { amount: 100, card: card() })).status, 400);
  });
});

describe("changing a payment", () => {
  test("everything while it is unpaid; afterwards variables and the shipping's tracking", async () => {
    const id = await authorized(1000);
    const { status, body } = await shop.call("PATCH", `/payments/${id}`, {
      body: {
        variables: { id_order: "17" },
        invoice_address: { city: "Odense" },
        shipping: { company: "GLS", tracking_number: "T-1" },
        currency: "EUR",
      },
    });
    assert.equal(status, 200);
    assert.deepEqual([body.variables, body.invoice_address, body.currency], [{ id_order: "17" }, null, "DKK"]);
    assert.deepEqual([body.shipping.tracking_number, body.shipping.company], ["T-1", null]);
    const open = await create();
    const changed = await shop.call("PATCH", `/payments/${open}`, {
      body: { deadline_at: "2030-01-01T00:00:00Z", invoice_address: { city: "Odense" } },
    });
    assert.deepEqual([changed.body.deadline_at, changed.body.invoice_address.city], ["2030-01-01T00:00:00Z", "Odense"]);
    assert.equal(
      (await shop.call("PATCH", `/payments/${open}`, { body: { deadline_at: null } })).body.deadline_at,
      null,
    );
  });

  test("a fraud report is noted", async () => {
    const id = await authorized(1000);
    const { status, body } = await shop.call("POST", `/payments/${id}/fraud-report`, {
      body: { description: "Card was stolen" },
    });
    assert.equal(status, 202);
    assert.equal(body.description, "Card was stolen");
    const { metadata } = (await shop.call("GET", `/payments/${id}`)).body;
    assert.deepEqual([metadata.fraud_reported, metadata.fraud_report_description], [true, "Card was stolen"]);
  });
});

test("nobody sees another account's payment", async () => {
  const id = await create();
  const other = await app.newAccount();
  for (const [method, path] of [
    ["GET", `/payments/${id}`],
    ["PATCH", `/payments/${id}`],
    ["PUT", `/payments/${id}/link`],
    ["POST", `/payments/${id}/capture`],
  ] as const) {
    const answer = await other.call(method, path, method === "GET" ? {} : { body: { amount: 1 } });
    assert.equal(answer.status, 404, path);
    assert.equal(answer.body.message, `Not found: No Payment with id ${id}`);
  }
  assert.equal((await shop.call("GET", "/payments/x17")).status, 404);
});

test("extras that hold a card's number or CVD are refused, and nothing is stored", async () => {
  const id = await create();
  for (const extras of [
    { clearhaus: { cvd: "777" } },
    { note: ["4571 7360 0000 0075"] },
    { deep: { pan: 4571736000000075 } },
    { security_code: "1" },
  ]) {
    const body = { amount: 100, card: card("1000000000000008"), extras };
    const refused = await shop.call("POST", `/payments/${id}/authorize?synchronized`, { body });
    assert.deepEqual([refused.status, refused.body.errors], [400, { extras: ["must not hold card data"] }]);
  }
  assert.deepEqual((await shop.call("GET", `/payments/${id}`)).body.operations, []);
});
