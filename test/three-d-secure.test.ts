// 3-D Secure in test mode: the simulated server and issuer, the pages that a shopper meets, and the simulated provider.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import pg from "pg";
import { createDirectoryServer } from "../src/acquirers/simulator/directory-server.ts";
import { type PageRequest, simulatorPages } from "../src/acquirers/simulator/pages.ts";
import type { Authenticate, Authenticated, Browser } from "../src/acquirers/three-d-secure.ts";
import type { Card } from "../src/domain/card.ts";
import { test_cards } from "../src/domain/test-cards.ts";
import { threeDSecureFor } from "../src/services/acquiring.ts";
import type { Services } from "../src/services/services.ts";
import { patience } from "./support/acquirer-contract.ts";
import { type TestDatabase, testDatabase } from "./support/postgres.ts";

const window_url = "https://window.example";
const notification_url = `${window_url}/abc/3ds-result`;
const method_notification_url = `${window_url}/abc/3ds-method`;

let database: TestDatabase;
let pool: pg.Pool;
// It stands still, so that a test can stop just before something is due.
let now_ms = Date.UTC(2026, 0, 12, 9, 14);
const advance = (ms: number): void => {
  now_ms += ms;
};
let server: ReturnType<typeof createDirectoryServer>;
let pages: ReturnType<typeof simulatorPages>;
before(async () => {
  database = await testDatabase({ migrated: true });
  pool = new pg.Pool({ connectionString: database.url, max: 4 });
  const simulated = { pool, clock: { now: () => new Date(now_ms) }, pages_url: () => window_url };
  server = createDirectoryServer(simulated);
  pages = simulatorPages(simulated);
});
after(async () => {
  await pool.end();
  await database.drop();
});

const numberOf = (brand: string): string => test_cards.find((card) => card.brand === brand)?.number ?? "";
const cardFor = (exp_month: number, brand = "visa"): Card => ({
  number: numberOf(brand),
  exp_month,
  exp_year: 2031,
  cvd: "9173",
  brand,
  issued_to: "Ida Holm",
  three_d_secure: null,
});

const browser: Browser = {
  ip: "192.0.2.1",
  accept: "text/html",
  user_agent: "test",
  language: "da-DK",
  javascript_enabled: false,
  java_enabled: null,
  color_depth: null,
  screen_height: null,
  screen_width: null,
  timezone: null,
};

async function ready(card: Card) {
  const prepared = await server.prepare({ card, method_notification_url }, patience());
  assert.ok(prepared.kind === "ready", prepared.kind);
  assert.ok(prepared.method);
  return { ...prepared, method: prepared.method };
}

const asked = (transaction_id: string, card: Card, more: Partial<Authenticate> = {}): Authenticate => ({
  transaction_id,
  message_version: "2.2.0",
  card,
  purpose: "payment",
  amount: 24_900,
  currency: "DKK",
  merchant_name: `Kop & <b>"Kande"</b>`,
  settings: {},
  browser,
  method_completed: "N",
  notification_url,
  ...more,
});

async function authenticated(card: Card, more: Partial<Authenticate> = {}) {
  const { transaction_id } = await ready(card);
  const answer = await server.authenticate(asked(transaction_id, card, more), patience());
  assert.ok(answer.kind === "answered", JSON.stringify(answer));
  return { transaction_id, answer };
}

const result = (transaction_id: string) => server.result(transaction_id, patience());

async function status(transaction_id: string): Promise<string> {
  const found = await result(transaction_id);
  return found.kind === "answered" ? `${found.status} ${found.eci} ${found.type}` : found.kind;
}

const told = (answer: Authenticated): string =>
  answer.kind === "answered" ? `${answer.status} ${answer.eci} ${answer.type}` : answer.reason;

const pathOf = (url: string): string => url.slice(window_url.length);
const get = (path: string) => pages({ method: "GET", path, body: {} });
const post = (path: string, body: PageRequest["body"]) => pages({ method: "POST", path, body });

/** A hidden field of the page's form, and where that goes. */
function formOf(page: string, name: string): { readonly action: string; readonly value: Record<string, string> } {
  const action = /<form method="post" action="([^"]+)" data-submit>/.exec(page)?.[1] ?? "";
  const value = new RegExp(`name="${name}" value="([^"]+)"`).exec(page)?.[1] ?? "";
  return { action, value: JSON.parse(Buffer.from(value, "base64url").toString() || "{}") };
}

/** A challenge whose page the shopper has open. */
async function opened(card = cardFor(12)) {
  const { transaction_id, answer } = await authenticated(card);
  assert.ok(answer.challenge);
  const { acs_url, creq } = answer.challenge;
  const page = await post(pathOf(acs_url), { creq });
  assert.equal(page.status, 200);
  const here = /<form method="post" action="([^"]+)">/.exec(page.html)?.[1] ?? "";
  return { transaction_id, page, here, creq, acs_url };
}

describe("the simulated 3-D Secure server", () => {
  test("answers by the expiry month, with the scheme's own indicator", async () => {
    for (const [month, visa, mastercard] of [
      [1, "Y 05 frictionless", "Y 02 frictionless"],
      [2, "A 06 frictionless", "A 01 frictionless"],
      [3, "N 07 frictionless", "N 00 frictionless"],
      [4, "U 07 frictionless", "U 00 frictionless"],
      [5, "R 07 frictionless", "R 00 frictionless"],
      [6, "Y 05 frictionless", "Y 02 frictionless"],
    ] as const) {
      for (const [brand, expected] of [
        ["visa", visa],
        ["mastercard", mastercard],
      ] as const) {
        const { transaction_id, answer } = await authenticated(cardFor(month, brand));
        assert.equal(told(answer), expected, `${brand} ${month}`);
        assert.equal(answer.challenge, null);
        const proof = Buffer.from(answer.cavv ?? "", "base64").length;
        assert.equal(proof, ["Y", "A"].includes(answer.status) ? 20 : 0);
        assert.equal(await status(transaction_id), expected, "the result is the same");
      }
    }
    for (const month of [7, 8, 9, 10, 11, 12]) {
      const { transaction_id, answer } = await authenticated(cardFor(month));
      assert.equal(told(answer), "C null challenge");
      assert.equal(await status(transaction_id), "waiting");
    }
  });

  test("answers a repeat as before, whatever the card is by then", async () => {
    const { transaction_id, answer } = await authenticated(cardFor(3));
    assert.deepEqual(await server.authenticate(asked(transaction_id, cardFor(1)), patience()), answer);
    const challenged = await authenticated(cardFor(12));
    const again = await server.authenticate(asked(challenged.transaction_id, cardFor(1)), patience());
    assert.deepEqual(again, challenged.answer);
  });

  test("never authenticates a card that is not a test card", async () => {
    const card = { ...cardFor(1), number: "4571111111111112" };
    const prepared = await server.prepare({ card, method_notification_url }, patience());
    assert.deepEqual(prepared, { kind: "unavailable" });
    const { transaction_id } = await ready(cardFor(1));
    const answer = await server.authenticate(asked(transaction_id, card), patience());
    assert.equal(told(answer), "not a test card");
    assert.equal((await result(transaction_id)).kind, "unknown");
  });

  test("is asked for test transactions alone", () => {
    const services = { three_d_secure: { simulator: server, live: null } } as unknown as Services;
    assert.equal(threeDSecureFor(services, true), server);
    assert.equal(threeDSecureFor(services, false), null);
  });

  test("does not know other ids, nor those that were prepared 15 minutes ago", async () => {
    const { transaction_id } = await ready(cardFor(1));
    for (const id of ["00000000-0000-4000-8000-000000000000", "' OR true --", ""]) {
      assert.equal(told(await server.authenticate(asked(id, cardFor(1)), patience())), "unknown threeDSServerTransID");
      assert.equal((await result(id)).kind, "unknown");
    }
    assert.equal((await result(transaction_id)).kind, "unknown", "not before it is authenticated");
    advance(15 * 60_000);
    const late = await server.authenticate(asked(transaction_id, cardFor(1)), patience());
    assert.equal(told(late), "the threeDSServerTransID has expired");
  });

  test("says unknown, never no, when its book cannot be reached or the caller stops waiting", async () => {
    const gone = new pg.Pool({ connectionString: database.url, max: 1 });
    await gone.end();
    const cut_off = createDirectoryServer({
      pool: gone,
      clock: { now: () => new Date(now_ms) },
      pages_url: () => window_url,
    });
    const { transaction_id } = await ready(cardFor(1));
    assert.equal((await cut_off.authenticate(asked(transaction_id, cardFor(1)), patience())).kind, "unknown");
    assert.equal((await cut_off.prepare({ card: cardFor(1), method_notification_url }, patience())).kind, "unknown");
    assert.equal((await server.result(transaction_id, AbortSignal.abort())).kind, "unknown");
  });

  test("keeps nothing of the card, and nothing for longer than a day", async () => {
    await authenticated(cardFor(12));
    const { rows } = await pool.query("SELECT * FROM simulator.authentications");
    // Random names may hold any four digits.
    const text = JSON.stringify(rows.map(({ transaction_id: _, acs_transaction_id: __, ...row }) => row));
    for (const secret of [numberOf("visa"), numberOf("mastercard"), "9173", "2031", "Ida Holm", "192.0.2.1"]) {
      assert.ok(!text.includes(secret), secret);
    }
    advance(86_400_001);
    for (let i = 0; i < Math.ceil(rows.length / 10); i++) await ready(cardFor(1));
    const { rows: kept } = await pool.query("SELECT count(*)::int AS n FROM simulator.authentications");
    assert.equal(kept[0]?.n, Math.ceil(rows.length / 10));
  });
});

describe("the 3-D Secure method", () => {
  test("reports back to the window, with the transaction's id", async () => {
    const { transaction_id, method } = await ready(cardFor(1));
    assert.equal(method.url, `${window_url}/simulator/3ds/method`);
    const page = await post(pathOf(method.url), { threeDSMethodData: method.data });
    assert.equal(page.status, 200);
    assert.deepEqual(formOf(page.html, "threeDSMethodData"), {
      action: method_notification_url,
      value: { threeDSServerTransID: transaction_id },
    });
  });

  test("never reports back for a card of June", async () => {
    const { method } = await ready(cardFor(6));
    const page = await post(pathOf(method.url), { threeDSMethodData: method.data });
    assert.equal(page.status, 200);
    assert.ok(!page.html.includes("<form"));
  });

  test("posts nowhere but to the window", async () => {
    const { transaction_id, method } = await ready(cardFor(1));
    const pack = (message: object) => Buffer.from(JSON.stringify(message)).toString("base64url");
    for (const url of ["https://elsewhere.example/", "javascript:alert(1)", `${window_url}.evil.example/`, ""]) {
      const data = pack({ threeDSServerTransID: transaction_id, threeDSMethodNotificationURL: url });
      assert.equal((await post(pathOf(method.url), { threeDSMethodData: data })).status, 400, url);
    }
    for (const data of [
      "",
      "!",
      pack([]),
      pack({}),
      Buffer.from("null").toString("base64url"),
      "A".repeat(5_000_000),
    ]) {
      assert.equal((await post(pathOf(method.url), { threeDSMethodData: data })).status, 400, data.slice(0, 20));
    }
    const unknown = { threeDSServerTransID: "nobody", threeDSMethodNotificationURL: method_notification_url };
    assert.equal((await post(pathOf(method.url), { threeDSMethodData: pack(unknown) })).status, 404);
  });
});

describe("the challenge", () => {
  for (const [wish, expected] of [
    ["approve", "Y 05 challenge"],
    ["fail", "N 07 challenge"],
  ] as const) {
    test(`${wish}: the result says so, and the browser takes the news to the window`, async () => {
      const { transaction_id, here, page } = await opened();
      assert.match(page.html, /Kop &amp; &lt;b&gt;&quot;Kande&quot;&lt;\/b&gt;/);
      assert.match(page.html, /249\.00 DKK/);
      assert.equal(await status(transaction_id), "waiting");
      const over = await post(here, { answer: wish });
      assert.equal(over.status, 200);
      assert.match(over.headers["Content-Security-Policy"] ?? "", /form-action 'self' https:\/\/window\.example;/);
      const { action, value } = formOf(over.html, "cres");
      assert.equal(action, notification_url);
      assert.equal(value.transStatus, expected.slice(0, 1));
      assert.equal(value.threeDSServerTransID, transaction_id);
      assert.equal(value.messageType, "CRes");
      assert.equal(await status(transaction_id), expected);
    });
  }

  test("approves by itself 5 s after it was opened, without a script", async () => {
    const { transaction_id, page, here } = await opened();
    assert.equal(page.headers.Refresh, `5; url=${here}`);
    advance(4_999);
    const still = await get(here);
    assert.equal(still.headers.Refresh, `1; url=${here}`);
    assert.equal(await status(transaction_id), "waiting");
    advance(1);
    assert.equal(formOf((await get(here)).html, "cres").value.transStatus, "Y");
    assert.equal(await status(transaction_id), "Y 05 challenge");
    const late = await post(here, { answer: "fail" });
    assert.equal(late.status, 409, "the approval came first");
    assert.equal(await status(transaction_id), "Y 05 challenge");
  });

  test("waits for whoever asks for time, and opening it again does not start the clock anew", async () => {
    const first = await opened();
    advance(3_000);
    const again = await post(pathOf(first.acs_url), { creq: first.creq });
    assert.equal(again.headers.Refresh, `2; url=${first.here}`);
    const calm = await post(first.here, { answer: "wait" });
    assert.equal(calm.headers.Refresh, undefined);
    assert.ok(!calm.html.includes("Give me time"));
    advance(60_000);
    assert.equal(await status(first.transaction_id), "waiting");
    await post(pathOf(first.acs_url), { creq: first.creq });
    advance(60_000);
    await post(first.here, { answer: "fail" });
    assert.equal(await status(first.transaction_id), "N 07 challenge");
  });

  test("answered twice: the first answer stands, and the second is told so", async () => {
    const { transaction_id, here, creq, acs_url } = await opened();
    await post(here, { answer: "fail" });
    const second = await post(here, { answer: "approve" });
    assert.equal(second.status, 409);
    assert.match(second.html, /Already answered/);
    assert.match(second.html, /changed nothing/);
    assert.equal((await post(here, { answer: "fail" })).status, 200, "a double click goes on");
    assert.equal((await post(here, { answer: "wait" })).status, 200);
    assert.equal(formOf((await post(pathOf(acs_url), { creq })).html, "cres").value.transStatus, "N");
    assert.equal(await status(transaction_id), "N 07 challenge");
  });

  test("of answers that come together one stands, and the result never changes", async () => {
    for (let round = 0; round < 5; round++) {
      const { transaction_id, here } = await opened();
      const answers = await Promise.all(["approve", "fail", "approve", "fail"].map((answer) => post(here, { answer })));
      const stands = (await status(transaction_id)).startsWith("Y") ? "Y" : "N";
      const statuses = answers.map((page) => page.status);
      assert.deepEqual(statuses, stands === "Y" ? [200, 409, 200, 409] : [409, 200, 409, 200]);
      for (const page of answers) assert.equal(formOf(page.html, "cres").value.transStatus, stands);
    }
  });

  test("has failed when nobody answered for 15 minutes, or never opened it", async () => {
    const { transaction_id, here } = await opened();
    await post(here, { answer: "wait" });
    const { transaction_id: unopened, answer } = await authenticated(cardFor(12));
    advance(15 * 60_000 - 1);
    assert.equal(await status(transaction_id), "waiting");
    advance(1);
    const late = await post(here, { answer: "approve" });
    assert.equal(late.status, 410);
    assert.match(late.html, /Too late/);
    assert.equal(formOf(late.html, "cres").value.transStatus, "N");
    assert.equal(await status(transaction_id), "N 07 challenge");
    assert.ok(answer.challenge);
    const unseen = await post(pathOf(answer.challenge.acs_url), { creq: answer.challenge.creq });
    assert.equal(unseen.status, 410);
    assert.equal(await status(unopened), "N 07 challenge");
  });

  test("cannot be answered before it is opened, nor by what was no challenge", async () => {
    const { transaction_id, answer } = await authenticated(cardFor(12));
    const { acsTransID } = JSON.parse(Buffer.from(answer.challenge?.creq ?? "", "base64url").toString());
    assert.equal((await post(`/simulator/3ds/challenge/${acsTransID}`, { answer: "approve" })).status, 200);
    assert.equal(await status(transaction_id), "waiting");
    const { rows } = await pool.query<{ acs: string; id: string }>(
      `INSERT INTO simulator.authentications (method_ends, status, notification_url, prepared_at, authenticated_at)
       VALUES (true, 'N', $1, $2, $2) RETURNING acs_transaction_id AS acs, transaction_id AS id`,
      [notification_url, new Date(now_ms)],
    );
    assert.equal((await post(`/simulator/3ds/challenge/${rows[0]?.acs}`, { answer: "approve" })).status, 404);
    assert.equal(await status(rows[0]?.id ?? ""), "N 07 frictionless");
  });

  test("is not there under other ids, and an odd request is told so", async () => {
    const { here, creq, acs_url, transaction_id } = await opened();
    const other = await opened();
    const mixed = {
      ...JSON.parse(Buffer.from(creq, "base64url").toString()),
      threeDSServerTransID: other.transaction_id,
    };
    const sent = Buffer.from(JSON.stringify(mixed)).toString("base64url");
    assert.equal((await post(pathOf(acs_url), { creq: sent })).status, 404);
    for (const id of [transaction_id, "nobody", "", "../provider/1", "%00"]) {
      assert.equal((await get(`/simulator/3ds/challenge/${id}`)).status, 404, id);
      assert.equal((await post(`/simulator/3ds/challenge/${id}`, { answer: "approve" })).status, 404, id);
    }
    for (const body of [{}, { answer: "constructor" }, { answer: ["approve"] }, { answer: null }]) {
      assert.equal((await post(here, body)).status, 400);
    }
    assert.equal((await post(pathOf(acs_url), { creq: "?" })).status, 400);
    assert.equal((await pages({ method: "DELETE", path: here, body: {} })).status, 405);
    assert.equal(await status(transaction_id), "waiting");
  });
});

test("every page says that it is a test, and needs no inline script or style", async () => {
  const { page, here } = await opened();
  const { method } = await ready(cardFor(1));
  const shown = [
    page,
    await post(here, { answer: "wait" }),
    await post(here, { answer: "approve" }),
    await post(here, { answer: "fail" }),
    await post(pathOf(method.url), { threeDSMethodData: method.data }),
    await get("/simulator/nothing"),
    await get("/simulator/constructor"),
  ];
  for (const { html, headers } of shown) {
    assert.match(html, /^<!doctype html>\n<html lang="en">/);
    assert.match(html, /<title>[^<]+<\/title>/);
    assert.match(html, /Test mode: no money moves/);
    assert.equal(html.match(/<h1>/g)?.length, 1);
    assert.ok(!/ style=| on\w+=|<style|<script>/.test(html));
    assert.match(headers["Content-Security-Policy"] ?? "", /^default-src 'none'; style-src 'self'; script-src 'self';/);
    assert.equal(headers["Cache-Control"], "no-store");
  }
  for (const [path, type] of [
    ["/simulator/simulator.css", "text/css; charset=utf-8"],
    ["/simulator/submit.js", "text/javascript; charset=utf-8"],
  ] as const) {
    const { status, headers, html } = await get(path);
    assert.deepEqual([status, headers["Content-Type"]], [200, type]);
    assert.ok(html.length > 50);
  }
});
