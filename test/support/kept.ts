// What tests leave behind: folders and what programs printed. A run keeps it until it has been swept for card data
// (test/sweep.ts) and names the place in TEST_KEPT_DIR; a file that is run alone keeps nothing.

import { randomBytes } from "node:crypto";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const place = (): string | undefined => process.env.TEST_KEPT_DIR;

const named = (name: string): string => `${name.replaceAll(/[^\w.-]/g, "-")}-${randomBytes(4).toString("hex")}`;

/** The end of a test's folder: nobody uses it any more. */
export function putAway(folder: string): void {
  const kept = place();
  if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  else renameSync(folder, join(kept, named(basename(folder))));
}

/** What was printed or logged. */
export function keepText(name: string, text: string): void {
  const kept = place();
  if (kept === undefined || text === "") return;
  mkdirSync(kept, { recursive: true });
  writeFileSync(join(kept, named(name)), text);
}

/** Whether what is stored has to stay. */
export const isKept = (): boolean => place() !== undefined;
