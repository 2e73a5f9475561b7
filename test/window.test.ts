// The payment window for a shopper without script: links, the form, what is wrong with it, and what the shop sees.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { newMemoryKey } from "../src/services/seal.ts";
import { setSuspended } from "../src/services/suspension.ts";
import { findSession, inTurn } from "../src/services/window-sessions.ts";
import { forgetWindowSessions } from "../src/storage/window-sessions.ts";
import { eventually, ordered, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { linker, urls } from "./support/links.ts";
import { follow, submit, typed, visit } from "./support/shopper.ts";

type Operation = Readonly<Record<string, unknown>>;

const memory_key = newMemoryKey();
let app: TestApp;
let shop: TestAccount;
let linked: ReturnType<typeof linker>;

before(async () => {
  app = await startApp({ settings: { trust_proxy: ["127.0.0.1"] }, memory_key });
  shop = await app.newAccount();
  linked = linker(shop);
});
after(() => app.stop());

const stateOf = (home: string) =>
  fetch(`${home}/state`).then((answer) => answer.json() as Promise<{ readonly state: string }>);

describe("a link", () => {
  test("is opened, paid and then says so", async () => {
    const { url, read } = await linked();
    const page = await visit(url);
    assert.equal(page.status, 200);
    assert.match(page.text, /Kop og Kande/);
    assert.match(page.text, /Pay DKK 249\.00|Pay 249/);
    const paid = await submit(page, typed("1000000000000008"), /\/pay$/);
    assert.equal(paid.status, 200, paid.text);
    assert.match(paid.text, /Thank you/);
    assert.match(paid.html, /data-leave="https:\/\/shop\.example\/ok"/);
    const payment = await read();
    assert.equal(payment.state, "new");
    assert.equal(payment.operations.length, 1);
    assert.equal(payment.operations[0].amount, 24_900);
    assert.equal(payment.metadata.last4, "0008");
    const again = await visit(url);
    assert.equal(again.status, 200);
    assert.match(again.text, /already paid/);
  });

  test("whose payment the shop has cancelled says that, to who paid and to everybody", async () => {
    const { url, id } = await linked();
    const paid = await submit(await visit(url), typed("1000000000000008"), /\/pay$/);
    await shop.call("POST", `/payments/${id}/cancel?synchronized`);
    for (const page of [await visit(url), await visit(paid.url)]) {
      assert.equal(page.status, 200);
      assert.match(page.text, /The shop has cancelled this/);
      assert.doesNotMatch(page.text, /paid/i);
      assert.deepEqual(
        page.links.filter(({ href }) => href.startsWith("https://shop")).map(({ href }) => href),
        [urls.cancel_url],
        "nobody is sent to the page of those who have paid",
      );
    }
  });

  test("has a title that says what the page is about", async () => {
    const { url } = await linked();
    const title = ({ html }: { readonly html: string }) => /<title>(.*)<\/title>/.exec(html)?.[1];
    const page = await visit(url);
    assert.equal(title(page), "Pay by card - Kop og Kande");
    assert.equal(title(await follow(page, /cancel-payment/)), "Do you want to cancel? - Kop og Kande");
    assert.equal(title(await visit(new URL("/favicon.ico", url).href)), "This page does not exist - CoolPay");
  });

  test("a declined card keeps the form but not the CVD, and another card pays", async () => {
    const { url, read } = await linked();
    const declined = await submit(await visit(url), typed("1000000000000016"), /\/pay$/);
    assert.match(declined.text, /declined/);
    assert.match(declined.html, /value="1000 0000 0000 0016"/);
    assert.doesNotMatch(declined.html, /name="cvd"[^>]*value="208"/);
    const paid = await submit(declined, typed("1000000000000008"), /\/pay$/);
    assert.match(paid.text, /Thank you/);
    assert.deepEqual(
      (await read()).operations.map((o: Operation) => o.qp_status_code),
      ["40000", "20000"],
    );
  });

  test("30100 restarts with 3-D Secure, and a challenge passes", async () => {
    const { url, read } = await linked();
    const wants = await submit(await visit(url), typed("1000000000000073"), /\/pay$/);
    assert.match(wants.html, /3ds_auth_form/);
    const challenge = await submit(wants, {}, /3ds-auth$/);
    assert.match(challenge.html, /3ds_challenge_form/);
    const bank = await submit(challenge, {}, /simulator\/3ds\/challenge/);
    const answered = await submit(bank, { answer: "approve" });
    const back = await submit(answered, {}, /3ds-result$/);
    const paid = await follow(back, /./);
    assert.match(paid.text, /Thank you/);
    const payment = await read();
    assert.deepEqual(
      payment.operations.map((o: Operation) => [o.qp_status_code, o["3d_secure_status"]]),
      [
        ["30100", null],
        ["20000", "Y"],
      ],
    );
    assert.equal(payment.metadata.is_3d_secure, true);
    assert.equal(payment.metadata["3d_secure_type"], "challenge");
  });

  test("a challenge that fails pays nothing, is told to the merchant, and the shopper may try again", async () => {
    const { url, read } = await linked({ payment_methods: "3d-creditcard" });
    const challenge = await submit(
      await submit(await visit(url), typed("1000000000000008"), /\/pay$/),
      {},
      /3ds-auth$/,
    );
    const bank = await submit(challenge, {}, /simulator\/3ds\/challenge/);
    const back = await submit(await submit(bank, { answer: "fail" }), {}, /3ds-result$/);
    const failed = await follow(back, /./);
    assert.match(failed.text, /could not confirm/);
    const [attempt, ...more] = (await read()).operations;
    assert.deepEqual([attempt.qp_status_code, attempt["3d_secure_status"], more.length], ["40000", "N", 0]);
    const form = await follow(failed, /try again/i);
    assert.match(form.text, /Card number/);
  });

  for (const [month, status, ends] of [
    ["01", "Y", /Thank you/],
    ["02", "A", /Thank you/],
    ["03", "N", /could not confirm/],
    ["04", "U", /could not confirm/],
    ["05", "R", /could not confirm/],
  ] as const) {
    test(`3-D Secure without a challenge: month ${month} is ${status}`, async () => {
      const { url, read } = await linked({ payment_methods: "3d-visa" });
      const card = typed("1000000000000008", { expiration: `${month}/31` });
      const done = await submit(await submit(await visit(url), card, /\/pay$/), {}, /3ds-auth$/);
      assert.match(done.text, ends);
      const payment = await read();
      assert.deepEqual(
        payment.operations.map((o: Operation) => o["3d_secure_status"]),
        [status],
      );
      if (ends.source === "Thank you") assert.equal(payment.metadata["3d_secure_type"], "frictionless");
    });
  }

  test("unknown, incomplete and deleted ones are 404, with a page that says what to do", async () => {
    const { id, url } = await linked();
    assert.equal((await shop.call("DELETE", `/payments/${id}/link`)).status, 204);
    const window_url = new URL(url).origin;
    for (const address of [
      url,
      `${window_url}/payments/${"0".repeat(64)}`,
      `${window_url}/payments/abc`,
      `${window_url}/x/y`,
    ]) {
      const page = await visit(address);
      assert.equal(page.status, 404, address);
      assert.match(page.text, /does not exist/);
    }
  });

  test("a deleted link ends the page that was open", async () => {
    const { id, url, read } = await linked();
    const open = await visit(url);
    await shop.call("DELETE", `/payments/${id}/link`);
    const answer = await submit(open, typed("1000000000000008"), /\/pay$/);
    assert.equal(answer.status, 404);
    assert.deepEqual((await read()).operations, []);
  });

  test("what changed under an open page is said, and starting over pays the new amount", async () => {
    const { id, url, read } = await linked();
    const open = await visit(url);
    await shop.call("PUT", `/payments/${id}/link`, { body: { amount: 30_000, ...urls } });
    const changed = await submit(open, typed("1000000000000008"), /\/pay$/);
    assert.equal(changed.status, 409);
    assert.match(changed.text, /payment has changed/);
    assert.deepEqual((await read()).operations, []);
    const paid = await submit(await follow(changed, /start over/i), typed("1000000000000008"), /\/pay$/);
    assert.match(paid.text, /Thank you/);
    assert.equal((await read()).operations[0].amount, 30_000);
  });

  test("a deadline that has passed is 410, leads to cancel_url and tells the shop", async () => {
    const { url, read } = await linked({ deadline: 60 });
    const open = await visit(url);
    assert.match(open.html, /id="time_left"/);
    app.advance(61);
    for (const page of [await visit(url), await submit(open, typed("1000000000000008"), /\/pay$/)]) {
      assert.equal(page.status, 410);
      assert.match(page.text, /time to pay has run out/);
      assert.match(page.html, /https:\/\/shop\.example\/no/);
    }
    const payment = await eventually(async () => {
      const now = await read();
      return now.operations.length > 0 && now;
    });
    assert.deepEqual(
      payment.operations.map((o: Operation) => o.type),
      ["deadline"],
    );
  });

  test("continue_url and cancel_url leave untouched, those of apps too", async () => {
    for (const continue_url of ["https://qp.payment.success", "myshop.app://paid?a=1&b=%C3%A6"]) {
      const { url } = await linked({ continue_url, cancel_url: "https://qp.payment.failure" });
      const page = await visit(url);
      const paid = await submit(page, typed("1000000000000008"), /\/pay$/);
      assert.ok(paid.html.includes(`data-leave="${continue_url.replaceAll("&", "&amp;")}"`), paid.html);
      const other = await linked({ continue_url, cancel_url: "https://qp.payment.failure" });
      const cancelled = await follow(await follow(await visit(other.url), /cancel-payment$/), /sure=1/);
      assert.ok(cancelled.html.includes('data-leave="https://qp.payment.failure"'));
    }
  });

  test("may be framed only where it says so", async () => {
    const plain = await visit((await linked()).url);
    assert.match(plain.headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/);
    assert.equal(plain.headers.get("x-frame-options"), "DENY");
    const framed = await visit((await linked({ framed: true })).url);
    assert.match(framed.headers.get("content-security-policy") ?? "", /frame-ancestors \*/);
    assert.equal(framed.headers.get("x-frame-options"), null);
  });

  test("is no page of a suspended shop's", async () => {
    const other = await app.newAccount();
    const made = await other.call("POST", "/payments", { body: { order_id: "susp-1", currency: "DKK" } });
    const put = await other.call("PUT", `/payments/${made.body.id}/link`, { body: { amount: 100 } });
    const open = await visit(put.body.url);
    await setSuspended(app.services.pool, { id: other.id, suspended: true, at: new Date() });
    app.services.directory.forget();
    for (const page of [await visit(put.body.url), await submit(open, typed("1000000000000008"), /\/pay$/)]) {
      assert.equal(page.status, 403);
      assert.match(page.text, /cannot take payments/);
    }
    const read = await other.call("GET", `/payments/${made.body.id}`);
    assert.deepEqual(read.body.operations, []);
  });
});

describe("what is typed", () => {
  for (const [what, fields, says] of [
    ["nothing at all", { cardnumber: "", expiration: "", cvd: "" }, /Please correct/],
    ["letters", typed("abcd efgh ijkl mnop"), /card number/i],
    ["a wrong digit", typed("1000000000000009"), /card number/i],
    ["no CVD", typed("1000000000000008", { cvd: "" }), /security code/i],
    ["an expiry that is past", typed("1000000000000008", { expiration: "01/20" }), /expir/i],
    ["an expiry that is none", typed("1000000000000008", { expiration: "13/31" }), /expir/i],
    ["a card that nobody takes", typed("4111111111111111"), /cannot be used|not accept/i],
  ] as const) {
    test(`${what}: said by the field, in a summary, and nothing is stored`, async () => {
      const { url, read } = await linked();
      const page = await submit(await visit(url), fields, /\/pay$/);
      assert.equal(page.status, 200);
      assert.match(page.text, says);
      assert.match(page.html, /aria-invalid="true"/);
      assert.match(page.html, /id="error-summary"/);
      assert.deepEqual((await read()).operations, []);
    });
  }

  test("an expiry is understood however people write it", async () => {
    for (const expiration of ["1231", "12/31", "12 / 31", "12-31", "12/2031", "122031"]) {
      const { url } = await linked();
      assert.match((await submit(await visit(url), typed("1000000000000008", { expiration }), /\/pay$/)).text, /Thank/);
    }
    const { url } = await linked();
    const split = {
      "expiration[month]": "12",
      "expiration[year]": "31",
      cardnumber: "1000 0000 0000 0008",
      cvd: "208",
    };
    const form = (await visit(url)).forms.find(({ action }) => action.endsWith("/pay"));
    const body = new URLSearchParams({ session_id: form?.fields.session_id ?? "", ...split });
    assert.match((await visit(form?.action ?? "", { method: "POST", body })).text, /Thank you/);
  });

  test("a field of 5 MB, a broken body and a tampered form each get a page", async () => {
    const { url, read } = await linked();
    const { action } = (await visit(url)).forms.find((form) => form.action.endsWith("/pay")) ?? { action: "" };
    const post = (body: string, type = "application/x-www-form-urlencoded") =>
      fetch(action, { method: "POST", body, headers: { "Content-Type": type } });
    for (const [answer, status] of [
      [await post(`cardnumber=${"4".repeat(5_000_000)}`), 413],
      [await post("cardnumber=%FF%FE"), 400],
      [await post("x", "text/plain"), 415],
      [await post("a[b=1&__proto__[x]=1"), 400],
    ] as const) {
      assert.equal(answer.status, status);
      assert.match(await answer.text(), /<h1>/);
    }
    const tampered = await visit(action, {
      method: "POST",
      body: new URLSearchParams({ ...typed("1000000000000008"), amount: "1", session_id: "0".repeat(64) }),
    });
    assert.match(tampered.text, /Thank you/);
    assert.equal((await read()).operations[0].amount, 24_900, "the amount is the link's, whatever a form says");
  });

  test("a session that is none, or of yesterday, says that it has expired", async () => {
    const { url } = await linked();
    const open = await visit(url);
    app.advance(25 * 3600);
    const late = await submit(open, typed("1000000000000008"), /\/pay$/);
    assert.equal(late.status, 410);
    assert.match(late.text, /expired/);
    const none = await visit(new URL(`/${"0".repeat(64)}`, url).href);
    assert.equal(none.status, 410);
    assert.equal((await visit(new URL("/favicon.ico", url).href)).status, 404);
  });
});

describe("at most one authorization", () => {
  test("eight clicks at once", async () => {
    const { url, read } = await linked();
    const page = await visit(url);
    const pages = await Promise.all(Array.from({ length: 8 }, () => submit(page, typed("1000000000000008"), /\/pay$/)));
    for (const one of pages) assert.match(one.text, /Thank you/);
    assert.equal((await read()).operations.length, 1);
  });

  test("two tabs at once, and the back button afterwards", async () => {
    const { url, read } = await linked();
    const tabs = [await visit(url), await visit(url)] as const;
    const paid = await Promise.all(tabs.map((tab) => submit(tab, typed("1000000000000008"), /\/pay$/)));
    for (const one of paid) assert.match(one.text, /Thank you|already paid/);
    const back = await submit(tabs[0], typed("1000010000000007"), /\/pay$/);
    assert.match(back.text, /Thank you|already paid/);
    const { operations } = await read();
    assert.equal(operations.filter((o: Operation) => o.qp_status_code === "20000").length, 1);
  });

  test("a form that was sent before tries no card, and says that nothing was charged", async () => {
    const { url, read } = await linked();
    const page = await visit(url);
    await submit(page, typed("1000000000000016"), /\/pay$/);
    const again = await submit(page, typed("1000000000000008"), /\/pay$/);
    assert.match(again.text, /Nothing was charged\. Please try again\./);
    assert.equal((await read()).operations.length, 1);
    assert.match((await submit(again, typed("1000000000000008"), /\/pay$/)).text, /Thank you/);
  });

  test("a challenge answered twice, or never", async () => {
    const { url, read } = await linked({ payment_methods: "3d-visa" });
    const challenge = await submit(
      await submit(await visit(url), typed("1000000000000008"), /\/pay$/),
      {},
      /3ds-auth$/,
    );
    const bank = await submit(challenge, {}, /simulator\/3ds\/challenge/);
    const answered = await submit(bank, { answer: "approve" });
    const [first, second] = await Promise.all([
      submit(answered, {}, /3ds-result$/),
      submit(answered, {}, /3ds-result$/),
    ]);
    for (const one of [first, second]) assert.match((await follow(one, /./)).text, /Thank you/);
    assert.equal((await read()).operations.length, 1);

    const never = await linked({ payment_methods: "3d-visa" });
    const open = await visit(never.url);
    const left = await submit(await submit(open, typed("1000000000000008"), /\/pay$/), {}, /3ds-auth$/);
    assert.match(left.html, /3ds_challenge_form/);
    app.advance(16 * 60);
    const home = new URL(`/${open.forms[0]?.fields.session_id ?? ""}`, never.url).href;
    assert.equal((await stateOf(home)).state, "moved", "the page that waits for the bank goes on");
    const form = await visit(home);
    assert.match(form.text, /Nothing was charged\. Please try again\./);
    assert.match(form.text, /Card number/, "the card is typed again");
    assert.deepEqual((await never.read()).operations, []);
  });

  test("in the middle of a step nothing is told of the attempt before", async () => {
    const { url } = await linked();
    const declined = await submit(await visit(url), typed("1000000000000016"), /\/pay$/);
    const id = declined.forms[0]?.fields.session_id ?? "";
    const home = new URL(`/${id}`, url).href;
    const session = await findSession(app.services, id);
    assert.ok(session);
    await inTurn(app.services, session, async () => {
      assert.deepEqual(await stateOf(home), { state: "waiting" });
      for (const address of [home, `${home}?error=declined`, `${home}?error=three_d_secure_failed`])
        assert.match((await visit(address)).text, /One moment/, address);
    });
    assert.deepEqual(await stateOf(home), { state: "moved", location: `/${id}?error=declined` });
  });

  test("a decline is told on whatever page comes next, until there is another attempt", async () => {
    const { url } = await linked();
    const page = await visit(url);
    const clicks = [1, 2].map(() => submit(page, typed("1000000000000016"), /\/pay$/));
    for (const seen of await Promise.all(clicks)) assert.match(seen.text, /The card was declined/);
    const home = new URL(`/${page.forms[0]?.fields.session_id}`, url).href;
    assert.match((await visit(home)).text, /The card was declined/);
    assert.doesNotMatch((await visit(url)).text, /declined/, "who opens the link anew begins anew");
  });

  test("what is wrong with a card is told to both of two clicks", async () => {
    const page = await visit((await linked()).url);
    const clicks = [1, 2].map(() => submit(page, typed("1000000000000009"), /\/pay$/));
    for (const seen of await Promise.all(clicks)) assert.match(seen.text, /a digit is wrong or missing/);
  });

  test("a delayed answer is waited for on a page of its own", async () => {
    const { url, read } = await linked();
    const waiting = await submit(await visit(url), typed("1000000000000099"), /\/pay$/);
    assert.match(waiting.text, /One moment/);
    assert.match(waiting.html, /http-equiv="refresh"/);
    const state = () => stateOf(waiting.url);
    assert.deepEqual(await state(), { state: "waiting" });
    assert.match((await visit(url)).text, /One moment/, "another tab waits too");
    await ordered(app, (await read()).id);
    app.advance(61);
    await eventually(async () => (await state()).state === "moved");
    assert.match((await visit(waiting.url)).text, /Thank you/);
    assert.equal((await read()).state, "new");
  });
});

describe("whoever tries many cards", () => {
  const declined = "1000000000000016";
  let victim: TestAccount;
  let victims: ReturnType<typeof linker>;

  before(async () => {
    victim = await app.newAccount();
    victims = linker(victim);
  });

  test("finds the link closed after five declines, from wherever they came, for ten minutes", async () => {
    const { url, read } = await victims();
    const texts = new Set<string>();
    for (let tries = 0; tries < 5; tries++) {
      const page = await submit(await visit(url), typed(declined), /\/pay$/);
      texts.add(page.text.replace(/.*Pay by card/, ""));
    }
    assert.equal(texts.size, 1, "each decline reads the same");
    const closed = await submit(await visit(url), typed("1000000000000008"), /\/pay$/);
    assert.equal(closed.status, 429);
    assert.match(closed.text, /too many attempts/);
    assert.equal((await read()).operations.length, 5);
    app.advance(601);
    assert.match((await submit(await visit(url), typed("1000000000000008"), /\/pay$/)).text, /Thank you/);
  });

  test("from one address is slowed down, then has work to do, and passes with it or with patience", async () => {
    const address = "198.51.100.7";
    const attempt = async (number: string, more: Record<string, string> = {}) =>
      submit(await visit((await victims()).url, { address }), typed(number, more), /\/pay$/);
    const decline = async (times: number) => {
      for (let declines = 0; declines < times; declines++) {
        assert.match((await attempt(declined)).text, /declined/);
        app.advance(61);
      }
    };
    await decline(6);
    const asked = await attempt("1000000000000008");
    assert.match(asked.text, /no machine is trying out cards/);
    assert.match(asked.html, /<script src="\/assets\/\w+\/work\.js" integrity="sha256-/);
    const impatient = await submit(asked, typed("1000000000000008"), /\/pay$/);
    assert.match(impatient.text, /no machine is trying out cards/);
    const [, challenge = "", bits = "0"] = /data-challenge="([^"]*)" data-bits="(\d+)"/.exec(asked.html) ?? [];
    const work_answer = solved(challenge, Number(bits));
    assert.match((await submit(asked, typed("1000000000000008", { work_answer }), /\/pay$/)).text, /Thank you/);

    // An approval forgives half of them.
    await decline(3);
    const patient = await attempt("1000000000000008");
    assert.match(patient.text, /no machine is trying out cards/);
    app.advance(61);
    assert.match((await submit(patient, typed("1000000000000008"), /\/pay$/)).text, /Thank you/);
  });
});

/** As the page's script does it: a number whose SHA-256 with the challenge begins with so many zero bits. */
function solved(challenge: string, bits: number): string {
  for (let answer = 0; ; answer++) {
    const digest = createHash("sha256").update(`${challenge}:${answer}`).digest();
    if (digest.readUInt32BE(0) >>> (32 - bits) === 0) return String(answer);
  }
}

describe("the page of a decline", () => {
  test("that is loaded again tries nothing again, and the form on it does", async () => {
    const { url, read } = await linked();
    const page = await visit(url);
    await submit(page, typed("1000000000000016"), /\/pay$/);
    const again = await submit(page, typed("1000000000000016"), /\/pay$/);
    assert.match(again.text, /Please try again/);
    assert.equal((await read()).operations.length, 1);
    assert.match((await submit(again, typed("1000000000000008"), /\/pay$/)).text, /Thank you/);
  });
});

describe("a card that waits for its bank", () => {
  test("rests as ciphertext that another program cannot read: there the shopper types again", async () => {
    const { url, read } = await linked({ payment_methods: "3d-visa" });
    const open = await visit(url);
    const asked = await submit(open, typed("1000000000000008"), /\/pay$/);
    assert.match(asked.html, /3ds_auth_form/);
    const sid = open.forms[0]?.fields.session_id ?? "";
    const { rows } = await app.services.pool.query("SELECT held FROM window_sessions WHERE id = $1", [sid]);
    assert.ok(rows[0].held.length > 100);
    assert.ok(!rows[0].held.includes("1000000000000008"));
    const other = await startApp({ beside: app, settings: { trust_proxy: ["127.0.0.1"] } });
    const sibling = await startApp({ beside: app, memory_key, settings: { trust_proxy: ["127.0.0.1"] } });
    try {
      const there = await visit(new URL(`/${sid}`, other.app.addresses.window_url).href);
      assert.match(there.text, /Card number/);
      const here = await visit(new URL(`/${sid}`, sibling.app.addresses.window_url).href);
      assert.match(here.html, /3ds_auth_form/, "a process of the same installation goes on");
    } finally {
      await Promise.all([other.stop(), sibling.stop()]);
    }
    const paid = await submit(await submit(asked, {}, /3ds-auth$/), {}, /simulator\/3ds\/challenge/);
    assert.match(paid.text, /bank/i);
    assert.deepEqual((await read()).operations, []);
    app.advance(16 * 60);
    await forgetWindowSessions(app.services.pool, app.services.clock.now());
    const later = await app.services.pool.query("SELECT held FROM window_sessions WHERE id = $1", [sid]);
    assert.equal(later.rows[0].held, null);
  });

  test("a live card on a test payment is refused in words", async () => {
    const { url, read } = await linked();
    const declined = await submit(await visit(url), typed("1000000000000016"), /\/pay$/);
    const live = await submit(declined, typed("4571736000007773"), /\/pay$/);
    assert.match(live.text, /only test cards can pay it|cannot be used/);
    assert.equal((await read()).operations.length, 1);
  });
});

describe("what an attacker or a moment between two steps could change", () => {
  test("trying cards by 3-D Secure ends at five declines of a link, too", async () => {
    const { url, read } = await linker(await app.newAccount())({ payment_methods: "3d-creditcard" });
    const rejected = typed("1000000000000016", { expiration: "01/31" });
    const begun = [];
    for (let sessions = 0; sessions < 8; sessions++) begun.push(await submit(await visit(url), rejected, /\/pay$/));
    const ended = [];
    for (const page of begun) ended.push(await submit(page, {}, /3ds-auth$/));
    assert.equal((await read()).operations.length, 5);
    assert.match(ended.at(-1)?.text ?? "", /too many attempts/);
  });

  test("whoever begins many authentications is slowed down as who is declined", async () => {
    const another = linker(await app.newAccount());
    const address = "198.51.100.99";
    let slowed = 0;
    for (let begun = 0; begun < 12 && slowed === 0; begun++) {
      const { url } = await another({ payment_methods: "3d-visa" });
      const page = await submit(await visit(url, { address }), typed("1000000000000008"), /\/pay$/);
      if (!/3ds_auth_form/.test(page.html)) slowed = begun;
    }
    assert.ok(slowed > 0);
  });

  test("a fee that was raised while the bank was asked is shown before it is taken", async () => {
    const { url, read } = await linked({ auto_fee: true, payment_methods: "3d-visa" });
    const card = typed("1000000000000008", { cvd: "840" });
    const told = await submit(await visit(url), card, /\/pay$/);
    assert.match(told.text, /adds a fee/);
    const challenge = await submit(await submit(told, card, /\/pay$/), {}, /3ds-auth$/);
    const bank = await submit(challenge, {}, /simulator\/3ds\/challenge/);
    assert.match(bank.text, /252\.61/, "the bank is asked for the whole amount");
    const formula = await shop.owner("PATCH", "/fees/formulas/clearhaus/visa", { body: { formula: "5000" } });
    assert.equal(formula.status, 200, formula.text);
    const back = await submit(await submit(bank, { answer: "approve" }), {}, /3ds-result$/);
    const page = await follow(back, /./);
    assert.match(page.text, /adds a fee/);
    assert.match(page.text, /299\.00/);
    assert.deepEqual((await read()).operations, []);
    await shop.owner("DELETE", "/fees/formulas/clearhaus/visa");
  });

  test("a link that changed while the bank was asked is not paid", async () => {
    const { id, url, read } = await linked({ payment_methods: "3d-visa" });
    const challenge = await submit(
      await submit(await visit(url), typed("1000000000000008"), /\/pay$/),
      {},
      /3ds-auth$/,
    );
    const bank = await submit(challenge, {}, /simulator\/3ds\/challenge/);
    await shop.call("PUT", `/payments/${id}/link`, { body: { amount: 99_900, ...urls } });
    const back = await submit(await submit(bank, { answer: "approve" }), {}, /3ds-result$/);
    assert.match((await follow(back, /./)).text, /payment has changed/);
    assert.deepEqual((await read()).operations, []);
  });

  test("a provider's session ends with the terms that it began with, and late approval is let go", async () => {
    const other = await app.newAccount();
    await other.owner("PATCH", "/account", { body: { acquirer_settings: { mobilepayonline: { active: true } } } });
    for (const change of ["put", "delete"] as const) {
      const { id, url, read } = await linker(other)({ payment_methods: "mobilepay" });
      const provider = await follow(await follow(await visit(url), /mobilepay$/), /simulator\/provider/);
      const again = await other.call("PUT", `/payments/${id}/link`, {
        body: { amount: 24_900, ...urls, payment_methods: "mobilepay" },
      });
      assert.equal((await read()).state, "pending", `the same link again changes nothing: ${again.text}`);
      if (change === "put") await other.call("PUT", `/payments/${id}/link`, { body: { amount: 99_900, ...urls } });
      else await other.call("DELETE", `/payments/${id}/link`);
      await submit(provider, { answer: "approve" });
      await eventually(async () => {
        app.advance(5);
        const { operations } = await read();
        return operations[0].qp_status_code === "40003";
      });
      assert.equal((await read()).accepted, false);
    }
  });

  test("the card is dropped before its acquirer answers, and never comes back by an address", async () => {
    const { url, read } = await linked({ payment_methods: "3d-visa" });
    const open = await visit(url);
    const sid = open.forms[0]?.fields.session_id ?? "";
    const auth = await submit(open, typed("1000000000000099", { expiration: "01/31" }), /\/pay$/);
    const peeked = await visit(new URL(`/${sid}?error=declined`, url).href);
    assert.doesNotMatch(peeked.html, /value="1000 0000/);
    assert.match((await submit(auth, {}, /3ds-auth$/)).text, /One moment/);
    const { rows } = await app.services.pool.query("SELECT held FROM window_sessions WHERE id = $1", [sid]);
    assert.equal(rows[0].held, null);
    assert.equal((await read()).operations.length, 1);
    const leaked = await fetch(new URL(`/${sid}?cardnumber=1&cvd=2`, url), { redirect: "manual" });
    assert.equal(leaked.headers.get("location"), `/${sid}`);
  });

  test("a card's number in the name field is no name", async () => {
    const { url, read } = await linked({ branding_config: { enable_card_holder_field: true } });
    const page = await submit(
      await visit(url),
      typed("1000000000000008", { cardholder: "1000 0000 0000 0008" }),
      /\/pay$/,
    );
    assert.match(page.text, /Please correct/);
    assert.deepEqual((await read()).operations, []);
  });

  test("who chooses none of two brands does not get around what one of them demands", async () => {
    for (const payment_methods of ["dankort, 3d-visa", "3d-dankort, visa"]) {
      const { url } = await linked({ payment_methods });
      const page = await visit(url);
      const asked = await submit(page, typed("1000060000000002"), /\/pay$/);
      assert.match(asked.html, /<fieldset class="choice" id="brand-selector" [^>]*"(?! hidden)>/, "the form asks");
      // A branding's form may not know how to.
      const silent = typed("1000060000000002", { asks_brand: "" });
      assert.match((await submit(page, silent, /\/pay$/)).html, /3ds_auth_form/);
    }
  });
});
