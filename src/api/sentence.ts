// A face that only says one sentence: what is not built yet says so, rather than pretending.

import Fastify, { type FastifyInstance } from "fastify";
import { httpsOptions, type Tls } from "./tls.ts";

/** Answers every request with the sentence and 501. */
export function sayingOnly(sentence: string, tls: Tls | null): FastifyInstance {
  const server = Fastify({ ...httpsOptions(tls), logger: false } as Parameters<
    typeof Fastify
  >[0]) as unknown as FastifyInstance;
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", (_request, _payload, done) => done(null));
  server.setNotFoundHandler((_request, reply) =>
    reply.code(501).header("Cache-Control", "no-store").type("text/plain; charset=UTF-8").send(`${sentence}\n`),
  );
  return server;
}
