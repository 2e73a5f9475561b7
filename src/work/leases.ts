// Which process works: all that live share sixteen slots evenly, and a slot's work is done by whoever holds its lease.
// A process that dies is noticed when its leases run out; one that stops gives them back at once.

import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { beat, default_lease_ms, leave, registerProcess } from "../storage/leases.ts";

// Leases are renewed this often within their time, so that a few lost beats do no harm.
const beats_per_lease = 5;
// We stop believing in a lease this part of its time before the database does.
const margin = 0.1;
// While slots wait to be given back, their new owner should not wait for a whole beat.
const handover_ms = 200;

export type Leases = {
  /** This process's row in `processes`. */
  readonly process_id: number;
  /** The slots whose work is ours right now; empty when the database was out of reach for too long. */
  readonly slots: () => readonly number[];
  /** Keeps a slot from being handed to another process until the answer is called. For work that must not run twice. */
  readonly hold: (slot: number) => () => void;
  /** Gives the slots back. Work in them must have ended. */
  readonly stop: () => Promise<void>;
};

type Options = {
  readonly pool: pg.Pool;
  readonly lease_ms?: number;
  /** Id of the master key that this process seals with, told to the others. */
  readonly masterKey?: () => string;
};

/** Registers this process and takes its share of the slots. Throws when the database cannot be reached. */
export async function startLeases({ pool, lease_ms = default_lease_ms, masterKey }: Options): Promise<Leases> {
  const process_id = await registerProcess(pool);
  const stopped = new AbortController();
  const in_use = new Map<number, number>();
  let offered: readonly number[] = [];
  let leaving: readonly number[] = [];
  let valid_until = 0;

  async function once(): Promise<void> {
    const asked_at = performance.now();
    // Only what was not offered when the question left: nobody can have begun something in it meanwhile.
    const release = leaving.filter((slot) => !in_use.has(slot));
    const rows = (await beat(pool, { process_id, release, lease_ms, master_key: masterKey?.() ?? null })).filter(
      ({ held }) => held,
    );
    offered = rows.filter(({ mine }) => mine).map(({ slot }) => slot);
    leaving = rows.filter(({ mine }) => !mine).map(({ slot }) => slot);
    valid_until = asked_at + lease_ms * (1 - margin);
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      const pause_ms = Math.min(
        lease_ms / beats_per_lease,
        leaving.length > 0 ? handover_ms : Number.POSITIVE_INFINITY,
      );
      await sleep(pause_ms, undefined, { signal: stopped.signal }).catch(() => {});
      // A failed beat is made up for by a later one; until then the leases run out by themselves.
      if (!stopped.signal.aborted) await once().catch(() => {});
    }
  }

  await once();
  const running = run();
  return {
    process_id,
    slots: () => (performance.now() < valid_until ? offered : []),
    hold(slot) {
      in_use.set(slot, (in_use.get(slot) ?? 0) + 1);
      return () => {
        const left = (in_use.get(slot) ?? 0) - 1;
        if (left > 0) in_use.set(slot, left);
        else in_use.delete(slot);
      };
    },
    async stop() {
      stopped.abort();
      offered = [];
      await running;
      // When the database is out of reach, the leases run out by themselves.
      await leave(pool, process_id).catch(() => {});
    },
  };
}
