// Waiting for an operation to be over, for callers that asked to (`?synchronized`).

import { setTimeout as sleep } from "node:timers/promises";
import type { Transaction } from "../domain/transaction.ts";
import { loadTransaction } from "../storage/transactions.ts";
import type { Key } from "./operations.ts";
import type { Services } from "./services.ts";

// Real clients wait 305 s for a synchronous answer.
const wait_max_ms = 290_000;
const poll_first_ms = 20;
const poll_max_ms = 500;

/** The transaction once nothing is pending on it (or a session waits for its shopper), or as it is when time is up. */
export async function settledTransaction(
  { pool }: Services,
  key: Key,
  patience_ms = wait_max_ms,
): Promise<Transaction | null> {
  const deadline = performance.now() + patience_ms;
  for (let pause_ms = poll_first_ms; ; pause_ms = Math.min(pause_ms * 1.5, poll_max_ms)) {
    const transaction = await loadTransaction(pool, key);
    const pending = transaction?.operations.find((operation) => operation.pending);
    if (pending === undefined || pending.type === "session" || performance.now() > deadline) return transaction;
    await sleep(pause_ms);
  }
}
