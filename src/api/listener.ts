// What every listener has in common: its limits, TLS and whom it speaks to without (reference: extensions, section 1), and
// how it lets go of its connections.

import type { Server } from "node:http";
import type { Socket } from "node:net";
import Fastify, { type FastifyInstance } from "fastify";
import { addressesIn } from "./addresses.ts";

export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2";
export type Tls = { readonly cert: string; readonly key: string; readonly min_version: TlsVersion };

export type Transport = {
  readonly tls: Tls | null;
  /** Who is spoken to without TLS, beside this machine: the proxies that do TLS. Null: everybody who can reach it. */
  readonly proxies: readonly string[] | null;
};

// A header line of a shop module is short; more is a mistake or an attack (431).
const headers_bytes_max = 16_384;
// Time for a request's headers, and for the whole request; an acquirer's time comes on top.
const headers_timeout_ms = 20_000;
const request_timeout_ms = 60_000;
const keep_alive_ms = 65_000;

/** A server that is not listening yet. `options`: Fastify's. */
export function createListener({ tls, proxies }: Transport, options: object = {}): FastifyInstance {
  // A missing Host is refused by whoever needs it, in its own words.
  const limits = { maxHeaderSize: headers_bytes_max, headersTimeout: headers_timeout_ms, requireHostHeader: false };
  const server = Fastify({
    logger: false,
    keepAliveTimeout: keep_alive_ms,
    requestTimeout: request_timeout_ms,
    ...(tls === null ? { http: limits } : { https: { ...limits, ...tlsOptions(tls) } }),
    ...options,
  } as Parameters<typeof Fastify>[0]) as unknown as FastifyInstance;
  if (tls === null && proxies !== null) speakOnlyTo(server, proxies);
  const letGo = lettingGo(server.server);
  server.addHook("preClose", async () => letGo());
  return server;
}

/** OpenSSL lets TLS 1.0 and 1.1 happen at its security level 0 only. */
const tlsOptions = ({ cert, key, min_version }: Tls): object => ({
  handshakeTimeout: headers_timeout_ms,
  cert,
  key,
  minVersion: min_version,
  ...(min_version === "TLSv1.2" ? {} : { ciphers: "DEFAULT:@SECLEVEL=0" }),
});

const plain_refusal = "Plain HTTP is for this machine and for the proxies in COOLPAY_TRUST_PROXY.\n";

function speakOnlyTo(server: FastifyInstance, proxies: readonly string[]): void {
  const isWelcome = addressesIn(["127.0.0.0/8", "::1", ...proxies]);
  server.addHook("onRequest", async ({ raw }, reply) => {
    if (isWelcome(raw.socket.remoteAddress ?? "")) return;
    return reply.code(403).header("Connection", "close").type("text/plain; charset=UTF-8").send(plain_refusal);
  });
}

// While a listener closes, its connections are looked at this often.
const let_go_check_ms = 50;

/**
 * For a listener that is about to close: from the call of what this answers on, each connection ends once nothing is under
 * way on it. Node alone would wait until clients let go of those that they keep, and for ever for one on which nothing
 * was ever said.
 */
function lettingGo(server: Server): () => void {
  const connections = new Set<Socket>();
  server.on("setSecureContext" in server ? "secureConnection" : "connection", (socket: Socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  return () => {
    const looking = setInterval(() => {
      server.closeIdleConnections();
      for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
    }, let_go_check_ms);
    server.once("close", () => clearInterval(looking));
  };
}
