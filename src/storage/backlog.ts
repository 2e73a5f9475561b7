// How much waits, for the metrics: counted from partial indexes that hold only what waits.

import type pg from "pg";

export async function backlog(pool: pg.Pool): Promise<{ callbacks: number; operations: number }> {
  const { rows } = await pool.query<{ callbacks: number; operations: number }>(
    `SELECT (SELECT count(*)::int FROM callbacks WHERE state = 'pending') AS callbacks,
            (SELECT count(*)::int FROM operations WHERE pending) AS operations`,
  );
  return rows[0] ?? { callbacks: 0, operations: 0 };
}
