// The rules of access, sentence by sentence (reference: extensions, section 3). Here stand those that are about everything
// at once; the others are shown where their subject is:
//
//   users, passwords, e-mails, sign-up                         users.test.ts
//   accounts: those of a user, opening one, test transactions  accounts.test.ts
//   agreements: lists, invitations, keys, owners, locked ones  agreements.test.ts
//   each permission, taken away and given alone                permissions.test.ts
//   another account's things                                   tenants.test.ts

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { acquirer_names } from "../src/domain/acquirers.ts";
import { type Answer, type Client, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { newKey, newMember, permissions } from "./support/members.ts";

let app: TestApp;
let account: TestAccount;
/** Everything that there is to be permitted: `GET /payments`. */
let every: readonly string[];
before(async () => {
  app = await startApp();
  account = await app.newAccount();
  every = (await allOf("/acl-resources")).flatMap(({ resource, actions }) =>
    actions.map((action: string) => `${action} ${resource}`),
  );
});
after(() => app.stop());

// biome-ignore lint/suspicious/noExplicitAny: lists of every shape
async function allOf(path: string, call: Client = account.owner): Promise<any[]> {
  const all = [];
  for (let page = 1; ; page++) {
    const { status, body, text } = await call("GET", `${path}?page_size=100&page=${page}`);
    assert.equal(status, 200, text);
    all.push(...body);
    if (body.length < 100) return all;
  }
}

type Shown = {
  readonly id: number;
  readonly service: string | null;
  readonly owner: boolean;
  readonly api_key: string | null;
  readonly acl_permissions: readonly Record<string, unknown>[];
};

const agreements = (call?: Client): Promise<Shown[]> => allOf("/agreements", call);

async function ofService(service: string | null): Promise<Shown> {
  const found = (await agreements()).find((one) => one.service === service && (service !== null || one.owner));
  assert.ok(found);
  return found;
}

const granted = ({ acl_permissions }: Shown): string[] =>
  acl_permissions.flatMap((line) =>
    ["GET", "POST", "PUT", "PATCH", "DELETE"]
      .filter((verb) => line[verb.toLowerCase()] === true)
      .map((verb) => `${verb} ${line.resource}`),
  );

/** `GET POST /payments` is two permissions. */
const spelled = (text: string): string[] =>
  text
    .trim()
    .split("\n")
    .flatMap((line) => {
      const words = line.trim().split(/\s+/);
      return words.slice(0, -1).map((verb) => `${verb} ${words.at(-1)}`);
    });

describe("the permissions of a new account's agreements, all of them and no others", () => {
  const api_user = `
    GET POST     /payments
    GET PATCH    /payments/:id
    PUT DELETE   /payments/:id/link
    POST         /payments/:id/authorize
    POST         /payments/:id/session
    POST         /payments/:id/capture
    POST         /payments/:id/refund
    POST         /payments/:id/cancel
    POST         /payments/:id/renew
    POST         /payments/:id/fraud-report
    GET PATCH    /payments/:id/operations/:operation_id
    GET POST     /subscriptions
    GET PATCH    /subscriptions/:id
    GET          /subscriptions/:id/payments
    PUT DELETE   /subscriptions/:id/link
    POST         /subscriptions/:id/authorize
    POST         /subscriptions/:id/session
    POST         /subscriptions/:id/cancel
    POST         /subscriptions/:id/recurring
    POST         /subscriptions/:id/fraud-report
    GET PATCH    /subscriptions/:id/operations/:operation_id
    GET POST     /cards
    GET PATCH    /cards/:id
    PUT DELETE   /cards/:id/link
    POST         /cards/:id/authorize
    POST         /cards/:id/cancel
    POST         /cards/:id/tokens
    POST         /cards/:id/fraud-report
    GET PATCH    /cards/:id/operations/:operation_id
    GET POST     /payouts
    GET PATCH    /payouts/:id
    PUT DELETE   /payouts/:id/link
    POST         /payouts/:id/credit
    POST         /payouts/:id/fraud-report
    GET PATCH    /payouts/:id/operations/:operation_id
    POST         /fees
    POST         /fees/:acquirer/:payment_method
    GET          /fees/formulas
    GET          /fees/formulas/:acquirer
    GET          /fees/formulas/:acquirer/:payment_method
    GET          /brandings
    GET          /brandings/:id
    GET          /brandings/:id/*resource_name
    GET          /acquirers
    ${acquirer_names.map((name) => `GET /acquirers/${name}`).join("\n")}
    GET POST     /ping
    GET          /account
    GET          /account/private-key
    GET          /callbacks
    GET          /callbacks/:id
    GET          /requests
    GET          /requests/:id
    GET          /exports
    GET          /exports/:id
    GET          /exports/:id/file`;
  const payment_window = `
    POST         /payments
    GET          /payments/:id
    POST         /payments/:id/authorize
    POST         /payments/:id/session
    POST         /subscriptions
    GET          /subscriptions/:id
    POST         /subscriptions/:id/authorize
    POST         /subscriptions/:id/session
    POST         /cards
    GET          /cards/:id
    POST         /cards/:id/authorize
    POST         /cards/:id/session
    POST         /payouts
    GET          /payouts/:id
    POST         /payouts/:id/session
    POST         /payouts/:id/credit
    POST         /fees`;

  const declared = (text: string): string[] => spelled(text).filter((one) => every.includes(one));

  test("Owner: everything", async () => {
    assert.deepEqual(granted(await ofService(null)).toSorted(), every.toSorted());
  });
  test("API User: payments, subscriptions, cards and payouts whole; what it needs to know, to read", async () => {
    assert.deepEqual(granted(await ofService("api_user")).toSorted(), declared(api_user).toSorted());
  });
  test("Payment Window: what a shopper's payment takes", async () => {
    assert.deepEqual(granted(await ofService("payment_window")).toSorted(), declared(payment_window).toSorted());
  });
});

describe("nobody raises the permissions held", () => {
  const managing = [
    "POST /agreements",
    "PUT /agreements/:id",
    "PATCH /agreements/:id",
    "PATCH /agreements/:id/api-key",
  ];

  test("whatever one permission is lacking: it is neither taken nor given away", async () => {
    const { body } = await account.owner("POST", "/agreements", { body: { system_user: "Manager" } });
    const call = app.client("", body.api_key);
    const path = `/agreements/${body.id}`;
    for (const lacking of every.filter((one) => !managing.includes(one))) {
      const held = every.filter((one) => one !== lacking);
      const given = await account.owner("PUT", path, { body: { acl_permissions: permissions(...held) } });
      assert.equal(given.status, 200, given.text);
      const refusal = `Not authorized: Not authorized to grant ${lacking}`;
      const wanted = { acl_permissions: permissions(lacking) };
      const itself = await call("PUT", path, { body: { acl_permissions: permissions(...every) } });
      assert.deepEqual([itself.status, itself.body.message], [403, refusal]);
      const another = await call("POST", "/agreements", { body: { system_user: "Accomplice", ...wanted } });
      assert.deepEqual([another.status, another.body.message], [403, refusal]);
    }
  });

  test("everything that can be permitted does not make an owner", async () => {
    const member = await newMember(app, account, every);
    const path = `/agreements/${member.agreement_id}`;
    const acl_permissions = permissions(...every);
    for (const [method, to, body] of [
      ["PATCH", path, { owner: true }],
      ["PUT", path, { owner: true, acl_permissions }],
      ["POST", "/agreements", { owner: true, system_user: "Accomplice", acl_permissions }],
      ["POST", "/agreements", { owner: true, user_email: "accomplice@shop.example", acl_permissions }],
    ] as const) {
      const { status, body: said } = await member.call(method, to, { body });
      assert.deepEqual([status, said.message], [403, "Not authorized: Only owners set owner"], `${method} ${to}`);
    }
    const { id } = await ofService(null);
    for (const [method, to] of [
      ["PATCH", `/agreements/${id}`],
      ["PUT", `/agreements/${id}`],
      ["DELETE", `/agreements/${id}`],
      ["PATCH", `/agreements/${id}/api-key`],
    ] as const)
      assert.equal((await member.call(method, to, { body: { acl_permissions } })).status, 403, `${method} ${to}`);
  });
});

test("nobody reads a key that is not theirs, wherever it is looked for", async () => {
  const member = await newMember(app, account, every);
  const key = await newKey(app, account, ["GET /payments"]);
  const others = (await agreements()).filter(({ id }) => id !== member.agreement_id);
  // Those that an owner sees, and her own.
  const secrets = others.flatMap(({ api_key }) => api_key ?? []);
  assert.ok(secrets.includes(key.api_key) && secrets.includes(account.api_key) && secrets.length >= 4);
  const reads = [
    "/agreements?page_size=100",
    "/activity?page_size=100",
    "/account",
    "/acquirers",
    ...others.flatMap(({ id }) => [`/agreements/${id}`, `/agreements/${id}/activity`]),
  ];
  for (const call of [member.call, member.alone]) {
    for (const path of reads) {
      const { text } = await call("GET", path);
      for (const secret of secrets) assert.ok(!text.includes(secret), `GET ${path} tells a key`);
    }
  }
  const fresh = await member.call("PATCH", `/agreements/${key.agreement_id}/api-key`);
  assert.deepEqual([fresh.status, fresh.body.api_key], [200, null], "whoever makes it new does not see it");
});

describe("a card number that is no test card and finds no live acquirer", () => {
  const live = ["4111111111111111", "5500000000000004"];
  const kinds: Readonly<Record<string, { readonly verb: string; readonly body: object; readonly more: object }>> = {
    payments: { verb: "authorize", body: { currency: "DKK" }, more: { amount: 1000 } },
    subscriptions: { verb: "authorize", body: { currency: "DKK", description: "Tea" }, more: { amount: 1000 } },
    cards: { verb: "authorize", body: {}, more: {} },
    payouts: { verb: "credit", body: { currency: "DKK" }, more: { amount: 1000 } },
  };

  const stored = async (): Promise<unknown> =>
    (
      await app.services.pool.query(
        `SELECT (SELECT count(*)::int FROM operations) AS operations, (SELECT count(*)::int FROM vault) AS vault,
           (SELECT count(*)::int FROM simulator.book) AS asked, (SELECT count(*)::int FROM callbacks) AS callbacks,
           (SELECT string_agg(t::text, ',' ORDER BY id) FROM transactions t) AS transactions`,
      )
    ).rows[0];

  for (const [kind, { verb, body, more }] of Object.entries(kinds)) {
    test(`is 400 on ${kind}, and nothing is stored`, async () => {
      const made = await account.call("POST", `/${kind}`, { body: { order_id: `live-${kind.slice(0, 8)}`, ...body } });
      assert.equal(made.status, 201, made.text);
      const before_it = await stored();
      for (const number of live) {
        for (const waiting of ["", "?synchronized"]) {
          const card = { number, expiration: "3112", cvd: "9173" };
          const path = `/${kind}/${made.body.id}/${verb}${waiting}`;
          const { status, body: said, text }: Answer = await account.call("POST", path, { body: { ...more, card } });
          assert.deepEqual([status, said.errors], [400, { "card[number]": ["no acquirer accepts this card"] }], text);
          assert.ok(!text.includes(number));
        }
      }
      assert.deepEqual(await stored(), before_it);
    });
  }

  test("is not let in by naming an acquirer, with or without its credentials", async () => {
    const shop = await app.newAccount();
    await shop.owner("PATCH", "/acquirers/clearhaus", { body: { active: true, api_key: "a live key of somebody" } });
    const made = await shop.call("POST", "/payments", { body: { order_id: "live-named", currency: "DKK" } });
    for (const number of live) {
      const card = { number, expiration: "3112", cvd: "9173" };
      for (const acquirer of [undefined, "clearhaus", "nets"]) {
        const { status, text } = await shop.call("POST", `/payments/${made.body.id}/authorize`, {
          body: { amount: 1000, acquirer, card },
        });
        assert.equal(status, 400, text);
      }
    }
    assert.deepEqual((await shop.call("GET", `/payments/${made.body.id}`)).body.operations, []);
  });
});

test("who may come only from some addresses lets nobody in from others, herself neither", async () => {
  const account = await app.newAccount();
  const own = [{ address: "127.0.0.1" }];
  const acl = ["POST /agreements", "GET /agreements", "PATCH /agreements/:id", "GET /agreements/:id"];
  const member = await newKey(app, account, acl, { ip_restriction: own });
  const refused = "Not authorized: Not authorized to allow other addresses than one's own";
  for (const ip_restriction of [[{ address: "0.0.0.0/0" }], []]) {
    const wider = await member.call("PATCH", `/agreements/${member.agreement_id}`, { body: { ip_restriction } });
    assert.deepEqual([wider.status, wider.body.message], [403, refused]);
  }
  const other = { system_user: "Elsewhere", ip_restriction: [{ address: "10.0.0.1" }] };
  assert.equal((await member.call("POST", "/agreements", { body: other })).status, 403);
  const made = await member.call("POST", "/agreements", { body: { system_user: "Here" } });
  assert.deepEqual([made.status, made.body.ip_restriction], [201, own], made.text);
});
