// The payment window for a shopper without script: links, the form, what is wrong with it, and what the shop sees.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { follow, submit, typed, visit } from "./support/shopper.ts";

type Operation = Readonly<Record<string, unknown>>;

let app: TestApp;
let shop: TestAccount;
let orders = 0;

before(async () => {
  app = await startApp();
  shop = await app.newAccount();
});
after(() => app.stop());

const urls = { continue_url: "https://shop.example/ok", cancel_url: "https://shop.example/no" };

// biome-ignore lint/suspicious/noExplicitAny: as the API answers it
type Made = { readonly id: number; readonly url: string; readonly read: () => Promise<any> };

/** A payment with a link. */
async function linked(
  link: object = {},
  payment: object = {},
  folder = "payments",
): Promise<Made> {
  orders += 1;
  const order_id = folder === "cards" ? {} : { order_id: `window-${orders}`, currency: "DKK" };
  const made = await shop.call("POST", `/${folder}`, { body: { ...order_id, ...payment } });
  assert.equal(made.status, 201, made.text);
  const { id } = made.body;
  const amount = folder === "cards" ? {} : { amount: 24_900 };
  const put = await shop.call("PUT", `/${folder}/${id}/link`, { body: { ...amount, ...urls, ...link } });
  assert.equal(put.status, 200, put.text);
  return { id, url: put.body.url, read: async () => (await shop.call("GET", `/${folder}/${id}`)).body };
}

describe("a link", () => {
  test("is opened, paid and then says so", async () => {
    const { url, read } = await linked();
    const page = await visit(url);
    assert.equal(page.status, 200);
    assert.match(page.text, /Kop og Kande/);
    assert.match(page.text, /Pay DKK 249\.00|Pay 249/);
    const paid = await submit(page, typed("1000000000000008"), /\/pay$/);
    assert.equal(paid.status, 200, paid.text);
    assert.match(paid.text, /Thank you/);
    assert.match(paid.html, /data-leave="https:\/\/shop\.example\/ok"/);
    const payment = await read();
    assert.equal(payment.state, "new");
    assert.equal(payment.operations.length, 1);
    assert.equal(payment.operations[0].amount, 24_900);
    assert.equal(payment.metadata.last4, "0008");
    const again = await visit(url);
    assert.equal(again.status, 200);
    assert.match(again.text, /already paid/);
  });

  test("a declined card keeps the form but not the CVD, and another card pays", async () => {
    const { url, read } = await linked();
    const declined = await submit(await visit(url), typed("1000000000000016"), /\/pay$/);
    assert.match(declined.text, /declined/);
    assert.match(declined.html, /value="1000 0000 0000 0016"/);
    assert.doesNotMatch(declined.html, /name="cvd"[^>]*value="208"/);
    const paid = await submit(declined, typed("1000000000000008"), /\/pay$/);
    assert.match(paid.text, /Thank you/);
    assert.deepEqual(
      (await read()).operations.map((o: Operation) => o.qp_status_code),
      ["40000", "20000"],
    );
  });

  test("30100 restarts with 3-D Secure, and a challenge passes", async () => {
    const { url, read } = await linked();
    const wants = await submit(await visit(url), typed("1000000000000073"), /\/pay$/);
    assert.match(wants.html, /3ds_auth_form/);
    const challenge = await submit(wants, {}, /3ds-auth$/);
    assert.match(challenge.html, /3ds_challenge_form/);
    const bank = await submit(challenge, {}, /simulator\/3ds\/challenge/);
    const answered = await submit(bank, { answer: "approve" });
    const back = await submit(answered, {}, /3ds-result$/);
    const paid = await follow(back, /./);
    assert.match(paid.text, /Thank you/);
    const payment = await read();
    assert.deepEqual(
      payment.operations.map((o: Operation) => [o.qp_status_code, o["3d_secure_status"]]),
      [
        ["30100", null],
        ["20000", "Y"],
      ],
    );
    assert.equal(payment.metadata.is_3d_secure, true);
    assert.equal(payment.metadata["3d_secure_type"], "challenge");
  });
});
