// What serves: an app in this process, or several processes behind the same ports, which this one only minds.

import cluster, { type Worker } from "node:cluster";
import { setTimeout as sleep } from "node:timers/promises";
import type { Addresses, App } from "./app.ts";
import type { Config } from "./config.ts";
import { gatherMetrics } from "./gather.ts";
import { jsonLog, type Log, readableLog } from "./log.ts";
import { newMemoryKey } from "./services/seal.ts";
import { CannotStart } from "./storage/embedded.ts";
import { whatToDo } from "./trouble.ts";

export type Running = {
  readonly addresses: Readonly<Addresses>;
  /** Every process reads the file of the master keys again. */
  readonly reload: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

type Task = { readonly config: Config; readonly database_url: string; readonly memory_key?: string };
export type Options = Task & { readonly log: Log };

/** What the minding process and its workers tell each other, beside metrics (gather.ts). */
type ToWorker = ({ readonly kind: "begin" } & Task) | { readonly kind: "reload" } | { readonly kind: "stop" };
type FromWorker =
  | { readonly kind: "serving"; readonly addresses: Addresses }
  | { readonly kind: "failed"; readonly sentence: string };

// A process that dies is replaced; one that dies again at once shall not keep the machine busy.
const restart_pause_ms = 1_000;
// An app drains for 35 s at most; one that takes longer than this hangs, and what it leaves is repaired by the next start.
const stop_patience_ms = 60_000;
// A worker that cannot even give up by itself is killed after this much more.
const kill_margin_ms = 5_000;

/** An app in this process. Its many parts are loaded only here: the tools, and the process that minds others, do without. */
export async function startAlone(task: Options): Promise<App> {
  const { startApp } = await import("./app.ts");
  const app = await startApp(task);
  return {
    ...app,
    stop: () => Promise.race([app.stop(), sleep(stop_patience_ms, undefined, { ref: false })]),
  };
}

/** Starts `config.processes` workers behind the same ports. When one of them cannot, none is left. */
export async function runMany({ config, database_url, log }: Options): Promise<Running> {
  const serving = new Set<Worker>();
  // What one process sealed in it another opens; nobody can once all are gone.
  const memory_key = newMemoryKey();
  let stopping = false;
  const start = async (): Promise<Addresses> => {
    const worker = cluster.fork();
    tell(worker, { kind: "begin", config, database_url, memory_key });
    const addresses = await begun(worker);
    serving.add(worker);
    worker.once("exit", (code, signal) => {
      serving.delete(worker);
      if (stopping) return;
      log.error({ worker: worker.process.pid, code, signal }, "a process ended by itself and is replaced");
      void replace();
    });
    return addresses;
  };
  /** Tries until one serves: the database may be away for a while. */
  const replace = async (): Promise<void> => {
    for (;;) {
      await sleep(restart_pause_ms);
      if (stopping) return;
      try {
        await start();
        return;
      } catch (error) {
        if (!stopping) log.error({ error: String(error) }, "a process could not be replaced; trying again");
      }
    }
  };
  const all = (): Worker[] => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
  const reload = async (): Promise<void> => {
    for (const worker of all()) tell(worker, { kind: "reload" });
  };
  const stop = async (): Promise<void> => {
    stopping = true;
    await Promise.all(all().map(ended));
  };
  gatherMetrics(() => [...serving]);
  try {
    // The first one migrates; the others find that done.
    const addresses = await start();
    await Promise.all(Array.from({ length: config.processes - 1 }, start));
    return { addresses, reload, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function begun(worker: Worker): Promise<Addresses> {
  return new Promise((done, failed) => {
    worker.on("message", (message: FromWorker) => {
      if (message.kind === "serving") done(message.addresses);
      else if (message.kind === "failed") failed(new CannotStart(message.sentence));
    });
    worker.once("exit", (code, signal) =>
      failed(new CannotStart(`A process ended while it started (${signal ?? `exit code ${code}`}).`)),
    );
  });
}

function tell(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message);
}

function ended(worker: Worker): Promise<void> {
  return new Promise((done) => {
    if (worker.isDead()) return done();
    const hangs = setTimeout(() => worker.process.kill("SIGKILL"), stop_patience_ms + kill_margin_ms);
    worker.once("exit", () => {
      clearTimeout(hangs);
      done();
    });
    tell(worker, { kind: "stop" });
  });
}

/** In a worker: waits for its configuration, and serves until told to stop. It ends with the minding process. */
export function runWorker(): void {
  // A terminal's Ctrl-C reaches all processes: the minding one says when to stop.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  const say = (message: FromWorker): void => void process.send?.(message);
  let stop = async (): Promise<void> => {};
  let reload = async (): Promise<void> => {};
  const begin = async ({ config, database_url, memory_key }: Task): Promise<void> => {
    const log = config.mode === "start" ? readableLog() : jsonLog();
    const starting = startAlone({ config, database_url, memory_key, log });
    stop = async () => (await starting).stop();
    reload = async () => (await starting).reload();
    say({ kind: "serving", addresses: (await starting).addresses });
  };
  process.on("message", async (message: ToWorker) => {
    try {
      if (message.kind === "begin") await begin(message);
      if (message.kind === "reload") await reload();
      if (message.kind !== "stop") return;
      await stop();
      process.exit(0);
    } catch (error) {
      process.send?.({ kind: "failed", sentence: whatToDo(error) } satisfies FromWorker, () => process.exit(1));
    }
  });
}
