// The acquirer for test transactions. It behaves as a real one somewhere else would: its own book through its own
// connections, effects that outlive its answers, answers that get lost. What a test card does stands in scenarios.ts.
//
// A request can ask for more through `extras[simulator]`:
//
//   fault     lost_before   the order never arrives; nothing is heard
//             lost_after    the order has its effect, the answer is lost
//             late          nothing is heard, and the order arrives a second later
//   session   approved, rejected, waiting: what the shopper does, at once; without it one approves after 5 s, or, where
//             the order says where the shopper comes back to, whoever is sent to the provider's page (pages.ts) decides

import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Acquirer, Found, Order, Outcome, Verb } from "../acquirer.ts";
import { type Arrival, type Entry, openBook } from "./book.ts";
import { heard, unheard } from "./heard.ts";
import { shopper_addresses } from "./scenarios.ts";
import { providerPath } from "./sessions.ts";

/** Where everything simulated is: its own connections, the application's clock, and who shows its pages. */
export type Simulated = {
  readonly pool: pg.Pool;
  /** Tests move it. */
  readonly clock: { readonly now: () => Date };
  /** The origin that serves `/simulator/…`, once it is known. */
  readonly pages_url: () => string;
};

type Options = Simulated & {
  /** How long it thinks: the order is noted as received first and has its effect afterwards. */
  readonly latency_ms?: number;
};

// An order on its way cannot take longer than this (beside what the simulator thinks): then "never heard of it" is final.
const on_its_way_ms = 5_000;
// When an order with the fault `late` arrives.
const late_arrival_ms = 1_000;

export function createSimulator({ pool, clock, pages_url, latency_ms = 0 }: Options): Acquirer {
  const book = openBook(pool);
  const late_ms = on_its_way_ms + latency_ms;

  const foundIn = (entry: Entry, now: Date): Found =>
    entry.outcome === "refused" ? { kind: "never_heard" } : told(entry, now);

  const told = (entry: Entry, now: Date): Outcome => outcomeOf(entry, { now, data: sessionData(entry, pages_url()) });

  /** Goes on to its end, whether or not somebody still waits for the answer. */
  async function work(arrival: Arrival): Promise<Outcome> {
    if (latency_ms > 0) {
      await book.receive(arrival);
      await sleep(latency_ms);
    }
    return told(await book.enter(arrival), clock.now());
  }

  const verb =
    (name: Verb) =>
    async (order: Order, signal: AbortSignal): Promise<Outcome> => {
      const { fault } = (order.extras.simulator ?? {}) as { fault?: unknown };
      const arrival = { verb: name, order, at: clock.now() };
      if (fault === "lost_before") return unheard("the order did not arrive");
      if (fault === "late") {
        setTimeout(() => void work(arrival).catch(() => {}), late_arrival_ms).unref();
        return unheard("the order has not arrived yet");
      }
      const outcome = await heard(work(arrival), signal);
      return fault === "lost_after" ? unheard("the answer was lost") : outcome;
    };

  async function find(order: Order & { readonly begun_at: Date }): Promise<Found> {
    const now = clock.now();
    const entry = await book.find(order.reference);
    if (entry !== null && entry.outcome !== "received") return foundIn(entry, now);
    if (now.getTime() - order.begun_at.getTime() < late_ms) {
      return { kind: "unknown", reason: "it may still be on its way", waiting: entry !== null };
    }
    // From here on an order with this reference is refused.
    return foundIn(await book.refuse(order, "find", now), now);
  }

  async function abort(order: Order): Promise<Found> {
    const now = clock.now();
    return foundIn(await book.refuse(order, "abort", now), now);
  }

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
    find: (order, signal) => heard(find(order), signal),
    abort: (order, signal) => heard(abort(order), signal),
  };
}

/** Of a session: what it is called, and where to send the shopper. */
function sessionData({ verb, reference, return_url }: Entry, pages_url: string): Outcome["data"] {
  if (verb !== "session") return undefined;
  return { session_id: reference, ...(return_url && { redirect_url: `${pages_url}${providerPath(reference)}` }) };
}

function outcomeOf(entry: Entry, { now, data }: { readonly now: Date; readonly data: Outcome["data"] }): Outcome {
  const { reference, verb, outcome, status_code, acquirer_status_code, acquirer_status_msg, answer_at } = entry;
  const more = data === undefined ? {} : { data };
  // What a shopper decided on a page is decided, by whichever clock.
  const is_due_later = entry.return_url === null && answer_at > now;
  if (status_code === null || outcome === "waiting" || is_due_later) {
    return { kind: "unknown", reason: "still working", waiting: true, ...more };
  }
  const answer = { status_code, acquirer_status_code, acquirer_status_msg, ...more };
  if (outcome !== "approved") return { kind: "rejected", ...answer };
  // A renewed authorization keeps its name; everything else is named as it was ordered.
  const authorization = verb === "renew" ? entry.authorization : reference;
  const given = entry.addresses.map((name) => [name, shopper_addresses[name]]);
  const addresses = given.length > 0 && { addresses: Object.fromEntries(given) };
  return { kind: "approved", authorization, ...answer, ...addresses };
}
