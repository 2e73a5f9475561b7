// The simulator's book: what it did, committed before its answer leaves. Orders that come together are written together.

import type pg from "pg";
import { coalesce } from "../../storage/coalesce.ts";
import type { Order, Verb } from "../acquirer.ts";
import { type Authorization, type Decision, decide, scenarioOf } from "./scenarios.ts";

export type Entry = {
  readonly reference: string;
  readonly verb: string;
  readonly outcome: "approved" | "rejected" | "waiting" | "refused";
  readonly status_code: string;
  readonly acquirer_status_code: string | null;
  readonly acquirer_status_msg: string | null;
  readonly answer_at: Date;
};

type Arrival = { readonly verb: Verb; readonly order: Order; readonly at: Date };

export type Book = {
  /** Writes the order down, with what comes of it; answers what stood there already where it came before. */
  readonly enter: (arrival: Arrival) => Promise<Entry>;
  readonly find: (reference: string) => Promise<Entry | null>;
  /** Makes sure that this order has no effect, now or later. Answers what stands in the book now. */
  readonly refuse: (order: Order, verb: string, at: Date) => Promise<Entry>;
  readonly markAnswered: (reference: string) => Promise<void>;
};

const shown = "reference, verb, outcome, status_code, acquirer_status_code, acquirer_status_msg, answer_at";

export function openBook(pool: pg.Pool): Book {
  const enter = coalesce<Arrival, Entry>({
    // Two orders on one authorization never travel together: the second must see the first.
    keyOf: ({ order }) => order.authorization ?? order.reference,
    flush: (arrivals) => write(pool, arrivals),
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
    enter,
    find,
    async refuse(order, verb, at) {
      const { rows } = await pool.query<Entry>(
        `INSERT INTO simulator.book AS b (reference, verb, transaction, "authorization", amount, currency, scenario, outcome, status_code, answer_at)
         VALUES ($1, $2, $3, $4, $5, $6, 'refused', 'refused', '50300', $7)
         ON CONFLICT (reference) DO UPDATE SET outcome = 'refused', status_code = '50300', answer_at = $7
         WHERE b.outcome = 'waiting' OR b.answer_at > $7 RETURNING ${shown}`,
        [order.reference, verb, order.transaction, order.authorization, order.amount, order.currency, at],
      );
      const entry = rows[0] ?? (await find(order.reference));
      if (entry === null) throw new Error("an order vanished from the book");
      return entry;
    },
    async markAnswered(reference) {
      await pool.query("UPDATE simulator.book SET answered = true WHERE reference = $1", [reference]);
    },
  };
}

async function authorizations(
  pool: pg.Pool,
  references: readonly string[],
): Promise<ReadonlyMap<string, Authorization>> {
  if (references.length === 0) return new Map();
  const { rows } = await pool.query<Authorization & { reference: string }>({
    name: "book_authorizations",
    text: `SELECT a.reference, a.scenario, a.amount,
        coalesce(sum(f.amount) FILTER (WHERE f.verb = 'capture'), 0)::int AS captured,
        coalesce(sum(f.amount) FILTER (WHERE f.verb = 'refund'), 0)::int AS refunded,
        (count(*) FILTER (WHERE f.verb = 'recurring'))::int AS recurred,
        coalesce(bool_or(f.verb = 'cancel'), false) AS cancelled
      FROM simulator.book a LEFT JOIN simulator.book f ON f."authorization" = a.reference AND f.outcome = 'approved'
      WHERE a.reference = ANY($1) AND a.outcome = 'approved' GROUP BY a.reference`,
    values: [references],
  });
  return new Map(rows.map((row) => [row.reference, row]));
}

async function write(pool: pg.Pool, arrivals: readonly Arrival[]): Promise<Entry[]> {
  const known = await authorizations(
    pool,
    arrivals.flatMap(({ order }) => order.authorization ?? []),
  );
  const decided = arrivals.map(({ verb, order, at }) => {
    const authorization = order.authorization === null ? null : (known.get(order.authorization) ?? null);
    const scenario = scenarioOf(verb, order, authorization);
    return { verb, order, at, scenario, decision: decide(verb, order, { scenario, authorization }) };
  });
  const rows = decided.map(({ verb, order, at, scenario, decision }) => rowOf({ verb, order, at, scenario, decision }));
  const { rows: written } = await pool.query<Entry>({
    name: "book_enter",
    text: `INSERT INTO simulator.book SELECT * FROM json_populate_recordset(NULL::simulator.book, $1)
      ON CONFLICT (reference) DO NOTHING RETURNING ${shown}`,
    values: [JSON.stringify(rows)],
  });
  const by_reference = new Map(written.map((entry) => [entry.reference, entry]));
  const repeated = arrivals.map(({ order }) => order.reference).filter((reference) => !by_reference.has(reference));
  if (repeated.length > 0) {
    const before = await pool.query<Entry>(`SELECT ${shown} FROM simulator.book WHERE reference = ANY($1)`, [repeated]);
    for (const entry of before.rows) by_reference.set(entry.reference, entry);
  }
  return arrivals.map(({ order }) => {
    const entry = by_reference.get(order.reference);
    if (entry === undefined) throw new Error("an order did not reach the book");
    return entry;
  });
}

function rowOf({ verb, order, at, scenario, decision }: Arrival & { scenario: string; decision: Decision }) {
  const { delay_ms, ...outcome } = decision;
  return {
    reference: order.reference,
    verb,
    transaction: order.transaction,
    authorization: order.authorization,
    amount: order.amount,
    currency: order.currency,
    scenario,
    ...outcome,
    answer_at: new Date(at.getTime() + delay_ms),
    answered: false,
  };
}
