// The log: JSON lines (pino) under `serve`, one readable line per request under `start`. What is secret never reaches it,
// whatever is handed over: members with telling names are hidden at any depth, texts are searched for what looks like a
// card number, a key or a password, and addresses lose their queries.

import { types } from "node:util";
import { pino } from "pino";
import type { RequestLine } from "./api/request-log.ts";
import type { Log as ServicesLog } from "./services/services.ts";

export type Log = ServicesLog & { readonly request: (line: RequestLine) => void };

const hidden = "[hidden]";
const secret_names =
  /authorization|passw|secret|token|cookie|credential|private|api_?key|card|cv[cdv]|number$|^(key|pin|pem|body)$/i;

// In this order: an address's password and query go before its digits are looked at.
const secret_texts: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [^-]*PRIVATE KEY-----[\s\S]*?(-----END [^-]*PRIVATE KEY-----|$)/g, hidden],
  [/\b(Basic|Bearer)\s+[\w+/=.~-]+/gi, `$1 ${hidden}`],
  [/(\w:\/\/)[^\s/?#]*@/g, `$1${hidden}@`],
  [/\bwhsec_[\w+/=-]+/g, hidden],
  // Keys are 64 hexadecimal digits, card numbers 12 to 19 decimal ones, written in groups or not.
  [/[0-9a-f]{64,}/gi, hidden],
  [/\d(?:[ -]?\d){11,}/g, hidden],
];

// Deeper than anybody logs on purpose.
const depth_max = 8;

// Looks back one letter only: a pattern that begins anywhere in a long text would take seconds of it.
/** Everything after an address's question mark goes: a query may hold anything. */
const withoutQuery = (text: string): string => text.replace(/(?<=^|[/\w%.-])\?[^\s"'<>]+/g, "");

function safeText(text: string): string {
  return secret_texts.reduce((rest, [secret, instead]) => rest.replace(secret, instead), withoutQuery(text));
}

/** The same data, without secrets. */
function safe(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return safeText(value);
  if (typeof value === "number" || typeof value === "bigint") {
    // The digits of a fraction, such as a duration's, are nobody's card number.
    const whole = typeof value === "number" ? String(Math.trunc(value)) : String(value);
    const text = safeText(whole);
    return text === whole && typeof value === "number" ? value : text;
  }
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (depth === depth_max) return "…";
  if (value instanceof Error) return safe({ ...value, message: value.message }, depth);
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return hidden;
  if (Array.isArray(value) || value instanceof Set) return [...value].map((item) => safe(item, depth + 1));
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(
    entries.map(([name, member]) => [
      safeText(String(name)),
      secret_names.test(String(name)) ? hidden : safe(member, depth + 1),
    ]),
  );
}

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

// Words, numbers that are too short to be a secret: nearly every path.
const plain_path = /^(?:\/(?:\d{1,11}|[a-z][a-z-]{0,50}))*\/?$/;

/** The part before the query; its encoding hides nothing from us. */
function pathOnly(url: string): string {
  const end = url.indexOf("?");
  const path = end < 0 ? url : url.slice(0, end);
  if (plain_path.test(path)) return path;
  let plain = path;
  try {
    plain = decodeURIComponent(path);
  } catch {
    // Not an encoding after all.
  }
  return safeText(plain) === plain ? path : encodeURI(safeText(plain));
}
