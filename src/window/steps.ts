// What a shopper can do in a session, by address below `/<session>` (reference: branding-templates). Steps that do something
// do it in turn: of two clicks the second waits for the first, and both see what came of it.

import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyRequest } from "fastify";
import { parseQuery, readBody } from "../api/body.ts";
import { answerTo } from "../api/errors.ts";
import type { CardInput } from "../domain/card.ts";
import { type RefusalCode, Refused } from "../domain/refusal.ts";
import { pendingOperation } from "../domain/transaction.ts";
import type { Answered } from "../services/proof-of-work.ts";
import type { Services } from "../services/services.ts";
import { settledTransaction } from "../services/settled.ts";
import {
  changeSession,
  dropCard,
  findSession,
  heldCard,
  inTurn,
  isAuthenticating,
  withoutCard,
} from "../services/window-sessions.ts";
import type { Next } from "./attempt.ts";
import { checkTyped, enteredOf, readCardForm, text } from "./card-form.ts";
import { type Entered, methodsOf } from "./model.ts";
import type { Answer } from "./page.ts";
import { seeOther } from "./page.ts";
import { needsCvd, payByCard } from "./pay.ts";
import { askProvider, asks_first, isOffered, providerSession } from "./provider.ts";
import { cancelScreen, errorScreen, form, here, obstacleScreen, redirect, tellingPage } from "./screens.ts";
import { languageNamed, languages } from "./texts.ts";
import { authenticate, type Browser, challenged } from "./three-d-secure.ts";
import { isDeclined, isUnauthenticated, keyOf, lastAttempt, obstacleOf, type Visit, visitOf } from "./visit.ts";

type Params = Readonly<Record<string, unknown>>;

export type Step = {
  readonly method: "GET" | "POST";
  /** Below the session. */
  readonly path: string;
  readonly go: (services: Services, visit: Visit, request: FastifyRequest, params?: Params) => Promise<Answer>;
  /** Whoever asks for it, nothing is done. */
  readonly only_tells?: boolean;
  /** Does it need a link that can still be paid? True unless it is said. */
  readonly while_open?: boolean;
};

const home = ({ session }: Visit, error?: string): Answer =>
  seeOther(`/${session.id}${error === undefined ? "" : `?error=${error}`}`);

/** Does the work on the visit as it is when its turn comes; for a second click, and where it cannot be paid any more: null. */
async function doing(services: Services, visit: Visit, work: (visit: Visit) => Promise<Next>): Promise<Next | null> {
  const attempt = async (): Promise<Next> => {
    const session = await findSession(services, visit.session.id);
    const now = session === null ? null : await visitOf(services, session, visit.shopper);
    if (now === null || obstacleOf(services, now) !== null) return { kind: "here" };
    return work(now);
  };
  return inTurn(services, visit.session, async () => {
    try {
      return await attempt();
    } catch (error) {
      if (!isOvertaken(error)) throw error;
      // Another tab, or an answer that had been lost, came first, and nothing was begun here: seen from there, once more.
      await settledTransaction(services, keyOf(visit.transaction), elsewhere_patience_ms);
      return attempt();
    }
  });
}

/** Refusals that say where things stand: the page shows that. */
const elsewhere: ReadonlySet<RefusalCode> = new Set(["wrong_state", "operation_pending"]);
const isOvertaken = (error: unknown): boolean => error instanceof Refused && elsewhere.has(error.refusal.code);
const elsewhere_patience_ms = 5_000;
const unavailable: ReadonlySet<RefusalCode> = new Set(["not_authorized", "plan_required", "not_found"]);

async function refused(services: Services, visit: Visit, error: unknown): Promise<Answer> {
  if (!(error instanceof Refused)) throw error;
  const { code } = error.refusal;
  if (isOvertaken(error)) return home(visit, "try_again");
  if (unavailable.has(code)) return obstacleScreen(services, visit, "not_available");
  if (code === "validation" || code === "amount_too_large") return errorScreen(services, visit, "unable_to_complete");
  throw error;
}

/** The page after an attempt; `entered` comes back into the form. */
async function shown(services: Services, visit: Visit, next: Next | null, entered: Entered): Promise<Answer> {
  if (next === null || next.kind === "here") return home(visit);
  const session = (await findSession(services, visit.session.id)) ?? visit.session;
  const now = { ...((await visitOf(services, session, visit.shopper)) ?? visit), session };
  switch (next.kind) {
    case "problems":
      return here(services, now, {
        error: modeError(next.problems),
        entered,
        problems: next.problems,
        more: { "brand_choice?": next.problems.some(({ field }) => field === "brand") },
      });
    case "sent_before":
    case "fee_added":
    case "declined":
      // Another tab may have paid, or be paying.
      return here(services, now, { error: next.kind, entered });
    case "three_d_secure_failed":
      return errorScreen(services, now, authenticationError(services, now));
    case "guarded":
      return guarded(services, now, next.verdict, entered);
  }
}

/** Test and live cards on what is bound to the other have errors of their own in brandings for the original. */
const modeError = (problems: readonly { readonly problem: string }[]): string =>
  problems.some(({ problem }) => problem === "live_on_test")
    ? "live_payment_on_test_transaction"
    : problems.some(({ problem }) => problem === "test_on_live")
      ? "test_payment_on_live_transaction"
      : "check_fields";

const authenticationError = (services: Services, visit: Visit): string =>
  methodsOf(services, visit).others.size > 0 ? "secure_3d_auth_failed_other_options" : "secure_3d_auth_failed";

type Guarded = Extract<Next, { kind: "guarded" }>["verdict"];

function guarded(services: Services, visit: Visit, verdict: Guarded, entered: Entered): Promise<Answer> {
  if (verdict.kind === "work") return form(services, visit, { error: "work", entered, more: { work: verdict.work } });
  const error = verdict.kind === "link_closed" ? "too_many_attempts" : "slow_down";
  return form(services, visit, { error, entered, status: 429, more: { wait_s: verdict.wait_s } });
}

const workIn = (params: Params): Answered | null => {
  const id = text(params, "work_id");
  return id === "" ? null : { id, answer: text(params, "work_answer") };
};

async function payStep(services: Services, visit: Visit, request: FastifyRequest): Promise<Answer> {
  let params: Params;
  try {
    ({ params } = await readBody(request.raw));
  } catch (error) {
    // What cannot be read is no form of ours: the way back is.
    if (error instanceof Refused) return errorScreen(services, visit, "try_again", answerTo(error).status);
    throw error;
  }
  const filled = readCardForm(params);
  try {
    const next = await doing(services, visit, (now) => payByCard(services, now, { ...filled, work: workIn(params) }));
    return await shown(services, visit, next ?? typing(services, visit, filled.card), filled.entered);
  } catch (error) {
    return refused(services, visit, error);
  }
}

/** What was wrong with the card as it was typed: the first of two clicks was answered, but the browser shows the second's page. */
function typing({ clock }: Services, visit: Visit, card: CardInput): Next | null {
  const typed = checkTyped(card, { now: clock.now(), cvd_needed: needsCvd(visit) });
  return "problems" in typed ? { kind: "problems", problems: typed.problems } : null;
}

/**
 * Nobody asked for what a browser fetches ahead, or loads as a page's picture: with that a merchant's template could do
 * something by being looked at (Fetch Metadata Request Headers; browsers that do not tell have the policy of page.ts).
 */
export const isLooking = ({ headers }: FastifyRequest): boolean =>
  /prefetch|prerender/.test(`${headers["sec-purpose"] ?? ""} ${headers.purpose ?? ""}`) ||
  !/^(document|i?frame|empty)$/.test(String(headers["sec-fetch-dest"] ?? "document"));

async function methodStep(services: Services, visit: Visit, request: FastifyRequest): Promise<Answer> {
  const { name = "" } = request.params as { name?: string };
  if (name === "creditcard" || !isOffered(services, visit, name)) return undoStep(services, visit);
  if (!asks_first.has(name)) return toProvider(services, visit, name, {});
  const session = await changeSession(services, visit.session, { method: name });
  return form(services, { ...visit, session });
}

async function toProvider(services: Services, visit: Visit, method: string, person: Params): Promise<Answer> {
  try {
    let location: Answer | null = null;
    await doing(services, visit, async (now) => {
      await withoutCard(services, now.session);
      const operation = await providerSession(services, now, { method, person });
      if (operation.pending && operation.data.redirect_url !== undefined)
        location = await redirect(services, { ...now, session: { ...now.session, method } }, operation);
      return { kind: "here" };
    });
    return location ?? home(visit);
  } catch (error) {
    return refused(services, visit, error);
  }
}

/** What the forms of methods that ask for something first have: a number to call, a person. */
export async function processStep(
  services: Services,
  visit: Visit,
  request: FastifyRequest,
  given?: Params,
): Promise<Answer> {
  const params = given ?? (await readBody(request.raw)).params;
  const name = text(params, "method").replaceAll("_", "-") || (visit.session.method ?? "");
  if (!isOffered(services, visit, name)) return undoStep(services, visit);
  const mobile = text(params, "mobile");
  return toProvider(services, visit, name, mobile === "" ? {} : { mobile_number: mobile });
}

async function undoStep(services: Services, visit: Visit): Promise<Answer> {
  await dropCard(services, await changeSession(services, visit.session, { method: null }));
  return home(visit);
}

async function languageStep(services: Services, visit: Visit, request: FastifyRequest): Promise<Answer> {
  const language = languageNamed(text(queryOf(request), "language"));
  if (Object.hasOwn(languages, language)) await changeSession(services, visit.session, { language });
  return home(visit);
}

// What another page of the window may say here; anything else says nothing.
const told_errors: readonly string[] = [
  ...["declined", "three_d_secure_failed", "fee_added", "too_many_attempts", "try_again", "unable_to_complete"],
];

async function hereStep(services: Services, visit: Visit, request: FastifyRequest): Promise<Answer> {
  const error = text(queryOf(request), "error");
  const pending = pendingOperation(visit.transaction.operations);
  // Of an attempt before the one that is under way.
  const is_stale = visit.session.busy || (pending !== undefined && pending.type !== "session");
  if (!told_errors.includes(error) || is_stale || obstacleOf(services, visit) !== null) return here(services, visit);
  if (error === "unable_to_complete") return errorScreen(services, visit, error);
  if (error === "three_d_secure_failed") return errorScreen(services, visit, authenticationError(services, visit));
  return here(services, visit, { error });
}

// Another process may be asking at this moment: its answer is worth a short wait.
const return_asks_max = 4;
const return_pause_ms = 250;

async function returnStep(services: Services, visit: Visit): Promise<Answer> {
  for (let asks = 1; asks <= return_asks_max; asks++) {
    const { transaction } = await askProvider(services, visit);
    if (pendingOperation(transaction.operations) === undefined) break;
    if (asks < return_asks_max) await sleep(return_pause_ms);
  }
  return home(visit);
}

async function stateStep(services: Services, visit: Visit): Promise<Answer> {
  const now = await askProvider(services, visit);
  const { session, transaction } = now;
  const open = obstacleOf(services, now) === null;
  const waits = pendingOperation(transaction.operations) !== undefined || isAuthenticating(services, session);
  const last = lastAttempt(transaction);
  const why = isUnauthenticated(last) ? "three_d_secure_failed" : "declined";
  const error = isDeclined(last) && session.method === null ? `?error=${why}` : "";
  const answer =
    session.busy || (open && waits)
      ? { state: "waiting" }
      : { state: "moved", location: `/${session.id}${open ? error : ""}` };
  return {
    status: 200,
    headers: { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store" },
    body: JSON.stringify(answer),
  };
}

const numberIn = (params: Params, name: string): number | null => {
  const value = text(params, name);
  return /^-?\d{1,5}$/.test(value) ? Number(value) : null;
};

function browserOf({ headers, ip }: FastifyRequest, params: Params): Browser {
  const color_depth = numberIn(params, "color_depth");
  return {
    ip,
    accept: headers.accept ?? "*/*",
    user_agent: headers["user-agent"] ?? "",
    language: text(params, "language").slice(0, 8) || "en",
    javascript_enabled: color_depth !== null,
    java_enabled: color_depth === null ? null : text(params, "java_enabled") === "true",
    color_depth,
    screen_height: numberIn(params, "screen_height"),
    screen_width: numberIn(params, "screen_width"),
    timezone: numberIn(params, "timezone"),
  };
}

async function authStep(services: Services, visit: Visit, request: FastifyRequest): Promise<Answer> {
  const { params } = await readBody(request.raw);
  const browser = browserOf(request, params);
  const { authentication } = visit.session;
  const done = text(params, "method") === "done" ? "Y" : "N";
  const method_completed = authentication?.method == null ? "U" : done;
  const entered = enteredOf(heldCard(services, visit.session) ?? {});
  try {
    const next = await doing(services, visit, (now) => authenticate(services, now, { browser, method_completed }));
    return await shown(services, visit, next, entered);
  } catch (error) {
    return refused(services, visit, error);
  }
}

/** In the issuer's frame: what came of it is asked and done here, and the page around it goes on. */
async function resultStep(services: Services, visit: Visit): Promise<Answer> {
  let told = "";
  try {
    const next = await doing(services, visit, (now) => challenged(services, now));
    told = next?.kind === "guarded" ? "too_many_attempts" : (next?.kind ?? "");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    // Something was changed meanwhile that this card needed: it is not asked for ever.
    told = isOvertaken(error) ? "try_again" : "unable_to_complete";
    await dropCard(services, visit.session);
  }
  const error = told_errors.includes(told) ? `?error=${told}` : "";
  return tellingPage(services, visit, { "break-out": `/${visit.session.id}${error}` });
}

export const steps: readonly Step[] = [
  { method: "GET", path: "", go: hereStep, only_tells: true, while_open: false },
  { method: "POST", path: "/pay", go: payStep },
  { method: "POST", path: "/process", go: processStep },
  { method: "GET", path: "/payment-method/:name", go: methodStep },
  { method: "GET", path: "/payment-method-undo", go: undoStep },
  { method: "GET", path: "/cancel-payment", go: (s, v, r) => cancelScreen(s, v, text(queryOf(r), "sure") === "1") },
  { method: "GET", path: "/update-language", go: languageStep, while_open: false },
  { method: "GET", path: "/state", go: stateStep, only_tells: true, while_open: false },
  { method: "GET", path: "/return", go: returnStep, while_open: false },
  { method: "POST", path: "/return", go: returnStep, while_open: false },
  { method: "POST", path: "/3ds-auth", go: authStep },
  {
    method: "POST",
    path: "/3ds-method",
    go: (s, v) => tellingPage(s, v, { tell: "3ds-method-done" }),
    while_open: false,
  },
  { method: "POST", path: "/3ds-result", go: resultStep, while_open: false },
];

function queryOf({ url }: FastifyRequest): Params {
  const [, query = ""] = url.split("?");
  return parseQuery(query);
}
