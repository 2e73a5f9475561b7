// `npm run shows -- A`: repeats what an issue promised to show, line by line, and fails when one does. With `--write` the
// output goes into docs/shows.md.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

type Show = {
  readonly issue: string;
  readonly line: string;
  readonly command: readonly [string, ...string[]];
  /** What of the output is worth keeping. */
  readonly keep: RegExp;
};

const counts = /^\d+ passed, \d+ failed$/;

export const shows: readonly Show[] = [
  {
    issue: "A",
    line: "On a fresh clone `npm start` prints its addresses in under 60 s, and the README's walk works line by line",
    command: ["npm", "test", "--", "readme"],
    keep: /npm start|passed/,
  },
  {
    issue: "A",
    line: "Create, authorize (approved, rejected, 3-D Secure required, delayed), partial captures and refunds, cancel, lists, duplicates, wrong state, too large; from form, JSON and multipart alike",
    command: ["npm", "test", "--", "payments"],
    keep: counts,
  },
  {
    issue: "A",
    line: "A receiver gets every callback, once when nothing is killed, in order, with a checksum that verifies; while it answers 500 they wait, after it they come",
    command: ["npm", "test", "--", "callbacks"],
    keep: counts,
  },
  {
    issue: "A",
    line: "64 parallel captures of 100 on 1,000 never go beyond it; the rest, in turn, ends at exactly 1,000",
    command: ["npm", "test", "--", "payments"],
    keep: counts,
  },
  {
    issue: "A",
    line: "kill -9 of the server, and of server and database, during 500 payments: `books balance`, nothing lost, nothing twice, nothing pending",
    command: ["npm", "test", "--", "crash"],
    keep: /cut before ask|books balance|callbacks came|passed/,
  },
  {
    issue: "A",
    line: "`POST /payments` at 64 connections reaches at least the pgbench figure; rows stored equal 201s counted",
    command: ["npm", "run", "bench"],
    keep: /fsync|rows stored|reaches/,
  },
  {
    issue: "A",
    line: "Property tests over the command table, the body parser and every currency, and all 103 cards run",
    command: ["npm", "test", "--", "transaction", "body", "currencies", "cards", "simulator"],
    keep: counts,
  },
  {
    issue: "A",
    line: "`npm test` is green in under 5 minutes on 2 cores and prints its counts",
    command: ["npm", "test"],
    keep: /^(ok|FAILED) |passed, \d+ failed$/,
  },
  {
    issue: "A",
    line: "docs/shows.md lists each line with what shows it",
    command: ["npm", "test", "--", "docs"],
    keep: counts,
  },
  {
    issue: "B",
    line: "Account A's key on every endpoint with account B's ids: 404 or 403, never 200; every permission taken away: 403 with the exact message; a test per rule of who may do what",
    command: ["npm", "test", "--", "tenants", "permissions", "test/rules", "agreements"],
    keep: /^(ok|FAILED) |passed, \d+ failed$/,
  },
];

const project = resolve(import.meta.dirname, "..");
const document = resolve(project, "docs/shows.md");

type Result = { readonly passed: boolean; readonly output: string; readonly seconds: number };

function repeat({ command: [program, ...options] }: Show): Result {
  const began = performance.now();
  const { status, stdout, stderr } = spawnSync(program, options, { cwd: project, encoding: "utf8" });
  return { passed: status === 0, output: `${stdout}${stderr}`, seconds: (performance.now() - began) / 1000 };
}

function main(): number {
  const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
  const chosen = shows.filter(({ issue }) => wanted.length === 0 || wanted.includes(issue));
  const results = new Map<string, Result>();
  let failed = 0;
  let text =
    "# What is shown\n\nEach line that an issue promised to show, with what shows it and its last output. `npm run shows -- A` repeats them.\n";
  for (const show of chosen) {
    const name = show.command.join(" ");
    const result = results.get(name) ?? repeat(show);
    results.set(name, result);
    if (!result.passed) failed += 1;
    const kept = result.output
      .split("\n")
      .filter((line) => show.keep.test(line))
      .join("\n");
    console.log(
      `\n${result.passed ? "holds " : "FAILS "} ${show.line}\n        ${name} (${result.seconds.toFixed(0)} s)`,
    );
    console.log(result.passed ? kept : result.output);
    text += `\n## ${show.issue}: ${show.line}\n\n\`${name}\` (${result.seconds.toFixed(0)} s)\n\n\`\`\`text\n${kept}\n\`\`\`\n`;
  }
  if (process.argv.includes("--write")) writeFileSync(document, text);
  console.log(`\n${chosen.length - failed} hold, ${failed} fail`);
  return failed === 0 && chosen.length > 0 ? 0 : 1;
}

/** The lines that the document holds. */
export const documented = (): string => readFileSync(document, "utf8");

if (import.meta.main) process.exitCode = main();
