// What every request meets before an endpoint does: who calls, in which order the first failure wins, and what all
// answers have in common. Through real HTTP, as a merchant's developer sees it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { basic, type RawAnswer, type RawClient, type RawHeaders, rawClient } from "./support/raw.ts";

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
