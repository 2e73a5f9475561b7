// What a caller hears of somebody far away: the answer, or nothing in time. Work that was begun goes on all the same.

export type Unheard = { readonly kind: "unknown"; readonly reason: string };

export const unheard = (reason: string): Unheard => ({ kind: "unknown", reason });

/** The answer, or "unknown" once the caller has stopped waiting or the way to it is broken. */
export function heard<T>(answer: Promise<T>, signal: AbortSignal): Promise<T | Unheard> {
  return new Promise((done) => {
    const stopped = (): void => done(unheard("no answer in time"));
    if (signal.aborted) stopped();
    signal.addEventListener("abort", stopped, { once: true });
    answer
      .then(done, (error: unknown) => done(unheard(String(error))))
      .finally(() => signal.removeEventListener("abort", stopped));
  });
}
