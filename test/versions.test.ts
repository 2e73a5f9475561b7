// Four API versions, each with its name, stage, headers and words (reference: extensions, section 5). Whole conversations
// in each stand in test/golden.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Listed, latest, served, versionNamed, versions } from "../src/api/versions/index.ts";
import { type Answer, eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { Receiver } from "./support/receiver.ts";

let app: TestApp;
let shop: TestAccount;
let payment_id: number;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
  for (const order_id of ["order-1", "order-2", "order-3"]) {
    const made = await shop.call("POST", "/payments", { body: { order_id, currency: "DKK" } });
    payment_id = made.body.id;
  }
  const body = { amount: 1_000, card: { number: "1000000000000008", expiration: "3112", cvd: "208" } };
  const paid = await shop.call("POST", `/payments/${payment_id}/authorize?synchronized`, { body });
  assert.equal(paid.body.state, "new");
});
after(() => app.stop());

const names = ["coolpay-version", "warning", "deprecation", "sunset", "link"] as const;
type Told = Readonly<Partial<Record<(typeof names)[number], string>>>;

const told = ({ headers }: Answer): Told =>
  Object.fromEntries(names.flatMap((name) => (headers.has(name) ? [[name, headers.get(name) ?? ""]] : [])));

const expected = (): Readonly<Record<string, Told>> => ({
  v11b: { "coolpay-version": "v11b", warning: '299 - "v11b is a preview and may change"' },
  v10: { "coolpay-version": "v10" },
  v09: {
    "coolpay-version": "v09",
    warning: '299 - "v09 is deprecated: first warning"',
    deprecation: "@1780272000",
    sunset: "Wed, 31 May 2028 00:00:00 GMT",
    link: `<${app.url}/changelog>; rel="deprecation"`,
  },
  v08: {
    "coolpay-version": "v08",
    warning: '299 - "v08 is deprecated: last warning"',
    deprecation: "@1748736000",
    sunset: "Mon, 31 May 2027 00:00:00 GMT",
    link: `<${app.url}/changelog>; rel="deprecation"`,
  },
});

const as = (version: string) => ({ headers: { "Accept-Version": version } });

describe("what every answer of a version tells", () => {
  test("name, stage and end, on success and on every kind of error", async () => {
    const stranger = app.client("", "0".repeat(64));
    for (const [version, headers] of Object.entries(expected())) {
      const body = { order_id: `new-${version}`, currency: "DKK" };
      const link = `/payments/${payment_id}/link`;
      const answers: [status: number, Answer][] = [
        [200, await shop.call("GET", "/ping", as(version))],
        [200, await shop.call("HEAD", "/ping", as(version))],
        [201, await shop.call("POST", "/payments", { ...as(version), body })],
        [409, await shop.call("POST", "/payments", { ...as(version), body })],
        [202, await shop.call("POST", `/payments/${payment_id}/fraud-report`, as(version))],
        [204, await shop.call("DELETE", link, as(version))],
        [204, await shop.call("OPTIONS", link, as(version))],
        [200, await shop.call("GET", "/changelog", as(version))],
        [200, await shop.call("GET", "/docs", as(version))],
        [400, await shop.call("POST", "/payments", as(version))],
        [400, await shop.call("POST", `/payments/${payment_id}/refund`, { ...as(version), body: { amount: 1 } })],
        [401, await stranger("GET", "/payments", as(version))],
        [401, await stranger("GET", "/changelog", as(version))],
        [403, await shop.call("GET", "/user", as(version))],
        [404, await shop.call("GET", "/payments/999999999", as(version))],
        [404, await shop.call("GET", "/nowhere", as(version))],
        [405, await shop.call("DELETE", "/payments", as(version))],
        [415, await shop.call("POST", "/payments", { ...as(version), body: "x", type: "text/plain" })],
      ];
      for (const [status, answer] of answers) {
        assert.equal(answer.status, status, answer.text);
        assert.deepEqual(told(answer), headers, `${version} ${status}`);
      }
    }
  });

  test("a missing Accept-Version means v10", async () => {
    for (const answer of [await app.anonymous("GET", "/ping"), await shop.call("GET", "/payments/999999999")])
      assert.deepEqual(told(answer), { "coolpay-version": "v10" });
    assert.equal((await app.anonymous("GET", "/ping")).body.version, "v10");
    assert.equal(latest.name, "v10");
  });

  test("lists carry Link headers from v10 on; in v09 and v08 only the deprecation stands there", async () => {
    for (const version of ["v09", "v08"]) {
      const list = await shop.call("GET", "/payments?page_size=1", as(version));
      assert.equal(list.headers.get("link"), expected()[version]?.link);
    }
    for (const version of ["v11b", "v10"]) {
      const list = await shop.call("GET", "/payments?page_size=1", as(version));
      assert.match(list.headers.get("link") ?? "", /^<[^,]*>; rel="next"$/);
    }
  });
});

describe("what is not served", () => {
  test("a malformed, unknown or retired version is 406 with the list of what is, and belongs to no version", async () => {
    for (const version of [
      "v07",
      "v7",
      "v12",
      "v12b",
      "v10b",
      "v11",
      "10",
      "V10",
      "v10 beta",
      "latest",
      "*",
      "v10, v10",
    ]) {
      const { status, body, headers, text } = await shop.call("GET", "/payments", as(version));
      assert.deepEqual(
        [status, body],
        [406, { message: "Not acceptable: served versions are v11b, v10, v09, v08", errors: null, error_code: null }],
        version,
      );
      assert.deepEqual(told({ headers } as Answer), {}, version);
      assert.equal(headers.get("content-length"), String(text.length));
    }
  });

  test("neither does an Accept that nothing satisfies belong to a version", async () => {
    const answer = await shop.call("GET", "/payments", { headers: { "Accept-Version": "v09", Accept: "text/html" } });
    assert.equal(answer.status, 406);
    assert.deepEqual(told(answer), {});
  });

  test("a static resource refuses an unknown version with an empty body", async () => {
    const { status, text } = await app.anonymous("GET", "/changelog", as("v07"));
    assert.deepEqual([status, text], [406, ""]);
  });
});

describe("reading about them", () => {
  test("/versions lists them newest first", async () => {
    const { status, body } = await app.anonymous("GET", "/versions");
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(body[0]), ["name", "stage", "deprecated_at", "sunset_at"]);
    assert.deepEqual(body, [
      { name: "v11b", stage: "beta", deprecated_at: null, sunset_at: null },
      { name: "v10", stage: "latest", deprecated_at: null, sunset_at: null },
      {
        name: "v09",
        stage: "deprecated, first warning",
        deprecated_at: "2026-06-01T00:00:00Z",
        sunset_at: "2028-05-31T00:00:00Z",
      },
      {
        name: "v08",
        stage: "deprecated, last warning",
        deprecated_at: "2025-06-01T00:00:00Z",
        sunset_at: "2027-05-31T00:00:00Z",
      },
    ]);
  });

  test("/changelog is a text for everybody, newest first, whatever is accepted", async () => {
    const texts = new Set<string>();
    for (const accept of ["text/plain", "application/json", "*/*", "text/html", "image/png"]) {
      const { status, headers, text } = await app.anonymous("GET", "/changelog", { headers: { Accept: accept } });
      assert.deepEqual([status, headers.get("content-type")], [200, "text/plain; charset=UTF-8"], accept);
      texts.add(text);
    }
    assert.equal(texts.size, 1);
    const headings = [...texts].join().match(/^v\d+b? \(.*\)$/gm);
    assert.deepEqual(headings, [
      "v11b (beta)",
      "v10 (latest)",
      "v09 (deprecated, first warning, served until 2028-05-31)",
      "v08 (deprecated, last warning, served until 2027-05-31)",
    ]);
  });
});

test("ping tells the version, and a link keeps the one that it was made in", async () => {
  for (const { name } of versions) {
    const { body } = await shop.call("GET", "/ping", as(name));
    assert.deepEqual(body, {
      msg: `Pong from CoolPay API ${name.toUpperCase()}, scope is merchant`,
      scope: "merchant",
      version: name,
      params: {},
    });
    const link = await shop.call("PUT", `/payments/${payment_id}/link`, { ...as(name), body: { amount: 1_000 } });
    assert.equal(link.status, 200, link.text);
    assert.equal((await shop.call("GET", `/payments/${payment_id}`)).body.link.version, name);
  }
});

describe("v11b over v10", () => {
  const read = async (version: string) => (await shop.call("GET", `/payments/${payment_id}`, as(version))).body;

  test("operations say status_code; amounts and what is allowed are told; instants have milliseconds", async () => {
    const [newest, latest_one] = [await read("v11b"), await read("v10")];
    const [operation] = newest.operations;
    assert.deepEqual(
      [operation.status_code, operation.status_msg, operation.acquirer_status_code, operation.acquirer_status_msg],
      ["20000", "Approved", "20000", "Approved"],
    );
    const { authorized_amount, captured_amount, refunded_amount, allowed_operations } = newest;
    assert.deepEqual([authorized_amount, captured_amount, refunded_amount], [1_000, 0, 0]);
    assert.deepEqual(allowed_operations, ["capture", "cancel", "renew"]);
    assert.match(newest.created_at, /T\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.match(latest_one.created_at, /T\d\d:\d\d:\d\dZ$/);
    const [older] = latest_one.operations;
    assert.deepEqual(
      [older.qp_status_code, older.cp_status_code, older.aq_status_msg, older.status_code],
      ["20000", "20000", "Approved", undefined],
    );
    const gone = ["authorized_amount", "captured_amount", "refunded_amount", "allowed_operations"];
    assert.deepEqual(
      gone.filter((name) => name in latest_one),
      [],
    );
  });

  test("unknown parameters are refused by their path, old spellings of links among them; v10 takes both", async () => {
    const body = { order_id: "unknown-1", currency: "DKK", colour: "red", shipping: { amount: 1, by: "bike" } };
    const refused = await shop.call("POST", "/payments", { ...as("v11b"), body });
    assert.deepEqual(
      [refused.status, refused.body.errors, refused.body.error_code],
      [400, { colour: ["is unknown"], "shipping[by]": ["is unknown"] }, "validation"],
    );
    assert.equal((await shop.call("POST", "/payments", { ...as("v10"), body })).status, 201);
    const parts = new FormData();
    parts.append("amount", "1");
    parts.append("continueurl", new Blob(["https://shop.example"]), "a.txt");
    const file = await shop.call("PUT", `/payments/${payment_id}/link`, { ...as("v11b"), body: parts });
    assert.deepEqual([file.status, file.body.errors], [400, { continueurl: ["is unknown"] }], "a file, too");
    const query = await shop.call("GET", "/payments?colour=red&synchronized", as("v11b"));
    assert.deepEqual(query.body.errors, { colour: ["is unknown"], synchronized: ["is unknown"] });

    const link = { amount: 1_000, continueurl: "https://shop.example/old", autofee: true };
    const path = `/payments/${payment_id}/link`;
    const strict = await shop.call("PUT", path, { ...as("v11b"), body: link });
    assert.deepEqual(strict.body.errors, { continueurl: ["is unknown"], autofee: ["is unknown"] });
    assert.equal((await shop.call("PUT", path, { ...as("v10"), body: link })).status, 200);
    const { continue_url, auto_fee } = (await read("v10")).link;
    assert.deepEqual([continue_url, auto_fee], ["https://shop.example/old", true]);
    const wrong = await shop.call("PUT", path, { ...as("v10"), body: { amount: 1_000, continueurl: "nowhere" } });
    assert.deepEqual(wrong.body.errors, { continueurl: ["is invalid"] }, "named as it was sent");
  });

  test("PATCH merges variables, null removes one; v10 replaces them", async () => {
    const path = `/payments/${payment_id}`;
    const change = async (version: string, variables: object) =>
      (await shop.call("PATCH", path, { ...as(version), body: { variables } })).body.variables;
    assert.deepEqual(await change("v10", { cart: "c-1", coupon: "SPRING" }), { cart: "c-1", coupon: "SPRING" });
    assert.deepEqual(await change("v11b", { cart: "c-2" }), { cart: "c-2", coupon: "SPRING" });
    assert.deepEqual(await change("v11b", { coupon: null, note: "gift" }), { cart: "c-2", note: "gift" });
    assert.deepEqual(await change("v11b", { note: { a: 1, b: 2 } }), { cart: "c-2", note: { a: 1, b: 2 } });
    assert.deepEqual(await change("v11b", { note: { b: null, c: 3 } }), { cart: "c-2", note: { a: 1, c: 3 } });
    const many = Object.fromEntries(Array.from({ length: 499 }, (_, i) => [`v${i}`, "x"]));
    const full = await shop.call("PATCH", path, { ...as("v11b"), body: { variables: many } });
    assert.deepEqual([full.status, full.body.errors], [400, { variables: ["is too large"] }]);
    assert.deepEqual(await change("v10", { cart: "c-3" }), { cart: "c-3" });
  });

  test("errors carry a word, and a taken order id tells who has it; v10 has neither", async () => {
    const body = { order_id: "order-1", currency: "DKK" };
    const { text, ...newest } = await shop.call("POST", "/payments", { ...as("v11b"), body });
    const { id, ...errors } = newest.body.errors;
    assert.deepEqual(
      [newest.status, newest.body.error_code, errors],
      [409, "order_id_taken", { order_id: ["already exists on another payment"], state: "initial", link: null }],
    );
    assert.equal((await shop.call("GET", `/payments/${id}`)).body.order_id, "order-1", text);
    const older = await shop.call("POST", "/payments", { ...as("v10"), body });
    assert.deepEqual(older.body, {
      message: "Validation error",
      errors: { order_id: ["already exists on another payment"] },
      error_code: null,
    });
    const words: [string, string, object | undefined][] = [
      ["wrong_state", `/payments/${id}/capture`, { amount: 1 }],
      ["amount_too_large", `/payments/${payment_id}/capture`, { amount: 1_001 }],
      ["not_found", "/payments/999999999/capture", { amount: 1 }],
      ["no_such_path", "/nowhere", undefined],
    ];
    for (const [word, path, sent] of words) {
      const refused = await shop.call("POST", path, { ...as("v11b"), body: sent });
      assert.equal(refused.body.error_code, word, refused.text);
    }
  });
});

describe("v09 and v08", () => {
  test("a v09 shop sends and reads continueurl; a v11b client sees the same payment in its own words", async () => {
    const receiver = await new Receiver().start();
    const order = { order_id: "old-shop-1", currency: "DKK" };
    const { id } = (await shop.call("POST", "/payments", { ...as("v09"), body: order })).body;
    const url = (name: string) => `https://shop.example/${name}`;
    const sent = { amount: 5_000, continueurl: url("ok"), cancelurl: url("no"), callbackurl: url("cb"), autofee: true };
    const put = await shop.call("PUT", `/payments/${id}/link`, { ...as("v09"), body: sent });
    assert.equal(put.status, 200, put.text);
    const old = (await shop.call("GET", `/payments/${id}`, as("v09"))).body;
    assert.deepEqual(
      [old.link.continueurl, old.link.cancelurl, old.link.callbackurl, old.link.autofee, old.link.continue_url],
      [url("ok"), url("no"), url("cb"), true, undefined],
    );
    assert.deepEqual(
      ["ulid", "reseller_id"].filter((name) => name in old),
      [],
    );
    assert.deepEqual(
      ["3d_secure_type", "moto"].filter((name) => name in old.metadata),
      [],
    );
    const now = (await shop.call("GET", `/payments/${id}`, as("v11b"))).body;
    assert.deepEqual([now.link.continue_url, now.link.auto_fee], [url("ok"), true]);

    const headers = (version: string) => ({
      headers: { ...as(version).headers, "CoolPay-Callback-Url": `${receiver.url}/${version}` },
    });
    const card = { number: "1000000000000008", expiration: "3112", cvd: "208" };
    const authorize = { ...headers("v09"), body: { amount: 5_000, card } };
    assert.equal((await shop.call("POST", `/payments/${id}/authorize?synchronized`, authorize)).status, 200);
    const capture = { ...headers("v11b"), body: { amount: 5_000 } };
    assert.equal((await shop.call("POST", `/payments/${id}/capture?synchronized`, capture)).status, 200);
    const [first, second] = await eventually(async () => receiver.of(id).length === 2 && receiver.of(id));
    const [in_v09, in_v11b] = [JSON.parse(first?.raw ?? ""), JSON.parse(second?.raw ?? "")];
    assert.deepEqual([first?.path, second?.path], ["/v09", "/v11b"]);
    assert.deepEqual([in_v09.link.continueurl, in_v09.operations[0].qp_status_code], [url("ok"), "20000"]);
    assert.deepEqual(
      [in_v11b.link.continue_url, in_v11b.operations[1].status_code, in_v11b.captured_amount],
      [url("ok"), "20000", 5_000],
    );
    assert.equal("qp_status_code" in in_v11b.operations[1], false);
    receiver.stop();
  });

  test("v08 knows five status codes and less about operations", async () => {
    const made = await shop.call("POST", "/payments", { body: { order_id: "older-codes", currency: "DKK" } });
    const card = { number: "1000000000000073", expiration: "3112", cvd: "208" };
    const path = `/payments/${made.body.id}`;
    await shop.call("POST", `${path}/authorize?synchronized`, { body: { amount: 100, card } });
    const codes: Record<string, string> = {};
    for (const version of ["v10", "v09", "v08"]) {
      const { body } = await shop.call("GET", path, as(version));
      codes[version] = body.operations[0].qp_status_code;
      if (version !== "v08") continue;
      const gone = ["callback_url", "callback_success", "callback_response_code", "callback_duration", "callback_at"];
      assert.deepEqual(
        gone.filter((name) => name in body.operations[0]),
        [],
      );
      assert.deepEqual(
        ["updated_at", "retented_at", "deadline_at"].filter((name) => name in body),
        [],
      );
      assert.deepEqual(
        Object.keys(body.metadata).filter((name) => /bin|corporate|hash|fraud/.test(name)),
        [],
      );
    }
    assert.deepEqual(codes, { v10: "30100", v09: "30100", v08: "40000" });
  });

  test("the audit trail tells changes in the words of the version", async () => {
    const made = await shop.call("POST", "/payments", { body: { order_id: "trail-1", currency: "DKK" } });
    const path = `/payments/${made.body.id}`;
    await shop.call("PATCH", path, { body: { deadline_at: "2031-01-01T00:00:00Z" } });
    const link = { amount: 1, continue_url: "https://shop.example/ok" };
    await shop.call("PUT", `${path}/link`, { body: link });
    const card = { number: "1000000000000073", expiration: "3112", cvd: "208" };
    await shop.call("POST", `${path}/authorize?synchronized`, { body: { amount: 100, card } });
    const told: Record<string, object> = {};
    for (const version of ["v11b", "v10", "v09", "v08"]) {
      const query = `/activity?target_type=Payment&target_id=${made.body.id}&page_size=100`;
      const { body } = await shop.owner("GET", query, as(version));
      const changes = Object.assign({}, ...body.reverse().map((one: { changes: object }) => one.changes));
      const { deadline_at, operation_status_code, link_continue_url, link_continueurl, link_moto } = changes;
      told[version] = [
        deadline_at?.[1],
        operation_status_code?.[1],
        link_continue_url?.[1],
        link_continueurl?.[1],
        link_moto,
      ];
    }
    const [ok, moto] = ["https://shop.example/ok", [null, false]];
    assert.deepEqual(told, {
      v11b: ["2031-01-01T00:00:00.000Z", "30100", ok, undefined, moto],
      v10: ["2031-01-01T00:00:00Z", "30100", ok, undefined, moto],
      v09: ["2031-01-01T00:00:00Z", "30100", undefined, ok, undefined],
      v08: [undefined, "40000", undefined, ok, undefined],
    });
  });

  test("a callback in v08 is delivered by 2xx alone", async () => {
    const receiver = await new Receiver().start();
    receiver.status = () => 302;
    const results: Record<string, unknown> = {};
    for (const version of ["v09", "v08"]) {
      const made = await shop.call("POST", "/payments", { body: { order_id: `found-${version}`, currency: "DKK" } });
      const path = `/payments/${made.body.id}`;
      const card = { number: "1000000000000008", expiration: "3112", cvd: "208" };
      const headers = { ...as(version).headers, "CoolPay-Callback-Url": `${receiver.url}/${version}` };
      await shop.call("POST", `${path}/authorize?synchronized`, { headers, body: { amount: 100, card } });
      const told = async () => (await shop.call("GET", `${path}/operations/1`)).body.callback_success;
      results[version] = await eventually(async () => ((await told()) === null ? undefined : [await told()]));
    }
    assert.deepEqual(results, { v09: [true], v08: [false] });
    receiver.stop();
  });
});

test("recurring waits for `synchronized` up to v10; v11b always answers 202 and knows no such parameter", async () => {
  const body = { order_id: "yearly-1", currency: "DKK", description: "Tea" };
  const { id } = (await shop.call("POST", "/subscriptions", { body })).body;
  const card = { number: "1000000000000008", expiration: "3112", cvd: "208" };
  await shop.call("POST", `/subscriptions/${id}/authorize?synchronized`, { body: { amount: 0, card } });
  const charge = (version: string, order_id: string, query = "") =>
    shop.call("POST", `/subscriptions/${id}/recurring${query}`, { ...as(version), body: { order_id, amount: 100 } });
  assert.equal((await charge("v10", "charge-1", "?synchronized")).status, 200);
  const refused = await charge("v11b", "charge-2", "?synchronized");
  assert.deepEqual([refused.status, refused.body.errors], [400, { synchronized: ["is unknown"] }]);
  assert.equal((await charge("v11b", "charge-2")).status, 202);
});

test("each version's document speaks its words", async () => {
  const document = async (version: string) => (await app.anonymous("GET", `/openapi.json?version=${version}`)).body;
  const members = ({ components }: { components: { schemas: Record<string, { properties: object }> } }, name: string) =>
    Object.keys(components.schemas[name]?.properties ?? {});
  const [v11b, v10, v09, v08] = [
    await document("v11b"),
    await document("v10"),
    await document("v09"),
    await document("v08"),
  ];
  const has = (one: typeof v10, object: string, names: readonly string[]) =>
    names.map((name) => members(one, object).includes(name));
  const words = ["status_code", "qp_status_code", "callback_url"];
  assert.deepEqual(has(v11b, "Operation", words), [true, false, true]);
  assert.deepEqual(has(v10, "Operation", words), [false, true, true]);
  assert.deepEqual(has(v08, "Operation", words), [false, true, false]);
  assert.deepEqual(has(v10, "PaymentLink", ["continue_url", "continueurl"]), [true, false]);
  assert.deepEqual(has(v09, "PaymentLink", ["continue_url", "continueurl"]), [false, true]);
  const link = (one: typeof v10) =>
    Object.keys(one.paths["/payments/{id}/link"].put.requestBody.content["application/json"].schema.properties);
  const spellings = (one: typeof v10) => link(one).filter((name) => /^continue_?url$/.test(name));
  assert.deepEqual([v11b, v10, v09].map(spellings), [
    ["continue_url"],
    ["continue_url", "continueurl"],
    ["continueurl"],
  ]);
  const recurring = (one: typeof v10) => one.paths["/subscriptions/{id}/recurring"].post;
  assert.deepEqual(Object.keys(recurring(v11b).responses).slice(0, 1), ["202"]);
  assert.deepEqual(Object.keys(recurring(v10).responses).slice(0, 2), ["200", "202"]);
  assert.match(v10.info.description, /New in v10/);
});

describe("how many there can be", () => {
  const version = (name: string, stage: Listed["stage"]): Listed => {
    const deprecated = stage.startsWith("deprecated");
    const at = (year: number) => (deprecated ? new Date(Date.UTC(year, 0)) : null);
    return { name, stage, deprecated_at: at(2026), sunset_at: at(2028), changes: [] };
  };
  const v12b = version("v12b", "beta");
  const v11b = version("v11b", "beta");
  const v10 = version("v10", "latest");
  const v09 = version("v09", "deprecated, first warning");
  const v08 = version("v08", "deprecated, last warning");
  const v07 = version("v07", "deprecated, last warning");

  test("the latest alone, and up to one beta and three others", () => {
    for (const list of [[v10], [v11b, v10], [v10, v09, v08], [v11b, v10, v09, v08]]) assert.equal(served(list), list);
    assert.equal(versions.length, 4);
    for (const { name } of versions) assert.equal(versionNamed(name)?.name, name);
  });

  test("anything else keeps the program from starting, and says why", () => {
    const never: [readonly Listed[], RegExp][] = [
      [[v12b, v11b, v10], /at most one beta/],
      [[v11b, v10, v09, v08, v07], /at most three others/],
      [[v10, v09, v08, v07], /at most three others/],
      [[], /exactly one latest/],
      [[v11b], /exactly one latest/],
      [[version("v11", "latest"), v10], /exactly one latest/],
      [[v09, v10], /newest first/],
      [[v10, v10], /newest first/],
      [[v10, version("v9.1", "deprecated, last warning")], /newest first/],
      [[version("v11", "beta"), v10], /ends with b/],
      [[version("v10b", "latest")], /ends with b/],
      [[v10, { ...v09, sunset_at: null }], /both of them/],
      [[{ ...v10, deprecated_at: new Date(0) }], /only deprecated versions have dates/],
    ];
    for (const [list, why] of never) assert.throws(() => served(list), why);
  });
});
