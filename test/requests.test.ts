// The request log: a developer finds every request and why it was refused; a thief finds nothing.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isLuhn } from "../src/domain/luhn.ts";
import { requestBook } from "../src/services/request-log.ts";
import { forgetRequests, insertRequests } from "../src/storage/requests.ts";
import { type Answer, eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { newKey } from "./support/members.ts";

let app: TestApp;
let shop: TestAccount;
let other: TestAccount;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
  other = await app.newAccount();
});
after(() => app.stop());

const idOf = ({ headers }: Answer): string => headers.get("x-request-id") ?? "";

/** The entry that an answer's X-Request-Id names, once it is written. */
const entry = (answer: Answer, who = shop): Promise<Answer["body"]> =>
  eventually(async () => {
    const { status, body } = await who.call("GET", `/requests/${idOf(answer)}`);
    return status === 200 && body;
  }, "the entry");

const order = { order_id: "request-1", currency: "DKK" };

describe("a request", () => {
  test("is listed with who, when, what and how it ended", async () => {
    const made = await shop.call("POST", "/payments?x=1", { body: order, headers: { "Accept-Version": "v09" } });
    const { at, duration, agreement_id, ...rest } = await entry(made);
    assert.deepEqual(rest, {
      id: idOf(made),
      method: "POST",
      path: "/payments",
      status: 201,
      version: "v09",
      ip: "127.0.0.1",
      ...{ query: null, request_headers: null, request_body: null, response_headers: null, response_body: null },
    });
    assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000 && Number.isInteger(duration) && agreement_id > 0);
    const [first] = (await shop.call("GET", "/requests?path=/payments&method=POST&page_size=1")).body;
    assert.deepEqual(first, { id: rest.id, at, duration, agreement_id, ...first, path: "/payments", status: 201 });
  });

  test("that was refused shows headers and bodies, in the words of both sides", async () => {
    const refused = await shop.call("POST", "/payments?autofee=1", { body: { ...order, currency: "Euro" } });
    const { query, request_headers, request_body, response_headers, response_body } = await entry(refused);
    assert.deepEqual([query, request_body], [{ autofee: "1" }, { ...order, currency: "Euro" }]);
    assert.equal(request_headers["content-type"], "application/json");
    assert.equal(request_headers.authorization, "[hidden]");
    assert.equal(response_headers["Content-Type"], "application/json; charset=UTF-8");
    assert.deepEqual(response_body, refused.body);
  });

  test("is kept whole until `logging_stops_at`, and not after it", async () => {
    const stops = (at: string | null) => other.owner("PATCH", "/account", { body: { logging_stops_at: at } });
    const now = app.services.clock.now().getTime();
    await stops(new Date(now + 3_600_000).toISOString());
    const whole = await entry(await other.call("POST", "/payments", { body: order }), other);
    assert.deepEqual([whole.request_body, whole.response_body.order_id], [order, order.order_id]);
    app.advance(3_601);
    assert.equal((await entry(await other.call("GET", "/payments"), other)).response_body, null);
  });

  test("belongs to the account whose key it was made with, forbidden or not; no other account sees it", async () => {
    const forbidden = await shop.call("GET", "/activity");
    assert.equal((await entry(forbidden)).status, 403);
    assert.equal((await other.call("GET", `/requests/${idOf(forbidden)}`)).status, 404);
    const { body } = await other.call("GET", "/requests?page_size=100");
    assert.ok(body.length > 0 && body.every(({ id }: Answer["body"]) => id !== idOf(forbidden)));
    // Nobody's: wrong credentials, none, no such path.
    for (const answer of [
      await app.client("", "wrong")("GET", "/payments"),
      await app.anonymous("GET", "/ping"),
      await shop.call("GET", "/nowhere"),
    ])
      assert.equal((await shop.call("GET", `/requests/${idOf(answer)}`)).status, 404);
    const blind = await newKey(app, shop, ["GET /payments"]);
    assert.equal(
      (await blind.call("GET", "/requests")).body.message,
      "Not authorized: Not authorized to GET /requests",
    );
  });

  test("is found by its filters, page by page", async () => {
    const since = new Date(app.services.clock.now().getTime() + 1_000);
    app.advance(5);
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push(idOf(await shop.call("GET", `/payments/${900 + i}`)));
    await shop.call("GET", "/payments");
    await entry(await shop.call("DELETE", "/brandings/7"));
    const found = async (query: string): Promise<string[]> =>
      (await shop.call("GET", `/requests?since=${since.toISOString()}&${query}`)).body.map(
        ({ id }: Answer["body"]) => id,
      );
    assert.deepEqual(await found("failed=true&path=/payments/"), ids.toReversed());
    assert.deepEqual(await found("status=404&method=GET&path=/payments&sort_dir=asc"), ids);
    assert.deepEqual(await found(`until=${since.toISOString()}`), []);
    assert.equal((await found("failed=false&path=/payments")).length, 1);
    assert.deepEqual((await shop.call("GET", "/requests?method=get")).status, 400);

    const page = await shop.call("GET", `/requests?since=${since.toISOString()}&status=404&path=/payments&page_size=2`);
    const next = /<([^>]+)>; rel="next"/.exec(page.headers.get("link") ?? "")?.[1]?.slice(app.url.length) ?? "";
    const rest = await shop.call("GET", next);
    const all = [...page.body, ...rest.body].map(({ id }) => id);
    assert.deepEqual(all, ids.toReversed());
  });
});

describe("a secret", () => {
  // Stands in an order id on purpose: the sweep knows that number.
  const pan = "4571736000007773";
  const spaced = "4571 7360 0000 0075";
  const secret_key = "c0ffee".repeat(11).slice(0, 64);

  test("is in no entry, wherever it was sent", async () => {
    await shop.owner("PATCH", "/account", { body: { logging_stops_at: "2126-01-01T00:00:00Z" } });
    const owner = (method: string, path: string, body?: object | URLSearchParams, headers = {}) =>
      shop.owner(method, path, { ...(body && { body }), headers: { "CoolPay-OTP": "918273", ...headers } });
    const made = (await shop.call("POST", "/payments", { body: { ...order, order_id: "request-2" } })).body.id;
    const answers = [
      await shop.call("POST", `/payments/${made}/authorize?synchronized`, {
        body: { amount: 100, card: { number: "1000000000000008", expiration: "3112", cvd: "208" } },
      }),
      await shop.call("POST", `/payments/${made}/authorize?card[number]=${pan}&card[cvd]=947`, {
        body: new URLSearchParams({ amount: "0", "card[number]": spaced, "card[cvd": "947", note: spaced }),
        headers: { "X-Note": pan },
      }),
      await shop.call("GET", `/payments/${pan}`),
      await shop.call("POST", "/payments", {
        body: { order_id: pan, currency: "DKK", variables: { a: [Number(pan)] } },
      }),
      await owner("PATCH", "/acquirers/clearhaus", { api_key: "sk-clearhaus-1" }),
      await owner("PATCH", "/account", { acquirer_settings: { viabill: { secret_key: "sk-viabill-1" } } }),
      await owner("GET", "/account/private-key"),
      await owner("GET", "/agreements"),
      await owner("PATCH", "/agreements/1", { token: secret_key, accepted: true }),
      await owner("POST", "/agreements", { user_email: "pia@shop.example" }),
    ];
    const invitation = answers.at(-1)?.body.invitation_token;
    const { private_key } = (await shop.owner("GET", "/account/private-key")).body;
    for (const answer of answers) await entry(answer);

    const { rows } = await app.services.pool.query<{ text: string }>("SELECT r::text AS text FROM requests r");
    const all = rows.map(({ text }) => text).join("\n");
    assert.match(all, /request-2/, "the bodies are there");
    const secrets = [pan, spaced, "1000000000000008", "947", "208", "918273", "sk-clearhaus-1", "sk-viabill-1"];
    for (const secret of [...secrets, shop.api_key, shop.password, private_key, invitation, secret_key]) {
      // A CVD's digits may be part of a number that is none.
      assert.doesNotMatch(all, new RegExp(`(?<![\\w.-])${secret}(?![\\w-])`), secret);
    }
    const runs = all.match(/(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)/g) ?? [];
    assert.deepEqual(
      runs.filter((digits) => isLuhn(digits.replace(/[ -]/g, ""))),
      [],
    );
  });
});

describe("the log", () => {
  test("takes whatever is sent, however large or strange, and stays small", async () => {
    const long = "x".repeat(900);
    const strange = {
      ...order,
      variables: { "a\u0000": "\ud800\u0000", "Æ🍵": Array.from({ length: 30 }, () => long) },
    };
    const odd = await shop.call("POST", "/payments", { body: { ...strange, currency: "?" } });
    const kept = await entry(odd);
    assert.equal(kept.status, 400);
    const large = { order_id: "x", variables: { a: "x".repeat(70_000) } };
    assert.match(
      (await entry(await shop.call("POST", "/payments", { body: large }))).request_body,
      /^\[70\d{3} bytes\]$/,
    );
    const middle = { order_id: "x", variables: { a: Array.from({ length: 30 }, () => long) } };
    const { request_body } = await entry(await shop.call("POST", "/payments", { body: middle }));
    assert.ok(typeof request_body === "string" && request_body.length < 17_000 && request_body.endsWith("…"));
    assert.deepEqual(
      app.log.filter((line) => /request log/.test(line)),
      [],
    );
  });

  test("drops and counts what the database does not take in time, and never holds up a request", async () => {
    const account = await app.services.directory.account(shop.id);
    const logged: string[] = [];
    const gone = { query: () => Promise.reject(new Error("the database is away")) };
    const log = { ...app.services.log, warn: (_: object, message: string) => void logged.push(message) };
    const book = requestBook({ pool: gone as unknown as TestApp["services"]["pool"], log });
    const line = {
      id: "1",
      method: "GET",
      path: "/",
      status: 200,
      duration_ms: 1,
      version: null,
      agreement_id: 1,
      ip: "::1",
    };
    const nothing = { query: null, request_body: null, request_bytes: 0, request_headers: {}, response_headers: {} };
    const note = (status: number) =>
      book.note({ ...line, status }, { at: new Date(), account, ...nothing, response_body: "" });
    for (let i = 0; i < 2_050; i++) note(200);
    assert.deepEqual(book.dropped(), { lines: 50, details: 0 });
    // There is still room for what was refused.
    note(404);
    assert.equal(book.dropped().lines, 50);
    await book.flush();
    assert.equal(book.dropped().lines, 2_051);
    assert.match(logged[0] ?? "", /could not be written/);
  });

  test("forgets what is older than it keeps", async () => {
    const { pool } = app.services;
    const row = { bucket: 1, account_id: 1, method: "GET", path: "/", status: 200, duration: 1, ip: "::1" };
    const at = (day: number) => JSON.stringify({ ...row, id: `old-${day}`, at: `2020-01-0${day}T00:00:00Z` });
    await insertRequests(pool, [at(1), at(2), at(3)]);
    await forgetRequests(pool, new Date("2020-01-03T00:00:00Z"));
    const { rows } = await pool.query("SELECT id FROM requests WHERE bucket = 1 AND account_id = 1");
    assert.deepEqual(rows, [{ id: "old-3" }]);
  });
});

test("however a card's number or a secret is written, the log does not tell it", async () => {
  const digits = ["4111", "1111", "1111", "1111"];
  const forms = [".", "_", "/", "  ", "\t", "\u00a0", "\u2011", ", "].map((between) => digits.join(between));
  const secrets = {
    pwd: "kW8-secret-1",
    security_code: "kW8-secret-2",
    jwt: "kW8-secret-3",
    payload: '{"password":"kW8-secret-4","card":{"cvd":"kW8-5"}}',
    q: "password=kW8-secret-6&card[cvd]=kW8-7",
  };
  const body = { order_id: "x", currency: "DKK", variables: { ...secrets, forms } };
  const headers = { "X-Auth": "kW8-secret-8", Referer: "https://shop.example/?token=kW8-secret-9" };
  const refused = await shop.call("POST", "/payments", { body, headers });
  assert.equal(refused.status, 400);
  const path = `/requests/${refused.headers.get("x-request-id")}`;
  const { text } = await eventually(async () => {
    const answer = await shop.call("GET", path);
    return answer.body?.request_body != null && answer;
  }, "the request log");
  assert.ok(!/kW8-/.test(text), text);
  assert.ok(!/1111.{1,2}1111/.test(text), text);
});
