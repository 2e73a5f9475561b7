// What every request meets before an endpoint does: who calls, in which order the first failure wins, and what all
// answers have in common. Through real HTTP, as a merchant's developer sees it.

import assert from "node:assert/strict";
import { duplexPair } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { createListener } from "../src/api/listener.ts";
import { type Answer, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { type Key, newKey } from "./support/members.ts";
import { basic, type RawAnswer, type RawClient, type RawHeaders, rawClient, spoken } from "./support/raw.ts";

let app: TestApp;
let shop: TestAccount;
/** Without credentials. */
let anyone: RawClient;
/** With the shop's API key. */
let call: RawClient;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
  anyone = rawClient(app.url);
  call = rawClient(app.url, { Authorization: basic("", shop.api_key) });
});
after(() => app.stop());

const form = { "Content-Type": "application/x-www-form-urlencoded" };

const refusal = (message: string, errors: object | null = null) => ({ message, errors, error_code: null });

function assertRefused(answer: RawAnswer, status: number, message: string, errors: object | null = null): void {
  assert.deepEqual([answer.status, answer.body], [status, refusal(message, errors)]);
}

let orders = 0;
const orderId = (): string => {
  orders += 1;
  return `edge-${String(orders).padStart(6, "0")}`;
};

describe("who calls", () => {
  test("nobody, a person and a key are the three scopes that ping tells of", async () => {
    const ping = async (headers: Record<string, string>) => {
      const { status, body } = await anyone("GET", "/ping", { headers });
      assert.equal(status, 200);
      return [body.msg, body.scope, body.version];
    };
    const said = (scope: string) => [`Pong from CoolPay API V10, scope is ${scope}`, scope, "v10"];
    assert.deepEqual(await ping({}), said("anonymous"));
    assert.deepEqual(await ping({ Authorization: basic("", shop.api_key) }), said("merchant"));
    assert.deepEqual(await ping({ Authorization: basic(shop.email, shop.password) }), said("user"));
    assert.deepEqual(await ping({ Authorization: basic(shop.email.toUpperCase(), shop.password) }), said("user"));
    assert.deepEqual(
      await ping({ authorization: basic("", shop.api_key).replace("Basic", "basic") }),
      said("merchant"),
    );
    const echoed = await call("POST", "/ping?a=1", { headers: form, body: "b[c]=2" });
    assert.equal(echoed.status, 201);
    assert.deepEqual(echoed.body.params, { a: "1", b: { c: "2" } });
  });

  test("a 401 says what was wrong and how to do it right, also where no credentials are needed", async () => {
    const wrong: [string, string | undefined, string][] = [
      ["/payments", undefined, "Authentication required"],
      ["/user", undefined, "Authentication required"],
      ["/payments", basic("", "0".repeat(64)), "Invalid API key"],
      ["/ping", basic("", "foo"), "Invalid API key"],
      ["/ping", basic("", ""), "Invalid API key"],
      ["/versions", basic("", "foo"), "Invalid API key"],
      ["/ping", basic(shop.email, "not the password"), "Invalid e-mail or password"],
      ["/ping", basic("nobody@shop.example", shop.password), "Invalid e-mail or password"],
      ["/ping", basic(shop.api_key, ""), "Invalid e-mail or password"],
      ["/payments", "Bearer abc", "Authentication required"],
      ["/payments", "Basic", "Authentication required"],
      ["/payments", "Basic !!!", "Authentication required"],
      ["/payments", `Basic ${Buffer.from("no colon").toString("base64")}`, "Authentication required"],
    ];
    for (const [path, authorization, message] of wrong) {
      const headers: RawHeaders = authorization === undefined ? {} : { Authorization: authorization };
      const answer = await anyone("GET", path, { headers });
      assertRefused(answer, 401, message);
      assert.match(answer.headers["www-authenticate"] ?? "", /^Basic realm="CoolPay API"/);
    }
  });
});

describe("on whose account", () => {
  const named = (account_id: number | string) => ({ "CoolPay-Account-Id": String(account_id) });
  const name_it = "Not authorized: Name the account in the header CoolPay-Account-Id";

  test("a person acts on the only account there is, and names one of several", async () => {
    const { email, password, call: person } = await app.signUp();
    const as = rawClient(app.url, { Authorization: basic(email, password) });
    assertRefused(await as("GET", "/payments"), 403, name_it);
    const open = async () =>
      (await person("POST", "/accounts", { body: { shop_name: "A", contact_email: email } })).body.id;
    const first = await open();
    assert.equal((await as("GET", "/payments")).status, 200);
    const second = await open();
    assertRefused(await as("GET", "/payments"), 403, name_it);
    for (const id of [first, second]) {
      const answer = await as("GET", "/account", { headers: named(id) });
      assert.deepEqual([answer.status, answer.body.id], [200, id]);
    }
    for (const id of [shop.id, 1, "all"]) {
      assertRefused(await as("GET", "/account", { headers: named(id) }), 403, name_it);
    }
  });

  test("a key acts on its own account and no other", async () => {
    assert.equal((await call("GET", "/account", { headers: named(shop.id) })).body.id, shop.id);
    assertRefused(await call("GET", "/account", { headers: named(shop.id + 1) }), 403, name_it);
  });

  test("a key is no person, and a person without an agreement is no merchant", async () => {
    assertRefused(await call("GET", "/user"), 403, "Not authorized: Not authorized to GET /user");
    assertRefused(await call("POST", "/accounts"), 403, "Not authorized: Not authorized to POST /accounts");
  });

  test("what is not permitted is named by method and declared path, as modules compare it", async () => {
    const key = await newKey(app, shop, ["GET /ping"]);
    const as = rawClient(app.url, { Authorization: basic("", key.api_key) });
    assertRefused(await as("GET", "/payments"), 403, "Not authorized: Not authorized to GET /payments");
    assertRefused(
      await as("PUT", "/payments/17/link"),
      403,
      "Not authorized: Not authorized to PUT /payments/:id/link",
    );
    assert.equal((await as("GET", "/ping")).status, 200);
    assertRefused(await as("POST", "/ping"), 403, "Not authorized: Not authorized to POST /ping");
  });
});

describe("the first failure wins", () => {
  test("path, method, version, Accept, credentials, account, permission, body, key, parameters, existence, state", async () => {
    const made = await call("POST", "/payments", { headers: form, body: `order_id=${orderId()}&currency=DKK` });
    const no_rights = await newKey(app, shop, ["GET /ping"]);
    const key = (api_key: string) => basic("", api_key);
    // Everything is wrong at first; each step mends what was refused.
    const request = {
      method: "DELETE",
      path: "/payment",
      body: "amount=x" as string | Buffer,
      headers: {
        "Accept-Version": "v7",
        Accept: "text/html",
        Authorization: key("foo"),
        "CoolPay-Account-Id": "1",
        "Content-Type": "text/plain",
        "Idempotency-Key": "ø",
      } as Record<string, string>,
    };
    const steps: [change: () => void, status: number, message: RegExp][] = [
      [() => {}, 404, /^Not found: no such path$/],
      [() => (request.path = "/payments/999999999/capture"), 405, /^Method not allowed$/],
      [() => (request.method = "POST"), 406, /^Not acceptable: served versions are v11b, v10, v09, v08$/],
      [() => (request.headers["Accept-Version"] = "v10"), 406, /^Not acceptable: only application\/json is available$/],
      [() => (request.headers.Accept = "application/json"), 401, /^Invalid API key$/],
      [() => (request.headers.Authorization = key(no_rights.api_key)), 403, /^Not authorized: Name the account/],
      [
        () => (request.headers["CoolPay-Account-Id"] = String(shop.id)),
        403,
        /^Not authorized: Not authorized to POST \/payments\/:id\/capture$/,
      ],
      [() => (request.headers.Authorization = key(shop.api_key)), 415, /^Unsupported media type$/],
      [() => Object.assign(request.headers, form), 400, /^Validation error$/],
      [() => (request.headers["Idempotency-Key"] = "k-1"), 400, /^Validation error$/],
      [() => (request.body = "amount=100"), 404, /^Not found: No Payment with id 999999999$/],
      [
        () => (request.path = `/payments/${made.body.id}/capture`),
        400,
        /^Validation error: Transaction in wrong state for this operation$/,
      ],
    ];
    const errors: unknown[] = [];
    for (const [change, status, message] of steps) {
      change();
      const { method, path, headers, body } = request;
      const answer = await anyone(method, path, { headers, body });
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.body.message, message);
      assert.deepEqual(Object.keys(answer.body), ["message", "errors", "error_code"]);
      errors.push(answer.body.errors);
    }
    assert.deepEqual(errors.slice(-4), [{ "Idempotency-Key": ["is invalid"] }, { amount: ["is invalid"] }, null, {}]);
  });

  test("a body is not even read without the permission", async () => {
    const large = Buffer.alloc(5_000_000, "a");
    const answer = await anyone("POST", "/payments", { headers: form, body: large });
    assertRefused(answer, 401, "Authentication required");
    assert.equal(answer.headers.connection, "close");
  });
});

describe("methods", () => {
  test("405 and OPTIONS tell what there is, to anybody and to no other origin", async () => {
    const refused = await anyone("DELETE", "/payments");
    assertRefused(refused, 405, "Method not allowed");
    assert.equal(refused.headers.allow, "GET, HEAD, OPTIONS, POST");
    const asked = await anyone("OPTIONS", "/payments/17/link", { headers: { Origin: "https://evil.example" } });
    assertRefused(await anyone("PROPFIND", "/payments"), 405, "Method not allowed");
    assert.deepEqual([asked.status, asked.text, asked.headers.allow], [204, "", "DELETE, OPTIONS, PUT"]);
    assert.equal(
      Object.keys(asked.headers).some((name) => name.startsWith("access-control")),
      false,
    );
  });

  test("HEAD is GET without the body", async () => {
    const got = await call("GET", "/payments?page_size=1");
    const head = await call("HEAD", "/payments?page_size=1");
    assert.deepEqual([head.status, head.text], [200, ""]);
    assert.equal(head.headers["content-length"], got.headers["content-length"]);
    assert.equal((await anyone("HEAD", "/dummy")).status, 404);
    assert.equal((await anyone("HEAD", "/payments")).status, 401);
  });
});

describe("paths and headers as real modules write them", () => {
  test("trailing and doubled slashes are served, not redirected", async () => {
    for (const path of ["/payments/", "//payments", "//payments//", "/payments/?page_size=1"]) {
      assert.equal((await call("GET", path)).status, 200, path);
    }
    const sent = { headers: form, body: `order_id=${orderId()}&currency=dkk` };
    const made = await call("POST", "//payments/", sent);
    assert.deepEqual([made.status, made.body.currency], [201, "DKK"]);
  });

  test("a GET may carry its parameters in a form, and a POST in its query; the body goes first", async () => {
    const [one, other] = [orderId(), orderId()];
    for (const order_id of [one, other]) {
      const made = await call("POST", `/payments?currency=EUR&order_id=${order_id}`, {
        headers: form,
        body: "currency=SEK",
      });
      assert.deepEqual([made.status, made.body.currency, made.body.order_id], [201, "SEK", order_id]);
    }
    const found = await call("GET", "/payments", { headers: form, body: `order_id=${one}` });
    assert.deepEqual(
      found.body.map(({ order_id }: { order_id: string }) => order_id),
      [one],
    );
  });

  test("a header that is named https, because a module wrote a bare address, does no harm", async () => {
    const headers = { ...form, https: "//shop.example/callback?order=1" };
    const made = await call("POST", "/payments/", { headers, body: `order_id=${orderId()}&currency=DKK` });
    assert.equal(made.status, 201);
  });

  test("a POST without body, length and type is served, as an empty form sends it", async () => {
    assertRefused(await call("POST", "/payments"), 400, "Validation error", {
      order_id: ["is missing"],
      currency: ["is missing"],
    });
  });

  test("Accept may say anything that JSON is part of", async () => {
    for (const accept of ["*/*", "application/json", "application/json, text/plain, */*", "application/*;q=0.5", ""]) {
      assert.equal((await call("GET", "/ping", { headers: { Accept: accept } })).status, 200, accept);
    }
    for (const accept of ["text/html", "application/xml", "application/json;q=0"]) {
      assert.equal((await call("GET", "/ping", { headers: { Accept: accept } })).status, 406, accept);
    }
    // What is not JSON by nature is given to everybody.
    assert.equal((await call("GET", "/changelog", { headers: { Accept: "application/json" } })).status, 200);
  });

  test("headers beyond 16 kB are refused in the same words", async () => {
    const answer = await call("GET", "/ping", { headers: { "X-Long": "a".repeat(20_000) } });
    assertRefused(answer, 431, "Request headers too large");
  });

  test("HTTP/1.1 without a host is refused, 1.0 is not", async () => {
    assert.match(
      await spoken(app.url, "GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n"),
      /^HTTP\/1\.1 400 .*"Bad request"/s,
    );
    assert.match(await spoken(app.url, "GET /ping HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 200 /);
  });

  test("what is no HTTP at all is a 400 in JSON", async () => {
    const answer = await spoken(app.url, "HELLO\r\n\r\n");
    assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.match(answer, /\{"message":"Bad request","errors":null,"error_code":null\}$/);
  });
});

describe("a static resource", () => {
  test("has errors without a body, and 405 is one of them", async () => {
    for (const [method, path, status] of [
      ["POST", "/changelog", 405],
      ["PROPFIND", "/docs", 405],
      ["GET", "/changelog", 401],
    ] as const) {
      const answer = await anyone(method, path, { headers: { Authorization: basic("", "foo") } });
      assert.deepEqual([answer.status, answer.text, answer.headers["content-type"]], [status, "", undefined]);
    }
  });
});

describe("every answer", () => {
  test("has a length, an id of its own and is kept by nobody", async () => {
    const ids = new Set<string>();
    const answers = [
      await call("GET", "/payments"),
      await anyone("GET", "/payments"),
      await anyone("GET", "/nowhere"),
      await anyone("DELETE", "/payments"),
      await anyone("GET", "/ping", { headers: { "Accept-Version": "v7" } }),
      await anyone("GET", "/changelog"),
    ];
    for (const { headers, text } of answers) {
      assert.equal(headers["content-length"], String(Buffer.byteLength(text)));
      assert.equal(headers["transfer-encoding"], undefined);
      assert.equal(headers["cache-control"], "no-store");
      ids.add(String(headers["x-request-id"]));
    }
    assert.equal(ids.size, answers.length);
  });

  test("is JSON in the introduction's media type, and in the bare one for two old clients", async () => {
    const type = async (agent: string, path = "/ping") =>
      (await anyone("GET", path, { headers: { "User-Agent": agent } })).headers["content-type"];
    assert.equal(await type("curl/8.5.0"), "application/json; charset=UTF-8");
    assert.equal(await type("coolpay-python-client, v1.0.1"), "application/json");
    assert.equal(await type("quickpay-python-client, v2.0.0", "/payments"), "application/json");
    assert.equal(await type("my coolpay-python-client"), "application/json; charset=UTF-8");
  });
});

describe("plain HTTP", () => {
  test("is for this machine and for the proxies that were named", async () => {
    const server = createListener({ tls: null, proxies: ["192.0.2.0/28"] });
    server.get("/", () => "served");
    await server.ready();
    /** A connection as it would come from there. */
    const answered = async (remoteAddress: string): Promise<string> => {
      const [ours, theirs] = duplexPair();
      server.server.emit("connection", Object.assign(theirs, { remoteAddress, destroySoon: () => theirs.end() }));
      ours.write("GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n");
      return (await text(ours)).replace(/\r\n\r\n.*/s, "").split("\r\n")[0] ?? "";
    };
    for (const address of ["127.0.0.1", "::1", "::ffff:127.0.0.1", "192.0.2.1", "::ffff:192.0.2.15"])
      assert.equal(await answered(address), "HTTP/1.1 200 OK", address);
    for (const address of ["192.0.2.16", "10.0.0.1", "2001:db8::1"])
      assert.equal(await answered(address), "HTTP/1.1 403 Forbidden", address);
    await server.close();
  });
});

describe("throttling", () => {
  let guarded: TestApp;
  let merchant: TestAccount;
  let other: Key;
  before(async () => {
    guarded = await startApp({ settings: { trust_proxy: ["127.0.0.1"] } });
    merchant = await guarded.newAccount();
    other = await newKey(guarded, merchant, ["GET /payments"]);
  });
  after(() => guarded.stop());

  const from = (address: string, authorization: string) =>
    guarded.anonymous("GET", "/ping", { headers: { "X-Forwarded-For": address, Authorization: authorization } });

  function assertThrottled(answer: Answer, seconds_max: number): void {
    assert.deepEqual([answer.status, answer.body], [429, refusal("Too Many 4XX Requests")]);
    const seconds = Number(answer.headers.get("retry-after"));
    assert.ok(Number.isInteger(seconds) && seconds > 0 && seconds <= seconds_max, String(seconds));
  }

  test("30 wrong credentials a minute from one address; then passwords from there must wait, right keys and other addresses need not", async () => {
    const good = basic("", merchant.api_key);
    for (let i = 0; i < 30; i++) assert.equal((await from("192.0.2.1", basic("", `wrong ${i}`))).status, 401);
    assertThrottled(await from("192.0.2.1", basic("", "wrong")), 60);
    assertThrottled(await from("192.0.2.1", basic(merchant.email, merchant.password)), 60);
    assert.equal((await from("192.0.2.1", good)).status, 200);
    assert.equal((await from("192.0.2.2", good)).status, 200);
    assert.equal(
      (await guarded.anonymous("GET", "/ping", { headers: { "X-Forwarded-For": "192.0.2.1" } })).status,
      200,
    );
  });

  test("10 wrong passwords for one e-mail in 15 minutes, from wherever they come", async () => {
    const { email, password } = merchant;
    for (let i = 0; i < 10; i++) assert.equal((await from(`192.0.2.${10 + i}`, basic(email, "wrong"))).status, 401);
    assertThrottled(await from("192.0.2.30", basic(email.toUpperCase(), password)), 900);
    assert.equal((await from("192.0.2.30", basic("", merchant.api_key))).status, 200);
  });

  test("1,000 failing answers a minute of one agreement; good answers do not count, other keys go on", async () => {
    for (let i = 0; i < 10; i++) assert.equal((await merchant.call("GET", "/payments")).status, 200);
    const fail = async () => assert.equal((await merchant.call("GET", "/payments/999999999")).status, 404);
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 50 }, fail));
    assertThrottled(await merchant.call("GET", "/payments"), 60);
    assert.equal((await other.call("GET", "/payments")).status, 200);
  });
});
