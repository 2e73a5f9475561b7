// Something that is done again and again until the process stops.

import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../services/services.ts";

export type Loop = {
  /** Ends after what is under way. */
  readonly stop: () => Promise<void>;
};

type Rounds = {
  readonly name: string;
  readonly pause_ms: number;
  readonly log: Log;
  /** One round; true when there was so much to do that the next one should begin at once. It ends early when `stopping`. */
  readonly round: (stopping: AbortSignal) => Promise<boolean>;
};

// After a failed round (the database restarts, say) a short rest, whatever the usual pause.
const rest_ms = 1_000;

export function startLoop({ name, pause_ms, log, round }: Rounds): Loop {
  const stopped = new AbortController();
  const { signal } = stopped;

  async function run(): Promise<void> {
    while (!signal.aborted) {
      let wait_ms = pause_ms;
      try {
        if (await round(signal)) wait_ms = 0;
      } catch (error) {
        log.warn({ error: String(error), work: name }, "a round of background work failed and will be tried again");
        wait_ms = Math.max(pause_ms, rest_ms);
      }
      await sleep(wait_ms, undefined, { signal }).catch(() => {});
    }
  }

  const running = run();
  return {
    async stop() {
      stopped.abort();
      await running;
    },
  };
}
