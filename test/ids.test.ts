// Ids of payments: no two alike, small enough for typed clients, and in the order of time.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { bucketOf } from "../src/domain/transaction.ts";
import { idSource } from "../src/storage/ids.ts";
import { createPool } from "../src/storage/pool.ts";
import { type TestDatabase, testDatabase } from "./support/postgres.ts";

type TakeId = (account_id: number) => Promise<number>;

describe("ids", () => {
  let database: TestDatabase;
  let pools: pg.Pool[];
  // As two processes have them: each with connections and blocks of its own.
  let processes: TakeId[];
  before(async () => {
    database = await testDatabase({ migrated: true });
    pools = [1, 2].map((n) => createPool({ url: database.url, max: 5, name: `process ${n}` }));
    processes = pools.map(idSource);
  });
  after(async () => {
    await Promise.all(pools.map((pool) => pool.end()));
    await database.drop();
  });

  const many = (count: number, work: (n: number) => Promise<number>): Promise<number[]> =>
    Promise.all(Array.from({ length: count }, (_, n) => work(n)));
  const counter = async (account_id: number): Promise<number> =>
    (await pools[0]?.query("SELECT next FROM id_blocks WHERE bucket = $1", [bucketOf(account_id)]))?.rows[0].next;
  /** In turn from one process and the other. */
  const take = (n: number, account_id: number): Promise<number> =>
    (processes[n % processes.length] as TakeId)(account_id);

  test("1,000 takers at once in each of two processes get 2,000 different ids", async () => {
    const ids = await many(2_000, (n) => take(n, 100_001));
    assert.equal(new Set(ids).size, 2_000);
    assert.ok(ids.every((id) => Number.isInteger(id) && id > 0 && id < 2 ** 31));
    assert.ok(Math.max(...ids) < 2_000 + 5 * 64, "hardly any is wasted");
  });

  test("accounts that share a bucket share its ids; other buckets count for themselves", async () => {
    const shared = await many(200, (n) => take(n, 100_002 + 1024 * (n % 3)));
    assert.equal(new Set(shared).size, 200);
    assert.equal(await take(0, 100_003), 1);
  });

  test("ids that were taken more than a second apart are in that order, in whatever process", async () => {
    const account_id = 100_004;
    const taken: { readonly id: number; readonly asked_ms: number; readonly given_ms: number }[] = [];
    // One process is always busy, the other now and then; what it keeps meanwhile must not grow old.
    const began = performance.now();
    const takers = [20, 20, 20, 450].map(async (pause_ms, n) => {
      while (performance.now() - began < 3_000) {
        const asked_ms = performance.now();
        const id = await take(n === 3 ? 1 : 0, account_id);
        taken.push({ id, asked_ms, given_ms: performance.now() });
        await sleep(pause_ms);
      }
    });
    await Promise.all(takers);
    let compared = 0;
    for (const earlier of taken) {
      for (const later of taken) {
        if (later.asked_ms - earlier.given_ms < 1_000) continue;
        compared += 1;
        assert.ok(earlier.id < later.id, `${earlier.id} was taken long before ${later.id}`);
      }
    }
    assert.ok(compared > 1_000);
  });

  test("what a busy second leaves of its block is taken up again, unless another process came between", async () => {
    const account_id = 100_006;
    const burst = await many(30, () => take(0, account_id));
    await sleep(1_050);
    assert.equal(await take(0, account_id), Math.max(...burst) + 1);
    const own = await many(5, () => take(0, account_id));
    const other = await take(1, account_id);
    await sleep(1_050);
    assert.ok((await take(0, account_id)) > other);
    const all = [...burst, ...own, other];
    assert.equal(new Set(all).size, all.length);
  });

  test("a shop with a payment now and then wastes none", async () => {
    const ids: number[] = [];
    for (let n = 0; n < 3; n++) {
      ids.push(await take(0, 100_005));
      await sleep(1_050);
    }
    assert.deepEqual(ids, [1, 2, 3]);
  });

  test("in a busy hour few are asked for one by one", async () => {
    const account_id = 100_006;
    let statements = 0;
    const pool = pools[0] as pg.Pool;
    const counted = new Proxy(pool, {
      get(target, name) {
        if (name === "query") statements += 1;
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const source = idSource(counted);
    for (let n = 0; n < 20; n++) await many(64, () => source(account_id));
    assert.ok(statements < 30, `${statements} statements for 1,280 ids`);
  });

  test("they stay below 2^31: the last one is given out, then none", async () => {
    const account_id = 100_007;
    await pools[0]?.query("UPDATE id_blocks SET next = 2147483640 WHERE bucket = $1", [bucketOf(account_id)]);
    const ids: number[] = [];
    const end = await (async () => {
      for (;;) ids.push(await take(0, account_id));
    })().catch((error: unknown) => error);
    assert.equal((end as { code?: string }).code, "22003");
    assert.ok(ids.length > 0 && ids.every((id) => id < 2 ** 31));
    assert.ok((await counter(account_id)) < 2 ** 31);
  });

  test("trouble with the database is over when it is over", async () => {
    const account_id = 100_008;
    let broken = false;
    const pool = pools[0] as pg.Pool;
    const shaky = new Proxy(pool, {
      get: (target, name) =>
        name !== "query"
          ? Reflect.get(target, name)
          : (asked: pg.QueryConfig) => (broken ? Promise.reject(new Error("out of reach")) : target.query(asked)),
    });
    const source = idSource(shaky);
    const first = await many(100, () => source(account_id));
    broken = true;
    const during = await Promise.allSettled(Array.from({ length: 200 }, () => source(account_id)));
    assert.ok(during.some(({ status }) => status === "rejected"));
    broken = false;
    const after = await many(100, () => source(account_id));
    assert.equal(new Set([...first, ...after]).size, 200);
  });
});
