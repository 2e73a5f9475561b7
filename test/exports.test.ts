// Exports: a list as a file, complete, safe to open, and nobody else's.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { csvLine, csvStart } from "../src/domain/csv.ts";
import { bucketOf } from "../src/domain/transaction.ts";
import { export_resources } from "../src/services/exports.ts";
import { forgetExports, insertExport, writeChunk } from "../src/storage/exports.ts";
import { type Answer, type Client, eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { newKey } from "./support/members.ts";

let app: TestApp;
let shop: TestAccount;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
  for (const [order_id, amount] of [
    ["export-1", 100],
    ["-23 cmd", 200],
    ["export-3", null],
  ] as const) {
    const variables = { note: "a;b", quoted: 'say "hi"' };
    const made = await shop.call("POST", "/payments", { body: { order_id, currency: "DKK", variables } });
    assert.equal(made.status, 201, made.text);
    if (amount === null) continue;
    const card = { number: "1000000000000008", expiration: "3112", cvd: "208" };
    const body = { amount, card, auto_capture: true };
    await shop.call("POST", `/payments/${made.body.id}/authorize?synchronized`, { body });
  }
  await shop.call("POST", "/subscriptions", { body: { order_id: "sub-1", currency: "DKK", description: "=1+1" } });
  await shop.call("POST", "/cards", { body: {} });
  await shop.call("POST", "/payouts", { body: { order_id: "out-1", currency: "DKK" } });
});
after(() => app.stop());

type Wish = { readonly resource: string; readonly delimiter?: string; readonly filters?: object };

const ask = (body: Wish, call: Client = shop.owner): Promise<Answer> => call("POST", "/exports", { body });

/** The worker is at such a statement, and waits for somebody who holds a lock. */
const waits = (statement: string): Promise<boolean> =>
  eventually(async () => {
    const { rows } = await app.services.pool.query(
      `SELECT FROM pg_stat_activity
       WHERE query LIKE $1 || '%' AND wait_event_type = 'Lock' AND datname = current_database()`,
      [statement],
    );
    return rows.length > 0;
  }, statement);

/** The path of a file that is ready. */
async function ready(asked: Answer): Promise<string> {
  assert.equal(asked.status, 202, asked.text);
  const path = `/exports/${asked.body.id}`;
  await eventually(async () => (await shop.owner("GET", path)).body.state === "ready", "the export");
  return `${path}/file`;
}

const file = async (wish: Wish): Promise<string> => (await shop.owner("GET", await ready(await ask(wish)))).text;

/** Rows by their headings (RFC 4180). */
function read(text: string, delimiter = ","): Record<string, string>[] {
  const lines: string[][] = [[]];
  for (const [, quoted, plain = "", end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",;\r\n]*))([,;]|\r\n)/g)) {
    lines.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === "\r\n") lines.push([]);
    else assert.equal(end, delimiter);
  }
  const [names = [], ...rows] = lines.slice(0, -1);
  return rows.map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i] ?? "missing"])));
}

describe("a file", () => {
  test("is the list with its amounts, currency and times, made in the background", async () => {
    const asked = await ask({ resource: "payments" });
    const { id, created_at, ...rest } = asked.body;
    assert.deepEqual(rest, { resource: "payments", format: "csv", state: "pending", rows: null, expires_at: null });
    assert.equal(asked.headers.get("location"), `${app.url}/exports/${id}`);
    const { headers, text } = await shop.owner("GET", await ready(asked));
    assert.equal(headers.get("content-type"), "text/csv; charset=UTF-8");
    assert.equal(headers.get("content-disposition"), `attachment; filename="payments-${id}.csv"`);
    assert.equal(headers.get("content-length"), String(Buffer.byteLength(text)));

    const rows = read(text);
    assert.deepEqual(
      rows.map(({ order_id, state, captured, currency }) => [order_id, state, captured, currency]),
      [
        ["export-1", "processed", "100", "DKK"],
        ["'-23 cmd", "processed", "200", "DKK"],
        ["export-3", "initial", "0", "DKK"],
      ],
    );
    assert.deepEqual(JSON.parse(rows[0]?.variables ?? ""), { note: "a;b", quoted: 'say "hi"' });
    assert.equal(rows[0]?.metadata_last4, "0008");
    // In the newest version's words: instants have milliseconds.
    const newest = { headers: { "Accept-Version": "v11b" } };
    const { body: first } = await shop.call("GET", "/payments?order_id=export-1", newest);
    assert.deepEqual([rows[0]?.id, rows[0]?.created_at], [String(first[0].id), first[0].created_at]);
    const { body: now } = await shop.owner("GET", `/exports/${id}`);
    assert.equal(now.rows, 3);
    assert.equal(Date.parse(now.expires_at) - Date.parse(created_at) >= 7 * 86_400_000, true);
    assert.equal((await shop.owner("GET", "/exports")).body[0].id, id);
  });

  test("holds what the list's own filters leave, of every resource", async () => {
    const processed = read(
      await file({ resource: "payments", filters: { state: "processed", timestamp: "updated_at" } }),
    );
    assert.deepEqual(
      processed.map(({ order_id }) => order_id),
      ["export-1", "'-23 cmd"],
    );
    assert.deepEqual(read(await file({ resource: "payments", filters: { date: { year: "2001" } } })), []);
    const operations = read(await file({ resource: "operations", filters: { order_id: "export-1" } }));
    assert.deepEqual(
      operations.map(({ type, amount, status_code, currency }) => [type, amount, status_code, currency]),
      [
        ["authorize", "100", "20000", "DKK"],
        ["capture", "100", "20000", "DKK"],
      ],
    );
    const counts: Record<string, number> = { operations: 4 };
    for (const resource of export_resources.filter((name) => name !== "operations" && name !== "requests"))
      counts[resource] = (await shop.owner("GET", `/${resource}?page_size=100`)).body.length;
    const counted = async ([resource, count]: [string, number]): Promise<void> =>
      assert.equal(read(await file({ resource })).length, count, resource);
    const all = Object.entries(counts);
    await Promise.all(all.slice(0, 4).map(counted));
    await Promise.all(all.slice(4).map(counted));
    assert.equal(read(await file({ resource: "subscriptions" }))[0]?.description, "'=1+1");
    await eventually(async () => (await shop.call("GET", "/requests?path=/payouts")).body.length > 0);
    const [request] = read(await file({ resource: "requests", filters: { path: "/payouts", method: "POST" } }));
    assert.deepEqual([request?.method, request?.path, request?.status], ["POST", "/payouts", "201"]);
  });

  test("may have semicolons, for spreadsheets that expect them: then it begins with a mark", async () => {
    const path = await ready(await ask({ resource: "payouts", delimiter: ";" }));
    const response = await fetch(app.url + path, {
      headers: { Authorization: `Basic ${Buffer.from(`:${shop.api_key}`).toString("base64")}` },
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    assert.deepEqual([...bytes.subarray(0, 3)], [0xef, 0xbb, 0xbf]);
    assert.equal(read(bytes.toString("utf8").slice(1), ";")[0]?.order_id, "out-1");
    assert.equal((await shop.call("HEAD", path)).text, "");
  });

  test("of many thousands is whole, in order, and comes in chunks", async () => {
    const { pool } = app.services;
    const many = await app.newAccount();
    const { body } = await many.call("POST", "/payments", { body: { order_id: "many-0", currency: "DKK" } });
    await pool.query(
      `INSERT INTO transactions SELECT (json_populate_record(t, json_build_object('id', t.id + n, 'order_id', 'many-' || n))).*
       FROM transactions t, generate_series(1, 2500) n WHERE t.bucket = $1 AND t.id = $2`,
      [bucketOf(many.id), body.id],
    );
    // The worker waits at its first chunk while the rest of the list changes: the file shows one moment.
    const holding = await pool.connect();
    let id = 0;
    try {
      await holding.query("BEGIN; LOCK TABLE export_chunks IN ACCESS EXCLUSIVE MODE");
      id = (await ask({ resource: "payments" }, many.owner)).body.id;
      await waits("INSERT INTO export_chunks");
      const { rowCount } = await pool.query("UPDATE transactions SET order_id = 'late-' || id WHERE bucket = $1", [
        bucketOf(many.id),
      ]);
      assert.equal(rowCount, 2_501);
    } finally {
      await holding.query("ROLLBACK");
      holding.release();
    }
    await eventually(async () => (await many.owner("GET", `/exports/${id}`)).body.state === "ready", "the export");
    const { rows: chunks } = await pool.query("SELECT FROM export_chunks WHERE export_id = $1 AND bucket = $2", [
      id,
      bucketOf(many.id),
    ]);
    assert.ok(chunks.length > 1, `${chunks.length} chunks`);
    const rows = read((await many.owner("GET", `/exports/${id}/file`)).text);
    assert.deepEqual(
      rows.map(({ order_id }) => order_id),
      Array.from({ length: 2_501 }, (_, n) => `many-${n}`),
    );
  });

  test("cells that a spreadsheet would run are quoted, and RFC 4180 is kept", () => {
    assert.equal(
      csvLine(["=1", "+1", "-1", "@a", "\ta", "\ra", "a=1", -1], ","),
      "'=1,'+1,'-1,'@a,'\ta,\"'\ra\",a=1,-1\r\n",
    );
    assert.equal(csvLine(['a"b', "a,b", "a;b", "a\nb", "", null, true], ";"), '"a""b";"a,b";"a;b";"a\nb";;;true\r\n');
    assert.deepEqual([csvStart(","), csvStart(";")], ["", "\ufeff"]);
  });
});

describe("asking", () => {
  test("is refused in the list's own words", async () => {
    for (const [wish, errors] of [
      [{ resource: "users" }, { resource: ["does not have a valid value"] }],
      [{ resource: "payments", format: "xlsx" }, { format: ["does not have a valid value"] }],
      [{ resource: "payments", delimiter: "|" }, { delimiter: ["does not have a valid value"] }],
      [{ resource: "payments", filters: { state: "active" } }, { "filters[state]": ["does not have a valid value"] }],
      [{ resource: "payments", filters: { date: { month: 2 } } }, { "filters[date][year]": ["is missing"] }],
      [{ resource: "payments", filters: { date: { day: 40 } } }, { "filters[date][day]": ["is invalid"] }],
      [{ resource: "requests", filters: { since: "soon" } }, { "filters[since]": ["is invalid"] }],
      [{ resource: "payments", filters: "state=new" }, { filters: ["is invalid"] }],
    ] as const) {
      const { status, body } = await ask(wish as Wish);
      assert.deepEqual([status, body.errors], [400, errors], JSON.stringify(wish));
    }
  });

  test("is for owners and whom they let; nobody gets by an export what they may not read", async () => {
    assert.equal((await ask({ resource: "payments" }, shop.call)).status, 403, "an API User only fetches");
    const trail = await ready(await ask({ resource: "activity" }));
    const refused = await shop.call("GET", trail);
    assert.deepEqual([refused.status, refused.text], [403, ""]);
    const clerk = await newKey(app, shop, ["POST /exports", "GET /exports/:id", "GET /payouts"]);
    assert.equal((await ask({ resource: "payouts" }, clerk.call)).status, 202);
    const beyond = await ask({ resource: "payments" }, clerk.call);
    assert.equal(beyond.body.message, "Not authorized: Not authorized to GET /payments");
    const operations = { resource: "operations", filters: { resource_type: "Payout" } };
    assert.equal((await ask(operations, clerk.call)).status, 202);
    assert.equal((await ask({ resource: "operations" }, clerk.call)).status, 403);
    const other = await app.newAccount();
    for (const path of [trail, trail.replace("/file", "")])
      assert.equal((await other.owner("GET", path)).status, 404, path);
    assert.deepEqual((await other.owner("GET", "/exports")).body, []);
  });

  test("twice with one Idempotency-Key makes one", async () => {
    const sent = { body: { resource: "cards" }, headers: { "Idempotency-Key": "cards" } };
    const [one, two] = [await shop.owner("POST", "/exports", sent), await shop.owner("POST", "/exports", sent)];
    assert.deepEqual([one.body.id, two.headers.get("idempotency-replayed")], [two.body.id, "true"]);
  });

  test("waits its turn: five at most, 404 until then; what a lost process left is begun anew by another", async () => {
    const { pool } = app.services;
    const bucket = bucketOf(shop.id);
    // The worker takes the oldest first, and waits for it as long as somebody holds its row.
    const first = {
      account_id: shop.id,
      id: 2_000_000,
      resource: "cards",
      format: "csv",
      delimiter: ",",
      filters: {},
    } as const;
    await eventually(async () =>
      (await shop.owner("GET", "/exports?page_size=100")).body.every(
        ({ state }: Answer["body"]) => state !== "pending",
      ),
    );
    const holding = await pool.connect();
    try {
      await holding.query("BEGIN");
      await insertExport(holding, { ...first, created_at: new Date(0) });
      await holding.query("COMMIT; BEGIN");
      await holding.query("SELECT FROM exports WHERE bucket = $1 AND id = $2 FOR UPDATE", [bucket, first.id]);
      await waits("UPDATE exports");
      const asked = await Promise.all(Array.from({ length: 7 }, () => ask({ resource: "payouts" })));
      const taken = asked.filter(({ status }) => status === 202);
      const full = asked.filter(({ status }) => status === 409);
      assert.deepEqual([taken.length, full.length], [4, 3], "with the first they are five");
      assert.equal(full[0]?.body.message, "Conflict: at most 5 exports may be pending");
      const waiting = await shop.owner("GET", `/exports/${taken[0]?.body.id}/file`);
      assert.deepEqual([waiting.status, waiting.text], [404, ""]);

      // A process was killed while it made this one.
      const id: number = taken[0]?.body.id;
      await pool.query("UPDATE exports SET attempts = 1 WHERE bucket = $1 AND id = $2", [bucket, id]);
      await writeChunk(pool, { account_id: shop.id, id, attempt: 1, position: 0 }, Buffer.from("half a fi"));
      await holding.query("COMMIT");
      for (const answer of taken) {
        const { text } = await shop.owner("GET", await ready(answer));
        assert.deepEqual(
          read(text).map(({ order_id }) => order_id),
          ["out-1"],
        );
      }
      const { rows } = await pool.query("SELECT attempt FROM export_chunks WHERE bucket = $1 AND export_id = $2", [
        bucket,
        id,
      ]);
      assert.deepEqual(rows, [{ attempt: 2 }]);
      // One that has ended ten processes is given up.
      const fatal = { ...first, id: first.id + 1 };
      await holding.query("BEGIN");
      await insertExport(holding, { ...fatal, created_at: new Date(0) });
      await holding.query("UPDATE exports SET attempts = 10 WHERE bucket = $1 AND id = $2", [bucket, fatal.id]);
      await holding.query("COMMIT");
      const { state, rows: none } = await eventually(async () => {
        const { body } = await shop.owner("GET", `/exports/${fatal.id}`);
        return body.state !== "pending" && body;
      }, "its end");
      assert.deepEqual([state, none], ["failed", null]);
    } finally {
      await holding.query("ROLLBACK");
      holding.release();
    }
  });

  test("a week later it is gone", async () => {
    const path = await ready(await ask({ resource: "cards" }));
    app.advance(7 * 86_400 + 60);
    for (const gone of [path, path.replace("/file", "")]) assert.equal((await shop.owner("GET", gone)).status, 404);
    assert.deepEqual((await shop.owner("GET", "/exports")).body, []);
    await forgetExports(app.services.pool, app.services.clock.now());
    const left = await app.services.pool.query("SELECT FROM export_chunks UNION ALL SELECT FROM exports");
    assert.equal(left.rowCount, 0);
  });
});
