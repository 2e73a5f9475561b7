// HTTP for the API face. Each request passes the same gates in one order (reference: extensions, section 2): path,
// method, version and Accept, credentials, account and address and permission, body, Idempotency-Key, parameters; then
// the endpoint's handler. The first failure wins. The body is read only after the permission. How answers leave stands in
// answer.ts.

import { METHODS } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Fields, Refused } from "../domain/refusal.ts";
import { isHttpUrl } from "../domain/urls.ts";
import type { Actor, Services } from "../services/services.ts";
import { type Answer, type Answering, answering, type Exchange, one, refuseRawRequest, written } from "./answer.ts";
import { authenticate, authorize, type Caller, type Credentials } from "./authenticate.ts";
import { type Files, parseQuery, readBody } from "./body.ts";
import type { AnyRequest, Endpoint, Request } from "./endpoint.ts";
import { answerTo } from "./errors.ts";
import { claimOf, createOnce, type Once } from "./idempotency.ts";
import { messages, shownName } from "./input.ts";
import { createListener, type Transport } from "./listener.ts";
import { acceptsJson } from "./negotiate.ts";
import type { RequestLog } from "./request-log.ts";
import { type Spoken, spokenBy } from "./spoken.ts";
import { createThrottle } from "./throttle.ts";
import { type Version, versionNamed, versions } from "./versions/index.ts";

export type ServerOptions = {
  readonly services: Services;
  readonly endpoints: readonly Endpoint[];
  /** Proxies whose `X-Forwarded-*` is believed. */
  readonly trust_proxy: readonly string[];
  readonly transport: Transport;
  readonly log: RequestLog;
};

const path_parameter_max = 500;

/** The end of a declared path that takes all that is left, slashes included: `/brandings/:id/*resource_name`. */
const rest_pattern = /\*(\w+)$/;

type Declared = { readonly endpoint: Endpoint; readonly spoken: ReadonlyMap<string, Spoken> };

type Route = {
  readonly path: string;
  /** The parameter that takes what is left of the path; null where the path has none. */
  readonly rest: string | null;
  readonly endpoints: ReadonlyMap<string, Declared>;
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
  const server = createListener(options.transport, {
    trustProxy: options.trust_proxy.length > 0 ? [...options.trust_proxy] : false,
    rewriteUrl: (request: { url?: string }) => tidyUrl(request.url ?? "/"),
    routerOptions: { maxParamLength: path_parameter_max, caseSensitive: true },
    exposeHeadRoutes: false,
    clientErrorHandler: refuseRawRequest,
    frameworkErrors: (_error: unknown, request: FastifyRequest, reply: FastifyReply) =>
      void handle(gate(), null, request, reply),
  });

  // Bodies are read by `readBody`, after the permission; Fastify shall leave them alone.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", (_request, _payload, done) => done(null));
  // Every method that can come reaches its path, to be refused by it. CONNECT is not a request for a path.
  const other_methods = METHODS.filter((method) => method !== "CONNECT" && !server.supportedMethods.includes(method));
  for (const method of other_methods) server.addHttpMethod(method, { hasBody: true });
  const methods = [...server.supportedMethods];
  for (const route of routesOf(options.endpoints)) {
    server.route({
      method: methods,
      url: route.path.replace(rest_pattern, "*"),
      // Before Fastify would look at the body: that is for later gates, and then `readBody` does it.
      onRequest: (request, reply) => handle(gate(), route, request, reply),
      handler: () => {},
    });
  }
  server.setNotFoundHandler((request, reply) => handle(gate(), null, request, reply));
  server.setErrorHandler((error, request, reply) => gate().sendError(exchangeOf(null, request, reply), error));
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
  const by_path = new Map<string, Map<string, Declared>>();
  for (const endpoint of endpoints) {
    const methods = by_path.get(endpoint.path) ?? new Map();
    methods.set(endpoint.method, { endpoint, spoken: spokenBy(endpoint) });
    by_path.set(endpoint.path, methods);
  }
  return [...by_path].map(([path, methods]) => {
    const names = [...methods.keys(), ...(methods.has("GET") ? ["HEAD"] : []), "OPTIONS"];
    return { path, rest: rest_pattern.exec(path)?.[1] ?? null, endpoints: methods, allow: names.sort().join(", ") };
  });
}

type Gate = Answering & {
  readonly services: Services;
  readonly throttle: ReturnType<typeof createThrottle>;
  readonly hash_key: Buffer;
  readonly once: Once;
};

function gateFor({ services, log }: ServerOptions): Gate {
  return {
    ...answering({ api_url: services.addresses.api_url, log, error_log: services.log, now: services.clock.now }),
    services,
    throttle: createThrottle(),
    hash_key: services.seal.derivedKey("idempotency"),
    once: createOnce(services),
  };
}

/** What a method finds there; what it does not find is refused in the form of the GET that may be there. */
const isStatic = (route: Route | null, method: string): boolean =>
  (route?.endpoints.get(method) ?? route?.endpoints.get("GET"))?.endpoint.static === true;

function exchangeOf(route: Route | null, request: FastifyRequest, reply: FastifyReply): Exchange {
  const { raw, method, url, ip } = request;
  const found = request.params as Exchange["params"];
  const params = route === null || route.rest === null ? found : { ...found, [route.rest]: found["*"] ?? "" };
  const is_static = isStatic(route, method);
  const heard = { version: null, agreement_id: null, account: null, query: null, body: null, body_bytes: 0 };
  const path = route?.path ?? null;
  return { raw, reply, method, url, ip, params, path, is_static, started: performance.now(), heard };
}

async function handle(gate: Gate, route: Route | null, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const exchange = exchangeOf(route, request, reply);
  try {
    await pass(gate, route, exchange);
  } catch (error) {
    gate.sendError(exchange, error);
  }
}

async function pass(gate: Gate, route: Route | null, exchange: Exchange): Promise<void> {
  const { raw, method, ip, heard } = exchange;
  const { headers } = raw;
  // RFC 9112, section 3.2.
  if (raw.httpVersion === "1.1" && headers.host === undefined) throw new Refused("malformed_request");
  if (route === null) throw new Refused("no_such_path");
  if (method === "OPTIONS") return gate.send(exchange, { status: 204, headers: { Allow: route.allow }, body: "" });
  const found = route.endpoints.get(method === "HEAD" ? "GET" : method);
  if (found === undefined) return gate.sendError(exchange, new Refused("method_not_allowed"), { Allow: route.allow });
  const { endpoint } = found;
  const version = versionNamed(one(headers["accept-version"]));
  const spoken = version && found.spoken.get(version.name);
  if (!version || !spoken) throw new Refused("version_not_served", null, { message: version_message });
  heard.version = version;
  if (!endpoint.static && !acceptsJson(headers.accept)) throw new Refused("not_acceptable");

  const context = { services: gate.services, throttle: gate.throttle, ip, code: one(headers["coolpay-otp"]) };
  const credentials = await authenticate(headers.authorization, context);
  const throttle_key = throttleKey(credentials);
  if (throttle_key !== null) gate.throttle.agreements.check(throttle_key);
  try {
    const caller = await authorize(
      credentials,
      {
        scope: endpoint.scope,
        permission: endpoint.permission ?? false,
        charges: endpoint.charges ?? false,
        method: endpoint.method,
        path: endpoint.path,
        account_header: one(headers["coolpay-account-id"]),
      },
      context,
    );
    heard.agreement_id = caller.agreement?.id ?? null;
    heard.account = caller.account;
    const body = await readBody(raw);
    heard.body = body.params;
    heard.body_bytes = body.bytes;
    const known = { endpoint, spoken, version, caller };
    gate.send(exchange, await answered(gate, exchange, known, body));
  } catch (error) {
    // A key that may not do this belongs to an account all the same.
    if (credentials.scope === "merchant" && heard.account === null) {
      heard.agreement_id = credentials.agreement.id;
      heard.account = await gate.services.directory.account(credentials.agreement.account_id).catch(() => null);
    }
    if (throttle_key !== null && answerTo(error).status < 500) gate.throttle.agreements.failed(throttle_key);
    throw error;
  }
}

const version_message = `Not acceptable: served versions are ${versions.map(({ name }) => name).join(", ")}`;

function throttleKey(credentials: Credentials): string | null {
  if (credentials.scope === "merchant") return `agreement:${credentials.agreement.id}`;
  return credentials.scope === "user" ? `user:${credentials.user.id}` : null;
}

type Known = {
  readonly endpoint: Endpoint;
  readonly spoken: Spoken;
  readonly version: Version;
  readonly caller: Caller;
};

function answered(
  gate: Gate,
  { raw, url, ip, params: path_params, heard }: Exchange,
  known: Known,
  body: { params: Record<string, unknown>; files: Files },
): Promise<Answer> {
  const { endpoint, spoken, version, caller } = known;
  const { services } = gate;
  const [path = "", query = ""] = splitUrl(url);
  const query_params = query === "" ? {} : parseQuery(query);
  heard.query = query_params;
  const { params, value, errors } = spoken.read(query === "" ? body.params : { ...query_params, ...body.params });
  const callback_url = one(raw.headers["coolpay-callback-url"]) || one(raw.headers["quickpay-callback-url"]) || null;

  const asked = { method: endpoint.method, path, version: version.name, callback_url };
  const claim = claimOf(
    { ...asked, query: query_params, body: body.params, files: body.files },
    { caller, raw_headers: raw.rawHeaders, hash_key: gate.hash_key, at: services.clock.now() },
  );

  const actor: Actor = {
    user_id: caller.user?.id ?? caller.agreement?.user_id ?? null,
    agreement_id: caller.agreement?.id ?? null,
    name: caller.user?.name ?? caller.agreement?.user_name ?? null,
    path,
    ip,
    version: version.name,
    claim,
  };
  const known_request = {
    ...caller,
    services,
    params,
    files: body.files,
    path: path_params,
    actor,
    version,
    synchronized: spoken.waits && Object.hasOwn(query_params, "synchronized"),
    callback_url,
    url: { path, query },
    user_agent: raw.headers["user-agent"] ?? "",
  } as AnyRequest;
  const run = async (): Promise<Answer> => {
    const has_file = body.files.file !== undefined || (endpoint.file === "or_text" && value.file !== undefined);
    const no_file = endpoint.file === undefined || has_file ? null : { file: [messages.missing] };
    const unknown = version.switches.refuse_unknown ? unknownFiles(endpoint, body.files) : null;
    if (errors !== null || no_file !== null || unknown !== null)
      throw new Refused("validation", { ...errors, ...no_file, ...unknown });
    if (endpoint.asynchronous && callback_url !== null && !isHttpUrl(callback_url)) {
      throw new Refused("validation", { "CoolPay-Callback-Url": ["is invalid"] });
    }
    return written(spoken.lower(await endpoint.handle({ ...known_request, input: value } as Request)));
  };
  if (claim === null) return run();
  return gate.once({
    claim,
    run,
    resume: async ({ resource_id, operation_id }) => {
      if (endpoint.resume === undefined || resource_id === null) return null;
      // What this process remembers of users and accounts may be older than the effect.
      services.directory.forget();
      const reply = await endpoint.resume(known_request, { id: resource_id, operation_id });
      return reply === null ? null : written(spoken.lower(reply));
    },
  });
}

/** Parts with a file that the endpoint does not take; null: there are none. */
function unknownFiles({ file }: Endpoint, files: Files): Fields | null {
  const names = Object.keys(files).filter((name) => file === undefined || name !== "file");
  return names.length === 0 ? null : Object.fromEntries(names.map((name) => [shownName(name), [messages.unknown]]));
}

function splitUrl(url: string): [string, string] {
  const end = url.indexOf("?");
  return end < 0 ? [url, ""] : [url.slice(0, end), url.slice(end + 1)];
}
