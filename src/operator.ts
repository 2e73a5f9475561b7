// `coolpay accounts`: what the operator of an installation sees of its merchants, and may do with them.

import type pg from "pg";
import type { Plans } from "./domain/plans.ts";
import { Refused } from "./domain/refusal.ts";
import { changePlan } from "./services/plans.ts";
import { system } from "./services/services.ts";
import { setSuspended } from "./services/suspension.ts";
import { type ListedAccount, listAccounts } from "./storage/account-list.ts";
import { readClock } from "./storage/clock.ts";
import { missingMigrations, WrongDatabase } from "./storage/migrate.ts";
import { createPool } from "./storage/pool.ts";

const page_max = 50;
const id_pattern = /^\d{1,9}$/;

type Job = {
  readonly pool: pg.Pool;
  readonly words: readonly string[];
  readonly now: Date;
  readonly plans: Plans;
};

/** Each is given the words after its name, and answers the exit status; null: it was given other words than it needs. */
const verbs: Readonly<Record<string, { usage: string; run: (job: Job) => Promise<number | null> }>> = {
  list: { usage: "list [<after this id>]", run: list },
  suspend: { usage: "suspend <id>", run: (job) => suspend(job, true) },
  resume: { usage: "resume <id>", run: (job) => suspend(job, false) },
  plan: { usage: "plan <id> <name>", run: plan },
};

/** Answers the exit status. */
export async function accountsCommand(
  database_url: string,
  [verb = "", ...words]: readonly string[],
  plans: Plans,
): Promise<number> {
  const job = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  const pool = createPool({ url: database_url, max: 2, name: "accounts" });
  try {
    if ((await missingMigrations(pool)).length > 0)
      throw new WrongDatabase("The database lacks tables of this program: run coolpay migrate first.");
    const now = new Date(Date.now() + (await readClock(pool)));
    const status = (await job?.run({ pool, words, now, plans })) ?? null;
    if (status !== null) return status;
  } finally {
    await pool.end();
  }
  const usages = job === undefined ? Object.values(verbs).map(({ usage }) => usage) : [job.usage];
  console.error(`Say what to do: ${usages.map((usage) => `coolpay accounts ${usage}`).join(", ")}`);
  return 2;
}

const day = (at: Date | null): string => at?.toISOString().slice(0, 10) ?? "-";

/** What is shown of an account, and how wide. */
const columns: readonly (readonly [title: string, width: number, (account: ListedAccount) => string])[] = [
  ["id", 10, ({ id }) => String(id)],
  ["created", 12, ({ created_at }) => day(created_at)],
  ["suspended", 12, ({ suspended_at }) => day(suspended_at)],
  ["closed", 12, ({ closed_at }) => day(closed_at)],
  ["plan", 14, ({ plan }) => plan ?? "-"],
  ["this month", 12, ({ transactions }) => String(transactions)],
  // A merchant's own words: nothing in them shall move the terminal.
  ["shop", 0, ({ shop_name }) => shop_name.replace(/\p{C}/gu, " ")],
];

async function list({ pool, words, now }: Job): Promise<number | null> {
  const [after = "0", ...more] = words;
  if (!id_pattern.test(after) || more.length > 0) return null;
  const since = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1));
  const accounts = await listAccounts(pool, { after: Number(after), limit: page_max, since });
  console.log(columns.map(([title, width]) => title.padEnd(width)).join(""));
  for (const account of accounts) console.log(columns.map(([, width, shown]) => shown(account).padEnd(width)).join(""));
  const last = accounts.at(-1);
  if (accounts.length === page_max && last !== undefined) console.log(`More: coolpay accounts list ${last.id}`);
  return 0;
}

async function suspend({ pool, words, now: at }: Job, suspended: boolean): Promise<number | null> {
  const [id = "", ...more] = words;
  if (!id_pattern.test(id) || more.length > 0) return null;
  const done = await setSuspended(pool, { id: Number(id), suspended, at });
  const is = suspended ? "is suspended: it reads, refunds and cancels, but does not charge" : "charges again";
  const said = { done: `Account ${id} ${is}.`, as_it_was: `Account ${id} ${is}, as before.` };
  if (done === "missing") console.error(`There is no account ${id}, or it is closed.`);
  else console.log(said[done]);
  return done === "missing" ? 1 : 0;
}

async function plan({ pool, words, now, plans }: Job): Promise<number | null> {
  const [id = "", name, ...more] = words;
  if (!id_pattern.test(id) || name === undefined || more.length > 0) return null;
  const services = { pool, plans, clock: { now: () => now }, directory: { forget: () => {} } };
  try {
    await changePlan(services, system, { account_id: Number(id), plan: name });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const offered = plans.map((one) => one.name).join(", ");
    const missing = error.refusal.code === "not_found";
    console.error(
      missing ? `There is no account ${id}, or it is closed.` : `There is no plan ${name}, only ${offered}.`,
    );
    return 1;
  }
  console.log(`Account ${id} is on the plan ${name}.`);
  return 0;
}
