// The 04-Platform: the phone number that a merchant has there, and the secret that both sides share.

import { Refused } from "../domain/refusal.ts";
import { writeActivity } from "../storage/activity.ts";
import { type Db, lockAccount } from "../storage/directory.ts";
import { deleteZero4, putZero4, zero4Of } from "../storage/zero4.ts";
import { activity, differences } from "./activity.ts";
import { inOneCommit } from "./changing.ts";
import { secretHex } from "./ids.ts";
import type { Actor, Services } from "./services.ts";

export type Zero4 = { readonly phone: string; readonly secret: string };

const purpose = "04-platform";

async function read({ seal }: Services, db: Db, account_id: number): Promise<Zero4 | null> {
  const row = await zero4Of(db, account_id);
  return row === null ? null : { phone: row.phone, secret: seal.open(row.secret, purpose) };
}

/** Throws 400 while nothing is set. */
export async function zero4(services: Services, account_id: number): Promise<Zero4> {
  const settings = await read(services, services.pool, account_id);
  if (settings !== null) return settings;
  throw new Refused("validation", {}, { message: "Validation error: the 04-Platform is not set up" });
}

type Change = { readonly account_id: number; readonly edit: (before: Zero4 | null) => Zero4 | null };

const change = (services: Services, actor: Actor, { account_id, edit }: Change): Promise<Zero4 | null> =>
  inOneCommit(services, actor, {
    work: async (db) => {
      await lockAccount(db, account_id);
      const before = await read(services, db, account_id);
      const after = edit(before);
      const at = services.clock.now();
      if (after === null) await deleteZero4(db, account_id);
      else {
        const row = { phone: after.phone, secret: services.seal.close(after.secret, purpose) };
        await putZero4(db, { account_id, row, at });
      }
      const changes = differences(before, after);
      const target = { account_id, type: "Account", id: account_id };
      if (Object.keys(changes).length > 0)
        await writeActivity(db, activity(actor, { target, action: "04-platform", changes, at }));
      return after;
    },
    target: () => ({ type: "Account", id: account_id }),
  });

type Wanted = { readonly account_id: number; readonly phone: string; readonly secret: string | undefined };

/** Without a secret the one that is there stays, or one is made. */
export const setZero4 = (
  services: Services,
  actor: Actor,
  { account_id, phone, secret }: Wanted,
): Promise<Zero4 | null> =>
  change(services, actor, {
    account_id,
    edit: (before) => ({ phone, secret: secret ?? before?.secret ?? secretHex() }),
  });

export const forgetZero4 = (services: Services, actor: Actor, account_id: number): Promise<Zero4 | null> =>
  change(services, actor, { account_id, edit: () => null });
