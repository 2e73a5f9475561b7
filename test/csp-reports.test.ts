// The evidence for PCI DSS 6.4.3 and 11.6.1: what browsers reported, which scripts the payment page may load, and whether a
// page is the one that this version writes.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Refused } from "../src/domain/refusal.ts";
import { noteReports } from "../src/services/csp-reports.ts";
import { forgetReports, reportsSince } from "../src/storage/csp-reports.ts";
import { checkPage } from "../src/window/page-check.ts";
import { scripts, scriptsIn, scriptTag } from "../src/window/scripts.ts";
import { startApp, type TestApp } from "./support/app.ts";
import { putAway } from "./support/kept.ts";
import { coolpay, end } from "./support/program.ts";

let app: TestApp;
before(async () => {
  app = await startApp();
});
after(() => app.stop());

const level2 = "application/csp-report";
const reporting = "application/reports+json; charset=utf-8";
const note = (body: unknown, type = level2, account_id: number | null = null): Promise<number> =>
  noteReports(app.services, typeof body === "string" ? body : JSON.stringify(body), type, { account_id });

const old = (over: object = {}) => ({
  "csp-report": {
    "document-uri": "https://payment.example.com/secret-session",
    "violated-directive": "script-src-elem 'self'",
    "blocked-uri": "https://evil.example/skim.js?card=4111",
    "source-file": "https://payment.example.com/assets/x.js?v=1#top",
    "line-number": 7,
    "script-sample": "document.forms[0]",
    ...over,
  },
});
const modern = (body: object = {}) => ({
  type: "csp-violation",
  age: 10,
  url: "https://payment.example.com/secret-session",
  user_agent: "Mozilla/5.0",
  body: {
    effectiveDirective: "img-src",
    blockedURL: "https://pixel.example/1.gif",
    lineNumber: 3,
    sample: "alert(1)",
    ...body,
  },
});

const kept = async (account_id: number | null) => {
  const { rows } = await app.services.pool.query(
    "SELECT directive, blocked, source, line, reports FROM csp_reports WHERE account_id IS NOT DISTINCT FROM $1 ORDER BY last_at, blocked",
    [account_id],
  );
  return rows;
};

describe("a browser's report", () => {
  test("is kept in either form, equal ones of a day once", async () => {
    for (let n = 0; n < 3; n++) assert.equal(await note(old(), level2, 1), 1);
    assert.equal(await note([modern(), modern(), { type: "deprecation", body: {} }], reporting, 1), 2);
    assert.deepEqual(await kept(1), [
      {
        directive: "script-src-elem",
        blocked: "https://evil.example/skim.js",
        source: "https://payment.example.com/assets/x.js",
        line: 7,
        reports: 3,
      },
      { directive: "img-src", blocked: "https://pixel.example/1.gif", source: "", line: 3, reports: 2 },
    ]);
    await Promise.all(Array.from({ length: 8 }, () => note(old({ "line-number": 8 }), level2, 1)));
    assert.equal((await kept(1)).at(-1).reports, 8, "however many come at once");
    app.advance(86_400);
    await note(old(), level2, 1);
    assert.equal((await kept(1)).filter(({ line }) => line === 7).length, 2, "another day is another row");
  });

  test("keeps nothing that is somebody's", async () => {
    const number = "4571 7360 0000 7773";
    const session = "a".repeat(64);
    for (const blocked of [
      `https://evil.example/${number.replaceAll(" ", "")}/x`,
      `https://evil.example/${encodeURIComponent(number)}/`,
      `https://ida:hunter22@evil.example/p?q=1#f`,
      `https://payment.example.com/${session}/pay`,
      `data:text/html,${number}`,
      "blob:https://payment.example.com/77b6",
      `not an address ${number}`,
      "inline",
    ])
      await note(old({ "blocked-uri": blocked }), level2, 2);
    const rows = await kept(2);
    assert.deepEqual(rows.map(({ blocked }) => blocked).sort(), [
      "[hidden]",
      "blob:",
      "data:",
      "https://evil.example/[hidden]/",
      "https://evil.example/[hidden]/x",
      "https://evil.example/p",
      "https://payment.example.com/[hidden]/pay",
      "inline",
    ]);
    const { rows: all } = await app.services.pool.query<{ text: string }>("SELECT r::text AS text FROM csp_reports r");
    for (const { text } of all) assert.doesNotMatch(text, /secret-session|document\.forms|alert|hunter22|Mozilla/);
  });

  test("that is no report is refused or left out", async () => {
    const refused = (code: string) => (error: unknown) => error instanceof Refused && error.refusal.code === code;
    await assert.rejects(note(old(), "application/json"), refused("media_type"));
    await assert.rejects(note("{"), refused("malformed_request"));
    await assert.rejects(note(`"${"x".repeat(16_384)}"`), refused("body_too_large"));
    for (const body of [null, [], 7, {}, { "csp-report": 7 }, old({ "violated-directive": "<script>" })])
      assert.equal(await note(body), 0);
    for (const body of [{}, [null, 7, { type: "csp-violation", body: "x" }]])
      assert.equal(await note(body, reporting), 0);
    assert.deepEqual(await kept(null), []);
    assert.equal(
      await note(old({ "line-number": "7; DROP TABLE", "source-file": { a: 1 }, "blocked-uri": "x\0y" })),
      1,
    );
    assert.deepEqual((await kept(null))[0], {
      directive: "script-src-elem",
      blocked: "[hidden]",
      source: "",
      line: 0,
      reports: 1,
    });
  });

  test("finds room for two hundred different ones of an account a day, and 20 of a body", async () => {
    let line = 0;
    for (let n = 0; n < 11; n++)
      await note(
        Array.from({ length: 25 }, () => modern({ lineNumber: ++line })),
        reporting,
        3,
      );
    assert.equal((await kept(3)).length, 200);
    assert.equal(await note([modern({ lineNumber: 1 })], reporting, 3), 1, "one that is there is counted still");
    assert.equal(await note(old(), level2, 4), 1, "another account has room");
  });
});

test("the inventory says what each script is for, and hashes it; a script without a reason is none", () => {
  assert.ok(scripts.some(({ name }) => name === "work.js"));
  for (const { name, reason, integrity, path, content } of scripts) {
    const file = readFileSync(join(import.meta.dirname, "../src/window/script", name));
    assert.ok(file.equals(content) && reason.length > 40);
    assert.equal(integrity, `sha256-${createHash("sha256").update(file).digest("base64")}`);
    assert.equal(scriptTag(name), `<script src="${path}" integrity="${integrity}" defer></script>`);
  }
  assert.throws(() => scriptTag("other.js"));
  const folder = mkdtempSync(join(tmpdir(), "coolpay-scripts-"));
  writeFileSync(join(folder, "a.js"), "1");
  writeFileSync(join(folder, "notes.txt"), "1");
  assert.deepEqual(
    scriptsIn(folder, { "a.js": "why" }).map(({ name }) => name),
    ["a.js"],
  );
  assert.throws(() => scriptsIn(folder, {}), /a\.js has no reason/);
  putAway(folder);
});

describe("a payment page that is looked at from outside", () => {
  const good = {
    "content-security-policy":
      "default-src 'none'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri /r",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  };
  const html = () => `<!doctype html><html><head>${scripts.map(({ name }) => scriptTag(name)).join("")}</head></html>`;
  let server: Server;
  let origin: string;
  let page = { headers: good as Record<string, string>, html: html() };
  let swapped: string | null = null;

  before(async () => {
    server = createServer((request, response) => {
      const script = scripts.find(({ path }) => path === request.url);
      if (request.url === "/payments/link") response.writeHead(303, { Location: "/session" }).end();
      else if (request.url === "/away") response.writeHead(302, { Location: "http://evil.example/" }).end();
      else if (request.url === "/circle") response.writeHead(302, { Location: "/circle" }).end();
      else if (request.url === "/session") response.writeHead(200, page.headers).end(page.html);
      else if (script !== undefined) response.end(swapped ?? script.content);
      else response.writeHead(404).end();
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const look = async (over: { headers?: Record<string, string>; html?: string; script?: string } = {}) => {
    page = { headers: over.headers ?? good, html: over.html ?? html() };
    swapped = over.script ?? null;
    return checkPage(`${origin}/payments/link`, scripts);
  };
  const without = (name: keyof typeof good) =>
    Object.fromEntries(Object.entries(good).filter(([header]) => header !== name));
  const policy = (text: string) => ({ ...good, "content-security-policy": text });

  test("is right as it is written", async () => {
    assert.deepEqual(await look(), []);
  });

  test("is found out when a script was changed, added or lost its hash", async () => {
    const [work] = scripts;
    assert.ok(work !== undefined);
    assert.match((await look({ script: "steal()" })).join(), /is not this version's: its hash is sha256-/);
    assert.match(
      (await look({ html: `${html()}<script src="https://evil.example/x.js">` })).join(),
      /no script of this/,
    );
    assert.match((await look({ html: `${html()}<SCRIPT\n>steal()</script>` })).join(), /within the page/);
    assert.match(
      (await look({ html: html().replace(/ integrity="[^"]+"/, "") })).join(),
      /without this version's hash/,
    );
    assert.match((await look({ html: "<p>hello</p>" })).join(), /loads no script/);
  });

  test("is found out when a header is missing or weaker", async () => {
    for (const [headers, told] of [
      [without("content-security-policy"), /no Content-Security-Policy/],
      [without("x-content-type-options"), /nosniff/],
      [without("referrer-policy"), /Referrer-Policy/],
      [{ ...good, "referrer-policy": "unsafe-url" }, /Referrer-Policy/],
      [
        policy(good["content-security-policy"].replace("'self'", "'self' 'unsafe-inline'")),
        /scripts from 'unsafe-inline'/,
      ],
      [policy(good["content-security-policy"].replace("'self'", "https:")), /scripts from https:/],
      [
        policy("script-src 'self'"),
        /says nothing of default-src.*form-action.*base-uri.*frame-ancestors.*report nothing/s,
      ],
    ] as const)
      assert.match((await look({ headers })).join(), told);
  });

  test("of another host, in circles or not there is not believed", async () => {
    await assert.rejects(checkPage(`${origin}/away`, scripts), /another host, http:\/\/evil\.example/);
    await assert.rejects(checkPage(`${origin}/circle`, scripts), /circles/);
    await assert.rejects(checkPage(`${origin}/none`, scripts), /answers 404/);
  });

  test("is told by the command line: status 0, or 1 and what differs", async () => {
    const run = (...words: string[]) => end(coolpay(["scripts", ...words], { DATABASE_URL: app.database_url }));
    await note(old({ "blocked-uri": "https://x.example/\u001b[31mred" }), level2, 9);
    page = { headers: good, html: html() };
    swapped = null;
    const [listed, right, wrong] = await Promise.all([
      run(),
      run("--check", `${origin}/session`),
      run("--check", `${origin}/none`),
    ]);
    assert.equal(listed.code, 0, listed.stderr);
    assert.match(listed.stdout, /\/assets\/[0-9a-f]{16}\/work\.js\n {2}sha256-\S{44}\n {2}Computes/);
    assert.match(
      listed.stdout,
      /^\d{4}-\d\d-\d\d {2}1x {2}9 {2}script-src-elem {2}https:\/\/x\.example\/ \[31mred {2}https:/m,
    );
    assert.deepEqual([right.code, right.stdout.split("\n").length], [0, 2], right.stdout);
    assert.deepEqual([wrong.code, wrong.stdout], [1, "The page cannot be fetched: it answers 404.\n1 difference\n"]);
    assert.equal((await run("--check")).code, 2);
  });
});

test("reports are forgotten after ninety days", async () => {
  const { pool, clock } = app.services;
  const ago = (days: number): Date => new Date(clock.now().getTime() - days * 86_400_000);
  app.advance(90 * 86_400);
  await note(old(), level2, 5);
  assert.ok((await reportsSince(pool, ago(200), 1_000)).length > 200);
  app.advance(86_400);
  await forgetReports(pool, ago(90));
  assert.deepEqual(
    (await reportsSince(pool, ago(200), 1_000)).map(({ account_id }) => account_id),
    [5],
  );
});
