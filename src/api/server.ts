// HTTP for the API face. Each request passes the same gates in one order (reference: extensions, section 2): path,
// method, version and Accept, credentials, account and address and permission, body, Idempotency-Key, parameters; then
// the endpoint's handler. The first failure wins. The body is read only after the permission.

import type { Socket } from "node:net";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { Refused } from "../domain/refusal.ts";
import { ulid } from "../services/ids.ts";
import type { Actor, Services } from "../services/services.ts";
import { authenticate, authorize, type Caller, type Credentials } from "./authenticate.ts";
import { type Files, parseQuery, readBody } from "./body.ts";
import type { Endpoint, Reply, Request } from "./endpoint.ts";
import { answerTo } from "./errors.ts";
import { isHttpUrl } from "./fields.ts";
import { type Answer, claimFor, fingerprint, keyIn, once } from "./idempotency.ts";
import { type Checked, compile } from "./input.ts";
import { acceptsJson, jsonTypeFor } from "./negotiate.ts";
import type { RequestLog } from "./request-log.ts";
import { resumedAnswer } from "./resume.ts";
import { createThrottle } from "./throttle.ts";
import { httpsOptions, type Tls } from "./tls.ts";
import { latest, type Version, versionHeaders, versionNamed, versions } from "./versions/index.ts";

export type ServerOptions = {
  readonly services: Services;
  readonly endpoints: readonly Endpoint[];
  /** Proxies whose `X-Forwarded-*` is believed. */
  readonly trust_proxy: readonly string[];
  readonly tls: Tls | null;
  readonly log: RequestLog;
};

// A header line of a shop module is short; more is a mistake or an attack (431).
const headers_bytes_max = 16_384;
// Time for a request's headers, and for the whole request; an acquirer's time comes on top.
const headers_timeout_ms = 20_000;
const request_timeout_ms = 60_000;
const keep_alive_ms = 65_000;
const path_parameter_max = 500;

type Route = {
  readonly path: string;
  readonly endpoints: ReadonlyMap<string, { readonly endpoint: Endpoint; readonly check: Checked }>;
  readonly allow: string;
};

/** The API as a Fastify server, not yet listening. */
export function createServer(options: ServerOptions): FastifyInstance {
  // Made at the first request: the public addresses are known once all faces listen.
  let made: Gate | undefined;
  const gate = (): Gate => {
    made ??= gateFor(options);
    return made;
  };
  const server = Fastify({
    ...httpsOptions(options.tls),
    logger: false,
    trustProxy: options.trust_proxy.length > 0 ? [...options.trust_proxy] : false,
    rewriteUrl: (request: { url?: string }) => tidyUrl(request.url ?? "/"),
    routerOptions: { maxParamLength: path_parameter_max, caseSensitive: true },
    exposeHeadRoutes: false,
    keepAliveTimeout: keep_alive_ms,
    requestTimeout: request_timeout_ms,
    http: { maxHeaderSize: headers_bytes_max, headersTimeout: headers_timeout_ms },
    clientErrorHandler: refuseRawRequest,
    frameworkErrors: (_error: unknown, request: FastifyRequest, reply: FastifyReply) =>
      void handle(gate(), null, request, reply),
  } as Parameters<typeof Fastify>[0]) as unknown as FastifyInstance;

  // Bodies are read by `readBody`, after the permission; Fastify shall leave them alone.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", (_request, _payload, done) => done(null));
  const methods = [...server.supportedMethods];
  for (const route of routesOf(options.endpoints)) {
    server.route({
      method: methods,
      url: route.path,
      handler: (request, reply) => handle(gate(), route, request, reply),
    });
  }
  server.setNotFoundHandler((request, reply) => handle(gate(), null, request, reply));
  server.setErrorHandler((error, request, reply) =>
    sendError(gate(), { request, reply, error, route: null, started: performance.now() }),
  );
  return server;
}

/** Doubled and trailing slashes are served, not redirected: real modules send them. */
export function tidyUrl(url: string): string {
  const end = url.indexOf("?");
  const path = end < 0 ? url : url.slice(0, end);
  if (!path.includes("//") && !(path.length > 1 && path.endsWith("/"))) return url;
  const tidy = path.replace(/\/{2,}/g, "/").replace(/(.)\/$/, "$1");
  return end < 0 ? tidy : tidy + url.slice(end);
}

function routesOf(endpoints: readonly Endpoint[]): Route[] {
  const by_path = new Map<string, Map<string, { endpoint: Endpoint; check: Checked }>>();
  for (const endpoint of endpoints) {
    const methods = by_path.get(endpoint.path) ?? new Map();
    methods.set(endpoint.method, { endpoint, check: compile(endpoint.input, { nulls: endpoint.nulls ?? false }) });
    by_path.set(endpoint.path, methods);
  }
  return [...by_path].map(([path, methods]) => {
    const names = [...methods.keys(), ...(methods.has("GET") ? ["HEAD"] : []), "OPTIONS"];
    return { path, endpoints: methods, allow: names.sort().join(", ") };
  });
}

type Gate = ServerOptions & {
  readonly throttle: ReturnType<typeof createThrottle>;
  readonly headers: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly hash_key: Buffer;
};

function gateFor(options: ServerOptions): Gate {
  const changelog_url = `${options.services.addresses.api_url}/changelog`;
  return {
    ...options,
    throttle: createThrottle(),
    headers: new Map(versions.map((version) => [version.name, versionHeaders(version, changelog_url)])),
    hash_key: options.services.seal.derivedKey("idempotency"),
  };
}

type Exchange = {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly route: Route | null;
  readonly started: number;
};

async function handle(
  gate: Gate,
  route: Route | null,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const exchange: Exchange = { request, reply, route, started: performance.now() };
  try {
    return await pass(gate, exchange);
  } catch (error) {
    return sendError(gate, { ...exchange, error });
  }
}

async function pass(gate: Gate, exchange: Exchange): Promise<FastifyReply> {
  const { request, reply, route } = exchange;
  const { headers } = request;
  if (route === null) throw new Refused("no_such_path");
  if (request.method === "OPTIONS")
    return send(gate, exchange, { answer: { status: 204, headers: { Allow: route.allow }, body: "" } });
  const found = route.endpoints.get(request.method === "HEAD" ? "GET" : request.method);
  if (found === undefined) {
    reply.header("Allow", route.allow);
    throw new Refused("method_not_allowed");
  }
  const { endpoint, check } = found;
  const version = versionNamed(one(headers["accept-version"]));
  if (version === null) throw new Refused("version_not_served", null, { message: version_message });
  if (!endpoint.static && !acceptsJson(headers.accept)) throw new Refused("not_acceptable");

  const context = { directory: gate.services.directory, throttle: gate.throttle, ip: request.ip };
  const credentials = await authenticate(headers.authorization, context);
  const throttle_key = throttleKey(credentials);
  if (throttle_key !== null) gate.throttle.agreements.check(throttle_key);
  try {
    const caller = await authorize(
      credentials,
      {
        scope: endpoint.scope,
        permission: endpoint.permission ?? false,
        method: endpoint.method,
        path: endpoint.path,
        account_header: one(headers["coolpay-account-id"]),
      },
      context,
    );
    const body = await readBody(request.raw);
    const known = { endpoint, check, version, caller, credentials };
    const answer = await answered(gate, exchange, known, body);
    return send(gate, exchange, { answer, version, endpoint, agreement_id: caller.agreement?.id ?? null });
  } catch (error) {
    if (throttle_key !== null && answerTo(error).status < 500) gate.throttle.agreements.failed(throttle_key);
    throw error;
  }
}

const version_message = `Not acceptable: served versions are ${versions.map(({ name }) => name).join(", ")}`;

const one = (header: string | string[] | undefined): string | undefined => (Array.isArray(header) ? header[0] : header);

function throttleKey(credentials: Credentials): string | null {
  if (credentials.scope === "merchant") return `agreement:${credentials.agreement.id}`;
  return credentials.scope === "user" ? `user:${credentials.user.id}` : null;
}

type Known = {
  readonly endpoint: Endpoint;
  readonly check: Checked;
  readonly version: Version;
  readonly caller: Caller;
  readonly credentials: Credentials;
};

async function answered(
  gate: Gate,
  { request }: Exchange,
  known: Known,
  body: { params: Record<string, unknown>; files: Files },
): Promise<Answer> {
  const { endpoint, check, version, caller, credentials } = known;
  const { services } = gate;
  const [path = "", query = ""] = splitUrl(request.url);
  const query_params = query === "" ? {} : parseQuery(query);
  const params = query === "" ? body.params : { ...query_params, ...body.params };
  const callback_url =
    one(request.headers["coolpay-callback-url"]) || one(request.headers["quickpay-callback-url"]) || null;

  const key = endpoint.method === "GET" ? null : keyIn(request.raw.rawHeaders);
  const at = services.clock.now();
  const claim =
    key === null
      ? null
      : claimFor(credentials, {
          key,
          fingerprint: fingerprint(
            { method: endpoint.method, path, query, version: version.name, callback_url, params },
            gate.hash_key,
          ),
          at,
        });

  const run = async (): Promise<Answer> => {
    const { value, errors } = check(params);
    if (errors !== null) throw new Refused("validation", errors);
    if (endpoint.asynchronous && callback_url !== null && !isHttpUrl(callback_url)) {
      throw new Refused("validation", { "CoolPay-Callback-Url": ["is invalid"] });
    }
    const actor: Actor = {
      user_id: caller.user?.id ?? caller.agreement?.user_id ?? null,
      agreement_id: caller.agreement?.id ?? null,
      name: caller.user?.name ?? caller.agreement?.user_name ?? null,
      path,
      ip: request.ip,
      version: version.name,
      claim,
    };
    const reply = await endpoint.handle({
      ...caller,
      services,
      input: value,
      params,
      files: body.files,
      path: request.params as Record<string, string>,
      actor,
      version,
      synchronized: Object.hasOwn(query_params, "synchronized"),
      callback_url,
      url: { path, query },
    } as Request);
    return written(reply);
  };
  if (claim === null) return run();
  return once(services, {
    claim,
    run,
    resume: async (stored) => {
      const reply = await resumedAnswer(services, { stored, caller, endpoint });
      return reply === null ? null : written(reply);
    },
  });
}

function splitUrl(url: string): [string, string] {
  const end = url.indexOf("?");
  return end < 0 ? [url, ""] : [url.slice(0, end), url.slice(end + 1)];
}

/** The reply as it goes out: JSON, or a static resource in its own type. */
function written({ status, body, headers = {}, type }: Reply): Answer {
  if (type === undefined) return { status, headers, body: body === undefined ? "" : JSON.stringify(body) };
  return {
    status,
    headers: { ...headers, "Content-Type": type },
    body: Buffer.isBuffer(body) ? body : String(body ?? ""),
  };
}

type Sent = {
  readonly answer: Answer;
  readonly version?: Version;
  readonly endpoint?: Endpoint;
  readonly agreement_id?: number | null;
};

function send(gate: Gate, exchange: Exchange, { answer, version, agreement_id }: Sent): FastifyReply {
  const { request, reply, started, route } = exchange;
  const { headers, body } = answer;
  const id = ulid(new Date());
  const named =
    gate.headers.get((version ?? versionNamed(one(request.headers["accept-version"])) ?? latest).name) ?? {};
  reply.code(answer.status).header("X-Request-Id", id).header("Cache-Control", "no-store");
  if (answer.status !== 406) reply.headers(named);
  if (body.length > 0 && headers["Content-Type"] === undefined) {
    reply.header("Content-Type", jsonTypeFor(request.headers["user-agent"]));
  }
  for (const [name, value] of Object.entries(headers)) {
    reply.header(name, name === "Link" && named.Link !== undefined ? `${value}, ${named.Link}` : value);
  }
  if (bodyIsUnread(request)) reply.header("Connection", "close");
  gate.log({
    id,
    method: request.method,
    path: request.url,
    route: route?.path ?? null,
    status: answer.status,
    duration_ms: performance.now() - started,
    version: version?.name ?? null,
    agreement_id: agreement_id ?? null,
    ip: request.ip,
  });
  if (answer.status === 204) return reply.send();
  reply.header("Content-Length", Buffer.byteLength(body));
  return request.method === "HEAD" ? reply.send() : reply.send(body);
}

/** Refused before its body was read: what still comes must not be taken for the next request. */
const bodyIsUnread = ({ raw }: FastifyRequest): boolean =>
  !raw.complete && (raw.headers["transfer-encoding"] !== undefined || Number(raw.headers["content-length"] ?? 0) > 0);

function sendError(gate: Gate, { error, ...exchange }: Exchange & { error: unknown }): FastifyReply {
  const { status, body, headers, cause } = answerTo(error);
  if (cause !== null) gate.services.log.error({ error: describe(cause) }, "a request failed");
  const { request, route } = exchange;
  const is_static = route?.endpoints.get(request.method === "HEAD" ? "GET" : request.method)?.endpoint.static === true;
  const text = is_static ? "" : JSON.stringify(body);
  return send(gate, exchange, { answer: { status, headers, body: text } });
}

/** What a log may know of an error: never parameters, which may hold card data. */
function describe(error: unknown): object {
  const { message, code, stack } = (error ?? {}) as { message?: string; code?: string; stack?: string };
  return { message, code, at: stack?.split("\n").slice(1, 4) };
}

/** Requests that Node's own parser refuses never reach a route: answered in the same words, then closed. */
function refuseRawRequest(error: Error & { code?: string }, socket: Socket): void {
  const code =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "headers_too_large"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "request_timeout"
        : "malformed_request";
  const { status, body } = answerTo(new Refused(code));
  const text = JSON.stringify(body);
  if (!socket.writable) return void socket.destroy();
  socket.end(
    `HTTP/1.1 ${status} ${code}\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: ${text.length}\r\n` +
      `X-Request-Id: ${ulid(new Date())}\r\nConnection: close\r\n\r\n${text}`,
  );
}
