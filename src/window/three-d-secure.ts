// 3-D Secure 2 at the window (EMV 3-D Secure 2.2, browser flow): the issuer looks at the browser, authenticates the shopper
// at once or by a challenge, and the acquirer is asked with its proof. Meanwhile the card rests as `held` in the session.

import type { CardInput } from "../domain/card.ts";
import { checkCard } from "../domain/card.ts";
import { threeDSecureFor } from "../services/acquiring.ts";
import { attemptEnded, linkClosedFor } from "../services/card-testing.ts";
import { ask_timeout_ms } from "../services/operate.ts";
import type { Source } from "../services/paying.ts";
import type { Services } from "../services/services.ts";
import { changeSession, dropCard, heldCard, holdCard } from "../services/window-sessions.ts";
import { attemptOf, authorized, type Next, nextAfter, sourceOf } from "./attempt.ts";
import { again, obstacleOf, unauthenticated_as, type Visit } from "./visit.ts";

const signal = (): AbortSignal => AbortSignal.timeout(ask_timeout_ms);

const addressOf = ({ addresses }: Services, { session }: Visit, step: string): string =>
  `${addresses.window_url}/${session.id}/${step}`;

type Unheard = { readonly kind: "unknown"; readonly reason: string };

/** What the 3-D Secure server says; what was not heard is for the operator to know of. */
async function heard<Answer extends { readonly kind: string }>(
  { log }: Services,
  asked: Promise<Answer>,
): Promise<Answer | Unheard> {
  const answer = await asked.catch((error: unknown): Unheard => ({ kind: "unknown", reason: String(error) }));
  if (answer.kind === "unknown" && "reason" in answer)
    log.warn({ why: answer.reason }, "a 3-D Secure server was not heard");
  return answer;
}

type Begun = { readonly card: CardInput; readonly source: Source };

/** Asks whether the card's issuer takes part. From here on the session is in the middle of an authentication. */
export async function begin3ds(services: Services, visit: Visit, { card, source }: Begun): Promise<Next> {
  const server = threeDSecureFor(services, source.choice.test_mode);
  const data = source.card?.data;
  if (server === null || data === undefined) return unauthenticated(services, visit, source, "U");
  const method_notification_url = addressOf(services, visit, "3ds-method");
  const prepared = await heard(services, server.prepare({ card: data, method_notification_url }, signal()));
  if (prepared.kind !== "ready") return unauthenticated(services, visit, source, "U");
  const { transaction_id, message_version, method } = prepared;
  await holdCard(services, visit.session, {
    card,
    authentication: { transaction_id, message_version, step: "method", method, challenge: null },
  });
  return { kind: "here" };
}

/** Of the shopper's browser: as its form says, and its request. */
export type Browser = Parameters<NonNullable<ReturnType<typeof threeDSecureFor>>["authenticate"]>[0]["browser"];

type Met = { readonly browser: Browser; readonly method_completed: "Y" | "N" | "U" };

const purposes = { Payment: "payment", Subscription: "subscription", Card: "card", Payout: "payment" } as const;

/** Asks the issuer. Does nothing where no authentication is at that step: then it was asked already, or too long ago. */
export async function authenticate(services: Services, visit: Visit, met: Met): Promise<Next> {
  const { session, transaction, terms, account } = visit;
  const { authentication } = session;
  const card = heldCard(services, session);
  if (authentication?.step !== "method" || card === null) return { kind: "here" };
  const source = await sourceOf(services, visit, card);
  const checked = checkCard(card, services.clock.now());
  const server = threeDSecureFor(services, source.choice.test_mode);
  if ("errors" in checked || server === null) return { kind: "here" };
  const { transaction_id, message_version } = authentication;
  const answer = await heard(
    services,
    server.authenticate(
      {
        transaction_id,
        message_version,
        card: checked.card,
        purpose: purposes[transaction.type],
        amount: terms.amount === null ? null : terms.amount + (source.fee ?? 0),
        currency: transaction.currency,
        merchant_name: account.settings.shop_name,
        settings: account.settings.acquirer_settings[source.choice.acquirer ?? ""] ?? {},
        ...met,
        notification_url: addressOf(services, visit, "3ds-result"),
      },
      signal(),
    ),
  );
  if (answer.kind === "unknown") return unauthenticated(services, visit, source, "U");
  if (answer.status === "C" && answer.challenge !== null) {
    const { challenge } = answer;
    await changeSession(services, session, { authentication: { ...authentication, step: "challenge", challenge } });
    return { kind: "here" };
  }
  return concluded(services, visit, { card, answer: answer as Concluded });
}

/** What came of the challenge is asked of the server: what the browser brings is only a signal. */
export async function challenged(services: Services, visit: Visit): Promise<Next> {
  const { session, transaction } = visit;
  const card = heldCard(services, session);
  if (session.authentication?.step !== "challenge" || card === null) return { kind: "here" };
  const source = await sourceOf(services, visit, card);
  const server = threeDSecureFor(services, source.choice.test_mode);
  if (server === null || transaction.accepted) return { kind: "here" };
  const answer = await heard(services, server.result(session.authentication.transaction_id, signal()));
  // Not answered yet, or not heard: the page stays, and is asked again.
  if (answer.kind !== "answered") return { kind: "here" };
  return concluded(services, visit, { card, answer });
}

type Concluded = {
  readonly status: string;
  readonly eci: string | null;
  readonly cavv: string | null;
  readonly type: "frictionless" | "challenge";
};

/**
 * Only who was authenticated, or at least tried with proof of it, may pay, and only what was shown: time has passed since. The
 * card is dropped before the acquirer is asked, whatever it answers and whenever.
 */
async function concluded(
  services: Services,
  begun: Visit,
  { card, answer }: { readonly card: CardInput; readonly answer: Concluded },
): Promise<Next> {
  const { status, eci, cavv, type } = answer;
  const visit = { ...(await again(services, begun)), session: await dropCard(services, begun.session) };
  if (obstacleOf(services, visit) !== null) return { kind: "here" };
  const wait_s = linkClosedFor(services, visit.transaction);
  if (wait_s > 0) return { kind: "guarded", verdict: { kind: "link_closed", wait_s } };
  const proof = { status, ...(eci !== null && { eci }), ...(cavv !== null && { cavv }) };
  const source = await sourceOf(services, visit, { ...card, ...proof });
  if (status !== "Y" && status !== "A") return unauthenticated(services, visit, source, status);
  if ((source.fee ?? 0) > (visit.session.fee ?? 0)) {
    await changeSession(services, visit.session, { fee: source.fee });
    return { kind: "fee_added" };
  }
  const operation = await authorized(services, visit, {
    source,
    metadata: { "3d_secure_type": type },
  });
  await attemptEnded(services, attemptOf(visit, card), operation);
  return nextAfter(services, visit, operation);
}

/** The attempt stands among the operations, for the merchant; no acquirer is asked. */
async function unauthenticated(services: Services, visit: Visit, source: Source, status: string): Promise<Next> {
  const { card } = source;
  const three_d_secure = { status, eci: null, cavv: null };
  const known = card === null ? source : { ...source, card: { ...card, data: { ...card.data, three_d_secure } } };
  const operation = await authorized(services, await again(services, visit), {
    source: known,
    ruled_out: unauthenticated_as,
  });
  await attemptEnded(services, attemptOf(visit, { number: card?.data.number ?? "" }), operation);
  await dropCard(services, visit.session);
  return { kind: "three_d_secure_failed" };
}
