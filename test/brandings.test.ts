// What the payment window looks like: brandings, and the files that each is made of.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Answer, type Client, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { claiming, form, gif, icon, jpeg, locale, png, svg, webp } from "./support/files.ts";
import { newKey } from "./support/members.ts";
import { basic, rawClient } from "./support/raw.ts";

let app: TestApp;
let shop: TestAccount;
let stranger: TestAccount;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
  stranger = await app.newAccount();
});
after(() => app.stop());

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
type Json = any;

async function newBranding(name = "Shop 2026", call: Client = shop.owner): Promise<number> {
  const made = await call("POST", "/brandings", { body: { name } });
  assert.equal(made.status, 201, made.text);
  return made.body.id;
}

const put = (id: number, name: string, content: Buffer | string, call: Client = shop.owner): Promise<Answer> =>
  call("PUT", `/brandings/${id}/${name}`, { body: form(content) });

async function putAll(id: number, files: Readonly<Record<string, Buffer | string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const { status, text } = await put(id, name, content);
    assert.deepEqual([status, text], [204, ""], name);
  }
}

const namesOf = async (id: number): Promise<string[]> =>
  (await shop.owner("GET", `/brandings/${id}`)).body.resources.map(({ name }: Json) => name);

const newest = async (call = shop.owner): Promise<Json> => (await call("GET", "/activity?page_size=1")).body[0];

/** Bytes as they come, which a text would spoil. */
async function bytesOf(id: number, name: string): Promise<{ status: number; headers: Headers; bytes: Buffer }> {
  const Authorization = basic("", shop.api_key);
  const answer = await fetch(`${app.url}/brandings/${id}/${name}`, { headers: { Authorization } });
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
}

describe("a branding", () => {
  test("is created without files, names itself in Location, and is written down", async () => {
    const made = await shop.owner("POST", "/brandings", { body: new URLSearchParams({ name: "Shop 2026" }) });
    const { id, created_at, ...rest } = made.body;
    assert.equal(made.status, 201);
    assert.ok(Number.isInteger(id));
    assert.match(created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual(rest, { name: "Shop 2026", account_id: shop.id, resources: [] });
    assert.deepEqual(Object.keys(made.body), ["id", "name", "account_id", "resources", "created_at"]);
    assert.equal(made.headers.get("location"), `${app.url}/brandings/${id}`);
    assert.deepEqual((await shop.owner("GET", `/brandings/${id}`)).body, made.body);
    const { target_type, target_id, action, changes } = await newest();
    assert.deepEqual(
      [target_type, target_id, action, changes],
      ["Branding", id, "create", { name: [null, "Shop 2026"] }],
    );
  });

  test("needs a name of one line and at most 80 characters", async () => {
    for (const [body, message] of [
      [{}, "is missing"],
      [{ name: "" }, "is missing"],
      [{ name: "a\nb" }, "is invalid"],
      [{ name: "x".repeat(81) }, "must have length between 1 and 80"],
    ] as const) {
      const refused = await shop.owner("POST", "/brandings", { body });
      assert.deepEqual([refused.status, refused.body.errors], [400, { name: [message] }]);
    }
    assert.equal((await shop.owner("POST", "/brandings", { body: { name: "🍵".repeat(80) } })).status, 201);
  });

  test("is renamed, and keeps its name where none is given", async () => {
    const id = await newBranding("Old");
    const renamed = await shop.owner("PATCH", `/brandings/${id}`, { body: { name: "New", only: "id,name" } });
    assert.deepEqual([renamed.status, renamed.body], [200, { id, name: "New" }]);
    assert.deepEqual((await newest()).changes, { name: ["Old", "New"] });
    const same = await shop.owner("PATCH", `/brandings/${id}`, { body: {} });
    assert.deepEqual([same.status, same.body.name], [200, "New"]);
    assert.equal((await shop.owner("PATCH", `/brandings/${id}`, { body: { name: "a\tb" } })).status, 400);
    assert.equal((await shop.owner("GET", `/brandings/${id}`)).body.name, "New");
  });

  test("is copied with every file, under a name of its own; the two then go separate ways", async () => {
    const id = await newBranding("Shop");
    await putAll(id, { "templates/form.liquid": "<form></form>", "images/cancel.png": png });
    const copied = await shop.owner("POST", `/brandings/${id}/copy`);
    assert.equal(copied.status, 201);
    const { id: copy, name, resources } = copied.body;
    assert.notEqual(copy, id);
    assert.equal(copied.headers.get("location"), `${app.url}/brandings/${copy}`);
    assert.deepEqual([name, resources], ["Shop (copy)", (await shop.owner("GET", `/brandings/${id}`)).body.resources]);
    const { action, target_id, changes } = await newest();
    assert.deepEqual([action, target_id, changes.copy_of], ["copy", copy, [null, id]]);

    await put(copy, "templates/form.liquid", "<form>new</form>");
    assert.equal((await bytesOf(id, "templates/form.liquid")).bytes.toString(), "<form></form>");
    await shop.owner("DELETE", `/brandings/${id}`);
    assert.deepEqual((await bytesOf(copy, "images/cancel.png")).bytes, png);
    const sparse = await shop.owner("POST", `/brandings/${copy}/copy`, { body: { only: "name,resources.name" } });
    assert.deepEqual(sparse.body, {
      name: "Shop (copy) (copy)",
      resources: [{ name: "images/cancel.png" }, { name: "templates/form.liquid" }],
    });
    const long = await newBranding("🍵".repeat(80));
    const cut = await shop.owner("POST", `/brandings/${long}/copy`);
    assert.deepEqual([cut.status, cut.body.name], [201, `${"🍵".repeat(73)} (copy)`]);
  });

  test("is deleted with its files", async () => {
    const id = await newBranding("Gone");
    await put(id, "VERSION", "2.5.0\n");
    const gone = await shop.owner("DELETE", `/brandings/${id}`);
    assert.deepEqual([gone.status, gone.text], [204, ""]);
    assert.deepEqual((await newest()).changes, { name: ["Gone", null] });
    for (const [method, path] of [
      ["GET", `/brandings/${id}`],
      ["DELETE", `/brandings/${id}`],
      ["PATCH", `/brandings/${id}`],
      ["POST", `/brandings/${id}/copy`],
    ] as const) {
      const { status, body } = await shop.owner(method, path);
      assert.deepEqual([status, body.message], [404, `Not found: No Branding with id ${id}`], `${method} ${path}`);
    }
    const { rows } = await app.services.pool.query("SELECT FROM branding_files WHERE branding_id = $1", [id]);
    assert.equal(rows.length, 0);
  });

  test("is nobody else's to see or to change", async () => {
    const id = await newBranding("Mine");
    await put(id, "VERSION", "1");
    const tries: [method: string, path: string, sent?: Parameters<Client>[2]][] = [
      ["GET", `/brandings/${id}`],
      ["PATCH", `/brandings/${id}`, { body: { name: "Yours" } }],
      ["DELETE", `/brandings/${id}`],
      ["POST", `/brandings/${id}/copy`],
      ["GET", `/brandings/${id}/VERSION`],
      ["PUT", `/brandings/${id}/VERSION`, { body: form("2") }],
      ["DELETE", `/brandings/${id}/VERSION`],
    ];
    for (const [method, path, sent] of tries)
      assert.equal((await stranger.owner(method, path, sent)).status, 404, `${method} ${path}`);
    assert.deepEqual((await stranger.owner("GET", "/brandings")).body, []);
    assert.equal((await bytesOf(id, "VERSION")).bytes.toString(), "1");
    for (const bad of ["0", "x", "99999999999"])
      assert.equal((await shop.owner("GET", `/brandings/${bad}`)).status, 404, bad);
  });

  test("is permitted by the declared paths, a file's name left open", async () => {
    const reader = await newKey(app, shop, ["GET /brandings/:id/*resource_name"]);
    const id = await newBranding();
    await put(id, "templates/form/card.liquid", "x");
    assert.equal((await reader.call("GET", `/brandings/${id}/templates/form/card.liquid`)).status, 200);
    const refused = await reader.call("PUT", `/brandings/${id}/templates/form/card.liquid`, { body: form("y") });
    assert.deepEqual(
      [refused.status, refused.body.message],
      [403, "Not authorized: Not authorized to PUT /brandings/:id/*resource_name"],
    );
    assert.equal((await shop.call("GET", `/brandings/${id}/templates/form/card.liquid`)).status, 200);
    assert.equal((await shop.call("GET", "/brandings")).status, 200);
    assert.equal((await shop.call("POST", "/brandings", { body: { name: "x" } })).status, 403);
    const { body } = await shop.owner("GET", "/acl-resources?page_size=100");
    const named = body.filter(({ resource }: Json) => resource.startsWith("/brandings"));
    assert.deepEqual(
      named.map(({ resource, actions }: Json) => [resource, actions.toSorted().join()]),
      [
        ["/brandings", "GET,POST"],
        ["/brandings/:id", "DELETE,GET,PATCH"],
        ["/brandings/:id/*resource_name", "DELETE,GET,PUT"],
        ["/brandings/:id/copy", "POST"],
        ["/brandings/:id/preview", "POST"],
      ],
    );
  });

  test("an account has at most 100, also when many are made at once", async () => {
    const { owner, id } = await app.newAccount();
    await app.services.pool.query(
      "INSERT INTO brandings SELECT $1::int % 1024, $1, 1000000 + n, 'b', now() FROM generate_series(1, 98) n",
      [id],
    );
    const answers = await Promise.all(
      [1, 2, 3, 4].map((n) => owner("POST", "/brandings", { body: { name: `many ${n}` } })),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 201, 409, 409]);
    const refused = await owner("POST", "/brandings/1000001/copy");
    assert.deepEqual([refused.status, refused.body.message], [409, "Conflict: an account has at most 100 brandings"]);
  });
});

describe("the list of brandings", () => {
  let lister: TestAccount;
  let ids: number[];
  const names = ["Cup", "Bowl", "Åse", "bowl", "Bowl", "Jug"];
  before(async () => {
    lister = await app.newAccount();
    ids = [];
    for (const name of names) ids.push(await newBranding(name, lister.owner));
  });

  const listed = async (query: string): Promise<Json[]> => {
    const { status, body, text } = await lister.owner("GET", `/brandings${query}`);
    assert.equal(status, 200, text);
    return body;
  };

  test("is in the order of the names, or of the ids, either way", async () => {
    const by_name = ["Bowl", "Bowl", "Cup", "Jug", "bowl", "Åse"];
    assert.deepEqual(
      (await listed("")).map(({ name }) => name),
      by_name,
    );
    assert.deepEqual(
      (await listed("?sort_by=name&sort_dir=desc")).map(({ name }) => name),
      by_name.toReversed(),
    );
    assert.deepEqual(
      (await listed("?sort_by=id")).map(({ id }) => id),
      ids,
    );
    assert.deepEqual(
      (await listed("?sort_by=id&sort_dir=desc&page_size=2&page=2")).map(({ id }) => id),
      [ids[3], ids[2]],
    );
    const wrong = await lister.owner("GET", "/brandings?sort_by=size");
    assert.deepEqual([wrong.status, wrong.body.errors], [400, { sort_by: ["does not have a valid value"] }]);
  });

  test("is walked to its end and back by its Link headers, also over names that are alike", async () => {
    const link = ({ headers }: Answer, rel: string): string | undefined =>
      new RegExp(`<([^>]+)>; rel="${rel}"`).exec(headers.get("link") ?? "")?.[1]?.slice(app.url.length);
    for (const sort of ["name", "id"]) {
      const all = (await listed(`?sort_by=${sort}`)).map(({ id }) => id);
      const seen: number[] = [];
      let page = await lister.owner("GET", `/brandings?sort_by=${sort}&page_size=1&only=id`);
      for (;;) {
        seen.push(...page.body.map(({ id }: Json) => id));
        const next = link(page, "next");
        if (next === undefined) break;
        page = await lister.owner("GET", next);
      }
      assert.deepEqual(seen, all);
      const before_last = await lister.owner("GET", link(page, "prev") ?? "");
      assert.deepEqual(before_last.body, [{ id: all.at(-2) }]);
    }
  });

  test("shows only these members, or all except those; what files hold is left out unless it is asked for", async () => {
    const [id = 0] = ids;
    await put(id, "VERSION", "2.5.0", lister.owner);
    const file = { name: "VERSION", size: 5, mime: "text/plain" };
    const data = Buffer.from("2.5.0").toString("base64");
    const one = async (query: string) => (await lister.owner("GET", `/brandings/${id}${query}`)).body;
    assert.deepEqual((await one("")).resources, [file]);
    assert.deepEqual(await one("?only=id,%20name"), { id, name: "Cup" });
    assert.deepEqual(await one("?only=resources.name"), { resources: [{ name: "VERSION" }] });
    assert.deepEqual(await one("?only=resources"), { resources: [{ ...file, data }] });
    assert.deepEqual(await one("?only=id&except=id"), { id });
    assert.deepEqual(Object.keys(await one("?except=resources,created_at")), ["id", "name", "account_id"]);
    assert.deepEqual((await one("?except=name")).resources, [{ ...file, data }]);
    const in_list = (await listed("?only=id,resources.data")).find((branding) => branding.id === id);
    assert.deepEqual(in_list, { id, resources: [{ data }] });
    for (const name of ["only", "except"]) {
      const wrong = await lister.owner("GET", `/brandings?${name}=id,colour`);
      assert.deepEqual([wrong.status, wrong.body.errors], [400, { [name]: ["does not have a valid value"] }]);
    }
  });

  test("has short pages where it shows what files hold", async () => {
    assert.equal((await listed("?only=resources.data")).length, 5);
    assert.equal((await listed("?only=resources.data&page=2")).length, 1);
    const wrong = await lister.owner("GET", "/brandings?only=resources&page_size=6");
    assert.deepEqual([wrong.status, wrong.body.errors], [400, { page_size: ["is too large"] }]);
  });
});

describe("a branding's file", () => {
  const kinds: readonly (readonly [name: string, content: Buffer | string, mime: string, type: string])[] = [
    ["templates/form.liquid", "{% t Pay %} æøå", "text/plain", "text/plain; charset=UTF-8"],
    ["templates/form/card.liquid", "", "text/plain", "text/plain; charset=UTF-8"],
    ["stylesheets/paymentwindow.css", "a{color:red}", "text/css", "text/css; charset=UTF-8"],
    ["images/cancel.png", png, "image/png", "image/png"],
    ["images/a.JPG", jpeg, "image/jpeg", "image/jpeg"],
    ["images/b.jpeg", jpeg, "image/jpeg", "image/jpeg"],
    ["images/ok.gif", gif, "image/gif", "image/gif"],
    ["images/x.webp", webp, "image/webp", "image/webp"],
    ["images/favicon.ico", icon, "image/x-icon", "image/x-icon"],
    ["images/question-circle.svg", svg, "image/svg+xml", "image/svg+xml; charset=UTF-8"],
    ["locales/da_DK/LC_MESSAGES/branding.po", 'msgid "Pay"\nmsgstr "Betal"', "text/plain", "text/plain; charset=UTF-8"],
    ["locales/da_DK/LC_MESSAGES/branding.mo", locale, "application/octet-stream", "application/octet-stream"],
    ["locales/branding.pot", 'msgid "Pay"', "text/plain", "text/plain; charset=UTF-8"],
    ["config.json", '{"autojump": false}', "application/json", "application/json; charset=UTF-8"],
    ["VERSION", "2.5.0\n", "text/plain", "text/plain; charset=UTF-8"],
  ];

  test("of every kind is kept byte for byte and comes back in a type that no browser can mistake", async () => {
    const id = await newBranding("Every kind");
    for (const [name, content, , type] of kinds) {
      const { status, text } = await put(id, name, content);
      assert.deepEqual([status, text], [204, ""], name);
      const read = await bytesOf(id, name);
      assert.deepEqual([read.status, read.bytes], [200, Buffer.from(content)], name);
      assert.equal(read.headers.get("content-type"), type, name);
      assert.equal(read.headers.get("content-length"), String(Buffer.from(content).length));
      assert.equal(read.headers.get("x-content-type-options"), "nosniff");
      assert.match(read.headers.get("content-security-policy") ?? "", /^default-src 'none'.*; sandbox$/);
    }
    const { resources } = (await shop.owner("GET", `/brandings/${id}`)).body;
    const expected = kinds.map(([name, content, mime]) => ({ name, size: Buffer.from(content).length, mime }));
    assert.deepEqual(
      resources,
      expected.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    );
    const full = (await shop.owner("GET", `/brandings/${id}?only=resources.name,resources.data`)).body.resources;
    assert.deepEqual(
      full.find(({ name }: Json) => name === "images/cancel.png"),
      { name: "images/cancel.png", data: png.toString("base64") },
    );
  });

  test("is replaced under its name and deleted, and the trail tells which, not what it held", async () => {
    const id = await newBranding("Changes");
    await put(id, "VERSION", "2.5.0");
    await put(id, "VERSION", "2.5.1-SECRET");
    assert.equal((await bytesOf(id, "VERSION")).bytes.toString(), "2.5.1-SECRET");
    assert.deepEqual(await namesOf(id), ["VERSION"]);
    const replaced = await newest();
    assert.deepEqual([replaced.target_type, replaced.target_id, replaced.action], ["Branding", id, "resource"]);
    assert.deepEqual(replaced.changes.VERSION_size, [5, 12]);
    assert.match(replaced.changes.VERSION_sha256[1], /^[0-9a-f]{64}$/);

    const again = await put(id, "VERSION", "2.5.1-SECRET");
    assert.deepEqual(
      [again.status, (await newest()).id],
      [204, replaced.id],
      "nothing changed, nothing is written down",
    );
    assert.equal((await shop.owner("DELETE", `/brandings/${id}/VERSION`)).status, 204);
    assert.deepEqual((await newest()).changes.VERSION_size, [12, null]);
    assert.doesNotMatch((await shop.owner("GET", "/activity")).text, /SECRET/);
    const gone = await shop.owner("DELETE", `/brandings/${id}/VERSION`);
    assert.deepEqual([gone.status, gone.body.message], [404, "Not found: No file of that name in the branding"]);
    const read = await bytesOf(id, "VERSION");
    assert.deepEqual([read.status, read.bytes.length], [404, 0]);
  });

  test("is read whatever the client accepts, and with HEAD; what is wrong has an empty body", async () => {
    const id = await newBranding();
    await put(id, "images/a.png", png);
    const headers = { Accept: "image/webp" };
    assert.equal((await shop.call("GET", `/brandings/${id}/images/a.png`, { headers })).status, 200);
    const head = await shop.call("HEAD", `/brandings/${id}/images/a.png`);
    assert.deepEqual([head.headers.get("content-length"), head.text], [String(png.length), ""]);
    for (const path of [`/brandings/${id}/images/b.png`, `/brandings/999999999/images/a.png`, "/brandings/x/VERSION"]) {
      const { status, text } = await shop.call("GET", path);
      assert.deepEqual([status, text], [404, ""], path);
    }
    const unknown = await app.anonymous("GET", `/brandings/${id}/images/a.png`);
    assert.deepEqual([unknown.status, unknown.text], [401, ""]);
  });

  test("has a name that stays within the branding", async () => {
    const id = await newBranding("Names");
    const send = rawClient(app.url, { Authorization: basic(shop.email, shop.password) });
    const headers = { "CoolPay-Account-Id": String(shop.id), "Content-Type": "multipart/form-data; boundary=b" };
    const body = '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n';
    const at = (name: string) => `/brandings/${id}/${name}`;
    for (const name of [
      ..."../x.css ..%2fx.css a/../x.css a/.. ./x.css a/./x.css %2e%2e/x.css a%2f%2fx.css %2fx.css".split(" "),
      ..."a%00.css a%0a.css a%5cb.css ..%5cx.css %e2%80%ae.css".split(" "),
      `${"x".repeat(101)}.css`,
      `${"x/".repeat(8)}x.css`,
      `${"x".repeat(90)}/${"x".repeat(90)}/${"x".repeat(20)}.css`,
    ]) {
      const refused = await send("PUT", at(name), { headers, body });
      assert.deepEqual([refused.status, refused.body?.errors], [400, { resource_name: ["is invalid"] }], name);
      assert.equal((await send("GET", at(name), { headers })).status, 404, name);
      assert.equal((await send("DELETE", at(name), { headers })).status, 404, name);
    }
    assert.deepEqual(await namesOf(id), []);
    for (const name of ["a//b.css", "c%2Fd.css", "m%C3%B8rk.css", "e.css/", "f/copy/g.css"])
      assert.equal((await send("PUT", at(name), { headers, body })).status, 204, name);
    assert.deepEqual(await namesOf(id), ["a/b.css", "c/d.css", "e.css", "f/copy/g.css", "mørk.css"]);
  });

  for (const [name, content, why] of [
    ["scripts/pay.js", "alert(1)", /a branding takes Liquid templates, /],
    ["pay.mjs", "alert(1)", /a branding takes/],
    ["index.html", "<p>", /a branding takes/],
    ["branding.zip", "PK\x03\x04", /a branding takes/],
    ["templates/config.json", "{}", /a branding takes/],
    ["templates/VERSION", "1", /a branding takes/],
    ["fonts/a.woff2", "wOF2", /a branding takes/],
    ["css", "a{}", /a branding takes/],
    ["images/a.png", "alert(1)", /not a PNG image/],
    ["images/a.png", jpeg, /not a PNG image/],
    ["images/a.jpg", png, /not a JPEG image/],
    ["images/a.gif", "GIF88a", /not a GIF image/],
    ["images/a.webp", "RIFF0000WAVE", /not a WebP image/],
    ["images/a.ico", gif, /not an icon/],
    ["images/a.svg", "<html></html>", /not an SVG image/],
    ["images/a.svg", png, /not an SVG image/],
    ["images/a.png", "", /not a PNG image/],
    ["templates/form.liquid", Buffer.from([0xff, 0xfe, 0x41]), /not a template in UTF-8/],
    ["stylesheets/a.css", "a\0b", /not a stylesheet in UTF-8/],
    ["locales/da_DK/LC_MESSAGES/branding.mo", "msgid", /not a compiled gettext locale/],
    ["config.json", "[]", /not a JSON object/],
    ["config.json", "{", /not a JSON object/],
    ["config.json", `{"a":${"[".repeat(400_000)}${"]".repeat(400_000)}}`, /not a JSON object, at most 20 deep/],
    ["config.json", `${'{"a":'.repeat(21)}1${"}".repeat(21)}`, /at most 20 deep/],
    ["config.json", "autojump: false", /not a JSON object/],
    ["images/a.png", claiming.png(30_000, 30_000), /more than 16 megapixels/],
    ["images/a.gif", claiming.gif(65_535, 65_535), /more than 16 megapixels/],
    ["images/a.svg", gzipSync(svg), /not an SVG image/],
    ["images/a.svgz", gzipSync(svg), /a branding takes/],
    ["stylesheets/a.css", gzipSync("a{}".repeat(100_000)), /not a stylesheet in UTF-8/],
    ["stylesheets/a.css", png, /not a stylesheet in UTF-8/],
    ["templates/form.liquid", gzipSync("x"), /not a template in UTF-8/],
    [
      "locales/da_DK/LC_MESSAGES/branding.po",
      Buffer.from('msgstr "K\xf8b"', "latin1"),
      /not a gettext locale in UTF-8/,
    ],
    ["locales/da_DK/LC_MESSAGES/branding.po", Buffer.from('msgid "Pay"', "utf16le"), /not a gettext locale in UTF-8/],
    ["locales/da_DK/LC_MESSAGES/branding.mo", gzipSync(locale), /not a compiled gettext locale/],
    ["templates/form.liquid", "<script>alert(1)</script>", /holds a script element/],
    ["templates/form.liquid", "<SCRIPT src=//evil.example>", /a script element/],
    ["templates/form.liquid", "<scr{{ x }}ipt>", /a script element/],
    ["templates/form.liquid", "<!-- <script> -->", /a script element/],
    ["templates/form.liquid", '<img src=x onerror="a()">', /an event handler/],
    ["templates/form.liquid", "<svg/onload = a()>", /an event handler/],
    ["templates/form.liquid", '<b class="a"{% if x > 1 %}onclick="a()"{% endif %}>', /an event handler/],
    ["templates/form.liquid", '{{ "<script>a()</script>" }}', /a script element/],
    ["templates/form.liquid", "{% assign x = '<b onclick=a()>' %}{{ x }}", /an event handler/],
    ["templates/form.liquid", '<a href="javascript:a()">', /a script as an address/],
    ["templates/form.liquid", "<a href=' java&#x73;cri&Tab;pt&colon;a()'>", /a script as an address/],
    ["templates/form.liquid", '<a href="{{ x }}JavaScript:a()">', /a script as an address/],
    ["templates/form.liquid", '<a href="data:text/html,<p>">', /a page as an address/],
    ["templates/form.liquid", '<iframe srcdoc="&lt;script&gt;">', /a document in an attribute/],
    ["stylesheets/a.css", "a{background:url('java\\73 cript:a()')}", /a script as an address/],
    ["stylesheets/a.css", "</style><script>", /a script element/],
    ["images/a.svg", '<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', /a script element/],
    ["images/a.svg", '<svg xmlns:s="http://www.w3.org/2000/svg"><s:script/></svg>', /a script element/],
    ["images/a.svg", '<svg onload="a()"/>', /an event handler/],
    ["images/a.svg", '<svg><set to="javascript:a()"/></svg>', /a script as an address/],
    ["images/a.svg", '<svg><animate values="#;javascript:a()"/></svg>', /a script as an address/],
    ["images/a.svg", '<?xml version="1.0"?><?xml-stylesheet href="a.xsl"?><svg/>', /an XML stylesheet/],
    ["images/a.svg", '<?xml version="1.0" encoding="utf-7"?><svg/>', /not an SVG image/],
    ["images/a.svg", '<!DOCTYPE svg [<!ENTITY a "b">]><svg/>', /not an SVG image/],
    ["images/a.svg", "<!DOCTYPE svg [<!--><svg -->]><svg/>", /not an SVG image/],
    [
      "images/a.svg",
      '<!DOCTYPE svg SYSTEM "><svg " [<!ATTLIST svg onload CDATA "a()">]><svg/>',
      /a declaration of XML/,
    ],
    ["locales/da_DK/LC_MESSAGES/branding.po", 'msgid "Pay"\nmsgstr "<b onclick=a()>"', /an event handler/],
    [
      "locales/da_DK/LC_MESSAGES/branding.mo",
      Buffer.concat([locale, Buffer.from("<script>a()</script>")]),
      /a script element/,
    ],
    ["config.json", '{"title":"\\u003cscript>"}', /a script element/],
    ["config.json", '{"link":"javascript:a()"}', /a script as an address/],
  ] as const) {
    test(`${name} with ${JSON.stringify(String(content)).slice(0, 60)} is refused`, async () => {
      const id = await newBranding("Refusals", stranger.owner);
      const { status, body } = await put(id, name, content, stranger.owner);
      assert.equal(status, 415, body?.message);
      assert.match(body.message, /^Unsupported media type: /);
      assert.match(body.message, why);
      const { resources } = (await stranger.owner("GET", `/brandings/${id}`)).body;
      assert.deepEqual(resources, []);
      await stranger.owner("DELETE", `/brandings/${id}`);
    });
  }

  test("that is two things at once stays what its name says: nothing is unpacked, and no browser may guess", async () => {
    const id = await newBranding("Polyglots");
    const archive = Buffer.from("PK\x03\x04 and more", "latin1");
    await putAll(id, {
      "images/a.png": Buffer.concat([png, archive, Buffer.from("<script>alert(1)</script>")]),
      "images/a.gif": Buffer.concat([gif, Buffer.from("/*<html>*/=1;alert(1)")]),
    });
    for (const [name, type] of [
      ["images/a.png", "image/png"],
      ["images/a.gif", "image/gif"],
    ] as const) {
      const { headers } = await bytesOf(id, name);
      assert.equal(headers.get("content-type"), type);
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.match(headers.get("content-security-policy") ?? "", /sandbox$/);
    }
  });

  test("is not unpacked from a body that is: 415, and nothing is kept", async () => {
    const id = await newBranding("Packed");
    const send = rawClient(app.url, { Authorization: basic(shop.email, shop.password) });
    const body = '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n';
    const headers = { "CoolPay-Account-Id": String(shop.id), "Content-Type": "multipart/form-data; boundary=b" };
    for (const encoding of ["gzip", "deflate", "br", "zstd"]) {
      const packed = { ...headers, "Content-Encoding": encoding };
      assert.equal((await send("PUT", `/brandings/${id}/VERSION`, { headers: packed, body })).status, 415, encoding);
    }
    assert.deepEqual(await namesOf(id), []);
    assert.equal((await send("PUT", `/brandings/${id}/VERSION`, { headers, body })).status, 204);
  });

  for (const [source, why] of [
    ["<p>\n{% if model.moto %}", "is not Liquid: line 2: tag {% if model.moto %} not closed"],
    ["{% pay %}", 'is not Liquid: line 1: tag "pay" not found'],
    ["{% include 'form' %}", "is nested too deeply, or includes itself"],
    ["{% for i in (1..1100) %}{% include 'kilobyte' %}{% endfor %}", "makes a page of more than 512 kB"],
    ["{% for i in (1..100000000) %}{% endfor %}", "needs too much memory to render"],
  ] as const)
    test(`as a template of ${JSON.stringify(source)} is refused, and the one before it stays`, async () => {
      const id = await newBranding("Templates");
      await putAll(id, { "templates/kilobyte.liquid": "x".repeat(1000), "templates/form.liquid": "before" });
      const { status, body } = await put(id, "templates/form.liquid", source);
      assert.deepEqual([status, body.message, body.errors], [400, "Validation error", { file: [why] }]);
      assert.equal((await bytesOf(id, "templates/form.liquid")).bytes.toString(), "before");
    });

  test("as a template that two make a circle of is refused when the second comes", async () => {
    const id = await newBranding("Circle");
    await putAll(id, { "templates/form/a.liquid": "{% include 'form/b' %}" });
    const second = await put(id, "templates/form/b.liquid", "{% include 'form/a' %}");
    assert.deepEqual(second.body?.errors, { file: ["is nested too deeply, or includes itself"] });
    assert.deepEqual(await namesOf(id), ["templates/form/a.liquid"]);
  });

  test("as a template that loops is refused, and everybody else is served meanwhile", async () => {
    const id = await newBranding("Loop");
    const events: string[] = [];
    const loop = "{% for a in (1..2000) %}{% for b in (1..2000) %}{% assign c = b %}{% endfor %}{% endfor %}";
    const looping = put(id, "templates/form.liquid", loop).finally(() => events.push("loop"));
    for (let n = 0; n < 5; n++) {
      await stranger.call("GET", "/ping");
      events.push("ping");
    }
    const { status, body } = await looping;
    assert.deepEqual([status, body.errors], [400, { file: ["takes more than 100 ms to render"] }]);
    assert.deepEqual(events, [...Array(5).fill("ping"), "loop"]);
    assert.deepEqual(await namesOf(id), []);
  });

  test("may be as real brandings have them", async () => {
    const id = await newBranding("Real");
    await putAll(id, {
      "templates/layout.liquid": `{% if model.show_cancel? and !model.framed %}<a class="on" href="{{ model.cancel_url }}">
        {% t Once = twice, javascript: is needed %}</a>{% endif %}{% assign online = "1" %}<input {% if online == "1" %}checked{% endif %}><noscript>Please enable JavaScript: now</noscript>
        <form autocomplete="on" method="post" data-toggle="#on" style="display: none"><img src="{{ images.a.svg }}"></form>`,
      "locales/da_DK/LC_MESSAGES/branding.po":
        'msgid "on sale = half"\nmsgstr "<b>Kun</b> on sale = halv, javascript: ja"',
      "config.json": '{"title": null, "reservation_notice": "<b>on sale</b> only = today", "autojump": false}',
      "templates/form.liquid": '{% include "form/error" %}<a href="https://shop.example/?online=1">on = off</a>',
      "images/help.svg": `<?xml version="1.0" encoding="iso-8859-1"?>
        <!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
        <svg xmlns="http://www.w3.org/2000/svg"><style><![CDATA[@font-face{src:url("data:;base64,T1RUTw==")}]]></style></svg>`,
      "stylesheets/a.css": '@charset "UTF-8";a:hover{background:url("data:image/svg+xml,%3Csvg/%3E")}',
    });
    assert.equal((await namesOf(id)).length, 6);
  });

  test("must be there: as a file, in a multipart body", async () => {
    const id = await newBranding();
    const bodies = [undefined, { file: "x" }, new URLSearchParams({ file: "x" }), new FormData()];
    for (const body of bodies) {
      const refused = await shop.owner("PUT", `/brandings/${id}/VERSION`, { ...(body && { body }) });
      assert.deepEqual([refused.status, refused.body?.errors], [400, { file: ["is missing"] }]);
    }
    const raw = await shop.owner("PUT", `/brandings/${id}/VERSION`, { body: "x", type: "text/plain" });
    assert.equal(raw.status, 415);
    const gone = await put(999_999_999, "VERSION", "x");
    assert.deepEqual([gone.status, gone.body.message], [404, "Not found: No Branding with id 999999999"]);
  });

  test("and all the others stay below 1 MB together, also when they come at once; a smaller one may replace a larger", async () => {
    const id = await newBranding("Large");
    const half = "x".repeat(524_288);
    const large = await put(id, "stylesheets/a.css", half + half);
    assert.deepEqual([large.status, large.body.errors], [413, { file: ["is too large"] }]);
    const answers = await Promise.all(["a", "b", "c"].map((name) => put(id, `stylesheets/${name}.css`, half)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [204, 413, 413]);
    const [kept = ""] = await namesOf(id);
    assert.equal((await put(id, "other.css", half.slice(1))).status, 204);
    assert.equal((await put(id, "VERSION", "1")).status, 413);
    assert.equal((await put(id, kept, half.slice(1))).status, 204);
    assert.equal((await put(id, "VERSION", "1")).status, 204);
    assert.equal((await put(id, "VERSION", "12")).status, 413);
    assert.equal((await put(id, kept, `${half}x`)).status, 413);
    assert.equal((await bytesOf(id, "VERSION")).bytes.toString(), "1");
  });

  test("is one of at most 500", async () => {
    const id = await newBranding("Many");
    await app.services.pool.query(
      "INSERT INTO branding_files SELECT $1::int % 1024, $1, $2, n || '.css', '' FROM generate_series(1, 499) n",
      [shop.id, id],
    );
    assert.equal((await put(id, "500.css", "a{}")).status, 204);
    const refused = await put(id, "501.css", "a{}");
    assert.deepEqual(
      [refused.status, refused.body.errors],
      [400, { resource_name: ["is one too many: 500 files at most"] }],
    );
    assert.equal((await put(id, "500.css", "b{}")).status, 204);
  });

  test("is put once for the same Idempotency-Key, and another file with it is a conflict", async () => {
    const id = await newBranding("Once");
    const send = (content: string) =>
      shop.owner("PUT", `/brandings/${id}/VERSION`, {
        body: form(content),
        headers: { "Idempotency-Key": "version-1" },
      });
    assert.deepEqual([(await send("1")).status, (await put(id, "VERSION", "2")).status], [204, 204]);
    const again = await send("1");
    assert.deepEqual([again.status, again.headers.get("idempotency-replayed")], [204, "true"]);
    assert.equal((await bytesOf(id, "VERSION")).bytes.toString(), "2");
    assert.equal((await send("3")).status, 409);
  });
});

describe("the branding of", () => {
  test("an account, its default, is one of its own; deleting it leaves none", async () => {
    const id = await newBranding("Default");
    const foreign = await newBranding("Foreign", stranger.owner);
    const choose = (default_branding_id: number | null) =>
      shop.owner("PATCH", "/account", { body: { default_branding_id } });
    for (const wrong of [foreign, 999_999_999]) {
      const refused = await choose(wrong);
      assert.deepEqual([refused.status, refused.body.errors], [400, { default_branding_id: ["is invalid"] }]);
    }
    assert.equal((await choose(id)).body.default_branding_id, id);
    assert.equal((await shop.owner("DELETE", `/brandings/${await newBranding("Another")}`)).status, 204);
    assert.equal((await shop.owner("GET", "/account")).body.default_branding_id, id);

    await shop.owner("DELETE", `/brandings/${id}`);
    assert.equal((await shop.owner("GET", "/account")).body.default_branding_id, null);
    const trail = await shop.owner("GET", "/activity?target_type=Account&page_size=1");
    assert.deepEqual(trail.body[0].changes, { default_branding_id: [id, null] });
    assert.equal((await choose(null)).status, 200);
  });

  test("a new account is none: it has no branding yet", async () => {
    const { call } = await app.signUp();
    const wanted = { shop_name: "New", contact_email: "new@shop.example", default_branding_id: 7 };
    const refused = await call("POST", "/accounts", { body: wanted });
    assert.deepEqual([refused.status, refused.body.errors], [400, { default_branding_id: ["is invalid"] }]);
    assert.deepEqual((await call("GET", "/accounts")).body, []);
  });

  test("a payment, or of its link, is one of the account's", async () => {
    const id = await newBranding("Payments");
    const foreign = await newBranding("Foreign", stranger.owner);
    const order = (order_id: string, branding_id: unknown) => ({ order_id, currency: "DKK", branding_id });
    const made = await shop.call("POST", "/payments", { body: order("brand-1", id) });
    assert.deepEqual([made.status, made.body.branding_id], [201, id]);
    const refused = await shop.call("POST", "/payments", { body: order("brand-2", foreign) });
    assert.deepEqual([refused.status, refused.body.errors], [400, { branding_id: ["is invalid"] }]);
    assert.deepEqual((await shop.call("GET", "/payments?order_id=brand-2")).body, []);
    const empty = await shop.call("POST", "/payments", { body: order("brand-2", "") });
    assert.deepEqual([empty.status, empty.body.branding_id], [201, null]);

    const link = (branding_id: number) =>
      shop.call("PUT", `/payments/${made.body.id}/link`, { body: { amount: 100, branding_id } });
    const wrong = await link(foreign);
    assert.deepEqual([wrong.status, wrong.body.errors], [400, { branding_id: ["is invalid"] }]);
    assert.equal((await link(id)).status, 200);
    await shop.owner("DELETE", `/brandings/${id}`);
    const kept = (await shop.call("GET", `/payments/${made.body.id}`)).body;
    assert.deepEqual([kept.branding_id, kept.link.branding_id], [id, id], "what was paid with it is still told");
  });
});
