// What is mailed and what the mailed tokens are good for, over a real SMTP conversation: verifying an e-mail, choosing a new
// password, invitations.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { Config } from "../src/config.ts";
import { mail_texts, oneLine } from "../src/domain/mail-texts.ts";
import { mailbox } from "../src/mailbox.ts";
import { forgetMails } from "../src/storage/mails.ts";
import { type Answer, eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { type Mail, MailServer } from "./support/mail-server.ts";
import { newMember } from "./support/members.ts";

let app: TestApp;
let server: MailServer;
let shop: TestAccount;
const manager = "https://manage.shop.example";
const settings = (port: number): Partial<Config> => ({
  trust_proxy: ["127.0.0.1"],
  urls: { api: null, window: null, manager },
  smtp: {
    ...{ host: "127.0.0.1", port, secure: false, starttls: false, login: null },
    from: { name: "Cool Pay", address: "pay@example.com" },
  },
});

before(async () => {
  server = await new MailServer().start();
  app = await startApp({ settings: settings(server.port) });
  shop = await app.newAccount();
});
after(async () => {
  await app.stop();
  server.stop();
});
beforeEach(() => {
  server.says = () => undefined;
});

/** The newest mail to this address, once there are so many. */
const mailTo = (email: string, count = 1): Promise<Mail> =>
  eventually(async () => {
    const mails = server.received.filter(({ to }) => to.includes(email));
    return mails.length >= count && mails.at(-1);
  }, `mail to ${email}`);

const tokenIn = ({ text }: Mail): string => /#token=([\w-]{43})$/m.exec(text)?.[1] ?? assert.fail(text);

const query = async <Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> =>
  (await app.services.pool.query<Row>(sql, values)).rows;

const refusal = ({ status, body }: Answer): [number, string | null] => [status, body?.message ?? null];

let addresses = 0;
/** From an address of its own: anonymous calls are throttled by it. */
const afar = () => ({ "X-Forwarded-For": `192.0.2.${++addresses}` });
const askReset = (email: string, at: TestApp = app) =>
  at.anonymous("POST", "/password-resets", { body: { email }, headers: afar() });
const reset = (token: string, password: string, at: TestApp = app) =>
  at.anonymous("PATCH", "/password-resets", { body: { token, password }, headers: afar() });

describe("verifying an e-mail", () => {
  test("the mail says whom it is from and what it is for, and leads to the manager with a token", async () => {
    const { email, call } = await app.signUp();
    const asked = await call("POST", "/user/verification");
    assert.deepEqual([asked.status, asked.text], [202, ""]);
    const mail = await mailTo(email);
    assert.deepEqual([mail.from, mail.to], ["pay@example.com", [email]]);
    const header = (name: string) => mail.headers.get(name) ?? "";
    assert.deepEqual([header("from"), header("to")], ["Cool Pay <pay@example.com>", email]);
    assert.equal(header("subject"), "Confirm your e-mail address");
    assert.match(header("message-id"), /^<[0-9A-Z]{26}@example\.com>$/);
    assert.equal(header("auto-submitted"), "auto-generated");
    assert.match(header("content-type"), /^text\/plain/);
    const token = tokenIn(mail);
    assert.ok(mail.text.includes(`\n${manager}/verification#token=${token}\n`), mail.text);

    assert.equal((await call("GET", "/user")).body.email_verified, false);
    const stranger = await app.signUp();
    const stolen = await stranger.call("PATCH", "/user/verification", { body: { token } });
    assert.deepEqual([stolen.status, stolen.body.errors], [400, { token: ["is invalid"] }]);
    const verified = await call("PATCH", "/user/verification", { body: { token } });
    assert.deepEqual([verified.status, verified.body.email_verified], [200, true]);
    assert.equal((await call("GET", "/user")).body.email_verified, true);
    assert.equal((await call("PATCH", "/user/verification", { body: { token } })).status, 400, "it works once");
    const again = await call("POST", "/user/verification");
    assert.deepEqual(refusal(again), [409, "Conflict: the e-mail is verified already"]);
  });

  test("a token lasts a day, and only as long as the e-mail is the same; another e-mail is not verified", async () => {
    const { email, password, call } = await app.signUp();
    const next = `new-${email}`;
    await call("POST", "/user/verification");
    const first = tokenIn(await mailTo(email));
    const moved = await call("PATCH", "/user", { body: { email: next, current_password: password } });
    assert.equal(moved.status, 200);
    const me = app.client(next, password);
    assert.equal((await me("PATCH", "/user/verification", { body: { token: first } })).status, 400);

    await me("POST", "/user/verification");
    const second = tokenIn(await mailTo(next));
    app.advance(24 * 3_600 + 1);
    assert.equal((await me("PATCH", "/user/verification", { body: { token: second } })).status, 400, "too late");
    await me("POST", "/user/verification");
    const third = tokenIn(await mailTo(next, 2));
    assert.equal((await me("PATCH", "/user/verification", { body: { token: third } })).body.email_verified, true);
    const back = await me("PATCH", "/user", { body: { email, current_password: password } });
    assert.equal(back.body.email_verified, false);
  });

  test("nobody is mailed more than five times in an hour", async () => {
    const { email, call } = await app.signUp();
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push((await call("POST", "/user/verification")).status);
    assert.deepEqual(statuses, [202, 202, 202, 202, 202, 429]);
    await mailTo(email, 5);
    app.advance(3_601);
    assert.equal((await call("POST", "/user/verification")).status, 202);
  });

  test("who has verified her e-mail accepts an invitation to it without the token", async () => {
    const { email, call } = await app.signUp();
    const invited = await shop.owner("POST", "/agreements", { body: { user_email: email } });
    const accept = () => call("PATCH", `/agreements/${invited.body.id}`, { body: { accepted: true } });
    assert.equal((await accept()).status, 404, "a matching e-mail is not enough");
    await call("POST", "/user/verification");
    const token = tokenIn(await mailTo(email, 2));
    await call("PATCH", "/user/verification", { body: { token } });
    assert.deepEqual([(await accept()).status, (await accept()).body.accepted], [200, true]);
  });
});

describe("a new password", () => {
  test("is chosen with a mailed token, once; sessions and the old password end, two-factor does not", async () => {
    const { email, password, call } = await app.signUp();
    const session = (await call("POST", "/sessions")).body.token;
    const bySession = () => app.anonymous("GET", "/user", { headers: { Authorization: `Bearer ${session}` } });
    assert.equal((await bySession()).status, 200);
    const asked = await askReset(email.toUpperCase());
    assert.deepEqual([asked.status, asked.text], [202, ""]);
    const mail = await mailTo(email);
    const token = tokenIn(mail);
    assert.ok(mail.text.includes(`\n${manager}/password-reset#token=${token}\n`));

    const weak = await reset(token, "password1234");
    assert.deepEqual([weak.status, Object.keys(weak.body.errors)], [400, ["password"]]);
    const next = "seven green lanterns";
    const answers = await Promise.all([1, 2, 3].map(() => reset(token, next)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [204, 400, 400], "it works once");
    assert.deepEqual(
      [(await call("GET", "/user")).status, (await app.client(email, password)("GET", "/ping")).status],
      [401, 401],
    );
    assert.equal((await app.client(email, next)("GET", "/user")).status, 200);
    assert.deepEqual(refusal(await bySession()), [401, "Authentication required"]);
  });

  test("ends what other processes remember of the old one within 5 s", async () => {
    const other = await startApp({ settings: settings(server.port), beside: app });
    try {
      const { email, password, call } = await app.signUp();
      const elsewhere = other.client(email, password);
      assert.equal((await elsewhere("GET", "/user")).status, 200);
      const { token } = (await call("POST", "/sessions")).body;
      const headers = { Authorization: `Bearer ${token}` };
      assert.equal((await other.anonymous("GET", "/user", { headers })).status, 200);
      await askReset(email);
      assert.equal((await reset(tokenIn(await mailTo(email)), "seven green lanterns")).status, 204);
      const began = performance.now();
      const over = async () =>
        (await elsewhere("GET", "/user")).status === 401 &&
        (await other.anonymous("GET", "/user", { headers })).status === 401;
      await eventually(over, "the end in the other process");
      assert.ok(performance.now() - began < 5_000);
    } finally {
      await other.stop();
    }
  });

  test("whether somebody has an e-mail is not told: not by the answer, and not by what is written", async () => {
    const { email } = await app.signUp();
    const rows = () =>
      query("SELECT (SELECT count(*)::int FROM mails) AS mails, (SELECT count(*)::int FROM mail_tokens) AS tokens");
    const written: object[] = [];
    const answers: object[] = [];
    for (const asked of [email, "nobody@shop.example"]) {
      const [before] = (await rows()) as { mails: number; tokens: number }[];
      const { status, text, headers } = await askReset(asked);
      const [now] = (await rows()) as { mails: number; tokens: number }[];
      written.push([(now?.mails ?? 0) - (before?.mails ?? 0), (now?.tokens ?? 0) - (before?.tokens ?? 0)]);
      answers.push([status, text, [...headers.keys()]]);
    }
    assert.deepEqual(written, [
      [1, 1],
      [1, 1],
    ]);
    assert.deepEqual(answers[0], answers[1]);
    await mailTo(email);
    assert.ok(!server.commands.some((command) => command.includes("nobody@shop.example")), "nobody is mailed");
  });

  test("asking is throttled by address and by e-mail, alike for every e-mail", async () => {
    const { email } = await app.signUp();
    for (const asked of [email, "unknown@shop.example"]) {
      const statuses: number[] = [];
      for (let i = 0; i < 11; i++) statuses.push((await askReset(asked)).status);
      assert.deepEqual(statuses, [...Array(10).fill(202), 429]);
    }
    await mailTo(email, 5);
    const [sent] = await query("SELECT count(*)::int AS count FROM mails WHERE recipient = $1 AND state <> 'nobody'", [
      email,
    ]);
    assert.deepEqual(sent, { count: 5 });
    const headers = afar();
    const statuses: number[] = [];
    for (let i = 0; i < 31; i++) {
      const body = { token: "x".repeat(43), password: "seven green lanterns" };
      statuses.push((await app.anonymous("PATCH", "/password-resets", { body, headers })).status);
    }
    assert.deepEqual([new Set(statuses.slice(0, 30)), statuses[30]], [new Set([400]), 429], "guessing tokens");
  });

  test("a token lasts an hour, and neither another purpose nor another password leaves it valid", async () => {
    const { email, password, call } = await app.signUp();
    await askReset(email);
    const late = tokenIn(await mailTo(email));
    await call("POST", "/user/verification");
    const for_verification = tokenIn(await mailTo(email, 2));
    assert.equal((await reset(for_verification, "seven green lanterns")).status, 400);
    assert.equal((await call("PATCH", "/user/verification", { body: { token: late } })).status, 400);
    app.advance(3_601);
    assert.equal((await reset(late, "seven green lanterns")).status, 400);

    await askReset(email);
    const token = tokenIn(await mailTo(email, 3));
    const body = { password: "eight blue lanterns", current_password: password };
    assert.equal((await call("PATCH", "/user", { body })).status, 200);
    assert.equal((await reset(token, "seven green lanterns")).status, 400);
  });
});

describe("the outbox", () => {
  /** Asks for a reset, and answers what the outbox holds of it once that is so. */
  async function outcome(email: string, state: string) {
    await askReset(email);
    const row = () =>
      query<{ attempts: number; error: string | null; sealed: Buffer | null; id: string }>(
        "SELECT attempts, error, sealed, id FROM mails WHERE recipient = $1 AND attempts > 0 AND state = $2 ORDER BY id DESC LIMIT 1",
        [email, state],
      );
    return eventually(async () => (await row())[0], `a mail that is ${state}`);
  }

  test("what was sent keeps no text; tokens are hashes, and texts sealed while they wait", async () => {
    const { email } = await app.signUp();
    const { sealed, id } = await outcome(email, "sent");
    assert.equal(sealed, null);
    const mail = await mailTo(email);
    assert.ok(mail.headers.get("message-id")?.startsWith(`<${id}@`));
    const [stored] = await query<{ all: string }>(
      "SELECT (SELECT string_agg(t::text, '') FROM mail_tokens t) || (SELECT string_agg(m::text, '') FROM mails m) AS all",
    );
    const token = tokenIn(mail);
    for (const form of [token, Buffer.from(token).toString("hex")]) assert.ok(!stored?.all.includes(form));
    assert.ok(!app.log.join().includes(token));
  });

  test("a server that has trouble is asked again, later and later, under the same Message-ID", async () => {
    const { email } = await app.signUp();
    let troubles = 0;
    // Refused for now; lost after the mail was handed over; a login that is wrong is nobody's mail's fault.
    const says: Record<string, string | null> = {
      "RCPT TO": "451 later",
      "the end of the mail": null,
      "MAIL FROM": "530 log in",
    };
    for (const [command, answer] of Object.entries(says)) {
      server.says = (said) => (said.startsWith(command) ? answer : undefined);
      if (troubles === 0) await askReset(email);
      else app.advance(16 * 60);
      troubles += 1;
      const tried = () =>
        query("SELECT FROM mails WHERE recipient = $1 AND state = 'pending' AND attempts = $2", [email, troubles]);
      await eventually(async () => (await tried()).length === 1, `attempt ${troubles}`);
    }
    server.says = () => undefined;
    app.advance(16 * 60);
    const mail = await mailTo(email);
    const [row] = await query<{ id: string }>("SELECT id FROM mails WHERE recipient = $1", [email]);
    assert.ok(mail.headers.get("message-id")?.startsWith(`<${row?.id}@`));
    assert.equal(server.received.filter(({ to }) => to.includes(email)).length, 1);
  });

  test("a recipient that the server refuses for good is given up at once; trouble that lasts, when the token is of no use", async () => {
    const { email } = await app.signUp();
    server.says = (command) => (command.startsWith("RCPT") ? `550 no such user <${email}>` : undefined);
    const refused = await outcome(email, "given_up");
    assert.deepEqual([refused.attempts, refused.error, refused.sealed], [1, "EENVELOPE 550 to RCPT TO", null]);

    server.says = (command) => (command.startsWith("EHLO") ? null : undefined);
    const later = await outcome(email, "pending");
    app.advance(3_600);
    const over = await eventually(
      async () =>
        (
          await query<{ state: string; sealed: null }>(
            "SELECT state, sealed FROM mails WHERE id = $1 AND state = 'given_up'",
            [later.id],
          )
        )[0],
    );
    assert.equal(over.sealed, null);
    assert.ok(!app.log.join().includes("no such user"), "what a server says may hold anything");
  });

  test("nothing that people write becomes a header, a recipient or a paragraph of its own", async () => {
    const strange = "a,b;c&d=e@shop.example";
    const name = "Kop\r\nBcc: thief@other.example\r\n\r\nVisit us\u2028now \u{1f375} æøå";
    const account = await app.newAccount();
    const changed = await account.owner("PATCH", "/account", { body: { shop_name: name } });
    assert.equal(changed.status, 200, changed.text);
    const invited = await account.owner("POST", "/agreements", { body: { user_email: strange } });
    assert.equal(invited.status, 201, invited.text);
    const quoted = '"a,b;c&d=e"@shop.example';
    const mail = await mailTo(quoted);
    assert.deepEqual([mail.to, mail.headers.get("to")], [[quoted], `<${quoted}>`]);
    assert.ok(!mail.headers.has("bcc"));
    assert.equal(mail.text.split("\n\n")[0], `You are invited to work on the merchant account of ${oneLine(name)}:`);
    assert.ok(!server.commands.some((command) => command.includes("thief")));
    for (const { subject, text } of [
      mail_texts.access_request({ shop: name, name, email: name, link: manager }),
      mail_texts.access_granted({ shop: name, link: manager }),
    ]) {
      assert.doesNotMatch(subject, /[\r\n\u2028]/);
      assert.doesNotMatch(text, /^(Bcc|Visit)/m);
    }
  });
});

describe("invitations", () => {
  test("are mailed with the token that the inviter sees too, which lets a new person in", async () => {
    const email = `invited-${addresses}@shop.example`;
    const invited = await shop.owner("POST", "/agreements", { body: { user_email: email } });
    const mail = await mailTo(email);
    assert.equal(mail.headers.get("subject"), "You are invited to Kop og Kande");
    const token = tokenIn(mail);
    assert.equal(token, invited.body.invitation_token);
    assert.ok(mail.text.includes(`\n${manager}/invitations/${invited.body.id}#token=${token}\n`));
    const body = { name: "Bo", email, password: "seven green lanterns", token };
    assert.equal((await app.anonymous("POST", "/users", { body })).status, 201);
  });
});

describe("access requests", () => {
  type Asked = { id: number; state: string; account_id: number };
  const ask = (call: TestAccount["call"], account_id: number, message = "I keep your books") =>
    call("POST", "/access-requests", { body: { account_id, message } });

  test("owners are mailed and see who asks; what they grant is what they say, and nothing if they say nothing", async () => {
    const [ida, bo, eva] = [await app.signUp(), await app.signUp(), await app.signUp()];
    const asked = await ask(ida.call, shop.id);
    assert.equal(asked.status, 201, asked.text);
    const { id } = asked.body;
    assert.equal(asked.headers.get("location"), `${app.url}/access-requests/${id}`);
    assert.deepEqual(
      [asked.body.state, asked.body.message, asked.body.agreement_id],
      ["pending", "I keep your books", null],
    );
    const mail = await mailTo(shop.email);
    assert.equal(mail.headers.get("subject"), "Ida Holm asks for access to Kop og Kande");
    assert.ok(mail.text.includes(ida.email) && mail.text.includes(`${manager}/access-requests`));

    const owner = app.client(shop.email, shop.password);
    assert.deepEqual((await owner("GET", "/access-requests")).body, [asked.body]);
    assert.deepEqual((await ida.call("GET", "/access-requests")).body, [], "only owners see them");
    const { id: of_bo } = (await ask(bo.call, shop.id)).body;
    const { id: of_eva } = (await ask(eva.call, shop.id)).body;

    const granted = await owner("PATCH", `/access-requests/${id}`, { body: { granted: true } });
    assert.deepEqual([granted.status, granted.body.state], [200, "granted"]);
    assert.match((await mailTo(ida.email)).text, /connected to the merchant account of Kop og Kande/);
    const [agreement] = (await ida.call("GET", "/agreements")).body;
    assert.deepEqual(
      [agreement.id, agreement.owner, agreement.accepted, agreement.acl_permissions],
      [granted.body.agreement_id, false, true, []],
    );
    assert.equal((await ida.call("GET", "/payments")).status, 403);
    const acl_permissions = [{ resource: "/payments", get: true, post: false }];
    const more = await owner("PATCH", `/access-requests/${of_bo}`, { body: { granted: true, acl_permissions } });
    assert.equal(more.status, 200);
    assert.deepEqual(
      [(await bo.call("GET", "/payments")).status, (await bo.call("POST", "/payments")).status],
      [200, 403],
    );
    const refused = await owner("PATCH", `/access-requests/${of_eva}`, { body: { granted: false } });
    assert.deepEqual([refused.body.state, refused.body.agreement_id], ["refused", null]);
    assert.deepEqual((await eva.call("GET", "/agreements")).body, []);

    const answered = await owner("PATCH", `/access-requests/${of_eva}`, { body: { granted: true } });
    assert.deepEqual(refusal(answered), [409, "Conflict: the access request was answered already"]);
    const listed = await owner("GET", "/access-requests?state=granted&page_size=1");
    assert.deepEqual(
      listed.body.map((one: Asked) => one.id),
      [of_bo],
      "newest first, page by page",
    );
    assert.match(listed.headers.get("link") ?? "", /rel="next"/);
    assert.equal((await ask(ida.call, shop.id)).status, 409, "connected already");
    assert.equal((await ask(eva.call, shop.id)).status, 201, "a no is not for ever");
    const trail = await shop.owner("GET", `/activity?target_type=Agreement&target_id=${agreement.id}`);
    assert.deepEqual(
      trail.body.map(({ action }: { action: string }) => action),
      ["create"],
    );
  });

  test("only an owner of that account answers, from an address that her agreement allows", async () => {
    const [member, stranger] = [
      await newMember(app, shop, ["GET /payments", "POST /agreements", "PATCH /agreements/:id"]),
      await app.newAccount(),
    ];
    const { id } = (await ask((await app.signUp()).call, shop.id)).body;
    const body = { granted: true };
    for (const call of [member.alone, member.call, app.client(stranger.email, stranger.password)]) {
      assert.deepEqual((await call("GET", "/access-requests")).body, []);
      const answer = await call("PATCH", `/access-requests/${id}`, { body });
      assert.deepEqual(refusal(answer), [404, `Not found: No AccessRequest with id ${id}`]);
    }
    assert.equal((await shop.call("PATCH", `/access-requests/${id}`, { body })).status, 403, "a key is nobody");
    const own = (await shop.owner("GET", "/agreements?me=true")).body[0].id;
    const restrict = (ip_restriction: object[]) =>
      shop.owner("PATCH", `/agreements/${own}`, { body: { ip_restriction } });
    assert.equal((await restrict([{ address: "127.0.0.1" }])).status, 200);
    const owner = app.client(shop.email, shop.password);
    const elsewhere = await owner("PATCH", `/access-requests/${id}`, { body, headers: afar() });
    assert.equal(elsewhere.status, 404);
    assert.equal((await restrict([])).status, 200);
    assert.equal((await owner("PATCH", `/access-requests/${id}`, { body })).status, 200);
  });

  test("whether there is such an account is not told, and nobody asks for many", async () => {
    const { call } = await app.signUp();
    const shape = (answer: Answer) => [
      answer.status,
      Object.entries(answer.body).map(([name, value]) => [name, typeof value]),
    ];
    const [known, unknown] = [await ask(call, shop.id), await ask(call, 2_000_000_000)];
    assert.deepEqual(shape(known), shape(unknown));
    for (const account_id of [shop.id, 2_000_000_000]) {
      const again = await ask(call, account_id);
      assert.deepEqual([again.status, again.body.errors], [409, { account_id: ["you have asked for this already"] }]);
    }
    for (let i = 3; i <= 10; i++) assert.equal((await ask(call, i)).status, 201);
    const enough = await ask(call, 11);
    assert.deepEqual(refusal(enough), [429, "Too many access requests"]);
    assert.match(enough.headers.get("retry-after") ?? "", /^\d+$/);
    app.advance(24 * 3_600 + 1);
    assert.equal((await ask(call, 11)).status, 201);
  });
});

describe("without SMTP", () => {
  test("under start mail lands in the mailbox, for `coolpay mailbox` to show", async () => {
    const own = await startApp({ settings: { smtp: null }, beside: app });
    try {
      const { email } = await app.signUp();
      await askReset(email, own);
      const config = { master_key_file: `${app.data_dir}/master.key` } as Config;
      const mails = await mailbox({ own: config, database_url: app.database_url });
      const mail = mails.at(-1) ?? "";
      assert.ok(mail.startsWith(`To: ${email}\nDate: `), mail);
      const token = /#token=([\w-]{43})$/m.exec(mail)?.[1] ?? "";
      assert.equal((await reset(token, "seven green lanterns", own)).status, 204);

      for (let i = 0; i < 3; i++) await askReset(email, own);
      const now = own.services.clock.now();
      const count = async (what: string) =>
        (await query<{ count: number }>(`SELECT count(*)::int FROM ${what}`))[0]?.count;
      await forgetMails(own.services.pool, { now, mails_before: new Date(0), kept_max: 2 });
      assert.deepEqual(
        [await count("mails WHERE state = 'kept'"), await count("mails WHERE state = 'nobody'")],
        [2, 0],
      );
      const later = new Date(now.getTime() + 8 * 86_400_000);
      await forgetMails(own.services.pool, { now: later, mails_before: later, kept_max: 2 });
      assert.deepEqual([await count("mails WHERE state <> 'pending'"), await count("mail_tokens")], [0, 0]);
    } finally {
      await own.stop();
    }
  });

  test("under serve there is no mail: everybody is told so, nothing is written, and invitations are handed on", async () => {
    const strict = await startApp({ settings: { smtp: null, mode: "serve" }, beside: app });
    try {
      const { email, password } = await app.signUp();
      const was = await query("SELECT count(*) AS count FROM mails");
      const sentence = "Mail is not configured: ask the operator of this installation";
      for (const asked of [email, "nobody@shop.example"])
        assert.deepEqual(refusal(await askReset(asked, strict)), [503, sentence]);
      const verification = await strict.client(email, password)("POST", "/user/verification");
      assert.deepEqual(refusal(verification), [503, sentence]);
      const owner = strict.client(shop.email, shop.password, { "CoolPay-Account-Id": String(shop.id) });
      const invited = await owner("POST", "/agreements", { body: { user_email: "new@shop.example" } });
      assert.match(invited.body.invitation_token, /^[\w-]{43}$/);
      assert.deepEqual(await query("SELECT count(*) AS count FROM mails"), was);
    } finally {
      await strict.stop();
    }
  });
});
