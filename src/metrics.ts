// The listener that is not public: is the process alive (/healthz), can it serve (/readyz), what has it done (/metrics,
// in Prometheus' text format), and, where tests may move time, /clock.

import type { FastifyInstance } from "fastify";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { createListener, type Transport } from "./api/listener.ts";
import type { RequestLine } from "./api/request-log.ts";
import { metricsText } from "./gather.ts";
import { countRequests } from "./request-metrics.ts";
import type { Services } from "./services/services.ts";
import { backlog } from "./storage/backlog.ts";
import { alarmCount } from "./storage/card-testing.ts";
import { moveClock } from "./storage/clock.ts";
import { compareMigrations } from "./storage/migrate.ts";

export type Metrics = {
  readonly registry: Registry;
  readonly observe: (line: RequestLine) => void;
  /** What `/metrics` answers: figures of all processes that serve. */
  readonly text: () => Promise<string>;
};

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: "coolpay_processes",
    help: "Processes that serve and have told their figures",
    registers: [registry],
    aggregator: "sum",
  }).set(1);
  return {
    registry,
    text: metricsText(registry),
    observe: countRequests(registry),
  };
}

type Options = {
  readonly services: Services;
  readonly metrics: Metrics;
  readonly test_clock: boolean;
  readonly transport: Transport;
};

const advance_s_max = 10 * 366 * 86_400;

export function metricsServer({ services, metrics, test_clock, transport }: Options): FastifyInstance {
  observeBacklog(services, metrics);
  const server = createListener(transport);
  server.get("/healthz", () => ({ status: "ok" }));
  server.get("/readyz", async (_request, reply) => {
    const status = await readiness(services);
    return reply.code(status === "ready" ? 200 : 503).send({ status });
  });
  server.get("/metrics", async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.text()),
  );
  if (test_clock) serveClock(server, services);
  return server;
}

/** A database that a newer release has migrated is served on: that release takes over when the operator says so. */
async function readiness({ pool }: Services): Promise<string> {
  try {
    const { missing } = await compareMigrations(pool);
    return missing.length === 0 ? "ready" : `the database lacks migrations: ${missing.join(", ")}`;
  } catch {
    return "the database does not answer";
  }
}

function observeBacklog({ pool }: Services, { registry }: Metrics): void {
  const waiting = new Gauge({
    name: "coolpay_backlog",
    help: "What waits: callbacks to be delivered, operations that are pending",
    labelNames: ["what"],
    registers: [registry],
    // Every process counts the same rows.
    aggregator: "max",
    async collect() {
      // Without the database the other figures still tell something.
      waiting.reset();
      const counts = await backlog(pool).catch(() => null);
      if (counts === null) return;
      waiting.set({ what: "callbacks" }, counts.callbacks);
      waiting.set({ what: "operations" }, counts.operations);
    },
  });
}

/** What the request log had no room for. */
export function countDropped(
  { registry }: Metrics,
  dropped: () => { readonly lines: number; readonly details: number },
): void {
  const counter = new Counter({
    name: "coolpay_request_log_dropped_total",
    help: "Lines of the request log, and headers and bodies, that were not kept",
    labelNames: ["what"],
    registers: [registry],
    collect() {
      const { lines, details } = dropped();
      counter.reset();
      counter.inc({ what: "lines" }, lines);
      counter.inc({ what: "details" }, details);
    },
  });
}

/** Accounts under attack; which ones, the log and their activity tell. */
export function countAlarms({ registry }: Metrics, pool: Services["pool"]): void {
  const gauge = new Gauge({
    name: "coolpay_card_testing_alarm",
    help: "Accounts most of whose cards are declined: the alarm on card testing is on",
    registers: [registry],
    // Every process counts the same rows.
    aggregator: "max",
    async collect() {
      // Without the database the other figures still tell something.
      gauge.reset();
      const count = await alarmCount(pool).catch(() => null);
      if (count !== null) gauge.set(count);
    },
  });
}

/** The seconds to move by; null: not a number of seconds. Forms send texts. */
function secondsIn(value: unknown): number | null {
  const seconds = typeof value === "string" && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  return typeof seconds === "number" && seconds >= 0 && seconds <= advance_s_max ? seconds : null;
}

function serveClock(server: FastifyInstance, { pool, clock, nudge }: Services): void {
  server.get("/clock", () => ({ now: clock.now().toISOString() }));
  server.post<{ Body: { advance_s?: unknown } | null }>("/clock", async ({ body }, reply) => {
    const advance_s = secondsIn(body?.advance_s);
    if (advance_s === null)
      return reply.code(400).send({ message: `advance_s must be a number of seconds, ${advance_s_max} at most` });
    clock.advance((await moveClock(pool, Math.round(advance_s * 1000))) - clock.offset_ms());
    nudge();
    return { now: clock.now().toISOString() };
  });
  server.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_request, text, done) =>
    done(null, Object.fromEntries(new URLSearchParams(String(text)))),
  );
}
