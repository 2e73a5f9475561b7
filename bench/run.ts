// `npm run bench`: what the server does in a second, beside what PostgreSQL itself does on the same machine in the same
// run. Only the ratios say something. In each round the two sides take turns (plain, ours, ours, plain: whatever drifts
// hits both alike), and the median of the rounds' ratios counts.

import { execFileSync, fork, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { startEmbedded } from "../src/storage/embedded.ts";
import { apiClient } from "../stories/story.ts";
import type { Job, Measured } from "./load.ts";

const rounds = 3;
// Until the program is compiled as it is for the rest of its life.
const warm_up_seconds = 12;
const seconds = 3;
const connections = 64;
// What is promised in this first cut.
const ratio_min = 1.0;

const tables = `
  CREATE TABLE plain_payments (id bigint PRIMARY KEY, account_id integer NOT NULL, order_id text NOT NULL, body json NOT NULL, created_at timestamptz NOT NULL, UNIQUE (account_id, order_id));
  CREATE TABLE plain_operations (payment_id bigint NOT NULL, id smallint NOT NULL, type text NOT NULL, amount integer NOT NULL, created_at timestamptz NOT NULL, PRIMARY KEY (payment_id, id));
  CREATE TABLE plain_outbox (id bigint PRIMARY KEY, payment_id bigint NOT NULL, url text NOT NULL, body text NOT NULL, created_at timestamptz NOT NULL);`;

const script = String.raw`\set id random(1, 9000000000000000)
BEGIN;
INSERT INTO plain_payments VALUES (:id, 100001, :id::text, '{"currency":"DKK","state":"initial","variables":{},"basket":[]}', now());
INSERT INTO plain_operations VALUES (:id, 1, 'authorize', 1000, now());
INSERT INTO plain_outbox VALUES (:id, :id, 'https://shop.example/callback', '{"id":1,"state":"initial"}', now());
COMMIT;
`;

/** Debian keeps pgbench beside the server's programs of each version. */
function pgbenchPath(): string {
  const folder = "/usr/lib/postgresql";
  const versions = existsSync(folder) ? readdirSync(folder).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.map((version) => join(folder, version, "bin/pgbench")).find((file) => existsSync(file));
  return found ?? "pgbench";
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function pgbench(url: string, script_file: string): number {
  const arguments_ = ["-n", "-M", "prepared", "-c", "16", "-j", "1", "-T", String(seconds), "-f", script_file, url];
  const text = execFileSync(pgbenchPath(), arguments_, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  return Number(/tps = ([\d.]+)/.exec(text)?.[1] ?? 0);
}

function load(job: Job): Promise<Measured> {
  return new Promise((done, failed) => {
    const child = fork(new URL("./load.ts", import.meta.url), { execArgv: [] });
    child.once("message", (measured) => done(measured as Measured));
    child.once("error", failed);
    child.send(job);
  });
}

type Server = { readonly port: number; readonly pid: number; readonly stop: () => Promise<void> };

/** The real program, as `coolpay start` runs it, over this database. */
async function startServer(url: string, data_dir: string): Promise<Server> {
  const port = 20_000 + (process.pid % 20_000);
  const child = spawn(process.execPath, [fileURLToPath(new URL("../bin/coolpay.mjs", import.meta.url)), "start"], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: url,
      COOLPAY_DATA_DIR: data_dir,
      COOLPAY_DEMO: "0",
      COOLPAY_API_PORT: String(port),
      COOLPAY_WINDOW_PORT: "0",
      COOLPAY_MANAGER_PORT: "0",
      COOLPAY_METRICS_PORT: "0",
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  for (let tries = 0; ; tries++) {
    const up = await fetch(`http://127.0.0.1:${port}/ping`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (up) break;
    if (tries > 200 || child.exitCode !== null) throw new Error("the server did not start");
    await new Promise((done) => setTimeout(done, 50));
  }
  return {
    port,
    pid: child.pid ?? 0,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

type Made = { readonly id: number };
type Agreement = { readonly service: string; readonly api_key: string };

/** The API User's key of a new account. */
async function merchantKey(port: number): Promise<string> {
  const api_url = `http://127.0.0.1:${port}`;
  const email = `bench-${randomBytes(4).toString("hex")}@shop.example`;
  const person = { email, password: randomBytes(24).toString("base64url") };
  await apiClient(api_url, null).call("POST", "/users", { name: "Bench", ...person });
  const { id } = await apiClient(api_url, person).call<Made>("POST", "/accounts", {
    shop_name: "Bench",
    contact_email: email,
  });
  const agreements = await apiClient(api_url, { ...person, account_id: id }).call<Agreement[]>("GET", "/agreements");
  const key = agreements.find(({ service }) => service === "api_user")?.api_key ?? "";
  return `Basic ${Buffer.from(`:${key}`).toString("base64")}`;
}

async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "coolpay-bench-"));
  const embedded = await startEmbedded({ data_dir: folder, log: () => {} });
  const database = new pg.Client({ connectionString: embedded.url });
  await database.connect();
  let server: Server | null = null;
  try {
    await database.query(tables);
    const show = async (name: string): Promise<string> =>
      String(Object.values((await database.query(`SHOW ${name}`)).rows[0])[0]);
    console.log(
      `fsync ${await show("fsync")}, synchronous_commit ${await show("synchronous_commit")}, PostgreSQL ${await show("server_version")}`,
    );
    const script_file = join(folder, "three-inserts.sql");
    writeFileSync(script_file, script);
    server = await startServer(embedded.url, folder);
    const authorization = await merchantKey(server.port);
    const common = { port: server.port, connections, authorization };
    const create = { ...common, method: "POST", path: "/payments", body: '{"order_id":"b%","currency":"DKK"}' };
    const ping = { ...common, method: "GET", path: "/ping", body: null };

    await load({ ...create, seconds: warm_up_seconds, unique: "w" });
    const before = await stored(database);
    const creates: Measured[] = [];
    const ratios: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      const plain_first = pgbench(embedded.url, script_file);
      const ours = [
        await load({ ...create, seconds, unique: `${round}x` }),
        await load({ ...create, seconds, unique: `${round}y` }),
      ];
      const plain = mean([plain_first, pgbench(embedded.url, script_file)]);
      const created = mean(ours.map(({ per_second }) => per_second));
      const pings = await load({ ...ping, seconds: 2, unique: "" });
      const slowest = (of: "p50_ms" | "p99_ms"): string => Math.max(...ours.map((measured) => measured[of])).toFixed(1);
      creates.push(...ours);
      ratios.push(created / plain);
      console.log(
        `round ${round}: pgbench ${plain.toFixed(0)}/s, POST /payments ${created.toFixed(0)}/s ` +
          `(p50 ${slowest("p50_ms")} ms, p99 ${slowest("p99_ms")} ms), ratio ${(created / plain).toFixed(2)}; GET /ping ${pings.per_second.toFixed(0)}/s`,
      );
    }
    const rows = (await stored(database)) - before;
    const created = creates.reduce((sum, { answers }) => sum + (answers["201"] ?? 0), 0);
    const others =
      creates.reduce((sum, { answers }) => sum + Object.values(answers).reduce((a, b) => a + b, 0), 0) - created;
    const ratio = median(ratios);
    console.log(`rows stored ${rows}, 201s counted ${created}, other answers ${others}`);
    console.log(
      `POST /payments at ${connections} connections reaches ${ratio.toFixed(2)} of pgbench -M prepared -c16 -j1 (promised: ${ratio_min.toFixed(1)})`,
    );
    return ratio >= ratio_min && rows === created && others === 0 ? 0 : 1;
  } finally {
    await server?.stop();
    await database.end();
    await embedded.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const stored = async (database: pg.Client): Promise<number> =>
  Number((await database.query("SELECT count(*) FROM transactions")).rows[0].count);

process.exitCode = await main();
