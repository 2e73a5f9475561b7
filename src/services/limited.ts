// Work that takes a good part of a core: so much of it at once, so much that waits, and no more.

import { Refused } from "../domain/refusal.ts";

type Limits = { readonly at_once_max: number; readonly waiting_max: number; readonly retry_after_s: number };

/** Runs work, at most so much at once; the rest waits in line. Throws 429 where too much waits already. */
export function limiter({ at_once_max, waiting_max, retry_after_s }: Limits) {
  const waiting: (() => void)[] = [];
  let at_once = 0;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (at_once >= at_once_max) {
      if (waiting.length >= waiting_max) throw new Refused("too_many_failures", null, { retry_after_s });
      await new Promise<void>((resume) => waiting.push(resume));
    } else at_once += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) at_once -= 1;
      else next();
    }
  };
}

/** One line for each of them: who has much to do waits for himself, before he waits with all others. */
export function limiterEach<Key>(limits: Limits) {
  const lines = new Map<Key, { readonly inLine: ReturnType<typeof limiter>; count: number }>();
  return async <T>(key: Key, work: () => Promise<T>): Promise<T> => {
    const line = lines.get(key) ?? { inLine: limiter(limits), count: 0 };
    lines.set(key, line);
    line.count += 1;
    try {
      return await line.inLine(work);
    } finally {
      line.count -= 1;
      if (line.count === 0) lines.delete(key);
    }
  };
}
