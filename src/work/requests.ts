// Writes the request log's lines, about once a second, and what is left of them when the process stops.

import type { RequestBook } from "../services/request-log.ts";
import type { Log } from "../services/services.ts";
import { type Loop, startLoop } from "./loop.ts";

const pause_ms = 1_000;

export function startRequestLog({ flush }: RequestBook, log: Log): Loop {
  const loop = startLoop({ name: "requests", pause_ms, log, round: () => flush().then(() => false) });
  return {
    // The faces are closed by then: nothing comes any more.
    async stop() {
      await loop.stop();
      await flush();
    },
  };
}
