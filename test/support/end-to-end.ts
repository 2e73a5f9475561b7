// What every end-to-end test begins with: the app, a browser, a shop on the web, and a shopper whose pages must do nothing
// wrong. A file that imports this has them before its first test.

import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { startApp } from "./app.ts";
import { newShopper, type ShopperOptions, startBrowser, type Watched } from "./browser.ts";
import { openWebShop } from "./web-shop.ts";

const browser = await startBrowser();
export const [app, web] = await Promise.all([startApp(), openWebShop()]);
after(async () => {
  await browser.close();
  await web.close();
  await app.stop();
});

/** A shopper with a browser of her own. */
export const newcomer = (options: ShopperOptions = {}): Promise<Watched> =>
  newShopper(browser, { origins: [app.app.addresses.window_url, web.origin], ...options });

const anybody = await newcomer();
const late_ms = 50;

/** With options in a browser of her own, else in the one of all. */
export async function shopper(
  does: (page: Page, watched: Watched) => Promise<void>,
  options?: ShopperOptions,
): Promise<void> {
  const watched = options === undefined ? anybody : await newcomer(options);
  try {
    await does(watched.page, watched);
    // A browser tells of what happened a little later.
    await sleep(late_ms);
    watched.blameless();
  } finally {
    watched.forget();
    if (watched !== anybody) await watched.close();
  }
}
