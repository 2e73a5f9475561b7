// Never a 5xx: whatever is sent, the answer comes soon, is one that the reference describes and repeats no value; what was
// refused has stored nothing. Requests are drawn from the server's own /openapi.json, good, wrong and hostile alike.
// The seed is fixed and printed; FUZZ_SEED tries another one.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import Schema from "typebox/schema";
import { audit } from "../src/audit.ts";
import { type Client, startApp, type TestApp } from "./support/app.ts";
import { newKey } from "./support/members.ts";
import { basic, type RawAnswer, type RawClient, type RawHeaders, rawClient, spoken } from "./support/raw.ts";

const seed = Number(process.env.FUZZ_SEED || 20_261_125);
// Requests per declared method, version and content type.
const draws = 1;
const time_max_ms = 60_000;
const answer_max_ms = 5_000;
// From 1,000 failing answers a minute on an account is throttled; so some take turns.
const shop_count = 10;
const told_complaints_max = 20;

/** In no error's body may these be found again. The number is nobody else's: test/sweep.ts knows who stores it. */
const card_number = "4571736000007773";
const secrets = [card_number, "45717360000077731234", "correct horse battery staple"];

// biome-ignore lint/suspicious/noExplicitAny: the OpenAPI document is walked as the JSON that it is
type Json = any;
type Members = readonly (readonly [name: string, value: Json])[];

type Operation = {
  readonly method: string;
  /** As declared: `/payments/{id}`. */
  readonly path: string;
  readonly scope: string;
  readonly inputs: Readonly<Record<string, Json>>;
  /** Status -> does this body agree with its schema? Null: no JSON. */
  readonly answers: ReadonlyMap<string, ((body: unknown) => boolean) | null>;
};

type Sent = {
  readonly method: string;
  readonly path: string;
  readonly headers: RawHeaders;
  readonly body?: Buffer | undefined;
};

/** Null where no account, or nothing declared, is concerned. */
type Asked = { readonly sent: Sent; readonly operation: Operation | null; readonly shop: Shop | null };

type Shop = {
  readonly id: number;
  readonly user_id: number;
  /** `Authorization` by the owner's API key, and by her password. */
  readonly key: string;
  readonly person: string;
  /** One created, one authorized, one captured. */
  readonly payments: readonly number[];
  /** One of each other thing with an address, by the first word of its path. */
  readonly things: Readonly<Record<string, number>>;
  readonly agreement_id: number;
  readonly branding_id: number;
  readonly ruleset_id: number;
  readonly key_id: number;
  readonly activity_id: string;
  readonly session_id: number;
  readonly access_request_id: number;
  readonly request_id: string;
  readonly export_id: number;
};

// Acquirers' settings are declared by one table: those with every kind of setting stand for all.
const alike = /^\/acquirers\/(?!clearhaus|paysafecard|sofort)\w+$/;

let app: TestApp;
let send: RawClient;
let operations: readonly Operation[];
/** What each version declares to answer, by version, method and path. */
const declared = new Map<string, Operation["answers"]>();
const declaredIn = (version: unknown, { method, path }: Operation) => declared.get(`${version} ${method} ${path}`);
const shops: Shop[] = [];
const turn = (i: number): Shop => shops[i % shop_count] as Shop;

before(async () => {
  app = await startApp({ settings: { trust_proxy: ["127.0.0.1"] } });
  send = rawClient(app.url);
  for (const version of version_names) {
    const all = operationsOf((await app.anonymous("GET", `/openapi.json?version=${version}`)).body);
    for (const { method, path, answers } of all) declared.set(`${version} ${method} ${path}`, answers);
    if (version === "v10") operations = all.filter(({ path }) => !alike.test(path));
  }
  while (shops.length < shop_count) shops.push(await newShop());
  console.log(`seed ${seed}: FUZZ_SEED=${seed} npm test -- fuzz draws the same requests`);
});
after(() => app.stop());

const rule = { metric_name: "amount", operator: ">", value: "500" };
const ruleset = { name: "Large", filter_rules: [rule], action: "flag", combinator: "and" };
const cryptography_key = { type: "ec", short_description: "Swish", curve: "prime256v1" };

async function newShop(): Promise<Shop> {
  const account = await app.newAccount();
  const agreements = await account.owner("GET", "/agreements");
  const own = agreements.body.find(({ owner }: Json) => owner);
  const call = app.client("", own.api_key);
  const payments: number[] = [];
  for (const steps of [[], ["authorize"], ["authorize", "capture"]]) {
    const made = await call("POST", "/payments", { body: { order_id: `seed-${payments.length}`, currency: "DKK" } });
    payments.push(made.body.id);
    for (const step of steps) {
      const body = { amount: 1_000, card: { number: "1000000000000008", expiration: "3112", cvd: "208" } };
      const done = await call("POST", `/payments/${made.body.id}/${step}?synchronized`, { body });
      assert.equal(done.status, 200, done.text);
    }
  }
  return {
    things: await otherThings(call),
    id: account.id,
    user_id: own.user.id,
    key: basic("", own.api_key),
    person: basic(account.email, account.password),
    payments,
    agreement_id: (await newKey(app, account, ["GET /payments"])).agreement_id,
    branding_id: (await call("POST", "/brandings", { body: { name: "Shop 2026" } })).body.id,
    ruleset_id: (await account.owner("POST", "/fraud-rulesets", { body: ruleset })).body.id,
    key_id: (await account.owner("POST", "/cryptography/keys", { body: cryptography_key })).body.id,
    request_id: agreements.headers.get("x-request-id") ?? "",
    export_id: (await account.owner("POST", "/exports", { body: { resource: "payments" } })).body.id,
    activity_id: (await call("GET", "/activity?page_size=1")).body[0].id,
    session_id: (await account.owner("POST", "/sessions")).body.id,
    access_request_id: (
      await (
        await newcomer()
      )("POST", "/access-requests", { body: { account_id: account.id, message: "Hej" } })
    ).body.id,
  };
}

let asks: Client | undefined;
/** Somebody who asks to be let in everywhere. */
async function newcomer(): Promise<Client> {
  asks ??= (await app.signUp()).call;
  return asks;
}

async function otherThings(call: Client): Promise<Record<string, number>> {
  const order = { order_id: "seed-1", currency: "DKK" };
  const bodies = {
    "subscription-groups": { name: "Seeds", amount: 100, currency: "DKK" },
    subscriptions: { ...order, description: "Seeds" },
    cards: {},
    payouts: order,
  };
  const things: Record<string, number> = {};
  for (const [folder, body] of Object.entries(bodies)) {
    const made = await call("POST", `/${folder}`, { body });
    assert.equal(made.status, 201, made.text);
    things[folder] = made.body.id;
  }
  const card = { number: "1000000000000008", expiration: "3112", cvd: "208" };
  for (const [folder, more] of [
    ["subscriptions", { amount: 0 }],
    ["cards", {}],
  ] as const)
    await call("POST", `/${folder}/${things[folder]}/authorize?synchronized`, { body: { ...more, card } });
  return things;
}

// What is declared.

/** By the schema with all that it names: versions declare most of it alike, and compiling takes its time. */
const compiled = new Map<string, (body: unknown) => boolean>();

function checkOf(schema: Json): (body: unknown) => boolean {
  const text = JSON.stringify(schema);
  const known = compiled.get(text);
  if (known !== undefined) return known;
  const validator = Schema.Compile(schema);
  const check = (body: unknown): boolean => validator.Check(body);
  compiled.set(text, check);
  return check;
}

/** The shapes that a schema names, and those that they name. */
function componentsIn(schema: Json, { schemas }: Json): Json {
  const named: Record<string, Json> = {};
  const look = (at: Json): void => {
    for (const [, name = ""] of JSON.stringify(at).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
      if (Object.hasOwn(named, name)) continue;
      named[name] = schemas[name];
      look(schemas[name]);
    }
  };
  look(schema);
  return { schemas: named };
}

function operationsOf({ paths, components }: Json): Operation[] {
  const checks = (schema: Json) => checkOf({ ...schema, components: componentsIn(schema, components) });
  const found = (value: Json): Json => (value.$ref ? components.responses[value.$ref.split("/").at(-1)] : value);
  return Object.entries<Json>(paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, { parameters, requestBody, responses, "x-scope": scope }]) => ({
      method: method.toUpperCase(),
      path,
      scope,
      inputs: {
        ...Object.fromEntries(
          parameters.filter((one: Json) => one.in === "query").map((one: Json) => [one.name, one.schema]),
        ),
        // A file is taken in multipart only.
        ...Object.values<Json>(requestBody?.content ?? {})[0]?.schema.properties,
      },
      answers: new Map(
        Object.entries<Json>(responses).map(([status, response]) => {
          const schema = found(response).content?.["application/json"]?.schema;
          return [status, schema === undefined ? null : checks(schema)];
        }),
      ),
    })),
  );
}

// What is sent: good values by the declared schema, and what bad will can think of.

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const numbers = [0, -1, 1.5, -0, 2 ** 31, 2 ** 31 - 1, -(2 ** 31), 2 ** 53 - 1, 2 ** 53, 1e21, 1e308, 5e-324];
const texts = [
  ...["", " ", "\0", "a\0b", "\ud800", "x\udc00y", "\u202e\ufeff", "🍵".repeat(300), "x".repeat(40_000)],
  ...["9".repeat(400), "[object Object]", "' OR 1=1 --", "a\r\nX-Injected: 1", "https://a b", ...secrets],
  ...words(`NaN Infinity -0 1e3 0x10 1_000 १२३ 1.0000000000000001 null undefined __proto__ constructor $1 %00 % \\
    ../../x <script> 2026-02-31 2026-02-31T00:00:00Z 2126-13-01 0000-00-00 tomorrow 2126-01-01T24:00:01Z
    9999-12-31T23:59:59-14:00 http:// javascript:alert(1)`),
];
const nested = (depth: number): Json => (depth === 0 ? 1 : depth % 2 ? [nested(depth - 1)] : { a: nested(depth - 1) });
const shapes = [
  ...[null, true, false, [], {}, [[]], [null], [1, 2], ["a", { b: 1 }], { 0: 1, 1: 2 }, { a: { b: { c: 1 } } }],
  ...[
    nested(19),
    nested(40),
    JSON.parse('{"__proto__":{"polluted":1}}'),
    { constructor: { prototype: { polluted: 1 } } },
  ],
  ...[{ toString: 1, valueOf: 2, hasOwnProperty: 3 }, Array.from({ length: 1_001 }, () => 1)],
];
const hostile = fc.oneof(
  fc.constantFrom(...numbers),
  fc.constantFrom(...texts),
  fc.constantFrom(...shapes),
  fc.string({ maxLength: 30 }),
  fc.jsonValue({ maxDepth: 3 }),
);
const hostile_names = fc.constantFrom(
  ...["", "\0", "x".repeat(1_001), card_number, `${card_number}[a]`],
  ...words("__proto__ constructor prototype a[ a]b [] [a] a[][][b] amount[x] card id ø a[__proto__][b]"),
);
const hostile_ids = words(
  `0 -1 00 2147483647 2147483648 9223372036854775807 9223372036854775808 1.5 1e3 +1 1,2 abc null . __proto__ constructor
  toString 1;2 %20 %2F ..%2f..%2fpayments %00 1%00 % %zz %ff %ed%a0%80 %F0%9F%8D%B5 %27%20OR%201=1 %D9%A1
  ${secrets[0]} ${secrets[1]} 01HF3K6T9W2N4Q8ZB7C5D1E0XA [object%20Object] ${"9".repeat(10_000)} ${"x".repeat(501)}`,
);
const broken_bodies = [
  ...words(`{ [1] "x" 1 null [] {"amount":1e400} {"amount":NaN} {"amount":9007199254740993} {"amount":-0} {"a":1,"a":2}
    {"a":"\\ud800"} {"a":"\\u0000"} {"__proto__":1} {"${card_number}":1e300} % %ff=1 a=%c3 a=%00 \xff\xfe=\xff
    = &&& []=1 a[=1 a]=1 a=1&a[b]=2 ${card_number}=1&${card_number}[a]=2 --b--`),
  ...[
    "[".repeat(5_000),
    '{"a":'.repeat(5_000),
    `a${"[b]".repeat(200)}=1`,
    "a[]=1&".repeat(10_000),
    "p=1&".repeat(10_000),
  ],
  ...["--b\r\n", '--b\r\nContent-Disposition: form-data; name="amount"\r\n\r\n1', `x=${"y".repeat(200_000)}`],
  '--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n1\r\n--b--\r\n',
].map((text) => Buffer.from(text, "latin1"));

const urls = [...words("http://127.0.0.1:9/ javascript:alert(1) http:// //x \xff"), "", "x".repeat(3_000), ...secrets];
const odd_headers: Readonly<Record<string, readonly string[]>> = {
  Accept: [...words("*/* application/json text/html ;;q= application/json;q=0 \xff"), "", "a".repeat(5_000)],
  "CoolPay-Account-Id": [...words("0 -1 abc 1,2 \xff"), "", "9".repeat(40), card_number],
  "CoolPay-Callback-Url": urls,
  "QuickPay-Callback-Url": urls,
  "Idempotency-Key": ["a", "", " ", "\xff", "x".repeat(255), "x".repeat(256), card_number],
  "Content-Encoding": ["gzip", "identity", "\xff"],
  "User-Agent": ["coolpay-python-client", "\xff", ""],
  "X-Forwarded-For": ["192.0.2.7", "nobody", "::1, , ,", "\xff", "1.2.3.4:99999"],
  "X-HTTP-Method-Override": ["DELETE"],
  Cookie: ["a=b; =; ;;"],
  Range: ["bytes=0-1,-5"],
};

/** Parameters whose good values no schema tells, or that must not have every good value. */
const good_values: Readonly<Record<string, readonly Json[]>> = {
  currency: ["DKK", "eur", "ISK", "JPY"],
  number: ["1000000000000008", "1000000000000016"],
  expiration: ["3112"],
  cvd: ["208"],
  amount: [1, 100, 1_000, 2 ** 31 - 1],
  password: ["correct horse battery staple"],
  resource: ["/payments", "/payments/:id"],
  address: ["127.0.0.1", "::1"],
  formula: ["1.45%", "70 + 1%", "(amount + 5) / 100"],
  payment_method_priority: [{ visa: ["clearhaus", "nets"] }, {}],
  value: ["42", "DNK, SWE", "true", "Kop og Kande"],
  key_size: [2048],
  curve: ["prime256v1", "secp384r1"],
  phone: ["+45 12345678"],
  // What is due at once would be done behind the test's back, while it counts rows.
  deadline_at: ["2126-01-01T00:00:00Z"],
  auto_capture_at: ["2126-01-01"],
  allow_test_transactions: [true],
};
// For the same reason shoppers pay at once.
const paid_at_once = { simulator: { session: "approved" } };

function good(schema: Json, name: string): fc.Arbitrary<Json> {
  const known = good_values[name];
  if (known !== undefined) return fc.constantFrom(...known);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((one: Json) => good(one, name)));
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.type === "null") return fc.constant(null);
  if (schema.type === "boolean") return fc.boolean();
  if (schema.type === "integer") return fc.integer({ min: schema.minimum, max: schema.maximum });
  if (schema.type === "number") return fc.double({ min: schema.minimum, max: schema.maximum, noNaN: true });
  if (schema.type === "array") return fc.array(good(schema.items, name), { maxLength: 3 });
  if (schema.type === "object") return record(schema.properties ?? {}, good, schema.required);
  if (schema.format === "date-time") return fc.constantFrom("2026-01-12 10:14:31 +0100", "9999-12-31T23:59:59Z");
  if (schema.format === "date") return fc.constant("2126-02-28");
  if (schema.format === "uri") return fc.constant("http://127.0.0.1:9/");
  if (schema.format === "email") return fc.uuid().map((id) => `${id}@shop.example`);
  if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern));
  return fc.string({ minLength: 1, maxLength: Math.min(schema.maxLength ?? 20, 20) });
}

function mixed(schema: Json, name: string): fc.Arbitrary<Json> {
  const wrong = schema.properties === undefined ? hostile : fc.oneof(hostile, record(schema.properties, mixed));
  return fc.oneof({ weight: 3, arbitrary: good(schema, name) }, { weight: 2, arbitrary: wrong });
}

function record(
  properties: Readonly<Record<string, Json>>,
  value: (schema: Json, name: string) => fc.Arbitrary<Json>,
  required: readonly string[] = [],
): fc.Arbitrary<Json> {
  const members = Object.entries(properties).map(([name, schema]) => [name, value(schema, name)] as const);
  return fc.record(Object.fromEntries(members), { requiredKeys: [...required], noNullPrototype: true });
}

const version_names = ["v11b", "v10", "v09", "v08"];
const content_types = {
  form: { "Content-Type": "application/x-www-form-urlencoded" },
  json: { "Content-Type": "application/json" },
  multipart: { "Content-Type": "multipart/form-data; boundary=b" },
  none: {},
  unknown: { "Content-Type": "text/plain" },
} satisfies Record<string, RawHeaders>;
type ContentType = keyof typeof content_types;
const type_names = Object.keys(content_types) as ContentType[];

type Drawn = {
  readonly params: Readonly<Record<string, Json>>;
  readonly more: Members;
  /** Where the method does not have them by nature. */
  readonly elsewhere: boolean;
  readonly broken: Buffer | null;
  readonly ids: readonly [string | null, string | null];
  readonly headers: Readonly<Record<string, string>>;
};
const nothing: Drawn = { params: {}, more: [], elsewhere: false, broken: null, ids: [null, null], headers: {} };

function drawnFor({ inputs }: Operation): fc.Arbitrary<Drawn> {
  const rarely = <T>(weight: number, usual: T, odd: fc.Arbitrary<T>): fc.Arbitrary<T> =>
    fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: odd });
  const usual = Object.keys(inputs).filter((name) => good_values[name] !== undefined || name === "order_id");
  const id = rarely<string | null>(4, null, fc.constantFrom(...hostile_ids));
  const header = fc
    .constantFrom(...Object.keys(odd_headers))
    .chain((name) => fc.constantFrom(...(odd_headers[name] ?? [])).map((value) => [name, value] as const));
  return fc.record({
    params: fc.oneof(record(inputs, good, usual), record(inputs, mixed, usual)),
    more: rarely<Members>(
      2,
      [],
      fc.array<readonly [string, Json]>(fc.tuple(hostile_names, hostile), { minLength: 1, maxLength: 2 }),
    ),
    elsewhere: rarely(3, false, fc.constant(true)),
    broken: rarely<Buffer | null>(8, null, fc.constantFrom(...broken_bodies)),
    ids: fc.tuple(id, id),
    headers: rarely(2, {}, fc.array(header, { minLength: 1, maxLength: 2 }).map(Object.fromEntries)),
  });
}

/** As a form names nested values; numbers and booleans become texts. */
function pairsOf(value: Json, name: string): [string, string][] {
  if (Array.isArray(value)) return value.flatMap((item) => pairsOf(item, `${name}[]`));
  if (value === null || typeof value !== "object") return [[name, value === null ? "" : String(value)]];
  return Object.entries(value).flatMap(([key, inner]) => pairsOf(inner, `${name}[${key}]`));
}

const escaped = (text: string): string =>
  Array.from(text, (letter) => (letter.isWellFormed() ? encodeURIComponent(letter) : "%ED%A0%80")).join("");
const part = (name: string, value: string): string => {
  const filename = name === "file" ? '; filename="a"' : "";
  return `--b\r\nContent-Disposition: form-data; name="${name.replace(/["\\]/g, "\\$&")}"${filename}\r\n\r\n${value}\r\n`;
};

function encoded(type: ContentType, members: Members): string {
  if (type === "json")
    return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`;
  const pairs = members.flatMap(([name, value]) => pairsOf(value, name));
  if (type === "multipart") return `${pairs.map(([name, value]) => part(name, value)).join("")}--b--\r\n`;
  return pairs.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join("&");
}

type Way = { readonly type: ContentType; readonly version: string };

/** Ending what the test stands on would end it: these get a body that nobody takes. */
const isFatal = ({ method, path }: Operation): boolean =>
  method === "DELETE" &&
  /^\/(user|account|agreements\/.*|brandings\/\{id\}|fraud-rulesets\/.*|cryptography\/keys\/\{id\})$/.test(path);
const hopeless = Buffer.from([0xff]);

function request(operation: Operation, drawn: Drawn, shop: Shop, { type, version }: Way): Sent {
  const { method, path, scope } = operation;
  const params = path.endsWith("/session") ? { ...drawn.params, extras: paid_at_once } : drawn.params;
  const members = [...Object.entries(params), ...drawn.more];
  const in_query = ["GET", "DELETE"].includes(method) !== drawn.elsewhere;
  const query = in_query ? encoded("form", members) : "";
  const body = drawn.broken ?? Buffer.from(in_query ? "" : encoded(type, members));
  return {
    method,
    // A longer one would be refused as a header.
    path: `${named(path, drawn.ids, shop)}?${query.length > 10_000 ? "" : query}`,
    headers: {
      ...content_types[type],
      Authorization: scope === "user" ? shop.person : shop.key,
      "Accept-Version": version,
      ...drawn.headers,
    },
    body: isFatal(operation) ? hopeless : body.length === 0 && method === "GET" ? undefined : body,
  };
}

/** The path with what it names: what is there, or what cannot be. */
function named(path: string, [id, operation_id]: Drawn["ids"], shop: Shop): string {
  const existing: Readonly<Record<string, string | number | undefined>> = {
    payments: shop.payments[path.length % shop.payments.length],
    users: shop.user_id,
    accounts: shop.id,
    agreements: shop.agreement_id,
    brandings: shop.branding_id,
    "fraud-rulesets": shop.ruleset_id,
    cryptography: shop.key_id,
    activity: shop.activity_id,
    ...shop.things,
    callbacks: "01HF3K6T9W2N4Q8ZB7C5D1E0XA",
    sessions: shop.session_id,
    "access-requests": shop.access_request_id,
    requests: shop.request_id,
    exports: shop.export_id,
  };
  const [, resource = ""] = path.split("/");
  return path
    .replace("{id}", id ?? String(existing[resource]))
    .replace("{operation_id}", operation_id ?? "1")
    .replace("{resource_name}", operation_id ?? "templates/form.liquid")
    .replace("{acquirer}", id ?? "clearhaus")
    .replace("{payment_method}", operation_id ?? "visa-dk");
}

// What comes back.

const tables = words(`agreements transactions operations callbacks activity subscription_groups vault card_tokens
  brandings branding_files logos access_requests fee_formulas payment_method_priorities fraud_rulesets cryptography_keys zero4_platforms
  exports plan_uses`);

const shared_tables = words("users accounts two_factors recovery_codes mails mail_tokens sessions");

/** How many rows each shop has, once nothing is under way any more; under 0 those of everybody else. */
async function rowsStored(): Promise<ReadonlyMap<number, string>> {
  while (app.services.running.size > 0) await sleep(2);
  const ids = shops.map(({ id }) => id).join();
  const counts = [
    ...tables.map(
      (name) => `SELECT '${name}' AS name, CASE WHEN account_id IN (${ids}) THEN account_id ELSE 0 END AS whose,
      count(*) FROM ${name} GROUP BY 2`,
    ),
    ...shared_tables.map((name) => `SELECT '${name}', 0, count(*) FROM ${name}`),
  ];
  const { rows } = await app.services.pool.query(`${counts.join(" UNION ALL ")} ORDER BY 1`);
  const stored = new Map<number, string>();
  for (const { name, whose, count } of rows) stored.set(whose, `${stored.get(whose) ?? ""} ${count} ${name}`);
  return stored;
}

const statuses = new Map<number, number>();
let kept_count = 0;

const told = ({ method, path, headers, body }: Sent): string =>
  `${method} ${path.slice(0, 500)}\n${JSON.stringify(headers)}\n${body?.toString("latin1").slice(0, 400) ?? ""}`;

/** Sends it; all that is wrong with the answer is said, with the request that can be sent again. */
async function ask(sent: Sent, operation: Operation | null): Promise<RawAnswer> {
  const { method, path, headers, body } = sent;
  const late = sleep(answer_max_ms, null, { ref: false });
  const answer = await Promise.race([send(method, path, { headers, body }), late]).catch((error) =>
    assert.fail(`${error}\n${told(sent)}`),
  );
  assert.ok(answer !== null, `no answer in ${answer_max_ms} ms\n${told(sent)}`);
  statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
  const wrong = wrongWith(answer, { sent, operation });
  assert.ok(
    wrong.length === 0,
    `${wrong.join(", ")}\n${told(sent)}\n=> ${answer.status} ${answer.text.slice(0, 1_000)}`,
  );
  return answer;
}

// They come before any endpoint; the document does not repeat them at each.
const met_anywhere = [413, 415, 431];

type Judged = { readonly sent: Sent; readonly operation: Operation | null };

function wrongWith({ status, headers, text, body }: RawAnswer, { sent, operation }: Judged): string[] {
  const { method, path } = sent;
  const answers = operation === null ? undefined : declaredIn(headers["coolpay-version"] ?? "v10", operation);
  const agrees = answers?.get(String(status));
  // A file is static where it is read, not where it is put or deleted.
  const is_file =
    /^\/(account\/logo|cryptography\/keys\/[^/?]+\/certificate|brandings\/[^/?]+\/(?!(copy|preview)(\?|$)).+)(\?|$)/.test(
      path,
    );
  const is_static =
    /^\/(docs|changelog|exports\/[^/?]+\/file)(\?|$)/.test(path) || (is_file && !["PUT", "DELETE"].includes(method));
  // What cannot be decoded, or is too long, is no path of anything.
  const is_no_path = body?.message === "Not found: no such path";
  const is_request = status === 201 && /^\/cryptography\/keys\/[^/?]+\/csr(\?|$)/.test(path);
  const length = headers["content-length"];
  const rules: Record<string, boolean> = {
    "a 5xx": status < 500,
    "X-Request-Id": /^[0-9A-HJKMNP-TV-Z]{26}$/.test(String(headers["x-request-id"])),
    chunked: headers["transfer-encoding"] === undefined,
    "Content-Length":
      status === 204
        ? text === ""
        : method === "HEAD"
          ? length !== undefined
          : length === String(Buffer.byteLength(text)),
    "Content-Type":
      text === "" ||
      is_static ||
      is_request ||
      /^application\/json(; charset=UTF-8)?$/.test(headers["content-type"] ?? ""),
    "an error with other members":
      status < 400 ||
      method === "HEAD" ||
      (is_static && !is_no_path ? text === "" : isError(body, headers["coolpay-version"])),
    "a value that came back": status < 400 || !secrets.some((secret) => text.includes(secret)),
    "an undeclared status": operation === null || agrees !== undefined || met_anywhere.includes(status),
    "not as declared": !agrees || is_static || agrees(body),
    "a body where none is declared": agrees !== null || is_static || is_no_path || is_request || text === "",
  };
  return Object.keys(rules).filter((name) => !rules[name]);
}

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string" && item !== "");

/** v11b has a word for each error, and for a taken order id members that are no texts. */
const isError = (body: Json, version: unknown): boolean =>
  Object.keys(body ?? {}).join() === "message,errors,error_code" &&
  typeof body.message === "string" &&
  body.message !== "" &&
  (body.errors === null || body.error_code === "order_id_taken" || Object.values(body.errors).every(isTexts)) &&
  (version === "v11b" ? /^[a-z_]+$/.test(body.error_code) : body.error_code === null);

const isRead = ({ method }: Sent): boolean => ["GET", "HEAD", "OPTIONS"].includes(method);

/** Sends requests, one of each shop at a time. What was refused, or only read, must have stored nothing. */
async function askAll(asked: readonly Asked[], time_ms = Number.POSITIVE_INFINITY): Promise<RawAnswer[]> {
  const deadline = performance.now() + time_ms;
  const answers: RawAnswer[] = [];
  const complaints = new Map<string, string>();
  let before = await rowsStored();
  for (let at = 0; at < asked.length && performance.now() < deadline; at += shop_count) {
    const group = asked.slice(at, at + shop_count);
    const said = await Promise.all(
      group.map(({ sent, operation }) =>
        ask(sent, operation).catch(({ message }: Error) => {
          complaints.set(`${sent.method} ${operation?.path} ${message.split("\n")[0]}`, message);
          return null;
        }),
      ),
    );
    const after = await rowsStored();
    const stored = group.map(({ sent }, i) => !isRead(sent) && (said[i]?.status ?? 0) < 400);
    for (const [i, { sent, shop }] of group.entries()) {
      if (stored[i]) continue;
      kept_count += 1;
      // Where a neighbour stored something, that may be a new user or account.
      for (const whose of [...(shop === null ? [] : [shop.id]), ...(stored.includes(true) ? [] : [0])])
        if (before.get(whose) !== after.get(whose))
          complaints.set(`stored ${sent.method}`, `${told(sent)}\n${before.get(whose)} =>\n${after.get(whose)}`);
    }
    answers.push(...said.filter((answer) => answer !== null));
    before = after;
  }
  const some = [...complaints.values()].slice(0, told_complaints_max).join("\n\n");
  assert.ok(complaints.size === 0, `${complaints.size} kinds of complaints\n\n${some}`);
  return answers;
}

test("every endpoint, in every version and encoding, takes good, wrong and hostile values", async () => {
  const ways = version_names.flatMap((version) => type_names.map((type) => ({ version, type })));
  const numRuns = draws * ways.length;
  const drawn = operations.map((operation, i) => fc.sample(drawnFor(operation), { seed: seed + i, numRuns }));
  // Neighbours are of different endpoints.
  const asked = Array.from({ length: numRuns }, (_, draw) =>
    operations.map((operation, i) => {
      const shop = turn(draw * operations.length + i);
      const sent = request(operation, drawn[i]?.[draw] ?? nothing, shop, ways[draw % ways.length] as Way);
      return { sent, operation, shop };
    }),
  ).flat();
  const answers = await askAll(asked, time_max_ms);
  assert.ok(answers.length >= ways.length * operations.length, `${answers.length} requests in ${time_max_ms} ms`);
});

test("an id that is none names nothing", async () => {
  // Acquirers and payment methods are words of a list: there another one is 400.
  const read_by_id = operations.filter(
    ({ method, path }) => path.includes("id}") && ["GET", "DELETE"].includes(method),
  );
  const asked = read_by_id.flatMap((operation) =>
    hostile_ids.map((id, i) => {
      const of_operation = operation.path.includes("{operation_id}") && i % 2 === 0;
      const drawn: Drawn = { ...nothing, ids: of_operation ? [null, id] : [id, "1"] };
      const sent = request(operation, drawn, turn(i), { type: "none", version: "v10" });
      return { sent: { ...sent, body: undefined }, operation, shop: turn(i) };
    }),
  );
  for (const { status, text } of await askAll(asked)) assert.equal(status, 404, text);
});

const keyOf = (...parts: readonly unknown[]): string => Buffer.from(JSON.stringify(parts)).toString("base64url");
const instants = words(
  "2026-02-31T00:00:00.000Z 0000-01-01T00:00:00.000Z 2026-01-01T24:00:00.000Z 2026-01-01T00:00:00Z",
);
const garbage: Readonly<Record<string, readonly string[]>> = {
  page: words("0 -1 1.5 1e3 x 2147483648 9007199254740993 100001 %00 []"),
  page_size: words("0 -1 101 x 2147483648 NaN"),
  page_key: [
    ...words(`0 99999999999 %00 %ff e30 bnVsbA W10 WzFd - = ${"x".repeat(501)} ${card_number}`),
    ...[-1, 1.5, 2 ** 31, 1e300, null, true, "", "1", "a\0", "\ud800", [1], {}].flatMap((value) => [
      keyOf(value, value, 0),
      keyOf("clearhaus", value, 1),
    ]),
    ...[...instants.map((at) => keyOf(at, 1, 0)), keyOf(1, 1, 2), keyOf(1, 1)],
  ],
  sort_by: words("x ID id;DROP%20TABLE __proto__ constructor %00"),
  sort_dir: words("x ASC %00 asc,desc"),
  min_time: words("2026-02-31 x %00 2026-01-01T24:00:01Z 9999-12-31T23:59:59-01:00 1970-01-01T00:00:00%2B14:00"),
  max_time: words("9999-12-31T23:59:59Z 1970-01-01 2026-13-01%2000:00:00%20%2B0000 2026-01-01%2000:00:00%20%2B9999"),
  since: words("2026-02-31 9999-12-31T23:59:59Z 1970-01-01 x"),
  id: words("0 -1 2147483648 x"),
  operations_size: words("-1 2147483648 2147483647 0 x"),
  target_id: words("2147483648 x"),
  target_type: words(`%ff %00 ${"x".repeat(51)}`),
  order_id: words(`%00 %ed%a0%80 %F0%9F%8D%B5 ${"x".repeat(1_001)}`),
  version: words("v99 v1O __proto__ %00"),
};
const odd_dates = words(`date=2026 date[]=1 date[year]=x date[year]=9999 date[year]=1969 date[year]=10000 date[month]=1
  date[year]=9999&date[month]=12 date[year]=9999&date[month]=12&date[day]=31&date[hour]=23&date[minute]=59
  date[year]=2026&date[month]=13 date[year]=2026&date[month]=2&date[day]=31 date[year][x]=1 date[__proto__]=1`);

test("garbage in a list's parameters is told, and never reaches the database", async () => {
  const lists = operations.filter(({ method, inputs }) => method === "GET" && Object.keys(inputs).length > 0);
  const asked = lists.flatMap((operation) => {
    const { inputs } = operation;
    const sorts: readonly string[] = inputs.sort_by?.enum ?? [];
    const queries = Object.keys(inputs).flatMap((name) => (garbage[name] ?? []).map((value) => `${name}=${value}`));
    const sorted = queries.flatMap((query) =>
      query.startsWith("page_key") ? sorts.map((sort) => `${query}&sort_by=${sort}`) : [query],
    );
    return [...sorted, ...(inputs.date === undefined ? [] : odd_dates)].map((query, i) => {
      const sent = request(operation, nothing, turn(i), { type: "none", version: "v10" });
      return { sent: { ...sent, path: sent.path + query }, operation, shop: turn(i) };
    });
  });
  for (const { status, text } of await askAll(asked)) assert.ok([200, 400].includes(status), text);
});

test("a day that no calendar has is told, and not taken for another", async () => {
  const never = {
    "date[year]=2026&date[month]=2&date[day]=31": "date[day]",
    "date[year]=2027&date[month]=2&date[day]=29": "date[day]",
    "min_time=2026-02-31": "min_time",
    "max_time=2026-02-31T00:00:00Z": "max_time",
    "date[month]=2": "date[year]",
  };
  for (const [query, parameter] of Object.entries(never)) {
    const { status, body } = await send("GET", `/payments?${query}`, { headers: { Authorization: turn(0).key } });
    assert.deepEqual([status, Object.keys(body.errors)], [400, [parameter]], query);
  }
  const leap = await send("GET", "/payments?date[year]=2028&date[month]=2&date[day]=29", {
    headers: { Authorization: turn(0).key },
  });
  assert.deepEqual([leap.status, leap.body], [200, []]);
});

const plainly = (method: string, path: string, headers: RawHeaders = {}): Asked => ({
  sent: { method, path, headers, body: isRead({ method, path, headers }) ? undefined : Buffer.from("a=1") },
  operation: null,
  shop: null,
});

test("what is no version is 406, and what is no method of a path 405, in every version", async () => {
  const names = [...words("v7 v010 V10 10 v10b v12b v10,v10 v10;q=1 latest \xff __proto__"), "v".repeat(9_000)];
  const no_version = names.map((name) => plainly("GET", "/ping", { "Accept-Version": name }));
  for (const { status } of await askAll(no_version)) assert.equal(status, 406);

  const paths = [...new Set(operations.map(({ path }) => path))];
  const isDeclared = (path: string, method: string): boolean =>
    operations.some((operation) => operation.path === path && operation.method === method);
  const no_method = paths.flatMap((path) =>
    words("GET POST PUT PATCH DELETE TRACE")
      .filter((method) => !isDeclared(path, method))
      .map((method, i) =>
        plainly(method, path.replace(/\{\w+\}/g, "1"), { "Accept-Version": version_names[i % 4] ?? "" }),
      ),
  );
  for (const { status, headers } of await askAll(no_method)) {
    assert.equal(status, 405);
    assert.match(headers.allow ?? "", /OPTIONS/);
  }
});

test("HEAD and OPTIONS of every path are answered, and paths that are none", async () => {
  const shop = turn(0);
  const paths = [...new Set(operations.map(({ path }) => named(path, [null, null], shop)))];
  const all = [
    ...paths.flatMap((path) => ["HEAD", "OPTIONS"].map((method) => plainly(method, path, { Authorization: shop.key }))),
    ...words("/ /x /payments/1/x /payments.json /% /%00 /\xff /. /../etc/passwd /__proto__ /* /payments%2F1").map(
      (path) => plainly("GET", path, { Authorization: shop.key }),
    ),
  ];
  for (const { status, text } of await askAll(all)) assert.ok([200, 204, 400, 403, 404, 405].includes(status), text);
});

test("credentials that cannot be any are 401", async () => {
  const odd = (user: string, password: string): string =>
    `Basic ${Buffer.from(`${user}:${password}`, "latin1").toString("base64")}`;
  const credentials = [
    ...[
      "Basic",
      "Basic ",
      "Basic =",
      "Basic !!!",
      "Bearer x",
      "Basic Og",
      "Digest username=x",
      "\xff",
      "x".repeat(9_000),
    ],
    ...[`${turn(0).key}x`, odd("", ""), odd("", "\0"), odd("\0", "\0"), odd("a\0b@shop.example", "x"), odd("'", "'")],
    ...[odd("\xff\xfe", "\xff"), odd("a".repeat(4_000), "x"), odd("ida@shop.example", "x".repeat(4_000))],
    ...[odd("", card_number), odd("a:b", ":")],
  ];
  const asked = credentials.flatMap((Authorization, i) =>
    ["/ping", "/payments"].map((path) => plainly("GET", path, { Authorization, "X-Forwarded-For": `192.0.2.${i}` })),
  );
  for (const { status, headers } of await askAll(asked)) {
    assert.equal(status, 401);
    assert.match(headers["www-authenticate"] ?? "", /^Basic /);
  }
});

test("what is hardly HTTP is refused in the same words", async () => {
  const head = `POST /payments HTTP/1.1\r\nHost: x\r\nAuthorization: ${turn(0).key}\r\n`;
  const rubbish = [
    "\0\0\0\0\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET /payments\r\n\r\n",
    "BREW /payments HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /pay ments HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /ping HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    "GET /ping HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n",
    `${head}Content-Length: x\r\n\r\n`,
    `${head}Content-Length: -1\r\n\r\n`,
    `${head}Content-Length: 3\r\nContent-Length: 4\r\n\r\na=1`,
    `${head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n`,
    `${head}Transfer-Encoding: gzip\r\n\r\na=1`,
    `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\na=1\r\n`,
    `${head}Content-Length: 9007199254740993\r\nConnection: close\r\n\r\na=1`,
  ];
  const stored = await rowsStored();
  for (const bytes of rubbish) {
    const text = await spoken(app.url, bytes, { end: true });
    assert.match(text, /^HTTP\/1\.1 4\d\d [\s\S]*x-request-id: [0-9A-Z]{26}\r\n/i, `${bytes} => ${text}`);
    assert.ok(isError(JSON.parse(text.split("\r\n\r\n")[1] ?? ""), "v10"), text);
  }
  assert.deepEqual(await rowsStored(), stored);
});

test("after all that nothing is polluted, the books balance, and nothing was noted as a mistake of ours", async () => {
  assert.equal(({} as Json).polluted, undefined);
  assert.deepEqual((await audit(app.database_url)).differences, []);
  assert.deepEqual(
    app.log.filter((line) => line.includes('"level":"error"')),
    [],
  );
  const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${count} x ${status}`);
  console.log(`answers: ${counts.join(", ")}; rows were counted after the ${kept_count} that may store nothing`);
});
