// `coolpay scripts`: what an assessor asks for (PCI DSS 6.4.3, 11.6.1). The scripts of the payment page, with their reasons
// and hashes, and what browsers reported; and whether a page, as it is delivered, is the one of this version.

import { readClock } from "./storage/clock.ts";
import { reportsSince } from "./storage/csp-reports.ts";
import { missingMigrations, WrongDatabase } from "./storage/migrate.ts";
import { createPool } from "./storage/pool.ts";
import { checkPage } from "./window/page-check.ts";
import { scripts } from "./window/scripts.ts";

const days = 90;
const rows_max = 500;

type Place = {
  /** Does the work with the installation's database. */
  readonly withDatabase: (work: (url: string) => Promise<number>) => Promise<number>;
};

/** Answers the exit status. Throws `WrongDatabase`. */
export async function scriptsCommand(words: readonly string[], { withDatabase }: Place): Promise<number> {
  const [flag, address, ...more] = words;
  if (flag === undefined) return withDatabase(inventory);
  if (flag === "--check" && address !== undefined && more.length === 0 && /^https?:$/.test(protocolOf(address)))
    return check(address);
  console.error("Say what to do: coolpay scripts, coolpay scripts --check <address of a payment page>");
  return 2;
}

const protocolOf = (address: string): string => (URL.canParse(address) ? new URL(address).protocol : "");

// What a browser sent is somebody's own words: nothing in them shall move the terminal.
const shown = (text: string): string => text.replace(/\p{C}/gu, " ") || "-";

async function inventory(database_url: string): Promise<number> {
  const pool = createPool({ url: database_url, max: 1, name: "scripts" });
  try {
    if ((await missingMigrations(pool)).length > 0)
      throw new WrongDatabase("The database lacks tables of this program: run coolpay migrate first.");
    console.log("Scripts that the payment page may load:\n");
    for (const { path, integrity, reason } of scripts) console.log(`${path}\n  ${integrity}\n  ${reason}\n`);
    const since = new Date(Date.now() + (await readClock(pool)) - days * 86_400_000);
    const reports = await reportsSince(pool, since, rows_max);
    if (reports.length === 0) console.log(`Browsers have reported nothing in ${days} days.`);
    else console.log(`Browsers' reports of ${days} days: day, times, account, directive, what was refused, where\n`);
    for (const { day, reports: times, account_id, directive, blocked, source, line } of reports) {
      const where = source === "" ? "-" : `${shown(source)}${line === 0 ? "" : `:${line}`}`;
      console.log([day, `${times}x`, account_id ?? "-", directive, shown(blocked), where].join("  "));
    }
    if (reports.length === rows_max) console.log(`… and more: only ${rows_max} are shown.`);
    return 0;
  } finally {
    await pool.end();
  }
}

async function check(address: string): Promise<number> {
  let problems: readonly string[];
  try {
    problems = await checkPage(address, scripts);
  } catch (error) {
    const { message, cause } = error as Error;
    problems = [`The page cannot be fetched: ${cause instanceof Error ? cause.message : message}.`];
  }
  for (const problem of problems) console.log(shown(problem));
  const ok = "The page's scripts and security headers are the ones of this version.";
  console.log(
    problems.length === 0 ? ok : `${problems.length} ${problems.length === 1 ? "difference" : "differences"}`,
  );
  return problems.length === 0 ? 0 : 1;
}
