// Everybody's pages are made by one process, one after the other. What took too much there is not tried again for a while, so
// that one account's templates cost the shoppers of all others a second now and then, and not more.

import { too } from "./template-page.ts";

/** Whose work it is, and which: the branding, its files' version, the template. */
export type Whose = { readonly account_id: number; readonly work: string };

const remembered_ms = 30_000;
// One template may be slow by mistake, or because the machine is busy; an account with more of them has none tried.
const failures_max = 2;

const all: readonly string[] = Object.values(too);

/** `now`: in milliseconds, of any clock that never goes back. */
export function templateTrust(now: () => number = () => performance.now()) {
  const failed = new Map<number, Map<string, { readonly at: number; readonly why: string }>>();

  function recent(account_id: number) {
    const works = failed.get(account_id) ?? new Map<never, never>();
    for (const [work, { at }] of works) if (now() - at > remembered_ms) works.delete(work);
    if (works.size === 0) failed.delete(account_id);
    return works;
  }

  return {
    /** Why it is not to be tried now; null: it may be. */
    whyNot({ account_id, work }: Whose): string | null {
      const works = recent(account_id);
      const known = works.get(work);
      if (known !== undefined) return known.why;
      return works.size >= failures_max ? "is not tried: others of the account took too much a moment ago" : null;
    },
    /** What became of it. A template that is only wrong costs nothing. */
    note({ account_id, work }: Whose, why: string): void {
      if (!all.includes(why)) return;
      for (const id of failed.keys()) recent(id);
      const works = failed.get(account_id) ?? new Map();
      failed.set(account_id, works.set(work, { at: now(), why }));
    },
  };
}
