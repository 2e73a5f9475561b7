// The operator's hold on an account: a suspended one reads, refunds and cancels, but does not charge (the endpoints that
// declare `charges` are refused). What had begun is finished; captures planned for a date wait until it is resumed.

import type pg from "pg";
import { writeActivity } from "../storage/activity.ts";
import { accountById, lockAccount, suspendAccount } from "../storage/directory.ts";
import { inTransaction } from "../storage/pool.ts";
import { activity } from "./activity.ts";
import { type Actor, system } from "./services.ts";

const operator: Actor = { ...system, name: "Operator", path: "coolpay accounts" };

/** `missing`: there is no such account, or it is closed. `as_it_was`: it is so already. */
export type Suspension = "done" | "as_it_was" | "missing";

/** Takes effect in every process within the 5 s that an account is remembered. */
export const setSuspended = (
  pool: pg.Pool,
  { id, suspended, at }: { id: number; suspended: boolean; at: Date },
): Promise<Suspension> =>
  inTransaction(pool, async (db) => {
    await lockAccount(db, id);
    const account = await accountById(db, id);
    if (account === null || account.closed_at !== null) return "missing";
    const { suspended_at: before } = account;
    if ((before !== null) === suspended) return "as_it_was";
    const after = suspended ? at : null;
    await suspendAccount(db, id, after);
    await writeActivity(
      db,
      activity(operator, {
        target: { account_id: id, type: "Account", id },
        action: suspended ? "suspend" : "resume",
        changes: { suspended_at: [before?.toISOString() ?? null, after?.toISOString() ?? null] },
        at,
      }),
    );
    return "done";
  });
