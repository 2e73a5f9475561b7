// Databases for tests: one server per run (test/run.ts starts it and names it in TEST_DATABASE_URL), a fresh database
// per caller. A file that is run alone starts a server of its own and stops it when the file is through.

import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { startEmbedded } from "../../src/storage/embedded.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { isKept } from "./kept.ts";

// Most tests ask what is stored, not whether it survives a power cut; those that do start servers of their own.
const settings = {
  fsync: "off",
  full_page_writes: "off",
  synchronous_commit: "off",
  // It would visit every one of the many databases, which live for seconds.
  autovacuum: "off",
  // Everything that was ever stored stays readable in the log, for the sweep.
  wal_keep_size: "1TB",
  wal_compression: "off",
  wal_init_zero: "off",
  max_wal_size: "64GB",
  checkpoint_timeout: "1d",
  max_connections: "200",
  shared_buffers: "128MB",
};

// Any number that nobody else uses: it lets one process make the template while the others wait.
const template_lock_key = 0x74657374;

// Pools that were ended say goodbye within milliseconds; who is there after this was forgotten by its test.
const close_wait_ms = 2_000;

export type TestServer = { readonly url: string; readonly data_dir: string; readonly stop: () => Promise<void> };

/** A PostgreSQL for a whole run in this folder, which is the caller's to remove. */
export async function startTestServer(data_dir: string): Promise<TestServer> {
  const server = await startEmbedded({ data_dir, log: () => {}, settings });
  // Whatever happens to the run: a process that ends takes its server with it.
  const abandon = (): void => void process.kill(server.pid, "SIGQUIT");
  process.once("exit", abandon);
  return {
    url: server.url,
    data_dir,
    async stop() {
      process.off("exit", abandon);
      await server.stop();
    },
  };
}

let own_server: Promise<TestServer> | undefined;

function serverUrl(): Promise<string> {
  const given = process.env.TEST_DATABASE_URL;
  if (given) return Promise.resolve(given);
  if (own_server === undefined) {
    const data_dir = mkdtempSync(join(tmpdir(), "coolpay-test-pg-"));
    own_server = startTestServer(data_dir);
    process.once("exit", () => rmSync(data_dir, { recursive: true, force: true }));
    process.once("beforeExit", async () => (await own_server)?.stop());
  }
  return own_server.then(({ url }) => url);
}

export type TestDatabase = { readonly url: string; readonly drop: () => Promise<void> };

/** A fresh database; with `migrated` it has all tables already, which is faster than migrating it. */
export async function testDatabase({ migrated = false } = {}): Promise<TestDatabase> {
  const server_url = await serverUrl();
  const name = `test_${randomBytes(8).toString("hex")}`;
  const template = migrated ? await migratedTemplate(server_url) : "template0";
  await withClient(server_url, (db) => db.query(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`));
  return {
    url: databaseUrl(server_url, name),
    drop: async () => {
      if (!isKept()) await withClient(server_url, (db) => dropDatabase(db, name));
    },
  };
}

/** Lets connections that are being closed go by themselves: cut off, they would raise an error in the test's process. */
async function dropDatabase(db: pg.Client, name: string): Promise<void> {
  const deadline = performance.now() + close_wait_ms;
  const inUse = async (): Promise<boolean> =>
    (await db.query("SELECT FROM pg_stat_activity WHERE datname = $1", [name])).rowCount !== 0;
  while (performance.now() < deadline && (await inUse())) await sleep(10);
  await db.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
}

const databaseUrl = (server_url: string, name: string): string =>
  server_url.replace(/^(\w+:\/\/[^/]*)\/?[^?]*/, `$1/${name}`);

async function withClient(url: string, work: (db: pg.Client) => Promise<unknown>): Promise<void> {
  const db = new pg.Client(url);
  await db.connect();
  try {
    await work(db);
  } finally {
    await db.end();
  }
}

/** Made once per server and state of the migrations. */
async function migratedTemplate(server_url: string): Promise<string> {
  const folder = new URL("../../src/storage/migrations/", import.meta.url);
  const hash = createHash("sha256");
  for (const file of readdirSync(folder).sort()) hash.update(readFileSync(new URL(file, folder)));
  const name = `migrated_${hash.digest("hex").slice(0, 16)}`;
  await withClient(server_url, async (db) => {
    await db.query("SELECT pg_advisory_lock($1)", [template_lock_key]);
    const { rowCount } = await db.query("SELECT FROM pg_database WHERE datname = $1", [name]);
    if (rowCount !== 0) return;
    const half = `${name}_half`;
    await db.query(`DROP DATABASE IF EXISTS ${half} WITH (FORCE)`);
    await db.query(`CREATE DATABASE ${half} TEMPLATE template0`);
    const pool = new pg.Pool({ connectionString: databaseUrl(server_url, half), max: 1 });
    await migrate(pool).finally(() => pool.end());
    await db.query(`ALTER DATABASE ${half} RENAME TO ${name}`);
  });
  return name;
}
