// CoolPay as its operator runs it: a process of its own, with the settings that are given and no others. Whatever becomes
// of a test, nothing that was started here outlives its file.

import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, realpathSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { commandOf } from "../../src/storage/embedded/owner.ts";
import { readText } from "../../src/storage/embedded/place.ts";
import { keepText, putAway } from "./kept.ts";

const main = resolve(import.meta.dirname, "../../src/main.ts");

// Starts on a busy machine take seconds; what has not been said by then is not said any more.
const patience_ms = 45_000;

// A database that is told to quit takes well under a second.
const removal_tries = 100;
const removal_pause_ms = 20;

export type Settings = Readonly<Record<string, string>>;

export type Ended = {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type Program = {
  readonly pid: number;
  readonly stdout: () => string;
  /** Everything that was printed, errors too. */
  readonly output: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<Ended>;
};

/** The groups of processes that were started and have not ended; a group is named by its first process. */
const groups = new Set<number>();
const folders = new Set<string>();

/** A folder that every user can reach, with a blank in its name; goes with the file, as does a database left in it. */
export function newFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "coolpay program ")));
  chmodSync(folder, 0o755);
  folders.add(folder);
  return folder;
}

/** The embedded database's process in this data folder; null: there is none. */
export function databasePid(data_dir: string): number | null {
  const cluster = join(data_dir, "postgres");
  const [line = ""] = (readText(join(cluster, "postmaster.pid")) ?? "").split("\n");
  const pid = Number(line);
  return commandOf(pid)?.includes(` -D ${cluster} `) ? pid : null;
}

const own_folder = newFolder();

function killAll(): void {
  for (const pid of groups) if (isRunning(pid)) process.kill(-pid, "SIGKILL");
}

after(killAll);
// A file that takes too long is stopped by a signal, which alone would end nobody else.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
process.once("exit", () => {
  killAll();
  for (const folder of folders) {
    const database = databasePid(folder);
    if (database !== null) process.kill(database, "SIGQUIT");
    remove(folder);
  }
});

/** What was killed a moment ago may still write into it. Nothing is thrown: others have to clear up as well. */
function remove(folder: string): void {
  for (let tries = 0; tries < removal_tries; tries++) {
    try {
      if (databasePid(folder) === null) {
        putAway(folder);
        return;
      }
    } catch {
      // Once more.
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, removal_pause_ms);
  }
}

/** Whether the program or a process that it started still runs; its embedded database is not counted. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(-pid, 0);
  } catch {
    return false;
  }
}

type Run = { readonly input?: string };

/** Runs `coolpay` with these words. */
export function coolpay(words: readonly string[], settings: Settings, { input = "" }: Run = {}): Program {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [main, ...words], {
    cwd: own_folder,
    // The first of them compiles for all; that makes its end slow.
    env: {
      PATH,
      HOME,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(own_folder, "compiled"),
      ...settings,
    },
    // A group of its own, so that it can be told whether all of it is gone.
    detached: true,
  });
  const { pid } = child;
  if (pid === undefined) throw new Error("the program could not be started");
  groups.add(pid);
  child.stdin.on("error", () => {}).end(input);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((done) => {
    // Not before the last of the group has let go of the output.
    child.once("close", (code, signal) => {
      groups.delete(pid);
      keepText("output", stdout + stderr);
      done({ code, signal, stdout, stderr });
    });
  });
  return {
    pid,
    stdout: () => stdout,
    output: () => stdout + stderr,
    kill: (signal) => void child.kill(signal),
    ended,
  };
}

/** Waits until the program has printed this. */
export async function heard({ output, ended }: Program, words: RegExp): Promise<RegExpExecArray> {
  let gone = false;
  void ended.then(() => {
    gone = true;
  });
  const deadline = performance.now() + patience_ms;
  for (;;) {
    const found = words.exec(output());
    if (found !== null) return found;
    if (gone || performance.now() > deadline)
      throw new Error(`${gone ? "it ended and" : "in time it"} never said ${words}:\n${output()}`);
    await sleep(20);
  }
}

/** Its end, after this signal if one is given; a program that does not end is a failure. */
export async function end(program: Program, signal?: NodeJS.Signals): Promise<Ended> {
  if (signal !== undefined) program.kill(signal);
  const late = new AbortController();
  const outcome = await Promise.race([
    program.ended,
    sleep(patience_ms, null, { signal: late.signal }).catch(() => null),
  ]);
  late.abort();
  if (outcome === null) throw new Error(`it does not end:\n${program.output()}`);
  return outcome;
}

/** So many ports that nobody listens on at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((done, failed) => {
          const server = createServer().once("error", failed);
          server.listen(0, "127.0.0.1", () => done(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/** For settings: every listener on a port that the system chooses. */
export const any_ports: Settings = {
  COOLPAY_API_PORT: "0",
  COOLPAY_WINDOW_PORT: "0",
  COOLPAY_MANAGER_PORT: "0",
  COOLPAY_METRICS_PORT: "0",
};
