// A shopper at the payment window: one opened page of a link. The window sets no cookie; the session's id is in its forms
// and addresses. Sessions stand in the database, so that any process may answer the next request.

import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { CardInput } from "../domain/card.ts";
import type { Transaction, TransactionType } from "../domain/transaction.ts";
import { loadTransaction, transactionByLink } from "../storage/transactions.ts";
import {
  type Authentication,
  changeWindowSession,
  giveTurnBack,
  insertWindowSession,
  takeTurn,
  type WindowSession,
  windowSession,
} from "../storage/window-sessions.ts";
import { bucketIn, bucketToken } from "./ids.ts";
import { ask_timeout_ms } from "./operate.ts";
import type { Services } from "./services.ts";

export type { Authentication, WindowSession };

// Long enough for a page that was left open overnight.
const session_ms = 24 * 3_600_000;
// A card rests only while its issuer is asked (architecture: section 4, point 7).
const held_ms = 15 * 60_000;
// Longer than an attempt may take: 3-D Secure is asked, then the acquirer.
const turn_ms = 2 * ask_timeout_ms;
const turn_check_ms = 100;

/** What the shopper was shown: when it changes under an open page, the page must be opened anew. */
export const termsOf = ({ body, currency, order_id, link_token }: Transaction): string =>
  createHash("sha256")
    .update(JSON.stringify([body.link, currency, order_id, link_token]))
    .digest("hex");

/** Not stored yet. */
export function newSession(
  { clock }: Pick<Services, "clock">,
  transaction: Transaction,
  language: string,
): WindowSession {
  const { bucket, account_id, type, id } = transaction;
  const created_at = clock.now();
  return {
    ...{ bucket, id: bucketToken(bucket), account_id, type, transaction_id: id, terms: termsOf(transaction), language },
    ...{ method: null, fee: null, attempts: 0, held: null, held_until: null, authentication: null, busy: false },
    created_at,
    expires_at: new Date(created_at.getTime() + session_ms),
  };
}

export const storeSession = ({ pool }: Pick<Services, "pool">, session: WindowSession): Promise<void> =>
  insertWindowSession(pool, session);

/** What a link leads to; null where there is no such link (any more). */
export async function transactionLinked(
  { pool }: Services,
  type: TransactionType,
  link_token: string,
): Promise<Transaction | null> {
  const bucket = bucketIn(link_token);
  return bucket === null ? null : transactionByLink(pool, { bucket, type, link_token });
}

/** What the session is for. */
export const transactionIn = (
  { pool }: Services,
  { account_id, type, transaction_id: id }: WindowSession,
): Promise<Transaction | null> => loadTransaction(pool, { account_id, type, id });

/** Null for what is no session, or not any more. */
export async function findSession({ pool, clock }: Services, id: string): Promise<WindowSession | null> {
  const bucket = bucketIn(id);
  const session = bucket === null ? null : await windowSession(pool, { bucket, id });
  return session !== null && session.expires_at > clock.now() ? session : null;
}

/** The session with these changes; as it was where it is gone. */
export const changeSession = async (
  { pool }: Services,
  session: WindowSession,
  changes: Parameters<typeof changeWindowSession>[2],
): Promise<WindowSession> => (await changeWindowSession(pool, session, changes)) ?? session;

/**
 * Does the work while no other request of this session is doing its own, so that a second click changes nothing: it waits
 * for the first, and answers null.
 */
export async function inTurn<T>({ pool }: Services, session: WindowSession, work: () => Promise<T>): Promise<T | null> {
  if (!(await takeTurn(pool, session, turn_ms))) {
    const deadline = performance.now() + turn_ms;
    while ((await windowSession(pool, session))?.busy && performance.now() < deadline) await sleep(turn_check_ms);
    return null;
  }
  try {
    return await work();
  } finally {
    await giveTurnBack(pool, session);
  }
}

const purpose = ({ id }: WindowSession): string => `card held by ${id}`;

/** Keeps the card while its issuer is asked, as ciphertext whose key is in the memory of our processes alone. */
export function holdCard(
  services: Services,
  session: WindowSession,
  { card, authentication }: { readonly card: CardInput; readonly authentication: Authentication },
): Promise<WindowSession> {
  const held = services.memory.close(JSON.stringify(card), purpose(session));
  const held_until = new Date(services.clock.now().getTime() + held_ms);
  return changeSession(services, session, { held, held_until, authentication });
}

/** Null when it was not kept, for too long, or by processes that are gone: the shopper types it again. */
export function heldCard({ memory, clock }: Services, session: WindowSession): CardInput | null {
  const { held, held_until } = session;
  if (held === null || held_until === null || held_until <= clock.now()) return null;
  try {
    return JSON.parse(memory.open(held, purpose(session))) as CardInput;
  } catch {
    return null;
  }
}

/** Is the shopper with her bank, and may come back to pay? */
export const isAuthenticating = (services: Services, session: WindowSession): boolean =>
  session.authentication !== null && heldCard(services, session) !== null;

/** Neither card nor authentication are needed any more. */
export const dropCard = (services: Services, session: WindowSession): Promise<WindowSession> =>
  changeSession(services, session, { held: null, held_until: null, authentication: null });

/** The session without an authentication that was begun and left. */
export const withoutCard = async (services: Services, session: WindowSession): Promise<WindowSession> =>
  session.authentication === null ? session : dropCard(services, session);
