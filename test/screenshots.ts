// `npm run screenshots` takes the pictures under docs/screenshots anew. Look at them before you keep them.

import { mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { startApp } from "./support/app.ts";
import { bringChromium, newShopper, startBrowser } from "./support/browser.ts";
import { newShop, play, type SceneName } from "./support/scenes.ts";
import { openWebShop } from "./support/web-shop.ts";

const folder = resolve(import.meta.dirname, "../docs/screenshots");

const phone = { width: 390, height: 844 };
const desktop = { width: 1280, height: 800 };
const narrow = { width: 320, height: 640 };

type Picture = {
  readonly scene: SceneName;
  readonly screen: typeof phone;
  readonly language?: "en" | "da";
};

const pictures: Readonly<Record<string, Picture>> = {
  "form-phone": { scene: "form", screen: phone },
  "form-desktop": { scene: "form, filled in", screen: desktop },
  "form-danish-320": { scene: "form, wrong at the server", screen: narrow, language: "da" },
  "fee-desktop": { scene: "form with fee, name and 3-D Secure", screen: desktop },
  "declined-phone": { scene: "form, declined", screen: phone },
  "wrong-phone": { scene: "form, wrong when left", screen: phone },
  "too-many-attempts-phone": { scene: "form, too many attempts", screen: phone },
  "work-danish-phone": { scene: "form, proof of work", screen: phone, language: "da" },
  "two-brands-phone": { scene: "form, two brands", screen: phone },
  "test-cards-phone": { scene: "form, test cards", screen: phone },
  "selector-danish-phone": { scene: "selector", screen: phone, language: "da" },
  "bank-desktop": { scene: "3-D Secure, asked", screen: desktop },
  "waiting-phone": { scene: "waiting", screen: phone },
  "paid-phone": { scene: "paid, nowhere to go", screen: phone },
  "cancel-desktop": { scene: "cancel", screen: desktop },
  "deadline-danish-320": { scene: "deadline", screen: narrow, language: "da" },
};

bringChromium();
const browser = await startBrowser();
const [app, web] = await Promise.all([startApp(), openWebShop()]);
try {
  mkdirSync(folder, { recursive: true });
  const shop = await newShop(app);
  const origins = [app.app.addresses.window_url, web.origin];
  for (const [name, { scene, screen, language = "en" }] of Object.entries(pictures)) {
    const { page, close } = await newShopper(browser, { origins, viewport: screen, locale: language });
    await play(scene, { app, shop, web, page, language });
    const path = join(folder, `${name}.png`);
    await page.screenshot({ path });
    console.log(`${name}.png: ${scene}, ${Math.ceil(statSync(path).size / 1_000)} kB`);
    await close();
  }
} finally {
  await browser.close();
  await web.close();
  await app.stop();
}
