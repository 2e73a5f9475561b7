// A step that costs whoever tries many cards more than whoever tries one: the browser looks for a number whose SHA-256 with
// our challenge begins with enough zero bits (hashcash). No third party, nothing to see, hear or click. Without script it
// is patience instead: the same id passes by itself, once, after a minute.
//
// What is asked for is not stored: our MAC over it says that it was us, whom we asked and when. What was used is, by
// services/card-testing.ts.

import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Services } from "./services.ts";

/** As the page's `model.work` has it. */
export type Work = {
  readonly id: string;
  /** 32 letters, digits, `-` and `_`. */
  readonly challenge: string;
  /** So many zero bits shall SHA-256 of `challenge:answer` begin with; the answer is a decimal number. */
  readonly bits: number;
  /** Without an answer `id` passes after so many seconds from now. */
  readonly patience_s: number;
};

/** What a form has sent: `work_id` and `work_answer`. */
export type Answered = { readonly id: string; readonly answer: string };

/** Whom it is asked of: work that somebody else has done does not count. */
type Asked = { readonly account_id: number; readonly network: Buffer };

// 131,000 hashes on average: script/work.js does 600 a millisecond on a server's core, a fifth of that on a phone, which is
// about a second. Each step doubles it.
const bits_min = 17;
const bits_max = 19;
const declines_per_bit = 3;
const patience_ms = 60_000;
/** How long it may be brought. */
export const work_lasts_ms = 10 * 60_000;

const nonce_bytes = 16;
const challenge_length = 32;
const id_pattern = /^([0-9a-z]{8,10})\.(\d{2})\.([\w-]{22})\.([\w-]{43})$/;
const answer_pattern = /^\d{1,15}$/;

type Signing = Pick<Services, "seal" | "clock">;

function macOf({ seal }: Signing, { account_id, network }: Asked, signed: string): Buffer {
  const mac = createHmac("sha256", seal.derivedKey("proof of work"));
  return mac.update(`${account_id} ${network.toString("hex")} ${signed}`).digest();
}

/** New work for this network on this account, harder with every few of these declines. */
export function newWork(services: Signing, asked: Asked, declines = 0): Work {
  const bits = Math.min(bits_max, bits_min + Math.floor(declines / declines_per_bit));
  const nonce = randomBytes(nonce_bytes).toString("base64url");
  const signed = `${services.clock.now().getTime().toString(36)}.${bits}.${nonce}`;
  const mac = macOf(services, asked, signed).toString("base64url");
  return { id: `${signed}.${mac}`, challenge: mac.slice(0, challenge_length), bits, patience_s: patience_ms / 1000 };
}

/**
 * Is this work done? `done`: it is, by an answer or by patience. `waiting`: it is ours and still good, but not done yet: the
 * same may be shown again. `unknown`: never asked of this network on this account, or too long ago.
 */
export function checkWork(
  services: Signing,
  asked: Asked,
  { id, answer }: Answered,
): { readonly kind: "done"; readonly id: string } | { readonly kind: "waiting"; readonly work: Work } | "unknown" {
  const [, issued = "", bits_text = "", nonce = "", mac = ""] = id_pattern.exec(id) ?? [];
  const expected = macOf(services, asked, `${issued}.${bits_text}.${nonce}`);
  const given = Buffer.from(mac, "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return "unknown";
  const age_ms = services.clock.now().getTime() - Number.parseInt(issued, 36);
  if (age_ms < 0 || age_ms > work_lasts_ms) return "unknown";
  const bits = Number(bits_text);
  // Not as it was sent: base64 has several spellings of the same bytes.
  const challenge = expected.toString("base64url").slice(0, challenge_length);
  if (age_ms >= patience_ms || isSolved({ challenge, bits, answer })) return { kind: "done", id: nonce };
  const patience_s = Math.ceil((patience_ms - age_ms) / 1000);
  return { kind: "waiting", work: { id, challenge, bits, patience_s } };
}

/** Does SHA-256 of `challenge:answer` begin with so many zero bits? */
export function isSolved({ challenge, bits, answer }: Pick<Work, "challenge" | "bits"> & { answer: string }): boolean {
  if (!answer_pattern.test(answer)) return false;
  const digest = createHash("sha256").update(`${challenge}:${answer}`).digest();
  return digest.readUInt32BE(0) >>> (32 - bits) === 0;
}
