// The simulator's book: what it did, committed before its answer leaves. Orders that come together are written together.
//
// What an order may still do follows from the orders before it on the same authorization. Several processes write at once,
// so each such order takes the next `step`: of two that saw the same book, the index lets one in and the other looks again.

import type pg from "pg";
import type { AddressName } from "../../domain/transaction.ts";
import { coalesce } from "../../storage/coalesce.ts";
import { isUniqueViolation } from "../../storage/errors.ts";
import type { Order, Verb } from "../acquirer.ts";
import { type Authorization, decide, follows, knowsAddresses, scenarioOf } from "./scenarios.ts";

export type Entry = {
  readonly reference: string;
  readonly verb: string;
  readonly authorization: string | null;
  readonly outcome: "received" | "approved" | "rejected" | "waiting" | "refused";
  /** Null while it is only received. */
  readonly status_code: string | null;
  readonly acquirer_status_code: string | null;
  readonly acquirer_status_msg: string | null;
  readonly answer_at: Date;
  /** Of a session that waits for its page: where the shopper comes back to. */
  readonly return_url: string | null;
  /** Of a session: what the shop wants to know of the shopper. */
  readonly addresses: readonly AddressName[];
};

export type Arrival = { readonly verb: Verb; readonly order: Order; readonly at: Date };

export type Book = {
  /** Notes that the order arrived, without any effect yet. Nothing changes where it came before. */
  readonly receive: (arrival: Arrival) => Promise<void>;
  /** Writes the order down, with what comes of it; answers what stood there already where it was decided before. */
  readonly enter: (arrival: Arrival) => Promise<Entry>;
  readonly find: (reference: string) => Promise<Entry | null>;
  /** Makes sure that an order without an answer has no effect, now or later. Answers what stands in the book now. */
  readonly refuse: (order: Order, why: "find" | "abort", at: Date) => Promise<Entry>;
};

const shown = `reference, verb, "authorization", outcome, status_code, acquirer_status_code, acquirer_status_msg, answer_at,
  return_url, addresses`;
const columns = `${shown}, transaction, step, amount, currency, scenario, received_at, method`;

// Each time another process has put an order on the same authorization first.
const tries_max = 50;

export function openBook(pool: pg.Pool): Book {
  const receive = coalesce<Arrival, void>({
    keyOf: ({ order }) => order.reference,
    flush: (arrivals) => writeReceived(pool, arrivals),
  });
  const enter = coalesce<Arrival, Entry>({
    // Two orders on one authorization never travel together: the second must see the first.
    keyOf: ({ order }) => order.authorization ?? order.reference,
    flush: (arrivals) => writeDecided(pool, arrivals),
  });

  async function find(reference: string): Promise<Entry | null> {
    const { rows } = await pool.query<Entry>({
      name: "book_find",
      text: `SELECT ${shown} FROM simulator.book WHERE reference = $1`,
      values: [reference],
    });
    return rows[0] ?? null;
  }

  return {
    receive,
    enter,
    find,
    async refuse(order, why, at) {
      // What is due later can still be taken back. What a shopper decided on a page cannot, by whichever clock.
      const { rows } = await pool.query<Entry>({
        name: "book_refuse",
        text: `INSERT INTO simulator.book AS b (reference, verb, transaction, "authorization", amount, currency, scenario,
            outcome, status_code, received_at, answer_at)
          VALUES ($1, $2, $3, $4, $5, $6, 'none', 'refused', '50300', $7, $7)
          ON CONFLICT (reference) DO UPDATE SET outcome = 'refused', status_code = '50300', answer_at = $7
          WHERE b.outcome IN ('received', 'waiting') OR (b.answer_at > $7 AND b.return_url IS NULL) RETURNING ${shown}`,
        values: [order.reference, why, order.transaction, order.authorization, order.amount, order.currency, at],
      });
      const entry = rows[0] ?? (await find(order.reference));
      if (entry === null) throw new Error("an order vanished from the book");
      return entry;
    },
  };
}

async function writeReceived(pool: pg.Pool, arrivals: readonly Arrival[]): Promise<undefined[]> {
  const rows = arrivals.map((arrival) => ({ ...ordered(arrival), outcome: "received", answer_at: arrival.at }));
  await pool.query({
    name: "book_receive",
    text: `INSERT INTO simulator.book (${columns}) SELECT ${columns} FROM json_populate_recordset(NULL::simulator.book, $1)
      ON CONFLICT (reference) DO NOTHING`,
    values: [JSON.stringify(rows)],
  });
  return arrivals.map(() => undefined);
}

async function writeDecided(pool: pg.Pool, arrivals: readonly Arrival[]): Promise<Entry[]> {
  const written = await lookAgain(async () => {
    const known = await authorizations(pool, arrivals);
    const { rows } = await pool.query<Entry>({
      name: "book_enter",
      text: `INSERT INTO simulator.book AS b (${columns})
        SELECT ${columns} FROM json_populate_recordset(NULL::simulator.book, $1)
        ON CONFLICT (reference) DO UPDATE SET outcome = excluded.outcome, status_code = excluded.status_code,
          acquirer_status_code = excluded.acquirer_status_code, acquirer_status_msg = excluded.acquirer_status_msg,
          scenario = excluded.scenario, step = excluded.step, answer_at = excluded.answer_at
        WHERE b.outcome = 'received' RETURNING ${shown}`,
      values: [JSON.stringify(arrivals.map((arrival) => decided(arrival, known)))],
    });
    return rows;
  });
  const by_reference = new Map(written.map((entry) => [entry.reference, entry]));
  const repeated = arrivals.map(({ order }) => order.reference).filter((reference) => !by_reference.has(reference));
  if (repeated.length > 0) {
    const before = await pool.query<Entry>({
      name: "book_repeated",
      text: `SELECT ${shown} FROM simulator.book WHERE reference = ANY($1)`,
      values: [repeated],
    });
    for (const entry of before.rows) by_reference.set(entry.reference, entry);
  }
  return arrivals.map(({ order }) => {
    const entry = by_reference.get(order.reference);
    if (entry === undefined) throw new Error("an order did not reach the book");
    return entry;
  });
}

async function lookAgain<T>(write: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await write();
    } catch (error) {
      if (tries >= tries_max || !isUniqueViolation(error, "book_steps")) throw error;
    }
  }
}

type Known = ReadonlyMap<string, Authorization & { readonly last_step: number }>;

/** What these orders build on, with all that happened to it so far. */
async function authorizations(pool: pg.Pool, arrivals: readonly Arrival[]): Promise<Known> {
  const references = arrivals.flatMap(({ order }) => order.authorization ?? []);
  if (references.length === 0) return new Map();
  const { rows } = await pool.query<Authorization & { reference: string; last_step: number }>({
    name: "book_authorizations",
    text: `SELECT a.reference, a.scenario, a.amount, a.currency, coalesce(max(f.step), 0) AS last_step,
        coalesce(sum(f.amount) FILTER (WHERE f.verb = 'capture' AND f.outcome = 'approved'), 0)::float8 AS captured,
        coalesce(sum(f.amount) FILTER (WHERE f.verb = 'refund' AND f.outcome = 'approved'), 0)::float8 AS refunded,
        (count(*) FILTER (WHERE f.verb = 'recurring' AND f.outcome = 'approved'))::int AS recurred,
        coalesce(bool_or(f.verb = 'cancel' AND f.outcome = 'approved'), false) AS cancelled
      FROM simulator.book a LEFT JOIN simulator.book f ON f."authorization" = a.reference
      WHERE a.reference = ANY($1) AND a.outcome = 'approved' AND a.verb IN ('authorize', 'session', 'recurring')
      GROUP BY a.reference`,
    values: [references],
  });
  return new Map(rows.map((row) => [row.reference, row]));
}

/** What is known of an order before it is decided. The card is not among it. */
function ordered({ verb, order, at }: Arrival) {
  const { reference, transaction, authorization, amount, currency, method } = order;
  const return_url = verb === "session" ? order.return_url : null;
  const addresses = knowsAddresses(method) ? order.addresses : [];
  const asked = { reference, verb, transaction, authorization, amount, currency, return_url, method, addresses };
  return { ...asked, scenario: "none", received_at: at };
}

function decided(arrival: Arrival, known: Known) {
  const { verb, order, at } = arrival;
  const authorization = known.get(order.authorization ?? "") ?? null;
  const scenario = scenarioOf(verb, order, authorization);
  const { delay_ms, ...decision } = decide(verb, order, { scenario, authorization });
  const step = authorization !== null && follows.has(verb) ? authorization.last_step + 1 : null;
  return { ...ordered(arrival), scenario, step, ...decision, answer_at: new Date(at.getTime() + delay_ms) };
}
