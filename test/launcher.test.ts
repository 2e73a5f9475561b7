// The launcher (bin/coolpay.mjs) brings what is missing, runs the program, and tells it everything that it is told.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const project = resolve(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "coolpay launcher "));
const started: ChildProcess[] = [];
after(() => {
  for (const child of started) child.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
});

// Unpacking Node's 120 MB takes seconds, fetching it perhaps a minute.
const install_timeout_ms = 120_000;

/** A project with nothing but the launcher and this program. */
function makeProject(name: string, program: string): string {
  const home = join(folder, name);
  mkdirSync(join(home, "src"), { recursive: true });
  mkdirSync(join(home, "test"));
  cpSync(join(project, "bin"), join(home, "bin"), { recursive: true });
  writeFileSync(
    join(home, "package.json"),
    JSON.stringify({ name: "shop", version: "1.0.0", type: "module", private: true }),
  );
  writeFileSync(join(home, "src/main.ts"), program);
  return home;
}

type Launched = { readonly child: ChildProcess; readonly said: () => string; readonly end: Promise<unknown[]> };

type Options = { readonly node?: readonly string[]; readonly env?: Readonly<Record<string, string>> };

function launch(home: string, args: readonly string[], { node = [], env = {} }: Options = {}): Launched {
  const child = spawn(process.execPath, [...node, join(home, "bin/coolpay.mjs"), ...args], {
    cwd: home,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.push(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (text) => {
      said += text;
    });
  }
  return { child, said: () => said, end: once(child, "close") };
}

async function hear({ said }: Launched, words: RegExp): Promise<RegExpExecArray> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const heard = words.exec(said());
    if (heard !== null) return heard;
    assert.ok(performance.now() < deadline, `never said ${words}: ${said()}`);
    await sleep(20);
  }
}

/** Makes this Node look like an old one to the launcher, on whichever Node the tests run. */
const old_node = [
  "--import",
  `data:text/javascript,${encodeURIComponent(
    'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.1.0" } });',
  )}`,
];

test("a Node that is new enough runs the program itself, with its arguments and exit code", async () => {
  const home = makeProject(
    "own node",
    "const words: string[] = process.argv.slice(2);\nconsole.log(JSON.stringify([process.execPath, words]));\nprocess.exit(7);\n",
  );
  const launched = launch(home, ["audit", "--of", "a shop"]);
  assert.deepEqual(await launched.end, [7, null]);
  assert.deepEqual(JSON.parse(launched.said()), [process.execPath, ["audit", "--of", "a shop"]]);
  assert.equal(existsSync(join(home, ".node")), false);
});

test("without a command it starts; test, bench and shows run their own files", async () => {
  const home = makeProject("commands", 'console.log("main", process.argv[2]);\n');
  mkdirSync(join(home, "bench"));
  const files = { test: "test/run.ts", shows: "test/shows.ts", bench: "bench/run.ts" };
  for (const [name, file] of Object.entries(files))
    writeFileSync(join(home, file), `console.log("${name}", process.argv[2]);\n`);
  for (const [args, answer] of [
    [[], "main start"],
    [["serve"], "main serve"],
    [["test", "books"], "test books"],
    [["shows", "A"], "shows A"],
    [["bench"], "bench undefined"],
  ] as const) {
    const launched = launch(home, args);
    await launched.end;
    assert.equal(launched.said().trim(), answer);
  }
});

const waiting = `
  let heard: string[] = [];
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => heard.push(signal));
  const alive = setInterval(() => {
    if (heard.length > 0) setTimeout(() => { console.log("drained", heard.join()); process.exit(0); }, 300);
    if (heard.length > 0) clearInterval(alive);
  }, 20);
  console.log("running", process.pid);
`;

test("who stops the launcher stops the program: it drains, and ends before the launcher does", async () => {
  const home = makeProject("signals", waiting);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const launched = launch(home, ["start"]);
    const [, pid] = await hear(launched, /running (\d+)/);
    launched.child.kill(signal);
    assert.deepEqual(await launched.end, [0, null], launched.said());
    assert.match(launched.said(), new RegExp(`drained ${signal}\n`));
    assert.throws(() => process.kill(Number(pid), 0), /ESRCH/);
  }
});

test("a SIGHUP is for the program and stops nothing: what comes at its heels is heard as well", async () => {
  const home = makeProject(
    "hangup",
    `process.on("SIGHUP", () => console.log("read again"));
    process.on("SIGTERM", () => process.exit(0));
    setInterval(() => {}, 1000);
    console.log("running");\n`,
  );
  const launched = launch(home, ["start"]);
  await hear(launched, /running/);
  launched.child.kill("SIGHUP");
  await hear(launched, /read again/);
  launched.child.kill("SIGTERM");
  assert.deepEqual(await launched.end, [0, null], launched.said());
});

test("a launcher that was killed takes the program with it: what it left could not be told anything", async () => {
  const home = makeProject(
    "killed",
    `import { writeFileSync } from "node:fs";
    process.once("disconnect", () => { writeFileSync("heard", "alone"); process.exit(0); });
    setInterval(() => {}, 1000);
    console.log("running", process.pid);\n`,
  );
  const launched = launch(home, ["start"]);
  const [, pid] = await hear(launched, /running (\d+)/);
  launched.child.kill("SIGKILL");
  await launched.end;
  for (let tries = 0; isAlive(Number(pid)); tries++) {
    assert.ok(tries < 200, "it runs on alone");
    await sleep(20);
  }
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("one Ctrl-C that arrives several times, as through npm, is one", async () => {
  const launched = launch(makeProject("twice", waiting), ["start"]);
  await hear(launched, /running/);
  for (let count = 0; count < 3; count += 1) {
    launched.child.kill("SIGINT");
    await sleep(20);
  }
  await launched.end;
  assert.match(launched.said(), /drained SIGINT\n/);
});

test("a program that dies by a signal is seen to have died by it", async () => {
  const launched = launch(makeProject("dies", 'process.kill(process.pid, "SIGKILL");\n'), ["start"]);
  assert.deepEqual(await launched.end, [null, "SIGKILL"]);
});

test("missing packages are installed first, once, though two start together", {
  timeout: install_timeout_ms,
}, async () => {
  const home = makeProject("packages", 'import reusify from "reusify";\nconsole.log("found", typeof reusify);\n');
  const lock = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8"));
  const wanted = lock.packages["node_modules/reusify"];
  const manifest = { name: "shop", version: "1.0.0", type: "module", dependencies: { reusify: wanted.version } };
  writeFileSync(join(home, "package.json"), JSON.stringify(manifest));
  const packages = { "": manifest, "node_modules/reusify": wanted };
  writeFileSync(
    join(home, "package-lock.json"),
    JSON.stringify({ ...manifest, lockfileVersion: 3, requires: true, packages }),
  );

  const both = [launch(home, ["start"]), launch(home, ["start"])];
  for (const launched of both) {
    assert.deepEqual(await launched.end, [0, null], launched.said());
    assert.match(launched.said(), /Installing packages[\s\S]*found function/);
  }
  const again = launch(home, ["start"]);
  await again.end;
  assert.equal(again.said().trim(), "found function");
  assert.deepEqual(readdirSync(join(home, ".node")), []);
});

test("where Node is too old, Node 24 is brought and used from then on", { timeout: install_timeout_ms }, async () => {
  const home = makeProject(
    "old node",
    "const version: string = process.version;\nconsole.log(version, process.execPath);\n",
  );
  const first = launch(home, ["start"], { node: old_node });
  assert.deepEqual(await first.end, [0, null], first.said());
  assert.match(first.said(), /^Node 20\.1\.0 is older than 22\.18: bringing Node 24 into \.node \(once\) …\nv24\./);
  assert.ok(first.said().trim().endsWith(join("old node", ".node/node-24/bin/node")), first.said());
  assert.deepEqual(readdirSync(join(home, ".node")), ["node-24"]);

  const second = launch(home, ["start"], { node: old_node });
  await second.end;
  assert.match(second.said(), /^v24\./);
});

test("where Node is too old and none can be brought, one sentence says what to do", async () => {
  const home = makeProject("no network", "");
  const env = {
    npm_config_registry: "http://127.0.0.1:9",
    npm_config_cache: join(folder, "cache"),
    npm_config_fetch_retries: "0",
  };
  const launched = launch(home, ["start"], { node: old_node, env });
  assert.deepEqual(await launched.end, [1, null]);
  assert.match(
    launched.said(),
    /Node 20\.1\.0 is too old for CoolPay: install Node 22\.18 or newer; .*\(npm: .*\)\.\n$/,
  );
  assert.deepEqual(readdirSync(join(home, ".node")), []);
});
