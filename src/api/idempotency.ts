// Idempotency-Key (reference: extensions, section 7): the same key with the same request has one effect and one answer.
// The key's row is committed with the effect; the answer (2xx only) follows, sealed. A process that was lost between the
// two leaves a row without an answer: a repeat then answers from the effect that the row names.

import { createHash, createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Refused } from "../domain/refusal.ts";
import { bucketOf } from "../domain/transaction.ts";
import type { Claim, Services } from "../services/services.ts";
import { findKey, keys_kept_ms, type StoredKey, storeAnswer } from "../storage/idempotency.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./authenticate.ts";
import type { Files } from "./body.ts";

const key_pattern = /^[\x20-\x7e]{1,255}$/;
// A repeat waits this long for the first to finish (409 then), and looks this often whether another process has.
const wait_max_ms = 60_000;
const poll_ms = 100;
// Told to who waited in vain.
const retry_after_s = 5;
// A row without an answer whose request is not running here: another process may still be about to keep it for this long.
const answer_late_ms = 10_000;
const seal_purpose = "answer";

/** The header's value; null when there is none. Throws when it is malformed or repeated. */
function keyIn(raw_headers: readonly string[]): string | null {
  const values = raw_headers.filter((_, i) => i % 2 === 1 && raw_headers[i - 1]?.toLowerCase() === "idempotency-key");
  if (values.length === 0) return null;
  const [key = ""] = values;
  if (values.length > 1 || !key_pattern.test(key)) {
    throw new Refused("idempotency_key_invalid", { "Idempotency-Key": ["is invalid"] });
  }
  return key;
}

/** Whose key it is: the agreement's that the caller acts through, or the user's own; null: nobody's, without credentials. */
function holderOf({ agreement, user }: Caller): Pick<Claim, "bucket" | "scope"> | null {
  if (agreement !== null) return { bucket: bucketOf(agreement.account_id), scope: `agreement:${agreement.id}` };
  return user === null ? null : { bucket: bucketOf(user.id), scope: `user:${user.id}` };
}

type Plain = Readonly<Record<string, unknown>>;

type Fingerprinted = {
  readonly method: string;
  readonly path: string;
  readonly version: string;
  readonly callback_url: string | null;
  readonly query: Plain;
  readonly body: Plain;
  readonly files: Files;
};

type Asking = {
  readonly caller: Caller;
  readonly raw_headers: readonly string[];
  readonly hash_key: Buffer;
  readonly at: Date;
};

/** What a request with a key claims; null where a key means nothing: on reads, and without credentials. Throws 400. */
export function claimOf(request: Fingerprinted, { caller, raw_headers, hash_key, at }: Asking): Claim | null {
  const holder = request.method === "GET" ? null : holderOf(caller);
  const key = holder === null ? null : keyIn(raw_headers);
  if (holder === null || key === null) return null;
  return { ...holder, key, fingerprint: fingerprintOf(request, hash_key), created_at: at };
}

/** A keyed hash over all that makes the request what it is, except the CVD, which may leave no trace. */
function fingerprintOf({ query, body, files, ...rest }: Fingerprinted, hash_key: Buffer): Buffer {
  const uploads = Object.entries(files).map(([parameter, { name, type, bytes }]) => [
    parameter,
    name,
    type,
    createHash("sha256").update(bytes).digest("hex"),
  ]);
  return createHmac("sha256", hash_key)
    .update(JSON.stringify(ordered([rest, withoutCvd(query), withoutCvd(body), uploads])))
    .digest();
}

function withoutCvd({ card, ...rest }: Plain): Plain {
  if (card === null || typeof card !== "object") return { ...rest, card };
  const { cvd: _, ...shown } = card as Plain;
  return { ...rest, card: shown };
}

/** Members by their names: in some languages a client writes them in another order each time. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (value === null || typeof value !== "object") return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, ordered(member)]));
}

type Attempt = {
  readonly claim: Claim;
  /** Has the effect and answers; `claim` goes into the effect's commit. */
  readonly run: () => Promise<Answer>;
  /** The answer from the effect that the row names; null while that is still under way. */
  readonly resume: (stored: StoredKey) => Promise<Answer | null>;
};

/** Runs the request once, or answers what its first run answered. */
export type Once = (attempt: Attempt) => Promise<Answer>;

type First = { readonly fingerprint: Buffer; readonly answer: Promise<Answer> };

const reused = () => new Refused("idempotency_key_reused");
const stillRunning = () => new Refused("idempotency_key_running", null, { retry_after_s });
const replayed = (answer: Answer): Answer => ({
  ...answer,
  headers: { ...answer.headers, "Idempotency-Replayed": "true" },
});

/** For one process: its repeats wait for each other in memory, those of others look into the database. */
export function createOnce(services: Services, wait_ms = wait_max_ms): Once {
  const under_way = new Map<string, First>();
  return async (attempt) => {
    const { claim } = attempt;
    const name = `${claim.scope}\n${claim.key}`;
    const deadline = performance.now() + wait_ms;
    for (let first = under_way.get(name); first !== undefined; first = under_way.get(name)) {
      if (!first.fingerprint.equals(claim.fingerprint)) throw reused();
      const answer = await answerOf(first, deadline);
      if (answer !== null) return replayed(answer);
    }
    // From the last look to `set` nothing may wait, or two requests would both be the first.
    const answer = runOrReplay(services, attempt, deadline);
    under_way.set(name, { fingerprint: claim.fingerprint, answer });
    try {
      return await answer;
    } finally {
      under_way.delete(name);
    }
  };
}

/** Null when the first was refused: a repeat is decided afresh. Throws 409 when it takes too long. */
async function answerOf(first: First, deadline: number): Promise<Answer | null> {
  const answered = new AbortController();
  const late = sleep(deadline - performance.now(), undefined, { signal: answered.signal });
  try {
    return await Promise.race([first.answer.catch(() => null), late.then(() => Promise.reject(stillRunning()))]);
  } finally {
    answered.abort();
  }
}

async function runOrReplay(services: Services, attempt: Attempt, deadline: number): Promise<Answer> {
  for (;;) {
    const stored = await find(services, attempt.claim);
    const answer = stored === null ? await runOnce(services, attempt) : await answerFrom(services, attempt, stored);
    if (answer !== null) return answer;
    if (performance.now() >= deadline) throw stillRunning();
    await sleep(poll_ms);
  }
}

const find = ({ pool, clock }: Services, claim: Claim): Promise<StoredKey | null> =>
  findKey(pool, claim, new Date(clock.now().getTime() - keys_kept_ms));

/** Null when another process was faster: then a refusal here comes from the very effect that the key stands for. */
async function runOnce(services: Services, { claim, run }: Attempt): Promise<Answer | null> {
  let answer: Answer;
  try {
    answer = await run();
  } catch (error) {
    if (error instanceof Refused && (await find(services, claim)) !== null) return null;
    throw error;
  }
  return keep(services, claim, answer);
}

/** The answer to give: this one, or the one that another process has kept meanwhile. */
async function keep({ pool, seal }: Services, claim: Claim, answer: Answer): Promise<Answer> {
  const sealed = seal.close(JSON.stringify(answer), seal_purpose);
  const kept = await storeAnswer(pool, { ...claim, answer: sealed });
  if (kept === null) throw reused();
  return kept.earlier === null ? answer : replayed(JSON.parse(seal.open(kept.earlier, seal_purpose)));
}

/** Null while the first request is still at it, elsewhere. */
async function answerFrom(services: Services, { claim, resume }: Attempt, stored: StoredKey): Promise<Answer | null> {
  if (!stored.fingerprint.equals(claim.fingerprint)) throw reused();
  const kept = opened(services, stored);
  if (kept !== null) return replayed(kept);
  const age_ms = services.clock.now().getTime() - stored.created_at.getTime();
  if (stored.answer === null && age_ms < answer_late_ms) return null;
  const answer = await resume(stored);
  if (answer === null) return null;
  return replayed(stored.answer === null ? await keep(services, claim, answer) : answer);
}

/** Null when there is none, or none that can be opened while there is an effect to answer from. */
function opened({ seal, log }: Services, { answer, resource_id }: StoredKey): Answer | null {
  try {
    return answer === null ? null : JSON.parse(seal.open(answer, seal_purpose));
  } catch (error) {
    if (resource_id === null) throw error;
    log.warn({ error: String(error) }, "a kept answer cannot be opened: a repeat is answered from its effect");
    return null;
  }
}
