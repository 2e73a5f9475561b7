// The vault: what the card of a Card or a subscription needs to pay again, sealed (PCI DSS, requirements 3.5 and 3.6). Never
// a CVD (3.3.1). It is sealed when the authorization begins, because nobody knows the number any more where its answer is
// found later, and kept only if that was approved. A saved card is opened by a token that works once, a subscription's where
// its acquirer has given no reference to charge it by.

import { createHash, randomUUID } from "node:crypto";
import type { Card } from "../domain/card.ts";
import { Refused } from "../domain/refusal.ts";
import { isApproved, type Operation, type Transaction } from "../domain/transaction.ts";
import { writeActivity } from "../storage/activity.ts";
import type { VaultRow } from "../storage/rows.ts";
import { loadTransaction } from "../storage/transactions.ts";
import { cardOfToken, deleteSaved, insertToken, savedCard, useToken } from "../storage/vault.ts";
import { activity } from "./activity.ts";
import { inOneCommit } from "./changing.ts";
import type { Actor, Services } from "./services.ts";

/** Bound to the operation: what one saved cannot be opened as what another did. */
export const savedCardPurpose = (reference: string): string => `card saved by ${reference}`;

/** What the operation saves of its card. */
export function vaultRow(
  { seal }: Pick<Services, "seal">,
  { bucket, account_id, id: card_id }: Transaction,
  { reference }: Operation,
  { number, exp_month, exp_year, brand, issued_to }: Card,
): VaultRow {
  const kept = JSON.stringify({ number, exp_month, exp_year, brand, issued_to });
  return { bucket, reference, account_id, card_id, sealed: seal.close(kept, savedCardPurpose(reference)) };
}

/** The operation that saved the card that is in force: the approved one, unless its subscription or card was cancelled. */
const savingOperation = ({ cancelled, operations }: Transaction): Operation | undefined =>
  cancelled ? undefined : operations.find((operation) => operation.type === "authorize" && isApproved(operation));

/** Whether this kind keeps the card that it was authorized with. */
export const keepsCard = ({ type }: Pick<Transaction, "type">): boolean => type === "Card" || type === "Subscription";

/** Deletes what a refused authorization saved, and everything once the card or subscription is cancelled. */
export function forgetUnused({ pool }: Services, kept_for: Transaction): Promise<void> {
  const kept = savingOperation(kept_for);
  const pending = kept_for.operations.filter((operation) => operation.pending);
  const references = [...(kept === undefined ? [] : [kept]), ...pending].map(({ reference }) => reference);
  return deleteSaved(pool, { account_id: kept_for.account_id, card_id: kept_for.id }, references);
}

/** The card that this card or subscription keeps; null where it keeps none: never authorized with one, or cancelled. */
export async function keptCard({ pool, seal }: Services, keeper: Transaction): Promise<Card | null> {
  const reference = savingOperation(keeper)?.reference;
  const sealed = reference === undefined ? null : await savedCard(pool, { account_id: keeper.account_id, reference });
  if (reference === undefined || sealed === null) return null;
  const kept = JSON.parse(seal.open(sealed, savedCardPurpose(reference))) as Omit<Card, "cvd" | "three_d_secure">;
  return { ...kept, cvd: null, three_d_secure: null };
}

export type CardToken = { readonly token: string; readonly is_used: boolean; readonly created_at: Date };

/** A token that pays once with this card. Throws `wrong_state` where the card cannot pay. */
export async function newToken(services: Services, actor: Actor, card: Transaction): Promise<CardToken> {
  if (card.state !== "active") throw new Refused("wrong_state", {});
  const { account_id, type, id } = card;
  const token = randomUUID();
  const created_at = services.clock.now();
  await inOneCommit(services, actor, {
    target: () => ({ type, id }),
    work: async (db) => {
      await insertToken(db, { account_id, card_id: id }, { token_hash: hashOf(token), created_at });
      const target = { account_id, type, id };
      await writeActivity(db, activity(actor, { target, action: "token", changes: {}, at: created_at }));
    },
  });
  return { token, is_used: false, created_at };
}

const hashOf = (token: string): Buffer => createHash("sha256").update(token).digest();

/** The saved card that a token stands for; null when the token is unknown or used, or the card cannot pay any more. */
export async function cardBehind(services: Services, account_id: number, token: string): Promise<Card | null> {
  const id = await cardOfToken(services.pool, account_id, hashOf(token));
  const saved = id === null ? null : await loadTransaction(services.pool, { account_id, type: "Card", id });
  return saved?.state === "active" ? keptCard(services, saved) : null;
}

/** Uses the token up; false when another request was faster. */
export const spend = ({ pool, clock }: Services, account_id: number, token: string): Promise<boolean> =>
  useToken(pool, account_id, hashOf(token), clock.now());
