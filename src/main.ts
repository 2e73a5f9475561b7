// The command line: `coolpay start` on a laptop, `coolpay serve` in production, and the operator's tools.

import cluster from "node:cluster";
import { isatty } from "node:tty";
import { audit } from "./audit.ts";
import { type Options, type Running, runMany, runWorker, startAlone } from "./cluster.ts";
import { type Config, type Mode, readConfig, settings } from "./config.ts";
import { makeDemo } from "./demo.ts";
import { demoKeys } from "./demo-keys.ts";
import { keyCommand } from "./keys.ts";
import { jsonLog, type Log, readableLog } from "./log.ts";
import { mailbox } from "./mailbox.ts";
import { createUser, readPassword } from "./new-user.ts";
import { accountsCommand } from "./operator.ts";
import { scriptsCommand } from "./script-inventory.ts";
import { keysFor } from "./services/sealing.ts";
import { defaultDataDir, startEmbedded } from "./storage/embedded.ts";
import { migrate } from "./storage/migrate.ts";
import { createPool } from "./storage/pool.ts";
import { whatToDo } from "./trouble.ts";
import { paymentCount, welcome } from "./welcome.ts";

const usage = `coolpay <command>

  start      everything on this machine: embedded PostgreSQL, demo merchant, all faces
  serve      the strict form for production: your PostgreSQL, your secrets, your addresses
  migrate    brings the database's tables up to date
  audit      recomputes every payment from its operations and compares: the books must balance
  mailbox    the mail that start has written, newest last, where no SMTP server is set
  user create <e-mail> <name>
             a user, whoever may sign up; the password is read from standard input
  accounts list [<after this id>]
             the merchants, 50 at a time, with what each has created this month
  accounts plan <id> <name>
             puts an account on another plan of COOLPAY_PLANS
  accounts suspend <id>, accounts resume <id>
             a suspended account reads, refunds and cancels, but does not charge
  key rotate   puts a new master key in front of the others; SIGHUP makes the serving processes use it
  key rewrap   changes every sealed record to the newest master key, beside whatever serves
  key status   which master keys are there, and how many records need each
  scripts      the scripts of the payment page with reasons and hashes, and what browsers reported (PCI DSS 6.4.3)
  scripts --check <address of a payment page>
             whether its scripts and headers, as a browser receives them, are this version's (PCI DSS 11.6.1)
  help       this text

Settings (environment variables):
  DATABASE_URL  your own PostgreSQL, 15 or newer; embedded under start
${Object.entries(settings)
  .map(([name, meaning]) => `  ${name}  ${meaning}`)
  .join("\n")}
`;

/** Each is given the words after its name, and answers the exit status. */
const commands: Readonly<Record<string, (words: readonly string[]) => Promise<number>>> = {
  start: async () => run(configFor("start")),
  serve: async () => run(configFor("serve")),
  migrate: () =>
    withDatabase(async (url) => {
      const pool = createPool({ url, max: 2, name: "migrate" });
      const count = await migrate(pool).finally(() => pool.end());
      console.log(count === 0 ? "The database is up to date." : `Applied ${count} migrations.`);
      return 0;
    }),
  audit: () =>
    withDatabase(async (url) => {
      const { differences } = await audit(url);
      for (const line of differences) console.log(line);
      const { length } = differences;
      console.log(length === 0 ? "books balance" : `${length} ${length === 1 ? "difference" : "differences"}`);
      return differences.length === 0 ? 0 : 1;
    }),
  mailbox: async () => {
    const own = configFor("start");
    return withDatabase(async (database_url) => {
      await checkKey(own, database_url);
      for (const mail of await mailbox({ own, database_url })) console.log(mail);
      return 0;
    });
  },
  user: async ([verb, email, ...name]) => {
    if (verb !== "create" || email === undefined || name.length === 0) {
      console.error("Say who it is: coolpay user create <e-mail> <name>");
      return 2;
    }
    const password = await readPassword();
    const own = configFor("start");
    return withDatabase(async (database_url) => {
      await checkKey(own, database_url);
      return createUser({ own, database_url }, { email, name: name.join(" "), password });
    });
  },
  accounts: (words) => withDatabase((url) => accountsCommand(url, words, plansOffered())),
  scripts: (words) => scriptsCommand(words, { withDatabase }),
  key: ([verb]) => keyCommand(verb, { file: configFor("start").master_key_file, withDatabase }),
  help: async () => {
    console.log(usage);
    return 0;
  },
};

/** The environment's settings; the data folder is one that the embedded database's user can reach. */
const configFor = (mode: Mode): Config =>
  readConfig(mode, { ...process.env, COOLPAY_DATA_DIR: process.env.COOLPAY_DATA_DIR || defaultDataDir() });

/** The demo's plan is not offered on a database of one's own. */
const plansOffered = (): Config["plans"] =>
  readConfig("start", { ...(process.env.DATABASE_URL && { COOLPAY_DEMO: "0" }), ...process.env }).plans;

/** A tool's database: the configured one, or the embedded one, started for it if it does not run. */
async function withDatabase(work: (url: string) => Promise<number>): Promise<number> {
  const { database_url, data_dir } = configFor("start");
  if (database_url !== null) return work(database_url);
  const embedded = await startEmbedded({ data_dir, log: () => {} });
  try {
    return await work(embedded.url);
  } finally {
    await embedded.stop();
  }
}

async function run(config: Config): Promise<number> {
  const log = config.mode === "start" ? readableLog() : jsonLog();
  const began = performance.now();
  let running: Running | null = null;
  // What starts has read the file, perhaps before it was changed.
  let reloads = 0;
  const stopping = asked(() => {
    reloads += 1;
    void running?.reload();
  });
  const embedded =
    config.database_url === null
      ? await startEmbedded({ data_dir: config.data_dir, alone: true, log: (text) => log.info({}, text) })
      : null;
  const database_url = config.database_url ?? embedded?.url ?? "";
  try {
    running = await begin({ config, database_url, log, first_start: embedded?.first_start ?? false, began });
    if (reloads > 0) void running.reload();
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
  await stopping;
  if (config.mode === "start") console.log("\nStopping: finishing what is under way …");
  await running.stop();
  await embedded?.stop();
  return 0;
}

const serving = (options: Options): Promise<Running> =>
  options.config.processes === 1 ? startAlone(options) : runMany(options);

type Beginning = Options & { readonly first_start: boolean; readonly began: number };

/** Everything runs and has been announced. */
async function begin({ config, database_url, log, first_start, began }: Beginning): Promise<Running> {
  if (config.tls !== null && config.tls_min !== "TLSv1.2")
    log.warn({ tls_min: config.tls_min }, "TLS older than 1.2 is served for old clients: it is not safe any more");
  await checkKey(config, database_url);
  if (config.mode === "serve") {
    const running = await serving({ config, database_url, log });
    log.info({ ...running.addresses, processes: config.processes }, "serving");
    if (config.smtp === null)
      log.warn({}, "mail is not configured: nobody can verify an e-mail or reset a password; set COOLPAY_SMTP_URL");
    return running;
  }
  let announced = false;
  const late = lateLog(log, () => announced);
  // The demo moves the clock of its process into the past: nothing else may move it meanwhile.
  const alone = { ...config, processes: 1, test_clock: false };
  const app = await startAlone({ config: alone, database_url, log: late });
  let running: Running = app;
  let { stop } = app;
  try {
    const made = config.demo && (await makeDemo(app, config.signup));
    const facts = { api_keys: config.demo ? await demoKeys(app.services) : [], payments: await paymentCount(app) };
    if (config.processes > 1 || config.test_clock) {
      stop = async () => {};
      await app.stop();
      running = await serving({ config, database_url, log: late });
    }
    const took_ms = performance.now() - began;
    const { addresses } = running;
    console.log(welcome({ config, addresses, first_start: first_start || made, took_ms, ...facts }));
  } catch (error) {
    await stop();
    throw error;
  }
  announced = true;
  return running;
}

/**
 * Throws `SealError` when a master key that the database's secrets need is not there: it would show only when a request
 * needs one. A key is made where nothing was sealed yet.
 */
async function checkKey({ mode, master_key_file: file }: Config, database_url: string): Promise<void> {
  const pool = createPool({ url: database_url, max: 1, name: "start" });
  await keysFor({ pool, file, make: mode === "start" }).finally(() => pool.end());
}

/** The demo's own requests are not announced as anybody's. */
const lateLog = (log: Log, announced: () => boolean): Log => ({
  ...log,
  request: (line) => {
    if (announced()) log.request(line);
  },
});

/** Until somebody wants us to stop. A second request does not wait for the first. */
function asked(reload: () => void): Promise<void> {
  // On a terminal SIGHUP mostly says that it is gone.
  const had_terminal = isatty(0);
  return new Promise((done) => {
    let count = 0;
    const stop = (): void => {
      count += 1;
      if (count > 1) process.exit(1);
      done();
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop);
    process.on("SIGHUP", () => (had_terminal && !isatty(0) ? stop() : reload()));
    // The launcher is gone: nobody passes signals on any more.
    if (process.connected) process.once("disconnect", stop);
  });
}

async function main(): Promise<void> {
  if (cluster.isWorker) return runWorker();
  const [name = "help", ...words] = process.argv.slice(2);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    console.error(`${name} is not a command of coolpay.\n\n${usage}`);
    process.exitCode = 2;
    return;
  }
  // Not left to Node: a start that failed half-way, or a stop that lost its patience, leaves something at work.
  try {
    process.exit(await command(words));
  } catch (error) {
    console.error(whatToDo(error));
    process.exit(1);
  }
}

await main();
