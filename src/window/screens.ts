// Which page a session is at, and what is on it. A page follows from what is stored, so that it can be loaded again at any
// time, in any process.

import { type Operation, pendingOperation } from "../domain/transaction.ts";
import { isDecline, workAhead } from "../services/card-testing.ts";
import type { Services } from "../services/services.ts";
import { settledTransaction } from "../services/settled.ts";
import { isAuthenticating } from "../services/window-sessions.ts";
import { brandingFor } from "./branding.ts";
import { type Entered, formTemplate, isTest, methodsOf, methodsShown, modelOf, type Problem } from "./model.ts";
import { type Answer, answerWith, type Page } from "./page.ts";
import { asks_first } from "./provider.ts";
import { testCardList } from "./test-cards.ts";
import {
  isDeclined,
  isUnauthenticated,
  keyOf,
  lastAttempt,
  type Obstacle,
  obstacleOf,
  startOverUrl,
  type Visit,
} from "./visit.ts";

type Screen = Pick<Page, "name"> &
  Partial<
    Pick<
      Page,
      | "status"
      | "layout"
      | "leave"
      | "leave_after_s"
      | "refresh_s"
      | "origins"
      | "data"
      | "framed"
      | "parts"
      | "scripts"
    >
  > & {
    readonly model?: Readonly<Record<string, unknown>>;
  };

/** One of a visit's pages, in its branding and language. */
export async function screen(services: Services, visit: Visit, shown: Screen): Promise<Answer> {
  const { account, terms, transaction, session } = visit;
  const [branding, has_logo] = await Promise.all([
    brandingFor(services, {
      account,
      ids: [terms.branding_id, transaction.body.branding_id, account.settings.default_branding_id],
      config: terms.branding_config,
      language: session.language,
    }),
    services.directory.hasLogo(account.id),
  ]);
  const model = modelOf(services, visit, has_logo);
  const { title } = branding.config;
  return answerWith(services, {
    status: 200,
    layout: "layout",
    leave: null,
    ...shown,
    branding,
    title: typeof title === "string" && title !== "" ? title : account.settings.shop_name,
    session_id: session.id,
    framed: terms.framed || (shown.framed ?? false),
    model: { ...model, text_language: branding.text_language, ...shown.model },
  });
}

/** The form's state after an attempt. */
export type Told = {
  readonly error?: string;
  readonly entered?: Entered;
  readonly problems?: readonly Problem[];
  readonly more?: Readonly<Record<string, unknown>>;
  readonly status?: number;
};

/** Where the session is now. */
export async function here(services: Services, visit: Visit, told: Told = {}): Promise<Answer> {
  const { session, transaction } = visit;
  const pending = pendingOperation(transaction.operations);
  // What is stored may be half of a step: an authentication that is over, and no authorization begun yet.
  if (session.busy) return waiting(services, visit, pending);
  const obstacle = obstacleOf(services, visit);
  if (obstacle === "already_paid" && session.attempts > 0) {
    // The capture that follows at once belongs to it: the shop is asked for the payment as soon as the shopper is back.
    if (pending !== undefined) await settledTransaction(services, keyOf(transaction), capture_patience_ms);
    return success(services, visit);
  }
  if (obstacle !== null) return obstacleScreen(services, visit, obstacle);

  if (pending !== undefined && (pending.type !== "session" || isOwn(visit, pending)))
    return waiting(services, visit, pending);
  if (told.error !== undefined || session.authentication === null) return form(services, visit, told);
  if (isAuthenticating(services, session)) return authentication(services, visit);
  // Nobody answered the bank for so long that the card is not kept any more.
  return form(services, visit, { ...told, error: "timed_out" });
}

const capture_patience_ms = 2_000;

/** A provider's session that this shopper began, not one of another tab. */
const isOwn = ({ session }: Visit, { options }: Operation): boolean =>
  session.method !== null && options.return_url?.includes(session.id) === true;

export function success(services: Services, visit: Visit): Promise<Answer> {
  const { continue_url } = visit.terms;
  return screen(services, visit, {
    name: "success",
    layout: continue_url === null ? "layout" : "layout_redirect",
    leave: continue_url,
    model: {
      redirect_url: continue_url ?? "",
      "show_cancel?": false,
      alternative_payment_methods: [],
      "undo_payment_method?": false,
    },
  });
}

const statuses: Readonly<Partial<Record<Obstacle, number>>> = {
  deadline: 410,
  link_unknown: 404,
  not_available: 403,
  payment_link_changed: 409,
  session_expired: 410,
};

const reading_s = 10;

const nothing_more = { "show_cancel?": false, alternative_payment_methods: [], "undo_payment_method?": false };

export function obstacleScreen(services: Services, visit: Visit, obstacle: Obstacle): Promise<Answer> {
  const status = statuses[obstacle] ?? 200;
  const { cancel_url } = visit.terms;
  if (obstacle === "deadline")
    return screen(services, visit, {
      ...{ name: "deadline", status, leave: cancel_url, leave_after_s: reading_s },
      model: { ...nothing_more, "deadline?": false, redirect_url: cancel_url ?? "" },
    });
  const way_on = wayOn(services, visit, obstacle);
  return screen(services, visit, {
    ...{ name: "error", status },
    model: {
      ...nothing_more,
      error: obstacle,
      redirect_url: way_on ?? "",
      link_url: way_on,
    },
  });
}

/** Nobody is sent to the page of those who have paid but who has. */
function wayOn(services: Services, visit: Visit, obstacle: Obstacle): string | null {
  const { cancel_url, continue_url } = visit.terms;
  if (obstacle === "payment_link_changed") return startOverUrl(services, visit);
  return obstacle === "already_paid" ? continue_url : obstacle === "cancelled_by_shop" ? cancel_url : null;
}

/** Asks once; who has said yes goes back to the shop. Nothing is undone by it: until it is paid the link stays good. */
export function cancelScreen(services: Services, visit: Visit, sure: boolean): Promise<Answer> {
  const { cancel_url } = visit.terms;
  if (!sure) return screen(services, visit, { name: "cancel", model: nothing_more });
  return screen(services, visit, {
    ...{ name: "cancelled", layout: cancel_url === null ? "layout" : "layout_redirect", leave: cancel_url },
    model: { ...nothing_more, redirect_url: cancel_url ?? "" },
  });
}

/** Inside the issuer's frame: tells the page around it what the script there waits for. */
export const tellingPage = (
  services: Services,
  visit: Visit,
  data: Readonly<Record<string, string>>,
): Promise<Answer> =>
  screen(services, visit, {
    ...{ name: "continue", layout: "layout_redirect", framed: "by us", data },
    model: { ...nothing_more, redirect_url: data["break-out"] ?? "" },
  });

/** An error page of the session with a way back to the form. */
export const errorScreen = (services: Services, visit: Visit, error: string, status = 200): Promise<Answer> =>
  screen(services, visit, { name: "error", status, model: { error, retry: true } });

// The shopper who has no script asks again by herself, or the page does for her.
const refresh_s = 5;

function waiting(services: Services, visit: Visit, operation: Operation | undefined): Promise<Answer> {
  const { session, terms } = visit;
  // Who only waits for herself at a provider may go another way; what an acquirer works on is not to be left.
  const may_leave = operation?.type === "session" && !session.busy;
  return screen(services, visit, {
    name: "waiting",
    refresh_s,
    data: { polls: "" },
    model: {
      autorefresh_to: `/${session.id}`,
      selected_payment_method: operation?.options.method ?? "creditcard",
      redirect_url: operation?.data.redirect_url ?? "",
      "show_cancel?": may_leave && terms.cancel_url !== null,
      "undo_payment_method?": may_leave,
      alternative_payment_methods: [],
    },
  });
}

function authentication(services: Services, visit: Visit): Promise<Answer> {
  const { session } = visit;
  const { authentication: at } = session;
  const { method, challenge } = at ?? {};
  const model = {
    ...nothing_more,
    auth_url: `/${session.id}/3ds-auth`,
    method_url: method?.url ?? null,
    method_data: method?.data ?? null,
    acs_url: challenge?.acs_url ?? null,
    creq: challenge?.creq ?? null,
    threed_url: challenge?.acs_url ?? null,
  };
  const name = at?.step === "challenge" ? "form/3ds_challenge" : "form/3ds_auth";
  const target = at?.step === "challenge" ? challenge?.acs_url : method?.url;
  return screen(services, visit, {
    name,
    model,
    origins: originsOf(target),
    ...(name === "form/3ds_challenge" && { data: { polls: "" } }),
  });
}

/** The origin of an address elsewhere, as the policy names it. */
export function originsOf(address: string | null | undefined): string[] {
  if (!address || !URL.canParse(address)) return [];
  const { origin } = new URL(address);
  return origin === "null" ? [] : [origin];
}

/** How this session's last attempt has ended, as long as no other is made: whatever page it was told on first. */
function declineOf({ session, transaction }: Visit): string | undefined {
  const last = lastAttempt(transaction);
  if (last === undefined || session.attempts === 0 || last.created_at < session.created_at) return undefined;
  if (session.method !== null) return isDeclined(last) ? "method_declined" : undefined;
  if (isUnauthenticated(last)) return "three_d_secure_failed";
  return isDecline(last) ? "declined" : undefined;
}

/** The choice between methods, the card form, or another method's own page. */
export async function form(services: Services, visit: Visit, told: Told = {}): Promise<Answer> {
  const { session } = visit;
  const { cards, others } = methodsOf(services, visit);
  if (cards.length === 0 && others.size === 0)
    return screen(services, visit, { name: "error", status: 200, model: { ...nothing_more, error: "no_methods" } });
  const error = told.error ?? declineOf(visit);
  const method =
    session.method !== null && asks_first.has(session.method) && others.has(session.method) ? session.method : null;
  const chooses = method === null && cards.length === 0;
  const { problems = [] } = told;
  const ahead =
    chooses || method !== null
      ? null
      : await workAhead(services, { account_id: visit.account.id, address: visit.shopper.address });
  const work = told.more?.work ?? ahead;
  return screen(services, visit, {
    name: chooses ? "selector" : "form",
    status: told.status ?? 200,
    ...(work && { scripts: ["work.js"] as const }),
    ...(method === null && isTest(services, visit) && { parts: { test_cards: testCardList(cards, session.language) } }),
    model: {
      form_template: formTemplate(method),
      ...(method === null && {
        "undo_payment_method?": false,
        selected_payment_method: "creditcard",
        // Where they are the choice itself they do not stand beside it.
        alternative_payment_methods: chooses ? [] : methodsShown([...others.keys()]),
      }),
      entered: told.entered ?? {},
      problems,
      invalid: Object.fromEntries(problems.map(({ field, problem }) => [field, problem])),
      ...(work && { work }),
      ...(error !== undefined && { error }),
      ...told.more,
    },
  });
}

/** A page of a provider that the shopper is to be sent to. */
export function redirect(services: Services, visit: Visit, { options, data }: Operation): Promise<Answer> {
  const { redirect_url } = data;
  return screen(services, visit, {
    name: "form",
    origins: originsOf(redirect_url),
    model: {
      form_template: formTemplate(options.method ?? null),
      redirect_url: redirect_url ?? "",
      payment_url: redirect_url ?? "",
      trustly_url: redirect_url ?? "",
      params: [],
      selected_payment_method: options.method ?? "",
    },
  });
}
