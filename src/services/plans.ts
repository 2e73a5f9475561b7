// What an account's plan lets it do: features, and live authorizations per month (reference: extensions, section 4). What
// is bounded is counted in the commit that begins it and given back in the one that settles it without approval, so the
// bound is exact however many requests come at once; a pending one holds its place.

import type { Feature, Plan, Plans } from "../domain/plans.ts";
import { notFound, Refused } from "../domain/refusal.ts";
import {
  isApproved,
  type Operation,
  type OperationType,
  pendingOperation,
  type Transaction,
} from "../domain/transaction.ts";
import { writeActivity } from "../storage/activity.ts";
import { accountById, lockAccount } from "../storage/directory.ts";
import { countUse, type Month, recountUse, updatePlan, usedOf } from "../storage/plans.ts";
import type { UseRow } from "../storage/rows.ts";
import { activity } from "./activity.ts";
import { changing } from "./changing.ts";
import { monthOf } from "./days.ts";
import type { Account } from "./directory.ts";
import { limiter } from "./limited.ts";
import type { Actor, Services } from "./services.ts";

type OnPlan = Pick<Account, "plan">;

export const planOf = ({ plans }: { readonly plans: Plans }, { plan }: OnPlan): Plan =>
  plans.find(({ name }) => name === plan) ?? plans[0];

const required = (what: string): Refused =>
  new Refused("plan_required", null, { message: `Payment plan required: ${what}` });

/** Throws 402 where the account's plan lacks the feature. */
export function mustHave(services: Pick<Services, "plans">, account: OnPlan, feature: Feature): void {
  if (!planOf(services, account).features.includes(feature)) throw required(feature);
}

const usedUp = (bound: number): Refused => required(`more than ${bound} transactions a month`);

const counts: readonly OperationType[] = ["authorize", "session", "recurring", "credit"];

const monthAt = ({ id, settings }: Pick<Account, "id" | "settings">, at: Date): Month => ({
  account_id: id,
  ...monthOf(at, settings.timezone),
});

/** What an operation takes of a bounded plan; `mark` goes into its options. */
export type Taken = {
  readonly mark: { readonly counted?: string };
  readonly uses: readonly UseRow[];
  readonly refused: Refused;
};

const nothing: Taken = { mark: {}, uses: [], refused: required("") };

type Taking = {
  readonly transaction: Pick<Transaction, "account_id" | "operations">;
  readonly verb: OperationType;
  readonly test_mode: boolean;
};

/**
 * What beginning this takes of the account's plan: nothing for tests, for what follows an authorization, and on a plan
 * without a bound. Throws 402 where the month is used up already; when others use it up first, the commit says so, and
 * `refused` is to be thrown.
 */
export async function takenOf(services: Services, { transaction, verb, test_mode }: Taking): Promise<Taken> {
  if (test_mode || !counts.includes(verb)) return nothing;
  const { account_id, operations } = transaction;
  const account = await services.directory.account(account_id);
  const bound = planOf(services, account).transactions_per_month;
  if (bound === null) return nothing;
  const month = monthAt(account, services.clock.now());
  // A session that this ends gives its place back.
  const ends_one = pendingOperation(operations)?.options.counted === month.month ? 1 : 0;
  const refused = usedUp(bound);
  if ((await usedOf(services.pool, month)) - ends_one >= bound) throw refused;
  return { mark: { counted: month.month }, uses: [{ month: month.month, taken: 1, bound }], refused };
}

/** What an operation that ended without approval gives back. */
export const givenBack = (operation: Operation | undefined): UseRow[] =>
  operation?.options.counted === undefined || operation.pending || isApproved(operation)
    ? []
    : [{ month: operation.options.counted, taken: -1, bound: null }];

// An account without a bound may have a million in a month: counting takes seconds of a core then.
const counting = limiter({ at_once_max: 2, waiting_max: 20, retry_after_s: 2 });

export type PlanNow = Plan & { readonly month: string; readonly transactions_this_month: number };

/** The plan with what the current month has used. */
export async function planNow(services: Services, account: Account): Promise<PlanNow> {
  const month = monthAt(account, services.clock.now());
  const transactions_this_month = await counting(() => countUse(services.pool, month));
  return { ...planOf(services, account), month: month.month, transactions_this_month };
}

/** The operator's command line has no more than this. */
type Changing = Pick<Services, "pool" | "plans"> & {
  readonly clock: Pick<Services["clock"], "now">;
  readonly directory: Pick<Services["directory"], "forget">;
};

/**
 * Puts an account on another plan, by its own wish or the operator's. What it has beyond the new one stays and works on.
 * Throws 404 for an account that is not there or closed, 400 for a plan that is not offered.
 */
export async function changePlan(
  services: Changing,
  actor: Actor,
  { account_id, plan }: { readonly account_id: number; readonly plan: string },
): Promise<void> {
  const { plans, clock } = services;
  if (!plans.some(({ name }) => name === plan))
    throw new Refused("validation", { plan: ["does not have a valid value"] });
  await changing(services, actor, {
    work: async (db) => {
      const at = clock.now();
      await lockAccount(db, account_id);
      const row = await accountById(db, account_id);
      if (row === null || row.closed_at !== null) throw notFound("Account", account_id);
      const before = planOf(services, row).name;
      await updatePlan(db, account_id, plan);
      await recountUse(db, monthAt(row, at));
      if (before === plan) return account_id;
      const target = { account_id, type: "Account", id: account_id };
      await writeActivity(db, activity(actor, { target, action: "plan", changes: { plan: [before, plan] }, at }));
      return account_id;
    },
    target: (id) => ({ type: "Account", id }),
  });
}
