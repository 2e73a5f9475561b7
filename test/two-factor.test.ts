// The second factor, and the sessions that it opens.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Answer, type Client, eventually, startApp, type TestApp } from "./support/app.ts";
import { codeAt, enrol } from "./support/authenticator.ts";

let app: TestApp;
/** A second process over the same database. */
let other: TestApp;
before(async () => {
  const settings = { trust_proxy: ["127.0.0.1"] };
  app = await startApp({ settings });
  other = await startApp({ settings, beside: app });
});
after(async () => {
  await other.stop();
  await app.stop();
});

/** For both processes. */
function advance(seconds: number): void {
  for (const each of [app, other]) each.advance(seconds);
}

let addresses = 0;
const newAddress = (): string => `192.0.2.${++addresses}`;

const from = (address: string, code?: string) => ({
  headers: { "X-Forwarded-For": address, ...(code === undefined ? {} : { "CoolPay-OTP": code }) },
});

const refusal = ({ status, body }: Answer): [number, string | null] => [status, body?.message ?? null];
const required = [401, "One-time password required"];

async function person() {
  const { email, password, call } = await app.signUp();
  const both = { services: app.services, advance } as TestApp;
  return { email, password, call, elsewhere: other.client(email, password), ...(await enrol(both, call)) };
}

describe("two-factor", () => {
  test("begins with a secret, an address for apps and ten recovery codes, and is in force after a code", async () => {
    const { email, call } = await app.signUp();
    const begun = await call("POST", "/user/two-factor");
    assert.equal(begun.status, 201);
    const { secret, otpauth_url, recovery_codes } = begun.body;
    assert.match(secret, /^[A-Z2-7]{32}$/);
    const url = new URL(otpauth_url);
    assert.deepEqual(
      [url.protocol, url.host, decodeURIComponent(url.pathname)],
      ["otpauth:", "totp", `/CoolPay:${email}`],
    );
    assert.deepEqual(
      ["secret", "issuer", "digits", "period"].map((name) => url.searchParams.get(name)),
      [secret, "CoolPay", "6", "30"],
    );
    assert.equal(new Set(recovery_codes).size, 10);
    for (const code of recovery_codes) assert.match(code, /^[a-z2-7]{4}(-[a-z2-7]{4}){3}$/);

    assert.equal((await call("GET", "/user")).body.two_factor, false, "not yet");
    for (const code of ["000000", "12345", "abcdef", recovery_codes[0]]) {
      const wrong = await call("PATCH", "/user/two-factor", { body: { code } });
      assert.deepEqual([wrong.status, wrong.body.errors], [400, { code: ["is invalid"] }], code);
    }
    const again = await call("POST", "/user/two-factor");
    assert.notEqual(again.body.secret, secret, "begun anew");
    const old = await call("PATCH", "/user/two-factor", { body: { code: codeAt(secret, app.services.clock.now()) } });
    assert.equal(old.status, 400);
    const code = codeAt(again.body.secret, app.services.clock.now());
    const confirmed = await call("PATCH", "/user/two-factor", { body: { code } });
    assert.deepEqual([confirmed.status, confirmed.body.two_factor], [200, true]);
    assert.deepEqual(refusal(await call("GET", "/user")), required);
  });

  test("is asked for with the right password only: a wrong one is told nothing of it", async () => {
    const { email, call, code } = await person();
    const stranger = app.client(email, "not the right password");
    const right = code();
    for (const sent of [from(newAddress()), from(newAddress(), right), from(newAddress(), "000000")])
      assert.deepEqual(refusal(await stranger("GET", "/user", sent)), [401, "Invalid e-mail or password"]);
    assert.deepEqual(refusal(await call("GET", "/user", from(newAddress(), "000000"))), required);
    assert.deepEqual(refusal(await call("GET", "/user", from(newAddress(), "x".repeat(2_000)))), required);
    assert.equal((await call("GET", "/user", from(newAddress(), right))).status, 200, "nobody else has used it up");
  });

  test("a code proves its address for five minutes, in every process, and no other address", async () => {
    const { call, elsewhere, code } = await person();
    const [mine, another] = [newAddress(), newAddress()];
    const used = code();
    assert.deepEqual(refusal(await call("GET", "/user", from(mine))), required);
    assert.equal((await call("GET", "/user", from(mine, used))).body.two_factor, true);
    for (const ask of [call, elsewhere]) {
      assert.equal((await ask("GET", "/user", from(mine))).status, 200);
      assert.equal((await ask("GET", "/user", from(mine, used))).status, 200, "a client may send it along");
      assert.deepEqual(refusal(await ask("GET", "/user", from(another))), required);
    }
    advance(301);
    for (const ask of [call, elsewhere]) assert.deepEqual(refusal(await ask("GET", "/user", from(mine))), required);
  });

  test("a code is accepted once, whichever process it comes to, also when it comes to both at once", async () => {
    const { call, elsewhere, code } = await person();
    const used = code();
    const at_once = await Promise.all(
      Array.from({ length: 8 }, (_, i) => (i % 2 ? call : elsewhere)("GET", "/user", from(newAddress(), used))),
    );
    assert.deepEqual(at_once.map(({ status }) => status).sort(), [200, ...Array(7).fill(401)]);
    for (const ask of [call, elsewhere])
      assert.deepEqual(refusal(await ask("GET", "/user", from(newAddress(), used))), required);
  });

  test("a client that opens with many requests and one code gets an answer to each", async () => {
    const { call, code } = await person();
    const sent = from(newAddress(), code());
    const answers = await Promise.all(Array.from({ length: 20 }, () => call("GET", "/user", sent)));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  });

  test("a code may come half a minute early or late, not more, and none that is older than the last", async () => {
    const { call, secret } = await person();
    // To the beginning of a step, so that none begins meanwhile.
    advance(30 - ((app.services.clock.now().getTime() / 1000) % 30));
    const now = app.services.clock.now().getTime();
    const at = (steps: number) => codeAt(secret, new Date(now + steps * 30_000));
    // Some codes of two steps may be the same.
    for (const steps of [-2, 2, 3].filter((n) => ![-1, 0, 1].some((near) => at(n) === at(near))))
      assert.deepEqual(refusal(await call("GET", "/user", from(newAddress(), at(steps)))), required, String(steps));
    assert.equal((await call("GET", "/user", from(newAddress(), at(1)))).status, 200);
    for (const steps of [0, -1])
      assert.deepEqual(refusal(await call("GET", "/user", from(newAddress(), at(steps)))), required);
  });

  test("a recovery code stands for a code, once", async () => {
    const { call, elsewhere, recovery_codes } = await person();
    const [one = "", two = ""] = recovery_codes;
    assert.equal((await call("GET", "/user", from(newAddress(), one.toUpperCase()))).status, 200);
    for (const ask of [call, elsewhere])
      assert.deepEqual(refusal(await ask("GET", "/user", from(newAddress(), one))), required);
    const at_once = await Promise.all([call, elsewhere].map((ask) => ask("GET", "/user", from(newAddress(), two))));
    assert.deepEqual(at_once.map(({ status }) => status).sort(), [200, 401]);
  });

  test("wrong codes are throttled for all processes together, and a right one does not help then", async () => {
    const { call, elsewhere, code } = await person();
    const statuses: number[] = [];
    for (let i = 0; i < 11; i++)
      statuses.push((await (i % 2 ? call : elsewhere)("GET", "/user", from(newAddress(), "000000"))).status);
    assert.deepEqual(statuses, [...Array(10).fill(401), 429]);
    const answer = await call("GET", "/user", from(newAddress(), code()));
    assert.equal(answer.status, 429);
    assert.ok(Number(answer.headers.get("retry-after")) > 800);
    advance(15 * 60);
    assert.equal((await call("GET", "/user", from(newAddress(), code()))).status, 200);
  });

  test("does not concern API keys", async () => {
    const account = await app.newAccount();
    await enrol({ services: app.services, advance } as TestApp, app.client(account.email, account.password));
    assert.deepEqual(refusal(await account.owner("GET", "/account")), required);
    assert.equal((await account.call("GET", "/ping")).status, 200);
  });

  test("ends with both factors once more, whatever the address has proven; then it may begin anew", async () => {
    const { password, call, code } = await person();
    const mine = newAddress();
    const ask: Client = (method, path, sent) => call(method, path, { ...from(mine), ...sent });
    const used = code();
    assert.equal((await call("GET", "/user", from(mine, used))).status, 200);
    const end = (body: object) => ask("DELETE", "/user/two-factor", { body });
    const missing = await end({});
    assert.deepEqual(missing.body.errors, { current_password: ["is missing"], code: ["is missing"] });
    const not_hers = await end({ current_password: "not the right password", code: code() });
    assert.deepEqual(not_hers.body.errors, { current_password: ["is invalid"] });
    const old = await end({ current_password: password, code: used });
    assert.deepEqual([old.status, old.body.errors], [400, { code: ["is invalid"] }]);
    assert.equal((await ask("POST", "/user/two-factor")).status, 409, "a new secret would end the old one unasked");

    assert.equal((await end({ current_password: password, code: code() })).status, 204);
    assert.equal((await call("GET", "/user", from(newAddress()))).body.two_factor, false);
    assert.equal((await end({ current_password: password, code: code() })).status, 409);
    await enrol({ services: app.services, advance } as TestApp, call);
  });

  test("nothing of it is to be read in the database", async () => {
    const { secret, recovery_codes } = await person();
    const { rows } = await app.services.pool.query<{ text: string }>(
      "SELECT t::text AS text FROM two_factors t UNION ALL SELECT c::text FROM recovery_codes c UNION ALL SELECT k::text FROM idempotency_keys k",
    );
    const all = rows.map(({ text }) => text).join();
    for (const kept of [secret, ...recovery_codes]) {
      for (const form of [kept, Buffer.from(kept).toString("hex")]) assert.ok(!all.includes(form));
    }
    assert.ok(!app.log.join().includes(secret));
  });
});

describe("sessions", () => {
  const bearer = (token: string, at: TestApp = app): Client => {
    const call = at.anonymous;
    return (method, path, sent = {}) =>
      call(method, path, { ...sent, headers: { Authorization: `Bearer ${token}`, ...sent.headers } });
  };

  test("one signs in with password and code, and is known by the token from then on, in every process", async () => {
    const { call, code } = await person();
    const mine = newAddress();
    assert.deepEqual(refusal(await call("POST", "/sessions", from(mine))), required);
    const opened = await call("POST", "/sessions", {
      headers: { ...from(mine, code()).headers, "User-Agent": "Browser 1.0" },
    });
    assert.equal(opened.status, 201);
    const { token, ...session } = opened.body;
    assert.match(token, /^[\w-]{43}$/);
    assert.equal(opened.headers.get("location"), `${app.url}/sessions/${session.id}`);
    assert.deepEqual([session.address, session.user_agent, session.current], [mine, "Browser 1.0", false]);
    assert.equal(Date.parse(session.expires_at) - Date.parse(session.created_at), 12 * 3_600_000);

    for (const at of [app, other]) {
      const listed = await bearer(token, at)("GET", "/sessions", from(newAddress()));
      assert.deepEqual(listed.body, [{ ...session, current: true }]);
    }
    const again = await bearer(token)("POST", "/sessions");
    assert.deepEqual(refusal(again), [403, "Not authorized: Sign in with e-mail and password"]);

    assert.equal((await bearer(token)("DELETE", `/sessions/${session.id}`)).status, 204);
    assert.deepEqual(refusal(await bearer(token)("GET", "/user")), [401, "Authentication required"]);
    const ended = () => bearer(token, other)("GET", "/user").then(({ status }) => status === 401);
    await eventually(ended, "the end in the other process");
  });

  test("a session acts on an account as its person would, and is no way to another's", async () => {
    const account = await app.newAccount();
    const owner = app.client(account.email, account.password);
    const opened = await owner("POST", "/sessions");
    const named = { headers: { "CoolPay-Account-Id": String(account.id) } };
    assert.equal((await bearer(opened.body.token)("GET", "/account", named)).status, 200);
    const stranger = await app.signUp();
    const ended = await stranger.call("DELETE", `/sessions/${opened.body.id}`);
    assert.deepEqual(refusal(ended), [404, `Not found: No Session with id ${opened.body.id}`]);
    assert.deepEqual((await stranger.call("GET", "/sessions")).body, []);
    assert.equal((await account.call("GET", "/sessions")).status, 403, "a key has none");

    const enrolment = await bearer(opened.body.token)("POST", "/user/two-factor");
    assert.deepEqual(
      enrolment.body.errors,
      { current_password: ["is missing"] },
      "a borrowed session locks nobody out",
    );
    const body = { current_password: account.password };
    assert.equal((await bearer(opened.body.token)("POST", "/user/two-factor", { body })).status, 201);

    advance(12 * 3_600 + 1);
    assert.deepEqual(refusal(await bearer(opened.body.token)("GET", "/user")), [401, "Authentication required"]);
  });

  test("all of them end with the password that opened them", async () => {
    const { call, password } = await app.signUp();
    const tokens = [(await call("POST", "/sessions")).body.token, (await call("POST", "/sessions")).body.token];
    for (const token of tokens) assert.equal((await bearer(token)("GET", "/user")).status, 200);
    const changed = await bearer(tokens[0])("PATCH", "/user", {
      body: { password: "nine yellow lanterns", current_password: password },
    });
    assert.equal(changed.status, 200);
    for (const token of tokens) assert.equal((await bearer(token)("GET", "/user")).status, 401);
  });

  test("those that were opened by the password alone end when two-factor comes into force", async () => {
    const { call } = await app.signUp();
    const [mine, old] = [(await call("POST", "/sessions")).body.token, (await call("POST", "/sessions")).body.token];
    const { secret } = (await call("POST", "/user/two-factor")).body;
    const body = { code: codeAt(secret, app.services.clock.now()) };
    assert.equal((await bearer(mine)("PATCH", "/user/two-factor", { body })).status, 200);
    const statuses = await Promise.all([mine, old].map((token) => bearer(token)("GET", "/user")));
    assert.deepEqual(
      statuses.map(({ status }) => status),
      [200, 401],
    );
  });

  test("what is no token is 401, and guessing is throttled", async () => {
    const address = newAddress();
    const statuses: number[] = [];
    for (let i = 0; i < 31; i++)
      statuses.push((await bearer(`${"x".repeat(41)}${i % 90}`)("GET", "/ping", from(address))).status);
    assert.deepEqual([new Set(statuses.slice(0, 30)), statuses[30]], [new Set([401]), 429]);
  });
});
