// The application's clock. Everything shown or scheduled uses it, so that tests (and the demo's history) can move time.
// Leases use the database's own clock instead, and order comes from numbers, never from times.

export type Clock = { readonly now: () => Date };

export type MovableClock = Clock & {
  /** Moves the application's time by this many milliseconds from where it is. */
  readonly advance: (ms: number) => void;
  readonly offset_ms: () => number;
};

export function movableClock(offset_ms = 0): MovableClock {
  let offset = offset_ms;
  return {
    now: () => new Date(Date.now() + offset),
    advance: (ms) => {
      offset += ms;
    },
    offset_ms: () => offset,
  };
}
