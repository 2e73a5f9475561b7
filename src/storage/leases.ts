// The tables `processes` and `leases`: who is alive, and who works for which slot (a sixteenth of all buckets). Every
// comparison of times is made here, by the database's own clock, so processes with wrong clocks cannot disagree.

import type pg from "pg";

/** Slots that work is shared out by: a bucket belongs to the slot `bucket % slot_count`. The table has as many rows. */
export const slot_count = 16;
export const slotOf = (bucket: number): number => bucket % slot_count;

// A process that was not seen for this long is gone: its slots are free, and its operations are for others to repair.
export const default_lease_ms = 5_000;
// Rows of processes unseen for this long are deleted; until then they tell that a runner once existed.
const remembered_ms = 60_000;

export async function registerProcess(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ id: number }>(`
    WITH taken AS (UPDATE counters SET next = next + 1 WHERE name = 'processes' RETURNING next - 1 AS id)
    INSERT INTO processes (id) SELECT id FROM taken RETURNING id`);
  const id = rows[0]?.id;
  if (id === undefined) throw new Error("The table counters has no row for processes.");
  return id;
}

// Slot s belongs to the living process at place s modulo their number. Nobody takes a slot that another one's lease
// still covers: who has too many gives them back (`$2`), as soon as nothing is under way in them.
const beat_sql = `
  WITH seen AS (
    INSERT INTO processes (id, master_key) VALUES ($1, $5)
    ON CONFLICT (id) DO UPDATE SET seen_at = now(), master_key = excluded.master_key
  ), forgotten AS (
    DELETE FROM processes WHERE id <> $1 AND seen_at < now() - $4 * interval '1 ms'
  ), living AS (
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS total
    FROM processes WHERE id = $1 OR seen_at > now() - $3 * interval '1 ms'
  )
  UPDATE leases l
  SET holder = CASE WHEN l.slot = ANY ($2) THEN NULL ELSE $1 END,
      until = CASE WHEN l.slot = ANY ($2) THEN now() ELSE now() + $3 * interval '1 ms' END
  FROM living me
  WHERE me.id = $1
    AND (l.holder = $1 OR (l.slot % me.total = me.place AND (l.holder IS NULL OR l.until < now())))
  RETURNING l.slot, l.holder IS NOT NULL AS held, l.slot % me.total = me.place AS mine`;

export type Beat = {
  readonly process_id: number;
  /** Slots to give back: those of an earlier answer that were `held` and not `mine`, and are not in use any more. */
  readonly release: readonly number[];
  readonly lease_ms: number;
  /** Id of the master key that the process seals with; null: it seals nothing. */
  readonly master_key: string | null;
};

/** Says that the process lives, renews the leases it holds and takes the free slots that belong to it. */
export async function beat(
  pool: pg.Pool,
  { process_id, release, lease_ms, master_key }: Beat,
): Promise<readonly { readonly slot: number; readonly held: boolean; readonly mine: boolean }[]> {
  const values = [process_id, release, lease_ms, Math.max(remembered_ms, lease_ms), master_key];
  // An answer later than the lease itself is of no use.
  const { rows } = await pool.query({ text: beat_sql, values, query_timeout: lease_ms } as pg.QueryConfig);
  return rows;
}

/** The process stops by its own will: its slots are free at once. */
export async function leave(pool: pg.Pool, process_id: number): Promise<void> {
  await pool.query(
    `WITH gone AS (DELETE FROM processes WHERE id = $1)
     UPDATE leases SET holder = NULL, until = now() WHERE holder = $1`,
    [process_id],
  );
}
