// Names that are unique everywhere: ulids (https://github.com/ulid/spec) and random secrets.

import { randomBytes, randomFillSync } from "node:crypto";
import { buckets } from "../domain/transaction.ts";

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
// Ten bits as two characters.
const pairs = Array.from({ length: 1024 }, (_, n) => alphabet.charAt(n >> 5) + alphabet.charAt(n & 31));

// Random bits are drawn for many ulids at once: one call to the kernel each would show on the hot path.
const pool = new Uint16Array(2048);
const random_pairs = 8;
let used = pool.length;

// Many are made within one millisecond.
let last_ms = -1;
let last_time = "";

function timeOf(ms: number): string {
  if (ms !== last_ms) {
    last_ms = ms;
    last_time = "";
    for (let rest = ms, i = 0; i < 10; i++, rest = Math.floor(rest / 32))
      last_time = alphabet.charAt(rest % 32) + last_time;
  }
  return last_time;
}

/** 26 characters, sortable by creation: 48 bits of milliseconds, 80 random bits. */
export function ulid(at: Date): string {
  if (used + random_pairs > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  let text = timeOf(at.getTime());
  for (let i = 0; i < random_pairs; i++) text += pairs[(pool[used++] ?? 0) & 1023];
  return text;
}

/** What ulids of this instant, and of none before, begin with. */
export const ulidTime = (at: Date): string => timeOf(at.getTime());

/** 64 lower-case hex characters (32 random bytes): API keys, private keys. */
export const secretHex = (): string => randomBytes(32).toString("hex");

/** 64 hex characters that cannot be guessed; the first three name the bucket, so that no directory is needed. */
export const bucketToken = (bucket: number): string => bucket.toString(16).padStart(3, "0") + secretHex().slice(3);

/** The bucket that such a token names; null for what is none. */
export const bucketIn = (token: string): number | null => {
  const bucket = /^[0-9a-f]{64}$/.test(token) ? Number.parseInt(token.slice(0, 3), 16) : buckets;
  return bucket < buckets ? bucket : null;
};
