// Signing up, changing what is known of oneself, leaving.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { weakness } from "../src/domain/passwords.ts";
import { startApp, type TestApp } from "./support/app.ts";
import { newMember } from "./support/members.ts";

let app: TestApp;
before(async () => {
  app = await startApp();
});
after(() => app.stop());

const good_password = "seven green lanterns";

describe("signing up", () => {
  test("anybody may, is answered with a user, and never with the password", async () => {
    const body = { name: "Ida Holm", email: "Ida@Shop.example", password: good_password };
    const answer = await app.anonymous("POST", "/users", { body });
    assert.equal(answer.status, 201);
    assert.match(answer.body.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const { id, created_at } = answer.body;
    assert.deepEqual(answer.body, {
      id,
      name: "Ida Holm",
      email: "ida@shop.example",
      email_verified: false,
      two_factor: false,
      created_at,
    });
    assert.equal(answer.headers.get("location"), `${app.url}/users/${id}`);

    const read = await app.client("IDA@shop.EXAMPLE", good_password)("GET", `/users/${id}`);
    assert.deepEqual([read.status, read.body], [200, answer.body]);
  });

  test("an e-mail in use is refused with 409", async () => {
    const { email } = await app.signUp();
    const body = { name: "Somebody", email: email.toUpperCase(), password: good_password };
    const answer = await app.anonymous("POST", "/users", { body });
    assert.equal(answer.status, 409);
    assert.deepEqual(answer.body, {
      message: "Validation error",
      errors: { email: ["is already in use"] },
      error_code: null,
    });
  });

  test("asking whether many e-mails are in use is throttled", async () => {
    const other = await startApp();
    try {
      const body = { name: "Ida", email: "known@shop.example", password: good_password };
      await other.anonymous("POST", "/users", { body });
      const statuses: number[] = [];
      for (let i = 0; i < 35; i++) statuses.push((await other.anonymous("POST", "/users", { body })).status);
      assert.deepEqual([statuses.indexOf(429), new Set(statuses)], [30, new Set([409, 429])]);
      const answer = await other.anonymous("POST", "/users", { body });
      assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
    } finally {
      await other.stop();
    }
  });

  for (const [field, value, message] of [
    ["name", undefined, "is missing"],
    ["email", undefined, "is missing"],
    ["email", "no e-mail", "is invalid"],
    // The password of HTTP Basic begins at the first colon (RFC 7617): such a person could never come in.
    ["email", "a:b@shop.example", "is invalid"],
    ["password", undefined, "is missing"],
    ["password", "elevenchars", "must have length between 12 and 200"],
  ] as const) {
    test(`${field} ${value ?? "missing"}: ${message}`, async () => {
      const body = { name: "Ida", email: "fields@shop.example", password: good_password, [field]: value };
      const answer = await app.anonymous("POST", "/users", { body });
      assert.deepEqual([answer.status, answer.body.errors], [400, { [field]: [message] }]);
    });
  }

  test("two people who want the same e-mail at once: one gets it", async () => {
    const body = { name: "Twin", email: "twin@shop.example", password: good_password };
    const answers = await Promise.all([1, 2, 3].map(() => app.anonymous("POST", "/users", { body })));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409]);
  });
});

describe("passwords that are tried first", () => {
  for (const password of [
    "123456789012",
    "987654321012",
    "102030405060",
    "aaaaaaaaaaaa",
    "abababababab",
    "abcabcabcabc",
    "qwertyuiop123",
    "qwerty123456",
    "1q2w3e4r5t6y",
    "q1w2e3r4t5y6",
    "1qaz2wsx3edc",
    "zaq12wsxcde3",
    "password1234",
    "PasswordPassword",
    "P@ssw0rd1234",
    "iloveyou1234",
    "Welcome12345!",
    "correct horse battery staple",
    "Welcome 2024 2024",
    "!!passw0rd!!",
    "letmeinplease",
    "abcdefghijkl",
    "idaholm12345",
    "qwertyuiop[]",
    "1234-5678-9012",
    "trustno1trustno1",
    "manchesterunited",
    "asdf1234qwer",
    "ida@shop.example",
  ]) {
    test(`${password} is refused`, () => assert.notEqual(weakness(password, ["Ida Holm", "ida@shop.example"]), null));
  }
  for (const password of [
    "seven green lanterns",
    "9fK2-qv7T-mm3x",
    "hvidløg på kontoret",
    "8273-1948-2271-x",
    "correct horse 7 wagons",
    "correct horse 01k912345",
  ]) {
    test(`${password} is taken`, () => assert.equal(weakness(password, ["Ida Holm", "ida@shop.example"]), null));
  }
});

describe("sign-up by invitation", () => {
  test("needs a token, which makes a member of the account and works once", async () => {
    const closed = await startApp({ settings: { signup: "invite" } });
    try {
      const body = { name: "Bo", email: "bo@shop.example", password: good_password };
      const without = await closed.anonymous("POST", "/users", { body });
      assert.deepEqual([without.status, without.body.errors], [400, { token: ["is missing"] }]);
      const wrong = await closed.anonymous("POST", "/users", { body: { ...body, token: "x".repeat(43) } });
      assert.deepEqual([wrong.status, wrong.body.errors], [400, { token: ["is invalid"] }]);
    } finally {
      await closed.stop();
    }

    const account = await app.newAccount();
    const invited = await account.owner("POST", "/agreements", { body: { user_email: "bo@shop.example" } });
    const token = invited.body.invitation_token;
    const wanted = { name: "Bo", email: "bo@shop.example", password: good_password, token };
    assert.equal((await app.anonymous("POST", "/users", { body: wanted })).status, 201);
    const mine = await app.client("bo@shop.example", good_password)("GET", "/agreements");
    assert.deepEqual(
      mine.body.map((a: { id: number; accepted: boolean }) => [a.id, a.accepted]),
      [[invited.body.id, true]],
    );
    const again = await app.anonymous("POST", "/users", { body: { ...wanted, email: "bo2@shop.example" } });
    assert.deepEqual([again.status, again.body.errors], [400, { token: ["is invalid"] }]);
  });

  test("nobody signs up where sign-up is closed", async () => {
    const closed = await startApp({ settings: { signup: "closed" } });
    try {
      const answer = await closed.anonymous("POST", "/users", {
        body: { name: "Bo", email: "bo@shop.example", password: good_password },
      });
      assert.deepEqual([answer.status, answer.body.message], [403, "Not authorized: Sign-up is closed"]);
    } finally {
      await closed.stop();
    }
  });
});

describe("oneself", () => {
  test("a user sees herself and nobody else; a key sees no user", async () => {
    const ida = await app.signUp();
    const account = await app.newAccount();
    const me = await ida.call("GET", "/user");
    assert.equal(me.body.email, ida.email);
    const other = await account.owner("GET", `/users/${me.body.id}`);
    assert.deepEqual([other.status, other.body.message], [404, `Not found: No User with id ${me.body.id}`]);
    const key = await account.call("GET", "/user");
    assert.deepEqual([key.status, key.body.message], [403, "Not authorized: Not authorized to GET /user"]);
    assert.equal((await app.anonymous("GET", "/user")).status, 401);
  });

  test("the name changes without further proof, e-mail and password with the current password only", async () => {
    const { email, password, call } = await app.signUp();
    assert.equal((await call("PATCH", "/user", { body: { name: "Ida Ny" } })).body.name, "Ida Ny");
    for (const change of [{ email: "new-address@shop.example" }, { password: good_password }]) {
      const without = await call("PATCH", "/user", { body: change });
      assert.deepEqual([without.status, without.body.errors], [400, { current_password: ["is missing"] }]);
      const wrong = await call("PATCH", "/user", { body: { ...change, current_password: "not this one, sir" } });
      assert.deepEqual([wrong.status, wrong.body.errors], [400, { current_password: ["is invalid"] }]);
    }
    const weak = await call("PATCH", "/user", { body: { password: "password1234", current_password: password } });
    assert.equal(weak.status, 400);

    const changed = await call("PATCH", "/user", { body: { password: good_password, current_password: password } });
    assert.equal(changed.status, 200);
    assert.equal((await call("GET", "/user")).status, 401, "the old password stops at once");
    assert.equal((await app.client(email, good_password)("GET", "/user")).status, 200);
  });

  test("another's e-mail cannot be taken", async () => {
    const [ida, bo] = [await app.signUp(), await app.signUp()];
    const answer = await bo.call("PATCH", "/user", { body: { email: ida.email, current_password: bo.password } });
    assert.deepEqual([answer.status, answer.body.errors], [409, { email: ["is already in use"] }]);
  });

  test("changes at the same time do not undo each other", async () => {
    const { email, password, call } = await app.signUp();
    const next = "eight blue lanterns";
    const answers = await Promise.all([
      call("PATCH", "/user", { body: { password: next, current_password: password } }),
      ...[1, 2, 3, 4].map((n) => call("PATCH", "/user", { body: { name: `Name ${n}` } })),
    ]);
    assert.equal(answers[0]?.status, 200);
    assert.equal((await app.client(email, next)("GET", "/user")).status, 200);
  });
});

describe("leaving", () => {
  test("the last owner of an account cannot, another member can, and the e-mail is free again", async () => {
    const account = await app.newAccount();
    const owner = await app.client(account.email, account.password)("DELETE", "/user");
    assert.equal(owner.status, 409);
    assert.equal((await account.owner("GET", "/account")).status, 200);

    const member = await newMember(app, account, ["GET /payments"]);
    const { api_key } = (await member.alone("GET", "/agreements")).body[0];
    assert.equal((await app.client("", api_key)("GET", "/payments")).status, 200);
    assert.equal((await member.alone("DELETE", "/user")).status, 204);
    assert.equal((await app.client("", api_key)("GET", "/payments")).status, 401);
    assert.equal((await member.alone("GET", "/user")).status, 401);
    const listed = await account.owner("GET", "/agreements");
    assert.ok(listed.body.every(({ id }: { id: number }) => id !== member.agreement_id));
    const trail = await account.owner("GET", `/activity?target_type=Agreement&target_id=${member.agreement_id}`);
    assert.equal(trail.body[0].action, "delete", "the account sees that somebody left");

    const other = await app.signUp();
    const renamed = await other.call("PATCH", "/user", {
      body: { email: member.email, current_password: other.password },
    });
    assert.equal(renamed.status, 200);
  });

  test("an API key that is owner does not count as one: a person must stay", async () => {
    const account = await app.newAccount();
    assert.equal(
      (await account.owner("POST", "/agreements", { body: { system_user: "Robot", owner: true } })).status,
      201,
    );
    assert.equal((await app.client(account.email, account.password)("DELETE", "/user")).status, 409);
  });
});
