// Where people have signed in. A session is found by the SHA-256 of its token.

import type pg from "pg";
import type { Db } from "./directory.ts";
import { nextCounter } from "./directory.ts";

export type SessionRow = {
  readonly id: number;
  readonly user_id: number;
  readonly address: string;
  readonly user_agent: string;
  readonly created_at: Date;
  readonly expires_at: Date;
};

const columns = "id, user_id, address, user_agent, created_at, expires_at";

export async function insertSession(
  db: Db,
  { token_hash, ...session }: Omit<SessionRow, "id"> & { readonly token_hash: Buffer },
): Promise<SessionRow> {
  const id = await nextCounter(db, "sessions");
  await db.query(
    `INSERT INTO sessions (id, user_id, token_hash, address, user_agent, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [id, session.user_id, token_hash, session.address, session.user_agent, session.created_at, session.expires_at],
  );
  return { id, ...session };
}

export async function sessionByToken(db: Db, token_hash: Buffer): Promise<SessionRow | null> {
  const { rows } = await db.query<SessionRow>(`SELECT ${columns} FROM sessions WHERE token_hash = $1`, [token_hash]);
  return rows[0] ?? null;
}

/** Those that still last, in the order of their ids. */
export async function sessionsOf(db: Db, user_id: number, now: Date): Promise<SessionRow[]> {
  const { rows } = await db.query<SessionRow>(
    `SELECT ${columns} FROM sessions WHERE user_id = $1 AND expires_at > $2 ORDER BY id`,
    [user_id, now],
  );
  return rows;
}

export async function deleteSession(db: Db, { id, user_id }: { id: number; user_id: number }): Promise<boolean> {
  return (await db.query("DELETE FROM sessions WHERE id = $1 AND user_id = $2", [id, user_id])).rowCount === 1;
}

/** All of a user's, but for one where it is given. */
export async function deleteSessions(db: Db, user_id: number, but: number | null = null): Promise<void> {
  await db.query("DELETE FROM sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2", [user_id, but]);
}

/** All but the newest so many of a user's. */
export async function deleteOldest(db: Db, user_id: number, kept_max: number): Promise<void> {
  await db.query(
    "DELETE FROM sessions WHERE user_id = $1 AND id <= (SELECT id FROM sessions WHERE user_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)",
    [user_id, kept_max],
  );
}

export async function forgetSessions(pool: pg.Pool, now: Date): Promise<void> {
  await pool.query("DELETE FROM sessions WHERE expires_at <= $1", [now]);
}
