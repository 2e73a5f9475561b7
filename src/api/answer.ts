// How answers leave: JSON or a static resource, with the headers that every answer carries, and a line in the log.

import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { FastifyReply } from "fastify";
import { Refused } from "../domain/refusal.ts";
import type { Account } from "../services/directory.ts";
import { ulid } from "../services/ids.ts";
import type { Log } from "../services/services.ts";
import { isInParts, type Parts, type Reply } from "./endpoint.ts";
import { answerTo, type ErrorAnswer, ErrorShape } from "./errors.ts";
import { jsonTypeFor } from "./negotiate.ts";
import type { RequestLog } from "./request-log.ts";
import { latest, type Version, versionHeaders, versionNamed, versions } from "./versions/index.ts";
import { speechIn } from "./versions/speech.ts";

/** An answer as it leaves. */
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes, or parts, only where a static resource is read. */
  readonly body: string | Buffer | Parts;
};

/** A request under way. What Fastify finds out anew each time that it is asked stands here. */
export type Exchange = {
  readonly raw: IncomingMessage;
  readonly reply: FastifyReply;
  readonly method: string;
  /** As sent, tidied. */
  readonly url: string;
  /** The client's, also behind a proxy that is believed. */
  readonly ip: string;
  /** The values of the path's parameters. */
  readonly params: Readonly<Record<string, string>>;
  /** The declared path; null when there is none. */
  readonly path: string | null;
  /** A static resource: its errors have empty bodies. */
  readonly is_static: boolean;
  readonly started: number;
  readonly heard: Heard;
};

/** What the gates have found out so far: its log tells it, also where a later gate refuses. */
export type Heard = {
  version: Version | null;
  agreement_id: number | null;
  account: Account | null;
  query: Plain | null;
  body: Plain | null;
  body_bytes: number;
};

type Plain = Readonly<Record<string, unknown>>;

export type Answering = {
  readonly send: (exchange: Exchange, answer: Answer) => void;
  readonly sendError: (exchange: Exchange, error: unknown, headers?: Answer["headers"]) => void;
};

type Options = {
  readonly api_url: string;
  readonly log: RequestLog;
  readonly error_log: Log;
  readonly now: () => Date;
};

export const one = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header[0] : header;

export function answering({ api_url, log, error_log, now }: Options): Answering {
  const headers_of = new Map(
    versions.map((version) => [version.name, versionHeaders(version, `${api_url}/changelog`)]),
  );

  function send(exchange: Exchange, answer: Answer): void {
    const { raw, reply, method, url, ip, path, started, heard } = exchange;
    const { status, body } = answer;
    const at = now();
    const id = ulid(at);
    const spoken = heard.version ?? askedFor(raw);
    const of_version = status === 406 ? {} : (headers_of.get(spoken.name) ?? {});
    const headers: Record<string, string> = { "X-Request-Id": id, "Cache-Control": "no-store", ...of_version };
    const length = isInParts(body) ? body.bytes : Buffer.byteLength(body);
    if (length > 0) headers["Content-Type"] = jsonTypeFor(raw.headers["user-agent"]);
    if (status !== 204) headers["Content-Length"] = String(length);
    if (bodyIsUnread(raw)) headers.Connection = "close";
    Object.assign(headers, answer.headers);
    if (answer.headers.Link !== undefined && of_version.Link !== undefined)
      headers.Link = `${answer.headers.Link}, ${of_version.Link}`;
    const duration_ms = performance.now() - started;
    const { agreement_id, account, query, body: request_body, body_bytes: request_bytes } = heard;
    const version = heard.version?.name ?? null;
    log(
      { id, method, path: url, route: path, status, duration_ms, version, agreement_id, ip },
      {
        ...{ at, account, query, request_body, request_bytes },
        request_headers: raw.headers,
        response_headers: headers,
        response_body: isInParts(body) ? "" : body,
      },
    );
    // Written as it stands: what Fastify would still do to it (look for hooks, add a charset) is not wanted.
    reply.hijack();
    reply.raw.writeHead(status, headers);
    if (length === 0 || method === "HEAD") reply.raw.end();
    // Who goes away in the middle, or a file that does, ends the connection: the length tells that something is missing.
    else if (isInParts(body)) void pipeline(Readable.from(body.parts), reply.raw).catch(() => {});
    // What is as long in bytes as in characters is ASCII, and written faster as that.
    else reply.raw.end(body, length === body.length ? "latin1" : "utf8");
  }

  function sendError(exchange: Exchange, error: unknown, more: Answer["headers"] = {}): void {
    const { status, body, headers, cause } = answerTo(error);
    if (cause !== null) error_log.error({ error: describe(cause) }, "a request failed");
    // A 406 belongs to no version.
    const version = status === 406 ? latest : askedFor(exchange.raw);
    const text = exchange.is_static ? "" : errorText(body, version);
    send(exchange, { status, headers: { ...headers, ...more }, body: text });
  }

  return { send, sendError };
}

/** What is refused before its version is known, or because of it, is told as the latest version tells it. */
const askedFor = ({ headers }: IncomingMessage): Version => versionNamed(one(headers["accept-version"])) ?? latest;

function errorText(body: ErrorAnswer["body"], version: Version): string {
  const { lower } = speechIn(version).lowered(ErrorShape);
  return JSON.stringify(lower === null ? body : lower(body));
}

/** The reply as it leaves: JSON, or a static resource in its own type. */
export function written({ status, body, headers = {}, type }: Reply): Answer {
  if (type === undefined) return { status, headers, body: body === undefined ? "" : JSON.stringify(body) };
  return {
    status,
    headers: { ...headers, "Content-Type": type },
    body: Buffer.isBuffer(body) || isInParts(body) ? body : String(body ?? ""),
  };
}

/** Refused before its body was read: what still comes must not be taken for the next request. */
const bodyIsUnread = ({ complete, headers }: IncomingMessage): boolean =>
  !complete && (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0);

/** What a log may know of an error: never parameters, which may hold card data. */
function describe(error: unknown): object {
  const { message, code, stack } = (error ?? {}) as { message?: string; code?: string; stack?: string };
  return { message, code, at: stack?.split("\n").slice(1, 4) };
}

/** Requests that Node's own parser refuses never reach a route: answered in the same words, then closed. */
export function refuseRawRequest(error: Error & { code?: string }, socket: Socket): void {
  const code =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "headers_too_large"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "request_timeout"
        : "malformed_request";
  const { status, body } = answerTo(new Refused(code));
  const text = errorText(body, latest);
  if (!socket.writable) return void socket.destroy();
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json; charset=UTF-8\r\n` +
      `Content-Length: ${text.length}\r\nX-Request-Id: ${ulid(new Date())}\r\nConnection: close\r\n\r\n${text}`,
  );
}
