// Makes exports, one at a time: the oldest of this process's share first.

import { makeExport } from "../services/exports.ts";
import type { Services } from "../services/services.ts";
import { pendingExport } from "../storage/exports.ts";
import { slotOf } from "../storage/leases.ts";
import type { Leases } from "./leases.ts";
import { type Loop, startLoop } from "./loop.ts";

const pause_ms = 500;

export function startExports(services: Services, leases: Leases): Loop {
  async function round(stopping: AbortSignal): Promise<boolean> {
    const row = await pendingExport(services.pool, leases.slots());
    if (row === null) return false;
    const release = leases.hold(slotOf(row.bucket));
    try {
      await makeExport(services, row, stopping);
    } finally {
      release();
    }
    return true;
  }
  return startLoop({ name: "exports", pause_ms, log: services.log, round });
}
