// `npm run shows -- A`: repeats what an issue promised to show, line by line, and fails when one does. With `--write` the
// output goes into docs/shows.md; what was not repeated stays there as it is.

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
    line: "The contract test: 157 of 157, with the named differences printed",
    command: ["npm", "test", "--", "contract"],
    keep: /contract: |^ +\d+: |passed/,
  },
  {
    issue: "B",
    line: "One payment's life told in v08, v09, v10 and v11b side by side, from the golden files",
    command: ["npm", "run", "golden", "--", "payments"],
    keep: /^(POST|GET|PUT|PATCH|DELETE|callback) |^=> |v\d+b? +\| .*(continue_?url|status_code|error_code)/,
  },
  {
    issue: "B",
    line: "A v09 shop that sends and reads `continueurl` works while a v11b client sees the same payment in its own words, callbacks included",
    command: ["npm", "test", "--", "versions", "golden"],
    keep: counts,
  },
  {
    issue: "B",
    line: "A subscription pays monthly for a year on the test clock, one recurring payment declined, one retried with the same `Idempotency-Key`; a group capture of 1,000 subscriptions; a card token used twice is refused",
    command: ["npm", "test", "--", "subscriptions", "saved-cards"],
    keep: counts,
  },
  {
    issue: "B",
    line: "After the whole test suite, the sweep, which first plants a number and must find it, finds no card number and no CVD",
    command: ["npm", "test"],
    keep: /no card number|numbers looked for|passed, \d+ failed$/,
  },
  {
    issue: "B",
    line: "Account A's key on every endpoint with account B's ids: 404 or 403, never 200; every permission taken away: 403 with the exact message; a test per rule of who may what",
    command: ["npm", "test", "--", "tenants", "permissions", "test/rules", "agreements"],
    keep: counts,
  },
  {
    issue: "C",
    line: "In Chromium: a card by keyboard only; without JavaScript; declined and then paid; a 3-D Secure challenge passed and one failed; framed in a shop of another origin; a subscription and a saved card; Danish at 320 px; a deadline that passes; cancel",
    command: ["npm", "test", "--", "e2e"],
    keep: /screenshot|passed/,
  },
  {
    issue: "C",
    line: "axe finds no violation on any page (rules counted, none disabled); the CSP reports none; no request leaves for another host",
    command: ["npm", "test", "--", "e2e"],
    keep: /axe|CSP|hosts|passed/,
  },
  {
    issue: "C",
    line: "Page and assets under 60 kB gzipped, script under 15 kB",
    command: ["npm", "test", "--", "standard-branding", "e2e"],
    keep: /gzip|weight|kB|passed/i,
  },
  {
    issue: "C",
    line: "A branding uploaded as files through the API changes the page at once, cannot run script, cannot read another account's data, cannot hang or swell the server",
    command: ["npm", "test", "--", "window-brandings"],
    keep: /ms|passed/,
  },
  {
    issue: "C",
    line: "Callback and return in both orders; a shop that only trusts the callback and one that only asks `GET /payments/{id}` both come out right",
    command: ["npm", "test", "--", "window-methods"],
    keep: counts,
  },
  {
    issue: "C",
    line: "Unknown, deleted, expired and paid links; a tampered form, a replayed session, a second tab, the back button, letters for a card, a 5 MB field, a challenge answered twice or never: a page that says what to do, at most one authorization",
    command: ["npm", "test", "--", "test/window.test"],
    keep: counts,
  },
  {
    issue: "C",
    line: "The Form with its checksum (vectors A, B, C), every payment method token, card testing slowed down and noticed, scripts with hashes and kept CSP reports",
    command: ["npm", "test", "--", "form.test", "payment-methods", "card-testing", "csp-reports"],
    keep: counts,
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

const head =
  "# What is shown\n\nEach line that an issue promised to show, with what shows it and its last output. `npm run shows -- A` repeats them.\n";

const headingOf = ({ issue, line }: Show): string => `## ${issue}: ${line}`;

/** What the document holds, by heading. */
function writtenSections(): Map<string, string> {
  const [, ...sections] = documented().split(/\n(?=## )/);
  return new Map(
    sections.map((section) => {
      const end = section.indexOf("\n");
      return [section.slice(0, end), section.slice(end + 2)];
    }),
  );
}

function main(): number {
  const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
  const chosen = shows.filter(({ issue }) => wanted.length === 0 || wanted.includes(issue));
  const results = new Map<string, Result>();
  const sections = writtenSections();
  let failed = 0;
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
    const told = `\`${name}\` (${result.seconds.toFixed(0)} s)\n\n\`\`\`text\n${kept}\n\`\`\`\n`;
    sections.set(headingOf(show), told);
  }
  if (process.argv.includes("--write")) {
    const all = shows.map((show) => `\n${headingOf(show)}\n\n${sections.get(headingOf(show)) ?? ""}`);
    writeFileSync(document, `${head}${all.join("")}`);
  }
  console.log(`\n${chosen.length - failed} hold, ${failed} fail`);
  return failed === 0 && chosen.length > 0 ? 0 : 1;
}

/** The lines that the document holds. */
export const documented = (): string => readFileSync(document, "utf8");

if (import.meta.main) process.exitCode = main();
