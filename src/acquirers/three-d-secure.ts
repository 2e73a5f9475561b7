// The contract of a 3-D Secure server (EMV 3-D Secure 2.2, browser flow): between the payment window and the card's
// issuer. Like an acquirer it is a plain object without access to storage, and what was not heard is not a no.
//
//   prepare        does the issuer take part, and does it want to look at the browser first (the 3-D Secure method)?
//   authenticate   is it the card's holder? Answered at once (frictionless), or by a challenge that the shopper meets
//   result         what came of the challenge: asked of the server, because what the browser brings is only a signal

import type { Card } from "../domain/card.ts";

/**
 * transStatus (EMV 3-D Secure, table A.1): Y authenticated, A attempted (the issuer could not, with proof that it was
 * tried), N not authenticated, U could not be performed, R rejected by the issuer: do not authorize.
 */
export type Status = "Y" | "A" | "N" | "U" | "R";

export type Prepare = {
  /** Servers know issuers by the range that its number is in. */
  readonly card: Pick<Card, "number" | "exp_month" | "exp_year">;
  /** threeDSMethodNotificationURL: where the method's page reports back, with a POST inside the hidden frame. */
  readonly method_notification_url: string;
};

export type Prepared =
  | {
      readonly kind: "ready";
      /** threeDSServerTransID: names the authentication from here on. To be used within 80 s at some servers. */
      readonly transaction_id: string;
      /**
       * The 3-D Secure method, to be run before `authenticate`: a hidden frame posts `data` (base64url of JSON) as
       * `threeDSMethodData` to `url` (threeDSMethodURL). The issuer's page posts to the notification URL when it is through;
       * 10 s are the most to wait for it. Null: there is none.
       */
      readonly method: { readonly url: string; readonly data: string } | null;
      /** messageVersion: the newest that both sides speak, `2.2.0`. */
      readonly message_version: string;
    }
  /** The card is not enrolled: go on without 3-D Secure where the merchant's rules allow it. */
  | { readonly kind: "unavailable" }
  | Unheard;

/** The shopper's browser, as EMV wants it described. What only a script can know is null without one. */
export type Browser = {
  readonly ip: string | null;
  /** Its Accept header. */
  readonly accept: string;
  readonly user_agent: string;
  /** `da-DK`. */
  readonly language: string;
  readonly javascript_enabled: boolean;
  readonly java_enabled: boolean | null;
  /** Bits: 1, 4, 8, 15, 16, 24, 32 or 48. */
  readonly color_depth: number | null;
  /** Pixels. */
  readonly screen_height: number | null;
  readonly screen_width: number | null;
  /** Minutes, positive west of UTC: getTimezoneOffset(). */
  readonly timezone: number | null;
};

export type Authenticate = {
  /** As `prepare` answered it. A repeat under the same id is answered as before. */
  readonly transaction_id: string;
  readonly message_version: string;
  readonly card: Card;
  /** threeDSRequestorAuthenticationInd: 01 a payment, 02 the first of a subscription, 04 a card that is saved. */
  readonly purpose: "payment" | "subscription" | "card";
  /** Minor units; null where nothing is paid (messageCategory 02). */
  readonly amount: number | null;
  /** ISO 4217, alphabetic; null where nothing is paid. */
  readonly currency: string | null;
  /** Shown by the issuer; 40 characters at most. */
  readonly merchant_name: string;
  /** The merchant's settings for the acquirer that will authorize: issuers ask whose customer the merchant is. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly browser: Browser;
  /** threeDSCompInd. Y: the method's page reported back; N: it did not in time, or could not run; U: there was none. */
  readonly method_completed: "Y" | "N" | "U";
  /** notificationURL: the challenge's page posts `cres` there when it is over. */
  readonly notification_url: string;
};

export type Answered<S extends string = Status> = {
  readonly kind: "answered";
  readonly status: S;
  /**
   * Electronic commerce indicator: authenticated 05, attempted 06, neither 07; Mastercard says 02, 01 and 00. Null while a
   * challenge is to come.
   */
  readonly eci: string | null;
  /** Authentication value (CAVV, AAV): 20 bytes in base64, for the acquirer; with Y and A only. */
  readonly cavv: string | null;
  readonly type: "frictionless" | "challenge";
};

export type Authenticated =
  | (Answered<Status | "C"> & {
      /** With status C: a frame posts `creq` to `acs_url`, within 30 s at some issuers. */
      readonly challenge: Challenge | null;
    })
  | Unheard;

export type Challenge = {
  readonly acs_url: string;
  /** base64url of the CReq message. */
  readonly creq: string;
};

export type Result =
  | Answered
  /** The shopper has not answered yet. */
  | { readonly kind: "waiting" }
  | Unheard;

/** Nothing was heard, or nothing that can be used. */
type Unheard = { readonly kind: "unknown"; readonly reason: string };

export type ThreeDSecure = {
  readonly name: string;
  readonly prepare: (asked: Prepare, signal: AbortSignal) => Promise<Prepared>;
  readonly authenticate: (asked: Authenticate, signal: AbortSignal) => Promise<Authenticated>;
  /** May be asked as often as one likes; changes nothing. */
  readonly result: (transaction_id: string, signal: AbortSignal) => Promise<Result>;
};
