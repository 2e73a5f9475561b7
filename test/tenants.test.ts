// No account reaches into another, by whatever endpoint: everything that is declared is asked for with the ids of account B
// by somebody who may do everything on account A, and the other way round. What is declared later is included by itself;
// what this file cannot name then makes it fail and says what to add.
//
// Ids are unique within a bucket only, so there is a B in A's own bucket and one in another.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Endpoint } from "../src/api/endpoint.ts";
import { unlimited } from "../src/domain/plans.ts";
import { endpointsOf } from "../src/resources/endpoints.ts";
import { type Answer, type Client, eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { form } from "./support/files.ts";
import { newKey } from "./support/members.ts";
import { Receiver } from "./support/receiver.ts";

const buckets = 1024;
const card = { number: "1000000000000008", expiration: "3112", cvd: "208" };

/** Stands in every text of B's that is B's to choose: nobody else may ever read it. */
const mark = "Victoria";

type Victim = {
  readonly account: TestAccount;
  /** Of each kind of thing one, by the address that names it. */
  readonly named: Readonly<Record<string, string | number>>;
  readonly key_token: string;
  /** What nobody else may read. */
  readonly secrets: readonly string[];
  readonly dump: () => Promise<string>;
};

const receiver = new Receiver();
let app: TestApp;
/** Has nothing but itself: whatever else it could be shown is another's. */
let attacker: TestAccount;
/** Everything is allowed to it on the attacker's account. */
let attacker_key: Client;
const victims: Record<string, Victim> = {};

const endpoints: readonly Endpoint[] = endpointsOf({ signup: "open", plans: [unlimited], program_version: "" });

const places = ["in the same bucket", "in another bucket"] as const;

before(async () => {
  await receiver.start();
  app = await startApp();
  attacker = await app.newAccount();
  attacker_key = app.client("", await ownKey(attacker));
  const ids = [attacker.id + buckets, attacker.id + buckets + 1];
  for (const [i, place] of places.entries()) {
    await app.services.pool.query("UPDATE counters SET next = $1 WHERE name = 'accounts'", [ids[i]]);
    victims[place] = await newVictim();
    assert.equal(victims[place]?.account.id, ids[i]);
  }
});
after(async () => {
  await app.stop();
  receiver.stop();
});

const victimIn = (place: string): Victim => victims[place] as Victim;

const ownKey = async ({ owner }: TestAccount): Promise<string> =>
  (await owner("GET", "/agreements?me=1")).body[0].api_key;

async function made(call: Client, path: string, body: object): Promise<Answer["body"]> {
  const answer = await call("POST", path, { body });
  assert.ok(answer.status < 300, `POST ${path}: ${answer.text}`);
  return answer.body;
}

/** An account with something at every address that there is. */
async function newVictim(): Promise<Victim> {
  const account = await app.newAccount();
  const api_key = await ownKey(account);
  const call = app.client("", api_key);
  await account.owner("PATCH", "/account", {
    body: {
      shop_name: mark,
      callback_url: `${receiver.url}/${mark}`,
      acquirer_settings: { viabill: { api_key: mark } },
    },
  });
  await account.owner("PATCH", "/user", { body: { name: mark } });
  const order = { order_id: `${mark}-1`, currency: "DKK" };
  const description = mark;

  const payment = await made(call, "/payments", order);
  await made(call, `/payments/${payment.id}/authorize?synchronized`, { amount: 1000, card });
  const group = await made(call, "/subscription-groups", { name: mark, amount: 100, currency: "DKK" });
  const subscription = await made(call, "/subscriptions", { ...order, description, group_ids: [group.id] });
  await made(call, `/subscriptions/${subscription.id}/authorize?synchronized`, { amount: 0, card });
  const saved = await made(call, "/cards", { variables: { of: mark } });
  await made(call, `/cards/${saved.id}/authorize?synchronized`, { card });
  const { token } = await made(call, `/cards/${saved.id}/tokens`, {});
  const payout = await made(call, "/payouts", order);
  await made(call, `/payouts/${payout.id}/credit?synchronized`, { amount: 1000, card });
  for (const kind of ["payments", "subscriptions", "cards", "payouts"] as const) {
    const body = { amount: 1000, continue_url: `https://${mark}.example` };
    const { id } = { payments: payment, subscriptions: subscription, cards: saved, payouts: payout }[kind];
    assert.equal((await call("PUT", `/${kind}/${id}/link`, { body })).status, 200, kind);
  }

  const branding = await made(call, "/brandings", { name: mark });
  const file = { body: form(`.${mark} {}`) };
  assert.equal((await call("PUT", `/brandings/${branding.id}/${mark}.css`, file)).status, 204);
  const ruleset = { filter_rules: [{ metric_name: "amount", operator: ">", value: "500" }], action: "flag" };
  const { id: ruleset_id } = await made(call, "/fraud-rulesets", { name: mark, combinator: "and", ...ruleset });
  const key = await made(call, "/cryptography/keys", { type: "ec", short_description: mark, curve: "prime256v1" });
  const agreement = await newKey(app, account, ["GET /payments"], { system_user: mark, description });
  const [{ id: activity_id }] = (await call("GET", "/activity?page_size=1")).body;
  const [callback] = await eventually(async () => {
    const { body } = await call("GET", "/callbacks");
    return body.length > 0 && body.every(({ state }: { state: string }) => state === "delivered") && body;
  }, "the delivery of all callbacks");
  const person = app.client(account.email, account.password);
  const { id: user_id } = (await person("GET", "/user")).body;
  const session = await made(person, "/sessions", {});
  const wished = await made((await app.signUp()).call, "/access-requests", { account_id: account.id, message: mark });
  const export_id = (await made(account.owner, "/exports", { resource: "payments" })).id;
  await eventually(
    async () => (await account.owner("GET", `/exports/${export_id}`)).body.state === "ready",
    "the export",
  );
  const [{ id: request_id }] = await eventually(async () => {
    const { body } = await account.owner("GET", "/requests?page_size=1");
    return body.length > 0 && body;
  }, "the request log");
  const { private_key } = (await call("GET", "/account/private-key")).body;

  return {
    account,
    key_token: token,
    secrets: [mark, account.email, api_key, account.api_key, agreement.api_key, private_key, token, callback.id],
    named: {
      "/payments/:id": payment.id,
      "/payments/:id/operations/:operation_id": 1,
      "/subscriptions/:id": subscription.id,
      "/subscriptions/:id/operations/:operation_id": 1,
      "/subscription-groups/:id": group.id,
      "/cards/:id": saved.id,
      "/cards/:id/operations/:operation_id": 1,
      "/payouts/:id": payout.id,
      "/payouts/:id/operations/:operation_id": 1,
      "/brandings/:id": branding.id,
      "/brandings/:id/*resource_name": `${mark}.css`,
      "/fraud-rulesets/:id": ruleset_id,
      "/cryptography/keys/:id": key.id,
      "/callbacks/:id": callback.id,
      "/activity/:id": activity_id,
      "/agreements/:id": agreement.agreement_id,
      "/accounts/:id": account.id,
      "/sessions/:id": session.id,
      "/access-requests/:id": wished.id,
      "/exports/:id": export_id,
      "/requests/:id": request_id,
      "/users/:id": user_id,
    },
    dump: () => dumpOf(account.id, user_id),
  };
}

/** All rows of an account and its owner, in every table that has any, once nothing is under way. */
async function dumpOf(account_id: number, user_id: number): Promise<string> {
  await eventually(async () => app.services.running.size === 0, "the end of what is under way");
  const { rows } = await app.services.pool.query<{ name: string }>(
    `SELECT c.table_name AS name FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND column_name = 'account_id' ORDER BY 1`,
  );
  assert.ok(rows.length >= 10);
  // What B itself asks for is noted there, a second later.
  const unchanging = rows.filter(({ name }) => name !== "requests");
  const of = [
    ...unchanging.map(({ name }) => [name, "account_id", account_id]),
    ["accounts", "id", account_id],
    ["users", "id", user_id],
  ];
  const parts = await Promise.all(
    of.map(async ([name, column, id]) => {
      const found = await app.services.pool.query(
        `SELECT r::text AS row FROM ${name} r WHERE ${column} = $1 ORDER BY 1`,
        [id],
      );
      return `${name}: ${found.rows.map(({ row }) => row).join("\n")}`;
    }),
  );
  return parts.join("\n");
}

/** Words of a list, which name nothing of anybody's. */
const words: Readonly<Record<string, string>> = { ":acquirer": "clearhaus", ":payment_method": "visa" };

/** The path with B's ids; null where it names nothing of B's. */
function pathTo({ method, path }: Endpoint, { named }: Victim): string | null {
  let of_account = false;
  const parts = path.split("/").map((part, i, all) => {
    if (!/^[:*]/.test(part)) return part;
    if (words[part] !== undefined) return words[part];
    const prefix = all.slice(0, i + 1).join("/");
    const value = named[prefix];
    assert.ok(
      value !== undefined,
      `${method} ${path}: this test knows nothing at ${prefix}. Let newVictim make one, and add it to \`named\`.`,
    );
    of_account = true;
    return value;
  });
  return of_account ? parts.join("/") : null;
}

/** Parameters come before existence: what needs some gets good ones. */
function bodyFor({ method, path, input, file }: Endpoint): object | undefined {
  if (method === "GET") return undefined;
  if (file || path.endsWith("/certificate")) return form(".a {}");
  const good: Readonly<Record<string, unknown>> = {
    amount: 100,
    card,
    order_id: "ours-1",
    order_id_prefix: "ours",
    pending: false,
    subject: [{ key: "CN", value: "ours", encoding: "utf8" }],
    name: "ours",
    description: "ours",
    acl_permissions: [],
    token: "ours",
    granted: true,
  };
  const names = Object.keys(input.properties).filter((name) => good[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, good[name]]));
}

const nameOf = ({ method, path }: Endpoint): string => `${method} ${path}`;

type Asked = { readonly what: string; readonly path?: string };

/** What was asked for is repeated by a refusal, and tells nothing. */
function assertNothingOf({ secrets }: Victim, { text, headers }: Answer, { what, path = "" }: Asked): void {
  let told = `${text}\n${JSON.stringify([...headers])}`;
  for (const asked of path.split("/").filter((part) => part !== "")) told = told.replaceAll(asked, "");
  for (const secret of secrets)
    assert.ok(!told.toLowerCase().includes(secret.toLowerCase()), `${what} tells ${secret}: ${text}`);
}

const attackers: Readonly<Record<string, () => Client>> = {
  "A's key": () => attacker_key,
  "A's owner": () => attacker.owner,
  "A's owner, who names no account": () => app.client(attacker.email, attacker.password),
};

describe("B's ids", () => {
  for (const place of places) {
    for (const [who, clientOf] of Object.entries(attackers)) {
      test(`are 404 or 403 on every endpoint for ${who}, B being ${place}, and nothing of B changes`, async () => {
        const victim = victimIn(place);
        const before_it = await victim.dump();
        let count = 0;
        for (const endpoint of endpoints) {
          const path = pathTo(endpoint, victim);
          if (path === null) continue;
          count += 1;
          const answer = await clientOf()(endpoint.method, path, { body: bodyFor(endpoint) });
          const hint = answer.status === 400 ? " (give it what it needs in bodyFor)" : "";
          assert.ok([403, 404].includes(answer.status), `${nameOf(endpoint)}: ${answer.status}${hint} ${answer.text}`);
          assertNothingOf(victim, answer, { what: nameOf(endpoint), path });
        }
        assert.ok(count > 60, `only ${count} endpoints`);
        assert.equal(await victim.dump(), before_it);
      });
    }

    test(`name what B itself may read, B being ${place}`, async () => {
      const victim = victimIn(place);
      for (const endpoint of endpoints.filter(({ method }) => method === "GET")) {
        const path = pathTo(endpoint, victim);
        // It has no certificate.
        if (path === null || path.endsWith("/certificate")) continue;
        const person = app.client(victim.account.email, victim.account.password);
        const { status, text } = await (endpoint.scope === "user" ? person : victim.account.owner)("GET", path);
        assert.equal(status, 200, `${nameOf(endpoint)}: ${text}`);
      }
    });
  }
});

describe("B's id in the header", () => {
  const message = "Not authorized: Name the account in the header CoolPay-Account-Id";
  /** Whatever the header says: nothing of an account is asked for. */
  const isOfNobody = ({ scope }: Endpoint): boolean => scope === "anonymous" || scope === "user";

  /** A path of the attacker's own, or of nobody: it must not come to that. */
  const somewhere = ({ path }: Endpoint): string => path.replaceAll(/[:*]\w+/g, "1");

  for (const place of places) {
    test(`is 403 for A's key and A's owner on every endpoint, B being ${place}`, async () => {
      const victim = victimIn(place);
      const before_it = await victim.dump();
      const headers = { "CoolPay-Account-Id": String(victim.account.id) };
      const person = app.client(attacker.email, attacker.password);
      for (const endpoint of endpoints) {
        const path = pathTo(endpoint, victim) ?? somewhere(endpoint);
        const by_key = await attacker_key(endpoint.method, path, { headers, body: bodyFor(endpoint) });
        // A static resource's errors have no body.
        const { status, text } = by_key;
        assert.equal(status, 403, `${nameOf(endpoint)}: ${text}`);
        const told = endpoint.scope === "user" ? `Not authorized: Not authorized to ${nameOf(endpoint)}` : message;
        if (text !== "") assert.equal(by_key.body.message, told);
        if (isOfNobody(endpoint)) continue;
        const by_owner = await person(endpoint.method, path, { headers, body: bodyFor(endpoint) });
        assert.equal(by_owner.status, 403, `${nameOf(endpoint)}: ${by_owner.text}`);
        if (by_owner.text !== "") assert.equal(by_owner.body.message, message);
      }
      assert.equal(await victim.dump(), before_it);
    });

    test(`with B's key A's id is 403 on every endpoint, B being ${place}`, async () => {
      const victim = victimIn(place);
      const before_it = await victim.dump();
      for (const endpoint of endpoints) {
        const path = pathTo(endpoint, victim) ?? somewhere(endpoint);
        const headers = { "CoolPay-Account-Id": String(attacker.id) };
        const { status, text } = await victim.account.call(endpoint.method, path, { headers, body: bodyFor(endpoint) });
        assert.equal(status, 403, `${nameOf(endpoint)}: ${text}`);
      }
      assert.equal(await victim.dump(), before_it);
    });
  }
});

// Parameters whose value may name something of an account's. The others that are called so name nothing of ours.
const is_reference = /(^|_)(id|ids|token|key)$/;
const not_ours =
  /^(order_id|google_analytics_\w+|page_key)$|^(card\[)?(apple_pay_token|mobilepay_online_token|google_pay_token)|^acquirer_settings\[(?!swish\]\[crypto)|^acquirer_settings\[swish\]\[merchant|^integration_settings|^subject/;
/** Settings of acquirers: names that others gave. */
const of_acquirers = /^\/acquirers\//;

/** Every parameter of this endpoint that names something of ours, by its path in brackets. */
function referencesIn({ input }: Endpoint): string[] {
  const found: string[] = [];
  // biome-ignore lint/suspicious/noExplicitAny: a schema is walked as the JSON that it is
  const walk = (schema: any, at: string): void => {
    for (const [name, inner] of Object.entries<Record<string, unknown>>(schema.properties ?? {})) {
      const path = at === "" ? name : `${at}[${name}]`;
      if (is_reference.test(name) && !not_ours.test(path)) found.push(path);
      for (const one of (inner.anyOf as object[]) ?? [inner]) walk("items" in one ? one.items : one, path);
    }
  };
  walk(input, "");
  return found;
}

type Try = { readonly victim: Victim; readonly own: Record<string, number> };
type Probe = (context: Try) => readonly [method: string, path: string, body?: object];

const link = (kind: string): Record<string, Probe> => ({
  [`PUT /${kind}/:id/link branding_id`]: ({ victim: { named }, own }) => [
    "PUT",
    `/${kind}/${own[kind]}/link`,
    { amount: 100, branding_id: named["/brandings/:id"] },
  ],
  [`PUT /${kind}/:id/link agreement_id`]: ({ victim: { named }, own }) => [
    "PUT",
    `/${kind}/${own[kind]}/link`,
    { amount: 100, agreement_id: named["/agreements/:id"] },
  ],
});

const create =
  (kind: string, more: object): Probe =>
  ({ victim: { named } }) => [
    "POST",
    `/${kind}`,
    { order_id: "ours-9", currency: "DKK", description: "ours", branding_id: named["/brandings/:id"], ...more },
  ];

const accountWith =
  (method: string, path: string, more: (victim: Victim) => object): Probe =>
  ({ victim }) => [method, path, { shop_name: "ours", contact_email: "a@shop.example", ...more(victim) }];
const branding = ({ named }: Victim) => ({ default_branding_id: named["/brandings/:id"] });
const swish = ({ named }: Victim) => ({ cryptography_key_id: named["/cryptography/keys/:id"] });
const with_swish = (victim: Victim) => ({ acquirer_settings: { swish: swish(victim) } });

const byToken =
  (path: string): Probe =>
  ({ victim: { key_token }, own }) => [
    "POST",
    path.replace(/^\/(\w+)\/:id/, (_, kind) => `/${kind}/${own[kind]}`),
    { amount: 100, currency: "DKK", card: { token: key_token } },
  ];

/** Refused: 400, 404, or an operation that is declined. */
const refused: Readonly<Record<string, Probe>> = {
  ...link("payments"),
  ...link("subscriptions"),
  ...link("cards"),
  ...link("payouts"),
  "POST /payments branding_id": create("payments", {}),
  "POST /subscriptions branding_id": create("subscriptions", {}),
  "POST /subscriptions group_ids": ({ victim: { named } }) => [
    "POST",
    "/subscriptions",
    { order_id: "ours-9", currency: "DKK", description: "ours", group_ids: [named["/subscription-groups/:id"]] },
  ],
  "PATCH /subscriptions/:id group_ids": ({ victim: { named }, own }) => [
    "PATCH",
    `/subscriptions/${own.subscriptions}`,
    { group_ids: [named["/subscription-groups/:id"]] },
  ],
  "POST /payments/:id/authorize card[token]": byToken("/payments/:id/authorize?synchronized"),
  "POST /subscriptions/:id/authorize card[token]": byToken("/subscriptions/:id/authorize?synchronized"),
  "POST /payouts/:id/credit card[token]": byToken("/payouts/:id/credit?synchronized"),
  "POST /fees card[token]": byToken("/fees"),
  "POST /accounts default_branding_id": accountWith("POST", "/accounts", branding),
  "PATCH /account default_branding_id": accountWith("PATCH", "/account", branding),
  "POST /accounts acquirer_settings[swish][cryptography_key_id]": accountWith("POST", "/accounts", with_swish),
  "PATCH /account acquirer_settings[swish][cryptography_key_id]": accountWith("PATCH", "/account", with_swish),
  "PATCH /acquirers/swish cryptography_key_id": accountWith("PATCH", "/acquirers/swish", (victim) => ({
    active: true,
    merchant_id: "ours",
    ...swish(victim),
  })),
};

/** Lists: nothing is found. */
const not_found: Readonly<Record<string, (victim: Victim) => string>> = {
  "GET /payments id": ({ named }) => `id=${named["/payments/:id"]}`,
  "GET /subscriptions id": ({ named }) => `id=${named["/subscriptions/:id"]}`,
  "GET /subscriptions group_id": ({ named }) => `group_id=${named["/subscription-groups/:id"]}`,
  "GET /payouts id": ({ named }) => `id=${named["/payouts/:id"]}`,
  "GET /callbacks resource_id": ({ named }) => `resource_type=Payment&resource_id=${named["/payments/:id"]}`,
  "GET /activity user_id": ({ named }) => `user_id=${named["/users/:id"]}`,
  "GET /activity target_id": ({ named }) => `target_type=Agreement&target_id=${named["/agreements/:id"]}`,
  "GET /agreements account_id": ({ account }) => `account_id=${account.id}`,
  "GET /access-requests account_id": ({ account }) => `account_id=${account.id}`,
  "GET /requests agreement_id": ({ named }) => `agreement_id=${named["/agreements/:id"]}`,
};

/** One-time tokens, and asking an unknown account for access: agreements, users, mail and two-factor tests are about these. */
const elsewhere = [
  ...["POST /users token", "PATCH /agreements/:id token", "DELETE /agreements/:id token"],
  ...["PATCH /user/verification token", "PATCH /password-resets token", "POST /access-requests account_id"],
];

describe("B's ids in parameters", () => {
  test("are each asked about here", () => {
    const known = [...Object.keys(refused), ...Object.keys(not_found), ...elsewhere];
    const declared = endpoints.flatMap((endpoint) =>
      referencesIn(endpoint)
        .map((name) => `${nameOf(endpoint)} ${name}`)
        .filter((name) => !of_acquirers.test(endpoint.path) || name.endsWith("cryptography_key_id")),
    );
    assert.deepEqual(
      declared.filter((name) => !known.includes(name)),
      [],
      "these parameters may name another account's things: add them to `refused` or `not_found`, or say in not_ours that they are not ours",
    );
    assert.deepEqual(
      known.filter((name) => !declared.includes(name)),
      [],
      "these are not declared any more",
    );
  });

  for (const place of places) {
    test(`are refused, or find nothing, B being ${place}`, async () => {
      const victim = victimIn(place);
      // The attacker itself must have nothing, lest an id of its own be found.
      const thief = await app.newAccount();
      const call = app.client("", await ownKey(thief));
      for (const [name, query] of Object.entries(not_found)) {
        const [, path = ""] = name.split(" ");
        const is_own = endpoints.some((one) => nameOf(one) === `GET ${path}` && one.scope === "user");
        const asking = is_own ? app.client(thief.email, thief.password) : call;
        const answer = await asking("GET", `${path}?${query(victim)}`);
        if (answer.status === 400) continue;
        assert.deepEqual([answer.status, answer.body], [200, []], name);
      }
      const own: Record<string, number> = {};
      const order = { order_id: "ours-1", currency: "DKK", description: "ours" };
      for (const kind of ["payments", "subscriptions", "cards", "payouts"])
        own[kind] = (await made(call, `/${kind}`, order)).id;
      const before_it = await victim.dump();
      for (const [name, probe] of Object.entries(refused)) {
        const [method, path, body] = probe({ victim, own });
        const as = path === "/accounts" ? app.client(thief.email, thief.password) : call;
        const answer = await as(method, path, { body });
        assertNothingOf(victim, answer, { what: name });
        if (answer.status === 200) {
          assert.equal(answer.body.accepted, false, name);
          assert.equal(answer.body.operations.at(-1).qp_status_code, "40001", name);
        } else assert.ok([400, 404].includes(answer.status), `${name}: ${answer.status} ${answer.text}`);
      }
      assert.equal(await victim.dump(), before_it);
    });
  }

  test("a page key leads through one's own list only, whosever it is", async () => {
    const lists = endpoints.filter(
      ({ method, path, input }) => method === "GET" && "page_key" in input.properties && !path.includes(":"),
    );
    for (const victim of places.map(victimIn)) {
      for (const endpoint of lists) {
        const first = await victim.account.owner("GET", `${endpoint.path}?page_size=1`);
        const page_key = /page_key=([^&>]+)/.exec(first.headers.get("link") ?? "")?.[1];
        for (const query of [
          `page_size=100`,
          ...(page_key === undefined ? [] : [`page_size=100&page_key=${page_key}`]),
        ]) {
          const answer = await attacker_key("GET", `${endpoint.path}?${query}`);
          // The log of A's own requests repeats the addresses that A asked for.
          const text = endpoint.path === "/requests" ? answer.text.replaceAll(/"path":"[^"]*"/g, "") : answer.text;
          assertNothingOf(victim, { ...answer, text }, { what: `${nameOf(endpoint)}?${query}` });
        }
      }
    }
  });
});

test("where ids of two accounts are equal, each finds its own", async () => {
  const [one, two] = [await app.newAccount(), await app.newAccount()];
  const id_of = async ({ call, id: account_id }: TestAccount) =>
    (await made(call, "/payments", { order_id: `of-${account_id}`, currency: "DKK" })).id;
  const [id, other_id] = [await id_of(one), await id_of(two)];
  assert.equal(id, other_id, "two new buckets count alike");
  for (const { call, id: account_id } of [one, two])
    assert.equal((await call("GET", `/payments/${id}`)).body.order_id, `of-${account_id}`);
});
