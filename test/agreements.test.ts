// Who may act on an account, with which key, and who decides that.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Agreement } from "../src/domain/access.ts";
import { createAgreement } from "../src/services/agreements.ts";
import { system } from "../src/services/services.ts";
import { claimKey } from "../src/storage/idempotency.ts";
import { type Client, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { newKey, newMember, permissions } from "./support/members.ts";

let app: TestApp;
let account: TestAccount;
before(async () => {
  app = await startApp();
  account = await app.newAccount();
});
after(() => app.stop());

type Shown = {
  id: number;
  service: string | null;
  api_key: string | null;
  accepted: boolean;
  user: { id: number | null };
};

const ofService = async (service: string, call: Client = account.owner): Promise<Shown> => {
  const { body } = await call("GET", `/agreements?service=${service}`);
  return body[0];
};

const refusal = ({ status, body }: { status: number; body: { message: string } }): [number, string] => [
  status,
  body.message,
];

describe("what the system users may do from the start", () => {
  const rows = `
    POST   /payments                 window api
    GET    /payments/1               window api
    POST   /payments/1/authorize     window api
    POST   /payments/1/session       window api
    POST   /payments/1/capture       -      api
    POST   /payments/1/refund        -      api
    POST   /payments/1/cancel        -      api
    PUT    /payments/1/link          -      api
    DELETE /payments/1/link          -      api
    GET    /payments                 -      api
    PATCH  /payments/1               -      api
    GET    /ping                     -      api
    GET    /account                  -      api
    PATCH  /account                  -      -
    DELETE /account                  -      -
    GET    /account/private-key      -      api
    PATCH  /account/private-key      -      -
    GET    /agreements               -      -
    POST   /agreements               -      -
    PATCH  /agreements/1/api-key     -      -
    GET    /activity                 -      -
    GET    /callbacks                -      api
    POST   /callbacks/replay         -      -
    GET    /acl-resources            -      -
    GET    /accounts                 -      -
    GET    /user                     -      -
    GET    /acquirers                -      api
    GET    /acquirers/clearhaus      -      api
    PATCH  /acquirers/clearhaus      -      -
    POST   /fees                     window api
    GET    /fees/formulas            -      api
    GET    /payment-method-priority  -      -
    GET    /currencies               window api`;
  for (const row of rows.trim().split("\n")) {
    const [method = "", path = "", window, api] = row.trim().split(/ +/);
    test(`${method} ${path}: Payment Window ${window === "window" ? "yes" : "no"}, API User ${api === "api" ? "yes" : "no"}`, async () => {
      const { api_key } = await ofService("payment_window");
      const as_window = await app.client("", api_key ?? "")(method, path);
      const as_api = await account.call(method, path);
      assert.equal(as_window.status !== 403, window === "window", `Payment Window: ${as_window.text}`);
      assert.equal(as_api.status !== 403, api === "api", `API User: ${as_api.text}`);
      const template = path.replace("/1", "/:id");
      if (as_window.status === 403)
        assert.equal(as_window.body.message, `Not authorized: Not authorized to ${method} ${template}`);
    });
  }

  test("is spelled out in the agreement, verb by verb, only what exists", async () => {
    const { body } = await account.owner("GET", "/agreements?service=payment_window");
    const lines = body[0].acl_permissions;
    const authorize = lines.find(({ resource }: { resource: string }) => resource === "/payments/:id/authorize");
    assert.deepEqual(authorize, {
      resource: "/payments/:id/authorize",
      get: false,
      post: true,
      put: false,
      delete: false,
      patch: false,
    });
    assert.ok(lines.every(({ resource }: { resource: string }) => resource !== "/payments/:id/link"));
    const api = (await account.owner("GET", "/agreements?service=api_user")).body[0].acl_permissions;
    const payments = api.find(({ resource }: { resource: string }) => resource === "/payments");
    assert.deepEqual(payments, {
      resource: "/payments",
      get: true,
      post: true,
      put: false,
      delete: false,
      patch: false,
    });
  });
});

describe("who sees which key", () => {
  test("owners see their own and the system users', nobody another person's", async () => {
    const member = await newMember(app, account, ["GET /agreements", "GET /agreements/:id", "GET /payments"]);
    const keys = async (call: Client) => {
      const { body } = await call("GET", "/agreements?page_size=100");
      return new Map<number, string | null>(body.map((a: Shown) => [a.id, a.api_key]));
    };
    const [window, api] = [await ofService("payment_window"), await ofService("api_user")];
    const as_owner = await keys(account.owner);
    const own = (await account.owner("GET", "/agreements?me=true")).body;
    assert.equal(own.length, 1);
    assert.match(String(own[0].api_key), /^[0-9a-f]{64}$/);
    assert.match(String(as_owner.get(window.id)), /^[0-9a-f]{64}$/);
    assert.equal(as_owner.get(api.id), account.api_key);
    assert.equal(as_owner.get(member.agreement_id), null);

    const as_member = await keys(member.call);
    assert.match(String(as_member.get(member.agreement_id)), /^[0-9a-f]{64}$/);
    for (const [id, key] of as_member) if (id !== member.agreement_id) assert.equal(key, null);
    for (const id of [own[0].id, window.id, api.id]) {
      assert.equal((await member.call("GET", `/agreements/${id}`)).body.api_key, null);
    }
  });

  test("a key sees itself when it may list agreements, and no other", async () => {
    const key = await newKey(app, account, ["GET /agreements"]);
    const { body } = await key.call("GET", "/agreements?page_size=100");
    const shown = body.filter((a: Shown) => a.api_key !== null);
    assert.deepEqual(
      shown.map((a: Shown) => [a.id, a.api_key]),
      [[key.agreement_id, key.api_key]],
    );
    assert.deepEqual(
      (await key.call("GET", "/agreements?me=1")).body.map((a: Shown) => a.id),
      [key.agreement_id],
    );
  });

  test("keys rest sealed", async () => {
    const { rows } = await app.services.pool.query(
      "SELECT agreements::text AS row FROM agreements WHERE account_id = $1",
      [account.id],
    );
    assert.ok(rows.length >= 3);
    const bytes = Buffer.from(account.api_key).toString("hex");
    for (const { row } of rows) assert.ok(!row.includes(account.api_key) && !row.includes(bytes));
  });
});

describe("another account", () => {
  test("is out of reach of keys and people, by id, list and header", async () => {
    const other = await app.newAccount();
    const [theirs] = (await other.owner("GET", "/agreements?me=1")).body;
    for (const [method, path] of [
      ["GET", `/agreements/${theirs.id}`],
      ["PATCH", `/agreements/${theirs.id}`],
      ["PUT", `/agreements/${theirs.id}`],
      ["DELETE", `/agreements/${theirs.id}`],
      ["PATCH", `/agreements/${theirs.id}/api-key`],
      ["GET", `/agreements/${theirs.id}/activity`],
    ] as const) {
      const answer = await account.owner(method, path);
      assert.deepEqual(refusal(answer), [404, `Not found: No Agreement with id ${theirs.id}`], `${method} ${path}`);
    }
    const listed = (await account.owner("GET", `/agreements?page_size=100&account_id=${other.id}`)).body;
    assert.deepEqual(listed, []);
    const alone = app.client(account.email, account.password);
    assert.equal((await alone("GET", `/agreements/${theirs.id}`)).status, 404);
    assert.equal((await alone("DELETE", `/agreements/${theirs.id}`)).status, 404);
    const header = { headers: { "CoolPay-Account-Id": String(other.id) } };
    const message = "Not authorized: Name the account in the header CoolPay-Account-Id";
    assert.deepEqual(refusal(await alone("GET", "/agreements", header)), [403, message]);
    assert.deepEqual(refusal(await account.call("GET", "/payments", header)), [403, message]);
  });
});

describe("a user without an account in the header", () => {
  test("lists her own agreements on every account, even where there is one", async () => {
    const { call } = await app.signUp();
    const first = await call("POST", "/accounts", { body: { shop_name: "One", contact_email: "a@shop.example" } });
    const own = (await call("GET", "/agreements")).body;
    assert.deepEqual(
      own.map((a: { account: { id: number } }) => a.account.id),
      [first.body.id],
    );
    const second = await call("POST", "/accounts", { body: { shop_name: "Two", contact_email: "a@shop.example" } });
    const both = (await call("GET", "/agreements")).body;
    assert.deepEqual(
      both.map((a: { account: { id: number } }) => a.account.id),
      [second.body.id, first.body.id],
    );
    const narrowed = (await call("GET", `/agreements?account_id=${first.body.id}`)).body;
    assert.deepEqual(
      narrowed.map((a: { account: { id: number } }) => a.account.id),
      [first.body.id],
    );
  });

  test("changes agreements of her only account, and is asked to name one of several", async () => {
    const shop = await app.newAccount();
    const alone = app.client(shop.email, shop.password);
    const api = await ofService("api_user", shop.owner);
    assert.equal((await alone("GET", `/agreements/${api.id}`)).body.api_key, shop.api_key);
    const changed = await alone("PATCH", `/agreements/${api.id}`, { body: { description: "Web shop" } });
    assert.deepEqual([changed.status, changed.body.description], [200, "Web shop"]);
    await alone("POST", "/accounts", { body: { shop_name: "Two", contact_email: "a@shop.example" } });
    const asked = await alone("PATCH", `/agreements/${api.id}`, { body: { description: "?" } });
    assert.deepEqual(refusal(asked), [403, "Not authorized: Name the account in the header CoolPay-Account-Id"]);
  });

  test("is bound by permissions and address on her only account too", async () => {
    const shop = await app.newAccount();
    const member = await newMember(app, shop, ["GET /payments"]);
    const api = await ofService("api_user", shop.owner);
    assert.equal((await member.alone("PATCH", `/agreements/${api.id}`, { body: { description: "?" } })).status, 403);
    assert.notEqual((await member.alone("GET", `/agreements/${api.id}`)).status, 200);
    assert.notEqual((await member.alone("DELETE", `/agreements/${api.id}`)).status, 204);
  });
});

describe("giving permissions", () => {
  const managing = [
    "GET /agreements",
    "POST /agreements",
    "PATCH /agreements/:id",
    "PUT /agreements/:id",
    "DELETE /agreements/:id",
  ];

  test("nobody gives what they do not hold", async () => {
    const member = await newMember(app, account, [...managing, "PATCH /agreements/:id/api-key", "GET /payments"]);
    const give = (...granted: string[]) => ({
      body: { system_user: "Robot", acl_permissions: permissions(...granted) },
    });
    assert.equal((await member.call("POST", "/agreements", give("GET /payments"))).status, 201);
    const more = await member.call("POST", "/agreements", give("GET /payments", "POST /payments/:id/refund"));
    assert.deepEqual(refusal(more), [403, "Not authorized: Not authorized to grant POST /payments/:id/refund"]);
    const owner = await member.call("POST", "/agreements", { body: { system_user: "Robot", owner: true } });
    assert.deepEqual(refusal(owner), [403, "Not authorized: Only owners set owner"]);
    const self = await member.call("PATCH", `/agreements/${member.agreement_id}`, { body: { owner: true } });
    assert.equal(self.status, 403);
    const widened = await member.call("PUT", `/agreements/${member.agreement_id}`, {
      body: { acl_permissions: permissions(...managing, "GET /payments", "GET /account/private-key") },
    });
    assert.equal(widened.status, 403);
    assert.equal((await member.call("GET", "/account/private-key")).status, 403);
  });

  test("nobody edits, ends or gives a new key to an agreement that holds more", async () => {
    const member = await newMember(app, account, [...managing, "PATCH /agreements/:id/api-key", "GET /payments"]);
    const [own] = (await account.owner("GET", "/agreements?me=1")).body;
    const api = await ofService("api_user");
    for (const id of [own.id, api.id]) {
      assert.equal((await member.call("PATCH", `/agreements/${id}`, { body: { description: "mine" } })).status, 403);
      assert.equal(
        (await member.call("PUT", `/agreements/${id}`, { body: { acl_permissions: permissions("GET /payments") } }))
          .status,
        403,
      );
      assert.equal((await member.call("PATCH", `/agreements/${id}/api-key`)).status, 403);
      assert.equal((await member.call("DELETE", `/agreements/${id}`)).status, 403);
    }
    assert.equal((await account.call("GET", "/payments")).status, 200);
  });

  test("who holds all that the API User holds may give it a new key, and does not see it", async () => {
    const shop = await app.newAccount();
    const api = (await shop.owner("GET", "/agreements?service=api_user")).body[0];
    const held = api.acl_permissions.flatMap((line: Record<string, unknown>) =>
      ["get", "post", "put", "delete", "patch"]
        .filter((verb) => line[verb])
        .map((verb) => `${verb.toUpperCase()} ${line.resource}`),
    );
    const member = await newMember(app, shop, [...held, "PATCH /agreements/:id/api-key"]);
    const answer = await member.call("PATCH", `/agreements/${api.id}/api-key`);
    assert.deepEqual([answer.status, answer.body.api_key], [200, null]);
    assert.equal((await shop.call("GET", "/ping")).status, 401);
  });

  test("PUT replaces the permissions, and the change holds at once", async () => {
    const key = await newKey(app, account, ["GET /payments", "GET /account"]);
    assert.equal((await key.call("GET", "/payments")).status, 200);
    const form = new URLSearchParams("acl_permissions[][resource]=/account&acl_permissions[][get]=1");
    const put = await account.owner("PUT", `/agreements/${key.agreement_id}`, { body: form });
    assert.deepEqual(put.body.acl_permissions, [
      { resource: "/account", get: true, post: false, put: false, delete: false, patch: false },
    ]);
    assert.deepEqual(
      [(await key.call("GET", "/payments")).status, (await key.call("GET", "/account")).status],
      [403, 200],
    );
  });

  test("an unknown resource is refused", async () => {
    const body = { system_user: "Robot", acl_permissions: [{ resource: "/everything", get: true }] };
    const answer = await account.owner("POST", "/agreements", { body });
    assert.deepEqual(
      [answer.status, answer.body.errors],
      [400, { "acl_permissions[][resource]": ["does not have a valid value"] }],
    );
  });

  test("a person or a system user, exactly one of them", async () => {
    for (const body of [{}, { user_email: "a@shop.example", system_user: "Robot" }]) {
      assert.equal((await account.owner("POST", "/agreements", { body })).status, 400);
    }
  });
});

describe("owners", () => {
  test("the last one cannot leave, be deleted or become less, also when two go at the same time", async () => {
    const shop = await app.newAccount();
    const [own] = (await shop.owner("GET", "/agreements?me=1")).body;
    const alone = app.client(shop.email, shop.password);
    assert.equal((await alone("DELETE", `/agreements/${own.id}`)).status, 409);
    assert.equal((await shop.owner("DELETE", `/agreements/${own.id}`)).status, 409);
    assert.equal((await shop.owner("PATCH", `/agreements/${own.id}`, { body: { owner: false } })).status, 409);

    const second = await newMember(app, shop, [], true);
    const answers = await Promise.all([
      alone("DELETE", `/agreements/${own.id}`),
      second.alone("DELETE", `/agreements/${second.agreement_id}`),
    ]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [204, 409]);
  });

  test("a key that is owner cannot take the place of the last person", async () => {
    const shop = await app.newAccount();
    await shop.owner("POST", "/agreements", { body: { system_user: "Robot", owner: true } });
    const [own] = (await shop.owner("GET", "/agreements?me=1")).body;
    assert.equal((await shop.owner("DELETE", `/agreements/${own.id}`)).status, 409);
  });
});

describe("invitations", () => {
  test("are accepted by their token, once; until then there is no key and no access", async () => {
    const guest = await app.signUp();
    const body = { user_email: guest.email.toUpperCase(), acl_permissions: permissions("GET /payments") };
    const invited = await account.owner("POST", "/agreements", { body });
    const { id, invitation_token: token, api_key, accepted, user } = invited.body;
    assert.deepEqual([invited.status, api_key, accepted, user.email, user.id], [201, null, false, guest.email, null]);
    assert.equal(invited.headers.get("location"), `${app.url}/agreements/${id}`);
    assert.doesNotMatch((await account.owner("GET", `/agreements/${id}`)).text, new RegExp(token));
    assert.equal((await guest.call("GET", "/payments")).status, 403);

    const wrong = await guest.call("PATCH", `/agreements/${id}`, { body: { accepted: true, token: "wrong" } });
    assert.ok([400, 404].includes(wrong.status), wrong.text);
    const done = await guest.call("PATCH", `/agreements/${id}`, { body: { accepted: true, token } });
    assert.deepEqual([done.status, done.body.accepted], [200, true]);
    assert.match(done.body.api_key, /^[0-9a-f]{64}$/);
    assert.equal((await guest.call("GET", "/payments")).status, 200);
    assert.equal((await app.client("", done.body.api_key)("GET", "/payments")).status, 200);

    const thief = await app.signUp();
    const again = await thief.call("PATCH", `/agreements/${id}`, { body: { accepted: true, token } });
    assert.ok([400, 404].includes(again.status), again.text);
  });

  test("a matching e-mail that nobody verified neither sees, accepts nor declines", async () => {
    const guest = await app.signUp();
    const invited = await account.owner("POST", "/agreements", { body: { user_email: guest.email } });
    const path = `/agreements/${invited.body.id}`;
    assert.deepEqual((await guest.call("GET", "/agreements")).body, []);
    assert.equal((await guest.call("GET", path)).status, 404);
    assert.notEqual((await guest.call("PATCH", path, { body: { accepted: true } })).status, 200);
    assert.equal((await guest.call("DELETE", path)).status, 404);
    assert.equal((await account.owner("GET", path)).status, 200);

    await app.services.pool.query("UPDATE users SET email_verified = true WHERE email = $1", [guest.email]);
    app.services.directory.forget();
    assert.deepEqual(
      (await guest.call("GET", "/agreements")).body.map((a: Shown) => a.id),
      [invited.body.id],
    );
    const accepted = await guest.call("PATCH", path, { body: { accepted: true } });
    assert.deepEqual([accepted.status, accepted.body.accepted], [200, true]);
  });

  test("may be declined by who was invited, and withdrawn by who invited", async () => {
    const guest = await app.signUp();
    await app.services.pool.query("UPDATE users SET email_verified = true WHERE email = $1", [guest.email]);
    app.services.directory.forget();
    const first = await account.owner("POST", "/agreements", { body: { user_email: guest.email } });
    assert.equal((await guest.call("DELETE", `/agreements/${first.body.id}`)).status, 204);
    const second = await account.owner("POST", "/agreements", { body: { user_email: guest.email } });
    assert.equal((await account.owner("DELETE", `/agreements/${second.body.id}`)).status, 204);
    const { id, invitation_token: token } = second.body;
    assert.notEqual((await guest.call("PATCH", `/agreements/${id}`, { body: { accepted: true, token } })).status, 200);
  });

  test("nobody is invited twice, nor connected twice", async () => {
    const member = await newMember(app, account, []);
    const again = await account.owner("POST", "/agreements", { body: { user_email: member.email } });
    assert.deepEqual(
      [again.status, again.body.errors],
      [409, { user_email: ["is already connected to this account"] }],
    );
    const body = { user_email: "pending@shop.example" };
    const first = await account.owner("POST", "/agreements", { body });
    assert.equal((await account.owner("POST", "/agreements", { body })).status, 409);

    const { id, invitation_token: token } = first.body;
    const other_address = await member.alone("PATCH", `/agreements/${id}`, { body: { accepted: true, token } });
    assert.equal(other_address.status, 409);
  });

  test("are made once for the same Idempotency-Key", async () => {
    const sent = { body: { user_email: "once@shop.example" }, headers: { "Idempotency-Key": "invite-1" } };
    const answers = [
      await account.owner("POST", "/agreements", sent),
      await account.owner("POST", "/agreements", sent),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [201, 201],
    );
    assert.deepEqual(answers[1]?.body, answers[0]?.body);
  });
});

describe("a change that cannot be stored whole", () => {
  test("is not stored at all: the Idempotency-Key was taken by another process meanwhile", async () => {
    const { services } = app;
    const holder = (await services.directory.byKey(
      (
        await account.owner("GET", "/agreements?me=1")
      ).body[0].api_key,
    )) as Agreement;
    const claim = {
      bucket: account.id % 1024,
      scope: `agreement:${holder.id}`,
      key: "taken",
      fingerprint: Buffer.from("another request"),
      created_at: services.clock.now(),
    };
    await claimKey(services.pool, { ...claim, resource_type: null, resource_id: null, operation_id: null });
    const count = async () => {
      const { rows } = await services.pool.query(
        `SELECT (SELECT count(*) FROM agreements)::int AS agreements, (SELECT count(*) FROM users)::int AS users,
          (SELECT count(*) FROM activity)::int AS activity`,
      );
      return rows[0];
    };
    const before = await count();
    const wanted = { system_user: "Half", acl_permissions: [] };
    await assert.rejects(
      createAgreement(services, { ...system, claim }, { wanted, holder, resources: [] }),
      /still running/,
    );
    assert.deepEqual(await count(), before);
  });
});

describe("keys", () => {
  test("a new key stops the old one at once", async () => {
    const key = await newKey(app, account, ["GET /payments"]);
    assert.equal((await key.call("GET", "/payments")).status, 200);
    const fresh = await account.owner("PATCH", `/agreements/${key.agreement_id}/api-key`);
    assert.equal(fresh.status, 200);
    assert.match(fresh.body.api_key, /^[0-9a-f]{64}$/);
    const old = await key.call("GET", "/payments");
    assert.deepEqual([old.status, old.body.message], [401, "Invalid API key"]);
    assert.equal((await app.client("", fresh.body.api_key)("GET", "/payments")).status, 200);
  });

  test("a removed agreement stops at once, for key and person", async () => {
    const key = await newKey(app, account, ["GET /payments"]);
    const member = await newMember(app, account, ["GET /payments"]);
    for (const { call } of [key, member]) assert.equal((await call("GET", "/payments")).status, 200);
    for (const { agreement_id } of [key, member]) {
      assert.equal((await account.owner("DELETE", `/agreements/${agreement_id}`)).status, 204);
      assert.equal((await account.owner("GET", `/agreements/${agreement_id}`)).status, 404);
    }
    assert.equal((await key.call("GET", "/payments")).status, 401);
    assert.equal((await member.call("GET", "/payments")).status, 403);
  });

  test("a locked agreement changes nothing but its key", async () => {
    const window = await ofService("payment_window");
    const path = `/agreements/${window.id}`;
    for (const [method, body] of [
      ["PATCH", { description: "mine" }],
      ["PATCH", { owner: true }],
      ["PUT", { acl_permissions: permissions("GET /payments") }],
      ["DELETE", {}],
    ] as const) {
      assert.ok([403, 409].includes((await account.owner(method, path, { body })).status));
    }
    const fresh = await account.owner("PATCH", `${path}/api-key`);
    assert.equal(fresh.status, 200);
    assert.notEqual(fresh.body.api_key, window.api_key);
  });
});

describe("an address restriction", () => {
  test("lets in those addresses and ranges, nobody else", async () => {
    const restricted = async (...addresses: string[]) => {
      const key = await newKey(app, account, ["GET /payments"], {
        ip_restriction: addresses.map((address) => ({ address })),
      });
      return key.call("GET", "/payments");
    };
    assert.equal((await restricted("127.0.0.1")).status, 200);
    assert.equal((await restricted("203.0.113.9", "127.0.0.0/8")).status, 200);
    assert.equal((await restricted("::/0", "0.0.0.0/0")).status, 200);
    for (const addresses of [["203.0.113.9"], ["128.0.0.0/8"], ["::1"], ["2001:db8::/32"]]) {
      assert.deepEqual(refusal(await restricted(...addresses)), [403, "Not authorized: Address not allowed"]);
    }
  });

  for (const address of [
    "localhost",
    "127.0.0.1/33",
    "::1/129",
    "127.0.0",
    "10.0.0.0/8/8",
    "10.0.0.0/",
    "fe80::1%eth0",
    "*",
  ]) {
    test(`${address} is no address`, async () => {
      const body = { system_user: "Robot", ip_restriction: [{ address }] };
      const answer = await account.owner("POST", "/agreements", { body });
      assert.deepEqual([answer.status, answer.body.errors], [400, { "ip_restriction[][address]": ["is invalid"] }]);
    });
  }

  test("can be taken away again", async () => {
    const key = await newKey(app, account, ["GET /payments"], { ip_restriction: [{ address: "203.0.113.9" }] });
    const path = `/agreements/${key.agreement_id}`;
    const kept = await account.owner("PATCH", path, {
      body: new URLSearchParams({ ip_restriction: "", description: "x" }),
    });
    assert.deepEqual(kept.body.ip_restriction, [{ address: "203.0.113.9" }]);
    const freed = await account.owner("PATCH", path, { body: { ip_restriction: [] } });
    assert.deepEqual([freed.status, freed.body.ip_restriction], [200, []]);
    assert.equal((await key.call("GET", "/payments")).status, 200);
  });
});

describe("lists", () => {
  test("of agreements come in pages, newest first, with links", async () => {
    const shop = await app.newAccount();
    for (const name of ["A", "B", "C"]) await shop.owner("POST", "/agreements", { body: { system_user: name } });
    const all = (await shop.owner("GET", "/agreements")).body.map((a: Shown) => a.id);
    assert.deepEqual(
      all,
      [...all].sort((a, b) => b - a),
    );
    const seen: number[] = [];
    let next: string | undefined = "/agreements?page_size=4";
    while (next !== undefined) {
      const page = await shop.owner("GET", next);
      assert.ok(page.body.length <= 4);
      seen.push(...page.body.map((a: Shown) => a.id));
      next = /<([^>]+)>; rel="next"/.exec(page.headers.get("link") ?? "")?.[1]?.slice(app.url.length);
    }
    assert.deepEqual(seen, all);
    assert.deepEqual((await shop.owner("GET", "/agreements?support=true")).body, []);
  });

  test("of what can be permitted work for a person without any account", async () => {
    const { call } = await app.signUp();
    const answer = await call("GET", "/acl-resources?account_type=Merchant&page_size=100");
    assert.equal(answer.status, 200);
    const link = answer.body.find(({ resource }: { resource: string }) => resource === "/payments/:id/link");
    assert.deepEqual([link.account_type, [...link.actions].sort()], ["Merchant", ["DELETE", "PUT"]]);
    assert.ok(answer.body.every(({ description }: { description: string }) => description.length > 0));
    const names = answer.body.map(({ resource }: { resource: string }) => resource);
    for (const never of ["/users", "/user", "/accounts", "/currencies"]) assert.ok(!names.includes(never), never);
    assert.deepEqual((await call("GET", "/acl-resources?account_type=Reseller")).body, []);

    const first = await call("GET", "/acl-resources?page_size=2");
    assert.equal(first.body.length, 2);
    assert.match(first.headers.get("link") ?? "", /page_key=[^>]+>; rel="next"/);
  });
});
