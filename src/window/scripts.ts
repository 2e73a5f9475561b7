// The inventory of scripts on the payment page (PCI DSS 6.4.3): every file of the folder `script`, why it is there, and its
// hash, by which browsers refuse it when it was changed on the way. Nothing else may run: the pages' policy allows our own
// files alone, and a file without a reason written here keeps the program from starting.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type Script = {
  readonly name: string;
  /** `/assets/<hash>/<name>`: another one whenever the file is, so it may be kept for ever. */
  readonly path: string;
  readonly reason: string;
  /** Subresource Integrity: `sha256-…`. */
  readonly integrity: string;
  readonly content: Buffer;
};

const reasons: Readonly<Record<string, string>> = {
  "paymentwindow.js":
    "Makes the form convenient: groups the card's digits, shows brand and fee while they are typed, counts the deadline down, follows 3-D Secure and methods on other pages. Without it everything works, too.",
  "work.js":
    "Computes the proof of work that is asked for when many cards are declined (card testing). Without it the shopper waits a minute.",
};

/** The scripts of a folder. Throws for one without a reason. */
export const scriptsIn = (folder: string, why: Readonly<Record<string, string>>): readonly Script[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".js"))
    .sort()
    .map((name) => {
      const reason = Object.hasOwn(why, name) ? why[name] : undefined;
      if (reason === undefined) throw new Error(`${name} has no reason in src/window/scripts.ts`);
      const content = readFileSync(join(folder, name));
      const hash = createHash("sha256").update(content).digest();
      const path = `/assets/${hash.toString("hex").slice(0, 16)}/${name}`;
      return { name, path, reason, integrity: `sha256-${hash.toString("base64")}`, content };
    });

/** All that a payment page may run, by name. */
export const scripts: readonly Script[] = scriptsIn(join(import.meta.dirname, "script"), reasons);

/** The element that loads it. Throws for a script that is not of the inventory. */
export function scriptTag(name: string): string {
  const script = scripts.find((one) => one.name === name);
  if (script === undefined) throw new Error(`${name} is no script of the payment window`);
  return `<script src="${script.path}" integrity="${script.integrity}" defer></script>`;
}
