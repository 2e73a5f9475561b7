// Operations whose answer did not come, or whose process is gone: they are asked about until it is known what became of
// them, and never sent again. And what several processes over one database share.

import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { simulatorPages } from "../src/acquirers/simulator/pages.ts";
import { type App, startApp as startRealApp } from "../src/app.ts";
import { audit } from "../src/audit.ts";
import { readConfig } from "../src/config.ts";
import { jsonLog } from "../src/log.ts";
import { whenDue } from "../src/services/due.ts";
import { begin, perform } from "../src/services/operate.ts";
import type { Begun, Wish } from "../src/services/operations.ts";
import { repair } from "../src/services/repair.ts";
import { type Services, system } from "../src/services/services.ts";
import { leave, registerProcess, slot_count } from "../src/storage/leases.ts";
import { abandonedOperations } from "../src/storage/transactions.ts";
import { startLeases } from "../src/work/leases.ts";
import { eventually, ordered, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { putAway } from "./support/kept.ts";
import { testDatabase } from "./support/postgres.ts";

const folder = mkdtempSync(join(tmpdir(), "coolpay-repair-"));
const settings = { master_key_file: join(folder, "master.key") };

let app: TestApp;
let shop: TestAccount;
before(async () => {
  app = await startApp({ settings });
  shop = await app.newAccount();
});
after(async () => {
  await app.stop();
  putAway(folder);
});

const amount = 1000;
const approving = "1000000000000008";
const delayed = "1000000000000099";
const capture_rejecting = "1000000000000032";
const card = (number = approving) => ({ number, expiration: "3112", cvd: "208" });

let orders = 0;
async function create(of: TestAccount = shop): Promise<number> {
  orders += 1;
  const body = { order_id: `repair-${String(orders).padStart(4, "0")}`, currency: "DKK" };
  const { status, body: made, text } = await of.call("POST", "/payments", { body });
  assert.equal(status, 201, text);
  return made.id;
}

type Options = { readonly of?: TestAccount; readonly more?: object; readonly headers?: Record<string, string> };

/** Begins the operation, as a request without `?synchronized` does. */
async function ask(id: number, verb: string, { of = shop, more = {}, headers = {} }: Options = {}): Promise<void> {
  const body = { amount, ...(verb === "authorize" ? { card: card() } : {}), ...more };
  const { status, text } = await of.call("POST", `/payments/${id}/${verb}`, { body, headers });
  assert.equal(status, 202, text);
}

const read = async (id: number, of: TestAccount = shop) => (await of.call("GET", `/payments/${id}`)).body;

type Shown = { readonly type: string; readonly pending: boolean; readonly qp_status_code: string | null };
const said = ({ type, pending, qp_status_code }: Shown): string => `${type} ${pending ? "pending" : qp_status_code}`;
const operations = async (id: number, of?: TestAccount): Promise<string[]> => (await read(id, of)).operations.map(said);

/** The payment's operations once nothing is pending any more. */
const settled = (id: number, of?: TestAccount): Promise<string[]> =>
  eventually(async () => {
    const all = await operations(id, of);
    return all.every((text) => !text.endsWith("pending")) && all;
  }, "the last operation's end");

async function authorized(more: object = {}): Promise<number> {
  const id = await create();
  await ask(id, "authorize", { more });
  await settled(id);
  return id;
}

const query = async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> =>
  (await app.services.pool.query<Row>(text, values)).rows;

/** What the simulator's own book holds of this payment's orders of that kind: how often it was sent, and what came of it. */
const inTheBook = async (id: number, verb: string): Promise<string[]> =>
  (
    await query<{ outcome: string }>(
      `SELECT b.outcome FROM simulator.book b JOIN operations o ON o.reference = b.reference
       WHERE o.account_id = $1 AND o.transaction_id = $2 AND o.type = $3 ORDER BY o.id`,
      [shop.id, id, verb],
    )
  ).map(({ outcome }) => outcome);

const newest = async (id: number) => {
  const [row] = await query<{ id: number; reference: string; created_at: Date; finished_at: Date; check_at: Date }>(
    "SELECT * FROM operations WHERE account_id = $1 AND transaction_id = $2 ORDER BY id DESC LIMIT 1",
    [shop.id, id],
  );
  assert.ok(row);
  return row;
};

const wish = (id: number, verb: Wish["verb"], more: Partial<Wish> = {}): Wish => ({
  account_id: shop.id,
  type: "Payment",
  id,
  verb,
  amount: verb === "capture" || verb === "refund" ? amount : null,
  callback_url: null,
  ...more,
});

const verbs = ["authorize", "capture", "refund", "cancel"] as const;
const leading_to = {
  authorize: [],
  capture: ["authorize"],
  refund: ["authorize", "capture"],
  cancel: ["authorize"],
} as const;

/** Everything that leads to this operation, and the operation with the simulator's fault. */
async function struck(verb: (typeof verbs)[number], fault: string): Promise<number> {
  const id = await create();
  for (const step of leading_to[verb]) {
    await ask(id, step);
    await settled(id);
  }
  const extras = { simulator: { fault } };
  if (verb !== "cancel") await ask(id, verb, { more: { extras } });
  // The API's cancel takes no parameters, so that this fault can only be had from inside.
  else await perform(app.services, await begin(app.services, system, wish(id, verb, { options: { extras } })), null);
  assert.deepEqual([...(await operations(id))].pop(), `${verb} pending`);
  return id;
}

const late_ms = () => app.services.simulator.late_ms;
const outlast_late = () => app.advance(late_ms() / 1000);

describe("the answer was lost on its way back", { concurrency: true }, () => {
  for (const verb of verbs) {
    test(`${verb}: pending, found by asking, and sent once`, async () => {
      const id = await struck(verb, "lost_after");
      assert.equal((await settled(id)).pop(), `${verb} 20000`);
      assert.deepEqual(await inTheBook(id, verb), ["approved"]);
      const { finished_at, created_at } = await newest(id);
      assert.ok(finished_at.getTime() - created_at.getTime() < late_ms(), "nobody waited until it was too late");
    });
  }
});

describe("the order is slow to arrive", { concurrency: true }, () => {
  for (const verb of verbs) {
    test(`${verb}: pending until it has arrived, then found by asking`, async () => {
      const id = await struck(verb, "late");
      assert.deepEqual(await inTheBook(id, verb), [], "the acquirer has not heard of it yet");
      await eventually(async () => {
        const [now] = await query<{ pending: boolean; arrived: boolean }>(
          `SELECT o.pending, b.reference IS NOT NULL AS arrived FROM operations o
           LEFT JOIN simulator.book b ON b.reference = o.reference
           WHERE o.account_id = $1 AND o.transaction_id = $2 ORDER BY o.id DESC LIMIT 1`,
          [shop.id, id],
        );
        assert.ok(now?.pending || now?.arrived, "nobody guessed");
        return !now.pending;
      }, "the end");
      assert.equal((await operations(id)).pop(), `${verb} 20000`);
      assert.deepEqual(await inTheBook(id, verb), ["approved"]);
    });
  }
});

describe("the order never arrives", () => {
  const ids = new Map<string, number>();
  before(async () => {
    await Promise.all(verbs.map(async (verb) => ids.set(verb, await struck(verb, "lost_before"))));
    for (const id of ids.values()) await eventually(async () => (await newest(id)).check_at !== null, "a question");
    for (const [verb, id] of ids) assert.equal((await operations(id)).pop(), `${verb} pending`);
    outlast_late();
  });

  for (const verb of verbs) {
    test(`${verb}: 50300, but only once it cannot arrive any more; should it arrive then, it is refused`, async () => {
      const id = ids.get(verb) ?? 0;
      assert.equal((await settled(id)).pop(), `${verb} 50300`);
      const { reference, created_at, finished_at } = await newest(id);
      assert.ok(finished_at.getTime() - created_at.getTime() >= late_ms());
      const [authorize] = await query<{ reference: string; ulid: string }>(
        `SELECT o.reference, t.ulid FROM operations o JOIN transactions t ON t.bucket = o.bucket AND t.id = o.transaction_id
         WHERE o.account_id = $1 AND o.transaction_id = $2 AND o.id = 1`,
        [shop.id, id],
      );
      const late = await app.services.simulator[verb]?.(
        {
          reference,
          transaction: authorize?.ulid ?? "",
          amount: verb === "cancel" ? 0 : amount,
          currency: "DKK",
          authorization: verb === "authorize" ? null : (authorize?.reference ?? ""),
          card: { ...card(), exp_month: 12, exp_year: 2031, brand: "visa", issued_to: null, three_d_secure: null },
          text_on_statement: null,
          settings: {},
          extras: {},
          return_url: null,
          method: null,
          addresses: [],
        },
        AbortSignal.timeout(5_000),
      );
      assert.equal(late?.kind, "rejected");
      assert.deepEqual(await inTheBook(id, verb), ["refused"]);
      await ask(id, verb);
      assert.equal((await settled(id)).pop(), `${verb} 20000`, "the merchant may try again");
    });
  }

  test("an order that was given up and then does arrive has no effect", async () => {
    const id = await struck("capture", "late");
    outlast_late();
    assert.equal((await settled(id)).pop(), "capture 50300");
    // It arrives a second after it was sent.
    await sleep(1_200);
    assert.deepEqual(await inTheBook(id, "capture"), ["refused"]);
    assert.equal((await read(id)).balance, 0);
  });
});

describe("what follows from an operation follows after a repair, too", { concurrency: true }, () => {
  test("an authorization with auto_capture captures", async () => {
    const id = await create();
    await ask(id, "authorize", { more: { auto_capture: true, extras: { simulator: { fault: "lost_after" } } } });
    await eventually(async () => (await operations(id)).length === 2, "the capture");
    assert.deepEqual(await settled(id), ["authorize 20000", "capture 20000"]);
    assert.deepEqual(await inTheBook(id, "capture"), ["approved"]);
  });

  test("the merchant gets the callback, once", async () => {
    const received: { operations: Shown[] }[] = [];
    const server = createServer((request, response) => {
      let text = "";
      request.on("data", (chunk) => {
        text += chunk;
      });
      request.on("end", () => {
        received.push(JSON.parse(text));
        response.end();
      });
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/told`;
    try {
      const id = await create();
      const more = { extras: { simulator: { fault: "lost_after" } } };
      await ask(id, "authorize", { more, headers: { "CoolPay-Callback-Url": url } });
      await eventually(async () => received.length > 0, "the callback");
      assert.deepEqual(received[0]?.operations.map(said), ["authorize 20000"]);
      await eventually(async () => (await read(id)).operations[0].callback_success, "the note of it");
      assert.equal(received.length, 1);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test("a session tells where to send the shopper, although the answer that said so was lost", async () => {
    const id = await create();
    await ask(id, "session", { more: { extras: { simulator: { session: "waiting", fault: "lost_after" } } } });
    const { session_id } = await eventually(async () => {
      const { data } = (await read(id)).operations[0];
      return data.session_id !== undefined && data;
    }, "the session's data");
    assert.equal(session_id, (await newest(id)).reference);
    assert.deepEqual(await operations(id), ["session pending"]);
  });

  test("a session that nobody answers stays pending, until somebody answers on the provider's page", async () => {
    const id = await create();
    const options = { return_url: "https://window.example/abc/return", method: "mobilepay" };
    const { acquirer, test_mode } = { acquirer: "clearhaus", test_mode: true };
    const wanted = wish(id, "session", { amount, options, acquirer, test_mode });
    const begun = await begin(app.services, system, wanted);
    await perform(app.services, begun, null);
    const { reference, id: operation_id } = begun.operation;
    const key = { account_id: shop.id, type: "Payment", id, operation_id } as const;
    const [{ data }] = (await read(id)).operations;
    assert.equal(data.redirect_url, `${app.app.addresses.window_url}/simulator/provider/${reference}`);
    outlast_late();
    assert.equal(await repair(app.services, key), false);
    assert.deepEqual(await operations(id), ["session pending"]);
    const { pool, clock } = app.services;
    const pages = simulatorPages({ pool, clock, pages_url: () => app.app.addresses.window_url });
    const path = new URL(data.redirect_url).pathname;
    const back = await pages({ method: "POST", path, body: { answer: "approve" } });
    assert.equal(back.headers.Location, options.return_url);
    await repair(app.services, key);
    assert.deepEqual(await settled(id), ["session 20000"]);
  });
});

/** The same services as another process would have them: alive, but without a worker for its share of the slots. */
async function elsewhere(): Promise<Services & { readonly die: () => Promise<void> }> {
  const process_id = await registerProcess(app.services.pool);
  await query("UPDATE processes SET seen_at = now() + interval '1 minute' WHERE id = $1", [process_id]);
  const die = () => leave(app.services.pool, process_id);
  return { ...app.services, running: new Set(), process_id: () => process_id, die };
}

const killed: Services["commit"] = () => Promise.reject(new Error("the process is gone"));
// As long as a worker needs to look twice.
const two_rounds_ms = 1_200;

describe("an operation of another process", { concurrency: true }, () => {
  const deaths: Readonly<Record<string, { act: (other: Services, begun: Begun) => Promise<void>; ends: string }>> = {
    "after it had asked": {
      act: (other, begun) => perform({ ...other, commit: killed }, begun, null),
      ends: "capture 20000",
    },
    "before it had asked": { act: async () => {}, ends: "capture 50300" },
  };
  for (const [when, { act, ends }] of Object.entries(deaths)) {
    test(`is left to it while it lives; when it died ${when} the operation ends as ${ends}`, async () => {
      const other = await elsewhere();
      const id = await authorized();
      await act(other, await begin(other, system, wish(id, "capture")));
      await sleep(two_rounds_ms);
      const { check_at } = await newest(id);
      assert.deepEqual([(await operations(id)).pop(), check_at], ["capture pending", null], "nobody else asked");
      await other.die();
      if (ends.endsWith("50300")) outlast_late();
      assert.equal((await settled(id)).pop(), ends);
    });
  }

  test("whose commit may have happened, but nobody was told: nothing is sent, and it ends as 50300", async () => {
    const id = await authorized();
    const lost: Services["commit"] = async (change) => {
      await app.services.commit(change);
      throw new Error("Connection terminated unexpectedly");
    };
    await assert.rejects(begin({ ...app.services, commit: lost }, system, wish(id, "capture")), /terminated/);
    assert.equal((await operations(id)).pop(), "capture pending");
    outlast_late();
    assert.equal((await settled(id)).pop(), "capture 50300");
    assert.deepEqual(await inTheBook(id, "capture"), ["refused"]);
  });
});

describe("who asks about what", () => {
  test("of many who begin at once one wins, and the worker leaves the winner alone until it has its answer", async () => {
    const id = await authorized();
    const other = await elsewhere();
    const tries = Array.from({ length: 8 }, () => begin(other, system, wish(id, "capture", { amount: 100 })));
    const won = (await Promise.allSettled(tries)).flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    assert.equal(won.length, 1);
    assert.equal(other.running.size, 1, "the losers have taken nobody's mark away");
    for (const begun of won) await perform(other, begun, null);
    assert.equal(other.running.size, 0);
    await other.die();
  });

  test("what is under way, however much, does not hide what must be asked about", async () => {
    const other = await elsewhere();
    const [first, second] = [await authorized(), await authorized()];
    const under_way = await begin(other, system, wish(first, "capture"));
    await begin({ ...other, running: new Set() }, system, wish(second, "capture"));
    const found = await abandonedOperations(app.services.pool, {
      slots: [],
      process_id: other.process_id(),
      busy: [...other.running],
      now: app.services.clock.now(),
      limit: 1,
    });
    assert.deepEqual(
      found.map(({ id }) => id),
      [second],
    );
    await perform(other, under_way, null);
    await other.die();
    outlast_late();
    await settled(second);
  });

  test("what nobody can be asked about for now does not stand in the way of the others", async () => {
    const other = await elsewhere();
    const id = await authorized();
    const { operation } = await begin(other, system, wish(id, "capture"));
    await query("UPDATE transactions SET test_mode = false WHERE account_id = $1 AND id = $2", [shop.id, id]);
    const key = { account_id: shop.id, type: "Payment", id, operation_id: operation.id } as const;
    assert.equal(await repair({ ...other, running: new Set() }, key), false);
    assert.ok((await newest(id)).check_at > app.services.clock.now());
    await query("UPDATE transactions SET test_mode = true WHERE account_id = $1 AND id = $2", [shop.id, id]);
    await other.die();
    outlast_late();
    assert.equal((await settled(id)).pop(), "capture 50300");
  });
});

describe("what happens while the acquirer thinks", () => {
  test("what the merchant changes meanwhile is kept", async () => {
    const other = await elsewhere();
    const id = await authorized();
    const begun = await begin(other, system, wish(id, "capture"));
    await shop.call("PATCH", `/payments/${id}`, { body: { variables: { shelf: "17" } } });
    await perform(other, begun, null);
    const { variables, balance } = await read(id);
    assert.deepEqual([variables, balance], [{ shelf: "17" }, amount]);
    await other.die();
  });

  test("a session that a newer attempt has ended stays ended, whatever its answer says", async () => {
    for (const session of ["waiting", "rejected", "approved"]) {
      const other = await elsewhere();
      const id = await create();
      const extras = { simulator: { session } };
      const choice = { acquirer: "clearhaus", test_mode: true };
      const begun = await begin(other, system, wish(id, "session", { amount, options: { extras }, ...choice }));
      await ask(id, "authorize");
      await perform(other, begun, null);
      await other.die();
      await eventually(async () => {
        const open = "account_id = $1 AND transaction_id = $2 AND (pending OR check_at IS NOT NULL)";
        return (await query(`SELECT FROM operations WHERE ${open}`, [shop.id, id])).length === 0;
      }, "the end of all questions");
      assert.deepEqual((await operations(id)).slice(0, 2), ["session 40003", "authorize 20000"], session);
    }
  });

  test("the callback ends with its own operation, although a session's late approval was taken back meanwhile", async () => {
    let id = 0;
    const headers = { "CoolPay-Callback-Url": "http://127.0.0.1:9/nobody" };
    // The worker may hear of the approval first, and the payment is then paid: each try is a new payment.
    for (let status = 0; status !== 202; ) {
      id = await create();
      await ask(id, "session", { more: { extras: { simulator: { session: "approved", fault: "lost_after" } } } });
      const body = { amount, card: card(delayed) };
      ({ status } = await shop.call("POST", `/payments/${id}/authorize`, { body, headers }));
    }
    await eventually(async () => (await operations(id)).length === 3, "the void");
    assert.deepEqual(await operations(id), ["session 40003", "authorize pending", "cancel 20000"]);
    await ordered(app, id);
    app.advance(61);
    await settled(id);
    const [told] = await query<{ body: string }>(
      "SELECT body FROM callbacks WHERE account_id = $1 AND resource_id = $2 AND operation_id = 2",
      [shop.id, id],
    );
    const { state, operations: shown } = JSON.parse(told?.body ?? "");
    assert.deepEqual([state, shown.map(said)], ["new", ["session 40003", "authorize 20000"]]);
  });

  test("found out by two at once it is settled once, and told once", async () => {
    const other = await elsewhere();
    const id = await authorized();
    const callback_url = "http://127.0.0.1:9/nobody";
    const begun = await begin(other, system, wish(id, "capture", { callback_url }));
    const key = { account_id: shop.id, type: "Payment", id, operation_id: begun.operation.id } as const;
    const workers = [1, 2, 3].map(() => ({ ...app.services, running: new Set<string>() }));
    await perform({ ...other, commit: killed }, begun, null);
    await Promise.all([perform(other, begun, null), ...workers.map((worker) => repair(worker, key))]);
    assert.deepEqual(await operations(id), ["authorize 20000", "capture 20000"]);
    assert.deepEqual(await inTheBook(id, "capture"), ["approved"]);
    const told = await query("SELECT FROM callbacks WHERE account_id = $1 AND resource_id = $2 AND operation_id = $3", [
      shop.id,
      id,
      begun.operation.id,
    ]);
    const noted = await query(
      `SELECT FROM activity WHERE account_id = $1 AND target_id = $2 AND action = 'capture'
         AND changes -> 'operation_status_code' ->> 1 = '20000'`,
      [shop.id, id],
    );
    assert.deepEqual([told.length, noted.length], [1, 1]);
    await other.die();
  });
});

const tomorrow = () => new Date(app.services.clock.now().getTime() + 86_400_000).toISOString().slice(0, 10);
const days = (count: number) => app.advance(count * 86_400);

/** Services for which something happens just before they read a transaction for the n-th time. */
function interrupted(services: Services, n: number, happens: () => Promise<unknown>): Services {
  let reads = 0;
  const pool = new Proxy(services.pool, {
    get: (target, name) =>
      name !== "query"
        ? Reflect.get(target, name)
        : async (asked: pg.QueryConfig) => {
            if (asked.name === "load_transaction" && ++reads === n) await happens();
            return target.query(asked);
          },
  });
  return { ...services, pool };
}

describe("a capture on a date", () => {
  const due = async (id: number): Promise<boolean> =>
    (await query("SELECT FROM transactions WHERE account_id = $1 AND id = $2 AND due_at IS NOT NULL", [shop.id, id]))
      .length === 1;
  const key = (id: number) => ({ account_id: shop.id, type: "Payment", id }) as const;
  const planned = (number = approving) => authorized({ auto_capture_at: tomorrow(), card: card(number) });

  test("comes although the authorization was renewed meanwhile", async () => {
    const id = await planned();
    await ask(id, "renew");
    assert.deepEqual(await settled(id), ["authorize 20000", "renew 20000"]);
    days(2);
    await eventually(async () => (await operations(id)).length === 3, "the capture");
    assert.deepEqual(await settled(id), ["authorize 20000", "renew 20000", "capture 20000"]);
  });

  test("waits for an operation that began at the same moment", async () => {
    const other = await elsewhere();
    const id = await planned();
    const later = { ...other, clock: { ...other.clock, now: () => new Date(Date.now() + 90 * 86_400_000) } };
    let renewing: Begun | undefined;
    const begins = async () => {
      renewing = await begin(other, system, wish(id, "renew"));
    };
    await whenDue(interrupted(later, 2, begins), key(id));
    assert.ok(renewing && (await due(id)), "the date still stands");
    await perform(other, renewing, null);
    await other.die();
    days(2);
    await eventually(async () => (await operations(id)).length === 3, "the capture");
    assert.deepEqual(await settled(id), ["authorize 20000", "renew 20000", "capture 20000"]);
  });

  test("is tried once, although two processes thought at the same moment that it was theirs", async () => {
    const other = await elsewhere();
    const id = await planned(capture_rejecting);
    const later = { ...other, clock: { ...other.clock, now: () => new Date(Date.now() + 90 * 86_400_000) } };
    await whenDue(
      interrupted(later, 2, () => whenDue(later, key(id))),
      key(id),
    );
    assert.deepEqual(await operations(id), ["authorize 20000", "capture 40000"]);
    assert.equal(await due(id), false);
    await other.die();
  });

  test("a payment that is closed is not closed again", async () => {
    const id = await create();
    for (let i = 0; i < 2; i++) {
      await shop.call("PUT", `/payments/${id}/link`, { body: { amount, deadline: 60 } });
      app.advance(61);
      await eventually(async () => !(await due(id)), "the deadline");
    }
    assert.deepEqual(await operations(id), ["deadline 40003"]);
  });
});

describe("two processes over one database", () => {
  let second: App;
  let stopped = false;
  let accounts: TestAccount[] = [];
  before(async () => {
    const config = {
      ...readConfig("start", { COOLPAY_DATA_DIR: folder, COOLPAY_DEMO: "0" }),
      ports: { api: 0, window: 0, manager: 0, metrics: 0 },
      ...settings,
    };
    second = await startRealApp({ config, database_url: app.database_url, log: jsonLog({ write: () => {} }) });
    second.services.clock.advance(app.services.clock.offset_ms());
    accounts = [await app.newAccount(), await app.newAccount()];
  });
  after(() => (stopped ? undefined : second.stop()));

  const both = (seconds: number): void => {
    app.advance(seconds);
    second.services.clock.advance(seconds * 1000);
  };
  const holders = async (): Promise<Map<number, number>> =>
    new Map(
      (
        await query<{ holder: number; slots: number }>(
          "SELECT holder, count(*)::int AS slots FROM leases WHERE until > now() GROUP BY holder",
        )
      ).map(({ holder, slots }) => [holder, slots]),
    );
  const ids = () => [app.services.process_id(), second.services.process_id()];

  test("share the work evenly", async () => {
    await eventually(async () => {
      const held = await holders();
      return ids().every((id) => held.get(id) === slot_count / 2);
    }, "the sharing");
  });

  test("each finds out what became of its own operations, whoever works for that account", async () => {
    const payments = await Promise.all(
      accounts.map(async (of) => {
        const id = await create(of);
        await ask(id, "authorize", { of, more: { extras: { simulator: { fault: "lost_after" } } } });
        return { of, id };
      }),
    );
    const holding = await query<{ holder: number }>("SELECT DISTINCT holder FROM leases WHERE slot = ANY($1::int[])", [
      accounts.map(({ id }) => (id % 1024) % slot_count),
    ]);
    assert.equal(holding.length, 2, "one account is the other process's");
    for (const { of, id } of payments) assert.deepEqual(await settled(id, of), ["authorize 20000"]);
  });

  test("deadlines and capture dates come exactly once", async () => {
    const each = 8;
    const unpaid: { of: TestAccount; id: number }[] = [];
    const planned: { of: TestAccount; id: number }[] = [];
    for (const of of accounts) {
      for (let i = 0; i < each; i++) {
        const [a, b] = [await create(of), await create(of)];
        await of.call("PUT", `/payments/${a}/link`, { body: { amount, deadline: 3_600 } });
        await ask(b, "authorize", { of, more: { auto_capture_at: tomorrow() } });
        unpaid.push({ of, id: a });
        planned.push({ of, id: b });
      }
    }
    for (const { of, id } of planned) await settled(id, of);
    both(2 * 86_400);
    // Beside their own rounds, both are told to do all of it: leases may change hands at any moment.
    await Promise.all(
      [...unpaid, ...planned].flatMap(({ of, id }) =>
        [app.services, second.services].map((services) =>
          whenDue(services, { account_id: of.id, type: "Payment", id }),
        ),
      ),
    );
    for (const { of, id } of unpaid) assert.deepEqual(await settled(id, of), ["deadline 40003"]);
    for (const { of, id } of planned) {
      await eventually(async () => (await operations(id, of)).length > 1, "the capture");
      assert.deepEqual(await settled(id, of), ["authorize 20000", "capture 20000"]);
    }
  });

  test("when one stops the other has all its work at once", async () => {
    const began = performance.now();
    const leaving = second.services.process_id();
    await second.stop();
    stopped = true;
    await eventually(async () => (await holders()).get(app.services.process_id()) === slot_count, "the takeover");
    assert.equal((await holders()).has(leaving), false);
    assert.ok(performance.now() - began < 4_000, "it did not have to wait for leases to run out");
  });

  test("when one dies the other has its work as soon as the leases have run out", async () => {
    const database = await testDatabase({ migrated: true });
    const lease_ms = 500;
    const [mortal, other] = [1, 2].map(() => new pg.Pool({ connectionString: database.url, max: 2 })) as [
      pg.Pool,
      pg.Pool,
    ];
    try {
      const dying = await startLeases({ pool: mortal, lease_ms });
      const living = await startLeases({ pool: other, lease_ms });
      await eventually(async () => living.slots().length === slot_count / 2, "the sharing");
      await mortal.end();
      await eventually(async () => dying.slots().length === 0, "the end of belief");
      await eventually(async () => living.slots().length === slot_count, "the takeover");
      await Promise.all([living.stop(), dying.stop()]);
    } finally {
      await other.end();
      await database.drop();
    }
  });
});

test("after all of this the books balance", async () => {
  assert.deepEqual((await audit(app.database_url)).differences, []);
});
