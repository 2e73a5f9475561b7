// Metrics of several processes behind one port: whichever is asked answers for all, through the process that minds them.

import cluster, { type Worker } from "node:cluster";
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue, type Registry } from "prom-client";

// A process that takes longer is left out; `coolpay_processes` tells that one is missing.
const figures_timeout_ms = 2_000;
// Whoever asks for all figures waits longer than for those of one process, or a process that hangs would hide all others.
const all_figures_timeout_ms = 5_000;

type Figures = MetricObjectWithValues<MetricValue<string>>[];

type Message =
  | { readonly kind: "all figures wanted"; readonly id: number }
  | { readonly kind: "figures wanted"; readonly id: number }
  | { readonly kind: "figures"; readonly id: number; readonly figures: Figures }
  | { readonly kind: "all figures"; readonly id: number; readonly text: string };

/** Questions that were sent and wait for their answer; null: it did not come in time. */
function questions<Answer>(timeout_ms: number) {
  const waiting = new Map<number, (answer: Answer | null) => void>();
  let last_id = 0;
  return {
    ask: (send: (id: number) => void): Promise<Answer | null> =>
      new Promise((done) => {
        last_id += 1;
        const id = last_id;
        const end = (answer: Answer | null): void => {
          clearTimeout(late);
          waiting.delete(id);
          done(answer);
        };
        const late = setTimeout(() => end(null), timeout_ms);
        waiting.set(id, end);
        send(id);
      }),
    answered: (id: number, answer: Answer): void => waiting.get(id)?.(answer),
  };
}

/** The text of `/metrics`: of this process alone, or in a worker of all that serve. */
export function metricsText(registry: Registry): () => Promise<string> {
  if (!cluster.isWorker) return () => registry.metrics();
  const asked = questions<string>(all_figures_timeout_ms);
  const send = (message: Message): void => void process.send?.(message);
  process.on("message", async (message: Message) => {
    if (message.kind === "figures wanted")
      send({ kind: "figures", id: message.id, figures: await registry.getMetricsAsJSON() });
    if (message.kind === "all figures") asked.answered(message.id, message.text);
  });
  return async () => {
    const text = await asked.ask((id) => send({ kind: "all figures wanted", id }));
    if (text === null) throw new Error("the minding process does not answer");
    return text;
  };
}

/** In the minding process: asks those that serve, and adds up. */
export function gatherMetrics(serving: () => readonly Worker[]): void {
  const asked = questions<Figures>(figures_timeout_ms);
  const send = (worker: Worker, message: Message): void => {
    if (worker.isConnected()) worker.send(message);
  };
  cluster.on("message", async (from: Worker, message: Message) => {
    if (message.kind === "figures") asked.answered(message.id, message.figures);
    if (message.kind !== "all figures wanted") return;
    const answers = serving().map((worker) => asked.ask((id) => send(worker, { kind: "figures wanted", id })));
    const all = (await Promise.all(answers)).filter((figures) => figures !== null);
    const text = await AggregatorRegistry.aggregate(all).metrics();
    send(from, { kind: "all figures", id: message.id, text });
  });
}
