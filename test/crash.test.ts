// kill -9 at any moment: what was acknowledged is there, nothing is sent twice, nothing stays pending, the books balance.

import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { audit } from "../src/audit.ts";
import { startEmbedded } from "../src/storage/embedded.ts";
import { clientFor } from "./support/app.ts";
import { putAway } from "./support/kept.ts";
import { type Received, Receiver } from "./support/receiver.ts";
import type { Start, Started } from "./support/server-process.ts";

const payments = 500;
const cycles = 5;
// Chance may miss one of the phases, which are short: then there are more.
const cycles_max = 3 * cycles;
// A kill leaves some of them undone, so more are begun.
const begun_per_cycle = 130;
const at_once = 64;
// Long enough that a kill often strikes while the acquirer thinks, short enough to strike elsewhere too.
const simulator_latency_ms = 8;
const repaired_within_ms = 60_000;

type Server = Started & { readonly process: ChildProcess };

async function start(data_dir: string): Promise<Server> {
  const child = fork(new URL("./support/server-process.ts", import.meta.url), {
    execArgv: [],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const started = new Promise<Started>((done, failed) => {
    child.once("message", (message) => done(message as Started));
    child.once("exit", () => failed(new Error("the server ended before it served")));
  });
  child.send({ data_dir, simulator_latency_ms } satisfies Start);
  return { ...(await started), process: child };
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) return done();
    child.once("exit", () => done());
  });

/** What the server said yes to. */
type Acknowledged = {
  readonly payments: Set<number>;
  readonly settled: Map<string, string>;
  readonly begun: Set<string>;
};

type Credentials = { readonly authorization: string; readonly account_id: number };

async function newMerchant(api_url: string, callback_url: string): Promise<Credentials> {
  const email = "ida@shop.example";
  const password = "smoke and mirrors 17";
  const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
  await clientFor(api_url, {})("POST", "/users", { body: { name: "Ida", email, password } });
  const user = clientFor(api_url, { Authorization: basic(`${email}:${password}`) });
  const account = await user("POST", "/accounts", { body: { shop_name: "Shop", contact_email: email, callback_url } });
  assert.equal(account.status, 201, account.text);
  const agreements = await user("GET", "/agreements");
  return { authorization: basic(`:${agreements.body[0].api_key}`), account_id: account.body.id };
}

const card = { number: "1000000000000008", expiration: "3112", cvd: "208" };

/** Creates, authorizes and captures until told to stop; notes every yes. Refused connections end a worker quietly. */
async function load(
  api_url: string,
  { authorization }: Credentials,
  run: { acknowledged: Acknowledged; from: number; count: number },
) {
  const { acknowledged, from, count } = run;
  const call = clientFor(api_url, { Authorization: authorization });
  let next = from;
  let done = 0;
  async function worker(): Promise<void> {
    while (next < from + count) {
      const order_id = `crash-${next++}`;
      const made = await call("POST", "/payments", { body: { order_id, currency: "DKK" } });
      if (made.status !== 201) continue;
      const { id } = made.body;
      acknowledged.payments.add(id);
      const authorized = await call("POST", `/payments/${id}/authorize?synchronized`, { body: { amount: 1000, card } });
      if (authorized.status === 200) note(authorized.body);
      const captured = await call("POST", `/payments/${id}/capture`, { body: { amount: 1000 } });
      if (captured.status === 202) acknowledged.begun.add(`${id}/2`);
      done += 1;
    }
  }
  function note(payment: {
    id: number;
    operations: { id: number; pending: boolean; qp_status_code: string | null }[];
  }): void {
    for (const { id, pending, qp_status_code } of payment.operations) {
      if (!pending) acknowledged.settled.set(`${payment.id}/${id}`, qp_status_code ?? "");
    }
  }
  const workers = Array.from({ length: at_once }, () => worker().catch(() => {}));
  return { done: () => done, finished: Promise.all(workers) };
}

/** The references of the operations that were cut there. */
type Cut = { readonly before_ask: Set<string>; readonly during_ask: Set<string>; readonly before_settle: Set<string> };

async function query<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client
    .query<Row>(text)
    .then(({ rows }) => rows)
    .finally(() => client.end());
}

/** A statement that was under way when its client was killed is still carried out. */
async function untilAlone(url: string): Promise<void> {
  const others = "SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
  while ((await query(url, others)).length > 0) await sleep(20);
}

/** Notes where the operations stood that nobody finished. */
async function noteCut(url: string, cut: Cut): Promise<void> {
  const rows = await query<{ reference: string; asked: boolean; answered: boolean }>(
    url,
    `SELECT o.reference, b.reference IS NOT NULL AS asked, coalesce(b.answered, false) AS answered
     FROM operations o LEFT JOIN simulator.book b ON b.reference = o.reference WHERE o.pending`,
  );
  for (const { reference, asked, answered } of rows) {
    const phase = answered ? cut.before_settle : asked ? cut.during_ask : cut.before_ask;
    phase.add(reference);
  }
}

/** In the order in which they first came: which payment, which operation. A repeat has the same `webhook-id`. */
function firstOfEach(received: readonly Received[]): { readonly id: number; readonly operation: number }[] {
  const first = new Map(received.toReversed().map((callback) => [callback.headers["webhook-id"], callback]));
  return received
    .filter((callback) => first.get(callback.headers["webhook-id"]) === callback)
    .map(({ raw }) => JSON.parse(raw))
    .map(({ id, operations }) => ({ id, operation: operations.at(-1).id }));
}

for (const victims of ["the server", "the server and the database"] as const) {
  test(`kill -9 of ${victims} during ${payments} payments loses nothing and doubles nothing`, async () => {
    const data_dir = mkdtempSync(join(tmpdir(), "coolpay crash-"));
    after(() => putAway(data_dir));
    const acknowledged: Acknowledged = { payments: new Set(), settled: new Map(), begun: new Set() };
    const cut: Cut = { before_ask: new Set(), during_ask: new Set(), before_settle: new Set() };
    let credentials: Credentials | null = null;
    const receiver = await new Receiver().start();
    after(() => receiver.stop());

    const isStruck = (): boolean => Object.values(cut).every(({ size }) => size > 0);
    for (let cycle = 0; cycle < cycles || (!isStruck() && cycle < cycles_max); cycle++) {
      const server = await start(data_dir);
      credentials ??= await newMerchant(server.api_url, receiver.url);
      const count = begun_per_cycle;
      const { done, finished } = await load(server.api_url, credentials, { acknowledged, from: cycle * count, count });
      // Somewhere in the middle of it.
      const target = Math.floor(count * (0.4 + Math.random() * 0.3));
      while (done() < target) await sleep(2);
      server.process.kill("SIGKILL");
      if (victims !== "the server") process.kill(server.database_pid, "SIGKILL");
      await ended(server.process);
      await finished;

      // The database alone, to see how things stood. Where it was not killed, it runs on and the next server adopts it.
      if (victims === "the server") {
        await untilAlone(server.database_url);
        await noteCut(server.database_url, cut);
      } else {
        const embedded = await startEmbedded({ data_dir, log: () => {} });
        await noteCut(embedded.url, cut);
        await embedded.stop();
      }
    }
    const { before_ask, during_ask, before_settle } = cut;
    console.log(
      `kill -9 of ${victims}: cut before ask ${before_ask.size}, during ask ${during_ask.size}, before settle ${before_settle.size}`,
    );
    assert.ok(isStruck(), "every phase was struck");
    assert.ok(acknowledged.payments.size >= payments, `${acknowledged.payments.size} payments were begun`);

    const server = await start(data_dir);
    try {
      const deadline = performance.now() + repaired_within_ms;
      const pending = async () =>
        (
          await query<{ count: number }>(
            server.database_url,
            "SELECT count(*)::int AS count FROM operations WHERE pending",
          )
        )[0]?.count;
      while ((await pending()) !== 0) {
        assert.ok(performance.now() < deadline, "an operation stays pending");
        await sleep(200);
      }
      const { differences, transactions, operations } = await audit(server.database_url);
      assert.deepEqual(differences, []);
      console.log(`${transactions} payments, ${operations} operations: books balance`);

      const rows = await query<{ name: string; status_code: string }>(
        server.database_url,
        "SELECT transaction_id || '/' || id AS name, status_code FROM operations",
      );
      const stored = new Map(rows.map(({ name, status_code }) => [name, status_code]));
      for (const [name, status_code] of acknowledged.settled) assert.equal(stored.get(name), status_code, name);
      for (const name of acknowledged.begun) assert.ok(stored.has(name), name);
      const ids = await query<{ id: number }>(server.database_url, "SELECT id FROM transactions");
      const known = new Set(ids.map(({ id }) => id));
      for (const id of acknowledged.payments) assert.ok(known.has(id), `payment ${id}`);
      const twice = await query(
        server.database_url,
        `SELECT transaction, verb FROM simulator.book WHERE outcome = 'approved' GROUP BY transaction, verb HAVING count(*) > 1`,
      );
      assert.deepEqual(twice, [], "nothing was sent twice");

      const waiting = "SELECT id FROM callbacks WHERE state <> 'delivered'";
      while ((await query(server.database_url, waiting)).length > 0) {
        assert.ok(performance.now() < deadline, "a callback is not delivered");
        await sleep(200);
      }
      const told = firstOfEach(receiver.received);
      assert.equal(told.length, rows.length, "every operation was told of");
      for (const id of known) {
        const sequence = told.filter((callback) => callback.id === id).map(({ operation }) => operation);
        assert.deepEqual(sequence, sequence.toSorted(), `in order, of payment ${id}`);
      }
      console.log(`${told.length} callbacks came, ${receiver.received.length - told.length} of them more than once`);
    } finally {
      server.process.send("stop");
      await ended(server.process);
    }
  });
}
