// Throttling of what fails (reference: extensions, section 2). Counted in memory, per process.

import { Refused } from "../domain/refusal.ts";

export type Counter = {
  /** Throws 429 with `Retry-After` when this key failed too often in its window. */
  readonly check: (key: string) => void;
  readonly failed: (key: string) => void;
};

export type Throttle = { readonly agreements: Counter; readonly addresses: Counter; readonly emails: Counter };

const minute_ms = 60_000;
const failures_per_agreement_max = 1_000;
const wrong_credentials_per_address_max = 30;
const wrong_credentials_per_email_max = 10;
// Beyond this many keys the oldest windows are forgotten first.
const keys_max = 50_000;

export const createThrottle = (now: () => number = () => performance.now()): Throttle => ({
  agreements: counter({ max: failures_per_agreement_max, window_ms: minute_ms, now }),
  addresses: counter({ max: wrong_credentials_per_address_max, window_ms: minute_ms, now }),
  emails: counter({ max: wrong_credentials_per_email_max, window_ms: 15 * minute_ms, now }),
});

type Limit = { readonly max: number; readonly window_ms: number; readonly now: () => number };

/** Counts what `failed` is told of, by key. */
export function counter({ max, window_ms, now }: Limit): Counter {
  const windows = new Map<string, { count: number; ends: number }>();
  return {
    check(key) {
      const window = windows.get(key);
      if (window === undefined || window.count < max) return;
      const left_ms = window.ends - now();
      if (left_ms > 0) throw new Refused("too_many_failures", null, { retry_after_s: Math.ceil(left_ms / 1000) });
      windows.delete(key);
    },
    failed(key) {
      const window = windows.get(key);
      if (window !== undefined && window.ends > now()) {
        window.count += 1;
        return;
      }
      windows.delete(key);
      const oldest = windows.size >= keys_max ? windows.keys().next().value : undefined;
      if (oldest !== undefined) windows.delete(oldest);
      windows.set(key, { count: 1, ends: now() + window_ms });
    },
  };
}
