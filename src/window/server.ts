// The payment window: where shoppers pay (reference: payment-window). HTTP and nothing about money: which page a session is
// at stands in screens.ts, what an attempt does in pay.ts. Every page works without script, and no cookie is set.

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { bytesOf, parseQuery, readBody } from "../api/body.ts";
import { answerTo } from "../api/errors.ts";
import { createListener, type Transport } from "../api/listener.ts";
import type { RequestLine } from "../api/request-log.ts";
import { tidyUrl } from "../api/server.ts";
import { counter } from "../api/throttle.ts";
import type { TransactionType } from "../domain/transaction.ts";
import { noteReports } from "../services/csp-reports.ts";
import { bucketIn, ulid } from "../services/ids.ts";
import { findLogo } from "../services/logos.ts";
import { networkOf } from "../services/network.ts";
import { folders } from "../services/present.ts";
import type { Services } from "../services/services.ts";
import {
  findSession,
  newSession,
  storeSession,
  transactionIn,
  transactionLinked,
} from "../services/window-sessions.ts";
import { brandingAsset, ownAsset } from "./assets.ts";
import { demoPage } from "./demo.ts";
import { type CallApi, type DetailsOf, formPosted } from "./form-post.ts";
import { lookUp } from "./look-up.ts";
import { type Answer, seeOther } from "./page.ts";
import { languageIn, plainPage } from "./plain.ts";
import { previewPage } from "./preview.ts";
import { here } from "./screens.ts";
import { isLooking, processStep, type Step, steps } from "./steps.ts";
import { languageNamed } from "./texts.ts";
import { obstacleOf, type Visit, visiting, visitOf } from "./visit.ts";

/** Answers what lies under `/simulator/`: the pages of a provider and an issuer in test mode. */
export type SimulatorPages = (request: {
  readonly method: string;
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}) => Promise<{ readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly html: string }>;

type Options = {
  readonly services: Services;
  readonly transport: Transport;
  readonly trust_proxy: readonly string[];
  readonly simulatorPages: SimulatorPages;
  /** The Form makes its payments as the API client that signed it. */
  readonly callApi: CallApi;
  readonly detailsOf: DetailsOf;
  /** The shop to try it with; null: there is none. */
  readonly demoKey: (() => Promise<string | null>) | null;
  readonly log: (line: RequestLine) => void;
};

// Links that one address may open in a minute: a whole office behind it may.
const openings_max = 600;

type Handler = (request: FastifyRequest) => Promise<Answer>;

/** The window as a Fastify server, not yet listening. */
export function createWindow(options: Options): FastifyInstance {
  const { services, transport, trust_proxy, simulatorPages, callApi, detailsOf, demoKey, log } = options;
  const server = createListener(transport, {
    trustProxy: trust_proxy.length > 0 ? [...trust_proxy] : false,
    rewriteUrl: (request: { url?: string }) => tidyUrl(request.url ?? "/"),
    routerOptions: { maxParamLength: 500, caseSensitive: true },
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", (_request, _payload, done) => done(null));

  const route = (method: "GET" | "POST", url: string, handler: Handler): void =>
    void server.route({
      method,
      url,
      exposeHeadRoute: method === "GET",
      // Before Fastify would look at the body: handlers read it themselves.
      onRequest: (request, reply) => answer(request, reply, url, handler),
      handler: () => {},
    });

  async function answer(request: FastifyRequest, reply: FastifyReply, route_path: string | null, handler: Handler) {
    const started = performance.now();
    const id = ulid(services.clock.now());
    const given = leaks(request.url)
      ? seeOther(request.url.split("?")[0] ?? "/")
      : await handler(request).catch((error: unknown) => failed(request, error));
    const body = request.method === "HEAD" ? "" : given.body;
    reply.hijack();
    const length = String(Buffer.byteLength(given.body));
    reply.raw.writeHead(given.status, { ...given.headers, "X-Request-Id": id, "Content-Length": length });
    reply.raw.end(body);
    log({
      ...{ id, method: request.method, path: route_path ?? "/", route: route_path, status: given.status },
      ...{ duration_ms: performance.now() - started, version: null, agreement_id: null, ip: request.ip },
    });
  }

  const language = ({ headers }: FastifyRequest): string => languageIn(headers["accept-language"]);
  const plain = (request: FastifyRequest, status: number, error: string): Promise<Answer> =>
    plainPage(services, { status, error, language: language(request) });

  /** What nobody foresaw tells nothing but that; what was refused says what can be done. */
  async function failed(request: FastifyRequest, error: unknown): Promise<Answer> {
    const { status, cause, headers } = answerTo(error);
    if (cause !== null) services.log.error({ error: String(cause) }, "a page of the window failed");
    const told = plain(request, status, status === 404 ? "link_unknown" : "try_again");
    return told
      .then((page) => ({ ...page, headers: { ...page.headers, ...headers } }))
      .catch(() => ({
        status: 500,
        headers: { "Content-Type": "text/plain; charset=utf-8" },
        body: "Something went wrong. Please try again.\n",
      }));
  }

  // Each opened page is a row: a link that is public must not fill the database.
  const openings = counter({ max: openings_max, window_ms: 60_000, now: () => performance.now() });

  async function opened(type: TransactionType, request: FastifyRequest): Promise<Answer> {
    const { token = "" } = request.params as { token?: string };
    const network = networkOf(request.ip);
    openings.check(network);
    const transaction = await transactionLinked(services, type, token);
    if (transaction === null) return plain(request, 404, "link_unknown");
    openings.failed(network);
    const link_language = languageNamed(String(transaction.body.link?.language ?? "en"));
    const session = newSession(services, transaction, link_language);
    const visit = await visiting(services, { session, transaction, shopper: shopperOf(request) });
    if (visit === null) return plain(request, 404, "link_unknown");
    // Nobody can ask with it before the page is sent.
    const [page] = await Promise.all([here(services, visit), storeSession(services, session)]);
    return page;
  }

  for (const [type, folder] of Object.entries(folders) as [TransactionType, string][])
    route("GET", `/${folder}/:token`, (request) => opened(type, request));

  /** With the session named in the path, or in the form where the path names none. */
  async function visited(request: FastifyRequest, id: string, go: (visit: Visit) => Promise<Answer>): Promise<Answer> {
    if (bucketIn(id) === null) return plain(request, 404, "link_unknown");
    const session = await findSession(services, id);
    if (session === null) return plain(request, 410, "session_expired");
    const visit = await visitOf(services, session, shopperOf(request));
    if (visit !== null) return go(visit);
    const { accepted = false, cancelled = false } = (await transactionIn(services, session)) ?? {};
    if (!accepted) return plain(request, 404, "link_unknown");
    return plain(request, 200, cancelled ? "cancelled_by_shop" : "already_paid");
  }

  const step =
    ({ go, only_tells = false, while_open = true }: Step): Handler =>
    async (request) => {
      if (!only_tells && (isLooking(request) || request.method === "HEAD")) return { ...nothing, status: 503 };
      const { session = "" } = request.params as { session?: string };
      return visited(request, session, async (visit) => {
        const goes = !while_open || obstacleOf(services, visit) === null;
        return goes ? go(services, visit, request) : here(services, visit);
      });
    };
  for (const one of steps) route(one.method, `/:session${one.path}`, step(one));

  // Forms of brandings for the original post to an address without a session in it.
  route("POST", "/process_:name", async (request) => {
    const { params } = await readBody(request.raw);
    const { name = "" } = request.params as { name?: string };
    return visited(request, String(params.session_id ?? ""), (visit) =>
      processStep(services, visit, request, { ...params, method: name }),
    );
  });

  route("POST", "/:session/card", (request) => {
    const { session = "" } = request.params as { session?: string };
    return visited(request, session, async (visit) =>
      json(await lookUp(services, visit, (await readBody(request.raw)).params)),
    );
  });
  route("GET", "/:session/logo", (request) => {
    const { session = "" } = request.params as { session?: string };
    return visited(request, session, async ({ account }) => {
      const { bytes, mime } = await findLogo(services, { account_id: account.id, type: "payment_window" });
      const policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
      const headers = { "Content-Type": mime, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": policy };
      return { status: 200, headers: { ...headers, "Cache-Control": "private, max-age=3600" }, body: bytes };
    });
  });

  for (const framed of [false, true]) {
    route("POST", framed ? "/framed" : "/", async (request) => {
      const { params } = await readBody(request.raw);
      return formPosted(services, { params, framed, language: language(request), callApi, detailsOf });
    });
  }
  route("GET", "/", (request) => plain(request, 404, "link_unknown"));

  for (const below of ["", "/*"]) {
    route("GET", `/previews/:token${below}`, async (request) => {
      const { token = "" } = request.params as { token?: string };
      const { language: chosen } = parseQuery(request.url.split("?")[1] ?? "");
      return (await previewPage(services, token, String(chosen ?? ""))) ?? plain(request, 410, "session_expired");
    });
    // Nothing is done with what was filled in.
    route("POST", `/previews/:token${below}`, async (request) => {
      const { token = "" } = request.params as { token?: string };
      return seeOther(`/previews/${encodeURIComponent(token)}`);
    });
  }

  route("GET", "/assets/brandings/:account/:branding/:version/*", async (request) => {
    const { account = "", branding = "", version = "", "*": name = "" } = request.params as Record<string, string>;
    return (await brandingAsset(services, { account, branding, version, name })) ?? nothing;
  });
  route("GET", "/assets/*", async (request) => {
    const [path = ""] = request.url.split("?");
    return ownAsset(path, String(request.headers["accept-encoding"] ?? "")) ?? nothing;
  });

  const reported: Handler = async ({ raw, headers, params }) => {
    const { session: id = "" } = params as { session?: string };
    const account_id = (await findSession(services, id))?.account_id ?? null;
    await noteReports(services, await bytesOf(raw), headers["content-type"] ?? "", { account_id });
    return { ...nothing, status: 204 };
  };
  route("POST", "/csp-reports", reported);
  route("POST", "/csp-reports/:session", reported);

  const simulated: Handler = async (request) => {
    const { method, url, raw } = request;
    const [path = ""] = url.split("?");
    const { params: body } = method === "POST" ? await readBody(raw) : { params: {} };
    const { status, headers, html } = await simulatorPages({ method, path, body });
    return { status, headers, body: html };
  };
  route("GET", "/simulator/*", simulated);
  route("POST", "/simulator/*", simulated);

  if (demoKey !== null) {
    const demo: Handler = async ({ method, url, raw }) => {
      const [path = ""] = url.split("?");
      const form = method === "POST" ? (await readBody(raw)).params : null;
      return demoPage(services, { apiKey: demoKey, callApi }, { path, form });
    };
    for (const path of ["/demo", "/demo/thanks", "/demo/cancelled"]) route("GET", path, demo);
    route("POST", "/demo", demo);
  }

  server.setNotFoundHandler((request, reply) =>
    answer(request, reply, null, (missing) => plain(missing, 404, "link_unknown")),
  );
  server.setErrorHandler((error, request, reply) => answer(request, reply, null, () => failed(request, error)));
  return server;
}

/** A form that is sent by GET, as a template may have one, puts the card into the address: it must not stay there. */
const leaks = (url: string): boolean => /[?&](cardnumber|cvd)=/i.test(url);

const shopperOf = ({ ip }: FastifyRequest) => ({ address: ip });

const nothing: Answer = { status: 404, headers: { "Cache-Control": "no-store" }, body: "" };

const json = (value: object): Answer => ({
  status: 200,
  headers: {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  },
  body: JSON.stringify(value),
});
