// The acquirer for test transactions. It behaves as a real one somewhere else would: its own book through its own
// connection, effects that outlive its answers, answers that get lost. What a test card does stands in scenarios.ts.
//
// Through `extras[simulator]` a request can ask for more: `fault` = lost_before (the order never arrives) or lost_after
// (it has its effect, the answer is lost); `session` = approved, rejected or waiting.

import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Acquirer, Found, Order, Outcome, Verb } from "../acquirer.ts";
import { type Entry, openBook } from "./book.ts";

type Options = {
  /** Its own connections. */
  readonly pool: pg.Pool;
  /** The application's clock, which tests move. */
  readonly clock: { readonly now: () => Date };
  /** How long it thinks, after the effect and before the answer. */
  readonly latency_ms?: number;
};

// An order on its way cannot arrive later than this: then "never heard of it" is final.
const late_ms = 5_000;

export function createSimulator({ pool, clock, latency_ms = 0 }: Options): Acquirer {
  const book = openBook(pool);

  const verb =
    (name: Verb) =>
    async (order: Order, signal: AbortSignal): Promise<Outcome> => {
      const { fault } = (order.extras.simulator ?? {}) as { fault?: unknown };
      if (fault === "lost_before") return { kind: "unknown", reason: "the order did not arrive" };
      const entry = await book.enter({ verb: name, order, at: clock.now() });
      if (latency_ms > 0) {
        await sleep(latency_ms, undefined, { signal });
        await book.markAnswered(order.reference);
      }
      if (fault === "lost_after") return { kind: "unknown", reason: "the answer was lost" };
      return outcomeOf(entry, clock.now());
    };

  return {
    name: "simulator",
    late_ms,
    authorize: verb("authorize"),
    session: verb("session"),
    recurring: verb("recurring"),
    capture: verb("capture"),
    refund: verb("refund"),
    cancel: verb("cancel"),
    renew: verb("renew"),
    credit: verb("credit"),
    async find(order): Promise<Found> {
      const now = clock.now();
      const entry = await book.find(order.reference);
      if (entry !== null) return foundIn(entry, now);
      if (now.getTime() - order.begun_at.getTime() < late_ms)
        return { kind: "unknown", reason: "it may still be on its way" };
      // From here on an order with this reference is refused.
      return foundIn(await book.refuse(order, "find", now), now);
    },
    async abort(order): Promise<Found> {
      const now = clock.now();
      return foundIn(await book.refuse(order, "abort", now), now);
    },
  };
}

const foundIn = (entry: Entry, now: Date): Found =>
  entry.outcome === "refused" ? { kind: "never_heard" } : outcomeOf(entry, now);

function outcomeOf(entry: Entry, now: Date): Outcome {
  const { reference, verb, outcome, status_code, acquirer_status_code, acquirer_status_msg, answer_at } = entry;
  const session = verb === "session" ? { data: { session_id: reference } } : {};
  if (outcome === "waiting" || answer_at > now)
    return { kind: "unknown", reason: "still working", waiting: true, ...session };
  const answer = { status_code, acquirer_status_code, acquirer_status_msg, ...session };
  if (outcome === "approved") return { kind: "approved", authorization: reference, ...answer };
  return { kind: "rejected", ...answer };
}
