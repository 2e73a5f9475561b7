// What is counted of every request. Counted here, and told to the registry only when it is asked: its own histogram takes
// longer to find its labels than many a request takes to be answered.

import type { Metric, Registry } from "prom-client";
import type { RequestLine } from "./api/request-log.ts";

const bounds_s = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30];

type Labels = Readonly<Record<string, string | number>>;
type Series = { readonly labels: Labels; readonly counts: number[]; sum_s: number };
type Value = { readonly metricName?: string; readonly labels: Labels; readonly value: number };

/** Registers both metrics; the answer counts a request. */
export function countRequests(registry: Registry): (line: RequestLine) => void {
  const durations = new Map<string, Series>();
  const versions = new Map<string, number>();
  register(registry, {
    name: "coolpay_http_request_duration_seconds",
    help: "Requests of the API and the payment window by method, declared path and status",
    type: "histogram",
    values: () => [...durations.values()].flatMap(valuesOf),
  });
  register(registry, {
    name: "coolpay_http_requests_by_version_total",
    help: "API requests by version",
    type: "counter",
    values: () => [...versions].map(([version, value]) => ({ labels: { version }, value })),
  });
  return ({ method, route, status, duration_ms, version }) => {
    const name = `${method} ${route} ${status}`;
    let series = durations.get(name);
    if (series === undefined) {
      const labels = { method: known(method), route: route ?? "none", status };
      series = { labels, counts: Array.from({ length: bounds_s.length + 1 }, () => 0), sum_s: 0 };
      durations.set(name, series);
    }
    const seconds = duration_ms / 1000;
    let at = 0;
    while (seconds > (bounds_s[at] ?? Number.POSITIVE_INFINITY)) at += 1;
    series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.sum_s += seconds;
    if (version !== null) versions.set(version, (versions.get(version) ?? 0) + 1);
  };
}

/** As Prometheus wants it: each bucket holds all that took no longer (its text format, version 0.0.4). */
function valuesOf({ labels, counts, sum_s }: Series): Value[] {
  const name = "coolpay_http_request_duration_seconds";
  let count = 0;
  const buckets = counts.map((more, i): Value => {
    count += more;
    return { metricName: `${name}_bucket`, labels: { le: bounds_s[i] ?? "+Inf", ...labels }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum_s },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
/** Anything may be sent as a method; a label must not grow with it. */
const known = (method: string): string => (methods.has(method) ? method : "other");

type Told = {
  readonly name: string;
  readonly help: string;
  readonly type: "histogram" | "counter";
  readonly values: () => Value[];
};

/** A registry asks a metric for its figures through `get`, whoever made it. */
function register(registry: Registry, { values, ...told }: Told): void {
  const metric = { ...told, get: async () => ({ ...told, aggregator: "sum", values: values() }), reset: () => {} };
  registry.registerMetric(metric as unknown as Metric);
}
