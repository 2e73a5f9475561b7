// Sessions that wait for a shopper on the provider's page: what the page shows of them, and the shopper's one answer.

import type pg from "pg";
import type { AddressName } from "../../domain/transaction.ts";
import { shopper_answers } from "./scenarios.ts";

export type Session = {
  readonly reference: string;
  readonly method: string | null;
  /** Minor units. */
  readonly amount: number;
  readonly currency: string;
  /** `refused`: the shop ended it. */
  readonly outcome: "received" | "approved" | "rejected" | "waiting" | "refused";
  readonly return_url: string;
  readonly addresses: readonly AddressName[];
};

export type ShopperAnswer = keyof typeof shopper_answers;

// Anything else is nobody's name, and need not reach the database.
const reference_form = /^[\w-]{1,64}$/;

export const providerPath = (reference: string): string => `/simulator/provider/${reference}`;

/** Null for everything that is not a session with a page. */
export async function sessionOf(pool: pg.Pool, reference: string): Promise<Session | null> {
  if (!reference_form.test(reference)) return null;
  const { rows } = await pool.query<Session>({
    name: "session_of",
    text: `SELECT reference, method, amount, currency, outcome, return_url, addresses FROM simulator.book
      WHERE reference = $1 AND verb = 'session' AND return_url IS NOT NULL`,
    values: [reference],
  });
  return rows[0] ?? null;
}

/**
 * Approved or rejected by the shopper, if it still waits: of two answers, or an answer and the shop's abort, the first
 * stands. Answers the session as it is then.
 */
export async function answerSession(
  pool: pg.Pool,
  { reference, answer, at }: { readonly reference: string; readonly answer: ShopperAnswer; readonly at: Date },
): Promise<Session | null> {
  if (!reference_form.test(reference)) return null;
  const { outcome, status_code, acquirer_status_code, acquirer_status_msg } = shopper_answers[answer];
  await pool.query({
    name: "session_answer",
    text: `UPDATE simulator.book SET outcome = $2, status_code = $3, acquirer_status_code = $4, acquirer_status_msg = $5,
        answer_at = $6
      WHERE reference = $1 AND verb = 'session' AND return_url IS NOT NULL AND outcome = 'waiting'`,
    values: [reference, outcome, status_code, acquirer_status_code, acquirer_status_msg, at],
  });
  return sessionOf(pool, reference);
}
