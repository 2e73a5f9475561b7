// Every page that a shopper may come to, in a real browser, in turn in the two languages that we proof-read: axe finds nothing,
// the policy forbids nothing that the page does, nothing is asked of anybody else.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { TestAccount } from "./support/app.ts";
import { axe, type Watched } from "./support/browser.ts";
import { app, newcomer, web } from "./support/end-to-end.ts";
import { newShop, play, type SceneName, scenes } from "./support/scenes.ts";

const counted = { pages: 0, frames: 0, rules: 0, applied: 0, unsure: new Set<string>() };
after(() =>
  console.log(
    `axe: ${counted.pages} pages, ${counted.frames} frames among them, ${counted.rules} rules each and none disabled, ` +
      `${counted.applied} times one applied, 0 violations; not sure of: ${[...counted.unsure].join(", ") || "nothing"}`,
  ),
);

describe("axe finds nothing on", () => {
  const languages = ["en", "da"] as const;
  let shop: TestAccount;
  let shoppers: Watched[];
  before(async () => {
    shop = await newShop(app);
    shoppers = await Promise.all(languages.map((locale) => newcomer({ locale })));
  });
  after(() => Promise.all(shoppers.map(({ close }) => close())));

  for (const [turn, name] of (Object.keys(scenes) as SceneName[]).entries()) {
    test(name, async () => {
      const looked = await Promise.allSettled(
        shoppers.map(async ({ page, blameless }, at) => {
          const language = languages[at] ?? "en";
          // Pages are made of the same parts in both: each is looked at in one of them, in turn.
          if (turn % languages.length !== at) return;
          await play(name, { app, shop, web, page, language });
          assert.equal(await page.locator("html").getAttribute("lang"), name === "provider" ? "en" : language);
          const found = await axe(page);
          for (const { url, violations } of found) assert.deepEqual(violations, [], `${language} ${url}`);
          blameless();
          count(found);
        }),
      );
      for (const one of looked) if (one.status === "rejected") throw one.reason;
    });
  }
});

function count(found: Awaited<ReturnType<typeof axe>>): void {
  counted.pages += 1;
  counted.frames += found.length - 1;
  for (const { rules, applied, unsure } of found) {
    counted.rules = rules;
    counted.applied += applied;
    for (const id of unsure) counted.unsure.add(id);
  }
}
