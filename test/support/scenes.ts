// Every page that a shopper may come to, and how she comes there: what the end-to-end tests look at, and what
// `npm run screenshots` takes pictures of.

import type { Page } from "playwright-core";
import type { Operation } from "../../src/domain/transaction.ts";
import { attemptEnded } from "../../src/services/card-testing.ts";
import { find } from "../../src/services/payments.ts";
import type { TestAccount, TestApp } from "./app.ts";
import { type Folder, type Linked, linker } from "./links.ts";
import type { WebShop } from "./web-shop.ts";

// Card testing is counted by shop: what ends in a decline plays in a shop of its own.

/** Where a scene plays. */
export type Stage = {
  readonly app: TestApp;
  /** Takes cards, and MobilePay with them. */
  readonly shop: TestAccount;
  readonly web: WebShop;
  readonly page: Page;
  readonly language: "en" | "da";
};

export const cards = {
  approved: "1000000000000008",
  declined: "1000000000000016",
  wants_3ds: "1000000000000073",
  cobadged: "1000060000000002",
} as const;

/** A month that has not begun, so that its name decides nothing but 3-D Secure. */
export const expires = (month = "12"): string => `${month}${(new Date().getFullYear() + 2) % 100}`;

type Typed = { readonly number?: string; readonly month?: string; readonly cvd?: string };

/** Types a card into the form. */
export async function typeCard(page: Page, { number = cards.approved, month, cvd = "208" }: Typed = {}): Promise<void> {
  await page.fill("#cardnumber", number);
  await page.fill("#expiration", expires(month));
  if ((await page.locator("#cvd").count()) > 0) await page.fill("#cvd", cvd);
}

/** What stands there, in one line. */
export const text = async (page: Page, selector: string): Promise<string> =>
  ((await page.locator(selector).first().textContent()) ?? "").replace(/\s+/g, " ").trim();

export const payButton = (page: Page) => page.locator('#card-form button[type="submit"]');

/** Pays, and is where it leads: the next page has come when this ends. */
export async function pay(page: Page, typed: Typed = {}): Promise<void> {
  await typeCard(page, typed);
  await Promise.all([
    page.waitForEvent("framenavigated", (frame) => frame === page.mainFrame()),
    payButton(page).click(),
  ]);
  await page.waitForLoadState();
}

type Wanted = { readonly kind?: Folder; readonly link?: object; readonly body?: object };

/** Paid, the shopper has nowhere to go unless it is said. */
async function opened({ shop, web, page, language }: Stage, { kind, link, body }: Wanted = {}): Promise<Linked> {
  const made = await linker(shop)({ language, ...web.urls, continue_url: null, ...link }, body, kind);
  await page.goto(made.url);
  return made;
}

const basket = [
  { qty: 2, item_no: "1", item_name: "Espresso cup", item_price: 7_950, vat_rate: 0.25 },
  { qty: 1, item_no: "2", item_name: "Pot", item_price: 9_000, vat_rate: 0.25 },
];

const mobilepay = { payment_methods: "mobilepay" };

/** Follows the link to MobilePay, and ends on the provider's page; answers where the window waits meanwhile. */
async function toProvider(stage: Stage): Promise<string> {
  await opened(stage, { link: mobilepay });
  const session = await home(stage.page);
  await stage.page.click('a[href$="/payment-method/mobilepay"]');
  await stage.page.waitForURL(/\/simulator\//);
  return session;
}

/** The session's own address. */
export const home = async (page: Page): Promise<string> =>
  new URL(`/${await page.locator("body").getAttribute("data-session")}`, page.url()).href;

type Scene = (stage: Stage) => Promise<unknown>;

export const scenes = {
  form: (stage) => opened(stage, { body: { basket } }),
  "form with a deadline": (stage) => opened(stage, { link: { deadline: 900 } }),
  "form with other methods": (stage) => opened(stage, { link: { payment_methods: "creditcard, mobilepay" } }),
  "form with fee, name and 3-D Secure": async (stage) => {
    const branding_config = { enable_card_holder_field: true, enable_3d_card_field: true };
    await opened(stage, { link: { auto_fee: true, branding_config } });
    await Promise.all([stage.page.waitForResponse(/\/card$/), typeCard(stage.page, { cvd: "840" })]);
  },
  "form, filled in": async (stage) => {
    await opened(stage, { body: { basket } });
    await Promise.all([stage.page.waitForResponse(/\/card$/), typeCard(stage.page)]);
  },
  "form, two brands": async (stage) => {
    await opened(stage);
    await Promise.all([stage.page.waitForResponse(/\/card$/), typeCard(stage.page, { number: cards.cobadged })]);
    await stage.page.waitForSelector("#brand-selector:visible");
  },
  "form, test cards": async (stage) => {
    await opened(stage);
    await stage.page.click(".tests > summary");
  },
  "form, languages": async (stage) => {
    await opened(stage);
    await stage.page.click(".languages > summary");
  },
  "form, wrong when left": async (stage) => {
    await opened(stage);
    await stage.page.fill("#cardnumber", "1000000000000009");
    await stage.page.fill("#expiration", "1320");
    await stage.page.fill("#cvd", "1");
    await payButton(stage.page).click();
    await stage.page.waitForSelector("#wrong-summary:visible");
  },
  "form, wrong at the server": async (stage) => {
    await opened(stage);
    await post(stage.page, { cardnumber: "1000 0000 0000 0009", expiration: "01 / 20", cvd: "" });
  },
  "form, declined": async (stage) => {
    await opened({ ...stage, shop: await newShop(stage.app) });
    await pay(stage.page, { number: cards.declined });
  },
  // A card of another link was declined so often from here that the next try has to wait, or is made dear.
  "form, wait a moment": (stage) => guarded(stage, 5),
  "form, proof of work": (stage) => guarded(stage, 6),
  "form, too many attempts": async (stage) => {
    const shop = await newShop(stage.app);
    const { id } = await opened({ ...stage, shop });
    const card = { number: cards.declined, expiration: "3112", cvd: "208" };
    for (let declines = 0; declines < 5; declines += 1)
      await shop.call("POST", `/payments/${id}/authorize?synchronized`, { body: { amount: 24_900, card } });
    await stage.page.reload();
    await pay(stage.page);
    await stage.page.waitForSelector("#error-summary");
  },
  subscription: (stage) => opened(stage, { kind: "subscriptions" }),
  card: (stage) => opened(stage, { kind: "cards" }),
  payout: (stage) => opened(stage, { kind: "payouts" }),
  selector: (stage) => opened(stage, { link: mobilepay }),
  "3-D Secure, looking": async (stage) => {
    await opened(stage, { link: { payment_methods: "3d-visa" } });
    await pay(stage.page, { month: "06" });
  },
  "3-D Secure, asked": async (stage) => {
    await opened(stage, { link: { payment_methods: "3d-visa" } });
    await pay(stage.page);
    await challengeFrame(stage.page).getByRole("button", { name: "Approve" }).waitFor();
  },
  "3-D Secure, failed": async (stage) => {
    const link = { payment_methods: "3d-visa" };
    await opened({ ...stage, shop: await newShop(stage.app) }, { link });
    await pay(stage.page, { month: "03" });
    await stage.page.waitForSelector('a[href$="/payment-method-undo"]');
  },
  provider: toProvider,
  waiting: async (stage) => stage.page.goto(await toProvider(stage)),
  "paid, nowhere to go": async (stage) => {
    await opened(stage);
    await pay(stage.page);
    await stage.page.waitForSelector(".state-good");
  },
  "card saved": async (stage) => {
    await opened(stage, { kind: "cards" });
    await pay(stage.page);
    await stage.page.waitForSelector(".state-good");
  },
  "already paid": async (stage) => {
    const { url } = await opened(stage, { link: { continue_url: stage.web.urls.continue_url } });
    await pay(stage.page);
    await stage.page.waitForURL(stage.web.urls.continue_url);
    await stage.page.goto(url);
  },
  changed: async (stage) => {
    const { id } = await opened(stage);
    await stage.shop.call("PUT", `/payments/${id}/link`, { body: { amount: 19_900 } });
    await stage.page.goto(await home(stage.page));
  },
  cancel: async (stage) => {
    await opened(stage);
    await stage.page.goto(`${await home(stage.page)}/cancel-payment`);
  },
  "cannot take payments": async (stage) => {
    await opened(stage, { link: { payment_methods: "paypal" } });
  },
  "no such link": ({ app, page }) => page.goto(`${app.app.addresses.window_url}/payments/${"a".repeat(64)}`),
  "no such session": ({ app, page }) => page.goto(`${app.app.addresses.window_url}/${"a".repeat(64)}`),
  "form that is wrong": async ({ app, web, page }) => {
    await page.goto(web.posting(`${app.app.addresses.window_url}/`, { version: "v10", order_id: "A" }));
    await page.click("button");
    await page.waitForSelector(".state");
  },
  // Last: it lets time pass.
  deadline: async (stage) => {
    await opened(stage, { link: { deadline: 60, cancel_url: null } });
    stage.app.advance(61);
    await stage.page.goto(await home(stage.page));
  },
} satisfies Readonly<Record<string, Scene>>;

export type SceneName = keyof typeof scenes;

export const play = (name: SceneName, stage: Stage): Promise<unknown> => scenes[name](stage);

/** In a shop of its own, where this address was declined so often: the next try meets the guard. */
async function guarded(stage: Stage, declines: number): Promise<void> {
  const shop = await newShop(stage.app);
  const made = await opened({ ...stage, shop });
  // In a minute: however long the page takes to come, the wait is not over.
  const at = new Date(stage.app.services.clock.now().getTime() + 60_000);
  await declinedBefore(stage.app, { account_id: shop.id, id: made.id }, declines, at);
  await pay(stage.page);
  await stage.page.waitForSelector("#error-summary");
}

// Where the browser is.
const here = "127.0.0.1";

/** As the window counts them: cards that were declined from here, on other links of the account. */
export async function declinedBefore(
  { services }: TestApp,
  { account_id, id }: { readonly account_id: number; readonly id: number },
  declines: number,
  at = services.clock.now(),
): Promise<void> {
  const then = { ...services, clock: { ...services.clock, now: () => at } };
  const transaction = await find(services, { account_id, type: "Payment", id });
  const declined = { type: "authorize", pending: false, status_code: "40000" } as Operation;
  for (let count = 0; count < declines; count += 1)
    await attemptEnded(then, { transaction, address: here, card_number: cards.declined }, declined);
}

/** Sends the form past the script, as a browser without one would. */
async function post(page: Page, fields: Readonly<Record<string, string>>): Promise<void> {
  const fill = Object.entries(fields).map(
    ([name, value]) => `form.elements[${JSON.stringify(name)}].value = ${JSON.stringify(value)};`,
  );
  await Promise.all([
    page.waitForEvent("framenavigated"),
    page.evaluate(`(() => { const form = document.getElementById("card-form"); ${fill.join("")} form.submit(); })()`),
  ]);
  await page.waitForLoadState();
}

export const challengeFrame = (page: Page) => page.frameLocator('iframe[name="challengeIframe"]');

/** The shop of the scenes: MobilePay beside its cards. */
export async function newShop(app: TestApp): Promise<TestAccount> {
  const shop = await app.newAccount();
  const answer = await shop.owner("PATCH", "/account", {
    body: { acquirer_settings: { mobilepayonline: { active: true, merchant_id: "1" } } },
  });
  if (answer.status !== 200) throw new Error(answer.text);
  return shop;
}
