// The 3-D Secure server of test transactions, with the schemes and the issuers behind it. What it answers is a function of
// the test card's expiry month (reference: extensions, section 6):
//
//   01 Y   02 A   03 N   04 U   05 R   06 Y, after a method whose page never reports back   any other: a challenge
//
// It keeps what it will answer and what the challenge's page shows, never the card (authentications.ts; pages.ts).

import { createHash } from "node:crypto";
import type { Card } from "../../domain/card.ts";
import { testCard } from "../../domain/test-cards.ts";
import type {
  Answered,
  Authenticate,
  Authenticated,
  Prepare,
  Prepared,
  Result,
  Status,
  ThreeDSecure,
} from "../three-d-secure.ts";
import { type Authentication, authenticate, find, prepare } from "./authentications.ts";
import { heard, unheard } from "./heard.ts";
import { packed } from "./messages.ts";
import type { Simulated } from "./simulator.ts";

export const message_version = "2.2.0";
export const method_path = "/simulator/3ds/method";
export const challenge_path = "/simulator/3ds/challenge";

const status_by_month: Readonly<Record<number, Status>> = { 1: "Y", 2: "A", 3: "N", 4: "U", 5: "R", 6: "Y" };
const silent_method_month = 6;

const mastercard_brands: readonly string[] = ["mastercard", "mastercard-debet", "maestro"];

export function createDirectoryServer({ pool, clock, pages_url }: Simulated): ThreeDSecure {
  async function prepared({ card, method_notification_url }: Prepare): Promise<Prepared> {
    // It knows test cards only: no live card is ever authenticated here.
    if (testCard(card.number) === null) return { kind: "unavailable" };
    const method_ends = card.exp_month !== silent_method_month;
    const transaction_id = await prepare(pool, { method_ends, at: clock.now() });
    const data = packed({
      threeDSServerTransID: transaction_id,
      threeDSMethodNotificationURL: method_notification_url,
    });
    return { kind: "ready", transaction_id, method: { url: `${pages_url()}${method_path}`, data }, message_version };
  }

  async function authenticated(asked: Authenticate): Promise<Authenticated> {
    const { transaction_id, card, merchant_name, amount, currency, notification_url } = asked;
    const status = statusFor(card);
    if (status === null) return unheard("not a test card");
    const mastercard = mastercard_brands.includes(card.brand);
    const told = { transaction_id, status, mastercard, merchant_name, amount, currency, notification_url };
    const standing = await authenticate(pool, told, clock.now());
    if (standing === null) return unheard("unknown threeDSServerTransID");
    if (standing.status === null) return unheard("the threeDSServerTransID has expired");
    if (standing.status !== "C") return { ...answered(standing, standing.status, "frictionless"), challenge: null };
    const challenge = { acs_url: `${pages_url()}${challenge_path}`, creq: creqOf(standing) };
    return { kind: "answered", status: "C", eci: null, cavv: null, type: "challenge", challenge };
  }

  async function result(transaction_id: string): Promise<Result> {
    const standing = await find(pool, "transaction_id", transaction_id, clock.now());
    if (standing === null || standing.status === null) return unheard("unknown threeDSServerTransID");
    if (standing.status !== "C") return answered(standing, standing.status, "frictionless");
    return standing.answer === null ? { kind: "waiting" } : answered(standing, standing.answer, "challenge");
  }

  return {
    name: "simulator",
    prepare: (asked, signal) => heard(prepared(asked), signal),
    authenticate: (asked, signal) => heard(authenticated(asked), signal),
    result: (transaction_id, signal) => heard(result(transaction_id), signal),
  };
}

/** Null for a card that is not a test card. */
function statusFor({ number, exp_month }: Card): Status | "C" | null {
  return testCard(number) === null ? null : (status_by_month[exp_month] ?? "C");
}

function answered({ transaction_id, mastercard }: Authentication, status: Status, type: Answered["type"]): Answered {
  return {
    kind: "answered",
    status,
    eci: eciOf(status, mastercard === true),
    cavv: cavvOf(status, transaction_id),
    type,
  };
}

function eciOf(status: Status, mastercard: boolean): string {
  if (status === "Y") return mastercard ? "02" : "05";
  if (status === "A") return mastercard ? "01" : "06";
  return mastercard ? "00" : "07";
}

/** 20 bytes that prove nothing, always the same for the same authentication. */
function cavvOf(status: Status, transaction_id: string): string | null {
  if (status !== "Y" && status !== "A") return null;
  return createHash("sha256").update(transaction_id).digest().subarray(0, 20).toString("base64");
}

const creqOf = ({ transaction_id, acs_transaction_id }: Authentication): string =>
  packed({
    threeDSServerTransID: transaction_id,
    acsTransID: acs_transaction_id,
    messageVersion: message_version,
    messageType: "CReq",
    // 500 by 600 pixels.
    challengeWindowSize: "03",
  });
