// The API describes itself: /openapi.json says what is served and nothing else, real answers are as it says, and /docs shows
// it without asking another host. The short lists that need no account stand here too.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { acquirer_names } from "../src/domain/acquirers.ts";
import { currencies } from "../src/domain/currency.ts";
import { unlimited } from "../src/domain/plans.ts";
import { endpointsOf } from "../src/resources/endpoints.ts";
import { type Answer, type Client, eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { codeAt } from "./support/authenticator.ts";
import { declaredBy } from "./support/declared.ts";
import { form } from "./support/files.ts";

// biome-ignore lint/suspicious/noExplicitAny: the OpenAPI document is walked as the JSON that it is
type Json = any;

let app: TestApp;
let shop: TestAccount;
let document: Json;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
  document = (await app.anonymous("GET", "/openapi.json")).body;
});
after(() => app.stop());

const operations = (): [name: string, declared: Json][] =>
  Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, declared]): [string, Json] => [
      `${method.toUpperCase()} ${path}`,
      declared,
    ]),
  );

describe("/openapi.json", () => {
  test("is valid OpenAPI 3.1, in every version, which the header or the query names", async () => {
    for (const version of ["v11b", "v10", "v09", "v08"]) {
      const by_header = await app.anonymous("GET", "/openapi.json", { headers: { "Accept-Version": version } });
      const by_query = await app.anonymous("GET", `/openapi.json?version=${version}`);
      assert.deepEqual(by_header.body, by_query.body);
      assert.match(by_query.body.openapi, /^3\.1\./);
      assert.equal(by_query.body.info.version, version);
      const { valid, errors } = await new Validator().validate(by_query.body);
      assert.ok(valid, JSON.stringify(errors));
    }
    assert.equal(document.info.version, "v10");
    const unknown = await app.anonymous("GET", "/openapi.json?version=v07");
    assert.deepEqual([unknown.status, unknown.body.errors], [400, { version: ["does not have a valid value"] }]);
    assert.equal((await app.anonymous("GET", "/openapi.json", { headers: { "Accept-Version": "v07" } })).status, 406);
  });

  test("names each operation once and says of each what it is for", () => {
    const ids = operations().map(([, { operationId }]) => operationId);
    assert.equal(new Set(ids).size, ids.length);
    for (const [name, { summary, tags }] of operations()) assert.ok(summary.length > 5 && tags.length === 1, name);
  });

  test("holds every endpoint that is served, and each that it holds is served", async () => {
    const served = endpointsOf({ signup: "open", plans: [unlimited], program_version: "0" });
    const nameOf = ({ method, path }: { method: string; path: string }) =>
      `${method} ${path.replace(/[:*](\w+)/g, "{$1}")}`;
    const hidden = served.filter(({ listed }) => listed === false).map(nameOf);
    assert.deepEqual(hidden, ["GET /docs/js/scalar.js"]);
    const documented = operations().map(([name]) => name);
    assert.deepEqual(
      documented.toSorted(),
      served
        .map(nameOf)
        .filter((name) => !hidden.includes(name))
        .toSorted(),
    );
    for (const [path, methods] of Object.entries<Json>(document.paths)) {
      const { status, headers } = await app.anonymous("OPTIONS", path.replace(/\{\w+\}/g, "1"));
      const names = Object.keys(methods).map((method) => method.toUpperCase());
      const also = names.includes("GET") ? ["HEAD", "OPTIONS"] : ["OPTIONS"];
      assert.deepEqual([status, headers.get("allow")], [204, [...names, ...also].sort().join(", ")], path);
    }
  });
});

// What the reference names for payments (resources, section 7): a line per parameter, `!` where it is required.
const address = `name att company_name street house_number house_extension city zip_code region country_code vat_no
  phone_number mobile_number email`;
const each = (group: string, names: string, type = "string"): string =>
  names
    .trim()
    .split(/\s+/)
    .map((name) => `${group}[${name}] ${type}`)
    .join("\n");
const addresses = `${each("invoice_address", address)}\n${each("shipping_address", address)}`;
const basket = `basket[][qty]! integer\nbasket[][item_no]! string\nbasket[][item_name]! string\nbasket[][item_price]! integer
  basket[][vat_rate]! number`;
const shipping = `shipping[method] enum\nshipping[company] string\nshipping[amount] integer\nshipping[vat_rate] number
  shipping[tracking_number] string\nshipping[tracking_url] string`;
const person = each("person", "first_name last_name email");
const paying = `amount! integer\nauto_capture boolean\nacquirer enum\nautofee boolean\ncustomer_ip string\nextras map\n${person}`;
const card = `${each("card", "number expiration cvd token apple_pay_token mobilepay_online_token google_pay_token issued_to")}
  card[brand] enum\n${each("card", "status eci xav cavv")}`;
const nin = "nin[number] string\nnin[country_code] string\nnin[gender] enum";

const section_7: Readonly<Record<string, { query?: string; form?: string; callback?: true; synchronized?: true }>> = {
  "GET /payments": {
    query: `${each("date", "year month day hour minute", "integer")}\ntimestamp enum\nmin_time time\nmax_time time
      operations_size integer\naccepted boolean\norder_id string\nstate enum\nid integer\nacquirer enum
      fraud_suspected enum\npage integer\npage_size integer\nsort_by enum\nsort_dir enum\npage_key string`,
  },
  "POST /payments": {
    form: `order_id! string\ncurrency! string\n${addresses}\nbranding_id integer\n${basket}\n${shipping}
      ${each("shopsystem", "name version")}\nvariables map\ntext_on_statement string`,
  },
  "GET /payments/{id}": { query: "operations_size integer" },
  "PATCH /payments/{id}": { form: `deadline_at time\n${addresses}\n${basket}\n${shipping}\nvariables map` },
  "PUT /payments/{id}/link": {
    form: `amount! integer\nagreement_id integer\nlanguage string\ncontinue_url uri\ncancel_url uri\ncallback_url uri
      payment_methods string\nauto_fee boolean\nbranding_id integer\ngoogle_analytics_tracking_id string
      google_analytics_client_id string\nacquirer enum\ndeadline integer\nframed boolean\nbranding_config map
      customer_email email\ninvoice_address_selection boolean\nshipping_address_selection boolean
      auto_capture boolean\nauto_capture_at date\nfee_vat integer\nmoto boolean\ncontinueurl uri\ncancelurl uri
      callbackurl uri\nautofee boolean\nautocapture boolean`,
  },
  "DELETE /payments/{id}/link": {},
  "POST /payments/{id}/session": { form: paying, callback: true, synchronized: true },
  "POST /payments/{id}/authorize": {
    form: `${paying}\nvat_rate number\n${card}\nmobile_number string\n${nin}\nzero_auth boolean\nauto_capture_at date
      vat_amount integer\nthreeds_v2 map`,
    callback: true,
    synchronized: true,
  },
  "POST /payments/{id}/capture": { form: "amount! integer\nextras map", callback: true, synchronized: true },
  "POST /payments/{id}/refund": {
    form: "amount! integer\nvat_rate number\nextras map",
    callback: true,
    synchronized: true,
  },
  "POST /payments/{id}/cancel": { callback: true, synchronized: true },
  "POST /payments/{id}/renew": { callback: true, synchronized: true },
  "POST /payments/{id}/fraud-report": { form: "description string", callback: true },
  "GET /payments/{id}/operations/{operation_id}": {},
  "PATCH /payments/{id}/operations/{operation_id}": { form: "pending! boolean" },
};

/** `amount! integer`, `shipping[method] enum`, …: what a schema takes, flat. */
function takes({ properties = {}, required = [] }: Json, path = ""): string[] {
  return Object.entries<Json>(properties).flatMap(([name, declared]) => {
    const inner = path === "" ? name : `${path}[${name}]`;
    const schema = declared.anyOf?.find(({ type }: Json) => type !== "null") ?? declared;
    if (schema.type === "array") return takes(schema.items, `${inner}[]`);
    if (schema.properties !== undefined) return takes(schema, inner);
    const { enum: words, format, type } = schema;
    const kind = words ? "enum" : type === "object" ? "map" : format === "date-time" ? "time" : (format ?? type);
    return [`${inner}${required.includes(name) ? "!" : ""} ${kind}`];
  });
}

const lines = (text = ""): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

describe("the parameters of payments", () => {
  for (const [name, { query, form, callback, synchronized }] of Object.entries(section_7)) {
    test(`${name} declares what the reference names, in its place and type`, () => {
      const [, declared] = operations().find(([one]) => one === name) ?? [];
      assert.ok(declared !== undefined);
      const at = (place: string): [string, Json][] =>
        declared.parameters
          .filter((parameter: Json) => parameter.in === place)
          .map((parameter: Json) => [parameter.name, parameter]);
      const in_path = [...name.matchAll(/\{(\w+)\}/g)].map(([, id]) => id);
      assert.deepEqual(
        at("path").map(([id, { required, schema }]) => [id, required, schema.type]),
        in_path.map((id) => [id, true, "integer"]),
      );
      const schemas = at("query").filter(([one]) => one !== "synchronized");
      const asked = takes({ properties: Object.fromEntries(schemas.map(([one, { schema }]) => [one, schema])) });
      for (const line of lines(query)) assert.ok(asked.includes(line), `${line} among ${asked}`);
      assert.deepEqual(asked.length, lines(query).length, "nothing else in the query");
      const body = declared.requestBody?.content;
      const types = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"];
      if (form !== undefined) assert.deepEqual(Object.keys(body), types);
      const taken = takes(body?.["application/json"].schema ?? {});
      for (const line of lines(form)) assert.ok(taken.includes(line), `${line} among ${taken}`);
      const headers = at("header").map(([one]) => one);
      assert.equal(headers.includes("CoolPay-Callback-Url"), callback === true);
      assert.equal(
        at("query").some(([one]) => one === "synchronized"),
        synchronized === true,
      );
      assert.ok(headers.includes("Accept-Version"));
      assert.equal(headers.includes("Idempotency-Key"), !name.startsWith("GET"));
    });
  }

  test("enumerations hold the reference's words", () => {
    const words = (name: string, ...path: string[]): Json => {
      const [, declared] = operations().find(([one]) => one === name) ?? [];
      const query = declared.parameters.find((parameter: Json) => parameter.name === path[0]);
      const start = query?.schema ?? declared.requestBody.content["application/json"].schema.properties[path[0] ?? ""];
      return path.slice(1).reduce((schema, member) => schema.properties[member], start).enum;
    };
    assert.deepEqual(words("GET /payments", "state"), ["initial", "pending", "new", "rejected", "processed"]);
    assert.deepEqual(words("GET /payments", "sort_by"), ["id", "order_id", "created_at"]);
    assert.deepEqual(words("GET /payments", "timestamp"), ["created_at", "updated_at"]);
    assert.deepEqual(words("POST /payments", "shipping", "method"), [
      "store_pick_up",
      "home_delivery",
      "registered_box",
      "unregistered_box",
      "pick_up_point",
      "own_delivery",
    ]);
    assert.deepEqual(words("POST /payments/{id}/authorize", "nin", "gender"), ["male", "female"]);
    assert.equal(words("POST /payments/{id}/authorize", "card", "brand").length, 10);
  });
});

test("a body that is given as an example works", async () => {
  const exampleOf = (name: string): object => {
    const [, declared] = operations().find(([one]) => one === name) ?? [];
    return declared.requestBody.content["application/json"].schema.examples[0];
  };
  const made = await shop.call("POST", "/payments", { body: exampleOf("POST /payments") });
  assert.equal(made.status, 201, made.text);
  const steps = [
    ["PATCH", ""],
    ["PUT", "/link"],
    ["POST", "/session"],
    ["POST", "/authorize"],
    ["POST", "/capture"],
    ["POST", "/refund"],
    ["POST", "/fraud-report"],
  ] as const;
  for (const [method, step] of steps) {
    const body = exampleOf(`${method} /payments/{id}${step}`);
    const answer = await shop.call(method, `/payments/${made.body.id}${step}?synchronized`, { body });
    assert.ok(answer.status <= 202, `${step}: ${answer.text}`);
    // The shopper of the session takes her time: authorize goes before.
    if (step !== "/session" && method === "POST" && step !== "/fraud-report")
      assert.equal(answer.body.operations.at(-1).qp_status_code, "20000", step);
  }
});

/** Calls, and holds the answer against what is declared for its status. */
async function called(call: Client, name: string, ...[path, sent]: [path: string, sent?: Parameters<Client>[2]]) {
  const [method = ""] = name.split(" ");
  const answer = await call(method, path, sent);
  declaredBy(document).assertAnswer(name, answer);
  return answer;
}

describe("real answers", () => {
  const full_address = Object.fromEntries(
    address.split(/\s+/).map((name) => [name, name === "email" ? "a@b.example" : "x"]),
  );
  const proof = { status: "Y", eci: "05", cavv: "AAABBEg0VhI0VniQEjRWAAAAAAA=" };
  const visa = { number: "1000000000000008", expiration: "3112", cvd: "208", ...proof };

  test("of one payment's whole life, its callbacks and its refusals are as declared, to the last member", async () => {
    const bodies: unknown[] = [];
    const receiver = createServer((request, response) => {
      let text = "";
      request.on("data", (chunk) => (text += chunk));
      request.on("end", () => response.end(void bodies.push(JSON.parse(text))));
    });
    await new Promise<void>((listening) => receiver.listen(0, "127.0.0.1", listening));
    const headers = { "CoolPay-Callback-Url": `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/` };
    try {
      const say = (name: string, path: string, body?: object): Promise<Answer> =>
        called(shop.call, name, path, { ...(body === undefined ? {} : { body }), headers });
      const line = { qty: 1, item_no: "K-1", item_name: "Kop", item_price: 1_000, vat_rate: 0.25 };
      const made = await say("POST /payments", "/payments", {
        ...{ order_id: "life-1", currency: "DKK", text_on_statement: "Kop og Kande", variables: { cart: "c-1" } },
        ...{ invoice_address: full_address, shipping_address: { city: "Odense" }, basket: [line] },
        ...{ shipping: { method: "own_delivery", amount: 10 }, shopsystem: { name: "WooCommerce", version: "4.9.1" } },
      });
      assert.equal(made.status, 201);
      const at = `/payments/${made.body.id}`;
      const life: [status: number, name: string, path: string, body?: object][] = [
        [409, "POST /payments", "/payments", { order_id: "life-1", currency: "DKK" }],
        [400, "POST /payments", "/payments", { order_id: "x", basket: [{}] }],
        [200, "PUT /payments/{id}/link", "/link", { amount: 1_000, branding_config: { a: 1 }, auto_capture: true }],
        [200, "GET /payments/{id}", ""],
        [200, "PATCH /payments/{id}", "", { deadline_at: "2126-01-01T00:00:00Z", variables: { a: { b: [1] } } }],
        [
          200,
          "POST /payments/{id}/session",
          "/session?synchronized",
          { amount: 1_000, extras: { simulator: { session: "rejected" } } },
        ],
        [
          202,
          "POST /payments/{id}/authorize",
          "/authorize",
          { amount: 1_000, card: visa, customer_ip: "203.0.113.20" },
        ],
        [200, "GET /payments/{id}/operations/{operation_id}", "/operations/2"],
        [400, "POST /payments/{id}/capture", "/capture?synchronized", { amount: 1_001 }],
        [200, "POST /payments/{id}/renew", "/renew?synchronized"],
        [200, "POST /payments/{id}/capture", "/capture?synchronized", { amount: 600 }],
        [202, "POST /payments/{id}/capture", "/capture", { amount: 400 }],
        [200, "POST /payments/{id}/refund", "/refund?synchronized", { amount: 250 }],
        [400, "POST /payments/{id}/cancel", "/cancel?synchronized"],
        [202, "POST /payments/{id}/fraud-report", "/fraud-report", { description: "stolen" }],
        [428, "PATCH /payments/{id}/operations/{operation_id}", "/operations/2", { pending: false }],
        [404, "GET /payments/{id}/operations/{operation_id}", "/operations/99"],
        [200, "GET /payments/{id}", "?operations_size=1"],
      ];
      for (const [status, name, path, body] of life) {
        await eventually(async () => app.services.running.size === 0);
        const answer = await say(name, name === "POST /payments" ? path : at + path, body);
        assert.equal(answer.status, status, `${name}: ${answer.text}`);
      }
      const paid = await eventually(async () => {
        const { body } = await say("GET /payments/{id}", at);
        return body.operations.every((one: Json) => one.callback_success) && body;
      }, "the last callback");
      assert.deepEqual(
        paid.operations.map((one: Json) => [one.type, one.qp_status_code]),
        [
          ["session", "40000"],
          ["authorize", "20000"],
          ["renew", "20000"],
          ["capture", "20000"],
          ["capture", "20000"],
          ["refund", "20000"],
        ],
      );
      assert.deepEqual([paid.state, paid.balance, paid.metadata.fraud_reported], ["processed", 750, true]);
      assert.equal(bodies.length, paid.operations.length);
      const { schema } = document.paths["/payments/{id}"].get.responses[200].content["application/json"];
      for (const body of bodies) declaredBy(document).assertSchema(body, schema, "a callback");

      const other = await say("POST /payments", "/payments", { order_id: "life-2", currency: "EUR" });
      await say("POST /payments/{id}/authorize", `/payments/${other.body.id}/authorize?synchronized`, {
        ...{ amount: 100, card: { number: "1000000000000008", expiration: "3112" } },
      });
      const cancelled = await say("POST /payments/{id}/cancel", `/payments/${other.body.id}/cancel?synchronized`);
      assert.equal(cancelled.status, 200);
      const list = await say("GET /payments", "/payments?page_size=2");
      assert.equal(list.body.length, 2);
    } finally {
      receiver.close();
    }
  });

  test("of accounts, agreements, users, activity and callbacks are as declared too", async () => {
    const user = (await called(shop.owner, "GET /user", "/user")).body;
    const agreement = (await called(shop.owner, "GET /agreements", "/agreements")).body[0];
    const activity = (await called(shop.call, "GET /payments", "/payments")).status;
    assert.equal(activity, 200);
    await called(shop.owner, "GET /users/{id}", `/users/${user.id}`);
    await called(shop.owner, "GET /accounts", "/accounts");
    await called(shop.owner, "GET /accounts/{id}", `/accounts/${shop.id}`);
    await called(shop.owner, "GET /account", "/account");
    await called(shop.owner, "GET /account/private-key", "/account/private-key");
    await called(shop.owner, "GET /agreements/{id}", `/agreements/${agreement.id}`);
    await called(shop.owner, "GET /agreements/{id}/activity", `/agreements/${agreement.id}/activity`);
    const [entry] = (await called(shop.owner, "GET /activity", "/activity")).body;
    await called(shop.owner, "GET /activity/{id}", `/activity/${entry.id}`);
    const [callback] = (await called(shop.owner, "GET /callbacks", "/callbacks")).body;
    await called(shop.owner, "GET /callbacks/{id}", `/callbacks/${callback.id}`);
    await called(shop.owner, "POST /callbacks/{id}/replay", `/callbacks/${callback.id}/replay`);
    const invited = { body: { user_email: "new@shop.example" } };
    await called(shop.owner, "POST /agreements", "/agreements", invited);
    const branding = (await called(shop.owner, "POST /brandings", "/brandings", { body: { name: "Shop 2026" } })).body;
    const one = `/brandings/${branding.id}`;
    await called(shop.owner, "PUT /brandings/{id}/{resource_name}", `${one}/VERSION`, { body: form("2.5.0") });
    await called(shop.owner, "GET /brandings", "/brandings?only=resources");
    await called(shop.owner, "GET /brandings/{id}", one);
    await called(shop.owner, "PATCH /brandings/{id}", one, { body: { except: "name" } });
    await called(shop.owner, "POST /brandings/{id}/copy", `${one}/copy`);
    await called(shop.owner, "POST /brandings/{id}/preview", `${one}/preview`, { body: { page: "success" } });
    await called(shop.owner, "DELETE /brandings/{id}/{resource_name}", `${one}/VERSION`);
    await called(shop.owner, "DELETE /brandings/{id}", one);
    await called(shop.owner, "DELETE /account/logo", "/account/logo");
    const example = (name: string) => {
      const [, { requestBody }] = operations().find(([one]) => one === name) ?? ["", {}];
      return { body: requestBody.content["application/json"].schema.examples[0] };
    };
    const named = "POST /fraud-rulesets";
    const ruleset = (await called(shop.owner, named, "/fraud-rulesets", example(named))).body;
    await called(shop.owner, "GET /fraud-rulesets", "/fraud-rulesets");
    await called(shop.owner, "PATCH /fraud-rulesets/{id}", `/fraud-rulesets/${ruleset.id}`, {
      body: { action: "flag" },
    });
    await called(shop.owner, "DELETE /fraud-rulesets/{id}", `/fraud-rulesets/${ruleset.id}`);
    const made = await called(
      shop.owner,
      "POST /cryptography/keys",
      "/cryptography/keys",
      example("POST /cryptography/keys"),
    );
    const key = `/cryptography/keys/${made.body.id}`;
    assert.equal((await shop.owner("POST", `${key}/csr`, example("POST /cryptography/keys/{id}/csr"))).status, 201);
    await called(shop.owner, "GET /cryptography/keys", "/cryptography/keys");
    await called(shop.owner, "PUT /cryptography/keys/{id}/certificate", `${key}/certificate`);
    await called(shop.owner, "GET /cryptography/keys/{id}/certificate", `${key}/certificate`);
    await called(shop.owner, "DELETE /cryptography/keys/{id}", key);
    const platform = "/account/04-platform";
    await called(shop.owner, `GET ${platform}`, platform);
    await called(shop.owner, `PUT ${platform}`, platform, example(`PUT ${platform}`));
    await called(shop.owner, `DELETE ${platform}`, platform);
    await called(app.anonymous, "GET /versions", "/versions");
    await called(app.anonymous, "POST /ping", "/ping");
    const person = await app.signUp();
    const enrolment = (await called(person.call, "POST /user/two-factor", "/user/two-factor")).body;
    await called(person.call, "POST /user/verification", "/user/verification");
    await called(person.call, "PATCH /user/verification", "/user/verification", { body: { token: "none" } });
    const { email } = person;
    await called(app.anonymous, "POST /password-resets", "/password-resets", { body: { email } });
    const password = "seven green lanterns";
    await called(app.anonymous, "PATCH /password-resets", "/password-resets", { body: { token: "none", password } });
    const asked = { body: { account_id: shop.id, message: "I keep your books" } };
    const request = (await called(person.call, "POST /access-requests", "/access-requests", asked)).body;
    await called(shop.owner, "GET /access-requests", "/access-requests");
    const granted = { body: { granted: true } };
    await called(shop.owner, "PATCH /access-requests/{id}", `/access-requests/${request.id}`, granted);
    const session = (await called(person.call, "POST /sessions", "/sessions")).body;
    await called(person.call, "GET /sessions", "/sessions");
    await called(person.call, "DELETE /sessions/{id}", `/sessions/${session.id}`);
    const code = { body: { code: codeAt(enrolment.secret, app.services.clock.now()) } };
    await called(person.call, "PATCH /user/two-factor", "/user/two-factor", code);
    const ended = await called(person.call, "DELETE /user/two-factor", "/user/two-factor");
    assert.equal(ended.status, 401);
  });
});

test("a file is taken in multipart only, and read as what it is", () => {
  for (const [path, name] of [
    ["/brandings/{id}/{resource_name}", "resource_name"],
    ["/account/logo", "logo_type"],
  ] as const) {
    const { get, put } = document.paths[path];
    const { content, required } = put.requestBody;
    assert.deepEqual([required, Object.keys(content)], [true, ["multipart/form-data"]]);
    const { schema } = content["multipart/form-data"];
    assert.deepEqual([schema.required, schema.properties.file], [["file"], { type: "string", format: "binary" }]);
    assert.deepEqual(Object.keys(get.responses[200].content), ["application/octet-stream"]);
    assert.deepEqual([get.responses[404].content, Object.keys(put.responses)[0]], [undefined, "204"]);
    assert.ok(get.parameters.some((parameter: Json) => parameter.name === name && parameter.schema.type === "string"));
  }
});

describe("/docs", () => {
  test("is a page of our own that asks no other host for anything", async () => {
    const { status, headers, text } = await app.anonymous("GET", "/docs");
    assert.deepEqual([status, headers.get("content-type")], [200, "text/html; charset=UTF-8"]);
    assert.doesNotMatch(text, /https?:|\/\/(?!\s)[a-z]/i);
    const sources = [...text.matchAll(/(?:src|href|url\()\s*=?\s*["']?([^"')\s>]+)/gi)].map(([, source]) => source);
    assert.deepEqual(sources, ["/docs/js/scalar.js"]);
    for (const version of ["v11b", "v10", "v09", "v08"])
      assert.ok(text.includes(`"url": "/openapi.json?version=${version}"`), `${version} can be chosen`);
    assert.match(text, /"servers": \[\s*\{\s*"url": "\/"/, "requests are tried where the page itself was asked for");
    assert.match(text, /<title>CoolPay API<\/title>/);
  });

  test("may load, by its policy, from nowhere else and be framed by nobody", async () => {
    const { headers } = await app.anonymous("GET", "/docs");
    const policy = new Map(
      (headers.get("content-security-policy") ?? "").split("; ").map((one) => {
        const [name = "", ...sources] = one.split(" ");
        return [name, sources] as const;
      }),
    );
    const own = ["'self'", "'none'", "'unsafe-inline'", "data:", "blob:"];
    assert.deepEqual(
      [...policy.values()].flat().filter((source) => !own.includes(source)),
      [],
    );
    assert.deepEqual(policy.get("default-src"), ["'none'"]);
    assert.deepEqual(policy.get("frame-ancestors"), ["'none'"]);
    assert.deepEqual(policy.get("connect-src"), ["'self'"]);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
  });

  test("has its script from the bundled package, as a script", async () => {
    const { status, headers, text } = await app.anonymous("GET", "/docs/js/scalar.js");
    assert.deepEqual([status, headers.get("content-type")], [200, "text/javascript; charset=UTF-8"]);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.ok(text.length > 1_000_000 && text.includes("createApiReference"));
  });

  test("errors of static resources have empty bodies", async () => {
    const stranger = app.client("", "0".repeat(64));
    for (const path of ["/docs", "/docs/js/scalar.js", "/changelog"]) {
      const refused: [status: number, Answer][] = [
        [401, await stranger("GET", path)],
        [406, await app.anonymous("GET", path, { headers: { "Accept-Version": "v07" } })],
        [400, await app.anonymous("GET", `${path}?a=%00`)],
      ];
      for (const [status, answer] of refused) {
        const { headers, text } = answer;
        assert.deepEqual([answer.status, text, headers.get("content-length")], [status, "", "0"], path);
        assert.match(headers.get("x-request-id") ?? "", /^[0-9A-Z]{26}$/);
      }
    }
  });
});

describe("short lists", () => {
  test("/currencies: ISO 4217 with the decimals of this API, to anybody", async () => {
    const { status, body } = await called(app.anonymous, "GET /currencies", "/currencies");
    assert.equal(status, 200);
    assert.equal(body.length, currencies.length);
    const by_code = new Map(body.map((one: Json) => [one.code, one]));
    assert.deepEqual(by_code.get("DKK"), { code: "DKK", numeric: "208", exponent: 2, name: "Danish Krone" });
    const exponents = ["JPY", "KWD", "ISK", "HUF"].map((code) => (by_code.get(code) as Json).exponent);
    assert.deepEqual(exponents, [0, 3, 2, 2]);
    assert.deepEqual(Object.keys(body[0]), ["code", "numeric", "exponent", "name"]);
  });

  test("/operational-status/acquirers: every acquirer, by name, page by page in both ways", async () => {
    const status = (query: string, call: Client = app.anonymous): Promise<Answer> =>
      called(call, "GET /operational-status/acquirers", `/operational-status/acquirers${query}`);
    const namesOf = ({ body }: Answer): string[] => body.map((one: Json) => one.acquirer);
    const all = acquirer_names.toSorted();
    const first = await status("");
    assert.deepEqual(namesOf(first), all.slice(0, 20));
    assert.deepEqual(first.body[0], { acquirer: all[0], status: "ok", health: 100 });
    assert.deepEqual(namesOf(await status("?page=2")), all.slice(20));
    assert.deepEqual(namesOf(await status("?page=99")), []);
    assert.deepEqual(namesOf(await status("?page_size=100")), all);
    assert.deepEqual(namesOf(await status("?page_size=100&sort_dir=desc")), all.toReversed());
    assert.deepEqual(namesOf(await status("?page_size=3&sort_by=status", shop.owner)), all.slice(0, 3));

    const link = ({ headers }: Answer, rel: string): string | undefined =>
      new RegExp(`<[^>]*(\\?[^>]*)>; rel="${rel}"`).exec(headers.get("link") ?? "")?.[1];
    const walked: string[] = [];
    let page = await status("?page_size=5");
    for (let next = link(page, "next"); ; next = link(page, "next")) {
      walked.push(...namesOf(page));
      if (next === undefined) break;
      page = await status(next);
    }
    assert.deepEqual(walked, all);
    const before_last = await status(link(page, "prev") ?? "");
    assert.deepEqual(namesOf(before_last), all.slice(15, 20));

    for (const [query, errors] of [
      ["?sort_dir=up", { sort_dir: ["does not have a valid value"] }],
      ["?sort_by=health", { sort_by: ["does not have a valid value"] }],
      ["?page=0", { page: ["is invalid"] }],
      ["?page_size=101", { page_size: ["is invalid"] }],
      ["?page_key=x", { page_key: ["is invalid"] }],
    ] as const) {
      const { status: code, body } = await status(query);
      assert.deepEqual([code, body], [400, { message: "Validation error", errors, error_code: null }], query);
    }
  });

  test("/acl-resources: what can be permitted, to people and keys, with or without an account", async () => {
    const name = "GET /acl-resources";
    const { call: person } = await app.signUp();
    const own = (await shop.owner("GET", "/agreements")).body.find(({ owner }: Json) => owner);
    const by_key = app.client("", own.api_key);
    const listed = await called(person, name, "/acl-resources?page_size=100");
    assert.equal(listed.status, 200);
    for (const call of [shop.owner, by_key])
      assert.deepEqual((await called(call, name, "/acl-resources?page_size=100")).body, listed.body);

    const link = listed.body.find(({ resource }: Json) => resource === "/payments/:id/link");
    assert.deepEqual(Object.keys(link), ["account_type", "resource", "description", "actions"]);
    assert.deepEqual([link.account_type, link.actions], ["Merchant", ["PUT", "DELETE"]]);
    const more = await called(person, name, "/acl-resources?page_size=100&page=2");
    const permitted = [...listed.body, ...more.body].flatMap(({ resource, actions }: Json) =>
      actions.map((action: string) => `${action} ${resource.replace(/[:*](\w+)/g, "{$1}")}`),
    );
    const asks = operations().filter(
      ([one, declared]) => /merchant/.test(declared["x-scope"]) || one.endsWith(" /ping"),
    );
    assert.deepEqual(permitted.toSorted(), asks.map(([one]) => one).toSorted());

    for (const account_type of ["Merchant", "Any"]) {
      const narrowed = await called(person, name, `/acl-resources?page_size=100&account_type=${account_type}`);
      assert.deepEqual(narrowed.body, listed.body);
    }
    assert.deepEqual((await called(person, name, "/acl-resources?account_type=Reseller")).body, []);
    const wrong = await called(person, name, "/acl-resources?account_type=Bank");
    assert.deepEqual([wrong.status, wrong.body.errors], [400, { account_type: ["does not have a valid value"] }]);
    const page = await called(person, name, "/acl-resources?page_size=3&page=2");
    assert.deepEqual(page.body, listed.body.slice(3, 6));
    assert.equal((await called(app.anonymous, name, "/acl-resources")).status, 401);
    const unpermitted = await called(shop.call, name, "/acl-resources");
    assert.deepEqual(
      [unpermitted.status, unpermitted.body.message],
      [403, "Not authorized: Not authorized to GET /acl-resources"],
    );
  });
});
