// `npm test`: types, lint and format, then every test file against one PostgreSQL, then the sweep of all that they stored
// for card data. Prints a line per file and failures in full; the last line says `N passed, N failed`. What is skipped or
// left to do counts as failed. With arguments (paths, or parts of them) only those files run, without the checks.

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { run } from "node:test";
import { inspect } from "node:util";
import { bringChromium } from "./support/browser.ts";
import { startTestServer, type TestServer } from "./support/postgres.ts";
import { sweep } from "./sweep.ts";

const project = resolve(import.meta.dirname, "..");

// Two cores, and much of a test is waiting; a file that takes longer hangs.
const files_at_once = 3;
// The longest begin first, so that none is left alone at the end.
const longest = ["e2e-pages", "crash", "fuzz", "e2e-pay", "e2e-form", "serve", "idempotency", "readme", "embedded"];
const file_timeout_ms = 180_000;

// Room for the list of named differences of the contract.
const told_lines_max = 50;

const counts = { passed: 0, failed: 0 };

function report(name: string, passed: boolean, duration_ms: number): void {
  console.log(`${passed ? "ok    " : "FAILED"} ${name} (${(duration_ms / 1000).toFixed(1)} s)`);
}

function check(): void {
  const began = performance.now();
  const launcher = [resolve(project, "bin/coolpay.mjs"), "check"];
  const { status, stdout, stderr } = spawnSync(process.execPath, launcher, { cwd: project, encoding: "utf8" });
  if (status !== 0) console.log(stdout + stderr);
  counts[status === 0 ? "passed" : "failed"] += 1;
  report("types (tsc), lint and format (biome)", status === 0, performance.now() - began);
}

function filesNamed(names: readonly string[]): string[] {
  const all = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => resolve(import.meta.dirname, name))
    .sort();
  if (names.length === 0) {
    const rank = (file: string): number => {
      const at = longest.findIndex((name) => file.endsWith(`/${name}.test.ts`));
      return at < 0 ? longest.length : at;
    };
    return all.toSorted((a, b) => rank(a) - rank(b));
  }
  return all.filter((file) => names.some((name) => relative(project, file).includes(name) || file === resolve(name)));
}

type Ended = {
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
  readonly skip?: string | boolean;
  readonly todo?: string | boolean;
  readonly details: { readonly type?: string; readonly error?: Error };
};

/** What is wrong with a test that has ended, with its place and cause; null: nothing. A parent only repeats its children. */
function complaint({ name, file, line, skip, todo, details }: Ended, passed: boolean): string | null {
  const error = details.error as (Error & { failureType?: string; exitCode?: number }) | undefined;
  if (error?.failureType === "subtestsFailed" || error?.failureType === "testAborted") return null;
  const place = file === undefined ? "" : ` (${relative(project, file)}${line === undefined ? "" : `:${line}`})`;
  if (skip !== undefined || todo !== undefined)
    return `${name}${place}\n    was ${skip === undefined ? "left to do" : "skipped"}`;
  if (error?.exitCode) return `${relative(project, name)}\n    ended with exit code ${error.exitCode}`;
  return passed ? null : `${name}${place}\n${inspect(error?.cause ?? error).replace(/^/gm, "    ")}`;
}

/** Runs one file in a process of its own; a process that does not end in time is stopped. */
async function runFile(file: string, stopping: AbortSignal): Promise<void> {
  const began = performance.now();
  const name = relative(project, file);
  const late = AbortSignal.timeout(file_timeout_ms);
  const complaints: string[] = [];
  let passed = 0;
  let said = "";
  let told = "";
  const stream = run({ files: [file], cwd: project, isolation: "process", signal: AbortSignal.any([late, stopping]) });
  const hear = ({ message }: { message: string }): void => {
    said += message;
  };
  const end = (data: Ended, ok: boolean): void => {
    const problem = complaint(data, ok);
    if (problem !== null) complaints.push(problem);
    // The file itself is reported as a test where it holds none.
    else if (ok && data.details.type !== "suite" && data.name !== file && data.name !== name) passed += 1;
  };
  stream.on("test:stdout", (event) => {
    told += event.message;
    hear(event);
  });
  stream.on("test:stderr", hear);
  stream.on("test:pass", (data) => end(data, true));
  stream.on("test:fail", (data) => end(data, false));
  stream.resume();
  await once(stream, "end");

  if (late.aborted)
    complaints.push(`${name}\n    did not end in ${file_timeout_ms / 1000} s: what does it leave running?`);
  else if (stopping.aborted) complaints.push(`${name}\n    was stopped`);
  else if (passed + complaints.length === 0) complaints.push(`${name}\n    holds no test`);
  counts.passed += passed;
  counts.failed += complaints.length;
  report(name, complaints.length === 0, performance.now() - began);
  // What a test has to tell, figures mostly, is part of what it shows.
  if (complaints.length === 0) {
    for (const line of told.split("\n", told_lines_max)) if (line !== "") console.log(`         ${line}`);
    return;
  }
  for (const problem of complaints) console.log(`\n  ${problem}`);
  console.log(said === "" ? "" : `\n  It printed:\n${said.trimEnd().replace(/^/gm, "    ")}\n`);
}

async function runFiles(files: readonly string[], stopping: AbortSignal): Promise<void> {
  const queue = [...files];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined && !stopping.aborted; file = queue.shift())
      await runFile(file, stopping);
  };
  await Promise.all(Array.from({ length: files_at_once }, worker));
}

/** With a server of the run's own, so that all of what was stored is there to be swept. */
async function runAndSweep(
  files: readonly string[],
  { folder, stopping }: { readonly folder: string; readonly stopping: AbortSignal },
): Promise<void> {
  const kept = join(folder, "kept");
  mkdirSync(kept, { mode: 0o711 });
  const server = await startTestServer(join(folder, "pg"));
  process.env.TEST_DATABASE_URL = server.url;
  process.env.TEST_KEPT_DIR = kept;
  try {
    await runFiles(files, stopping);
    if (!stopping.aborted) await sweepRun(server, kept);
  } finally {
    await server.stop();
  }
}

async function sweepRun(server: TestServer, kept: string): Promise<void> {
  const began = performance.now();
  const { complaints, told } = await sweep({ ...server, kept });
  counts[complaints.length === 0 ? "passed" : "failed"] += 1;
  report("no card number and no CVD in anything stored or printed", complaints.length === 0, performance.now() - began);
  console.log(`         ${told}`);
  for (const complaint of complaints) console.log(`\n  ${complaint}`);
}

async function main(): Promise<void> {
  // As the launcher gives the program, and more: a test's objects die young, and collecting them was a tenth of all work.
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ""} --max-semi-space-size=32`.trim();
  const names = process.argv.slice(2);
  const files = filesNamed(names);
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stopping.abort());

  if (names.length === 0) check();
  if (files.some((file) => /\/e2e-/.test(file))) bringChromium();
  const folder = mkdtempSync(join(tmpdir(), "coolpay-run-"));
  // The database's user may have to pass.
  chmodSync(folder, 0o711);
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  // What one process has compiled the others need not: it is the greater part of a small file's time.
  process.env.NODE_COMPILE_CACHE ??= join(folder, "compiled");
  if (process.env.TEST_DATABASE_URL) await runFiles(files, stopping.signal);
  else await runAndSweep(files, { folder, stopping: stopping.signal });
  if (files.length === 0) {
    console.log(`No test ran: no test file's path contains ${names.join(" or ")}.`);
    counts.failed += 1;
  }
  if (stopping.signal.aborted) {
    console.log("Stopped before the end.");
    counts.failed += 1;
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  process.exitCode = counts.failed === 0 ? 0 : 1;
}

await main();
