// Many requests, one commit. A lone request is flushed at once; while batches are under way, what arrives waits
// together and leaves as one statement, so the cost of a durable commit is shared by all that came in the meantime.
// Each caller still gets its own answer.

import { isUniqueViolation, isWorthRetrying, retried } from "./errors.ts";

type Options<Item, Answer> = {
  /** Two items of one key never travel together, so that the order per row is kept; null: never in the way. */
  readonly keyOf: (item: Item) => string | null;
  /** Writes all items in one transaction and answers for each, in their order. */
  readonly flush: (items: readonly Item[]) => Promise<readonly Answer[]>;
};

type Waiting<Item, Answer> = {
  readonly item: Item;
  readonly done: (answer: Answer) => void;
  readonly failed: (error: unknown) => void;
};

// Two batches under way keep both the program and the database busy; more would only make batches smaller.
const in_flight_max = 2;
const batch_max = 256;
// A batch leaves when the program has read all that came in, or as soon as it is this large: otherwise the database would
// have nothing to do while the program reads, and the program nothing while the database writes.
const batch_enough = 20;
// Serialization failures and deadlocks pass; more than this many in a row is something else.
const tries_max = 5;
// Callers beyond this many are refused: the database has stopped answering.
const waiting_max = 20_000;

export class Overloaded extends Error {}

export function coalesce<Item, Answer>({ keyOf, flush }: Options<Item, Answer>): (item: Item) => Promise<Answer> {
  let waiting: Waiting<Item, Answer>[] = [];
  let in_flight = 0;
  let scheduled = false;
  const under_way = new Set<string>();

  function take(): Waiting<Item, Answer>[] {
    const batch: Waiting<Item, Answer>[] = [];
    const rest: Waiting<Item, Answer>[] = [];
    for (const entry of waiting) {
      const key = keyOf(entry.item);
      if (batch.length >= batch_max || (key !== null && under_way.has(key))) rest.push(entry);
      else {
        if (key !== null) under_way.add(key);
        batch.push(entry);
      }
    }
    waiting = rest;
    return batch;
  }

  async function start(): Promise<void> {
    if (in_flight >= in_flight_max || waiting.length === 0) return;
    const batch = take();
    if (batch.length === 0) return;
    in_flight += 1;
    await send(batch);
    in_flight -= 1;
    for (const { item } of batch) {
      const key = keyOf(item);
      if (key !== null) under_way.delete(key);
    }
    void start();
  }

  async function send(batch: readonly Waiting<Item, Answer>[]): Promise<void> {
    try {
      const answers = await retried(tries_max, () => flush(batch.map(({ item }) => item)));
      batch.forEach(({ done }, i) => {
        done(answers[i] as Answer);
      });
    } catch (error) {
      // One bad row must not fail its neighbours: again, one by one. A lost connection fails all: what became of the
      // commit is unknown, and writing again could do it twice.
      if (batch.length === 1 || !(isRowError(error) || isWorthRetrying(error)))
        for (const { failed } of batch) failed(error);
      else for (const entry of batch) await send([entry]);
    }
  }

  return (item) =>
    new Promise((done, failed) => {
      if (waiting.length >= waiting_max) return failed(new Overloaded());
      waiting.push({ item, done, failed });
      if (waiting.length === batch_enough) void start();
      else if (!scheduled) {
        scheduled = true;
        setImmediate(() => {
          scheduled = false;
          void start();
        });
      }
    });
}

/** Classes 22 (data) and 23 (integrity): the statement was refused because of what a row says. */
const isRowError = (error: unknown): boolean =>
  isUniqueViolation(error) || /^2[23]/.test(String((error as { code?: unknown }).code ?? ""));
