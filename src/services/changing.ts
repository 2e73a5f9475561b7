// A change outside of payments: what it stores, its audit trail and the request's Idempotency-Key are one transaction.
// Where it concerns users, accounts or agreements this process looks everybody up anew afterwards, so that what was taken
// away stops at once.

import { Refused } from "../domain/refusal.ts";
import type { Db } from "../storage/directory.ts";
import { isUniqueViolation, isWorthRetrying } from "../storage/errors.ts";
import { claimKey } from "../storage/idempotency.ts";
import { inTransaction } from "../storage/pool.ts";
import { keyTaken } from "./operations.ts";
import type { Actor, Services } from "./services.ts";

// A transaction that the database broke off (deadlock) is done again, whole.
const tries_max = 3;

type Change<T> = {
  readonly work: (db: Db) => Promise<T>;
  /** What the Idempotency-Key's row names. */
  readonly target: (result: T) => { readonly type: string; readonly id: number };
};

/** A change of users, accounts or agreements. */
export const changing = <T>(
  services: Pick<Services, "pool"> & { readonly directory: Pick<Services["directory"], "forget"> },
  actor: Actor,
  change: Change<T>,
): Promise<T> => inOneCommit(services, actor, change).finally(services.directory.forget);

/** Does the work and claims the actor's Idempotency-Key for it, or neither. */
export async function inOneCommit<T>(
  services: Pick<Services, "pool">,
  { claim }: Actor,
  { work, target }: Change<T>,
): Promise<T> {
  const run = () =>
    inTransaction(services.pool, async (db) => {
      const result = await work(db);
      if (claim !== null) {
        const { type, id } = target(result);
        await claimKey(db, { ...claim, resource_type: type, resource_id: id, operation_id: null });
      }
      return result;
    });
  try {
    for (let tries = 1; ; tries++) {
      try {
        return await run();
      } catch (error) {
        if (tries >= tries_max || !isWorthRetrying(error)) throw error;
      }
    }
  } catch (error) {
    if (isUniqueViolation(error, "idempotency_keys_pkey")) throw keyTaken();
    throw error;
  }
}

/** 409 in words: `Conflict: the last owner cannot leave`. */
export const conflict = (why: string): Refused => new Refused("conflict", null, { message: `Conflict: ${why}` });

/** 409 over one parameter, in the words of a validation error. */
export const taken = (field: string, why: string): Refused =>
  new Refused("conflict", { [field]: [why] }, { message: "Validation error" });
