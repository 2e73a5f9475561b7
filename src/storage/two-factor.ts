// What makes a code count once, whichever process it comes to: every write here is guarded by what it found.

import type { Db } from "./directory.ts";

export type TwoFactorRow = {
  readonly user_id: number;
  readonly sealed: Buffer;
  readonly confirmed_at: Date | null;
};

export async function twoFactorOf(db: Db, user_id: number): Promise<TwoFactorRow | null> {
  const { rows } = await db.query<TwoFactorRow>(
    "SELECT user_id, sealed, confirmed_at FROM two_factors WHERE user_id = $1",
    [user_id],
  );
  return rows[0] ?? null;
}

/** Until the transaction ends nobody else tries a code of this user. */
export async function lockTwoFactor(db: Db, user_id: number): Promise<void> {
  await db.query("SELECT FROM two_factors WHERE user_id = $1 FOR UPDATE", [user_id]);
}

/** Begins anew as long as nothing is in force. Answers false when it is. */
export async function storeTwoFactor(
  db: Db,
  { user_id, sealed, at }: { user_id: number; sealed: Buffer; at: Date },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO two_factors (user_id, sealed, created_at) VALUES ($1, $2, $3)
     ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, created_at = excluded.created_at
     WHERE two_factors.confirmed_at IS NULL`,
    [user_id, sealed, at],
  );
  return rowCount === 1;
}

type Confirmed = {
  readonly user_id: number;
  readonly sealed: Buffer;
  readonly step: number;
  readonly recovery_hashes: readonly Buffer[];
  readonly at: Date;
};

/** From now on it is in force, and the code that confirmed it is used. */
export async function confirmTwoFactor(
  db: Db,
  { user_id, sealed, step, recovery_hashes, at }: Confirmed,
): Promise<void> {
  await db.query("UPDATE two_factors SET sealed = $2, last_step = $3, confirmed_at = $4 WHERE user_id = $1", [
    user_id,
    sealed,
    step,
    at,
  ]);
  await db.query("INSERT INTO recovery_codes (user_id, hash) SELECT $1, unnest($2::bytea[])", [
    user_id,
    recovery_hashes,
  ]);
}

export async function deleteTwoFactor(db: Db, user_id: number): Promise<void> {
  for (const table of ["recovery_codes", "two_factor_proofs", "two_factors"])
    await db.query(`DELETE FROM ${table} WHERE user_id = $1`, [user_id]);
}

export async function isProven(db: Db, { user_id, address, now }: { user_id: number; address: string; now: Date }) {
  const { rowCount } = await db.query(
    "SELECT FROM two_factor_proofs WHERE user_id = $1 AND address = $2 AND until > $3",
    [user_id, address, now],
  );
  return rowCount === 1;
}

export async function storeProof(
  db: Db,
  { user_id, address, until }: { user_id: number; address: string; until: Date },
): Promise<void> {
  await db.query(
    `INSERT INTO two_factor_proofs (user_id, address, until) VALUES ($1, $2, $3)
     ON CONFLICT (user_id, address) DO UPDATE SET until = excluded.until`,
    [user_id, address, until],
  );
}

export async function forgetProofs(db: Db, user_id: number): Promise<void> {
  await db.query("DELETE FROM two_factor_proofs WHERE user_id = $1", [user_id]);
}

type Try = { readonly user_id: number; readonly now: Date; readonly window_ms: number };

/** Counts a try before its code is looked at. Answers the tries of this window, and when that began. */
export async function countTry(db: Db, { user_id, now, window_ms }: Try): Promise<{ tries: number; since: Date }> {
  const { rows } = await db.query<{ tries: number; since: Date }>(
    `UPDATE two_factors SET
       tries = CASE WHEN trying_since > $3 THEN least(tries + 1, 1000) ELSE 1 END,
       trying_since = CASE WHEN trying_since > $3 THEN trying_since ELSE $2 END
     WHERE user_id = $1 RETURNING tries, trying_since AS since`,
    [user_id, now, new Date(now.getTime() - window_ms)],
  );
  return rows[0] ?? { tries: 0, since: now };
}

/** The code of this time step, once: of many at the same moment one is answered true. */
export async function useStep(db: Db, { user_id, step }: { user_id: number; step: number }): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE two_factors SET last_step = $2, tries = 0
     WHERE user_id = $1 AND confirmed_at IS NOT NULL AND last_step < $2`,
    [user_id, step],
  );
  return rowCount === 1;
}

/** A recovery code, once. */
export async function useRecoveryCode(db: Db, { user_id, hash }: { user_id: number; hash: Buffer }): Promise<boolean> {
  const { rowCount } = await db.query("DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2", [user_id, hash]);
  if (rowCount !== 1) return false;
  await db.query("UPDATE two_factors SET tries = 0 WHERE user_id = $1", [user_id]);
  return true;
}

export async function forgetOldProofs(db: Db, now: Date): Promise<void> {
  await db.query("DELETE FROM two_factor_proofs WHERE until <= $1", [now]);
}
