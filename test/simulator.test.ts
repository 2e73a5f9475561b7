// The simulator: the acquirer contract, every test card, delays, sessions, faults, and its book.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Acquirer, Order, Outcome, Verb } from "../src/acquirers/acquirer.ts";
import { simulatorPages } from "../src/acquirers/simulator/pages.ts";
import { createSimulator } from "../src/acquirers/simulator/simulator.ts";
import type { Card } from "../src/domain/card.ts";
import { type Scenario, test_cards } from "../src/domain/test-cards.ts";
import { acquirerContract, ask, newOrder, patience, type Subject } from "./support/acquirer-contract.ts";
import { type TestDatabase, testDatabase } from "./support/postgres.ts";

const cardWith = (number: string, more: Partial<Card> = {}): Card => ({
  number,
  exp_month: 12,
  exp_year: 2031,
  cvd: "208",
  brand: "visa",
  issued_to: null,
  three_d_secure: null,
  ...more,
});
const cards = Object.fromEntries(
  test_cards.filter(({ brand }) => brand === "visa").map(({ scenario, number }) => [scenario, cardWith(number)]),
) as Record<Scenario, Card>;

const pages_url = () => "https://window.example";

async function simulated(latency_ms: number): Promise<Subject & { pool: pg.Pool; database: TestDatabase }> {
  const database = await testDatabase({ migrated: true });
  const pool = new pg.Pool({ connectionString: database.url, max: 3 });
  // It stands still, so that a test can stop just before something is due.
  let now_ms = Date.UTC(2026, 0, 12, 9, 14);
  const clock = { now: () => new Date(now_ms) };
  return {
    acquirer: createSimulator({ pool, clock, pages_url, latency_ms }),
    card: cards.approved,
    declined: cards.rejected,
    now: clock.now,
    advance: (ms) => {
      now_ms += ms;
    },
    async effects(reference) {
      const { rowCount } = await pool.query(
        "SELECT FROM simulator.book WHERE reference = $1 AND outcome = 'approved'",
        [reference],
      );
      return rowCount ?? 0;
    },
    pool,
    database,
    async stop() {
      await pool.end();
      await database.drop();
    },
  };
}

acquirerContract("the simulator", () => simulated(0));
acquirerContract("a simulator that thinks before it answers", () => simulated(20));

describe("the simulator", () => {
  let subject: Awaited<ReturnType<typeof simulated>>;
  let acquirer: Acquirer;
  before(async () => {
    subject = await simulated(0);
    acquirer = subject.acquirer;
  });
  after(() => subject.stop());

  const send = (verb: Verb, more: Partial<Order>): Promise<Outcome> => ask(acquirer, verb, newOrder(more));
  const find = (order: Order, begun_at = subject.now()) => acquirer.find({ ...order, begun_at }, patience());

  /** `approved`, `waiting`, or the code and words of the refusal. */
  const told = (outcome: Awaited<ReturnType<typeof find>>): string => {
    if (outcome.kind === "unknown") return outcome.waiting === true ? "waiting" : outcome.reason;
    if (outcome.kind === "rejected") return `${outcome.status_code} ${outcome.acquirer_status_msg}`;
    return outcome.kind;
  };

  /** What a payment and a subscription with this card hear, from the first order to the last. */
  async function life(number: string): Promise<Record<string, string>> {
    const heard: Record<string, string> = {};
    /** An order's answer, a minute later where it takes that long. */
    async function tell(what: string, verb: Verb, more: Partial<Order>): Promise<string | null> {
      const order = newOrder(more);
      let outcome: Awaited<ReturnType<typeof find>> = await ask(acquirer, verb, order);
      heard[what] = told(outcome);
      if (outcome.kind === "unknown") {
        subject.advance(59_999);
        assert.equal(told(await find(order)), "waiting");
        subject.advance(1);
        outcome = await find(order);
        heard[what] += `, then ${told(outcome)}`;
      }
      return outcome.kind === "approved" ? outcome.authorization : null;
    }
    const card = cardWith(number);
    const authorization = await tell("authorize", "authorize", { card });
    if (authorization === null) {
      const three_d_secure = { status: "Y", eci: "05", cavv: "AAAB" };
      await tell("authorize with 3-D Secure", "authorize", { card: { ...card, three_d_secure } });
      return heard;
    }
    await tell("capture", "capture", { authorization });
    await tell("refund", "refund", { authorization });
    await tell("cancel", "cancel", { authorization: await tell("another", "authorize", { card }), amount: 0 });
    const subscription = await tell("subscribe", "authorize", { card, amount: 0 });
    await tell("recurring", "recurring", { authorization: subscription });
    await tell("recurring again", "recurring", { authorization: subscription });
    return heard;
  }

  const approved_life = {
    authorize: "approved",
    capture: "approved",
    refund: "approved",
    another: "approved",
    cancel: "approved",
    subscribe: "approved",
    recurring: "approved",
    "recurring again": "approved",
  };
  const no = "40000 Rejected";
  const lives: Readonly<Record<Scenario, Readonly<Record<string, string>>>> = {
    approved: approved_life,
    rejected: { authorize: no, "authorize with 3-D Secure": no },
    expired: { authorize: "40000 Card expired", "authorize with 3-D Secure": "40000 Card expired" },
    // Nothing was captured, so there is nothing to refund.
    capture_rejected: { ...approved_life, capture: no, refund: "40000 Amount exceeds the captures" },
    refund_rejected: { ...approved_life, refund: no },
    cancel_rejected: { ...approved_life, cancel: no },
    recurring_rejected: { ...approved_life, recurring: no, "recurring again": no },
    three_d_secure_required: {
      authorize: "30100 3-D Secure required",
      "authorize with 3-D Secure": "approved",
    },
    authorize_once: { ...approved_life, "recurring again": no },
    delayed: Object.fromEntries(Object.keys(approved_life).map((what) => [what, "waiting, then approved"])),
  };

  for (const { number, brand, scenario } of test_cards) {
    test(`${brand} ${number} is the card that is ${scenario.replaceAll("_", " ")}`, async () => {
      assert.deepEqual(await life(number), lives[scenario]);
    });
  }

  test("a live card is never approved", async () => {
    for (const verb of ["authorize", "credit"] as const) {
      assert.equal(told(await send(verb, { card: cardWith("4111111111111111") })), "40000 Not a test card");
      assert.equal(told(await send(verb, { card: null })), "40000 Card missing");
    }
  });

  test("a payout's credit follows its card", async () => {
    assert.equal(told(await send("credit", { card: cards.approved })), "approved");
    assert.equal(told(await send("credit", { card: cards.rejected })), no);
  });

  test("3-D Secure that failed is no authorization, whatever the card", async () => {
    for (const [status, answer] of [
      ["Y", "approved"],
      ["A", "approved"],
      ["U", "approved"],
      ["N", "40000 3-D Secure failed"],
      ["R", "40000 3-D Secure failed"],
    ] as const) {
      const card = { ...cards.approved, three_d_secure: { status, eci: null, cavv: null } };
      assert.equal(told(await send("authorize", { card })), answer, status);
    }
    const attempted = { ...cards.three_d_secure_required, three_d_secure: { status: "U", eci: null, cavv: null } };
    assert.equal(told(await send("authorize", { card: attempted })), "30100 3-D Secure required");
  });

  test("an authorization of 0 bounds no capture, not even large ones together", async () => {
    const { reference: authorization } = await entered("authorize", { card: cards.approved, amount: 0 });
    for (let i = 0; i < 2; i++) {
      assert.equal(told(await send("capture", { authorization, amount: 2 ** 31 - 1 })), "approved");
    }
    assert.equal(told(await send("refund", { authorization, amount: 2 ** 31 - 1 })), "approved");
  });

  test("money comes back in the currency that it was taken in", async () => {
    const { reference: authorization } = await entered("authorize", { card: cards.approved });
    const other = await send("capture", { authorization, currency: "EUR" });
    assert.equal(told(other), "40000 Not the authorization's currency");
  });

  test("a renewed authorization keeps its name, and captures build on it", async () => {
    const { reference: authorization } = await entered("authorize", { card: cards.approved });
    const renewed = await send("renew", { authorization, amount: 0 });
    assert.ok(renewed.kind === "approved");
    assert.equal(renewed.authorization, authorization);
    assert.equal(told(await send("capture", { authorization: renewed.authorization })), "approved");
  });

  test("what was cancelled takes no further orders", async () => {
    const { reference: authorization } = await entered("authorize", { card: cards.approved });
    await send("cancel", { authorization, amount: 0 });
    for (const verb of ["capture", "cancel", "renew", "recurring"] as const) {
      assert.equal(told(await send(verb, { authorization })), "40000 Authorization was cancelled", verb);
    }
  });

  async function entered(verb: Verb, more: Partial<Order>): Promise<Order> {
    const order = newOrder(more);
    assert.equal(told(await ask(acquirer, verb, order)), "approved");
    return order;
  }

  describe("a session", () => {
    const session = (wish?: string) => newOrder({ extras: wish === undefined ? {} : { simulator: { session: wish } } });

    test("waits for a shopper who approves after 5 s, and can then be captured", async () => {
      const order = session();
      const outcome = await ask(acquirer, "session", order);
      assert.equal(told(outcome), "waiting");
      assert.deepEqual(outcome.data, { session_id: order.reference });
      subject.advance(4_999);
      assert.equal(told(await find(order)), "waiting");
      subject.advance(1);
      assert.equal(told(await find(order)), "approved");
      assert.equal(told(await send("capture", { authorization: order.reference })), "approved");
    });

    test("ends as the request wished", async () => {
      assert.equal(told(await ask(acquirer, "session", session("approved"))), "approved");
      assert.equal(told(await ask(acquirer, "session", session("rejected"))), "40000 Rejected by the shopper");
      assert.equal(told(await ask(acquirer, "session", session("constructor"))), "waiting");
    });

    test("that waits for ever can be aborted, and then never pays", async () => {
      const order = session("waiting");
      assert.equal(told(await ask(acquirer, "session", order)), "waiting");
      subject.advance(86_400_000);
      assert.equal(told(await find(order)), "waiting");
      assert.equal(told(await send("capture", { authorization: order.reference })), "40000 Unknown authorization");
      assert.equal((await acquirer.abort?.(order, patience()))?.kind, "never_heard");
      assert.equal((await find(order)).kind, "never_heard");
    });
  });

  describe("a session that says where the shopper comes back to", () => {
    const return_url = "https://window.example/abc/return?a=1&b=<2>";
    const session = (more: Partial<Order> = {}) => newOrder({ return_url, method: "mobilepay", ...more });
    const shown = (method: "GET" | "POST", reference: string, body = {}) =>
      simulatorPages({ pool: subject.pool, clock: { now: subject.now }, pages_url })({
        method,
        path: `/simulator/provider/${reference}`,
        body,
      });
    const answer = (order: Order, wish: string) => shown("POST", order.reference, { answer: wish });

    /** A session that waits on its page. */
    async function waiting(more: Partial<Order> = {}): Promise<Order> {
      const order = session(more);
      const outcome = await ask(acquirer, "session", order);
      assert.equal(told(outcome), "waiting");
      const redirect_url = `https://window.example/simulator/provider/${order.reference}`;
      assert.deepEqual(outcome.data, { session_id: order.reference, redirect_url });
      return order;
    }

    test("waits for as long as nobody answers, and says so whenever it is asked", async () => {
      const order = await waiting();
      const begun_at = subject.now();
      subject.advance(30 * 86_400_000);
      const found = await find(order, begun_at);
      assert.equal(told(found), "waiting");
      assert.ok(found.kind === "unknown" && found.data?.redirect_url);
    });

    test("shows what is paid and with what, without inline script or style", async () => {
      const page = await shown("GET", (await waiting({ amount: 24_900 })).reference);
      assert.equal(page.status, 200);
      assert.match(page.html, /<dd>MobilePay<\/dd>/);
      assert.match(page.html, /249\.00 DKK/);
      assert.match(page.html, /Test mode: no money moves/);
      assert.ok(!/ style=| on\w+=|<style|<script>/.test(page.html));
      assert.match(page.headers["Content-Security-Policy"] ?? "", /form-action 'self' https:\/\/window\.example;/);
    });

    for (const [wish, becomes, other] of [
      ["approve", "approved", "decline"],
      ["decline", "40000 Rejected by the shopper", "approve"],
    ] as const) {
      test(`${wish} on its page decides it once, and every answer leads back`, async () => {
        const order = await waiting();
        for (const each of [wish, other, wish, "leave"]) {
          const back = await answer(order, each);
          assert.deepEqual([back.status, back.headers.Location], [303, return_url]);
          assert.equal(told(await find(order)), becomes, each);
        }
        const page = await shown("GET", order.reference);
        assert.match(page.html, /Already answered/);
        assert.equal(told(await ask(acquirer, "session", order)), becomes, "sent again, it is the same session");
      });
    }

    test("approved, it can be captured", async () => {
      const order = await waiting();
      await answer(order, "approve");
      assert.equal(told(await send("capture", { authorization: order.reference })), "approved");
    });

    test("left without an answer it still waits", async () => {
      const order = await waiting();
      assert.equal((await answer(order, "leave")).headers.Location, return_url);
      assert.equal(told(await find(order)), "waiting");
    });

    test("ended by the shop, it cannot be approved any more", async () => {
      const order = await waiting();
      assert.equal((await acquirer.abort?.(order, patience()))?.kind, "never_heard");
      assert.equal((await answer(order, "approve")).headers.Location, return_url);
      assert.match((await shown("GET", order.reference)).html, /The shop has ended it/);
      assert.equal((await find(order)).kind, "never_heard");
      assert.equal(await subject.effects(order.reference), 0);
    });

    test("approved and ended at the same moment: exactly one of them happened, to everybody", async () => {
      const seen = new Set<string>();
      for (let round = 0; round < 12; round++) {
        const order = await waiting();
        // The abort's clock may be behind the page's.
        const abort = acquirer.abort?.(order, patience());
        subject.advance(1);
        const [aborted] = await Promise.all([abort, answer(order, "approve")]);
        const stands = (await find(order)).kind;
        assert.equal(aborted?.kind, stands);
        assert.equal(await subject.effects(order.reference), stands === "approved" ? 1 : 0);
        seen.add(stands);
      }
      assert.ok(
        [...seen].every((kind) => kind === "approved" || kind === "never_heard"),
        [...seen].join(),
      );
    });

    test("an approval stands although the shop's clock is behind the page's", async () => {
      const order = await waiting();
      const behind = createSimulator({
        pool: subject.pool,
        clock: { now: () => new Date(subject.now().getTime() - 60_000) },
        pages_url,
      });
      await answer(order, "approve");
      assert.equal((await behind.abort?.(order, patience()))?.kind, "approved");
      assert.equal(told(await find(order)), "approved");
    });

    test("of an approval and a decline together one stands", async () => {
      const order = await waiting();
      await Promise.all(["approve", "decline", "approve", "decline"].map((wish) => answer(order, wish)));
      const stands = told(await find(order));
      await answer(order, "approve");
      await answer(order, "decline");
      assert.equal(told(await find(order)), stands);
    });

    test("a request's own wish comes before the page", async () => {
      const order = session({ extras: { simulator: { session: "approved" } } });
      assert.equal(told(await ask(acquirer, "session", order)), "approved");
    });

    test("nothing else has a page: no card's authorization, no session without one, nobody's", async () => {
      const card = await entered("authorize", { card: cards.approved, return_url });
      const own = newOrder();
      await ask(acquirer, "session", own);
      for (const reference of [card.reference, own.reference, newOrder().reference, "", "' OR true --", "\0"]) {
        assert.equal((await shown("GET", reference)).status, 404, reference);
        for (const wish of ["approve", "decline", "leave"]) {
          assert.equal((await shown("POST", reference, { answer: wish })).status, 404, reference);
        }
      }
      assert.equal(told(await find(own)), "waiting");
      assert.equal((await answer(await waiting(), "constructor")).status, 400);
    });
  });

  test("a delayed answer can be aborted until it is due", async () => {
    const early = newOrder({ card: cards.delayed });
    const due = newOrder({ card: cards.delayed });
    for (const order of [early, due]) assert.equal(told(await ask(acquirer, "authorize", order)), "waiting");
    assert.equal((await acquirer.abort?.(early, patience()))?.kind, "never_heard");
    subject.advance(60_000);
    assert.equal((await acquirer.abort?.(due, patience()))?.kind, "approved");
    assert.equal((await find(early)).kind, "never_heard");
  });

  describe("a fault on request", () => {
    const faulty = (fault: string) => newOrder({ card: cards.approved, extras: { simulator: { fault } } });

    test("lost_before: the order never arrives", async () => {
      const order = faulty("lost_before");
      const begun_at = subject.now();
      assert.equal(told(await ask(acquirer, "authorize", order)), "the order did not arrive");
      assert.equal(told(await find(order, begun_at)), "it may still be on its way");
      subject.advance(acquirer.late_ms);
      assert.equal((await find(order, begun_at)).kind, "never_heard");
    });

    test("lost_after: it had its effect, and can be found", async () => {
      const order = faulty("lost_after");
      assert.equal(told(await ask(acquirer, "authorize", order)), "the answer was lost");
      assert.equal(told(await find(order)), "approved");
    });

    test("late: it arrives a second later, unless it was given up by then", async () => {
      const [kept, given_up] = [faulty("late"), faulty("late")];
      const begun_at = subject.now();
      for (const order of [kept, given_up]) {
        assert.equal(told(await ask(acquirer, "authorize", order)), "the order has not arrived yet");
      }
      subject.advance(acquirer.late_ms);
      assert.equal((await find(given_up, begun_at)).kind, "never_heard");
      const deadline = performance.now() + 5_000;
      while ((await subject.effects(kept.reference)) === 0) {
        assert.ok(performance.now() < deadline, "it arrives");
        await sleep(50);
      }
      assert.equal(told(await find(kept, begun_at)), "approved");
      assert.equal((await find(given_up, begun_at)).kind, "never_heard");
      assert.equal(await subject.effects(given_up.reference), 0);
    });
  });

  describe("its book", () => {
    test("knows no card number and no CVD", async () => {
      const { reference } = await entered("authorize", { card: { ...cards.approved, cvd: "9173" } });
      const { rows } = await subject.pool.query("SELECT * FROM simulator.book WHERE reference = $1", [reference]);
      assert.equal(rows.length, 1);
      const text = JSON.stringify(rows);
      assert.ok(!text.includes(cards.approved.number) && !text.includes("9173"), text);
      assert.equal(rows[0].scenario, "approved");
    });

    test("outlives the simulator, with all that its cards do", async () => {
      const { reference: authorization } = await entered("authorize", { card: cards.refund_rejected });
      const next = createSimulator({ pool: subject.pool, clock: { now: subject.now }, pages_url });
      assert.equal(told(await ask(next, "capture", newOrder({ authorization }))), "approved");
      assert.equal(told(await ask(next, "refund", newOrder({ authorization }))), no);
    });

    test("is one book for all processes: together they never take more than was authorized", async () => {
      const pools = Array.from({ length: 3 }, () => new pg.Pool({ connectionString: subject.database.url, max: 3 }));
      try {
        const all = pools.map((pool) => createSimulator({ pool, clock: { now: subject.now }, pages_url }));
        const { reference: authorization } = await entered("authorize", { card: cards.approved, amount: 1000 });
        const twice = newOrder({ authorization, amount: 100 });
        const outcomes = await Promise.all(
          all.flatMap((each) => [
            ask(each, "capture", twice),
            ...Array.from({ length: 10 }, () => ask(each, "capture", newOrder({ authorization, amount: 100 }))),
          ]),
        );
        const kinds = outcomes.map(({ kind }) => kind);
        assert.equal(kinds.filter((kind) => kind === "unknown").length, 0);
        const { rows } = await subject.pool.query(
          `SELECT sum(amount)::int AS taken, count(*)::int AS captures FROM simulator.book
           WHERE "authorization" = $1 AND outcome = 'approved'`,
          [authorization],
        );
        assert.deepEqual(rows[0], { taken: 1000, captures: 10 });
      } finally {
        await Promise.all(pools.map((pool) => pool.end()));
      }
    });

    test("says what was received only; if its process ended there, nothing comes of it", async () => {
      const dying = createSimulator({ pool: subject.pool, clock: { now: subject.now }, pages_url, latency_ms: 300 });
      const order = newOrder({ card: cards.approved });
      const begun_at = subject.now();
      const answer = ask(dying, "authorize", order);
      const standing = async () =>
        (
          await subject.pool.query("SELECT outcome, answered FROM simulator.book WHERE reference = $1", [
            order.reference,
          ])
        ).rows[0];
      while ((await standing()) === undefined) await sleep(5);
      assert.deepEqual(await standing(), { outcome: "received", answered: false });
      assert.equal(told(await find(order, begun_at)), "waiting");
      subject.advance(acquirer.late_ms);
      assert.equal((await find(order, begun_at)).kind, "never_heard");
      // It was only slow, and comes too late.
      assert.equal((await answer).kind, "rejected");
      assert.equal(await subject.effects(order.reference), 0);
    });
  });

  test("who cannot reach the book hears unknown, never no", async () => {
    const pool = new pg.Pool({ connectionString: subject.database.url, max: 1 });
    await pool.end();
    const cut_off = createSimulator({ pool, clock: { now: subject.now }, pages_url });
    assert.equal((await ask(cut_off, "authorize", newOrder({ card: cards.approved }))).kind, "unknown");
  });
});
