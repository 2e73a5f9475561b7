// Idempotency-Key: the same key with the same request has one effect and one answer, whatever comes between. Every
// route that changes something is tried: many times at once, in two processes at once, and after a process was lost.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer as Kept } from "../src/api/answer.ts";
import { createOnce } from "../src/api/idempotency.ts";
import { audit } from "../src/audit.ts";
import { unlimited } from "../src/domain/plans.ts";
import { endpointsOf } from "../src/resources/endpoints.ts";
import { openMail } from "../src/services/mails.ts";
import { claimKey, forgetKeys } from "../src/storage/idempotency.ts";
import type { MailRow } from "../src/storage/mails.ts";
import {
  type Answer,
  type Client,
  clientFor,
  eventually,
  ordered,
  startApp,
  type TestAccount,
  type TestApp,
} from "./support/app.ts";
import { codeAt, enrol } from "./support/authenticator.ts";
import { form, png } from "./support/files.ts";
import { newKey as newSystemUser, permissions } from "./support/members.ts";
import { basic, rawClient } from "./support/raw.ts";

let app: TestApp;
/** A second process over the same database. */
let other: TestApp;
let shop: TestAccount;
/** A shop whose server does not answer: its callbacks stay in the outbox. */
let told: TestAccount;
before(async () => {
  // One installation has one window, whichever process speaks of it.
  const settings = { urls: { api: null, window: "https://payment.shop.example", manager: null } };
  app = await startApp({ settings });
  other = await startApp({ settings, beside: app });
  shop = await app.newAccount();
  told = await app.newAccount();
  await told.owner("PATCH", "/account", { body: { callback_url: "http://127.0.0.1:1/" } });
});
after(async () => {
  await other.stop();
  await app.stop();
});

/** For both processes. */
function advance(seconds: number): void {
  for (const each of [app, other]) each.advance(seconds);
}

const visa = "1000000000000008";
const delayed = "1000000000000099";
const card = (number = visa, cvd = "208") => ({ number, expiration: "3112", cvd });

let made = 0;
const next = (what: string): string => {
  made += 1;
  return `${what}-${String(made).padStart(6, "0")}`;
};
const newKey = () => next("key");

const keyed = (key: string, more: Readonly<Record<string, string>> = {}) => ({ "Idempotency-Key": key, ...more });
const order = () => ({ order_id: next("order"), currency: "DKK" });

async function create(call: Client = shop.call): Promise<number> {
  const answer = await call("POST", "/payments", { body: order() });
  assert.equal(answer.status, 201, answer.text);
  return answer.body.id;
}

async function act(id: number, verb: string, body: object = {}): Promise<Answer> {
  const answer = await shop.call("POST", `/payments/${id}/${verb}?synchronized`, { body });
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

async function authorized(number = visa): Promise<number> {
  const id = await create();
  await shop.call("POST", `/payments/${id}/authorize`, { body: { amount: 1000, card: card(number) } });
  if (number === delayed) {
    await ordered(app, id);
    advance(61);
  }
  await settled(id);
  return id;
}

async function captured(): Promise<number> {
  const id = await authorized();
  await act(id, "capture", { amount: 500 });
  return id;
}

const settled = (id: number) =>
  eventually(async () => {
    const { body } = await shop.call("GET", `/payments/${id}`);
    return body.operations.every(({ pending }: { pending: boolean }) => !pending) && body;
  });

const balance = async (id: number): Promise<number> => (await shop.call("GET", `/payments/${id}`)).body.balance;

const replayed = ({ headers }: Answer): boolean => headers.get("idempotency-replayed") === "true";

/** All that a client may go by. */
const told_alike = ({ status, text, headers }: Answer) => ({ status, text, location: headers.get("location") });

const query = async <Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> =>
  (await app.services.pool.query<Row>(sql, values)).rows;

const rowsOf = (key: string) =>
  query<{ scope: string; resource_id: number | null; row: string }>(
    "SELECT scope, resource_id, k::text AS row FROM idempotency_keys k WHERE key = $1",
    [key],
  );

/** As a process leaves it that is lost after the effect and before the answer was kept, a minute ago. */
const withhold = (key: string) =>
  query("UPDATE idempotency_keys SET answer = NULL, created_at = created_at - interval '1 minute' WHERE key = $1", [
    key,
  ]);

const tables = [
  "transactions",
  "operations",
  "callbacks",
  "activity",
  "users",
  "accounts",
  "agreements",
  "brandings",
  "branding_files",
  "logos",
  "two_factors",
  "recovery_codes",
  "mail_tokens",
  "mails",
  "access_requests",
  "sessions",
  "idempotency_keys",
  "simulator.book",
] as const;
type Counts = Record<(typeof tables)[number], number>;

/** Operations that the acquirer has not answered yet. A session was answered once it knows its name. */
async function pending(): Promise<string[]> {
  const rows = await query<{ reference: string }>(
    "SELECT reference FROM operations WHERE pending AND (type <> 'session' OR data->'session_id' IS NULL)",
  );
  return rows.map(({ reference }) => reference);
}

async function counts(): Promise<Counts> {
  const counted = tables.map((name) => `(SELECT count(*)::int FROM ${name}) AS "${name}"`);
  const [row] = await query<Counts>(`SELECT ${counted.join(", ")}`);
  assert.ok(row);
  return row;
}

/** How many rows the work has added to each table, once all that it began is over. */
async function gained(work: () => Promise<unknown>): Promise<Counts> {
  const before_work = new Set(await pending());
  const was = await counts();
  await work();
  const over = async () => (await pending()).every((reference) => before_work.has(reference));
  await eventually(over, "the end of what was begun");
  const is = await counts();
  return Object.fromEntries(tables.map((name) => [name, is[name] - was[name]])) as Counts;
}

const nothing = Object.fromEntries(tables.map((name) => [name, 0]));

/** A request that may be made, with everything that it needs in place. */
type Ready = {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  /** Whose it is, at either process. */
  readonly as: Readonly<Record<string, string>>;
};
type Prepare = () => Promise<Ready>;

const send = ({ method, path, body, as }: Ready, key: string, url = app.url): Promise<Answer> =>
  clientFor(url, as)(method, path, { ...(body && { body }), headers: keyed(key) });

const byKey = ({ api_key }: TestAccount) => ({ Authorization: basic("", api_key) });
const byOwner = ({ email, password, id }: TestAccount) => ({
  Authorization: basic(email, password),
  "CoolPay-Account-Id": String(id),
});
const byUser = ({ email, password }: { email: string; password: string }) => ({
  Authorization: basic(email, password),
});

const onPayment =
  (method: string, what: string, ready: () => Promise<number>, body?: object): Prepare =>
  async () => ({ method, path: `/payments/${await ready()}${what}`, ...(body && { body }), as: byKey(shop) });

const payment_routes: Readonly<Record<string, Prepare>> = {
  "POST /payments": async () => ({ method: "POST", path: "/payments", body: order(), as: byKey(shop) }),
  "POST /payments by a person": async () => ({ method: "POST", path: "/payments", body: order(), as: byOwner(shop) }),
  "PATCH /payments/:id": onPayment("PATCH", "", create, { variables: { cart: "c-1" } }),
  "PUT /payments/:id/link": onPayment("PUT", "/link", create, { amount: 100 }),
  "DELETE /payments/:id/link": onPayment("DELETE", "/link", async () => {
    const id = await create();
    await shop.call("PUT", `/payments/${id}/link`, { body: { amount: 100 } });
    return id;
  }),
  "POST /payments/:id/authorize": onPayment("POST", "/authorize", create, { amount: 1000, card: card() }),
  "POST /payments/:id/authorize?synchronized": onPayment("POST", "/authorize?synchronized", create, {
    amount: 1000,
    card: card(),
    auto_capture: true,
  }),
  "POST /payments/:id/session": onPayment("POST", "/session", create, {
    amount: 1000,
    extras: { simulator: { session: "waiting" } },
  }),
  "POST /payments/:id/capture": onPayment("POST", "/capture", authorized, { amount: 100 }),
  "POST /payments/:id/capture?synchronized": onPayment("POST", "/capture?synchronized", authorized, { amount: 100 }),
  "POST /payments/:id/refund": onPayment("POST", "/refund", captured, { amount: 100 }),
  "POST /payments/:id/cancel": onPayment("POST", "/cancel", authorized),
  "POST /payments/:id/renew": onPayment("POST", "/renew", authorized),
  "POST /payments/:id/fraud-report": onPayment("POST", "/fraud-report", authorized, { description: "stolen" }),
  "PATCH /payments/:id/operations/:operation_id": async () => {
    const id = await authorized(delayed);
    await shop.call("POST", `/payments/${id}/capture`, { body: { amount: 100 } });
    await ordered(app, id);
    return { method: "PATCH", path: `/payments/${id}/operations/2`, body: { pending: false }, as: byKey(shop) };
  },
};

/** Somebody whose password was checked already: that takes its time, and only so many may wait for it. */
async function newPerson() {
  const person = await app.signUp();
  await person.call("GET", "/user");
  return person;
}

const onAgreement =
  (method: string, what: string, body: () => object): Prepare =>
  async () => {
    const { agreement_id } = await newSystemUser(app, shop, ["GET /payments"]);
    return { method, path: `/agreements/${agreement_id}${what}`, body: body(), as: byOwner(shop) };
  };

const onBranding =
  (method: string, what: string, body?: () => object): Prepare =>
  async () => {
    const { id } = (await shop.owner("POST", "/brandings", { body: { name: next("branding") } })).body;
    await shop.owner("PUT", `/brandings/${id}/VERSION`, { body: form("2.5.0") });
    return { method, path: `/brandings/${id}${what}`, ...(body && { body: body() }), as: byOwner(shop) };
  };

let fees = 0;
/** Something of the owner's, made for the purpose. */
const onMade =
  (method: string, path: string, wanted: () => object, body: object = {}): Prepare =>
  async () => {
    const made = await shop.owner("POST", path, { body: wanted() });
    return { method, path: `${path}/${made.body.id}`, body, as: byOwner(shop) };
  };

const harmless_rules = () => ({
  name: next("rules"),
  filter_rules: [{ metric_name: "amount", operator: "<", value: "0" }],
  action: "nothing",
  combinator: "and",
});
const ec_key = () => ({ type: "ec", short_description: next("key"), curve: "prime256v1" });

const other_routes: Readonly<Record<string, Prepare>> = {
  "POST /users": async () => {
    const body = { name: "Bo", email: `${next("bo")}@shop.example`, password: "smoke and mirrors 17" };
    return { method: "POST", path: "/users", body, as: byUser(shop) };
  },
  "PATCH /user": async () => ({ method: "PATCH", path: "/user", body: { name: next("Ida") }, as: byUser(shop) }),
  "POST /user/two-factor": async () => ({ method: "POST", path: "/user/two-factor", as: byUser(await newPerson()) }),
  "PATCH /user/two-factor": async () => {
    const person = await newPerson();
    const { secret } = (await person.call("POST", "/user/two-factor")).body;
    const now = app.services.clock.now().getTime();
    // Once it is in force, a repeat needs a code too: the next one.
    const as = { ...byUser(person), "CoolPay-OTP": codeAt(secret, new Date(now + 30_000)) };
    return { method: "PATCH", path: "/user/two-factor", body: { code: codeAt(secret, new Date(now)) }, as };
  },
  "DELETE /user/two-factor": async () => {
    const person = await newPerson();
    const { code } = await enrol({ services: app.services, advance } as TestApp, person.call);
    await person.call("GET", "/user", { headers: { "CoolPay-OTP": code() } });
    const body = { current_password: person.password, code: code() };
    return { method: "DELETE", path: "/user/two-factor", body, as: byUser(person) };
  },
  "POST /user/verification": async () => ({
    method: "POST",
    path: "/user/verification",
    as: byUser(await newPerson()),
  }),
  "PATCH /user/verification": async () => {
    const person = await newPerson();
    await person.call("POST", "/user/verification");
    return { method: "PATCH", path: "/user/verification", body: { token: await mailedTo(person) }, as: byUser(person) };
  },
  "POST /password-resets": async () => {
    const body = { email: `${next("nobody")}@shop.example` };
    return { method: "POST", path: "/password-resets", body, as: byUser(shop) };
  },
  "PATCH /password-resets": async () => {
    const person = await newPerson();
    await app.anonymous("POST", "/password-resets", { body: { email: person.email } });
    const body = { token: await mailedTo(person), password: "smoke and mirrors 17" };
    return { method: "PATCH", path: "/password-resets", body, as: byUser(shop) };
  },
  "POST /access-requests": async () => {
    const body = { account_id: shop.id, message: "I keep your books" };
    return { method: "POST", path: "/access-requests", body, as: byUser(await newPerson()) };
  },
  "PATCH /access-requests/:id": async () => {
    const body = { account_id: shop.id, message: "I keep your books" };
    const { id } = (await (await newPerson()).call("POST", "/access-requests", { body })).body;
    return { method: "PATCH", path: `/access-requests/${id}`, body: { granted: true }, as: byUser(shop) };
  },
  "POST /sessions": async () => ({ method: "POST", path: "/sessions", as: byUser(await newPerson()) }),
  "DELETE /sessions/:id": async () => {
    const { id } = (await app.client(shop.email, shop.password)("POST", "/sessions")).body;
    return { method: "DELETE", path: `/sessions/${id}`, as: byUser(shop) };
  },
  "POST /accounts": async () => {
    const body = { shop_name: next("shop"), contact_email: "ida@shop.example" };
    return { method: "POST", path: "/accounts", body, as: byUser(await newPerson()) };
  },
  "PATCH /account": async () => {
    return { method: "PATCH", path: "/account", body: { shop_name: next("shop") }, as: byOwner(shop) };
  },
  "PATCH /account/private-key": async () => ({ method: "PATCH", path: "/account/private-key", as: byOwner(shop) }),
  "PATCH /acquirers/viabill": async () => {
    return {
      method: "PATCH",
      path: "/acquirers/viabill",
      body: { active: true, api_key: next("key") },
      as: byOwner(shop),
    };
  },
  "PATCH /fees/formulas/:acquirer/:payment_method": async () => {
    return { method: "PATCH", path: "/fees/formulas/nets/visa", body: { formula: `${++fees}` }, as: byOwner(shop) };
  },
  "DELETE /fees/formulas/:acquirer/:payment_method": async () => {
    await shop.owner("PATCH", "/fees/formulas/nets/dankort", { body: { formula: "1" } });
    return { method: "DELETE", path: "/fees/formulas/nets/dankort", as: byOwner(shop) };
  },
  "POST /payment-method-priority": async () => {
    await shop.owner("POST", "/payment-method-priority", { body: { payment_method_priority: {} } });
    const body = { payment_method_priority: { visa: ["nets"] } };
    return { method: "POST", path: "/payment-method-priority", body, as: byOwner(shop) };
  },
  "POST /agreements": async () => {
    return { method: "POST", path: "/agreements", body: { system_user: next("till") }, as: byOwner(shop) };
  },
  "PATCH /agreements/:id": onAgreement("PATCH", "", () => ({ description: next("till") })),
  "PUT /agreements/:id": onAgreement("PUT", "", () => ({ acl_permissions: permissions("POST /payments") })),
  "DELETE /agreements/:id": onAgreement("DELETE", "", () => ({})),
  "PATCH /agreements/:id/api-key": onAgreement("PATCH", "/api-key", () => ({})),
  "PATCH /agreements/:id, accepting an invitation": async () => {
    const person = await newPerson();
    const invited = await shop.owner("POST", "/agreements", { body: { user_email: person.email } });
    const { id, invitation_token: token } = invited.body;
    return { method: "PATCH", path: `/agreements/${id}`, body: { accepted: true, token }, as: byUser(person) };
  },
  "POST /brandings": async () => {
    return { method: "POST", path: "/brandings", body: { name: next("branding") }, as: byOwner(shop) };
  },
  "PATCH /brandings/:id": onBranding("PATCH", "", () => ({ name: next("branding") })),
  "DELETE /brandings/:id": onBranding("DELETE", ""),
  "POST /brandings/:id/copy": onBranding("POST", "/copy", () => ({ only: "id,resources" })),
  "PUT /brandings/:id/*resource_name": onBranding("PUT", "/images/cup.png", () => form(png)),
  "DELETE /brandings/:id/*resource_name": onBranding("DELETE", "/VERSION"),
  "PUT /account/logo": async () => {
    await shop.owner("DELETE", "/account/logo");
    return { method: "PUT", path: "/account/logo", body: form(png), as: byOwner(shop) };
  },
  "DELETE /account/logo": async () => {
    await shop.owner("PUT", "/account/logo", { body: form(png) });
    return { method: "DELETE", path: "/account/logo", as: byOwner(shop) };
  },
  "PUT /account/04-platform": async () => {
    const body = { phone: next("45").replace("-", " ") };
    return { method: "PUT", path: "/account/04-platform", body, as: byOwner(shop) };
  },
  "DELETE /account/04-platform": async () => {
    await shop.owner("PUT", "/account/04-platform", { body: { phone: "12345678" } });
    return { method: "DELETE", path: "/account/04-platform", as: byOwner(shop) };
  },
  "POST /fraud-rulesets": async () => ({
    method: "POST",
    path: "/fraud-rulesets",
    body: harmless_rules(),
    as: byOwner(shop),
  }),
  "PATCH /fraud-rulesets/:id": onMade("PATCH", "/fraud-rulesets", harmless_rules, { combinator: "or" }),
  "DELETE /fraud-rulesets/:id": onMade("DELETE", "/fraud-rulesets", harmless_rules),
  "POST /cryptography/keys": async () => ({
    method: "POST",
    path: "/cryptography/keys",
    body: ec_key(),
    as: byOwner(shop),
  }),
  "PATCH /cryptography/keys/:id": onMade("PATCH", "/cryptography/keys", ec_key, { short_description: "old" }),
  "DELETE /cryptography/keys/:id": onMade("DELETE", "/cryptography/keys", ec_key),
  "POST /callbacks/replay": async () => {
    await callbackOf(told);
    return { method: "POST", path: "/callbacks/replay", body: { since: "2020-01-01T00:00:00Z" }, as: byOwner(told) };
  },
  "POST /callbacks/:id/replay": async () => {
    return { method: "POST", path: `/callbacks/${await callbackOf(told)}/replay`, as: byOwner(told) };
  },
  "POST /ping": async () => ({ method: "POST", path: "/ping", body: { a: 1 }, as: byKey(shop) }),
};

/** The token in the newest mail to this person. */
async function mailedTo({ email }: { email: string }): Promise<string> {
  const [mail] = await query<MailRow>("SELECT * FROM mails WHERE recipient = $1 ORDER BY id DESC LIMIT 1", [email]);
  assert.ok(mail);
  return /#token=(.+)/.exec(openMail(app.services, mail).text)?.[1] ?? "";
}

/** The newest one, of a payment that was just authorized. */
async function callbackOf({ call, owner }: TestAccount): Promise<string> {
  const id = await create(call);
  await call("POST", `/payments/${id}/authorize?synchronized`, { body: { amount: 1000, card: card() } });
  return (await owner("GET", "/callbacks")).body[0].id;
}

const routes = { ...payment_routes, ...other_routes };

describe("the header", () => {
  test("holds 1 to 255 printable ASCII characters, once; anything else is 400 and nothing is stored", async () => {
    const raw = rawClient(app.url, { Authorization: basic("", shop.api_key), "Content-Type": "application/json" });
    const post = (value: string | string[]) => {
      const body = order();
      const headers = { "Idempotency-Key": value };
      return raw("POST", "/payments", { headers, body: JSON.stringify(body) });
    };
    for (const good of ["a", "x".repeat(255), `"${next("quoted")}" ~ {}`]) assert.equal((await post(good)).status, 201);
    const before_bad = await counts();
    for (const bad of ["", "   ", "x".repeat(256), "smør", "a\tb", ["a", "a"], ["a", "b"]]) {
      const { status, body } = await post(bad);
      assert.deepEqual(
        [status, body.message, body.errors],
        [400, "Validation error", { "Idempotency-Key": ["is invalid"] }],
        JSON.stringify(bad),
      );
    }
    assert.deepEqual(await counts(), before_bad);
  });

  test("means nothing where nothing is changed, nor without credentials", async () => {
    const odd = { "Idempotency-Key": "x".repeat(256) };
    for (const method of ["GET", "HEAD"]) {
      assert.equal((await shop.call(method, "/payments", { headers: odd })).status, 200);
    }
    assert.equal((await app.anonymous("POST", "/ping", { headers: odd })).status, 201);
    const key = newKey();
    const body = { name: "Bo", email: `${next("bo")}@shop.example`, password: "smoke and mirrors 17" };
    const signUp = () => app.anonymous("POST", "/users", { body, headers: keyed(key) });
    assert.equal((await signUp()).status, 201);
    assert.equal((await signUp()).status, 409, "the e-mail is in use");
    assert.deepEqual(await rowsOf(key), []);
  });

  test("is looked at after the permission and before the parameters", async () => {
    const odd = { "Idempotency-Key": "x".repeat(256) };
    const { errors } = (await shop.call("POST", "/payments", { body: {}, headers: odd })).body;
    assert.deepEqual(errors, { "Idempotency-Key": ["is invalid"] });
    const reader = await newSystemUser(app, shop, ["GET /payments"]);
    assert.equal((await reader.call("POST", "/payments", { body: {}, headers: odd })).status, 403);
  });
});

describe("a key belongs to", () => {
  test("an agreement: the same key of another agreement is another key", async () => {
    const till = await newSystemUser(app, shop, ["POST /payments"]);
    const key = newKey();
    const answers: Answer[] = [];
    for (const call of [shop.call, till.call, shop.owner, told.call]) {
      answers.push(await call("POST", "/payments", { body: order(), headers: keyed(key) }));
    }
    assert.deepEqual(
      answers.map((answer) => [answer.status, replayed(answer)]),
      answers.map(() => [201, false]),
    );
    assert.equal(new Set(answers.map(({ body }) => body.order_id)).size, 4);
  });

  test("the agreement that a person acts through, whether with password or API key", async () => {
    const mine = await shop.owner("GET", "/agreements?me=true");
    const by_key = app.client("", mine.body[0].api_key);
    const key = newKey();
    const sent = { body: order(), headers: keyed(key) };
    const first = await shop.owner("POST", "/payments", sent);
    const second = await by_key("POST", "/payments", sent);
    assert.deepEqual([first.status, replayed(second)], [201, true]);
    assert.deepEqual(told_alike(second), told_alike(first));
    const [row] = await rowsOf(key);
    assert.deepEqual([row?.scope, row?.resource_id], [`agreement:${mine.body[0].id}`, first.body.id]);
  });

  test("the user, where no account is concerned", async () => {
    const key = newKey();
    const [a, b] = [await app.signUp(), await app.signUp()];
    const open = (call: Client) =>
      call("POST", "/accounts", { body: { shop_name: "A", contact_email: "a@shop.example" }, headers: keyed(key) });
    const answers = [await open(a.call), await open(b.call), await open(a.call)];
    assert.deepEqual(answers.map(replayed), [false, false, true]);
    assert.notEqual(answers[1]?.body.id, answers[0]?.body.id);
    assert.equal(answers[2]?.text, answers[0]?.text);
  });
});

describe("the same request", () => {
  test("gets the first answer again: status, body, Location and one header more", async () => {
    const key = newKey();
    const sent = { body: order(), headers: keyed(key) };
    const first = await shop.call("POST", "/payments", sent);
    await shop.call("PATCH", `/payments/${first.body.id}`, { body: { variables: { changed: "meanwhile" } } });
    const second = await shop.call("POST", "/payments", sent);
    assert.deepEqual([replayed(first), replayed(second)], [false, true]);
    assert.deepEqual(told_alike(second), told_alike(first));
    assert.equal(second.headers.get("location"), `${app.url}/payments/${first.body.id}`);
    assert.equal(second.headers.get("content-type"), first.headers.get("content-type"));
  });

  test("is the same with another CVD, with its members in another order, and as a form again", async () => {
    const id = await create();
    const key = newKey();
    const pay = (body: object) => shop.call("POST", `/payments/${id}/authorize`, { body, headers: keyed(key) });
    const first = await pay({ amount: 1000, card: card(visa, "208") });
    assert.equal(first.status, 202);
    for (const body of [
      { amount: 1000, card: card(visa, "111") },
      { card: { cvd: "222", expiration: "3112", number: visa }, amount: 1000 },
      { amount: 1000, card: { number: visa, expiration: "3112" } },
    ]) {
      const again = await pay(body);
      assert.deepEqual([replayed(again), told_alike(again)], [true, told_alike(first)]);
    }
    assert.equal((await settled(id)).operations.length, 1);

    const form_key = newKey();
    const form = { "card[number]": visa, "card[expiration]": "3112", "card[cvd]": "208", amount: "700" };
    const formed = await create();
    const submit = (fields: Record<string, string>, where = "") =>
      shop.call("POST", `/payments/${formed}/authorize${where}`, {
        body: new URLSearchParams(fields),
        headers: keyed(form_key),
      });
    assert.deepEqual(
      [(await submit(form)).status, replayed(await submit({ ...form, "card[cvd]": "111" }))],
      [202, true],
    );
    assert.equal((await submit({ ...form, amount: "701" })).status, 409);
  });

  test("leaves no trace of the CVD in the fingerprint, not even from the query", async () => {
    const id = await create();
    const key = newKey();
    const pay = (cvd: string) =>
      shop.call(
        "POST",
        `/payments/${id}/authorize?amount=100&card[number]=${visa}&card[expiration]=3112&card[cvd]=${cvd}`,
        {
          headers: keyed(key),
        },
      );
    assert.deepEqual([(await pay("208")).status, replayed(await pay("111"))], [202, true]);
  });
});

test("another request with the same key is 409, whatever it differs in", async () => {
  const [id, another] = [await authorized(), await authorized()];
  const key = newKey();
  const path = `/payments/${id}/capture`;
  const callback = { "CoolPay-Callback-Url": "http://127.0.0.1:1/a" };
  const first = await shop.call("POST", path, { body: { amount: 100 }, headers: keyed(key, callback) });
  assert.equal(first.status, 202);
  const body = { amount: 100 };
  const others: Readonly<Record<string, () => Promise<Answer>>> = {
    body: () => shop.call("POST", path, { body: { amount: 101 }, headers: keyed(key, callback) }),
    "more of a body": () =>
      shop.call("POST", path, { body: { ...body, extras: { a: 1 } }, headers: keyed(key, callback) }),
    path: () => shop.call("POST", `/payments/${another}/capture`, { body, headers: keyed(key, callback) }),
    method: () => shop.call("PATCH", `/payments/${id}`, { body, headers: keyed(key, callback) }),
    query: () => shop.call("POST", `${path}?synchronized`, { body, headers: keyed(key, callback) }),
    version: () => shop.call("POST", path, { body, headers: keyed(key, { ...callback, "Accept-Version": "v09" }) }),
    "no callback": () => shop.call("POST", path, { body, headers: keyed(key) }),
    callback: () =>
      shop.call("POST", path, { body, headers: keyed(key, { "CoolPay-Callback-Url": "http://127.0.0.1:1/b" }) }),
    "parameters that are wrong": () =>
      shop.call("POST", path, { body: { amount: "x" }, headers: keyed(key, callback) }),
  };
  for (const [what, ask] of Object.entries(others)) {
    const { status, body: said } = await ask();
    assert.deepEqual([status, said.message], [409, "Idempotency-Key was used for another request"], what);
  }
  const again = await shop.call("POST", path, {
    body,
    headers: keyed(key, { "QuickPay-Callback-Url": "http://127.0.0.1:1/a" }),
  });
  assert.deepEqual([replayed(again), told_alike(again)], [true, told_alike(first)]);
  await settled(id);
  assert.deepEqual([await balance(id), await balance(another)], [100, 0]);
});

test("a refusal is not kept: the same request is decided afresh, and the key is free for another", async () => {
  const id = await create();
  const key = newKey();
  const capture = (amount: number) =>
    shop.call("POST", `/payments/${id}/capture?synchronized`, { body: { amount }, headers: keyed(key) });
  assert.equal((await capture(100)).status, 400);
  assert.deepEqual(await rowsOf(key), []);
  await act(id, "authorize", { amount: 1000, card: card() });
  assert.equal((await capture(2000)).status, 400);
  const answers = [await capture(100), await capture(100)];
  assert.deepEqual(
    answers.map((answer) => [answer.status, replayed(answer)]),
    [
      [200, false],
      [200, true],
    ],
  );
  assert.equal(await balance(id), 100);
});

test("answers rest sealed: the key's row holds nothing of a card, and no answer that can be read", async () => {
  const id = await create();
  const key = newKey();
  await shop.call("POST", `/payments/${id}/authorize?synchronized`, {
    body: { amount: 1000, card: card(visa, "739") },
    headers: keyed(key),
  });
  const [{ row } = { row: "" }] = await rowsOf(key);
  assert.match(row, /\\\\x[0-9a-f]{64}/);
  for (const secret of [visa, "3112", visa.slice(-4), `"order_id"`, "operations"]) {
    assert.ok(!row.includes(Buffer.from(secret).toString("hex")), secret);
    if (secret.length > 4) assert.ok(!row.includes(secret), secret);
  }
  const [stored] = await query<{ answer: Buffer; length: number }>(
    "SELECT answer, length(fingerprint) FROM idempotency_keys WHERE key = $1",
    [key],
  );
  assert.ok(stored);
  assert.equal(stored.length, 32);
  const opened = app.services.seal.open(stored.answer, "answer");
  assert.match(opened, /order_id/);
  assert.ok(!opened.includes(visa) && !opened.includes("739"));
});

describe("a repeat while the first runs", () => {
  /** Two that wait for a card that takes a minute to answer, the second at this process. */
  async function together(second_url: string): Promise<Answer[]> {
    const id = await create();
    const key = newKey();
    const body = { amount: 1000, card: card(delayed) };
    const ready = { method: "POST", path: `/payments/${id}/authorize?synchronized`, body, as: byKey(shop) };
    const first = send(ready, key);
    await eventually(async () => (await rowsOf(key)).length === 1, "the first's effect");
    const second = send(ready, key, second_url);
    assert.equal(await Promise.race([first, second, sleep(300)]), undefined, "nobody is answered before the card is");
    await ordered(app, id);
    advance(61);
    const answers = await Promise.all([first, second]);
    assert.equal((await settled(id)).operations.length, 1);
    return answers;
  }

  test("waits and gets the first answer, in the same process and in another", async () => {
    for (const url of [app.url, other.url]) {
      const [first, second] = await together(url);
      assert.ok(first && second);
      assert.deepEqual([first.status, first.body.state], [200, "new"]);
      assert.deepEqual([told_alike(second), replayed(second)], [told_alike(first), true]);
    }
  });

  // Moments that a request cannot be held at: the same code, with requests that are.
  const claimed = () => ({
    bucket: 1,
    scope: "agreement:1",
    key: newKey(),
    fingerprint: Buffer.alloc(32, 1),
    created_at: app.services.clock.now(),
  });
  const said = (body: string): Kept => ({ status: 201, headers: {}, body });
  const said_again = (body: string): Kept => ({ ...said(body), headers: { "Idempotency-Replayed": "true" } });

  test("is 409 with Retry-After when its time is up; another request with the key need not wait", async () => {
    // Less patience than 60 s.
    const once = createOnce(app.services, 200);
    const claim = claimed();
    const { promise, resolve } = Promise.withResolvers<Kept>();
    const attempt = { claim, run: () => promise, resume: async () => null };
    const first = once(attempt);
    await assert.rejects(once({ ...attempt, claim: { ...claim, fingerprint: Buffer.alloc(32, 2) } }), {
      message: "Idempotency-Key was used for another request",
    });
    await assert.rejects(once(attempt), {
      message: "The first request with this Idempotency-Key is still running",
      retry_after_s: 5,
    });
    resolve(said("1"));
    assert.deepEqual([await first, await once(attempt)], [said("1"), said_again("1")]);
  });

  test("that was answered in its place, because it was taken for lost: the first then gives the same answer", async () => {
    const [here, there] = [createOnce(app.services), createOnce(other.services)];
    const claim = { ...claimed(), created_at: new Date(app.services.clock.now().getTime() - 60_000) };
    const { promise, resolve } = Promise.withResolvers<Kept>();
    const run = async () => {
      await claimKey(app.services.pool, { ...claim, resource_type: "Payment", resource_id: 1, operation_id: null });
      return promise;
    };
    const first = here({ claim, run, resume: async () => null });
    await eventually(async () => (await rowsOf(claim.key)).length === 1);
    const repeat = { ...claim, created_at: app.services.clock.now() };
    const second = await there({ claim: repeat, run, resume: async () => said("as it is now") });
    resolve(said("late"));
    assert.deepEqual([await first, second], [said_again("as it is now"), said_again("as it is now")]);
  });
});

/** One answer for all, which only one of them had first. */
function assertOneAnswer(answers: readonly Answer[]): void {
  const [first] = answers;
  assert.ok(first && first.status < 300, first?.text);
  for (const answer of answers) assert.deepEqual(told_alike(answer), told_alike(first));
  assert.equal(answers.filter((answer) => !replayed(answer)).length, 1);
}

const by_one = new Map<string, Counts>();

/** What a single submit of such a request adds. */
async function gainedByOne(name: string, prepare: Prepare): Promise<Counts> {
  const known = by_one.get(name);
  if (known !== undefined) return known;
  const ready = await prepare();
  const counted = await gained(() => send(ready, newKey()));
  assert.equal(counted.idempotency_keys, 1);
  by_one.set(name, counted);
  return counted;
}

describe("identical submits at once have one effect and one answer:", () => {
  for (const [name, prepare] of Object.entries(routes)) {
    const at_once = name in payment_routes ? 64 : 16;
    test(`${at_once} of ${name}`, async () => {
      const ready = await prepare();
      const key = newKey();
      let answers: Answer[] = [];
      const all = await gained(async () => {
        answers = await Promise.all(Array.from({ length: at_once }, () => send(ready, key)));
      });
      assertOneAnswer(answers);
      assert.deepEqual(all, await gainedByOne(name, prepare));
    });
  }
});

describe("two processes that race with one key have one effect and one answer:", () => {
  /** Lets both look for the key in vain before either can commit it. */
  async function racing(ready: Ready, key: string): Promise<Answer[]> {
    const gate = await app.services.pool.connect();
    try {
      await gate.query("BEGIN");
      await gate.query("LOCK TABLE idempotency_keys IN EXCLUSIVE MODE");
      const asked = [app.url, other.url, app.url, other.url].map((url) => send(ready, key, url));
      const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
      await eventually(async () => (await query(waiting)).length >= 2, "the race");
      await gate.query("COMMIT");
      return await Promise.all(asked);
    } finally {
      gate.release();
    }
  }

  for (const [name, prepare] of Object.entries(routes)) {
    test(name, async () => {
      const ready = await prepare();
      let answers: Answer[] = [];
      const all = await gained(async () => {
        answers = await racing(ready, newKey());
      });
      assertOneAnswer(answers);
      assert.deepEqual(all, await gainedByOne(name, prepare));
    });
  }
});

describe("a process lost after the effect, before its answer was kept: the repeat answers from the effect, once:", () => {
  const asynchronous = /capture$|refund|cancel|renew|authorize$|session$/;
  for (const [name, prepare] of Object.entries(routes)) {
    // Nothing is committed that a ping's key could stand for: its row comes with its answer.
    if (name === "POST /ping") continue;
    test(name, async () => {
      const ready = await prepare();
      const key = newKey();
      const first = await send(ready, key);
      assert.ok(first.status < 300, first.text);
      await eventually(async () => (await pending()).length === 0);
      await withhold(key);
      const again: Answer[] = [];
      const more = await gained(async () => {
        for (const url of [other.url, app.url]) again.push(await send(ready, key, url));
      });
      assert.deepEqual(more, nothing);
      const [second, third] = again;
      assert.ok(second && third);
      assert.deepEqual([replayed(second), replayed(third)], [true, true]);
      assert.deepEqual(told_alike(third), told_alike(second), "what was answered is kept");
      const place = (answer: Answer) => new URL(answer.headers.get("location") ?? app.url).pathname;
      assert.deepEqual([second.status, place(second)], [first.status, place(first)]);
      // What was accepted first is over meanwhile, and is shown as it is now.
      if (asynchronous.test(name)) assert.equal(second.body.id, first.body.id);
      // A session's token is shown once: only its hash was stored.
      else if (name === "POST /sessions") assert.deepEqual({ ...second.body, token: first.body.token }, first.body);
      else assert.deepEqual(second.body, first.body);
    });
  }

  test("the first caller heard nothing; the repeat waits a little, should that process still be alive", async () => {
    const id = await authorized();
    const key = newKey();
    const capture = () => shop.call("POST", `/payments/${id}/capture`, { body: { amount: 100 }, headers: keyed(key) });
    await query(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'lost'; END $$`);
    await query("CREATE TRIGGER lost BEFORE UPDATE ON idempotency_keys EXECUTE FUNCTION fail()");
    try {
      assert.equal((await capture()).status, 500);
    } finally {
      await query("DROP FUNCTION fail() CASCADE");
    }
    const repeat = capture();
    assert.equal(await Promise.race([repeat, sleep(300)]), undefined);
    advance(11);
    const answer = await repeat;
    assert.deepEqual([answer.status, replayed(answer)], [202, true]);
    await settled(id);
    assert.equal(await balance(id), 100);
  });

  test("a repeat that asked to wait for the operation waits until it is over", async () => {
    const id = await create();
    const key = newKey();
    const body = { amount: 1000, card: card(delayed) };
    const ready = { method: "POST", path: `/payments/${id}/authorize?synchronized`, body, as: byKey(shop) };
    const first = send(ready, key);
    await eventually(async () => (await rowsOf(key)).length === 1);
    await withhold(key);
    const repeat = send(ready, key, other.url);
    assert.equal(await Promise.race([repeat, sleep(300)]), undefined);
    await ordered(app, id);
    advance(61);
    const answers = await Promise.all([first, repeat]);
    for (const answer of answers) assert.deepEqual([answer.status, answer.body.state], [200, "new"]);
    assert.deepEqual(told_alike(answers[0]), told_alike(answers[1]));
  });

  test("an invitation is not made twice; its token, of which only a hash is stored, is not known any more", async () => {
    const key = newKey();
    const body = { user_email: `${next("bo")}@shop.example` };
    const invite = () => shop.owner("POST", "/agreements", { body, headers: keyed(key) });
    const first = await invite();
    await withhold(key);
    const second = await invite();
    const { invitation_token, ...agreement } = first.body;
    assert.deepEqual([second.status, second.body], [201, agreement]);
    assert.equal(typeof invitation_token, "string");
  });

  test("a link that was deleted since is 404", async () => {
    const ready = await onPayment("PUT", "/link", create, { amount: 100 })();
    const key = newKey();
    assert.equal((await send(ready, key)).status, 200);
    await shop.call("DELETE", ready.path);
    await withhold(key);
    assert.equal((await send(ready, key)).status, 404);
  });

  test("an answer that cannot be opened any more is made again from the effect", async () => {
    const key = newKey();
    const sent = { body: order(), headers: keyed(key) };
    const first = await shop.call("POST", "/payments", sent);
    await query(
      "UPDATE idempotency_keys SET answer = set_byte(answer, 100, 255 - get_byte(answer, 100)) WHERE key = $1",
      [key],
    );
    const second = await shop.call("POST", "/payments", sent);
    assert.deepEqual([told_alike(second), replayed(second)], [told_alike(first), true]);
    assert.ok(app.log.some((line) => /warn.*cannot be opened/.test(line)));
  });

  test("every endpoint that changes something can answer so; the others' callers cannot come back, or nothing changed", () => {
    const without = endpointsOf({ signup: "open", plans: [unlimited], program_version: "" })
      .filter(({ method, resume }) => method !== "GET" && resume === undefined)
      .map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual(without.sort(), [
      "DELETE /account",
      "DELETE /user",
      "POST /acquirers/:acquirer/test",
      "POST /brandings/:id/preview",
      "POST /cryptography/keys/:id/csr",
      "POST /fees",
      "POST /fees/:acquirer/:payment_method",
      "POST /ping",
    ]);
  });
});

test("POST /callbacks/:id/replay: 404 is decided afresh too", async () => {
  const key = newKey();
  const replay = () => told.owner("POST", "/callbacks/no-such/replay", { headers: keyed(key) });
  assert.deepEqual([(await replay()).status, (await replay()).status], [404, 404]);
  assert.deepEqual(await rowsOf(key), []);
});

test("a key is kept for 24 hours and then forgotten", async () => {
  const id = await authorized();
  const key = newKey();
  const capture = (amount: number) =>
    shop.call("POST", `/payments/${id}/capture?synchronized`, { body: { amount }, headers: keyed(key) });
  const first = await capture(100);
  advance(24 * 3600 - 60);
  assert.deepEqual(told_alike(await capture(100)), told_alike(first));
  advance(120);
  const anew = await capture(150);
  assert.deepEqual([anew.status, replayed(anew)], [200, false]);
  assert.equal(await balance(id), 250);
  assert.equal(replayed(await capture(150)), true);

  const kept_since = new Date(app.services.clock.now().getTime() - 24 * 3_600_000);
  await forgetKeys(app.services.pool, kept_since);
  const left = await query<{ key: string }>("SELECT key FROM idempotency_keys");
  assert.deepEqual(left, [{ key }]);
});

test("after all this the books balance", async () => {
  assert.deepEqual((await audit(app.database_url)).differences, []);
});
