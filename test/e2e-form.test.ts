// The card form while it is filled in, on all kinds of screens, and its other ends: the deadline and the way back to the shop.
// And what a page weighs and takes.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { eventually } from "./support/app.ts";
import { app, newcomer, shopper, web } from "./support/end-to-end.ts";
import { form } from "./support/files.ts";
import { linker } from "./support/links.ts";
import { cards, home, newShop, pay, payButton, text, typeCard } from "./support/scenes.ts";

const shop = await app.newAccount();

const linked = (link: object = {}, made: object = {}) => linker(shop)({ ...web.urls, ...link }, made);

/** Opens a link, as `shopper` does. */
const at = (url: string, ...[does, options]: Parameters<typeof shopper>): Promise<void> =>
  shopper(async (page, watched) => {
    await page.goto(url);
    await does(page, watched);
  }, options);

const caret = (page: Page) => page.evaluate("document.activeElement.selectionStart");
const fits = async (page: Page, width: number): Promise<void> =>
  assert.ok(((await page.evaluate("document.scrollingElement.scrollWidth")) as number) <= width);

/** As a screen reader has it, from the browser's accessibility tree. */
async function described(page: Page, id: string): Promise<string> {
  const devtools = await page.context().newCDPSession(page);
  const { root } = await devtools.send("DOM.getDocument");
  const { nodeId } = await devtools.send("DOM.querySelector", { nodeId: root.nodeId, selector: `#${id}` });
  const { nodes } = await devtools.send("Accessibility.getPartialAXTree", { nodeId, fetchRelatives: false });
  await devtools.detach();
  return String(nodes[0]?.description?.value ?? "");
}

describe("what is typed", () => {
  test("is grouped as on the card, keeps the caret, and may be pasted", async () => {
    const { url } = await linked();
    await at(url, async (page) => {
      await page.locator("#cardnumber").pressSequentially("10000100000");
      assert.equal(await page.inputValue("#cardnumber"), "1000 0100 000");
      for (let presses = 0; presses < 8; presses += 1) await page.keyboard.press("ArrowLeft");
      assert.equal(await caret(page), 5);
      // Over the blank, then a digit.
      await page.keyboard.press("Backspace");
      await page.keyboard.press("Backspace");
      assert.deepEqual([await page.inputValue("#cardnumber"), await caret(page)], ["1000 1000 00", 3]);
      await page.keyboard.type("00");
      assert.deepEqual([await page.inputValue("#cardnumber"), await caret(page)], ["1000 0010 0000", 6]);
      // The Delete key goes over the blank as well.
      await page.keyboard.press("Home");
      for (let presses = 0; presses < 4; presses += 1) await page.keyboard.press("ArrowRight");
      await page.keyboard.press("Delete");
      await page.keyboard.press("Delete");
      assert.deepEqual([await page.inputValue("#cardnumber"), await caret(page)], ["1000 0100 000", 5]);
      await page.fill("#cardnumber", "");
      for (const pasted of ["1000-0000-0000-0008", " 1000 0000 0000 0008\t", "1000000000000008"]) {
        await page.locator("#cardnumber").selectText();
        await page.keyboard.insertText(pasted);
        assert.equal(await page.inputValue("#cardnumber"), "1000 0000 0000 0008", pasted);
      }
      await page.fill("#cardnumber", "");
      await page.locator("#cardnumber").pressSequentially("371449635398431");
      assert.equal(await page.inputValue("#cardnumber"), "3714 496353 98431");
      for (const [typed, shown] of [
        ["329", "03 / 29"],
        ["1229", "12 / 29"],
        ["12/2029", "12 / 29"],
      ] as const) {
        await page.fill("#expiration", "");
        await page.locator("#expiration").pressSequentially(typed);
        assert.equal(await page.inputValue("#expiration"), shown, typed);
      }
    });
  });

  test("is told to be wrong when the field is left, not before, and is right at once when it is mended", async () => {
    const { url } = await linked();
    await at(url, async (page) => {
      await page.locator("#cardnumber").pressSequentially("1000000000000009");
      assert.equal(await text(page, "#cardnumber-error"), "");
      await page.keyboard.press("Tab");
      assert.match(await text(page, "#cardnumber-error"), /a digit is wrong or missing/);
      assert.equal(await page.getAttribute("#cardnumber", "aria-invalid"), "true");
      await page.fill("#cardnumber", cards.approved);
      assert.equal(await text(page, "#cardnumber-error"), "");
      assert.equal(await page.getAttribute("#cardnumber", "aria-invalid"), null);
      await payButton(page).click();
      assert.equal(await page.evaluate("document.activeElement.id"), "wrong-summary");
      assert.match(await text(page, "#wrong-summary"), /Please correct this:.*expiry date.*security code/);
      await page.getByRole("link", { name: "Enter the expiry date" }).click();
      assert.equal(await page.evaluate("document.activeElement.id"), "expiration");
      assert.match(await text(page, "#expiration-error"), /Enter the expiry date/);
    });
  });

  test("may be a test card, one click away", async () => {
    const { url, read } = await linked();
    await at(url, async (page) => {
      await page.click(".tests > summary");
      assert.match(await text(page, ".tests"), /1000 0000 0000 0016 Declined/);
      await page.click(`[data-test-card="${cards.approved}"]`);
      await page.keyboard.press("Enter");
      await page.waitForURL(web.urls.continue_url);
      assert.equal((await read()).accepted, true);
    });
  });

  test("is two brands on some cards, and the shopper chooses", async () => {
    const { url, read } = await linked();
    await at(url, async (page) => {
      assert.equal(await page.isVisible("#brand-selector"), false);
      await typeCard(page, { number: cards.cobadged });
      await page.getByRole("radio", { name: "Dankort" }).check();
      await payButton(page).click();
      await page.waitForURL(web.urls.continue_url);
      assert.equal((await read()).metadata.brand, "dankort");
    });
  });

  test("adds the fee of the card, before it is paid", async () => {
    const { url, read } = await linked({ auto_fee: true });
    await at(url, async (page) => {
      assert.equal(await text(page, "#fee-field"), "Depends on the card");
      await typeCard(page, { cvd: "840" });
      await page.keyboard.press("Tab");
      await eventually(async () => /^DKK/.test(await text(page, "#fee-field")), "the fee");
      const total = await text(page, "#total-field");
      assert.notEqual(total, "DKK 249.00");
      await payButton(page).click();
      await page.waitForURL(web.urls.continue_url);
      const { fee, operations } = await read();
      assert.equal(`DKK ${((24_900 + fee) / 100).toFixed(2)}`, total);
      assert.equal(operations.length, 1);
    });
  });
});

describe("a page", () => {
  test("in Danish fits 320 pixels, and tells a screen reader what it is", async () => {
    const basket = [{ qty: 2, item_no: "1", item_name: "Espressokop af stentøj", item_price: 7_950, vat_rate: 0.25 }];
    const { url } = await linked({ language: "da", auto_fee: true, deadline: 3_600 }, { basket });
    const options = { locale: "da-DK", viewport: { width: 320, height: 640 } };
    await at(
      url,
      async (page) => {
        await fits(page, 320);
        assert.equal(await page.getAttribute("html", "lang"), "da");
        assert.equal(await text(page, "#card-form button"), "Betal 249,00 kr.");
        await payButton(page).click();
        await fits(page, 320);
        await typeCard(page);
        await page.click(".tests > summary");
        await fits(page, 320);
        const tree = await page.locator("#card-form").ariaSnapshot();
        for (const line of [
          /textbox "Kortnummer"/,
          /textbox "Udløbsdato"/,
          /textbox "Sikkerhedskode"/,
          /button "Betal 249,00 kr\."/,
        ])
          assert.match(tree.replace(/\u00a0/g, " "), line);
        // What is wrong is part of what is read out.
        await page.fill("#cvd", "");
        await payButton(page).click();
        assert.equal(await page.getAttribute("#cvd", "aria-invalid"), "true");
        assert.match(await described(page, "cvd"), /3 cifre på bagsiden.*Indtast sikkerhedskoden/s);
      },
      options,
    );
  });

  // Zooming to 200 % is half as many pixels of twice the size.
  test("at 200 % is as usable", async () => {
    const { url } = await linked({ payment_methods: "creditcard" });
    await at(
      url,
      async (page) => {
        await fits(page, 640);
        for (const id of ["cardnumber", "expiration", "cvd"]) {
          const box = await page.locator(`#${id}`).boundingBox();
          assert.ok(box !== null && box.x >= 0 && box.x + box.width <= 640 && box.height >= 44, id);
        }
      },
      { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 },
    );
  });

  test("speaks the language that is chosen at its foot", async () => {
    const { url } = await linked();
    await at(url, async (page) => {
      await page.click(".languages > summary");
      await page.getByRole("link", { name: "Dansk" }).click();
      await page.waitForSelector('html[lang="da"]');
      assert.equal(await text(page, "#card-form button"), "Betal 249,00 kr.");
      await pay(page, { number: cards.declined });
      assert.match(await text(page, "#error-summary"), /afvist/);
    });
  });

  test("moves only for those who do not mind", async () => {
    const { url } = await linked({ payment_methods: "3d-visa" });
    for (const [reducedMotion, moves] of [
      ["reduce", "none"],
      ["no-preference", "turn"],
    ] as const) {
      await at(
        url,
        async (page) => {
          await pay(page, { month: "06" });
          assert.equal(
            await page.evaluate('getComputedStyle(document.querySelector(".spinner")).animationName'),
            moves,
          );
        },
        { reducedMotion },
      );
    }
  });
});

test("a merchant's stylesheet that watches what is typed has nobody to tell: it begins nothing on another page of his", async () => {
  const own = await newShop(app);
  const spy = await linker(own)({ ...web.urls, payment_methods: "creditcard, mobilepay" });
  const { page, requests, close } = await newcomer();
  await page.goto(spy.url);
  const tell = `${new URL(await home(page)).pathname}/payment-method/mobilepay`;
  const { id } = (await own.owner("POST", "/brandings", { body: { name: "Spy" } })).body;
  for (const [name, text] of [
    [
      "templates/form/card.liquid",
      `<form action="{{ model.form_action }}" method="post"><input id="cvd" name="cvd" required pattern="2.*"></form>
       <img src="${tell}" alt=""><iframe title="x" src="${tell}"></iframe><p class="leaf">x</p>`,
    ],
    [
      "stylesheets/paymentwindow.css",
      `@import url(${tell}); .leaf { background: url(../images/leaf.svg) } #cvd:valid { background: url(${tell}) }`,
    ],
    ["images/leaf.svg", '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"></svg>'],
  ] as const)
    assert.equal((await own.owner("PUT", `/brandings/${id}/${name}`, { body: form(text) })).status, 204, name);
  await page.goto((await linker(own)({ ...web.urls, branding_id: id })).url);
  await page.fill("#cvd", "208");
  await eventually(async () => requests.some((url) => url.endsWith("/images/leaf.svg")), "the branding's own picture");
  await page.waitForTimeout(300);
  assert.deepEqual((await spy.read()).operations, []);
  await close();
});

describe("an end without a payment", () => {
  test("is asked for once, and leads back to the shop", async () => {
    const { url, read } = await linked();
    await at(url, async (page) => {
      const asked: string[] = [];
      page.once("dialog", (dialog) => {
        asked.push(dialog.message());
        void dialog.dismiss();
      });
      await page.click(".leave a");
      assert.deepEqual(asked, ["Do you want to cancel and go back to the shop?"]);
      assert.equal(await page.isVisible("#card-form"), true);
      page.once("dialog", (dialog) => void dialog.accept());
      await page.click(".leave a");
      await page.waitForURL(web.urls.cancel_url);
      assert.equal((await read()).operations.length, 0);
    });
    await at(
      url,
      async (page) => {
        await page.click(".leave a");
        await page.getByRole("link", { name: "Yes, cancel" }).click();
        await page.waitForURL(web.urls.cancel_url);
      },
      { javaScriptEnabled: false },
    );
  });

  test("comes with the deadline, which is announced a minute before", async () => {
    const { url } = await linked({ deadline: 90 });
    const { page, blameless, close } = await newcomer();
    await page.clock.install();
    await page.goto(url);
    assert.match(await text(page, "#time_left"), /^1:[23]\d$/);
    assert.equal(await text(page, "#time_left-sr"), "");
    await page.clock.runFor(31_000);
    assert.equal(await text(page, "#time_left-sr"), "One minute left to pay.");
    app.advance(91);
    await page.clock.runFor(60_000);
    await page.waitForSelector("h1:has-text('The time to pay has run out')");
    await page.clock.runFor(11_000);
    await page.waitForURL(web.urls.cancel_url);
    blameless();
    await close();
  });
});

const page_bytes_max = 60_000;
const script_bytes_max = 15_000;

test("a page and all that it loads weigh less than 60 kB, the script less than 15", async () => {
  const { url } = await linked();
  const weights = new Map<string, number>();
  const { page, requests, close } = await newcomer();
  page.on("response", async (response) => {
    if (response.url().startsWith("data:")) return;
    const kind = response.request().resourceType();
    const bytes = gzipSync(await response.body()).length;
    weights.set(kind, (weights.get(kind) ?? 0) + bytes);
  });
  await page.goto(url, { waitUntil: "networkidle" });
  await close();
  const total = [...weights.values()].reduce((sum, bytes) => sum + bytes, 0);
  console.log(`a card page as a browser loads it, gzipped: ${total} bytes in ${requests.length} requests,`);
  console.log(`  ${[...weights].map(([kind, bytes]) => `${kind} ${bytes}`).join(", ")}`);
  assert.ok(total < page_bytes_max && (weights.get("script") ?? 0) < script_bytes_max);
});

const opened = 200;
const median_promised_ms = 5;

test("a link may be opened again and again, each time in milliseconds", async () => {
  const { url } = await linked();
  const lines = app.log.length;
  for (let count = 0; count < opened; count += 1) await (await fetch(url)).arrayBuffer();
  const times = app.log
    .slice(lines)
    .map((line) => JSON.parse(line))
    .filter(({ route }) => route === "/payments/:token")
    .map(({ duration_ms }) => duration_ms as number)
    .sort((a, b) => a - b);
  assert.equal(times.length, opened);
  const median = times[opened / 2] ?? 0;
  // Told only: the machine may be busy with other tests.
  console.log(`a link is opened in ${median.toFixed(1)} ms (median of ${opened}; promised: ${median_promised_ms} ms)`);
});
