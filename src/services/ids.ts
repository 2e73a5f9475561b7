// Names that are unique everywhere: ulids (https://github.com/ulid/spec) and random secrets.

import { randomBytes } from "node:crypto";

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

// Random bits are drawn for many ulids at once: one call to the kernel each would show on the hot path.
const pool_bytes = 4096;
let pool = randomBytes(0);
let used = 0;

/** 26 characters, sortable by creation: 48 bits of milliseconds, 80 random bits. */
export function ulid(at: Date): string {
  let time = at.getTime();
  let text = "";
  for (let i = 0; i < 10; i++) {
    text = alphabet.charAt(time % 32) + text;
    time = Math.floor(time / 32);
  }
  if (used + 16 > pool.length) {
    pool = randomBytes(pool_bytes);
    used = 0;
  }
  for (let i = 0; i < 16; i++) text += alphabet.charAt((pool[used++] ?? 0) & 31);
  return text;
}

/** 64 lower-case hex characters (32 random bytes): API keys, private keys. */
export const secretHex = (): string => randomBytes(32).toString("hex");
