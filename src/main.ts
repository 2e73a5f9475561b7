// The command line: `coolpay start` on a laptop, `coolpay serve` in production, and the operator's tools.

import cluster from "node:cluster";
import { startApp } from "./app.ts";
import { audit } from "./audit.ts";
import { type Running, runMany, runWorker } from "./cluster.ts";
import { type Config, type Mode, readConfig, settings } from "./config.ts";
import { makeDemo } from "./demo.ts";
import { jsonLog, type Log, readableLog } from "./log.ts";
import { defaultDataDir, startEmbedded } from "./storage/embedded.ts";
import { migrate } from "./storage/migrate.ts";
import { createPool } from "./storage/pool.ts";
import { whatToDo } from "./trouble.ts";
import { demoKey, paymentCount, welcome } from "./welcome.ts";

const usage = `coolpay <command>

  start      everything on this machine: embedded PostgreSQL, demo merchant, all faces
  serve      the strict form for production: your PostgreSQL, your secrets, your addresses
  migrate    brings the database's tables up to date
  audit      recomputes every payment from its operations and compares: the books must balance
  help       this text

Settings (environment variables):
  DATABASE_URL  your own PostgreSQL, 15 or newer; embedded under start
${Object.entries(settings)
  .map(([name, meaning]) => `  ${name}  ${meaning}`)
  .join("\n")}
`;

const commands: Readonly<Record<string, () => Promise<number>>> = {
  start: () => run(configFor("start")),
  serve: () => run(configFor("serve")),
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
      console.log(differences.length === 0 ? "books balance" : `${differences.length} differences`);
      return differences.length === 0 ? 0 : 1;
    }),
  help: async () => {
    console.log(usage);
    return 0;
  },
};

/** The environment's settings; the data folder is one that the embedded database's user can reach. */
const configFor = (mode: Mode): Config =>
  readConfig(mode, { ...process.env, COOLPAY_DATA_DIR: process.env.COOLPAY_DATA_DIR || defaultDataDir() });

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
  const stopping = asked();
  const embedded =
    config.database_url === null
      ? await startEmbedded({ data_dir: config.data_dir, log: (text) => log.info({}, text) })
      : null;
  const database_url = config.database_url ?? embedded?.url ?? "";
  let running: Running;
  try {
    running = await begin({ config, database_url, log, first_start: embedded?.first_start ?? false, began });
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

type Beginning = { config: Config; database_url: string; log: Log; first_start: boolean; began: number };

/** Everything runs and has been announced. */
async function begin({ config, database_url, log, first_start, began }: Beginning): Promise<Running> {
  if (config.tls !== null && config.tls_min !== "TLSv1.2")
    log.warn({ tls_min: config.tls_min }, "TLS older than 1.2 is served for old clients: it is not safe any more");
  if (config.mode === "serve") {
    const running =
      config.processes === 1
        ? await startApp({ config, database_url, log })
        : await runMany({ config, database_url, log });
    log.info({ ...running.addresses, processes: config.processes }, "serving");
    return running;
  }
  let announced = false;
  const app = await startApp({ config: { ...config, processes: 1 }, database_url, log: lateLog(log, () => announced) });
  let running: Running = app;
  let stop = app.stop;
  try {
    if (config.demo) await makeDemo(app, config.signup);
    const facts = { api_key: config.demo ? await demoKey(app) : null, payments: await paymentCount(app) };
    if (config.processes > 1) {
      await app.stop();
      stop = async () => {};
      running = await runMany({ config, database_url, log });
    }
    const took_ms = performance.now() - began;
    console.log(welcome({ config, addresses: running.addresses, first_start, took_ms, ...facts }));
  } catch (error) {
    await stop();
    throw error;
  }
  announced = true;
  return running;
}

/** The demo's own requests are not announced as anybody's. */
const lateLog = (log: Log, announced: () => boolean): Log => ({
  ...log,
  request: (line) => {
    if (announced()) log.request(line);
  },
});

/** Until somebody wants us to stop. A second request does not wait for the first. */
function asked(): Promise<void> {
  return new Promise((done) => {
    let count = 0;
    const stop = (): void => {
      count += 1;
      if (count > 1) process.exit(1);
      done();
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  });
}

async function main(): Promise<void> {
  if (cluster.isWorker) return runWorker();
  const name = process.argv[2] ?? "help";
  const command = commands[name];
  if (command === undefined) {
    console.error(`${name} is not a command of coolpay.\n\n${usage}`);
    process.exitCode = 2;
    return;
  }
  try {
    process.exitCode = await command();
  } catch (error) {
    console.error(whatToDo(error));
    process.exitCode = 1;
  }
}

await main();
