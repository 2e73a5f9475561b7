// Against card testing: thieves try stolen numbers where a card can be typed in. Before each attempt with a card in the
// window `guard` is asked, and after it `attemptEnded` told.
//
// | what | where | then |
// | --- | --- | --- |
// | 5 declines in 10 minutes | one link | it waits |
// | 3 declines in an hour | one address on one account | 1, 2, 4, … 60 s between its attempts |
// | 6 declines in an hour | one address on one account | and a proof of work with each |
// | the alarm (services/card-testing-alarm.ts) | one account | a proof of work with each attempt |
//
// No oracle: what the shopper hears of a decline, and of every verdict here, never differs by the reason. One text for
// "declined" whatever the acquirer said (no funds, wrong CVD, stolen, blocked by a rule), and "wait so long" or "a moment
// more" without saying what is counted. The reasons stand in the operation, for the merchant.
//
// What is under way counts too, beyond a few: else a thousand attempts at once would all come before the first decline.

import { testCard } from "../domain/test-cards.ts";
import { isApproved, type Operation, type Transaction } from "../domain/transaction.ts";
import {
  type AttemptKey,
  type AttemptRow,
  endAttempt,
  type Standing,
  standingOf,
  takeTurn,
} from "../storage/card-testing.ts";
import { networkHash } from "./network.ts";
import { type Answered, checkWork, newWork, type Work } from "./proof-of-work.ts";
import type { Services } from "./services.ts";

/** `go`: let it through. All others: nothing was begun, and the shopper may come again after `wait_s`, or with the work done. */
export type Verdict =
  | { readonly kind: "go" }
  | { readonly kind: "link_closed"; readonly wait_s: number }
  | { readonly kind: "slow_down"; readonly wait_s: number }
  | { readonly kind: "work"; readonly work: Work };

export type Attempt = {
  readonly transaction: Pick<Transaction, "account_id" | "operations">;
  /** The shopper's, as the listener knows it. */
  readonly address: string;
  readonly card_number: string;
};

const hour_ms = 3_600_000;
const link_declines_max = 5;
const link_window_ms = 10 * 60_000;

const delay_from = 3;
const delay_max_ms = 60_000;
const work_from = 6;
// Enough for the longest delay and the hardest work.
const declines_remembered_max = 16;

// People behind one address (an office, a mobile network) pay at the same time: so many attempts cost nobody anything.
const under_way_free = 3;
// An attempt whose end was never told (a process that was killed, a shopper who left her bank's page) is forgotten.
const under_way_ms = 120_000;

// Each time another attempt of the same address came first.
const tries_max = 8;

/**
 * Did somebody refuse this card? Not: an acquirer that wants 3-D Secure first (30100, 30101), one that failed or did not answer
 * (5…: else its outage would look like an attack), nor what was aborted or had expired.
 */
export const isDecline = ({
  pending,
  type,
  status_code,
}: Pick<Operation, "pending" | "type" | "status_code">): boolean =>
  !pending && (type === "authorize" || type === "credit") && /^4(?!000[23])/.test(status_code ?? "");

/** How long this link takes no more cards, in milliseconds; 0: it takes them. */
function linkWait(operations: readonly Operation[], now: Date): number {
  const ends = operations.filter(isDecline).map(({ finished_at, created_at }) => (finished_at ?? created_at).getTime());
  const [decisive = 0] = ends.sort((a, b) => a - b).slice(-link_declines_max);
  return ends.length < link_declines_max ? 0 : Math.max(0, decisive + link_window_ms - now.getTime());
}

/** So long this transaction takes no card, in seconds, whoever comes: asked again where time has passed since `guard`. 0: it does. */
export function linkClosedFor(
  { clock }: Pick<Services, "clock">,
  { operations }: Pick<Transaction, "operations">,
): number {
  const closed_ms = linkWait(operations, clock.now());
  return closed_ms > 0 ? seconds(closed_ms) : 0;
}

/** What counts against this address, in declines. */
function countedOf(row: AttemptRow | null, now: Date): { readonly count: number; readonly under_way: readonly Date[] } {
  const since = (ms: number) => (at: Date) => at.getTime() > now.getTime() - ms;
  const declines = row?.declined_at.filter(since(hour_ms)).length ?? 0;
  const under_way = row?.under_way.filter(since(under_way_ms)) ?? [];
  return { count: declines + Math.max(0, under_way.length - under_way_free), under_way };
}

/** 1, 2, 4, … seconds after the third decline. */
const delayOf = (count: number): number =>
  count < delay_from ? 0 : Math.min(delay_max_ms, 1000 * 2 ** (count - delay_from));

const seconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));

function keyOf({ seal }: Pick<Services, "seal">, { transaction, address, card_number }: Attempt): AttemptKey {
  const { account_id } = transaction;
  const test_mode = testCard(card_number) !== null;
  return { account_id, test_mode, network: networkHash(seal, account_id, address) };
}

type Guarding = Pick<Services, "pool" | "seal" | "clock">;

/**
 * May this attempt with a card be made now? `go` takes the address's turn and uses up the work: ask once, right before the
 * attempt, and give the operation the revision of this very transaction, so that attempts on one link cannot pass together.
 * `work` is what the form has brought, if anything. Then say `attemptEnded`.
 */
export async function guard(
  services: Guarding,
  attempt: Attempt & { readonly work: Answered | null },
): Promise<Verdict> {
  const { pool, clock } = services;
  const { transaction, work } = attempt;
  const closed_ms = linkWait(transaction.operations, clock.now());
  if (closed_ms > 0) return { kind: "link_closed", wait_s: seconds(closed_ms) };

  const key = keyOf(services, attempt);
  const checked = work === null ? ("unknown" as const) : checkWork(services, key, work);
  const done = checked !== "unknown" && checked.kind === "done" ? checked.id : null;
  for (let tries = 0; tries < tries_max; tries++) {
    const at = clock.now();
    const standing = await standingOf(pool, key, done);
    const { row } = standing;
    const { count, under_way } = countedOf(row, at);
    const asks_work = mustWork(standing, count);
    // First the work, so that it is done while the shopper waits; it is used up by the turn alone.
    if (asks_work && (done === null || standing.work_used))
      return checked !== "unknown" && checked.kind === "waiting"
        ? { kind: "work", work: checked.work }
        : anew(services, key, count);
    const early_ms = row === null ? 0 : row.attempt_at.getTime() + delayOf(count) - at.getTime();
    if (early_ms > 0) return { kind: "slow_down", wait_s: seconds(early_ms) };
    const work_id = asks_work ? done : null;
    const turn = await takeTurn(pool, { key, at, under_way, revision: row?.revision ?? null, work_id });
    if (turn === "taken") return { kind: "go" };
    if (turn === "work_used") return anew(services, key, count);
  }
  return { kind: "slow_down", wait_s: 1 };
}

const mustWork = ({ alarm }: Pick<Standing, "alarm">, count: number): boolean => alarm || count >= work_from;

const anew = (services: Guarding, key: AttemptKey, count: number): Verdict => ({
  kind: "work",
  work: newWork(services, key, Math.max(0, count - work_from)),
});

/**
 * The work that an attempt from this address would be asked for, to be shown with the form: then it is done while the shopper
 * types. Null: none.
 */
export async function workAhead(
  services: Guarding,
  { account_id, address }: { readonly account_id: number; readonly address: string },
): Promise<Work | null> {
  const { pool, seal, clock } = services;
  const key = { account_id, test_mode: false, network: networkHash(seal, account_id, address) };
  const standing = await standingOf(pool, key, null);
  const { count } = countedOf(standing.row, clock.now());
  return mustWork(standing, count) ? newWork(services, key, Math.max(0, count - work_from)) : null;
}

/**
 * What came of an attempt that `guard` let through; null: nothing yet, or nothing that tells of the card. With 3-D Secure, null
 * when the shopper leaves for her bank, and the operation once it is finished.
 *
 * An approval forgives half of the address's declines, not all. Whoever shares an address with many (a mobile network)
 * is soon free again, because most of them are approved; an honest shopper has paid and needs no more. A thief who owns
 * one good card pays it for every three or four that she tries, and can never bring herself back to none for long.
 */
export async function attemptEnded(
  services: Guarding & Pick<Services, "attempts">,
  attempt: Attempt,
  operation: Operation | null,
): Promise<void> {
  const at = services.clock.now();
  const key = keyOf(services, attempt);
  const outcome =
    operation === null ? "neither" : isApproved(operation) ? "approved" : isDecline(operation) ? "declined" : "neither";
  if (outcome !== "neither") services.attempts.note({ ...key, at, declined: outcome === "declined" });
  const hour_ago = new Date(at.getTime() - hour_ms);
  await endAttempt(services.pool, { key, at, outcome, hour_ago, declines_max: declines_remembered_max });
}
