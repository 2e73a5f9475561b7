// `coolpay audit`: after all that may happen to payments the books balance, and whatever is changed behind the program's
// back is found, with the payment's name.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import type pg from "pg";
import { audit } from "../src/audit.ts";
import { test_cards } from "../src/domain/test-cards.ts";
import { eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";

let app: TestApp;
let shop: TestAccount;
let receiver: Server;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
  receiver = createServer((request, response) => void request.resume().on("end", () => response.end()));
  await new Promise<void>((done) => receiver.listen(0, "127.0.0.1", done));
  const callback_url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/told`;
  await shop.owner("PATCH", "/account", { body: { callback_url } });
});
after(async () => {
  await app.stop();
  receiver.closeAllConnections();
  receiver.close();
});

const cards = test_cards.filter(({ brand }) => brand === "visa");
const numberOf = (scenario: string): string => cards.find((card) => card.scenario === scenario)?.number ?? "";
const card = (scenario = "approved") => ({ number: numberOf(scenario), expiration: "3112", cvd: "208" });

let orders = 0;
async function create(): Promise<number> {
  orders += 1;
  const body = { order_id: `audit-${String(orders).padStart(4, "0")}`, currency: "DKK" };
  const { status, body: made, text } = await shop.call("POST", "/payments", { body });
  assert.equal(status, 201, text);
  return made.id;
}

const read = async (id: number) => (await shop.call("GET", `/payments/${id}`)).body;
const post = (id: number, verb: string, body: object = {}, headers = {}) =>
  shop.call("POST", `/payments/${id}/${verb}`, { body, headers });

/** Does it and waits for its end; what is refused is part of the history too. */
async function act(id: number, verb: string, body: object = {}): Promise<void> {
  await post(id, verb, body);
  await eventually(
    async () => (await read(id)).operations.every(({ pending }: { pending: boolean }) => !pending),
    verb,
  );
}

const query = async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> =>
  (await app.services.pool.query<Row>(text, values)).rows;

const pay = { amount: 1000 };
const simulator = (wish: object) => ({ extras: { simulator: wish } });
const tomorrow = () => new Date(app.services.clock.now().getTime() + 86_400_000).toISOString().slice(0, 10);

/** Lets the application's time run while this happens: a delayed card takes a minute for everything. */
async function inTime(work: Promise<unknown>): Promise<void> {
  const passing = setInterval(() => app.advance(20), 50);
  await work.finally(() => clearInterval(passing));
}

/** Payments to which everything happens that may happen. */
const stories: Readonly<Record<string, (id: number) => Promise<unknown>>> = {
  ...Object.fromEntries(
    cards.flatMap(({ scenario }) => [
      [
        `captures and refunds with the card that is ${scenario}`,
        async (id: number) => {
          await act(id, "authorize", { ...pay, card: card(scenario) });
          for (const amount of [600, 401, 400]) await act(id, "capture", { amount });
          for (const amount of [250, 751, 750]) await act(id, "refund", { amount });
        },
      ],
      [
        `a cancel with the card that is ${scenario}`,
        async (id: number) => {
          const three_d_secure = { status: "Y", eci: "05", cavv: "AAABBEg0VhI0VniQEjRWAAAAAAA=" };
          await act(id, "authorize", { ...pay, card: { ...card(scenario), ...three_d_secure } });
          await act(id, "renew");
          await act(id, "cancel");
        },
      ],
    ]),
  ),
  "a second attempt": async (id) => {
    await act(id, "authorize", { ...pay, card: card("rejected") });
    await act(id, "authorize", { ...pay, card: card() });
  },
  "captured by itself": (id) => act(id, "authorize", { ...pay, card: card(), auto_capture: true }),
  "authorized for nothing, captured in full": async (id) => {
    await act(id, "authorize", { ...pay, card: card(), zero_auth: true });
    await act(id, "capture", pay);
  },
  "captured on a date": async (id) => {
    await act(id, "authorize", { ...pay, card: card(), auto_capture_at: tomorrow() });
    await eventually(async () => (await read(id)).balance === 1000 || void app.advance(3_600), "the capture");
  },
  "a session that is approved": (id) => act(id, "session", { ...pay, ...simulator({ session: "approved" }) }),
  "a session that is rejected": (id) => act(id, "session", { ...pay, ...simulator({ session: "rejected" }) }),
  "a session, ended by an attempt with a card": async (id) => {
    await post(id, "session", { ...pay, ...simulator({ session: "waiting" }) });
    await act(id, "authorize", { ...pay, card: card() });
  },
  "a session past its payment's deadline": async (id) => {
    // Long enough that the session is begun first, however fast time runs meanwhile.
    await shop.call("PUT", `/payments/${id}/link`, { body: { ...pay, deadline: 3_600 } });
    await post(id, "session", { ...pay, ...simulator({ session: "waiting" }) });
    app.advance(3_600);
    await eventually(async () => (await read(id)).operations.length === 2, "the deadline");
  },
  "orders and answers that are lost": async (id) => {
    await act(id, "authorize", { ...pay, card: card(), ...simulator({ fault: "lost_after" }) });
    await act(id, "capture", { ...pay, ...simulator({ fault: "lost_before" }) });
    await act(id, "capture", { ...pay, ...simulator({ fault: "late" }) });
  },
  "many captures at once": async (id) => {
    await act(id, "authorize", { ...pay, card: card() });
    await Promise.all(Array.from({ length: 16 }, () => act(id, "capture", { amount: 300 })));
  },
  "the same request twice": async (id) => {
    await act(id, "authorize", { ...pay, card: card() });
    const key = { "Idempotency-Key": `audit ${id}` };
    await Promise.all([post(id, "capture", pay, key), post(id, "capture", pay, key)]);
  },
};

/** A session that the shopper approved although a card had paid meanwhile: it is taken back. */
async function voided(): Promise<void> {
  for (;;) {
    const id = await create();
    await post(id, "session", { ...pay, ...simulator({ session: "approved", fault: "lost_after" }) });
    // The worker may hear of the approval first, and the payment is then paid.
    if ((await post(id, "authorize", { ...pay, card: card() })).status !== 202) continue;
    await eventually(async () => (await read(id)).operations.length === 3, "the void");
    return;
  }
}

/** A capture that is stopped while the acquirer still thinks, and another one in its place. */
async function aborted(): Promise<void> {
  const id = await create();
  await inTime(act(id, "authorize", { ...pay, card: card("delayed") }));
  await post(id, "capture", pay);
  const { status } = await shop.call("PATCH", `/payments/${id}/operations/2`, { body: { pending: false } });
  assert.equal(status, 200);
  await inTime(act(id, "capture", pay));
}

test("the audit asks the database alone, and shares no arithmetic with the program", () => {
  const text = readFileSync(new URL("../src/audit.ts", import.meta.url), "utf8");
  const imported = [...text.matchAll(/from "([^"]+)"/g)].map(([, from]) => from);
  assert.deepEqual(imported, ["pg", "./storage/migrate.ts", "./storage/pool.ts"]);
});

describe("after a history in which everything happened", () => {
  before(async () => {
    await voided();
    await aborted();
    await inTime(Promise.all(Object.values(stories).map(async (happens) => happens(await create()))));
  });

  test("that history holds every kind of operation and of outcome", async () => {
    const rows = await query<{ seen: string }>(
      "SELECT DISTINCT type || ' ' || status_code AS seen FROM operations ORDER BY seen",
    );
    const seen = rows.map(({ seen }) => seen);
    const wanted = ["authorize", "capture", "refund", "cancel"].flatMap((type) => [`${type} 20000`, `${type} 40000`]);
    const rest = [
      "authorize 30100",
      "capture 40003",
      "capture 50300",
      "session 40003",
      "renew 20000",
      "deadline 40003",
    ];
    for (const each of [...wanted, ...rest]) assert.ok(seen.includes(each), `${each} is not among ${seen.join(", ")}`);
  });

  test("the books balance", async () => {
    const { differences, transactions, operations } = await audit(app.database_url);
    assert.deepEqual(differences, []);
    assert.ok(transactions >= Object.keys(stories).length && operations > 2 * transactions);
  });

  test("they balance at every moment of a serving system", async () => {
    let busy = true;
    const burst = Promise.all(
      Array.from({ length: 12 }, async () => {
        const id = await create();
        await post(id, "session", { ...pay, ...simulator({ fault: "lost_after" }) });
        await act(id, "authorize", { ...pay, card: card(), auto_capture: true });
        await act(id, "refund", { amount: 400 });
      }),
    ).finally(() => {
      busy = false;
    });
    let audits = 0;
    for (; busy || audits < 3; audits++) assert.deepEqual((await audit(app.database_url)).differences, []);
    await burst;
  });
});

const state = "the operations lead to another state";
const addUp = (column: string) => `the operations add up to another ${column}`;
const too_much = "more was moved than may be";
const missing = "operations are missing";
const no_outcome = "an operation is over without an outcome, or has one before it is over";
const several = "several operations are pending at once";
const unasked = "nobody asks any more what became of an operation";
const paid_twice = "it was paid more than once";
const other_account = "what belongs to it stands under another account";
const empty_key = "an Idempotency-Key stands for what does not exist";
const untold = "a finished operation has no callback in the outbox";
const early = "the outbox holds a callback of an operation that has not finished or does not exist";
const told_twice = "an operation has more than one callback";
const told_wrong = "a callback tells something else than its operation";
const not_in_book = "an operation was approved that the simulator has not approved for that amount";
const book_differs = "the simulator approved something else under an operation's name";
const held_refused = "the simulator approved what we hold for refused";
const held_pending = "the simulator has decided long ago what we still hold for pending";
const live_in_book = "a live payment stands in the simulator's book";
const unknown_money = "the simulator moved money that we know nothing of";

// $1 is the account, $2 the payment: authorized for 1000, captured 600, refunded 100.
const payment = (change: string) => `UPDATE transactions SET ${change} WHERE account_id = $1 AND id = $2`;
const operation = (n: number, change: string) =>
  `UPDATE operations SET ${change} WHERE account_id = $1 AND transaction_id = $2 AND id = ${n}`;
const callback = (n: number, change: string) =>
  `UPDATE callbacks SET ${change} WHERE account_id = $1 AND resource_id = $2 AND operation_id = ${n}`;
const reference = (n: number) =>
  `(SELECT reference FROM operations WHERE account_id = $1 AND transaction_id = $2 AND id = ${n})`;
const inBook = (n: number, change: string) => `UPDATE simulator.book SET ${change} WHERE reference = ${reference(n)}`;

/** One more row like this one, but for what is changed. */
function another(table: string, where: string, change: Readonly<Record<string, string>>): string {
  const changed = Object.entries(change).map(([name, value]) => `'${name}', ${value}`);
  return `INSERT INTO ${table} SELECT (json_populate_record(r, json_build_object(${changed.join(", ")}))).*
    FROM ${table} r WHERE ${where}`;
}
const ofPayment = (n: number) => `account_id = $1 AND transaction_id = $2 AND id = ${n}`;
// A process that hangs, and is therefore left its operations.
const hanging = 1_000_000;
const fourth = (n: number, change: Readonly<Record<string, string>>) =>
  another("operations", ofPayment(n), {
    id: "4",
    reference: "'planted-' || $2::int",
    callback_url: "NULL",
    ...change,
  });
const pending = { pending: "true", status_code: "NULL", finished_at: "NULL", runner: String(hanging) };
const copied = (n: number, change: Readonly<Record<string, string>>) =>
  another("callbacks", `account_id = $1 AND resource_id = $2 AND operation_id = ${n}`, {
    id: "'planted-' || $2::int",
    ...change,
  });
const key = (resource_id: string, operation_id: string) =>
  `INSERT INTO idempotency_keys (bucket, scope, key, fingerprint, resource_type, resource_id, operation_id, created_at)
   SELECT bucket, 'agreement:' || (SELECT max(a.id) FROM agreements a WHERE a.account_id = $1), 'planted ' || id, '', type,
     ${resource_id}, ${operation_id}, now() FROM transactions WHERE account_id = $1 AND id = $2`;
const money = (name: string, transaction: string) =>
  `INSERT INTO simulator.book (reference, verb, transaction, amount, currency, scenario, outcome, status_code, received_at, answer_at)
   SELECT ${name}, 'capture', ${transaction}, 100, 'DKK', 'approved', 'approved', '20000', now(), now() - interval '1 hour'
   FROM transactions WHERE account_id = $1 AND id = $2`;

type Plant = { readonly sql: readonly string[]; readonly found: readonly string[] };

const plants: Readonly<Record<string, Plant>> = {
  "the authorized total is another": { sql: [payment("authorized = 1001")], found: [addUp("authorized")] },
  "the captured total is another": { sql: [payment("captured = 599")], found: [addUp("captured")] },
  "the refunded total is another": { sql: [payment("refunded = 0")], found: [addUp("refunded")] },
  "a capture is reserved that is not pending": {
    sql: [payment("capture_pending = 1")],
    found: [addUp("capture_pending")],
  },
  "a refund is reserved that is not pending": {
    sql: [payment("refund_pending = 1")],
    found: [addUp("refund_pending")],
  },
  "the state is another": { sql: [payment("state = 'new'")], found: [state] },
  "it is not accepted any more": { sql: [payment("accepted = false")], found: [state] },
  "it is cancelled, although captured": { sql: [payment("cancelled = true")], found: [state, too_much] },
  "more is captured than authorized": {
    sql: [payment("captured = 1600"), operation(2, "amount = 1600")],
    found: [too_much, told_wrong, told_wrong, not_in_book],
  },
  "more is refunded than captured": { sql: [payment("refunded = 601")], found: [addUp("refunded"), too_much] },
  "the last operation is gone": {
    sql: ["DELETE FROM operations WHERE account_id = $1 AND transaction_id = $2 AND id = 3"],
    found: [addUp("refunded"), missing, early, unknown_money],
  },
  "an operation in the middle is gone": {
    sql: [operation(2, "id = 4"), callback(2, "operation_id = 4")],
    found: [missing, told_wrong, told_wrong],
  },
  "an operation is over that has no outcome": { sql: [operation(3, "finished_at = NULL")], found: [no_outcome] },
  "two operations are pending": {
    sql: [
      fourth(1, { ...pending, type: "'renew'" }),
      fourth(1, { ...pending, type: "'renew'", id: "5", reference: "'planted too-' || $2::int" }),
      payment("last_operation_id = 5, state = 'pending'"),
    ],
    found: [several],
  },
  "an operation is pending for ever": {
    sql: [
      fourth(2, { ...pending, amount: "400", created_at: "now() - interval '1 hour'" }),
      payment("last_operation_id = 4, state = 'pending', capture_pending = 400"),
    ],
    found: [unasked],
  },
  "an operation is pending for ever that the simulator has approved": {
    sql: [
      fourth(2, { ...pending, amount: "100", check_at: "now() + interval '1 minute'" }),
      payment("last_operation_id = 4, state = 'pending', capture_pending = 100"),
      money("'planted-' || id", "ulid"),
    ],
    found: [held_pending],
  },
  "it was authorized twice": {
    sql: [fourth(1, {}), payment("last_operation_id = 4, authorized = 2000")],
    found: [paid_twice, not_in_book],
  },
  "an operation stands under another account": { sql: [operation(3, "account_id = 7")], found: [other_account] },
  "a callback stands under another account": { sql: [callback(3, "account_id = 7")], found: [other_account] },
  "an Idempotency-Key names an operation that does not exist": { sql: [key("id", "9")], found: [empty_key] },
  "a callback is missing": {
    sql: ["DELETE FROM callbacks WHERE account_id = $1 AND resource_id = $2 AND operation_id = 2"],
    found: [untold],
  },
  "a callback stands twice": { sql: [copied(2, {})], found: [told_twice] },
  "a callback tells of an operation that does not exist": { sql: [copied(2, { operation_id: "9" })], found: [early] },
  "a callback comes before its operation is over": {
    sql: [
      fourth(1, { ...pending, type: "'renew'" }),
      payment("last_operation_id = 4, state = 'pending'"),
      copied(3, { operation_id: "4" }),
    ],
    found: [early],
  },
  "a callback tells of another amount": {
    sql: [callback(2, `body = replace(body, '"amount":600', '"amount":601')`)],
    found: [told_wrong],
  },
  "a callback tells of another balance": {
    sql: [callback(3, `body = replace(body, '"balance":500', '"balance":600')`)],
    found: [told_wrong],
  },
  "a callback tells of a refusal": {
    sql: [callback(3, `body = replace(body, '"qp_status_code":"20000"', '"qp_status_code":"40000"')`)],
    found: [told_wrong],
  },
  "a callback tells of another payment": {
    sql: [callback(3, `body = replace(body, '{"id":' || resource_id, '{"id":7')`)],
    found: [told_wrong],
  },
  "the simulator has never heard of an approved operation": {
    sql: [`DELETE FROM simulator.book WHERE reference = ${reference(2)}`],
    found: [not_in_book],
  },
  "the simulator refused an approved operation": { sql: [inBook(2, "outcome = 'rejected'")], found: [not_in_book] },
  "the simulator moved another amount": { sql: [inBook(2, "amount = 599")], found: [not_in_book] },
  "the simulator moved it in the other direction": { sql: [inBook(2, "verb = 'refund'")], found: [book_differs] },
  "the simulator moved another currency": { sql: [inBook(2, "currency = 'EUR'")], found: [book_differs] },
  "the simulator moved it for another payment": {
    sql: [inBook(2, "transaction = 'somebody-else'")],
    found: [book_differs],
  },
  "the simulator approved what we hold for refused": {
    sql: [operation(3, "status_code = '40000'"), payment("refunded = 0")],
    found: [told_wrong, held_refused],
  },
  "the simulator approved a session that was ended, and nobody takes it back": {
    sql: [
      fourth(2, { type: "'session'", status_code: "'40003'" }),
      payment("last_operation_id = 4"),
      money("'planted-' || id", "ulid"),
      "UPDATE simulator.book SET verb = 'session' WHERE reference = 'planted-' || $2::int AND $1 > 0",
    ],
    found: [held_refused],
  },
  "a live payment was paid with the simulator's money": {
    sql: [payment("test_mode = false")],
    found: [live_in_book, live_in_book, live_in_book],
  },
  "the simulator moved money that no operation asked for": {
    sql: [money("'planted-' || id", "ulid")],
    found: [unknown_money],
  },
};

describe("what is changed behind the program's back is found", () => {
  let differences: readonly string[];
  const ids = new Map<string, number>();

  before(async () => {
    const constraints = await query<{ name: string }>(
      "SELECT conname AS name FROM pg_constraint WHERE conrelid = 'transactions'::regclass AND contype = 'c'",
    );
    for (const { name } of constraints) await query(`ALTER TABLE transactions DROP CONSTRAINT "${name}"`);
    await query("DROP INDEX operations_pending");
    await query("DROP INDEX callbacks_of_operation");
    await query("INSERT INTO processes (id, seen_at) VALUES ($1, now() + interval '1 hour')", [hanging]);
    await Promise.all(
      Object.entries(plants).map(async ([what, { sql }]) => {
        const id = await create();
        ids.set(what, id);
        await act(id, "authorize", { ...pay, card: card() });
        await act(id, "capture", { amount: 600 });
        await act(id, "refund", { amount: 100 });
        for (const each of sql) await query(each, [shop.id, id]);
      }),
    );
    await query(money("'reference of nobody'", "'nobody'"), [shop.id, [...ids.values()][0]]);
    await query(key("2147483647", "NULL"), [shop.id, [...ids.values()][0]]);
    ({ differences } = await audit(app.database_url));
  });

  const about = (name: string): string[] =>
    differences
      .filter((text) => text.startsWith(`${name}: `))
      .map((text) => text.slice(name.length + 2).split(" (")[0] ?? "");

  for (const [what, { found }] of Object.entries(plants)) {
    test(`${what}: ${[...new Set(found)].join("; ")}`, () => {
      assert.deepEqual(about(`Payment ${ids.get(what)} of account ${shop.id}`).sort(), [...found].sort());
    });
  }

  test("the simulator moved money for nobody", () => {
    assert.deepEqual(about("Reference reference of nobody of account nobody"), [unknown_money]);
  });

  test("an Idempotency-Key names a payment that does not exist", () => {
    assert.deepEqual(about(`Payment 2147483647 of account ${shop.id}`), [empty_key]);
  });

  test("every question has found its difference, and nothing else was found", () => {
    const planted = Object.values(plants).flatMap(({ found }) => found);
    assert.equal(differences.length, planted.length + 2);
    const text = readFileSync(new URL("../src/audit.ts", import.meta.url), "utf8");
    const asked = [...text.matchAll(/ what: (?:"([^"]+)"|`([^`]+)\$\{column\}`)/g)].map(([, a, b]) => a ?? b ?? "");
    assert.ok(asked.length > 15);
    for (const question of asked)
      assert.ok(
        planted.some((found) => found.startsWith(question)),
        question,
      );
  });
});
