// Idempotency-Key (reference: extensions, section 7): the same key with the same request has one effect and one answer.
// The key's row is committed with the effect; only 2xx answers are kept, sealed, and replayed.

import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Refused } from "../domain/refusal.ts";
import { bucketOf } from "../domain/transaction.ts";
import type { Claim, Services } from "../services/services.ts";
import { findKey, type StoredKey, storeAnswer } from "../storage/idempotency.ts";
import type { Credentials } from "./authenticate.ts";

/** An answer as it left. */
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes only where a static resource is read. */
  readonly body: string | Buffer;
};

const key_pattern = /^[\x20-\x7e]{1,255}$/;
// A repeat waits this long for the first to finish.
const wait_ms = 60_000;
const poll_ms = 100;
// A claim without an answer whose request is not running here: its process may still be alive elsewhere for this long.
const answer_late_ms = 10_000;

/** The header's value; null when there is none. Throws when it is malformed or repeated. */
export function keyIn(raw_headers: readonly string[]): string | null {
  const values = raw_headers.filter((_, i) => i % 2 === 1 && raw_headers[i - 1]?.toLowerCase() === "idempotency-key");
  if (values.length === 0) return null;
  const [key = ""] = values;
  if (values.length > 1 || !key_pattern.test(key)) {
    throw new Refused("idempotency_key_invalid", { "Idempotency-Key": ["is invalid"] });
  }
  return key;
}

type Fingerprinted = {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly version: string;
  readonly callback_url: string | null;
  readonly params: Readonly<Record<string, unknown>>;
};

/** A keyed hash over all that makes the request what it is, except the CVD, which may leave no trace. */
export function fingerprint(request: Fingerprinted, hash_key: Buffer): Buffer {
  const { params, ...rest } = request;
  const card = params.card;
  const shown = card !== null && typeof card === "object" ? { ...params, card: { ...card, cvd: undefined } } : params;
  return createHmac("sha256", hash_key)
    .update(JSON.stringify([rest, shown]))
    .digest();
}

/** Whose key it is: the agreement's, or the user's where no account is concerned. */
export function claimFor(
  credentials: Credentials,
  request: { key: string; fingerprint: Buffer; at: Date },
): Claim | null {
  if (credentials.scope === "anonymous") return null;
  const [scope, bucket] =
    credentials.scope === "merchant"
      ? [`agreement:${credentials.agreement.id}`, bucketOf(credentials.agreement.account_id)]
      : [`user:${credentials.user.id}`, bucketOf(credentials.user.id)];
  return { bucket, scope, key: request.key, fingerprint: request.fingerprint, created_at: request.at };
}

const runningHere = new Map<string, Promise<unknown>>();

type Once = {
  readonly claim: Claim;
  /** Has the effect and answers; `claim` goes into its commit. */
  readonly run: () => Promise<Answer>;
  /** The answer to a request whose process was lost after its effect. */
  readonly resume: (stored: StoredKey) => Promise<Answer | null>;
};

/** Runs the request once, or answers what the first run answered. */
export async function once(services: Services, { claim, run, resume }: Once): Promise<Answer> {
  const name = `${claim.scope}\n${claim.key}`;
  const deadline = performance.now() + wait_ms;
  for (;;) {
    const first = runningHere.get(name);
    if (first !== undefined) {
      await Promise.race([first.catch(() => {}), sleep(deadline - performance.now())]);
      if (performance.now() >= deadline) throw stillRunning();
      continue;
    }
    // From here to `set` nothing may wait, or two requests would both be the first.
    const work = firstOrStored(services, { claim, run, resume });
    runningHere.set(name, work);
    try {
      const answer = await work;
      if (answer !== null) return answer;
    } finally {
      runningHere.delete(name);
    }
    if (performance.now() >= deadline) throw stillRunning();
    await sleep(poll_ms);
  }
}

const stillRunning = () => new Refused("idempotency_key_running", null, { retry_after_s: 5 });

/** Null when another process is still at it. */
async function firstOrStored(services: Services, { claim, run, resume }: Once): Promise<Answer | null> {
  const stored = await findKey(services.pool, claim);
  if (stored === null) {
    const answer = await run();
    const sealed = services.seal.close(JSON.stringify(answer), "answer");
    await storeAnswer(services.pool, claim, { fingerprint: claim.fingerprint, answer: sealed, at: claim.created_at });
    return answer;
  }
  if (!stored.fingerprint.equals(claim.fingerprint)) throw new Refused("idempotency_key_reused");
  if (stored.answer !== null) {
    const answer = JSON.parse(services.seal.open(stored.answer, "answer")) as Answer;
    return { ...answer, headers: { ...answer.headers, "Idempotency-Replayed": "true" } };
  }
  const age_ms = services.clock.now().getTime() - stored.created_at.getTime();
  if (age_ms < answer_late_ms) return null;
  const answer = await resume(stored);
  return answer === null ? null : { ...answer, headers: { ...answer.headers, "Idempotency-Replayed": "true" } };
}
