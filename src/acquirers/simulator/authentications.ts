// The simulated issuer's book of authentications: what it told the directory server, and what the shopper answered to its
// challenge. Each thing is written once: the first write stands, and whoever comes later is told what stands there.

import type pg from "pg";

export type Authentication = {
  /** threeDSServerTransID: how the shop's side calls it. */
  readonly transaction_id: string;
  /** acsTransID: how the issuer's pages call it. */
  readonly acs_transaction_id: string;
  /** Does the method's page ever report back? */
  readonly method_ends: boolean;
  /** Null until it is authenticated; C: a challenge, see `answer`. */
  readonly status: "Y" | "A" | "N" | "U" | "R" | "C" | null;
  /** Its indicators are Mastercard's. */
  readonly mastercard: boolean | null;
  readonly merchant_name: string | null;
  /** Minor units; null where nothing is paid. */
  readonly amount: number | null;
  readonly currency: string | null;
  readonly notification_url: string | null;
  /** Of a challenge, once it is over. */
  readonly answer: "Y" | "N" | null;
  readonly prepared_at: Date;
  readonly authenticated_at: Date | null;
  /** When it approves by itself; null before it is opened, and once the shopper asked for time. */
  readonly approves_at: Date | null;
  readonly answered_at: Date | null;
};

type Name = "transaction_id" | "acs_transaction_id";

/** After this long an authentication can no more be begun, and a challenge no more be answered: it has failed. */
export const answerable_ms = 15 * 60_000;
// Without a word of the shopper, an open challenge approves by itself.
const approves_after_ms = 5_000;
// Who asks for a result asks within minutes.
const kept_ms = 24 * 3_600_000;
// Old ones are cleared away by new ones, a few each time.
const cleared_at_once = 10;

const shown = `transaction_id, acs_transaction_id, method_ends, status, mastercard, merchant_name, amount, currency,
  notification_url, answer, prepared_at, authenticated_at, approves_at, answered_at`;

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const before = (at: Date, ms: number): Date => new Date(at.getTime() - ms);

/** Begins one and answers its `transaction_id`. */
export async function prepare(pool: pg.Pool, { method_ends, at }: { method_ends: boolean; at: Date }): Promise<string> {
  const { rows } = await pool.query<{ transaction_id: string }>({
    name: "authentication_prepare",
    text: `WITH cleared AS (
        DELETE FROM simulator.authentications WHERE transaction_id IN (SELECT transaction_id FROM simulator.authentications
          WHERE prepared_at < $3 ORDER BY prepared_at LIMIT ${cleared_at_once} FOR UPDATE SKIP LOCKED))
      INSERT INTO simulator.authentications (method_ends, prepared_at) VALUES ($1, $2) RETURNING transaction_id`,
    values: [method_ends, at, before(at, kept_ms)],
  });
  const [row] = rows;
  if (row === undefined) throw new Error("an authentication was not written");
  return row.transaction_id;
}

export type Told = Pick<
  Authentication,
  "transaction_id" | "mastercard" | "merchant_name" | "amount" | "currency" | "notification_url"
> & { readonly status: NonNullable<Authentication["status"]> };

/** Writes what the directory server tells, unless it was told before or begun too long ago; answers what stands there. */
export async function authenticate(pool: pg.Pool, told: Told, at: Date): Promise<Authentication | null> {
  const { transaction_id, status, mastercard, merchant_name, amount, currency, notification_url } = told;
  if (!uuid.test(transaction_id)) return null;
  await pool.query({
    name: "authentication_authenticate",
    text: `UPDATE simulator.authentications SET status = $2, mastercard = $3, merchant_name = $4, amount = $5, currency = $6,
        notification_url = $7, authenticated_at = $8
      WHERE transaction_id = $1 AND status IS NULL AND prepared_at > $9`,
    values: [
      transaction_id,
      status,
      mastercard,
      merchant_name,
      amount,
      currency,
      notification_url,
      at,
      before(at, answerable_ms),
    ],
  });
  return find(pool, "transaction_id", transaction_id, at);
}

/** As it is now: a challenge that has approved by itself, or that nobody answered in time, is over. Null: there is none. */
export async function find(pool: pg.Pool, name: Name, id: string, at: Date): Promise<Authentication | null> {
  if (!uuid.test(id)) return null;
  await pool.query({
    name: `authentication_due_${name}`,
    text: `UPDATE simulator.authentications SET answer = CASE WHEN approves_at <= $2 THEN 'Y' ELSE 'N' END, answered_at = $2
      WHERE ${name} = $1 AND status = 'C' AND answer IS NULL AND (approves_at <= $2 OR authenticated_at <= $3)`,
    values: [id, at, before(at, answerable_ms)],
  });
  const { rows } = await pool.query<Authentication>({
    name: `authentication_find_${name}`,
    text: `SELECT ${shown} FROM simulator.authentications WHERE ${name} = $1`,
    values: [id],
  });
  return rows[0] ?? null;
}

/** The shopper sees the challenge: from the first time on it approves by itself soon. */
export async function open(pool: pg.Pool, acs_transaction_id: string, at: Date): Promise<void> {
  await pool.query({
    name: "authentication_open",
    text: `UPDATE simulator.authentications SET opened_at = $2, approves_at = $3
      WHERE acs_transaction_id = $1 AND status = 'C' AND answer IS NULL AND opened_at IS NULL`,
    values: [acs_transaction_id, at, new Date(at.getTime() + approves_after_ms)],
  });
}

/** The shopper wants to look at it in peace: it does not approve by itself any more. */
export async function giveTime(pool: pg.Pool, acs_transaction_id: string): Promise<void> {
  await pool.query({
    name: "authentication_give_time",
    text: `UPDATE simulator.authentications SET approves_at = NULL
      WHERE acs_transaction_id = $1 AND status = 'C' AND answer IS NULL AND opened_at IS NOT NULL`,
    values: [acs_transaction_id],
  });
}

type Answering = { readonly acs_transaction_id: string; readonly answer: "Y" | "N"; readonly at: Date };

/** The shopper's answer, if none stands there yet. True where it is this one that stands there now. */
export async function answer(pool: pg.Pool, { acs_transaction_id, answer, at }: Answering): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: "authentication_answer",
    text: `UPDATE simulator.authentications SET answer = $2, answered_at = $3
      WHERE acs_transaction_id = $1 AND status = 'C' AND answer IS NULL
        AND opened_at IS NOT NULL AND (approves_at IS NULL OR approves_at > $3) AND authenticated_at > $4`,
    values: [acs_transaction_id, answer, at, before(at, answerable_ms)],
  });
  return rowCount === 1;
}
