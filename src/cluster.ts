// Several processes behind the same ports: this one only minds the others.

import cluster, { type Worker } from "node:cluster";
import { type Addresses, startApp } from "./app.ts";
import type { Config } from "./config.ts";
import { jsonLog, type Log, readableLog } from "./log.ts";

export type Running = { readonly addresses: Readonly<Addresses>; readonly stop: () => Promise<void> };

type Options = { readonly config: Config; readonly database_url: string; readonly log: Log };

// A process that dies is replaced; one that dies again at once shall not keep the machine busy.
const restart_pause_ms = 1_000;

type Started = { readonly addresses: Addresses };

/** Starts `config.processes` workers behind the same ports. */
export async function runMany({ config, database_url, log }: Options): Promise<Running> {
  let stopping = false;
  const start = (): Promise<Started> => {
    const worker = cluster.fork();
    worker.send({ config, database_url });
    return started(worker);
  };
  cluster.on("exit", (worker, code, signal) => {
    if (stopping) return;
    log.error({ pid: worker.process.pid, code, signal }, "a process ended by itself and is replaced");
    setTimeout(
      () => start().catch((error: unknown) => log.error({ error: String(error) }, "a process could not be replaced")),
      restart_pause_ms,
    );
  });
  // The first one migrates; the others find that done.
  const { addresses } = await start();
  await Promise.all(Array.from({ length: config.processes - 1 }, start));
  return {
    addresses,
    async stop() {
      stopping = true;
      const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
      await Promise.all(workers.map((worker) => ended(worker)));
    },
  };
}

function started(worker: Worker): Promise<Started> {
  return new Promise((done, failed) => {
    worker.once("message", (message: Started | { readonly error: string }) => {
      if ("error" in message) failed(new Error(message.error));
      else done(message);
    });
    worker.once("exit", (code) => failed(new Error(`a process ended at once with code ${code}`)));
  });
}

function ended(worker: Worker): Promise<void> {
  return new Promise((done) => {
    worker.once("exit", () => done());
    worker.send("stop");
  });
}

/** In a worker: waits for its configuration, serves, and stops when told so or when the minding process is gone. */
export function runWorker(): void {
  process.once("message", async ({ config, database_url }: { config: Config; database_url: string }) => {
    // A terminal's Ctrl-C reaches all processes: the minding one says when to stop.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
    try {
      const log = config.mode === "start" ? readableLog() : jsonLog();
      const app = await startApp({ config, database_url, log });
      const stop = async (): Promise<void> => {
        await app.stop();
        process.exit(0);
      };
      process.once("message", stop);
      process.once("disconnect", stop);
      process.send?.({ addresses: app.addresses });
    } catch (error) {
      process.send?.({ error: error instanceof Error ? error.message : String(error) });
      process.exit(1);
    }
  });
}
