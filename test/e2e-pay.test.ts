// Shoppers pay in a real browser: by keyboard alone, without script, with 3-D Secure, inside a shop's page, in two tabs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Frame, FrameLocator, Page } from "playwright-core";
import { reportsSince } from "../src/storage/csp-reports.ts";
import { app, shopper, web } from "./support/end-to-end.ts";
import { type Folder, linker } from "./support/links.ts";
import {
  cards,
  challengeFrame,
  declinedBefore,
  expires,
  home,
  newShop,
  pay,
  payButton,
  text,
  typeCard,
} from "./support/scenes.ts";

const shop = await newShop(app);

type Operation = Readonly<Record<string, unknown>>;

/** With the shop's own pages to come back to. */
const linked = (link: object = {}, made: object = {}, folder: Folder = "payments") =>
  linker(shop)({ ...web.urls, ...link }, made, folder);

const codes = ({ operations }: { operations: readonly Operation[] }) => operations.map((o) => o.qp_status_code);

const focused = (page: Page) =>
  page.evaluate(`(() => {
    const one = document.activeElement, style = getComputedStyle(one);
    return {
      name: one.id || one.innerText.replace(/\\s+/g, " ").trim(),
      seen: one.matches(":focus-visible") && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    };
  })()`) as Promise<{ name: string; seen: boolean }>;

describe("a card payment", () => {
  test("by keyboard alone: the focus is seen, goes in order, and Enter pays", () =>
    shopper(async (page) => {
      const { url, read } = await linked();
      await page.goto(url);
      const order = [];
      for (let presses = 0; presses < 8; presses += 1) {
        await page.keyboard.press("Tab");
        const { name, seen } = await focused(page);
        assert.ok(seen, `the focus on ${name} is seen`);
        order.push(name);
      }
      assert.deepEqual(order, [
        ...["cardnumber", "expiration", "cvd", "Pay DKK 249.00", "Test cards", "MobilePay"],
        ...["Cancel and go back to the shop", "Language: English"],
      ]);
      for (let presses = 0; presses < 7; presses += 1) await page.keyboard.press("Shift+Tab");
      await page.keyboard.type(cards.approved);
      await page.keyboard.press("Tab");
      await page.keyboard.type(expires());
      await page.keyboard.press("Tab");
      await page.keyboard.type("208");
      await page.keyboard.press("Enter");
      await page.waitForURL(web.urls.continue_url);
      assert.deepEqual(codes(await read()), ["20000"]);
    }));

  test("without JavaScript, with a challenge on the way", () =>
    shopper(
      async (page) => {
        const { url, read } = await linked();
        await page.goto(url);
        await typeCard(page, { number: cards.wants_3ds });
        await payButton(page).click();
        await page.getByRole("button", { name: "Continue" }).click();
        await page.getByRole("button", { name: "Continue to your bank" }).click();
        const bank = challengeFrame(page);
        await bank.getByRole("button", { name: "Approve" }).click();
        await bank.getByRole("button", { name: "Continue" }).click();
        await bank.getByRole("link", { name: "Continue" }).click();
        // The page goes on by itself; a shopper who cannot wait has the button.
        await page.waitForURL(web.urls.continue_url);
        const payment = await read();
        assert.deepEqual(codes(payment), ["30100", "20000"]);
        assert.equal(payment.metadata["3d_secure_type"], "challenge");
      },
      { javaScriptEnabled: false },
    ));

  test("declined: the summary has the focus, all but the CVD is kept, and another card pays", () =>
    shopper(async (page) => {
      const { url, read } = await linked();
      await page.goto(url);
      await pay(page, { number: cards.declined });
      assert.equal((await focused(page)).name, "error-summary");
      assert.match(await text(page, "#error-summary"), /declined.*another card/s);
      assert.equal(await page.inputValue("#cardnumber"), "1000 0000 0000 0016");
      assert.equal(await page.inputValue("#cvd"), "");
      await typeCard(page);
      await payButton(page).click();
      await page.waitForURL(web.urls.continue_url);
      assert.deepEqual(codes(await read()), ["40000", "20000"]);
    }));

  test("after many declines, by keyboard: the browser proves some work and the shopper types the CVD once more", () =>
    shopper(async (page) => {
      const own = await newShop(app);
      const { url, read, id } = await linker(own)(web.urls);
      await declinedBefore(app, { account_id: own.id, id }, 6);
      app.advance(10);
      await page.goto(url);
      await pay(page);
      assert.equal((await focused(page)).name, "error-summary");
      assert.match(await text(page, "#error-summary"), /no machine is trying out cards/);
      assert.equal((await read()).operations.length, 0);
      await page.fill("#cvd", "208");
      await page.keyboard.press("Enter");
      await page.waitForURL(web.urls.continue_url);
      assert.deepEqual(codes(await read()), ["20000"]);
    }));

  test("two clicks on Pay are one authorization, and the way back says that it is paid", () =>
    shopper(async (page) => {
      const { url, read } = await linked({ continue_url: null });
      await page.goto(url);
      await typeCard(page);
      await payButton(page).dblclick();
      await page.waitForSelector(".state-good");
      assert.deepEqual(codes(await read()), ["20000"]);
      await page.goBack();
      // The browser may show the form as it was left: sending it again changes nothing.
      if (await payButton(page).isVisible()) await pay(page);
      assert.match(await text(page, "main"), /Thank you|already paid/);
      await page.goto(url);
      assert.match(await text(page, "main"), /already paid/);
      assert.equal((await read()).operations.length, 1);
    }));

  test("open in two tabs: the one that was left open hears that it is paid", () =>
    shopper(async (page) => {
      const { url, read } = await linked({ continue_url: null });
      const other = await page.context().newPage();
      await Promise.all([page.goto(url), other.goto(url)]);
      await pay(page);
      await pay(other);
      assert.match(await text(other, "main"), /already paid/);
      await other.close();
      assert.deepEqual(codes(await read()), ["20000"]);
    }));
});

describe("3-D Secure", () => {
  const secured = () => linked({ payment_methods: "3d-visa" });
  const answer = (page: Page, name: string) => challengeFrame(page).getByRole("button", { name }).click();

  test("a challenge that is passed, by keyboard: the focus goes into the bank's frame and out", () =>
    shopper(async (page) => {
      const { url, read } = await secured();
      await page.goto(url);
      await typeCard(page);
      await page.keyboard.press("Enter");
      await challengeFrame(page).getByRole("button", { name: "Approve" }).waitFor();
      assert.equal(await page.evaluate("document.activeElement.title"), "Your bank: confirm that it is you");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.waitForURL(web.urls.continue_url);
      const { operations, metadata } = await read();
      assert.deepEqual([operations.length, operations[0]["3d_secure_status"]], [1, "Y"]);
      assert.deepEqual([metadata.is_3d_secure, metadata["3d_secure_type"]], [true, "challenge"]);
    }));

  test("a challenge that fails is told, and the next try pays", () =>
    shopper(async (page) => {
      const { url, read } = await secured();
      await page.goto(url);
      await pay(page);
      await answer(page, "Fail");
      await page.getByRole("link", { name: "Try again" }).click();
      await pay(page);
      await answer(page, "Approve");
      await page.waitForURL(web.urls.continue_url);
      assert.deepEqual(codes(await read()), ["40000", "20000"]);
    }));

  test("without a question", () =>
    shopper(async (page) => {
      const { url, read } = await secured();
      await page.goto(url);
      await typeCard(page, { month: "01" });
      await payButton(page).click();
      await page.waitForURL(web.urls.continue_url);
      assert.equal((await read()).metadata["3d_secure_type"], "frictionless");
    }));

  test("an issuer's script that never ends is not waited for longer than ten seconds", () =>
    shopper(async (page) => {
      const { url, read } = await secured();
      await page.clock.install();
      await page.goto(url);
      await pay(page, { month: "06" });
      await page.waitForSelector('[id="3ds_auth_form"]', { state: "attached" });
      await page.clock.runFor(5_000);
      assert.equal((await read()).operations.length, 0);
      await page.clock.runFor(6_000);
      await page.waitForURL(web.urls.continue_url);
      assert.deepEqual(codes(await read()), ["20000"]);
    }, {}));
});

describe("inside a page of the shop", () => {
  const typeIn = async (frame: FrameLocator): Promise<void> => {
    await frame.locator("#cardnumber").fill(cards.approved);
    await frame.locator("#expiration").fill(expires());
    await frame.locator("#cvd").fill("208");
    await frame.locator('#card-form button[type="submit"]').click();
  };

  test("the payment ends at the shop, outside of the frame; a challenge in a frame of the frame", () =>
    shopper(async (page) => {
      const { url, read } = await linked({ framed: true, payment_methods: "3d-visa" });
      await page.goto(web.framing(url));
      const frame = page.frameLocator("iframe");
      await typeIn(frame);
      await frame.frameLocator('iframe[name="challengeIframe"]').getByRole("button", { name: "Approve" }).click();
      await page.waitForURL(web.urls.continue_url);
      assert.deepEqual(codes(await read()), ["20000"]);
    }));

  test("in a sandbox that forbids it, inside", () =>
    shopper(
      async (page) => {
        const { url, read } = await linked({ framed: true });
        await page.goto(web.framing(url, "allow-same-origin allow-scripts allow-forms"));
        await typeIn(page.frameLocator("iframe"));
        await eventuallyAt(page, web.urls.continue_url);
        assert.match(page.url(), /\/checkout/);
        assert.deepEqual(codes(await read()), ["20000"]);
      },
      { forgives: /sandbox/ },
    ));

  test("a link that is not for frames stays empty there", () =>
    shopper(
      async (page) => {
        const { url } = await linked();
        await page.goto(web.framing(url));
        assert.equal(await page.frameLocator("iframe").locator("#card-form").count(), 0);
      },
      { forgives: /frame-ancestors/ },
    ));

  async function eventuallyAt(page: Page, url: string): Promise<Frame> {
    const there = () => page.frames().find((frame) => frame.url() === url);
    while (there() === undefined) await page.waitForEvent("framenavigated");
    return there() as Frame;
  }
});

describe("beside payments", () => {
  for (const [folder, button, says] of [
    ["subscriptions", "Approve subscription", "Your subscription is set up"],
    ["cards", "Save card", "Your card is saved"],
    ["payouts", "Receive DKK 249.00", "The payout is on its way"],
  ] as const) {
    test(`${folder}: ${says}`, () =>
      shopper(async (page) => {
        const { url, read } = await linked({ continue_url: null }, {}, folder);
        await page.goto(url);
        assert.equal(await text(page, "#card-form button"), button);
        assert.equal(await page.locator("#cvd").count(), folder === "payouts" ? 0 : 1);
        await pay(page);
        assert.equal(await text(page, "h1"), says);
        const { accepted, operations } = await read();
        assert.deepEqual([accepted, operations.length], [true, 1]);
      }));
  }
});

describe("MobilePay", () => {
  const methods = { payment_methods: "creditcard, mobilepay" };
  const begin = async (page: Page, url: string) => {
    await page.goto(url);
    await page.getByRole("link", { name: "MobilePay" }).click();
    await page.waitForURL(/\/simulator\//);
  };

  test("approved at the provider's", () =>
    shopper(async (page) => {
      const { url, read } = await linked(methods);
      await begin(page, url);
      await page.getByRole("button", { name: "Approve" }).click();
      await page.waitForURL(web.urls.continue_url);
      const { operations, accepted } = await read();
      assert.deepEqual([accepted, operations.length, operations[0].type], [true, 1, "session"]);
    }));

  test("declined there, paid by card here", () =>
    shopper(async (page) => {
      const { url, read } = await linked(methods);
      await begin(page, url);
      await page.getByRole("button", { name: "Decline" }).click();
      await page.waitForSelector("#error-summary");
      await typeCard(page);
      await payButton(page).click();
      await page.waitForURL(web.urls.continue_url);
      assert.deepEqual(codes(await read()), ["40000", "20000"]);
    }));

  test("closed there: the page waits, and hears of an answer that comes later", () =>
    shopper(async (page) => {
      const { url, read } = await linked({ ...methods, continue_url: null });
      await page.goto(url);
      const session = await home(page);
      await page.getByRole("link", { name: "MobilePay" }).click();
      await page.waitForURL(/\/simulator\//);
      const other = await page.context().newPage();
      await other.goto(page.url());
      await page.goto(session);
      assert.match(await text(page, "h1"), /One moment/);
      await other.getByRole("button", { name: "Approve" }).click();
      await page.waitForSelector(".state-good");
      assert.equal((await read()).operations.length, 1);
      await other.close();
    }));
});

test("no page made the browser report a thing that the policy forbids", async () => {
  const reports = await reportsSince(app.services.pool, new Date(0), 100);
  assert.deepEqual(
    reports.filter(({ directive }) => directive !== "frame-ancestors"),
    [],
  );
});
