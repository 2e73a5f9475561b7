// A face that only says one sentence: what is not built yet says so, rather than pretending.

import type { FastifyInstance } from "fastify";
import { createListener, type Transport } from "./listener.ts";

/** Answers every request with the sentence and 501. */
export function sayingOnly(sentence: string, transport: Transport): FastifyInstance {
  const server = createListener(transport);
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", (_request, _payload, done) => done(null));
  server.setNotFoundHandler((_request, reply) =>
    reply.code(501).header("Cache-Control", "no-store").type("text/plain; charset=UTF-8").send(`${sentence}\n`),
  );
  return server;
}
