// Writes the counts of attempts with cards, about once a second and when the process stops, and looks whether an account is
// under attack.

import { type AttemptBook, watchAttempts } from "../services/card-testing-alarm.ts";
import type { Services } from "../services/services.ts";
import type { Leases } from "./leases.ts";
import { type Loop, startLoop } from "./loop.ts";

const write_pause_ms = 1_000;
const watch_pause_ms = 5_000;

export function startCounting({ attempts, log }: { readonly attempts: AttemptBook } & Pick<Services, "log">): Loop {
  const { flush } = attempts;
  const loop = startLoop({
    name: "card attempts",
    pause_ms: write_pause_ms,
    log,
    round: () => flush().then(() => false),
  });
  return {
    // The faces are closed by then: nothing comes any more.
    async stop() {
      await loop.stop();
      await flush();
    },
  };
}

export const startWatching = (services: Services, leases: Leases): Loop =>
  startLoop({
    name: "card testing",
    pause_ms: watch_pause_ms,
    log: services.log,
    round: async () => {
      const slots = leases.slots();
      if (slots.length > 0) await watchAttempts(services, slots);
      return false;
    },
  });
