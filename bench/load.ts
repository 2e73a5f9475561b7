// The load: so many connections, each sending its next request when the last was answered. Runs in a process of its own,
// on bare sockets, so that it measures the server and not itself. Talks to its parent in JSON.

import { connect, type Socket } from "node:net";

export type Job = {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  readonly authorization: string;
  readonly method: string;
  readonly path: string;
  /** `%` stands for a number that never repeats. */
  readonly body: string | null;
  readonly unique: string;
};

export type Measured = {
  readonly answers: Readonly<Record<string, number>>;
  readonly per_second: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
};

let count = 0;

function requestText({ authorization, method, path, body, unique, port }: Job): string {
  count += 1;
  const text = body?.replace("%", `${unique}${count}`) ?? "";
  const length =
    body === null ? "" : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${authorization}\r\nAccept-Version: v10\r\n${length}\r\n${text}`;
}

function run(job: Job): Promise<Measured> {
  const answers: Record<string, number> = {};
  const latencies: number[] = [];
  const started = performance.now();
  const deadline = started + job.seconds * 1000;

  function one(): Promise<void> {
    return new Promise((done, failed) => {
      const socket: Socket = connect({ port: job.port, host: "127.0.0.1", noDelay: true });
      let sent_at = 0;
      let received = "";
      const send = (): void => {
        sent_at = performance.now();
        socket.write(requestText(job));
      };
      socket.on("connect", send);
      socket.on("error", failed);
      socket.setEncoding("latin1");
      socket.on("data", (chunk: string) => {
        received += chunk;
        const end = received.indexOf("\r\n\r\n");
        if (end < 0) return;
        const length = Number(/content-length: (\d+)/i.exec(received.slice(0, end))?.[1] ?? 0);
        if (received.length < end + 4 + length) return;
        const status = received.slice(9, 12);
        answers[status] = (answers[status] ?? 0) + 1;
        latencies.push(performance.now() - sent_at);
        received = received.slice(end + 4 + length);
        if (performance.now() < deadline) return send();
        socket.destroy();
        done();
      });
    });
  }

  return Promise.all(Array.from({ length: job.connections }, one)).then(() => {
    const seconds = (performance.now() - started) / 1000;
    latencies.sort((a, b) => a - b);
    const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
    return { answers, per_second: latencies.length / seconds, p50_ms: at(0.5), p99_ms: at(0.99) };
  });
}

process.on("message", async (job: Job) => {
  process.send?.(await run(job));
  process.disconnect();
});
