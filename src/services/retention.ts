// Erasing what tells of a person from a transaction: when it has grown old, or on request. First what hangs on it, then the
// row itself, which says that it is done; whoever is broken off in between does it all again. Totals and operations stay.

import { decideErasure, erasedBody, erasedChanges, erasedTelling } from "../domain/erasure.ts";
import { Refused, unless } from "../domain/refusal.ts";
import type { Transaction } from "../domain/transaction.ts";
import { forgetExportsSince } from "../storage/exports.ts";
import { keys_kept_ms } from "../storage/idempotency.ts";
import { forgetDetails } from "../storage/requests.ts";
import {
  eraseOperations,
  forgetAnswersAbout,
  oldTransactions,
  replaceTexts,
  type Text,
  type Texts,
  textsOf,
} from "../storage/retention.ts";
import { loadTransaction } from "../storage/transactions.ts";
import { activity } from "./activity.ts";
import { each } from "./each.ts";
import { ulidTime } from "./ids.ts";
import { tries_max } from "./operate.ts";
import { claimed, type Key, keyTaken } from "./operations.ts";
import { find } from "./payments.ts";
import { folders } from "./present.ts";
import { type Actor, type Services, system } from "./services.ts";
import { forgetUnused, keepsCard } from "./vault.ts";

const texts_at_once = 100;
const batch_max = 200;
// Requests need the database's connections more.
const at_once = 2;

/** On request. Throws `operation_pending` and `wrong_state`. What is erased already is answered as it is. */
export async function erase(services: Services, actor: Actor, key: Key): Promise<Transaction> {
  for (let tries = 0; tries < tries_max; tries++) {
    const before = await find(services, key);
    if (before.retented_at !== null) return before;
    unless(decideErasure(before));
    const erased = await tryErase(services, actor, before);
    if (erased !== null) {
      await forgetTold(services, before);
      return erased;
    }
  }
  throw new Refused("unavailable", null, { retry_after_s: 1 });
}

/** Null where it was changed meanwhile. */
async function tryErase(services: Services, actor: Actor, before: Transaction): Promise<Transaction | null> {
  const { account_id, type, id } = before;
  const at = services.clock.now();
  await eraseWhatHangsOn(services, before);
  const after: Transaction = {
    ...before,
    body: erasedBody(before.body),
    link_token: null,
    due_at: null,
    revision: before.revision + 1,
    updated_at: at,
    retented_at: at,
  };
  const committed = await services.commit({
    transaction: after,
    activity: [
      activity(actor, {
        target: { account_id, type, id },
        action: "erase",
        changes: { retented_at: [null, at.toISOString()] },
        at,
      }),
    ],
    idempotency: claimed(actor, before, null),
  });
  if (committed === "key_taken") throw keyTaken();
  return committed === "done" ? ((await loadTransaction(services.pool, after)) ?? after) : null;
}

async function eraseWhatHangsOn(services: Services, before: Transaction): Promise<void> {
  const { pool, clock } = services;
  await eraseOperations(pool, before);
  await eraseTexts(services, "callbacks", before, (text) => JSON.stringify(erasedTelling(JSON.parse(text))));
  await eraseTexts(services, "activity", before, (text) => {
    const changes = erasedChanges(JSON.parse(text));
    return changes === null ? null : JSON.stringify(changes);
  });
  if (keepsCard(before)) await forgetUnused(services, before);
  // Older answers are forgotten anyway.
  if (clock.now().getTime() - before.updated_at.getTime() < keys_kept_ms) await forgetAnswersAbout(pool, before);
}

// Every process writes what it noted of requests within about a second.
const logged_ms = 3_000;

/**
 * What was told of it lately: requests and exports, which are too young to matter where it has grown old. Once more when
 * every process has written what it has in mind.
 */
async function forgetTold({ pool, log }: Services, before: Transaction): Promise<void> {
  const { account_id, type, id, order_id, created_at } = before;
  const about = { account_id, folder: folders[type], id, order_id, from_id: ulidTime(created_at) };
  await forgetDetails(pool, about);
  await forgetExportsSince(pool, account_id, created_at);
  const again = (): void =>
    void forgetDetails(pool, about).catch((error: unknown) =>
      log.warn({ error: String(error) }, "the request log may still tell of what was erased a moment ago"),
    );
  setTimeout(again, logged_ms).unref();
}

type Erase = (text: string) => string | null;

async function eraseTexts({ pool }: Services, what: Texts, key: Key, erased: Erase): Promise<void> {
  for (let after = ""; ; ) {
    const rows = await textsOf(pool, what, key, { after, limit: texts_at_once });
    const changed = rows.flatMap(({ id, text }): Text[] => {
      const now = erased(text);
      return now === null || now === text ? [] : [{ id, text: now }];
    });
    if (changed.length > 0) await replaceTexts(pool, what, key, changed);
    const last = rows.at(-1);
    if (last === undefined || rows.length < texts_at_once) return;
    after = last.id;
  }
}

type Round = { readonly slots: readonly number[]; readonly months: number; readonly stopping: AbortSignal };

/** Erases some of what has not changed for so many months; true when there may be more. */
export async function eraseOld(services: Services, { slots, months, stopping }: Round): Promise<boolean> {
  if (slots.length === 0) return false;
  const before = services.clock.now();
  before.setUTCMonth(before.getUTCMonth() - months);
  const old = await oldTransactions(services.pool, { slots, before, limit: batch_max });
  let done = 0;
  await each(old, {
    at_once,
    stopping,
    failed: (key, error) => services.log.warn({ ...key, error: String(error) }, "what is old could not be erased yet"),
    work: async (key) => {
      const transaction = await find(services, key);
      if (transaction.retented_at === null && transaction.updated_at < before)
        await tryErase(services, system, transaction);
      done += 1;
    },
  });
  return old.length === batch_max && done > 0;
}
