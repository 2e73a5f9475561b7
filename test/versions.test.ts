// Four API versions are served from the first day, each with its name, stage and headers; until they differ in more, the
// same payment reads the same in all of them (reference: extensions, section 5).

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { latest, served, type Version, versionNamed, versions } from "../src/api/versions/index.ts";
import { type Answer, startApp, type TestAccount, type TestApp } from "./support/app.ts";

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

  test("a list's Link header in v09 and v08 holds the next page and the deprecation", async () => {
    for (const version of ["v09", "v08"]) {
      const list = await shop.call("GET", "/payments?page_size=1", as(version));
      const links = (list.headers.get("link") ?? "").split(", ");
      assert.equal(links.length, 2);
      assert.match(links[0] ?? "", new RegExp(`^<${app.url}/payments\\?page_size=1&page_key=[\\w-]+>; rel="next"$`));
      assert.equal(links[1], expected()[version]?.link);
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

test("until they differ, the same payment, list and operation read the same in all four", async () => {
  for (const path of [`/payments/${payment_id}`, "/payments", `/payments/${payment_id}/operations/1`, "/account"]) {
    const read = await Promise.all(versions.map(({ name }) => shop.call("GET", path, as(name))));
    for (const { status, text } of read) assert.deepEqual([status, text], [200, read[0]?.text], path);
  }
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

describe("how many there can be", () => {
  const version = (name: string, stage: Version["stage"]): Version => {
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
    const never: [readonly Version[], RegExp][] = [
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
