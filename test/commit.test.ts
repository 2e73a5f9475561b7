// Many changes, one commit: what travels together, what is refused alone, what is tried again and what is not. And what
// the database itself refuses, whoever asks.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import pg from "pg";
import { newMetadata } from "../src/domain/metadata.ts";
import { amount } from "../src/domain/money.ts";
import { type Body, bucketOf, derive, newBody, type Operation, type Transaction } from "../src/domain/transaction.ts";
import { ulid } from "../src/services/ids.ts";
import { coalesce, Overloaded } from "../src/storage/coalesce.ts";
import { type Change, type Commit, committer } from "../src/storage/commit.ts";
import { isUnavailable } from "../src/storage/errors.ts";
import { packBody, unpackBody } from "../src/storage/packed.ts";
import { createPool } from "../src/storage/pool.ts";
import type { ActivityRow, CallbackRow, IdempotencyRow } from "../src/storage/rows.ts";
import { loadTransaction } from "../src/storage/transactions.ts";
import { eventually } from "./support/app.ts";
import { type TestDatabase, testDatabase } from "./support/postgres.ts";

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));
const errorWith = (code: string): Error => Object.assign(new Error(`error ${code}`), { code });

type Item = { readonly row: string; readonly n: number };

/** A coalescer whose batches end when the test says so. */
function held() {
  const batches: { readonly items: readonly Item[]; readonly end: (error?: Error) => void }[] = [];
  const put = coalesce<Item, string>({
    keyOf: ({ row }) => row,
    flush: (items) =>
      new Promise((done, failed) => {
        const end = (error?: Error) => (error ? failed(error) : done(items.map(({ row, n }) => `${row}${n}`)));
        batches.push({ items, end });
      }),
  });
  return { put, batches, sizes: () => batches.map(({ items }) => items.length) };
}

describe("what travels together", () => {
  test("a lone change goes at once", async () => {
    const { put, batches, sizes } = held();
    const answer = put({ row: "a", n: 1 });
    await turn();
    assert.deepEqual(sizes(), [1]);
    batches[0]?.end();
    assert.equal(await answer, "a1");
  });

  test("what comes while two batches are under way waits for one of them, and leaves together", async () => {
    const { put, batches, sizes } = held();
    const answers = [put({ row: "a", n: 1 })];
    await turn();
    answers.push(put({ row: "b", n: 1 }));
    await turn();
    for (const row of ["c", "d", "e"]) {
      answers.push(put({ row, n: 1 }));
      await turn();
    }
    assert.deepEqual(sizes(), [1, 1]);
    batches[1]?.end();
    await eventually(async () => batches.length === 3);
    assert.deepEqual(sizes(), [1, 1, 3]);
    batches[2]?.end();
    batches[0]?.end();
    assert.deepEqual(await Promise.all(answers), ["a1", "b1", "c1", "d1", "e1"]);
  });

  test("twenty changes are enough to leave before all that came in was read", async () => {
    const { put, batches, sizes } = held();
    const answers = Array.from({ length: 50 }, (_, n) => put({ row: String(n), n }));
    assert.deepEqual(sizes(), [20, 20]);
    batches[0]?.end();
    await eventually(async () => batches.length === 3);
    assert.deepEqual(sizes(), [20, 20, 10]);
    for (const { end } of batches) end();
    assert.equal((await Promise.all(answers)).length, 50);
  });

  test("a batch holds 256 changes at most", async () => {
    const { put, batches, sizes } = held();
    const answers = Promise.all(Array.from({ length: 600 }, (_, n) => put({ row: String(n), n })));
    for (let i = 0; i < 5; i++) {
      await eventually(async () => batches.length > i);
      batches[i]?.end();
    }
    await answers;
    assert.deepEqual(sizes(), [20, 20, 256, 256, 48]);
  });

  test("when the database has stopped answering, callers beyond 20,000 are refused at once", async () => {
    const { put } = held();
    for (const row of ["a", "b"]) {
      void put({ row, n: 0 });
      await turn();
    }
    const refused: unknown[] = [];
    for (let n = 0; n < 20_001; n++) put({ row: `c${n}`, n }).catch((error: unknown) => refused.push(error));
    await turn();
    assert.equal(refused.length, 1);
    assert.ok(refused[0] instanceof Overloaded);
  });

  test("property: two changes of one row never travel together nor overtake each other, and each gets its own answer", async () => {
    const arrival = fc.record({ row: fc.constantFrom("a", "b", "c", "d"), pause: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(arrival, { maxLength: 60 }), fc.array(fc.nat({ max: 4 })), async (arrivals, delays) => {
        const under_way = new Set<string>();
        const written: Record<string, number[]> = { a: [], b: [], c: [], d: [] };
        let flushes = 0;
        const put = coalesce<Item, string>({
          keyOf: ({ row }) => row,
          flush: async (items) => {
            for (const { row } of items) {
              assert.ok(!under_way.has(row), "one change of a row at a time");
              under_way.add(row);
            }
            for (let turns = delays[flushes++ % delays.length] ?? 0; turns > 0; turns--) await turn();
            for (const { row, n } of items) {
              written[row]?.push(n);
              under_way.delete(row);
            }
            return items.map(({ row, n }) => `${row}${n}`);
          },
        });
        const answers: Promise<string>[] = [];
        for (const [n, { row, pause }] of arrivals.entries()) {
          answers.push(put({ row, n }));
          if (pause) await turn();
        }
        assert.deepEqual(
          await Promise.all(answers),
          arrivals.map(({ row }, n) => `${row}${n}`),
        );
        for (const row in written)
          assert.deepEqual(
            written[row],
            [...(written[row] ?? [])].sort((a, b) => a - b),
          );
      }),
      { numRuns: 200 },
    );
  });
});

describe("what goes wrong", () => {
  /** Three neighbours, flushed by what is given; the answers, or the codes of the errors. */
  async function three(flush: (items: readonly Item[]) => Promise<string[]>): Promise<string[]> {
    const put = coalesce<Item, string>({ keyOf: ({ row }) => row, flush });
    const all = await Promise.allSettled(["a", "b", "c"].map((row) => put({ row, n: 1 })));
    return all.map((each) => (each.status === "fulfilled" ? each.value : each.reason.code));
  }
  const answer = (items: readonly Item[]): string[] => items.map(({ row, n }) => `${row}${n}`);

  for (const [what, code] of Object.entries({
    "breaks a rule": "23514",
    "takes what is taken": "23505",
    "holds a text that cannot be": "22P05",
  })) {
    test(`one row that ${what} (${code}) refuses only its own caller`, async () => {
      const batches: number[] = [];
      const said = await three(async (items) => {
        batches.push(items.length);
        if (items.some(({ row }) => row === "b")) throw errorWith(code);
        return answer(items);
      });
      assert.deepEqual(said, ["a1", code, "c1"]);
      assert.deepEqual(batches, [3, 1, 1, 1]);
    });
  }

  for (const code of ["40001", "40P01"]) {
    test(`${code} passes: the batch is tried again, whole`, async () => {
      const batches: number[] = [];
      const said = await three(async (items) => {
        batches.push(items.length);
        if (batches.length < 3) throw errorWith(code);
        return answer(items);
      });
      assert.deepEqual(said, ["a1", "b1", "c1"]);
      assert.deepEqual(batches, [3, 3, 3]);
    });

    test(`${code} that does not pass: five times together, then one by one, and only who causes it is refused`, async () => {
      let together = 0;
      const said = await three(async (items) => {
        if (items.length > 1) together += 1;
        if (items.some(({ row }) => row === "b")) throw errorWith(code);
        return answer(items);
      });
      assert.deepEqual(said, ["a1", code, "c1"]);
      assert.equal(together, 5);
      assert.ok(isUnavailable(errorWith(code)), "that caller hears 503");
    });
  }

  for (const code of ["ECONNRESET", "ETIMEDOUT", "57P01", "08006", "53300", "25006"]) {
    test(`${code}: nobody knows what became of it, so all are refused and nothing is written again`, async () => {
      let flushes = 0;
      const said = await three(async () => {
        flushes += 1;
        throw errorWith(code);
      });
      assert.deepEqual([said, flushes], [[code, code, code], 1]);
      assert.ok(isUnavailable(errorWith(code)), "the caller hears 503");
    });
  }
});

const account_id = 100_001;
const bucket = bucketOf(account_id);
const at = new Date(Date.UTC(2026, 0, 12, 9, 14));

let ids = 0;
function born(more: Partial<Transaction> = {}): Transaction {
  ids += 1;
  return {
    bucket,
    account_id,
    id: ids,
    ulid: ulid(at),
    type: "Payment",
    order_id: `commit-${ids}`,
    currency: "DKK",
    ...derive("Payment", []),
    test_mode: false,
    acquirer: null,
    fraud_suspected: false,
    subscription_id: null,
    group_ids: null,
    body: newBody(newMetadata(undefined)),
    link_token: null,
    due_at: null,
    last_operation_id: 0,
    revision: 0,
    created_at: at,
    updated_at: at,
    retented_at: null,
    operations: [],
    ...more,
  };
}

const operation = (more: Partial<Operation> = {}): Operation => ({
  id: 1,
  type: "authorize",
  amount: 1000,
  pending: false,
  status_code: "20000",
  status_msg: "Approved",
  acquirer_status_code: null,
  acquirer_status_msg: null,
  data: {},
  acquirer: "clearhaus",
  three_d_secure_status: null,
  reference: ulid(at),
  acquirer_reference: null,
  options: {},
  version: "v10",
  runner: null,
  check_at: null,
  created_at: at,
  finished_at: at,
  callback_url: null,
  callback_success: null,
  callback_response_code: null,
  callback_duration: null,
  callback_at: null,
  ...more,
});

/** The row as it shall be next, with all that may go with it. */
function next(before: Transaction, more: Partial<Transaction> = {}): Change {
  const transaction = { ...before, ...more, revision: before.revision + 1, last_operation_id: 1 };
  return { ...around(transaction), operations: [operation()] };
}

function around(transaction: Transaction): Change & { activity: ActivityRow[]; callbacks: CallbackRow[] } {
  const target = { bucket, account_id, id: ulid(at), created_at: at };
  const told = { resource_type: "Payment", resource_id: transaction.id, operation_id: 1, sequence: 1 };
  return {
    transaction,
    callbacks: [{ ...target, ...told, url: "http://shop.example", version: "v10", body: "{}", next_attempt_at: at }],
    activity: [
      {
        ...target,
        target_type: "Payment",
        target_id: transaction.id,
        action: "change",
        changes: {},
        user_id: null,
        agreement_id: null,
        extra: {},
      },
    ],
    idempotency: key(`key of ${transaction.id}/${transaction.revision}`, transaction.id),
  };
}

const key = (name: string, resource_id: number): IdempotencyRow => ({
  bucket,
  scope: "agreement:1",
  key: name,
  fingerprint: Buffer.from("fingerprint"),
  resource_type: "Payment",
  resource_id,
  operation_id: null,
  created_at: at,
});

/** The same pool, whose statements are counted. */
const counted = (pool: pg.Pool, count: () => void): pg.Pool =>
  new Proxy(pool, {
    get(target, name) {
      if (name === "query") count();
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

describe("the one writer of transactions", () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  let commit: Commit;
  let statements = 0;
  before(async () => {
    database = await testDatabase({ migrated: true });
    pool = createPool({ url: database.url, max: 3, name: "commit test" });
    const counting = counted(pool, () => {
      statements += 1;
    });
    commit = committer(counting);
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });

  const rows = async (table: string, where: string): Promise<number> =>
    (await pool.query(`SELECT FROM ${table} WHERE ${where}`)).rowCount ?? 0;
  /** Everything that stands beside this payment's row. */
  const beside = async (id: number): Promise<number[]> => [
    await rows("operations", `transaction_id = ${id}`),
    await rows("callbacks", `resource_id = ${id}`),
    await rows("activity", `target_id = ${id}`),
    await rows("idempotency_keys", `resource_id = ${id}`),
  ];
  const stored = ({ id }: Transaction) => loadTransaction(pool, { account_id, type: "Payment", id });

  async function made(more: Partial<Transaction> = {}): Promise<Transaction> {
    const transaction = born(more);
    assert.equal(await commit({ transaction }), "done");
    return transaction;
  }

  test("one payment is one statement; 200 at once are a handful, and all are stored", async () => {
    statements = 0;
    await made();
    assert.equal(statements, 1);
    const all = Array.from({ length: 200 }, () => born());
    const answers = await Promise.all(all.map((transaction) => commit(around(transaction))));
    assert.ok(answers.every((each) => each === "done"));
    assert.ok(statements <= 4, `${statements} statements`);
    const [first, last] = [all[0]?.id, all.at(-1)?.id];
    assert.equal(await rows("transactions", `id BETWEEN ${first} AND ${last}`), 200);
    for (const table of ["callbacks", "idempotency_keys"]) {
      assert.equal(await rows(table, `resource_id BETWEEN ${first} AND ${last}`), 200);
    }
  });

  test("what is written is what is read", async () => {
    const before = await made();
    const due_at = new Date(at.getTime() + 60_000);
    const change = next(before, {
      due_at,
      state: "new",
      accepted: true,
      authorized: amount(1000),
      acquirer: "clearhaus",
    });
    assert.equal(await commit(change), "done");
    const place = { bucket, account_id, transaction_id: before.id };
    const operations = change.operations?.map((each) => ({ ...each, ...place }));
    assert.deepEqual(await stored(before), { ...change.transaction, operations });
    assert.deepEqual(await beside(before.id), [1, 1, 1, 1]);
  });

  test("two changes of one payment at the same moment are both done, one after the other", async () => {
    const before = await made();
    const first = next(before, { state: "pending" });
    const second = { transaction: { ...first.transaction, state: "new" as const, revision: 2 } };
    assert.deepEqual(await Promise.all([commit(first), commit(second)]), ["done", "done"]);
    const { revision, state } = (await stored(before)) ?? {};
    assert.deepEqual([revision, state], [2, "new"]);
  });

  test("of two that saw the same payment one wins; nothing of the other is written, and no neighbour is disturbed", async () => {
    const before = await made();
    const neighbours = [await made(), await made()];
    await commit({ transaction: { ...before, revision: 1 } });
    const [stale, ...others] = await Promise.all([
      commit(next(before, { state: "processed" })),
      ...neighbours.map((each) => commit(next(each))),
    ]);
    assert.deepEqual([stale, ...others], ["conflict", "done", "done"]);
    assert.deepEqual(await beside(before.id), [0, 0, 0, 0]);
    assert.equal((await stored(before))?.state, "initial");
    for (const { id } of neighbours) assert.deepEqual(await beside(id), [1, 1, 1, 1]);
  });

  test("an order_id that is taken is a conflict, in one batch or in two, and no neighbour is disturbed", async () => {
    const { order_id } = await made();
    const same = born({ order_id: "same-for-two" });
    const taken = born({ order_id });
    const twin = born({ order_id: "same-for-two" });
    const answers = await Promise.all([taken, same, twin, born()].map((each) => commit(around(each))));
    assert.deepEqual(answers.sort(), ["conflict", "conflict", "done", "done"]);
    assert.deepEqual(await beside(taken.id), [0, 0, 0, 0]);
    assert.equal(await rows("transactions", "order_id = 'same-for-two'"), 1);
    assert.equal(await commit({ transaction: born({ order_id, type: "Subscription" }) }), "done");
    const elsewhere = { account_id: account_id + 1024, bucket: bucketOf(account_id + 1024) };
    assert.equal(await commit({ transaction: born({ order_id, ...elsewhere }) }), "done");
  });

  const bad: Readonly<Record<string, { change: (before: Transaction) => Change; code: string }>> = {
    "captures more than is authorized": {
      change: (before) => next(before, { captured: amount(1) }),
      code: "23514",
    },
    "begins a second operation while one is pending": {
      change: (before) => ({
        ...next(before),
        operations: [1, 2].map((id) => operation({ id, pending: true, status_code: null, finished_at: null })),
      }),
      code: "23505",
    },
    "holds a text that cannot be stored": {
      change: (before) => ({ ...next(before), operations: [operation({ status_msg: "\u0000" })] }),
      code: "22P05",
    },
  };
  for (const [what, { change, code }] of Object.entries(bad)) {
    test(`a change that ${what} is refused, and its neighbours are not`, async () => {
      const payments = await Promise.all(Array.from({ length: 9 }, () => made()));
      const answers = await Promise.allSettled(payments.map((each, i) => commit(i === 4 ? change(each) : next(each))));
      for (const [i, each] of answers.entries()) {
        if (i === 4) assert.equal(each.status === "rejected" && each.reason.code, code);
        else assert.equal(each.status === "fulfilled" && each.value, "done");
        assert.deepEqual(await beside(payments[i]?.id ?? 0), i === 4 ? [0, 0, 0, 0] : [1, 1, 1, 1]);
      }
    });
  }

  test("an Idempotency-Key that another request has: key_taken, and nothing of it is written", async () => {
    const [first, second, neighbour] = [await made(), await made(), await made()];
    const changes = [first, second].map((each) => ({ ...next(each), idempotency: key("the same", each.id) }));
    const answers = await Promise.all([...changes, next(neighbour)].map((change) => commit(change)));
    assert.deepEqual(answers, ["done", "key_taken", "done"]);
    assert.deepEqual(await beside(second.id), [0, 0, 0, 0]);
    assert.equal((await stored(second))?.revision, 0);
  });

  /** Another transaction that has changed these rows and not committed yet. */
  async function holding(payments: readonly Transaction[]): Promise<pg.Client> {
    const client = new pg.Client(database.url);
    await client.connect();
    await client.query("BEGIN");
    for (const { id } of payments) await touch(client, id);
    return client;
  }
  const touch = (client: pg.Client, id: number) =>
    client.query("UPDATE transactions SET fraud_suspected = true WHERE bucket = $1 AND id = $2", [bucket, id]);

  const pidOf = (client: pg.Client): number => (client as unknown as { processID: number }).processID;
  const blocked = async (client: pg.Client): Promise<number> =>
    (await pool.query("SELECT FROM pg_locks WHERE NOT granted AND pid = $1", [pidOf(client)])).rowCount ?? 0;

  /** Until somebody waits for that client. */
  const waitedFor = (client: pg.Client): Promise<boolean> =>
    eventually(async () => {
      const waiting = "SELECT FROM pg_locks WHERE NOT granted AND $1 = ANY (pg_blocking_pids(pid))";
      return (await pool.query(waiting, [pidOf(client)])).rowCount !== 0;
    }, "the writer's wait");

  /** A writer whose connections have these settings. Answers how many statements it took. */
  async function withWriter(settings: string, work: (writing: Commit) => Promise<void>): Promise<number> {
    let sent = 0;
    const own = createPool({ url: database.url, max: 3, name: "writer", settings });
    const writing = committer(
      counted(own, () => {
        sent += 1;
      }),
    );
    await work(writing).finally(() => own.end());
    return sent;
  }

  test("a deadlock is broken by the database, and the change is done again", async () => {
    const [first, gate, last] = [await made(), await made(), await made()];
    const sent = await withWriter("-c deadlock_timeout=50ms", async (writing) => {
      const keeper = await holding([gate]);
      const other = await holding([last]);
      await other.query("SET LOCAL deadlock_timeout = '60s'");
      // The writer has the first row and waits at the gate; the other one waits for the first, and has the last.
      const written = Promise.all([first, gate, last].map((each) => writing(next(each))));
      await waitedFor(keeper);
      const waiting = touch(other, first.id);
      await eventually(async () => (await blocked(other)) === 1, "the other's wait");
      await keeper.query("COMMIT");
      await waiting;
      await other.query("COMMIT");
      await Promise.all([keeper.end(), other.end()]);
      assert.deepEqual(await written, ["done", "done", "done"]);
    });
    assert.equal(sent, 2);
    for (const { id } of [first, gate, last]) assert.deepEqual(await beside(id), [1, 1, 1, 1]);
  });

  test("a serialization failure passes, and the change is done again", async () => {
    const payment = await made();
    const sent = await withWriter("-c default_transaction_isolation=serializable", async (writing) => {
      const other = await holding([payment]);
      const written = writing(next(payment));
      await waitedFor(other);
      await other.query("COMMIT");
      await other.end();
      assert.equal(await written, "done");
    });
    assert.equal(sent, 2);
    assert.deepEqual(await beside(payment.id), [1, 1, 1, 1]);
  });

  test("a connection that is lost during the statement refuses all of it, and writes nothing", async () => {
    const payments = [await made(), await made(), await made()];
    const other = await holding(payments.slice(1, 2));
    const written = Promise.allSettled(payments.map((each) => commit(next(each))));
    await waitedFor(other);
    await pool.query("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted");
    for (const each of await written) assert.ok(each.status === "rejected" && isUnavailable(each.reason));
    await other.query("ROLLBACK");
    await other.end();
    for (const { id } of payments) assert.deepEqual(await beside(id), [0, 0, 0, 0]);
  });

  test("a connection that is lost after the commit refuses all of it too, and nothing is written twice", async () => {
    const [payment, other] = [await made(), born()];
    let sent = 0;
    const cut = new Proxy(pool, {
      get: (target, name) =>
        name !== "query"
          ? Reflect.get(target, name)
          : async (asked: pg.QueryConfig) => {
              sent += 1;
              await target.query(asked);
              throw new Error("Connection terminated unexpectedly");
            },
    });
    const writing = committer(cut);
    const answers = await Promise.allSettled([writing(next(payment)), writing(around(other))]);
    for (const each of answers) assert.ok(each.status === "rejected" && isUnavailable(each.reason));
    assert.equal(sent, 1);
    assert.equal((await stored(payment))?.revision, 1);
    assert.deepEqual(await beside(payment.id), [1, 1, 1, 1]);
    assert.deepEqual(await beside(other.id), [0, 1, 1, 1]);
  });

  describe("the database itself refuses", () => {
    const update = (change: string) => `UPDATE transactions SET ${change} WHERE bucket = $1 AND id = $2`;
    const insert = (id: string, type: string, pending: boolean) =>
      `INSERT INTO operations (bucket, account_id, transaction_id, id, type, pending, reference, version, created_at)
       VALUES ($1, 1, $2, ${id}, '${type}', ${pending}, 'r', 'v10', now())`;
    const copy = (change: Readonly<Record<string, string>>) => {
      const changed = Object.entries({ id: "t.id + 1000000", ...change }).map(([name, value]) => `'${name}', ${value}`);
      return `INSERT INTO transactions SELECT (json_populate_record(t, json_build_object(${changed.join(", ")}))).*
        FROM transactions t WHERE bucket = $1 AND id = $2`;
    };

    // The payment is authorized for 1000, captured 600, refunded 100, and its renewal is pending.
    const impossible: Readonly<Record<string, { sql: string; code: string }>> = {
      "capturing more than is authorized": { sql: update("captured = 1001"), code: "23514" },
      "reserving more for a capture than is left": { sql: update("capture_pending = 401"), code: "23514" },
      "refunding more than is captured": { sql: update("refunded = 601"), code: "23514" },
      "reserving more for a refund than is left": { sql: update("refund_pending = 501"), code: "23514" },
      "a cancel after a capture": { sql: update("cancelled = true"), code: "23514" },
      "a cancel while a capture is pending": {
        sql: update("cancelled = true, captured = 0, refunded = 0, capture_pending = 1"),
        code: "23514",
      },
      "a capture after a cancel": { sql: update("cancelled = true, captured = 1"), code: "23514" },
      ...Object.fromEntries(
        ["authorized", "captured", "capture_pending", "refunded", "refund_pending"].map((column) => [
          `less than nothing ${column}`,
          { sql: update(`${column} = -1`), code: "23514" },
        ]),
      ),
      "more than 32 bits": { sql: update("authorized = 2147483648"), code: "22003" },
      "a state that does not exist": { sql: update("state = 'paid'"), code: "23514" },
      "an order_id twice": { sql: copy({}), code: "23505" },
      "a link's token twice": { sql: copy({ order_id: "'another'" }), code: "23505" },
      "two pending operations": { sql: insert("9", "capture", true), code: "23505" },
      "an operation's number twice": { sql: insert("1", "capture", false), code: "23505" },
      "an operation without a number": { sql: insert("0", "capture", false), code: "23514" },
      "an operation of no payment": {
        sql: insert("1", "capture", false).replace("$2", "$2::int + 5000000"),
        code: "23503",
      },
      "taking a payment's history away": {
        sql: "DELETE FROM transactions WHERE bucket = $1 AND id = $2",
        code: "23503",
      },
    };
    let id: number;
    before(async () => {
      const totals = { authorized: amount(1000), captured: amount(600), refunded: amount(100) };
      const before = await made();
      id = before.id;
      const renewal = operation({ id: 2, type: "renew", pending: true, status_code: null, finished_at: null });
      const change = next(before, { ...totals, state: "pending", link_token: "2a1".padEnd(64, "0") });
      assert.equal(await commit({ ...change, operations: [operation(), renewal] }), "done");
    });

    for (const [what, { sql, code }] of Object.entries(impossible)) {
      test(what, async () => {
        await assert.rejects(pool.query(sql, [bucket, id]), { code });
      });
    }

    test("and nothing else: up to the last unit all is well", async () => {
      for (const change of ["capture_pending = 400", "captured = 1000, capture_pending = 0", "refunded = 1000"]) {
        assert.equal((await pool.query(update(change), [bucket, id])).rowCount, 1, change);
      }
      const { rowCount } = await pool.query(copy({ type: "'Subscription'", link_token: "NULL" }), [bucket, id]);
      assert.equal(rowCount, 1, "an order_id is taken per kind of transaction");
    });
  });
});

describe("a body at rest", () => {
  const text = fc.option(fc.string(), { nil: null });
  const json = fc.jsonValue({ maxDepth: 3 });
  const object = fc.dictionary(fc.string(), json);
  const address = fc.option(fc.dictionary(fc.string({ minLength: 1 }), text), { nil: null });
  const names = Object.keys(newMetadata(undefined));
  const metadata = fc
    .dictionary(fc.constantFrom(...names), json)
    .map((known) => ({ ...newMetadata({ name: "WooCommerce" }), ...known }));
  const body: fc.Arbitrary<Body> = fc.record({
    description: text,
    unscheduled: fc.boolean(),
    text_on_statement: text,
    branding_id: fc.option(fc.nat(), { nil: null }),
    variables: object,
    shipping_address: address,
    invoice_address: address,
    basket: fc.array(object, { maxLength: 3 }),
    shipping: fc.option(object, { nil: null }),
    metadata,
    link: fc.option(fc.record({ deadline: fc.option(fc.nat(), { nil: null }), amount: fc.nat() }), { nil: null }),
    fee: fc.option(fc.nat(), { nil: null }),
    facilitator: text,
    deadline_at: text,
    link_deadline_at: text,
  });

  test("property: comes back from its row as it went in, member for member", () => {
    fc.assert(
      fc.property(body, (given) => {
        const plain = JSON.parse(JSON.stringify(given));
        const returned = unpackBody(JSON.parse(JSON.stringify(packBody(plain))));
        assert.deepEqual(JSON.parse(JSON.stringify(returned)), plain);
        assert.deepEqual(Object.keys(returned).sort(), Object.keys(given).sort());
      }),
      { numRuns: 1_000 },
    );
  });

  test("of a payment without details nothing rests", () => {
    assert.deepEqual(packBody(newBody(newMetadata(undefined))), {});
    assert.deepEqual(unpackBody({}), newBody(newMetadata(undefined)));
  });
});
