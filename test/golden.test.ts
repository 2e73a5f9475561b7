// Whole conversations in every version, byte by byte as they are kept under test/golden. A difference that is wanted is
// written by `npm run golden -- renew`, and its diff is read before it is committed.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { conversations } from "./support/conversations.ts";
import { allKept, fileName, heldAnew, kept, version_names } from "./support/golden.ts";

let texts: ReadonlyMap<string, string>;
before(async () => {
  texts = await heldAnew();
});

describe("held again, each reads as it is kept", () => {
  for (const resource of Object.keys(conversations)) {
    test(resource, () => {
      for (const version of version_names) {
        const name = fileName(resource, version);
        assert.equal(difference(texts.get(name) ?? "", kept(name)), null, name);
      }
    });
  }
});

/** The first line that reads otherwise; whole transcripts would fill the screen. */
function difference(now: string, before: string): string | null {
  if (now === before) return null;
  const [lines, lines_before] = [now.split("\n"), before.split("\n")];
  const at = lines.findIndex((line, i) => line !== lines_before[i]);
  return `line ${at + 1} is\n${lines[at]}\nand was\n${lines_before[at]}`;
}

test("nothing is kept that no conversation makes", () => {
  assert.deepEqual(allKept(), [...texts.keys()].sort());
});

test("what is kept holds no card number, CVD or key", () => {
  for (const name of allKept()) assert.doesNotMatch(kept(name).replace(/^\s+"card": .*$/gm, ""), /\b\d{13,19}\b|"cvd"/);
});
