// Delivers the outbox: at once when an operation was settled, again and again where a receiver fails, always in the order
// of a resource's operations to one URL.

import type { Services } from "../services/services.ts";
import { type Callback, dueCallbacks, type Result, recordAttempts } from "../storage/callbacks.ts";
import { coalesce } from "../storage/coalesce.ts";
import { slotOf } from "../storage/leases.ts";
import { createSender } from "./deliver.ts";
import type { Leases } from "./leases.ts";

// After the first attempt at once; from the sixth on hourly, 24 attempts in all (reference: extensions, section 6).
const minute_ms = 60_000;
const delays_ms = [1, 2, 5, 10, 30].map((minutes) => minutes * minute_ms);
const hourly_ms = 60 * minute_ms;
export const attempts_max = 24;

// The outbox is looked at this often even when nobody says that something came.
const pause_ms = 500;
const under_way_max = 256;
// A receiver that hangs may not take all the room.
const per_origin_max = 32;

export type Callbacks = {
  /** Something was put into the outbox. */
  readonly nudge: () => void;
  /** Ends after the attempts that are under way. */
  readonly stop: () => Promise<void>;
};

type Options = {
  readonly services: Services;
  readonly leases: Leases;
  readonly settings: {
    readonly allow_private: boolean;
    /** Is a callback in this version delivered by 2xx alone? */
    readonly only2xx: (version: string) => boolean;
  };
};

/** When to try again after so many attempts; null: that was the last. */
export function nextAttemptAt(attempts: number, at: Date): Date | null {
  if (attempts >= attempts_max) return null;
  return new Date(at.getTime() + (delays_ms[attempts - 1] ?? hourly_ms));
}

export function startCallbacks({ services, leases, settings }: Options): Callbacks {
  const { pool, clock, directory, log } = services;
  const sender = createSender(settings);
  const record = coalesce<Result, void>({
    keyOf: ({ bucket, id }) => `${bucket}/${id}`,
    flush: async (results) => {
      await recordAttempts(pool, results);
      return results.map(() => undefined);
    },
  });
  const under_way = new Map<string, Promise<void>>();
  const per_origin = new Map<string, number>();
  let stopped = false;
  let wake: () => void = () => {};
  let nudged = false;

  const originOf = ({ url }: Callback): string => /^https?:\/\/[^/?#]+/i.exec(url)?.[0] ?? url;

  async function attempt(callback: Callback): Promise<void> {
    const release = leases.hold(slotOf(callback.bucket));
    const origin = originOf(callback);
    per_origin.set(origin, (per_origin.get(origin) ?? 0) + 1);
    try {
      const at = clock.now();
      const keys = await directory.privateKeys(callback.account_id);
      const only2xx = settings.only2xx(callback.version);
      const { success, response_code, duration_ms, error, headers } = await sender.send(callback, {
        keys,
        at,
        only2xx,
      });
      const next_attempt_at = success ? null : nextAttemptAt(callback.attempts + 1, clock.now());
      await record({
        bucket: callback.bucket,
        id: callback.id,
        resource_id: callback.resource_id,
        operation_id: callback.operation_id,
        state: success ? "delivered" : next_attempt_at === null ? "given_up" : "pending",
        next_attempt_at,
        success,
        attempt: { at: at.toISOString(), response_code, duration: duration_ms, error },
        headers,
      });
    } catch (error) {
      log.warn(
        { callback: callback.id, error: String(error) },
        "a callback could not be sent or noted and will be sent again",
      );
      await new Promise((done) => setTimeout(done, pause_ms));
    } finally {
      release();
      const left = (per_origin.get(origin) ?? 1) - 1;
      if (left > 0) per_origin.set(origin, left);
      else per_origin.delete(origin);
    }
  }

  /** Starts what may start. */
  async function round(): Promise<void> {
    const slots = leases.slots();
    const room = under_way_max - under_way.size;
    if (slots.length === 0 || room <= 0) return;
    const full = [...per_origin].filter(([, count]) => count >= per_origin_max).map(([origin]) => origin);
    const due = await dueCallbacks(pool, { slots, now: clock.now(), limit: room, busy: [...under_way.keys()], full });
    // A slot that was given up while the outbox was read has another sender by now.
    const ours = new Set(leases.slots());
    for (const callback of due) {
      if (!ours.has(slotOf(callback.bucket))) continue;
      if ((per_origin.get(originOf(callback)) ?? 0) >= per_origin_max) continue;
      const done = attempt(callback).finally(() => {
        under_way.delete(callback.id);
        nudge();
      });
      under_way.set(callback.id, done);
    }
  }

  function nudge(): void {
    nudged = true;
    wake();
  }

  async function run(): Promise<void> {
    while (!stopped) {
      nudged = false;
      await round().catch((error: unknown) =>
        log.warn({ error: String(error) }, "the outbox could not be read and will be again"),
      );
      if (nudged || stopped) continue;
      await new Promise<void>((done) => {
        const timer = setTimeout(done, pause_ms);
        wake = () => {
          clearTimeout(timer);
          done();
        };
      });
      wake = () => {};
    }
  }

  const running = run();
  return {
    nudge,
    async stop() {
      stopped = true;
      wake();
      await running;
      await Promise.all(under_way.values());
      sender.close();
    },
  };
}
