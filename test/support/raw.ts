// HTTP as fetch will not speak it: bodies on GET, slashes as written, odd and repeated headers, broken requests.

import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";

export type RawAnswer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Parsed JSON, or null. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
};

export type RawHeaders = Readonly<Record<string, string | readonly string[]>>;

export const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

type Sent = { readonly headers?: RawHeaders; readonly body?: string | Buffer };

/** One request on a connection of its own, sent exactly as given. */
export const rawClient =
  (url: string, fixed: RawHeaders = {}) =>
  (method: string, path: string, { headers = {}, body }: Sent = {}): Promise<RawAnswer> =>
    new Promise((done, failed) => {
      const { hostname, port } = new URL(url);
      const length = body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
      const all = { ...fixed, ...length, ...headers } as Record<string, string | string[]>;
      const outgoing = request({ hostname, port, method, path, headers: all, agent: false }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", failed);
        answer.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          const json = /json/.test(answer.headers["content-type"] ?? "") && text !== "";
          done({ status: answer.statusCode ?? 0, headers: answer.headers, text, body: json ? JSON.parse(text) : null });
        });
      });
      outgoing.on("error", failed);
      outgoing.end(body);
    });

export type RawClient = ReturnType<typeof rawClient>;

/** Writes bytes to a connection and answers all that came back until the server closed it. */
export const spoken = (url: string, bytes: string | Buffer, { end = false } = {}): Promise<string> =>
  new Promise((done, failed) => {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", failed);
    socket.on("end", () => {
      socket.end();
      done(Buffer.concat(chunks).toString("latin1"));
    });
    socket.write(bytes, () => end && socket.end());
  });
