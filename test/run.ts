// `npm test`: types, lint and format, then every test file against one PostgreSQL. Prints a line per file and failures
// in full; the last line says `N passed, N failed`. What is skipped or left to do counts as failed.
// With arguments (paths, or parts of them) only those files run, without the checks.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { relative, resolve } from "node:path";
import { run } from "node:test";
import { inspect } from "node:util";
import { startTestServer } from "./support/postgres.ts";

const project = resolve(import.meta.dirname, "..");

// Two cores; a file that takes longer hangs.
const files_at_once = 2;
const file_timeout_ms = 180_000;

const counts = { passed: 0, failed: 0 };

function report(name: string, passed: boolean, duration_ms: number): void {
  console.log(`${passed ? "ok    " : "FAILED"} ${name} (${(duration_ms / 1000).toFixed(1)} s)`);
}

const checks = {
  "types (tsc)": ["node_modules/typescript/bin/tsc", "-p", "."],
  "lint and format (biome)": ["node_modules/@biomejs/biome/bin/biome", "check", "."],
};

function check(): void {
  for (const [name, args] of Object.entries(checks)) {
    const began = performance.now();
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: project, encoding: "utf8" });
    if (status !== 0) console.log(stdout + stderr);
    counts[status === 0 ? "passed" : "failed"] += 1;
    report(name, status === 0, performance.now() - began);
  }
}

function filesNamed(names: readonly string[]): string[] {
  const all = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => resolve(import.meta.dirname, name))
    .sort();
  if (names.length === 0) return all;
  return all.filter((file) => names.some((name) => relative(project, file).includes(name) || file === resolve(name)));
}

type Failing = {
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
  readonly details: { readonly error?: Error };
};

/** A test's failure with its place and cause; a suite only repeats what its tests said. */
function explain({ name, file, line, details }: Failing): void {
  const error = details.error as (Error & { failureType?: string }) | undefined;
  if (error?.failureType === "subtestsFailed") return;
  const place = file === undefined ? "" : ` (${relative(project, file)}${line === undefined ? "" : `:${line}`})`;
  console.log(`\n  ${name}${place}\n${inspect(error?.cause ?? error).replace(/^/gm, "    ")}\n`);
}

function runFiles(files: readonly string[], signal: AbortSignal): Promise<void> {
  const said = new Map<string, string>();
  const stream = run({
    files: [...files],
    cwd: project,
    concurrency: files_at_once,
    isolation: "process",
    timeout: file_timeout_ms,
    signal,
  });
  const isFile = (name: string): boolean => existsSync(resolve(project, name)) && name.endsWith(".test.ts");
  const keep = ({ file, message }: { file: string; message: string }): void => {
    said.set(file, (said.get(file) ?? "") + message);
  };
  stream.on("test:stdout", keep);
  stream.on("test:stderr", keep);
  const idle = (data: { name: string; skip?: string | boolean; todo?: string | boolean }): boolean => {
    if (data.skip === undefined && data.todo === undefined) return false;
    console.log(`\n  ${data.name}: a test that is ${data.skip === undefined ? "left to do" : "skipped"} is no test\n`);
    return true;
  };
  stream.on("test:pass", (data) => {
    const suite = data.details.type === "suite" || (data.nesting === 0 && isFile(data.name));
    if (!suite) counts[idle(data) ? "failed" : "passed"] += 1;
  });
  stream.on("test:fail", (data) => {
    if (!idle(data)) explain(data);
    const error = data.details.error as { failureType?: string } | undefined;
    if (error?.failureType !== "subtestsFailed") counts.failed += 1;
  });
  stream.on("test:summary", ({ file, success, duration_ms }) => {
    if (file === undefined) return;
    report(relative(project, file), success, duration_ms);
    if (!success && said.has(file)) console.log(said.get(file)?.replace(/^/gm, "    | "));
  });
  return new Promise((done, failed) => {
    stream.on("end", done);
    stream.on("error", failed);
    stream.resume();
  });
}

async function main(): Promise<void> {
  const names = process.argv.slice(2);
  const files = filesNamed(names);
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stopping.abort());

  if (names.length === 0) check();
  const given = process.env.TEST_DATABASE_URL;
  const server = given ? null : await startTestServer();
  try {
    process.env.TEST_DATABASE_URL = given ?? server?.url;
    const before = counts.passed + counts.failed;
    await runFiles(files, stopping.signal);
    if (counts.passed + counts.failed === before) {
      console.log(`No test ran: no file under test/ matches ${names.join(" ") || "*.test.ts"}.`);
      counts.failed += 1;
    }
  } finally {
    await server?.stop();
  }
  if (stopping.signal.aborted) {
    console.log("Stopped before the end.");
    counts.failed += 1;
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  process.exitCode = counts.failed === 0 ? 0 : 1;
}

await main();
