// The real app over an embedded database, in a process of its own that a test may kill. Told what to do over IPC.

import { startApp } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import { jsonLog } from "../../src/log.ts";
import { startEmbedded } from "../../src/storage/embedded.ts";

export type Start = { readonly data_dir: string; readonly simulator_latency_ms: number };
export type Started = { readonly api_url: string; readonly database_url: string; readonly database_pid: number };

process.once("message", async ({ data_dir, simulator_latency_ms }: Start) => {
  const silent = { write: () => {} };
  const embedded = await startEmbedded({ data_dir, log: () => {} });
  const config = {
    ...readConfig("start", { COOLPAY_DATA_DIR: data_dir, COOLPAY_DEMO: "0" }),
    ports: { api: 0, window: 0, manager: 0, metrics: 0 },
  };
  const app = await startApp({ config, database_url: embedded.url, log: jsonLog(silent), simulator_latency_ms });
  const started: Started = { api_url: app.addresses.api_url, database_url: embedded.url, database_pid: embedded.pid };
  process.send?.(started);
  process.once("message", async () => {
    await app.stop();
    await embedded.stop();
    process.disconnect();
  });
});
