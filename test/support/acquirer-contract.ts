// What every acquirer promises, as tests: each adapter runs them over its own far side.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Acquirer, Found, Order, Outcome, Verb } from "../../src/acquirers/acquirer.ts";
import type { Card } from "../../src/domain/card.ts";
import { status_codes } from "../../src/domain/status-codes.ts";
import { ulid } from "../../src/services/ids.ts";

/** An acquirer with what a test needs to know of its far side. */
export type Subject = {
  readonly acquirer: Acquirer;
  /** A card that it approves, and one that it declines. */
  readonly card: Card;
  readonly declined: Card;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly now: () => Date;
  /** Lets time pass there. */
  readonly advance: (ms: number) => void;
  /** How often the order with this reference had its effect, by the far side's own books. */
  readonly effects: (reference: string) => Promise<number>;
  readonly stop: () => Promise<void>;
};

/** Every test's time limit: an acquirer under test answers at once. */
export const patience = (): AbortSignal => AbortSignal.timeout(10_000);

/** An order of 10.00 DKK under a name that nobody used before. */
export const newOrder = (more: Partial<Order> = {}): Order => {
  const reference = ulid(new Date());
  return {
    reference,
    transaction: reference,
    amount: 1000,
    currency: "DKK",
    authorization: null,
    card: null,
    text_on_statement: null,
    settings: {},
    extras: {},
    return_url: null,
    method: null,
    addresses: [],
    ...more,
  };
};

/** Asks for a verb that must be there. */
export function ask(acquirer: Acquirer, verb: Verb, order: Order, signal = patience()): Promise<Outcome> {
  const asked = acquirer[verb];
  assert.ok(asked, `${acquirer.name} has no ${verb}`);
  return asked(order, signal);
}

const verbs: readonly Verb[] = ["authorize", "session", "recurring", "capture", "refund", "cancel", "renew", "credit"];

/** `lacks`: what this acquirer cannot do, and therefore leaves out. */
export function acquirerContract(
  name: string,
  make: () => Promise<Subject>,
  { lacks = [] }: { readonly lacks?: readonly (Verb | "abort")[] } = {},
): void {
  describe(`${name} keeps the acquirer contract`, () => {
    let subject: Subject;
    before(async () => {
      subject = await make();
    });
    after(() => subject.stop());

    const order = (more: Partial<Order> = {}) => newOrder({ settings: subject.settings ?? {}, ...more });
    const send = (verb: Verb, sent: Order, signal?: AbortSignal) => ask(subject.acquirer, verb, sent, signal);
    const find = (sent: Order, begun_at = subject.now()): Promise<Found> =>
      subject.acquirer.find({ ...sent, begun_at }, patience());

    /** An approved authorization that later orders name. */
    async function authorized(amount = 1000): Promise<string> {
      const outcome = await send("authorize", order({ amount, card: subject.card }));
      assert.equal(outcome.kind, "approved");
      assert.ok(outcome.authorization, "an approved authorization has a name");
      return outcome.authorization;
    }
    const follow = async (verb: Verb, authorization: string, amount: number): Promise<string> =>
      (await send(verb, order({ authorization, amount }))).kind;

    function abortContract(): void {
      const abort = (sent: Order): Promise<Found> => {
        assert.ok(subject.acquirer.abort);
        return subject.acquirer.abort(sent, patience());
      };

      test("an abort is a promise: the order has no effect, also when it arrives afterwards", async () => {
        const authorization = await authorized();
        const sent = order({ authorization });
        assert.equal((await abort(sent)).kind, "never_heard");
        assert.equal((await abort(sent)).kind, "never_heard");
        assert.notEqual((await send("capture", sent)).kind, "approved");
        assert.equal((await find(sent)).kind, "never_heard");
        assert.equal(await subject.effects(sent.reference), 0);
        assert.equal(await follow("capture", authorization, 1000), "approved", "the money is still there");
      });

      test("what had its effect cannot be aborted: it answers what became of it", async () => {
        const sent = order({ authorization: await authorized() });
        const outcome = await send("capture", sent);
        assert.equal(outcome.kind, "approved");
        assert.deepEqual(await abort(sent), outcome);
        assert.equal(await subject.effects(sent.reference), 1);
      });
    }

    test("it has the verbs that it can do, and no others", () => {
      for (const verb of [...verbs, "abort"] as const) {
        assert.equal(typeof subject.acquirer[verb], lacks.includes(verb) ? "undefined" : "function", verb);
      }
      assert.equal(typeof subject.acquirer.find, "function");
      assert.ok(Number.isSafeInteger(subject.acquirer.late_ms) && subject.acquirer.late_ms > 0);
    });

    test("an approved authorization says so, now and when asked later", async () => {
      const sent = order({ card: subject.card });
      const outcome = await send("authorize", sent);
      assert.equal(outcome.kind, "approved");
      assert.equal(outcome.status_code, "20000");
      assert.deepEqual(await find(sent), outcome);
      assert.equal(await subject.effects(sent.reference), 1);
    });

    test("a declined authorization says why in our code, now and when asked later", async () => {
      const sent = order({ card: subject.declined });
      const outcome = await send("authorize", sent);
      assert.equal(outcome.kind, "rejected");
      assert.ok(Object.hasOwn(status_codes, outcome.status_code) && outcome.status_code !== "20000");
      assert.deepEqual(await find(sent), outcome);
      assert.equal(await subject.effects(sent.reference), 0);
    });

    test("asked again without the card it still knows, so nobody has to keep the card", async () => {
      const sent = order({ card: subject.card });
      const outcome = await send("authorize", sent);
      assert.deepEqual(await find({ ...sent, card: null }), outcome);
    });

    test("the same order twice, one after the other or at once, has its effect once", async () => {
      const authorization = await authorized();
      const sent = order({ authorization, amount: 600 });
      const [first, second] = await Promise.all([send("capture", sent), send("capture", sent)]);
      assert.equal(first.kind, "approved");
      assert.deepEqual([second, await send("capture", sent)], [first, first]);
      assert.equal(await subject.effects(sent.reference), 1);
      assert.equal(await follow("capture", authorization, 400), "approved", "600 of 1000 were taken, not 1200");
    });

    test("captures, refunds and cancels build on the authorization and stay within it", async () => {
      const authorization = await authorized(1000);
      assert.equal(await follow("refund", authorization, 1), "rejected");
      assert.equal(await follow("capture", authorization, 600), "approved");
      assert.equal(await follow("capture", authorization, 401), "rejected");
      assert.equal(await follow("cancel", authorization, 0), "rejected");
      assert.equal(await follow("refund", authorization, 601), "rejected");
      assert.equal(await follow("refund", authorization, 600), "approved");
      assert.equal(await follow("refund", authorization, 1), "rejected");
      assert.equal(await follow("capture", authorization, 400), "approved");
      assert.equal(await follow("capture", authorization, 1), "rejected");
    });

    test("after a cancel nothing can be captured", async () => {
      const authorization = await authorized();
      assert.equal(await follow("cancel", authorization, 0), "approved");
      assert.equal(await follow("capture", authorization, 1), "rejected");
    });

    test("nothing builds on an authorization that does not exist, was declined or is none", async () => {
      const declined = order({ card: subject.declined });
      await send("authorize", declined);
      const capture = order({ authorization: await authorized(), amount: 10 });
      await send("capture", capture);
      for (const authorization of ["nobody", declined.reference, capture.reference]) {
        assert.equal(await follow("capture", authorization, 1), "rejected", authorization);
      }
    });

    test("many captures at once never take more than was authorized", async () => {
      const authorization = await authorized(1000);
      const outcomes = await Promise.all(Array.from({ length: 32 }, () => follow("capture", authorization, 100)));
      assert.equal(outcomes.filter((kind) => kind === "approved").length, 10);
      assert.equal(outcomes.filter((kind) => kind === "rejected").length, 22);
    });

    test("what it never heard of may still be on its way; later it is final, and the order refused", async () => {
      const sent = order({ card: subject.card });
      const begun_at = subject.now();
      assert.equal((await find(sent, begun_at)).kind, "unknown");
      subject.advance(subject.acquirer.late_ms);
      assert.equal((await find(sent, begun_at)).kind, "never_heard");
      assert.notEqual((await send("authorize", sent)).kind, "approved");
      assert.equal((await find(sent, begun_at)).kind, "never_heard");
      assert.equal(await subject.effects(sent.reference), 0);
    });

    if (!lacks.includes("abort")) abortContract();

    test("who stops waiting hears unknown, never no; what became of it can be found", async () => {
      const sent = order({ card: subject.card });
      const begun_at = subject.now();
      assert.equal((await send("authorize", sent, AbortSignal.abort())).kind, "unknown");
      let found = await find(sent, begun_at);
      for (let tries = 0; found.kind === "unknown" && tries < 100; tries++) {
        await new Promise((done) => setTimeout(done, 10));
        subject.advance(subject.acquirer.late_ms / 50);
        found = await find(sent, begun_at);
      }
      assert.notEqual(found.kind, "unknown");
      assert.equal(await subject.effects(sent.reference), found.kind === "approved" ? 1 : 0);
    });

    test("no answer repeats the card", async () => {
      const answers: unknown[] = [];
      for (const card of [subject.card, subject.declined]) {
        const sent = order({ card: { ...card, cvd: "9173" } });
        answers.push(await send("authorize", sent), await find(sent));
        for (const secret of [card.number, "9173"]) assert.ok(!JSON.stringify(answers).includes(secret));
      }
      assert.equal(answers.length, 4);
    });
  });
}
