// The command table: what may happen to a payment, told as stories and then tried at random.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  balanceOf,
  decide,
  derive,
  type Operation,
  type OperationType,
  type TransactionType,
} from "../src/domain/transaction.ts";

type Given = {
  readonly type: OperationType;
  readonly amount: number | null;
  readonly pending?: boolean;
  readonly code?: string;
};

function operation({ type, amount, pending = false, code = "20000" }: Given, id: number): Operation {
  const at = new Date(0);
  return {
    id,
    type,
    amount,
    pending,
    status_code: pending ? null : code,
    status_msg: null,
    acquirer_status_code: null,
    acquirer_status_msg: null,
    data: {},
    acquirer: null,
    three_d_secure_status: null,
    reference: `r${id}`,
    acquirer_reference: null,
    options: {},
    version: "v10",
    runner: null,
    check_at: null,
    created_at: at,
    finished_at: pending ? null : at,
    callback_url: null,
    callback_success: null,
    callback_response_code: null,
    callback_duration: null,
    callback_at: null,
  };
}

/** `authorize 100` approved, `capture! 60` rejected, `capture? 60` pending. */
function read(word: string): Given {
  const match = /^(\w+)([!?])? ?(\d+)?$/.exec(word.trim());
  assert.ok(match, word);
  const [, type, mark, amount] = match;
  return {
    type: type as OperationType,
    amount: amount === undefined ? null : Number(amount),
    pending: mark === "?",
    ...(mark === "!" ? { code: "40000" } : {}),
  };
}

const stories = `
                                            | authorize 100 | yes
                                            | session 100   | yes
                                            | capture 100   | wrong state
                                            | refund 1      | wrong state
                                            | cancel        | wrong state
                                            | renew         | wrong state
authorize! 100                              | authorize 100 | yes
authorize! 100                              | session 100   | yes
authorize! 100                              | capture 100   | wrong state
authorize? 100                              | authorize 100 | wrong state
authorize? 100                              | capture 100   | wrong state
session? 100                                | session 100   | yes
session? 100                                | authorize 100 | yes
session? 100                                | capture 100   | wrong state
session 100                                 | capture 100   | yes
authorize 100                               | capture 100   | yes
authorize 100                               | capture 101   | amount is too large
authorize 100                               | authorize 100 | wrong state
authorize 100                               | refund 1      | wrong state
authorize 100                               | cancel        | yes
authorize 100                               | renew         | yes
authorize 100, capture 60                   | capture 40    | yes
authorize 100, capture 60                   | capture 41    | amount is too large
authorize 100, capture? 60                  | capture 40    | wrong state
authorize 100, capture! 60                  | capture 100   | yes
authorize 100, capture! 60                  | cancel        | yes
authorize 100, capture 60                   | cancel        | wrong state
authorize 100, capture 60                   | renew         | wrong state
authorize 100, capture 60                   | refund 60     | yes
authorize 100, capture 60                   | refund 61     | amount is too large
authorize 100, capture 100, refund 30       | refund 70     | yes
authorize 100, capture 100, refund 30       | refund 71     | amount is too large
authorize 100, capture 100, refund 100      | refund 1      | amount is too large
authorize 100, capture 100, refund 100      | capture 1     | amount is too large
authorize 100, cancel                       | capture 1     | wrong state
authorize 100, cancel                       | cancel        | wrong state
authorize 100, cancel! , cancel             | capture 1     | wrong state
authorize 100, cancel!                      | capture 100   | yes
authorize 100, cancel!                      | cancel        | yes
deadline!                                   | authorize 100 | wrong state
deadline!                                   | session 100   | wrong state
`;

describe("after these operations, may this happen?", () => {
  for (const line of stories.trim().split("\n")) {
    const [before = "", wish = "", answer = ""] = line.split("|").map((part) => part.trim());
    test(`${before || "nothing yet"} | ${wish} | ${answer}`, () => {
      const operations = before === "" ? [] : before.split(",").map((word, i) => operation(read(word), i + 1));
      const { type, amount } = read(wish);
      const refusal = decide({ type: "Payment", operations }, type, amount);
      const said =
        refusal === null ? "yes" : refusal.code === "amount_too_large" ? "amount is too large" : "wrong state";
      assert.equal(said, answer);
    });
  }
});

const states = `
                                       | initial
authorize? 100                         | pending
authorize 100                          | new
authorize! 100                         | rejected
authorize! 100, authorize 100          | new
session? 100                           | pending
authorize 100, capture? 10             | pending
authorize 100, capture 10              | processed
authorize 100, capture! 10             | processed
authorize 100, cancel!                 | new
authorize 100, cancel                  | processed
authorize 100, renew                   | new
deadline!                              | rejected
`;

describe("the state follows from the operations", () => {
  for (const line of states.trim().split("\n")) {
    const [before = "", state = ""] = line.split("|").map((part) => part.trim());
    test(`${before || "nothing yet"} | ${state}`, () => {
      const operations = before === "" ? [] : before.split(",").map((word, i) => operation(read(word), i + 1));
      assert.equal(derive("Payment", operations).state, state);
    });
  }
});

const others = `
Subscription |                          | initial   | authorize 0 yes, session yes, cancel no
Subscription | authorize? 0             | pending   | authorize 0 no, cancel no
Subscription | authorize! 0             | rejected  | authorize 0 yes, cancel no
Subscription | authorize 0              | active    | authorize 0 no, cancel yes, capture 1 no, recurring 1 no
Subscription | authorize 0, cancel!     | active    | cancel yes
Subscription | authorize 0, cancel      | cancelled | cancel no, authorize 0 no
Subscription | session? 0               | pending   | authorize 0 yes
Card         | authorize                | active    | cancel yes, authorize no, session no
Card         | authorize!               | rejected  | authorize yes
Card         | authorize, cancel        | cancelled | authorize no
Payout       |                          | initial   | credit 5 yes, authorize 5 no
Payout       | credit? 5                | pending   | credit 5 no
Payout       | credit! 5                | rejected  | credit 5 yes
Payout       | credit 5                 | processed | credit 5 no, cancel no, refund 5 no
Payment      | recurring 5              | new       | capture 5 yes, capture 6 no, recurring 5 no, authorize 5 no
`;

describe("subscriptions, cards and payouts have states and commands of their own", () => {
  for (const line of others.trim().split("\n")) {
    const [kind = "", before = "", state = "", wishes = ""] = line.split("|").map((part) => part.trim());
    test(`${kind} | ${before || "nothing yet"} | ${state}`, () => {
      const type = kind as TransactionType;
      const operations = before === "" ? [] : before.split(",").map((word, i) => operation(read(word), i + 1));
      assert.equal(derive(type, operations).state, state);
      for (const wish of wishes.split(", ")) {
        const { type: verb, amount } = read(wish.replace(/ (yes|no)$/, ""));
        assert.equal(decide({ type, operations }, verb, amount) === null ? "yes" : "no", wish.split(" ").at(-1), wish);
      }
    });
  }
});

const command = fc.record({
  type: fc.constantFrom<OperationType>("authorize", "session", "capture", "refund", "cancel", "renew"),
  amount: fc.integer({ min: 1, max: 300 }),
  outcome: fc.constantFrom("approved", "rejected", "pending"),
});

test("property: whatever is tried in whatever order, no more is captured than authorized and no more refunded than captured", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      let operations: Operation[] = [];
      for (const { type, amount, outcome } of commands) {
        const asked = ["cancel", "renew"].includes(type) ? null : amount;
        if (decide({ type: "Payment", operations }, type, asked) !== null) {
          // What is pending ends sooner or later.
          operations = operations.map((o) =>
            o.pending ? { ...o, pending: false, status_code: outcome === "approved" ? "20000" : "40000" } : o,
          );
          continue;
        }
        operations = operations.map((o) => (o.pending ? { ...o, pending: false, status_code: "40003" } : o));
        const code = outcome === "approved" ? "20000" : "40000";
        operations.push(
          operation({ type, amount: asked, pending: outcome === "pending", code }, operations.length + 1),
        );

        const totals = derive("Payment", operations);
        assert.ok(totals.captured + totals.capture_pending <= totals.authorized);
        assert.ok(totals.refunded + totals.refund_pending <= totals.captured);
        assert.ok(!(totals.cancelled && totals.captured + totals.capture_pending > 0));
        assert.ok(balanceOf(totals) >= 0);
        assert.ok(operations.filter(({ pending }) => pending).length <= 1);
        assert.equal(
          totals.state === "pending",
          operations.some(({ pending }) => pending),
        );
        assert.equal(
          totals.accepted,
          operations.some((o) => ["authorize", "session"].includes(o.type) && !o.pending && o.status_code === "20000"),
        );
      }
    }),
    { numRuns: 2_000 },
  );
});

test("property: what is left can always be captured, and what was captured always be refunded, to the last unit", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      fc.array(fc.integer({ min: 1, max: 2 ** 31 - 1 }), { maxLength: 10 }),
      (authorized, parts) => {
        const operations = [operation({ type: "authorize", amount: authorized }, 1)];
        for (const amount of parts) {
          if (decide({ type: "Payment", operations }, "capture", amount) === null)
            operations.push(operation({ type: "capture", amount }, operations.length + 1));
        }
        const { captured } = derive("Payment", operations);
        const left = authorized - captured;
        if (left > 0) {
          assert.equal(decide({ type: "Payment", operations }, "capture", left), null);
          assert.equal(decide({ type: "Payment", operations }, "capture", left + 1)?.code, "amount_too_large");
          operations.push(operation({ type: "capture", amount: left }, operations.length + 1));
        }
        assert.equal(decide({ type: "Payment", operations }, "refund", authorized), null);
        assert.equal(decide({ type: "Payment", operations }, "refund", authorized + 1)?.code, "amount_too_large");
      },
    ),
    { numRuns: 1_000 },
  );
});
