// The log: JSON lines (pino) under `serve`, one readable line per request under `start`. What is secret never reaches it
// (services/masking.ts), and addresses lose their queries.

import { pino } from "pino";
import type { RequestLine } from "./api/request-log.ts";
import { masked, maskedText, pathOnly, withoutQuery } from "./services/masking.ts";
import type { Log as ServicesLog } from "./services/services.ts";

export type Log = ServicesLog & { readonly request: (line: RequestLine) => void };

const secret_names =
  /authorization|passw|secret|token|cookie|credential|private|api_?key|card|cv[cdv]|number$|^(key|pin|pem|body)$/i;

// In this order: an address's query goes before its digits are looked at.
const safeText = (text: string): string => maskedText(withoutQuery(text));

/** The same data, without secrets. */
const safe = (data: object): object =>
  masked(data, { isSecret: (name) => secret_names.test(name), text: safeText }) as object;

type Destination = { readonly write: (text: string) => void };

/** Lines that come together are written together: each write would hold up the program. */
export function inOneWrite(destination: Destination): Destination {
  let waiting = "";
  const flush = (): void => {
    const text = waiting;
    waiting = "";
    if (text !== "") destination.write(text);
  };
  process.on("exit", flush);
  return {
    write(text) {
      if (waiting === "") setImmediate(flush);
      waiting += text;
    },
  };
}

/** JSON lines, for machines. */
export function jsonLog(destination: Destination = inOneWrite(process.stdout)): Log {
  const log = pino({ base: { pid: process.pid } }, destination);
  const at =
    (level: "info" | "warn" | "error") =>
    (data: object, message: string): void =>
      log[level](safe(data), safeText(message));
  return {
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    // Of a request only the path is free text.
    request: ({ path, ...line }) => log.info({ ...line, path: pathOnly(path) }, "request"),
  };
}

/** Lines for a person at a terminal; warnings and errors stay JSON. */
export function readableLog(destination: Destination = inOneWrite(process.stdout)): Log {
  return {
    ...jsonLog(destination),
    info: (_data, message) => void destination.write(`${safeText(message)}\n`),
    request: ({ method, path, status, duration_ms }) =>
      void destination.write(
        `${method.padEnd(6)} ${pathOnly(path)} ${status} ${Math.round(duration_ms * 10) / 10} ms\n`,
      ),
  };
}
