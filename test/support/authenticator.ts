// An authenticator app, independent of our code: RFC 6238 over RFC 4226.

import { createHmac } from "node:crypto";
import type { Client, TestApp } from "./app.ts";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The code of this secret at that time. */
export function codeAt(secret: string, at: Date): string {
  const bits = Array.from(secret, (letter) => alphabet.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(at.getTime() / 30_000)));
  const hash = createHmac("sha1", key).update(step).digest();
  const number = hash.readUInt32BE((hash.at(-1) ?? 0) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

export type Enrolled = {
  /** A code that was not used yet: half a minute later than the last one. */
  readonly code: () => string;
  readonly secret: string;
  readonly recovery_codes: readonly string[];
};

/** Puts two-factor in force. */
export async function enrol({ services, advance }: TestApp, call: Client): Promise<Enrolled> {
  const begun = await call("POST", "/user/two-factor");
  if (begun.status !== 201) throw new Error(`no two-factor: ${begun.text}`);
  const { secret, recovery_codes } = begun.body;
  const code = (): string => {
    advance(30);
    return codeAt(secret, services.clock.now());
  };
  const confirmed = await call("PATCH", "/user/two-factor", { body: { code: code() } });
  if (confirmed.status !== 200) throw new Error(`not in force: ${confirmed.text}`);
  return { code, secret, recovery_codes };
}
