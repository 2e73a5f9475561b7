// A merchant's server that receives callbacks, independent of our code.

import { createServer, type IncomingHttpHeaders, type Server } from "node:http";

export type Received = { readonly path: string; readonly headers: IncomingHttpHeaders; readonly raw: string };

/** Notes everything that comes, and answers what it is told to. */
export class Receiver {
  readonly received: Received[] = [];
  status: (request: Received) => number = () => 200;
  server: Server | undefined;
  url = "";

  async start(): Promise<this> {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        const got = { path: request.url ?? "", headers: request.headers, raw: Buffer.concat(chunks).toString("utf8") };
        this.received.push(got);
        const status = this.status(got);
        response.writeHead(status, status === 307 ? { Location: "/moved?x=1" } : {}).end();
      });
    });
    await new Promise<void>((done) => this.server?.listen(0, "127.0.0.1", done));
    this.url = `http://127.0.0.1:${(this.server.address() as { port: number }).port}`;
    return this;
  }

  /** What came for this payment, in its order. */
  of(id: number): Received[] {
    return this.received.filter(({ raw }) => JSON.parse(raw).id === id);
  }

  stop(): void {
    this.server?.closeAllConnections();
    this.server?.close();
  }
}
