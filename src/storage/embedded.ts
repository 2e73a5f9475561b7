// The embedded PostgreSQL: real server binaries from the npm registry under a small supervisor of our own. It listens
// on a Unix socket in a private folder and nowhere else, never runs as root, and outlives a `kill -9` of CoolPay:
// the next start adopts it.

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { prepareBinaries, refuseOtherVersion } from "./embedded/binaries.ts";
import { commandOf, isOwner, livingOwner, ownerFile, takeOver, writeOwner } from "./embedded/owner.ts";
import {
  type Account,
  CannotStart,
  logFile,
  makePrivate,
  makeSocketFolder,
  type Place,
  port,
  prepareFolders,
  readText,
  removeShortFolder,
  renameUnlessThere,
} from "./embedded/place.ts";

export { CannotStart, defaultDataDir } from "./embedded/place.ts";

export type Embedded = {
  /** For `pg.Pool`, libpq and everything else that reads PostgreSQL addresses. */
  readonly url: string;
  /** The database was created by this call. */
  readonly first_start: boolean;
  /** It was running already. */
  readonly adopted: boolean;
  /** The postmaster's process. */
  readonly pid: number;
  readonly socket_dir: string;
  /** Stops the database, unless another living CoolPay process owns it. */
  readonly stop: () => Promise<void>;
};

type Options = {
  /** Holds the database in `postgres/`, its log, and whatever else CoolPay keeps there. Made if missing. */
  readonly data_dir: string;
  /** Hears one sentence about whatever takes long or is unusual. */
  readonly log: (text: string) => void;
  /** Not beside another living CoolPay, which would take the database with it when it stops. A tool may. */
  readonly alone?: boolean;
  /** PostgreSQL settings that replace ours. For tests, which need no durability. */
  readonly settings?: Readonly<Record<string, string>>;
};

type Server = { readonly pid: number; readonly socket_dir: string };

// Recovery after a crash replays at most max_wal_size and takes seconds; a minute means that something is wrong.
const start_timeout_ms = 60_000;
const poll_ms = 20;
const connect_timeout_ms = 2_000;

// What stops at this moment is gone by then.
const owner_patience_ms = 15_000;

// A fast shutdown writes one checkpoint. What takes longer is cut off; the next start then recovers.
const fast_shutdown_ms = 10_000;
const immediate_shutdown_ms = 5_000;

// The server's log keeps this much, and as much again in postgres.log.1.
const log_bytes_max = 5_000_000;
const log_check_ms = 600_000;

const small_machine_bytes = 2 * 1024 ** 3;

const settings_ours: Readonly<Record<string, string>> = {
  listen_addresses: "",
  port: String(port),
  unix_socket_permissions: "0700",
  max_connections: "60",
  shared_buffers: totalmem() < small_machine_bytes ? "128MB" : "256MB",
  fsync: "on",
  full_page_writes: "on",
  synchronous_commit: "on",
  wal_compression: "on",
  // The application hears every error itself; the log is for the server's own life. Terse: no row contents.
  log_min_messages: "log",
  log_min_error_statement: "panic",
  log_error_verbosity: "terse",
  log_checkpoints: "off",
  log_timezone: "UTC",
  timezone: "UTC",
};

/** Starts the database of this folder, creates it first, or adopts the one that runs. Throws `CannotStart`. */
export async function startEmbedded({ data_dir, log, alone = false, settings = {} }: Options): Promise<Embedded> {
  const place = prepareFolders(data_dir);
  const native = prepareBinaries(place);
  refuseOtherVersion(place, native);
  const deadline = performance.now() + start_timeout_ms;
  let first_start = false;
  for (;;) {
    const left = await waitForRunning(place, deadline);
    if (left !== null) {
      if (alone && (await outlived(place))) continue;
      const owned = takeOver(place);
      if (owned) log("Found the database still running from an earlier start; carrying on with it.");
      return supervise({ place, server: left, adopted: true, first_start });
    }
    if (!fs.existsSync(join(place.cluster, "PG_VERSION"))) {
      log(`Creating the database in ${place.cluster}`);
      first_start = await createCluster({ place, native, sync: settings.fsync !== "off" });
    }
    const server = await launch({ place, native, settings: { ...settings_ours, ...settings }, deadline });
    if (server === null) continue;
    writeOwner(place);
    return supervise({ place, server, adopted: false, first_start });
  }
}

/** Waits until the process that owns the database has ended; false when there is none. Throws when it goes on. */
async function outlived(place: Place): Promise<boolean> {
  const pid = livingOwner(place);
  const deadline = performance.now() + owner_patience_ms;
  while (livingOwner(place) === pid && pid !== null) {
    if (performance.now() > deadline)
      throw new CannotStart(`CoolPay runs on this data folder already: stop it first (process ${pid}).`);
    await sleep(poll_ms);
  }
  return pid !== null;
}

const addressOf = (socket_dir: string): string =>
  `postgresql://coolpay@/postgres?host=${encodeURIComponent(socket_dir).replaceAll("%2F", "/")}&port=${port}&sslmode=disable`;

function supervise(running: { place: Place; server: Server; adopted: boolean; first_start: boolean }): Embedded {
  const { place, server, adopted, first_start } = running;
  const trimming = setInterval(() => trimLog(place), log_check_ms).unref();
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    clearInterval(trimming);
    stopped ??= isOwner(place) ? stopServer(place, server) : Promise.resolve();
    return stopped;
  };
  return { url: addressOf(server.socket_dir), first_start, adopted, ...server, stop };
}

async function stopServer(place: Place, server: Server): Promise<void> {
  const steps = [
    ["SIGINT", fast_shutdown_ms],
    ["SIGQUIT", immediate_shutdown_ms],
  ] as const;
  for (const [signal, patience_ms] of steps) {
    const deadline = performance.now() + patience_ms;
    if (serves(server.pid, place)) process.kill(server.pid, signal);
    while (serves(server.pid, place) && performance.now() < deadline) await sleep(poll_ms);
  }
  if (serves(server.pid, place)) throw new Error(`PostgreSQL (process ${server.pid}) does not stop.`);
  fs.rmSync(ownerFile(place), { force: true });
  removeShortFolder(place, server.socket_dir);
}

// ---- creating and starting ----

/** Made beside its place and then renamed: a kill in the middle leaves nothing half. False: another was faster. */
async function createCluster({
  place,
  native,
  sync,
}: {
  place: Place;
  native: string;
  sync: boolean;
}): Promise<boolean> {
  removeHalves(place);
  const half = `${place.cluster}.new-${process.pid}-${randomBytes(4).toString("hex")}`;
  fs.mkdirSync(half);
  makePrivate(half, place.account);
  const choices = ["--encoding=UTF8", "--no-locale", "--data-checksums", "--username=coolpay", "--no-instructions"];
  const auth = ["--auth-local=trust", "--auth-host=reject", ...(sync ? [] : ["--no-sync"])];
  const child = spawn(join(native, "bin/initdb"), ["-D", half, ...choices, ...auth], {
    ...asAccount(place.account, native),
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (text) => {
    said += text;
  });
  const code = await ended(child);
  if (code !== 0) {
    fs.rmSync(half, { recursive: true, force: true });
    throw new CannotStart(
      `The database could not be created in ${place.data_dir} (${lastLine(said) || code}): ` +
        "check space, rights and that the system knows your user by name, or set DATABASE_URL.",
    );
  }
  const made = renameUnlessThere(half, place.cluster);
  if (!made) fs.rmSync(half, { recursive: true, force: true });
  const folder = fs.openSync(place.data_dir, "r");
  fs.fsyncSync(folder);
  fs.closeSync(folder);
  return made;
}

function removeHalves({ data_dir }: Place): void {
  for (const name of fs.readdirSync(data_dir)) {
    const maker = /^postgres\.new-(\d+)-/.exec(name)?.[1];
    const at_work = maker !== undefined && commandOf(Number(maker)) !== null;
    if (maker !== undefined && !at_work) fs.rmSync(join(data_dir, name), { recursive: true, force: true });
  }
}

type Launch = {
  readonly place: Place;
  readonly native: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly deadline: number;
};

/** Null: another process was faster, or the last one has not quite gone; look again. */
async function launch({ place, native, settings, deadline }: Launch): Promise<Server | null> {
  const socket_dir = makeSocketFolder(place);
  trimLog(place);
  const output = fs.openSync(logFile(place), "a", 0o600);
  const begin = fs.fstatSync(output).size;
  const all = { ...settings, unix_socket_directories: socket_dir };
  const flags = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(join(native, "bin/postgres"), ["-D", place.cluster, ...flags], {
    ...asAccount(place.account, native),
    // A session of its own: Ctrl-C in our terminal must not stop it before we have drained.
    detached: true,
    stdio: ["ignore", output, output],
  });
  child.unref();
  fs.closeSync(output);
  let gone: string | undefined;
  ended(child).then(
    (code) => {
      gone = `it ended with ${code}`;
    },
    (error: Error) => {
      gone = error.message;
    },
  );
  while (gone === undefined && performance.now() < deadline) {
    // Another process's server may answer on the same socket while ours is about to give way.
    const answered = await answers(place, socket_dir);
    if (answered && child.pid !== undefined && child.pid === pidInFile(place)) return { pid: child.pid, socket_dir };
    await sleep(poll_ms);
  }
  const said = (readText(logFile(place)) ?? "").slice(begin);
  if (gone === undefined) child.kill("SIGQUIT");
  removeShortFolder(place, socket_dir);
  if (/lock file|shared memory block/.test(said) && performance.now() < deadline) {
    await sleep(10 * poll_ms);
    return null;
  }
  throw new CannotStart(`PostgreSQL did not start (${lastLine(said) || gone || "no answer"}): see ${logFile(place)}.`);
}

const asAccount = (account: Account, native: string) => ({
  ...(account ?? {}),
  cwd: "/",
  // Nothing of ours: no PGDATA, no locale, no password. The libraries do not find each other by themselves.
  env: { LC_ALL: "C", TZ: "UTC", LD_LIBRARY_PATH: join(native, "lib") },
});

const ended = (child: ChildProcess): Promise<number | string | null> =>
  new Promise((done, failed) => {
    child.once("error", failed);
    child.once("close", (code, signal) => done(code ?? signal));
  });

/** Whether the database of this very folder answers there. */
async function answers({ cluster }: Place, socket_dir: string): Promise<boolean> {
  const client = new pg.Client({
    connectionString: addressOf(socket_dir),
    connectionTimeoutMillis: connect_timeout_ms,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>("SHOW data_directory");
    return rows[0]?.data_directory === cluster;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

// ---- what an earlier start left behind ----

/** Waits until a server that is there answers or has gone; PostgreSQL itself clears up after a dead one. */
async function waitForRunning(place: Place, deadline: number): Promise<Server | null> {
  for (;;) {
    const text = readText(join(place.cluster, "postmaster.pid"));
    if (text === null) return null;
    const [pid = "", , , , socket_dir = ""] = text.split("\n");
    const server = { pid: Number(pid), socket_dir };
    if (!serves(server.pid, place)) {
      forgetServer(place, server);
      return null;
    }
    if (socket_dir !== "" && (await answers(place, socket_dir))) return server;
    if (performance.now() > deadline) {
      throw new CannotStart(
        `The database's process ${pid} does not answer: stop it (kill -QUIT ${pid}), then start again.`,
      );
    }
    await sleep(poll_ms);
  }
}

function forgetServer(place: Place, { pid, socket_dir }: Server): void {
  removeShortFolder(place, socket_dir);
  const command = commandOf(pid);
  if (command === null) return;
  const pid_file = join(place.cluster, "postmaster.pid");
  if (/^\S*\bpostgres\b/.test(command)) {
    throw new CannotStart(
      `Process ${pid} is a PostgreSQL that may be using ${place.cluster}: stop it, or remove ${pid_file} if it uses another folder.`,
    );
  }
  // The number has been given to another program (usual in a restarted container), which would stop PostgreSQL from starting.
  for (const file of [pid_file, join(socket_dir, `.s.PGSQL.${port}.lock`)]) fs.rmSync(file, { force: true });
}

const pidInFile = ({ cluster }: Place): number => Number.parseInt(readText(join(cluster, "postmaster.pid")) ?? "", 10);

const serves = (pid: number, { cluster }: Place): boolean => `${commandOf(pid) ?? ""} `.includes(` -D ${cluster} `);

function trimLog(place: Place): void {
  const file = logFile(place);
  if ((fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0) < log_bytes_max) return;
  fs.copyFileSync(file, `${file}.1`);
  fs.truncateSync(file);
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";
