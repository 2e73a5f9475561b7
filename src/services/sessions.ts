// Sessions: somebody signs in once, with password and code, and is known by a token from then on (reference: extensions,
// section 7). They end with the password that opened them.

import { notFound } from "../domain/refusal.ts";
import { deleteOldest, deleteSession, insertSession, type SessionRow } from "../storage/sessions.ts";
import { changing } from "./changing.ts";
import type { User } from "./directory.ts";
import { newToken } from "./mails.ts";
import type { Actor, Services } from "./services.ts";

// A working day; after that one signs in anew.
const lasts_ms = 12 * 3_600_000;
// Beyond so many the oldest end.
const per_user_max = 50;
const user_agent_length_max = 200;

const target = ({ id }: { readonly id: number }) => ({ type: "Session", id });

type Opening = { readonly user: User; readonly user_agent: string };

/** The token is answered here once; only its hash is stored. */
export async function openSession(
  services: Services,
  actor: Actor,
  { user, user_agent }: Opening,
): Promise<{ readonly session: SessionRow; readonly token: string }> {
  const { token, hash } = newToken();
  const at = services.clock.now();
  const session = await changing(services, actor, {
    work: async (db) => {
      const opened = await insertSession(db, {
        user_id: user.id,
        token_hash: hash,
        address: actor.ip ?? "",
        user_agent: user_agent.slice(0, user_agent_length_max),
        created_at: at,
        expires_at: new Date(at.getTime() + lasts_ms),
      });
      await deleteOldest(db, user.id, per_user_max);
      return opened;
    },
    target,
  });
  return { session, token };
}

/** Throws 404 when it is not this user's, or has ended. */
export const endSession = (
  services: Services,
  actor: Actor,
  { user, id }: { readonly user: User; readonly id: number },
): Promise<{ readonly id: number }> =>
  changing(services, actor, {
    work: async (db) => {
      if (!(await deleteSession(db, { id, user_id: user.id }))) throw notFound("Session", id);
      return { id };
    },
    target,
  });
