// The listener that is not public: is the process alive (/healthz), can it serve (/readyz), what has it done (/metrics,
// in Prometheus' text format), and, where tests may move time, /clock.

import Fastify, { type FastifyInstance } from "fastify";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { RequestLine } from "./api/request-log.ts";
import type { Services } from "./services/services.ts";
import { backlog } from "./storage/backlog.ts";
import { moveClock } from "./storage/clock.ts";

export type Metrics = { readonly registry: Registry; readonly observe: (line: RequestLine) => void };

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30];

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: "coolpay_http_request_duration_seconds",
    help: "API requests by method, declared path and status",
    labelNames: ["method", "route", "status"],
    buckets: seconds,
    registers: [registry],
  });
  const versions = new Counter({
    name: "coolpay_http_requests_by_version_total",
    help: "API requests by version",
    labelNames: ["version"],
    registers: [registry],
  });
  return {
    registry,
    observe({ method, route, status, duration_ms, version }) {
      duration.observe({ method: known(method), route: route ?? "none", status }, duration_ms / 1000);
      if (version !== null) versions.inc({ version });
    },
  };
}

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
/** Anything may be sent as a method; a label must not grow with it. */
const known = (method: string): string => (methods.has(method) ? method : "other");

type Options = { readonly services: Services; readonly metrics: Metrics; readonly test_clock: boolean };

const advance_s_max = 10 * 366 * 86_400;

export function metricsServer({ services, metrics, test_clock }: Options): FastifyInstance {
  const { pool, clock } = services;
  const waiting = new Gauge({
    name: "coolpay_backlog",
    help: "What waits: callbacks to be delivered, operations that are pending",
    labelNames: ["what"],
    registers: [metrics.registry],
    async collect() {
      const { callbacks, operations } = await backlog(pool);
      waiting.set({ what: "callbacks" }, callbacks);
      waiting.set({ what: "operations" }, operations);
    },
  });

  const server = Fastify({ logger: false });
  server.get("/healthz", () => ({ status: "ok" }));
  server.get("/readyz", async (_request, reply) => {
    const ready = await pool.query("SELECT 1").then(
      () => true,
      () => false,
    );
    return reply.code(ready ? 200 : 503).send({ status: ready ? "ready" : "the database does not answer" });
  });
  server.get("/metrics", async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  if (test_clock) {
    server.get("/clock", () => ({ now: clock.now().toISOString() }));
    server.post<{ Body: { advance_s?: unknown } | null }>("/clock", async ({ body }, reply) => {
      const advance_s = Number(body?.advance_s);
      if (!Number.isFinite(advance_s) || advance_s < 0 || advance_s > advance_s_max) {
        return reply.code(400).send({ message: "advance_s must be a number of seconds" });
      }
      clock.advance((await moveClock(pool, Math.round(advance_s * 1000))) - clock.offset_ms());
      services.nudge();
      return { now: clock.now().toISOString() };
    });
    server.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_request, text, done) =>
      done(null, Object.fromEntries(new URLSearchParams(String(text)))),
    );
  }
  return server;
}
