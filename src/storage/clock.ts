// The application's clock, as far as all processes share it: how far tests have moved it.

import type pg from "pg";

export async function readClock(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ offset_ms: string }>("SELECT offset_ms FROM clock");
  return Number(rows[0]?.offset_ms ?? 0);
}

/** Moves it; answers the new offset from the real time. */
export async function moveClock(pool: pg.Pool, ms: number): Promise<number> {
  const { rows } = await pool.query<{ offset_ms: string }>(
    "UPDATE clock SET offset_ms = offset_ms + $1 RETURNING offset_ms",
    [ms],
  );
  return Number(rows[0]?.offset_ms ?? 0);
}
