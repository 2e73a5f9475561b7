// Operations that nobody is asking about any more: their process is gone, or the acquirer's answer did not arrive. The
// acquirer is asked what became of them, until that is known.

import { repair } from "../services/operate.ts";
import type { Services } from "../services/services.ts";
import { abandonedOperations } from "../storage/transactions.ts";
import type { Leases } from "./leases.ts";
import { each, type Loop, startLoop } from "./loop.ts";

const pause_ms = 500;
const batch_max = 200;
const at_once = 16;

export function startRepairs(services: Services, leases: Leases): Loop {
  async function round(): Promise<boolean> {
    const slots = leases.slots();
    if (slots.length === 0) return false;
    const now = services.clock.now();
    const found = await abandonedOperations(services.pool, {
      slots,
      process_id: leases.process_id,
      now,
      limit: batch_max,
    });
    await each(found, {
      at_once,
      work: (operation) => repair(services, operation),
      failed: (operation, error) =>
        services.log.warn({ operation, error: String(error) }, "an operation could not be repaired yet"),
    });
    return found.length === batch_max;
  }
  return startLoop({ name: "repairs", pause_ms, log: services.log, round });
}
