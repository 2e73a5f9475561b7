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

/** What stands before and after the body of every request. */
function requestsOf({ authorization, method, path, body, unique, port }: Job): () => string {
  const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${authorization}\r\nAccept-Version: v10\r\n`;
  if (body === null) return () => `${head}\r\n`;
  return () => {
    count += 1;
    const text = body.replace("%", `${unique}${count}`);
    return `${head}Content-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
  };
}

const answer_bytes_max = 65_536;
const head_end = Buffer.from("\r\n\r\n");
const length_name = Buffer.from("\r\nContent-Length: ");

/** The whole length of the answer that begins there; infinite while its head is not whole. */
function lengthOf(received: Buffer): number {
  const end = received.indexOf(head_end);
  const length = received.indexOf(length_name);
  if (end < 0) return Number.POSITIVE_INFINITY;
  return end + 4 + (length < 0 ? 0 : Number.parseInt(received.toString("latin1", length + 18, length + 26), 10));
}

function run(job: Job): Promise<Measured> {
  const answers: Record<string, number> = {};
  const latencies: number[] = [];
  const started = performance.now();
  const deadline = started + job.seconds * 1000;
  const request = requestsOf(job);

  function one(): Promise<void> {
    return new Promise((done, failed) => {
      let sent_at = 0;
      let received: Buffer | null = null;
      // Read into one buffer: an event and a new buffer for each answer would cost the server's share of the machine.
      const onread = {
        buffer: Buffer.alloc(answer_bytes_max),
        callback(length: number, buffer: Uint8Array): boolean {
          hear(Buffer.from(buffer.buffer, buffer.byteOffset, length));
          return true;
        },
      };
      const socket: Socket = connect({ port: job.port, host: "127.0.0.1", noDelay: true, onread });
      const send = (): void => {
        sent_at = performance.now();
        socket.write(request(), "latin1");
      };
      socket.on("connect", send);
      socket.on("error", failed);
      function hear(chunk: Buffer): void {
        received = received === null ? chunk : Buffer.concat([received, chunk]);
        if (received.length < lengthOf(received)) {
          received = Buffer.from(received);
          return;
        }
        const status = received.toString("latin1", 9, 12);
        received = null;
        const now = performance.now();
        answers[status] = (answers[status] ?? 0) + 1;
        latencies.push(now - sent_at);
        if (now < deadline) send();
        else {
          socket.destroy();
          done();
        }
      }
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
