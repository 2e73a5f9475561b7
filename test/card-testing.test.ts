// Against card testing: an honest shopper hardly notices, whoever tries many cards is slowed down, in all processes together,
// and nothing tells why a card was declined. Operations are real ones of the simulator; only the window in between is not.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { mail_texts } from "../src/domain/mail-texts.ts";
import type { Operation, Transaction } from "../src/domain/transaction.ts";
import { attemptEnded, guard, isDecline, type Verdict, workAhead } from "../src/services/card-testing.ts";
import { watchAttempts } from "../src/services/card-testing-alarm.ts";
import { openMail } from "../src/services/mails.ts";
import { networkHash, networkOf } from "../src/services/network.ts";
import { find } from "../src/services/payments.ts";
import { checkWork, isSolved, newWork, type Work } from "../src/services/proof-of-work.ts";
import { alarmCount, forgetAttempts } from "../src/storage/card-testing.ts";
import { keptMails } from "../src/storage/mails.ts";
import { startApp, type TestAccount, type TestApp } from "./support/app.ts";

let app: TestApp;
let beside: TestApp;
let shop: TestAccount;
before(async () => {
  app = await startApp();
  beside = await startApp({ beside: app });
  shop = await app.newAccount();
  stopClocks();
});
after(async () => {
  await beside.stop();
  await app.stop();
});

// Stands still between two moves, so that seconds can be told exactly however busy the machine is.
let now_ms = Date.now();
const stopClocks = (): void => {
  for (const { services } of [app, beside]) Object.assign(services.clock, { now: () => new Date(now_ms) });
};
const advance = (seconds: number): void => {
  now_ms += seconds * 1000;
};

// Not a test card; nothing here sends it anywhere.
const card_number = "4571736000007773";
const test_card = "1000000000000016";

let addresses = 0;
const newAddress = (): string => `203.0.113.${++addresses}`;
const all_slots = Array.from({ length: 16 }, (_, slot) => slot);

const nobody = (): Pick<Transaction, "account_id" | "operations"> => ({ account_id: shop.id, operations: [] });
const ended = (status_code: string): Operation =>
  ({ type: "authorize", pending: false, status_code }) as unknown as Operation;

type Asking = { readonly work?: { id: string; answer: string }; readonly at?: TestApp; readonly card?: string };
const ask = (address: string, { work, at = app, card = card_number }: Asking = {}): Promise<Verdict> =>
  guard(at.services, { transaction: nobody(), address, card_number: card, work: work ?? null });
const tell = (address: string, status_code: string | null, card = card_number): Promise<void> =>
  attemptEnded(
    app.services,
    { transaction: nobody(), address, card_number: card },
    status_code === null ? null : ended(status_code),
  );

/** An attempt that is let through and ends so. */
async function attempt(address: string, status_code: string, asking: Asking = {}): Promise<void> {
  assert.deepEqual(await ask(address, asking), { kind: "go" });
  await tell(address, status_code, asking.card);
}

function solve({ challenge, bits }: Pick<Work, "challenge" | "bits">): string {
  for (let n = 0; ; n++) if (isSolved({ challenge, bits, answer: String(n) })) return String(n);
}

function workOf(verdict: Verdict): Work {
  assert.equal(verdict.kind, "work");
  return verdict.kind === "work" ? verdict.work : assert.fail();
}

const kind = async (verdict: Promise<Verdict>): Promise<string> => (await verdict).kind;

describe("a link", () => {
  let orders = 0;
  async function newPayment() {
    orders += 1;
    const made = await shop.call("POST", "/payments", { body: { order_id: `testing-${orders}`, currency: "DKK" } });
    const declined = (number = test_card) =>
      shop.call("POST", `/payments/${made.body.id}/authorize?synchronized`, {
        body: { amount: 100, card: { number, expiration: "3112", cvd: "208" } },
      });
    const asked = async (): Promise<Verdict> => {
      const transaction = await find(app.services, { account_id: shop.id, type: "Payment", id: made.body.id });
      return guard(app.services, { transaction, address: newAddress(), card_number, work: null });
    };
    return { declined, asked };
  }

  test("takes no sixth card within ten minutes, from whichever address, and says when it does", async () => {
    const { declined, asked } = await newPayment();
    for (let n = 0; n < 4; n++) assert.equal((await declined()).body.state, "rejected");
    assert.deepEqual(await asked(), { kind: "go" });
    await declined();
    const closed = await asked();
    assert.ok(closed.kind === "link_closed" && closed.wait_s > 590 && closed.wait_s <= 600, JSON.stringify(closed));
    advance(closed.wait_s);
    assert.deepEqual(await asked(), { kind: "go" });
  });

  test("does not count that 3-D Secure is required", async () => {
    const { declined, asked } = await newPayment();
    for (let n = 0; n < 6; n++) await declined("1000000000000073");
    assert.deepEqual(await asked(), { kind: "go" });
  });
});

test("a decline is what somebody refused: not an outage, an abort or a wish for 3-D Secure", () => {
  const codes = "20000 20200 30100 30101 40000 40001 40002 40003 40300 41000 42300 50000 50300".split(" ");
  assert.deepEqual(
    codes.filter((code) => isDecline(ended(code))),
    ["40000", "40001", "40300", "41000", "42300"],
  );
  assert.ok(!isDecline({ ...ended("40000"), pending: true }) && !isDecline({ ...ended("40000"), type: "capture" }));
});

describe("an address", () => {
  test("waits 1, 2, 4 s after its third decline, and from the sixth on proves work too", async () => {
    const address = newAddress();
    for (let n = 0; n < 3; n++) await attempt(address, "40000");
    for (const wait_s of [1, 2, 4]) {
      assert.deepEqual(await ask(address), { kind: "slow_down", wait_s });
      advance(wait_s - 0.5);
      assert.equal(await kind(ask(address)), "slow_down");
      advance(0.5);
      await attempt(address, "40000");
    }
    const work = workOf(await ask(address));
    const solved = { id: work.id, answer: solve(work) };
    const early = await ask(address, { work: solved });
    assert.deepEqual(early, { kind: "slow_down", wait_s: 8 });
    advance(8);
    await attempt(address, "40000", { work: solved });
    assert.equal(await kind(ask(newAddress())), "go", "others are not troubled");
    assert.deepEqual(await ask(address, { card: test_card }), { kind: "go" }, "nor are test cards");
  });

  test("waits a minute at most, and is free an hour later", async () => {
    const address = newAddress();
    for (let n = 0; n < 30; n++) await tell(address, "40000");
    const work = workOf(await ask(address));
    assert.ok(work.bits > 17 && work.bits <= 19, `${work.bits} bits`);
    advance(60);
    await attempt(address, "40000", { work: { id: work.id, answer: "" } });
    advance(3_601);
    assert.deepEqual(await ask(address), { kind: "go" });
  });

  test("is forgiven half by an approval, and nothing by a test card's", async () => {
    const address = newAddress();
    for (let n = 0; n < 6; n++) await tell(address, "40000");
    advance(60);
    await tell(address, "20000", test_card);
    assert.equal(await kind(ask(address)), "work");
    await tell(address, "20000");
    await attempt(address, "40000");
    assert.deepEqual(await ask(address), { kind: "slow_down", wait_s: 2 }, "three of six, and one more");
  });

  test("tries no more at once than one after the other, in two processes", async () => {
    const address = newAddress();
    const verdicts = await Promise.all(
      Array.from({ length: 60 }, (_, n) => ask(address, { at: n % 2 === 0 ? app : beside })),
    );
    const went = verdicts.filter(({ kind }) => kind === "go").length;
    // Three are free, three more count as declines until they end; then each waits for its turn.
    assert.ok(went >= 1 && went <= 6, `${went} went`);
    for (let n = 0; n < went; n++) await tell(address, null);
    assert.deepEqual(await ask(address), { kind: "go" }, "none was declined");
  });

  test("gets one turn for many attempts at the same moment", async () => {
    const address = newAddress();
    for (let n = 0; n < 4; n++) await tell(address, "40000");
    advance(2);
    const verdicts = await Promise.all(
      Array.from({ length: 20 }, (_, n) => ask(address, { at: n % 2 === 0 ? app : beside })),
    );
    assert.equal(verdicts.filter(({ kind }) => kind === "go").length, 1);
  });

  test("whose attempt was never told of waits for it two minutes at most", async () => {
    const address = newAddress();
    for (let n = 0; n < 6; n++) await ask(address);
    assert.equal(await kind(ask(address)), "slow_down");
    advance(121);
    assert.deepEqual(await ask(address), { kind: "go" });
  });

  test("is a network: of IPv6 its first 64 bits, and of IPv4 itself however it is spelt", () => {
    const same = ["2001:DB8:0:7::1", "2001:db8:0:7:ffff::2%eth0", "2001:0db8:0000:0007:1:2:3:4"].map(networkOf);
    assert.deepEqual(new Set(same), new Set(["2001:db8:0:7"]));
    assert.equal(networkOf("::1"), "0:0:0:0");
    assert.equal(networkOf("2001:db8:0:8::1"), "2001:db8:0:8");
    assert.deepEqual(
      ["::ffff:203.0.113.9", "::FFFF:cb00:7109", "203.0.113.9"].map(networkOf),
      Array.from({ length: 3 }, () => "203.0.113.9"),
    );
    assert.equal(networkOf("unknown"), "unknown");
  });
});

describe("a proof of work", () => {
  const asked = (): { account_id: number; network: Buffer } => ({
    account_id: shop.id,
    network: networkHash(app.services.seal, shop.id, newAddress()),
  });

  test("is right when the hash says so, and for nothing else", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 12 }), (n, bits) => {
        const hash = createHash("sha256").update(`challenge:${n}`).digest("hex");
        const zeros = BigInt(`0x${hash}`).toString(2).padStart(256, "0").indexOf("1");
        return isSolved({ challenge: "challenge", bits, answer: String(n) }) === zeros >= bits;
      }),
    );
    for (const answer of ["", "-1", "1e3", " 1", "1".repeat(16), "٣"])
      assert.equal(isSolved({ challenge: "challenge", bits: 1, answer }), false);
  });

  test("counts for whom it was asked of, for ten minutes, as it was asked", () => {
    const who = asked();
    const work = newWork(app.services, who);
    const solved = { id: work.id, answer: solve(work) };
    const check = (over: object = {}, given = solved) => checkWork(app.services, { ...who, ...over }, given);
    const done = check();
    assert.ok(done !== "unknown" && done.kind === "done");
    assert.equal(check({ account_id: shop.id + 1 }), "unknown");
    assert.equal(check({ network: asked().network }), "unknown");
    const easier = work.id.replace(/\.17\./, ".01.");
    assert.notEqual(easier, work.id);
    assert.equal(check({}, { ...solved, id: easier }), "unknown");
    for (const id of ["", "x", work.id.slice(0, -1), `${work.id}x`, "0".repeat(5_000)])
      assert.equal(check({}, { ...solved, id }), "unknown");
    // The last character's low bits mean nothing in base64: the challenge and the name of what was used stay the same.
    const respelt = work.id.replace(/.$/, (last) => String.fromCharCode(last.charCodeAt(0) ^ 1));
    const again = check({}, { ...solved, id: respelt });
    assert.ok(again === "unknown" || (again.kind === "done" && again.id === done.id));
    advance(601);
    assert.equal(check(), "unknown");
  });

  test("lets one attempt through, however many bring it at once", async () => {
    const address = newAddress();
    for (let n = 0; n < 6; n++) await tell(address, "40000");
    const work = workOf(await ask(address));
    const solved = { id: work.id, answer: "" };
    advance(60);
    const verdicts = await Promise.all([app, beside, app].map((at) => ask(address, { work: solved, at })));
    assert.equal(verdicts.filter(({ kind }) => kind === "go").length, 1);
    advance(60);
    assert.notEqual(workOf(await ask(address, { work: solved })).id, work.id, "a used one is answered with another");
  });

  test("can be waited for instead: a minute, and then it passes once", async () => {
    const address = newAddress();
    for (let n = 0; n < 6; n++) await tell(address, "40000");
    const work = workOf(await ask(address));
    assert.equal(work.patience_s, 60);
    const waited = { id: work.id, answer: "" };
    advance(20);
    const same = workOf(await ask(address, { work: waited }));
    assert.deepEqual([same.id, same.challenge], [work.id, work.challenge], "who asks early does not begin anew");
    assert.ok(same.patience_s > 38 && same.patience_s <= 40);
    advance(40);
    await attempt(address, "40000", { work: waited });
    advance(60);
    assert.equal(await kind(ask(address, { work: waited })), "work");
  });

  test("is shown ahead where it will be asked for", async () => {
    const address = newAddress();
    const ahead = () => workAhead(app.services, { account_id: shop.id, address });
    assert.equal(await ahead(), null);
    for (let n = 0; n < 6; n++) await tell(address, "40000");
    const work = await ahead();
    assert.ok(work !== null);
    advance(60);
    assert.deepEqual(await ask(address, { work: { id: work.id, answer: "" } }), { kind: "go" });
  });
});

describe("the page's script", () => {
  const source = readFileSync(join(import.meta.dirname, "../src/window/script/work.js"), "utf8");

  /** As much of a browser as it asks for. */
  function page(dataset: Record<string, string>) {
    const listeners: ((event: object) => void)[] = [];
    const sent: unknown[] = [];
    const form = { requestSubmit: (submitter: unknown) => void sent.push(submitter) };
    const input = { dataset, form, value: "" };
    const status = { textContent: "" };
    const document = {
      querySelector: (selector: string) => (selector.startsWith("input") ? input : status),
      addEventListener: (_: string, listener: (event: object) => void) => void listeners.push(listener),
    };
    const waiting: (() => void)[] = [];
    const setTimeout = (next: () => void) => void waiting.push(next);
    let now_ms = 0;
    const performance = { now: () => (now_ms += 4) };
    runInContext(source, createContext({ document, performance, setTimeout }));
    const submit = (): boolean => {
      let prevented = false;
      const event = {
        target: form,
        submitter: "Pay",
        preventDefault: () => {
          prevented = true;
        },
        stopImmediatePropagation: () => {},
      };
      for (const listener of listeners) listener(event);
      return prevented;
    };
    /** One slice at a time. */
    const finish = () => {
      let slices = 0;
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift(), slices++) next();
      return slices;
    };
    return { input, status, submit, finish, sent };
  }

  test("finds the answer that we accept, in short slices, and holds the form until then", () => {
    const texts = { working: "One moment …", done: "Ready" };
    const work = { challenge: "c".repeat(32), bits: 17 };
    const { input, status, submit, finish, sent } = page({ ...texts, challenge: work.challenge, bits: "17" });
    assert.equal(input.value, "");
    assert.equal(submit(), true, "held");
    assert.deepEqual([status.textContent, sent], [texts.working, []]);
    const slices = finish();
    assert.equal(String(input.value), solve(work), "the same hashes as ours, number for number");
    // Each look at the clock takes 4 ms here, and a slice 8.
    assert.equal(slices, Math.floor(Number(input.value) / 128));
    assert.deepEqual([status.textContent, sent], [texts.done, ["Pay"]]);
    assert.equal(submit(), false, "then the form leaves at once");
  });

  test("can read every challenge that we give", () => {
    const who = { account_id: shop.id, network: networkHash(app.services.seal, shop.id, newAddress()) };
    const { challenge } = newWork(app.services, who);
    assert.ok(`${challenge}:${"9".repeat(15)}`.length <= 55, "one block of SHA-256");
  });

  test("does nothing on a page that asks for no work", () => {
    const document = { querySelector: () => null };
    runInContext(source, createContext({ document }));
  });

  test("weighs less than 2 kB", () => {
    assert.ok(gzipSync(source).length < 2_000);
  });
});

describe("the alarm", () => {
  const mails = async () => (await keptMails(app.services.pool, 100)).filter(({ kind }) => kind === "card_testing");
  const watch = async () => {
    await app.services.attempts.flush();
    await watchAttempts(app.services, all_slots);
  };
  const trail = async () =>
    (await shop.owner("GET", "/activity?target_type=Account")).body
      .filter(({ action }: { action: string }) => action === "card-testing-alarm")
      .map(({ changes }: { changes: { alarm: [boolean, boolean] } }) => changes.alarm[1])
      .reverse();
  const afar = async (count: number, status_code: string, card = card_number) => {
    for (let n = 0; n < count; n++) await tell(`198.51.100.${n}`, status_code, card);
  };

  test("goes on when most of twenty attempts are declined, and every attempt then proves work", async () => {
    advance(3_600);
    await watch();
    await afar(10, "20000");
    await afar(10, "40000");
    await watch();
    assert.equal(await kind(ask(newAddress())), "go", "half is not most");
    await afar(1, "40000");
    await watch();
    assert.equal(await alarmCount(app.services.pool), 1);
    const work = workOf(await ask(newAddress(), { at: beside }));
    assert.equal(work.bits, 17);
    assert.deepEqual(await trail(), [true]);
    assert.ok(app.log.some((line) => line.includes("card testing: most attempts are declined")));
    const metrics = await (await fetch(`${app.app.addresses.metrics_url}/metrics`)).text();
    assert.match(metrics, /^coolpay_card_testing_alarm 1$/m);
  });

  test("is mailed to the merchant, once", async () => {
    await Promise.all([watch(), watchAttempts(beside.services, all_slots)]);
    const [mail, ...more] = await mails();
    assert.ok(mail !== undefined && more.length === 0);
    assert.equal(mail.recipient, shop.email);
    const { subject, text } = openMail(app.services, mail);
    assert.equal(subject, "Many cards are declined at Kop og Kande");
    assert.match(text, /11 of 21 payments/);
    assert.ok(!mail_texts.card_testing({ shop: "A\nB", attempts: 1, declined: 1, link: "" }).subject.includes("\n"));
  });

  test("goes off after ten minutes of fewer than a third, and is not mailed again within the hour", async () => {
    advance(540);
    await watch();
    assert.equal(await alarmCount(app.services.pool), 1, "not before");
    advance(120);
    await afar(2, "20000");
    await afar(1, "40000");
    await watch();
    assert.equal(await alarmCount(app.services.pool), 1, "a third is not less");
    await afar(1, "20000");
    await watch();
    assert.equal(await alarmCount(app.services.pool), 0);
    assert.equal(await kind(ask(newAddress())), "go");
    // In the trail what happens in one millisecond has no order.
    advance(1);
    await afar(21, "40000");
    await watch();
    assert.deepEqual(await trail(), [true, false, true]);
    assert.equal((await mails()).length, 1);
  });

  test("of test cards stands apart, and mails nobody", async () => {
    advance(7_200);
    await watch();
    await afar(21, "40000", test_card);
    await watch();
    assert.equal(await alarmCount(app.services.pool), 0);
    assert.equal(await kind(ask(newAddress(), { card: test_card })), "work");
    assert.equal(await kind(ask(newAddress())), "go");
    assert.equal((await mails()).length, 1);
  });

  test("counts what every process has seen", async () => {
    advance(7_200);
    await watch();
    const noted = (at: TestApp, count: number) => {
      for (let n = 0; n < count; n++)
        at.services.attempts.note({
          account_id: shop.id,
          test_mode: false,
          at: app.services.clock.now(),
          declined: true,
        });
    };
    noted(app, 12);
    noted(beside, 12);
    await Promise.all([app.services.attempts.flush(), beside.services.attempts.flush()]);
    await watchAttempts(beside.services, all_slots);
    assert.equal(await alarmCount(app.services.pool), 1);
  });
});

test("no address stands in the database, and nothing is left after a day", async () => {
  const { pool } = app.services;
  await tell("2001:db8:77:7::1", "40000");
  await tell("192.0.2.77", "40000");
  const tables = ["card_attempts", "card_attempt_work", "card_attempt_minutes", "card_testing_alarms"];
  const rows = async () =>
    (
      await Promise.all(tables.map((table) => pool.query<{ text: string }>(`SELECT r::text AS text FROM ${table} r`)))
    ).map(({ rows: some }) => some.map(({ text }) => text));
  const there = await rows();
  for (const [i, table] of tables.entries()) assert.ok((there[i] ?? []).length > 0, `${table} was looked at`);
  const text = there.flat().join("\n");
  for (const address of ["2001:db8:77:7", "192.0.2.77", "203.0.113"]) {
    for (const form of [
      address,
      Buffer.from(address).toString("hex"),
      createHash("sha256").update(address).digest("hex"),
    ])
      assert.ok(!text.includes(form), `${address} stands there`);
  }
  advance(7_200);
  await watchAttempts(app.services, all_slots);
  await forgetAttempts(pool, new Date(app.services.clock.now().getTime() + 1_000));
  assert.deepEqual((await rows()).flat(), []);
});
