// The log: JSON lines (pino) under `serve`, one readable line per request under `start`. What is secret never reaches it:
// paths are logged without their queries, and fields with telling names are masked wherever they stand.

import { pino } from "pino";
import type { RequestLine } from "./api/request-log.ts";
import type { Log as ServicesLog } from "./services/services.ts";

export type Log = ServicesLog & { readonly request: (line: RequestLine) => void };

const secret_names = [
  "authorization",
  "api_key",
  "private_key",
  "password",
  "token",
  "number",
  "cvd",
  "card",
  "cookie",
];
const redacted = secret_names.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

type Destination = { readonly write: (text: string) => void };

/** JSON lines, for machines. */
export function jsonLog(destination: Destination = process.stdout): Log {
  const log = pino({ redact: { paths: redacted, censor: "[hidden]" }, base: { pid: process.pid } }, destination);
  return {
    info: (data, message) => log.info(data, message),
    warn: (data, message) => log.warn(data, message),
    error: (data, message) => log.error(data, message),
    request: ({ path, ...line }) => log.info({ ...line, path: pathOnly(path) }, "request"),
  };
}

/** Lines for a person at a terminal; warnings and errors stay JSON. */
export function readableLog(destination: Destination = process.stdout): Log {
  const json = jsonLog(destination);
  return {
    ...json,
    info: (_data, message) => void destination.write(`${message}\n`),
    request: ({ method, path, status, duration_ms }) =>
      void destination.write(`${method.padEnd(6)} ${pathOnly(path)} ${status} ${duration_ms.toFixed(1)} ms\n`),
  };
}

const pathOnly = (url: string): string => url.split("?", 1)[0] ?? "";
