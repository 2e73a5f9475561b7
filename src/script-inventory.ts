// `coolpay scripts`: what an assessor asks for (PCI DSS 6.4.3, 11.6.1). The scripts of the payment page, with their reasons
// and hashes, and what browsers reported; and whether a page, as it is delivered, is the one of this version.

import { readClock } from "./storage/clock.ts";
import { type CspReportRow, reportsSince } from "./storage/csp-reports.ts";
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

/** Waits until all is written: the program ends right afterwards, and a pipe takes only so much at once. */
const print = (lines: readonly string[]): Promise<void> =>
  new Promise((done) => void process.stdout.write(`${lines.join("\n")}\n`, () => done()));

async function inventory(database_url: string): Promise<number> {
  const pool = createPool({ url: database_url, max: 1, name: "scripts" });
  try {
    if ((await missingMigrations(pool)).length > 0)
      throw new WrongDatabase("The database lacks tables of this program: run coolpay migrate first.");
    const since = new Date(Date.now() + (await readClock(pool)) - days * 86_400_000);
    const reports = await reportsSince(pool, since, rows_max);
    await print([
      "Scripts that the payment page may load:\n",
      ...scripts.map(({ path, integrity, reason }) => `${path}\n  ${integrity}\n  ${reason}\n`),
      reports.length === 0
        ? `Browsers have reported nothing in ${days} days.`
        : `Browsers' reports of ${days} days: day, times, account, directive, what was refused, where\n`,
      ...reports.map(reportLine),
      ...(reports.length === rows_max ? [`… and more: only ${rows_max} are shown.`] : []),
    ]);
    return 0;
  } finally {
    await pool.end();
  }
}

function reportLine({ day, reports, account_id, directive, blocked, source, line }: CspReportRow): string {
  const where = `${shown(source)}${line === 0 ? "" : `:${line}`}`;
  return [day, `${reports}x`, account_id ?? "-", directive, shown(blocked), where].join("  ");
}

async function check(address: string): Promise<number> {
  const problems = await checkPage(address, scripts).catch(({ message, cause }: Error) => [
    `The page cannot be fetched: ${cause instanceof Error ? cause.message : message}.`,
  ]);
  const { length } = problems;
  const ok = "The page's scripts and security headers are the ones of this version.";
  await print([...problems.map(shown), length === 0 ? ok : `${length} ${length === 1 ? "difference" : "differences"}`]);
  return length === 0 ? 0 : 1;
}
