// Operations that nobody is asking about any more: their process is gone, or the acquirer's answer did not arrive. The
// acquirer is asked what became of them, until that is known.

import { each } from "../services/each.ts";
import { repair } from "../services/repair.ts";
import type { Services } from "../services/services.ts";
import { abandonedOperations, askAgainAt, type PendingOperation } from "../storage/transactions.ts";
import type { Leases } from "./leases.ts";
import { type Loop, startLoop } from "./loop.ts";

const pause_ms = 500;
const batch_max = 200;
const at_once = 16;
// What fails (the database, or something we did not think of) waits this long, so that it does not keep others waiting.
const failed_pause_ms = 10_000;

export function startRepairs(services: Services, leases: Leases): Loop {
  const { pool, clock, log } = services;

  async function tryRepair(operation: PendingOperation): Promise<void> {
    try {
      await repair(services, operation);
    } catch (error) {
      log.warn({ operation, error: String(error) }, "an operation could not be repaired yet");
      await askAgainAt(pool, operation, new Date(clock.now().getTime() + failed_pause_ms));
    }
  }

  async function round(stopping: AbortSignal): Promise<boolean> {
    const found = await abandonedOperations(pool, {
      slots: leases.slots(),
      process_id: leases.process_id,
      busy: [...services.running],
      now: clock.now(),
      limit: batch_max,
    });
    await each(found, {
      at_once,
      stopping,
      work: tryRepair,
      failed: (operation, error) => log.warn({ operation, error: String(error) }, "nor could that be noted"),
    });
    return found.length === batch_max;
  }
  return startLoop({ name: "repairs", pause_ms, log: services.log, round });
}
