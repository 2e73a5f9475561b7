// Configuration in, faces out: makes every service once, hands them to the faces, and starts and stops it all in order.
// Tests build the very same app.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type pg from "pg";
import { createDirectoryServer } from "./acquirers/simulator/directory-server.ts";
import { simulatorPages } from "./acquirers/simulator/pages.ts";
import { createSimulator } from "./acquirers/simulator/simulator.ts";
import { createServer } from "./api/server.ts";
import { type Config, isLoopback, ownVersion } from "./config.ts";
import { demoKeys } from "./demo-keys.ts";
import type { Log as AppLog } from "./log.ts";
import { notYet as managerNotYet } from "./manager/server.ts";
import { countAlarms, countDropped, createMetrics, metricsServer } from "./metrics.ts";
import { callbackBody, spokenVersion } from "./resources/callback-body.ts";
import { endpointsOf } from "./resources/endpoints.ts";
import { detailsOf } from "./resources/transaction-fields.ts";
import { attemptBook } from "./services/card-testing-alarm.ts";
import { movableClock } from "./services/clock.ts";
import { createDirectory, type PasswordCost } from "./services/directory.ts";
import { createHealth } from "./services/health.ts";
import { requestBook } from "./services/request-log.ts";
import { createRing, newMemoryKey } from "./services/seal.ts";
import { openSeal } from "./services/sealing.ts";
import type { Services } from "./services/services.ts";
import { createTemplates } from "./services/templates.ts";
import { readClock } from "./storage/clock.ts";
import { committer } from "./storage/commit.ts";
import { idSource } from "./storage/ids.ts";
import { migrate } from "./storage/migrate.ts";
import { createPool } from "./storage/pool.ts";
import { ownCertificate } from "./tls.ts";
import { whatToDo } from "./trouble.ts";
import type { CallApi } from "./window/form-post.ts";
import { createWindow } from "./window/server.ts";
import { startCallbacks } from "./work/callbacks.ts";
import { startCounting, startWatching } from "./work/card-testing.ts";
import { startDue, startForgetting, startRetention } from "./work/due.ts";
import { startExports } from "./work/exports.ts";
import { type Leases, startLeases } from "./work/leases.ts";
import { startLoop } from "./work/loop.ts";
import { startMails } from "./work/mails.ts";
import { startRepairs } from "./work/operations.ts";
import { startRequestLog } from "./work/requests.ts";

export type Addresses = { api_url: string; window_url: string; manager_url: string; metrics_url: string };

export type App = {
  readonly services: Services;
  readonly addresses: Readonly<Addresses>;
  readonly api: FastifyInstance;
  /** Reads the file of the master keys again. What cannot be used is logged, and the keys stay as they were. */
  readonly reload: () => Promise<void>;
  /** Answers what is under way, finishes what was begun, and ends. */
  readonly stop: () => Promise<void>;
};

type Options = {
  readonly config: Config;
  readonly database_url: string;
  readonly log: AppLog;
  /** Waits that long in the simulator, so that faults can strike between question and answer. */
  readonly simulator_latency_ms?: number;
  /** Of `services.memory`, base64: the same in all processes of an installation. */
  readonly memory_key?: string;
  /** Less than a password deserves, for tests: no setting leads here. */
  readonly password_cost?: PasswordCost;
};

// Connections to the database for all processes together, within what PostgreSQL allows by default (100) with room left
// for the operator.
const connections_max = 54;
// Batches under way at once (coalesce.ts), and one more for a retry.
const writer_connections = 3;
// Every batch touches few rows by their keys. Generic plans of that kind are always right for it, and planning anew
// would cost more than the statement.
const writer_settings =
  "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c plan_cache_mode=force_generic_plan";
// How long a stop waits for acquirers to answer; what is left then is repaired by the next start.
const drain_ms = 35_000;
const drain_check_ms = 20;
const clock_check_ms = 200;
// A page takes a few milliseconds, and what takes too much is not tried again soon.
const pages_waiting_max = 200;

/** Everything, listening. Throws when the database cannot be reached or a port is taken; nothing is left running then. */
export async function startApp(options: Options): Promise<App> {
  const parts: Parts = { pools: [], leases: null, faces: [], works: [], running: new Set() };
  try {
    return await assemble(options, parts);
  } catch (error) {
    await stopAll(parts);
    throw error;
  }
}

/** What has to be stopped, as far as it has been started. */
type Parts = {
  readonly pools: pg.Pool[];
  leases: Leases | null;
  readonly faces: FastifyInstance[];
  readonly works: { readonly stop: () => Promise<void> }[];
  readonly running: Services["running"];
};

async function stopAll({ pools, leases, faces, works, running }: Parts): Promise<void> {
  await Promise.all(faces.map((face) => face.close()));
  const deadline = performance.now() + drain_ms;
  while (running.size > 0 && performance.now() < deadline) await sleep(drain_check_ms);
  await Promise.all(works.map((work) => work.stop()));
  await leases?.stop();
  await Promise.all(pools.map((pool) => pool.end()));
}

async function assemble(options: Options, parts: Parts): Promise<App> {
  const { config, database_url, log, simulator_latency_ms, password_cost, memory_key = newMemoryKey() } = options;
  const open = (name: string, max: number, settings?: string): pg.Pool => {
    const opened = createPool({ url: database_url, max, name, settings });
    parts.pools.push(opened);
    return opened;
  };
  const pool = open("api", Math.max(4, Math.floor(connections_max / config.processes) - 2 * writer_connections));
  const writer = open("writer", writer_connections, writer_settings);
  const simulator_pool = open("simulator", writer_connections);
  await migrate(pool);

  const clock = movableClock(config.test_clock ? await readClock(pool) : 0);
  const { seal, reload } = await openSeal({ pool, file: config.master_key_file, make: config.mode === "start" });
  const addresses: Addresses = { api_url: "", window_url: "", manager_url: "", metrics_url: "" };
  const leases = await startLeases({ pool, masterKey: seal.keyId });
  parts.leases = leases;
  const templates = createTemplates();
  parts.works.push(templates);
  let nudge = (): void => {};
  const simulated = { pool: simulator_pool, clock, pages_url: () => addresses.window_url };
  const services: Services = {
    pool,
    commit: committer(writer),
    nextId: idSource(pool),
    clock,
    seal,
    memory: createRing([Buffer.from(memory_key, "base64")]),
    directory: createDirectory({ pool, seal, now: clock.now, password_cost }),
    addresses,
    mail: config.smtp !== null ? "smtp" : config.mode === "start" ? "mailbox" : "none",
    simulator: createSimulator({ ...simulated, latency_ms: simulator_latency_ms ?? 0 }),
    acquirers: {},
    three_d_secure: { simulator: createDirectoryServer(simulated), live: null },
    health: createHealth(),
    plans: config.plans,
    templates,
    attempts: attemptBook({ pool, log }),
    process_id: () => leases.process_id,
    running: parts.running,
    callbackBody: (transaction, version) => callbackBody(transaction, version, addresses),
    nudge: () => nudge(),
    log,
  };

  const requests = requestBook(services);
  const metrics = createMetrics();
  countDropped(metrics, requests.dropped);
  countAlarms(metrics, pool);
  const tls = await tlsOf(config);
  // On loopback everybody is this machine.
  const transport = { tls, proxies: isLoopback(config.host) ? null : config.trust_proxy };
  const api = createServer({
    services,
    endpoints: endpointsOf({ signup: config.signup, plans: config.plans, program_version: ownVersion() }),
    trust_proxy: config.trust_proxy,
    transport,
    log: (line, said) => {
      metrics.observe(line);
      log.request(line);
      requests.note(line, said);
    },
  });
  // A template of somebody's upload that is tried keeps no shopper waiting.
  const window_templates = createTemplates({ waiting_max: pages_waiting_max });
  parts.works.push(window_templates);
  const window = createWindow({
    services: { ...services, templates: window_templates },
    transport,
    trust_proxy: config.trust_proxy,
    simulatorPages: simulatorPages(simulated),
    callApi: callsOf(api),
    detailsOf,
    demoKey: config.demo ? async () => (await demoKeys(services))[0] ?? null : null,
    log: (line) => {
      metrics.observe({ ...line, route: line.route === null ? null : `window ${line.route}` });
      log.request(line);
    },
  });
  const manager = managerNotYet(transport);
  const metrics_face = metricsServer({ services, metrics, test_clock: config.test_clock, transport });
  parts.faces.push(api, window, manager, metrics_face);
  const { host, ports, urls } = config;
  const listening = async (face: FastifyInstance, port: number, public_url: string | null): Promise<string> => {
    const local = await face.listen({ host, port });
    return public_url ?? local.replace(/\/$/, "");
  };
  addresses.api_url = await listening(api, ports.api, urls.api);
  addresses.window_url = await listening(window, ports.window, urls.window);
  addresses.manager_url = await listening(manager, ports.manager, urls.manager);
  addresses.metrics_url = await listening(metrics_face, ports.metrics, null);

  const callbacks = startCallbacks({
    services,
    leases,
    settings: {
      allow_private: config.allow_private_callbacks,
      only2xx: (version) => spokenVersion(version).switches.callback_2xx_only,
    },
  });
  nudge = callbacks.nudge;
  parts.works.push(callbacks, startRepairs(services, leases), startDue(services, leases));
  parts.works.push(startForgetting(services, config), startExports(services, leases), startRequestLog(requests, log));
  parts.works.push(startCounting(services), startWatching(services, leases));
  parts.works.push(startRetention(services, leases, config.retention_months));
  if (config.smtp !== null) parts.works.push(startMails({ services, leases, smtp: config.smtp }));
  if (config.test_clock) parts.works.push(clockFollower(services));
  return { services, addresses, api, reload: () => readKeysAgain(services, reload), stop: () => stopAll(parts) };
}

/** Calls of the API by key, without a network between: limits and permissions are those of any client. */
const callsOf =
  (api: FastifyInstance): CallApi =>
  async ({ method, path: url, api_key, version, body }) => {
    const authorization = `Basic ${Buffer.from(`:${api_key}`).toString("base64")}`;
    const headers = { authorization, host: "localhost", "accept-version": version, "content-type": "application/json" };
    const { statusCode: status, body: text } = await api.inject({
      method,
      url,
      headers,
      payload: JSON.stringify(body),
    });
    return { status, body: text === "" ? null : JSON.parse(text) };
  };

async function readKeysAgain({ seal, directory, log }: Services, reload: () => Promise<void>): Promise<void> {
  try {
    await reload();
    // What is remembered may have been sealed with a key that is not there any more.
    directory.forget();
    log.info({ seals_with: seal.keyId() }, "the file of the master keys was read again");
  } catch (error) {
    log.error({ why: whatToDo(error) }, "the file of the master keys cannot be used: the keys stay as they were");
  }
}

/** Tests may move the clock through any process: all follow. */
const clockFollower = ({ pool, clock, log }: Services) =>
  startLoop({
    name: "clock",
    pause_ms: clock_check_ms,
    log,
    round: async () => {
      clock.advance((await readClock(pool)) - clock.offset_ms());
      return false;
    },
  });

async function tlsOf({ tls, tls_min, data_dir, host, urls }: Config) {
  if (tls === null) return null;
  if (tls === "self") {
    const named = Object.values(urls).flatMap((url) => (url === null ? [] : [new URL(url).hostname]));
    return { ...(await ownCertificate(data_dir, [host, ...named])), min_version: tls_min };
  }
  return { cert: readFileSync(tls.cert_file, "utf8"), key: readFileSync(tls.key_file, "utf8"), min_version: tls_min };
}
