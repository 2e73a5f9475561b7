// The pages that a shopper meets in test mode under `/simulator/`: a provider that the window sends to, the issuer's 3-D
// Secure method and its challenge. They know nothing but the simulator's own books, where no live transaction ever stands,
// and nothing of HTTP servers: whoever listens hands each request over.

import { niceName } from "../../domain/payment-methods.ts";
import type { AddressName } from "../../domain/transaction.ts";
import { type Authentication, answer, answerable_ms, find, giveTime, open } from "./authentications.ts";
import { challenge_path, message_version, method_path } from "./directory-server.ts";
import { assets, type Html, html, type Page, page, price, redirect, sentOn } from "./html.ts";
import { packed, unpacked } from "./messages.ts";
import { shopper_addresses } from "./scenarios.ts";
import { answerSession, providerPath, type Session, sessionOf } from "./sessions.ts";
import type { Simulated } from "./simulator.ts";

export type PageRequest = {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** The form that was posted; empty otherwise. */
  readonly body: Readonly<Record<string, unknown>>;
};

export type Pages = (request: PageRequest) => Promise<Page>;

type Parts = Simulated & { readonly at: Date };

/** Answers what lies under `/simulator/`. Throws only where the database does. */
export const simulatorPages =
  (simulated: Simulated): Pages =>
  async ({ method, path, body }) => {
    const parts = { ...simulated, at: simulated.clock.now() };
    const posted = method === "POST";
    if (!posted && method !== "GET" && method !== "HEAD") return refused_method;
    if (path === method_path) return posted ? methodPage(parts, textIn(body, "threeDSMethodData")) : nothing_here;
    if (path === challenge_path) return posted ? begunChallenge(parts, textIn(body, "creq")) : nothing_here;
    if (path.startsWith(`${challenge_path}/`)) {
      const id = path.slice(challenge_path.length + 1);
      return posted ? answeredChallenge(parts, id, textIn(body, "answer")) : standingChallenge(parts, id);
    }
    if (path.startsWith(providerPath(""))) {
      const reference = path.slice(providerPath("").length);
      return posted ? answeredSession(parts, reference, textIn(body, "answer")) : sessionPage(parts, reference);
    }
    return (!posted && Object.hasOwn(assets, path) && assets[path]) || nothing_here;
  };

const textIn = (body: PageRequest["body"], name: string): string => {
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  return typeof value === "string" ? value : "";
};

const sentence = (status: number, title: string, text: string): Page =>
  page({ status, title, main: html`<p>${text}</p>` });

const nothing_here = sentence(404, "Nothing is here", "This address belongs to no test payment, or it is long over.");
const unreadable = sentence(400, "This cannot be read", "What came here is not what a payment window sends.");
const refused_method = sentence(405, "Not like this", "This page can be opened, and its buttons pressed.");

// ---- the issuer's 3-D Secure method ----

/** Runs in a hidden frame: it "looks at the browser" and reports back, or for one kind of card never does. */
async function methodPage({ pool, pages_url, at }: Parts, data: string): Promise<Page> {
  const message = unpacked(data);
  const id = message?.threeDSServerTransID;
  const back = message?.threeDSMethodNotificationURL;
  if (id === undefined || back === undefined) return unreadable;
  // It reports to our own window only: nobody shall make browsers post elsewhere through it.
  if (!isWithin(back, pages_url())) return unreadable;
  const authentication = await find(pool, "transaction_id", id, at);
  if (authentication === null) return nothing_here;
  const title = "Test bank looks at your browser";
  if (!authentication.method_ends) return page({ title, main: html`<p>With this test card it never finishes.</p>` });
  const reported = packed({ threeDSServerTransID: id });
  return page({ title, main: sentOn(back, "threeDSMethodData", reported), leads_to: back });
}

const isWithin = (url: string, origin: string): boolean =>
  URL.canParse(url) && URL.canParse(origin) && new URL(url).origin === new URL(origin).origin;

// ---- the issuer's challenge ----

async function begunChallenge(parts: Parts, creq: string): Promise<Page> {
  const message = unpacked(creq);
  if (message?.acsTransID === undefined) return unreadable;
  const { acsTransID: id, threeDSServerTransID } = message;
  const challenge = await challengeOf(parts, id);
  if (challenge === null || challenge.transaction_id !== threeDSServerTransID) return nothing_here;
  await open(parts.pool, id, parts.at);
  return standingChallenge(parts, id);
}

/** Only what was told to be a challenge has one. */
async function challengeOf({ pool, at }: Parts, id: string): Promise<Challenge | null> {
  const found = await find(pool, "acs_transaction_id", id, at);
  return found?.status === "C" && found.notification_url !== null
    ? { ...found, notification_url: found.notification_url }
    : null;
}

type Challenge = Authentication & { readonly notification_url: string };

async function standingChallenge(parts: Parts, id: string): Promise<Page> {
  const challenge = await challengeOf(parts, id);
  if (challenge === null) return nothing_here;
  return challenge.answer === null ? askedChallenge(challenge, parts.at) : overChallenge(challenge);
}

async function answeredChallenge(parts: Parts, id: string, wish: string): Promise<Page> {
  const { pool, at } = parts;
  const before = await challengeOf(parts, id);
  if (before === null) return nothing_here;
  if (wish === "wait") {
    await giveTime(pool, id);
    return standingChallenge(parts, id);
  }
  if (wish !== "approve" && wish !== "fail") return unreadable;
  const given = wish === "approve" ? "Y" : "N";
  const is_first = await answer(pool, { acs_transaction_id: id, answer: given, at });
  const challenge = await challengeOf(parts, id);
  if (challenge === null) return nothing_here;
  if (challenge.answer === null) return askedChallenge(challenge, at);
  return is_first || challenge.answer === given ? overChallenge(challenge) : alreadyAnswered(challenge);
}

function askedChallenge({ acs_transaction_id: id, approves_at, ...challenge }: Challenge, at: Date): Page {
  const here = `${challenge_path}/${id}`;
  const by_itself = approves_at !== null;
  const seconds = by_itself ? Math.max(1, Math.ceil((approves_at.getTime() - at.getTime()) / 1000)) : 0;
  const amount = price(challenge.amount, challenge.currency);
  return page({
    title: "Test bank: is it you?",
    main: html`<dl>
<dt>Shop</dt><dd>${challenge.merchant_name ?? ""}</dd>
<dt>Amount</dt><dd>${amount ?? "Nothing is paid now"}</dd>
</dl>
${by_itself ? html`<p>This approves by itself after 5 seconds.</p>` : html`<p>This waits for your answer.</p>`}
<form method="post" action="${here}">
<button class="first" name="answer" value="approve">Approve</button>
<button name="answer" value="fail">Fail</button>
${by_itself ? html`<button name="answer" value="wait">Give me time</button>` : null}
</form>`,
    headers: by_itself ? { Refresh: `${seconds}; url=${here}` } : {},
  });
}

const answer_words = { Y: "Approved", N: "Failed" } as const;

function isTooLate({ answered_at, authenticated_at, answer }: Challenge): boolean {
  if (answered_at === null || authenticated_at === null || answer !== "N") return false;
  return answered_at.getTime() - authenticated_at.getTime() >= answerable_ms;
}

/** It is over, and the browser takes the news (a signal only) back to the window, in the same frame. */
function overChallenge(challenge: Challenge): Page {
  const { answer, notification_url } = challenge;
  const main = cresForm(challenge);
  if (isTooLate(challenge)) {
    const why = html`<p>Nobody answered within 15 minutes, so this has failed.</p>${main}`;
    return page({ status: 410, title: "Too late", main: why, leads_to: notification_url });
  }
  return page({ title: answer_words[answer ?? "N"], main, leads_to: notification_url });
}

function alreadyAnswered(challenge: Challenge): Page {
  if (isTooLate(challenge)) return overChallenge(challenge);
  const words = answer_words[challenge.answer ?? "N"].toLowerCase();
  const main = html`<p>It is ${words}, and your second answer changed nothing.</p>${cresForm(challenge)}`;
  return page({ status: 409, title: "Already answered", main, leads_to: challenge.notification_url });
}

function cresForm({ transaction_id, acs_transaction_id, answer, notification_url }: Challenge): Html {
  const cres = packed({
    threeDSServerTransID: transaction_id,
    acsTransID: acs_transaction_id,
    messageType: "CRes",
    messageVersion: message_version,
    challengeCompletionInd: "Y",
    transStatus: answer ?? "N",
  });
  return sentOn(notification_url, "cres", cres);
}

// ---- a provider that the shopper is sent to ----

async function sessionPage({ pool }: Parts, reference: string): Promise<Page> {
  const session = await sessionOf(pool, reference);
  if (session === null) return nothing_here;
  return session.outcome === "waiting" || session.outcome === "received" ? askedSession(session) : overSession(session);
}

/** Whatever stood there before: the shopper goes back, and the window says what became of it. */
async function answeredSession({ pool, at }: Parts, reference: string, wish: string): Promise<Page> {
  const given = wish === "approve" ? "approved" : wish === "decline" ? "rejected" : null;
  if (given === null && wish !== "leave") return unreadable;
  const session =
    given === null ? await sessionOf(pool, reference) : await answerSession(pool, { reference, answer: given, at });
  return session === null ? nothing_here : redirect(session.return_url);
}

function askedSession({ reference, method, amount, currency, return_url, addresses }: Session): Page {
  return page({
    title: "Test provider: approve the payment?",
    main: html`<dl>
<dt>Method</dt><dd>${method === null ? "Not named" : niceName(method)}</dd>
<dt>Amount</dt><dd>${price(amount, currency)}</dd>
${addresses.includes("invoice_address") ? html`<dt>Invoice to</dt><dd>${inWords("invoice_address")}</dd>` : null}
${addresses.includes("shipping_address") ? html`<dt>Ship to</dt><dd>${inWords("shipping_address")}</dd>` : null}
</dl>
<form method="post" action="${providerPath(reference)}">
<button class="first" name="answer" value="approve">Approve</button>
<button name="answer" value="decline">Decline</button>
<button name="answer" value="leave">Leave without answering</button>
</form>`,
    leads_to: return_url,
  });
}

/** What the shop will be told, in one line. */
function inWords(name: AddressName): string {
  const { att, street, house_number, zip_code, city, ...rest } = shopper_addresses[name];
  return [rest.name, att, `${street} ${house_number}`, `${zip_code} ${city}`].filter((part) => part).join(", ");
}

const session_words: Readonly<Record<string, string>> = {
  approved: "It was approved.",
  rejected: "It was declined.",
  refused: "The shop has ended it.",
};

function overSession({ reference, outcome, return_url }: Session): Page {
  return page({
    title: "Already answered",
    main: html`<p>${session_words[outcome] ?? ""} Nothing more can be done here.</p>
<form method="post" action="${providerPath(reference)}">
<button class="first" name="answer" value="leave">Back to the shop</button>
</form>`,
    leads_to: return_url,
  });
}
