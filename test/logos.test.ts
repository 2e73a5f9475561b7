// The account's logos: one for the payment window, one for MobilePay.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Client, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { claiming, form, gif, jpeg, png, pngOf, svg, webp } from "./support/files.ts";
import { basic } from "./support/raw.ts";

let app: TestApp;
let shop: TestAccount;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
});
after(() => app.stop());

const put = (content: Buffer | string, logo_type?: string, call: Client = shop.owner) =>
  call("PUT", "/account/logo", { body: form(content, logo_type === undefined ? {} : { logo_type }) });

async function logo(query = "") {
  const headers = { Authorization: basic(shop.email, shop.password), "CoolPay-Account-Id": String(shop.id) };
  const answer = await fetch(`${app.url}/account/logo${query}`, { headers });
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
}

describe("a logo", () => {
  test("is not there at first: 404 and nothing in it", async () => {
    const { status, bytes } = await logo();
    assert.deepEqual([status, bytes.length], [404, 0]);
    const gone = await shop.owner("DELETE", "/account/logo");
    assert.deepEqual([gone.status, gone.body.message], [404, "Not found: No logo"]);
  });

  test("may be a PNG, JPEG, GIF or SVG image, and comes back as it was put, in its type", async () => {
    for (const [content, type] of [
      [png, "image/png"],
      [jpeg, "image/jpeg"],
      [gif, "image/gif"],
      [svg, "image/svg+xml; charset=UTF-8"],
    ] as const) {
      const answer = await put(content);
      assert.deepEqual([answer.status, answer.text], [204, ""], type);
      const { status, headers, bytes } = await logo();
      assert.deepEqual([status, headers.get("content-type"), bytes], [200, type, Buffer.from(content)]);
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.match(headers.get("content-security-policy") ?? "", /sandbox$/);
    }
  });

  test("of the payment window and of MobilePay are two; the first is meant where none is named", async () => {
    const [large, small] = [pngOf(250, 250), pngOf(2, 2)];
    assert.deepEqual([(await put(small)).status, (await put(large, "mobilepay")).status], [204, 204]);
    assert.deepEqual((await logo()).bytes, small);
    assert.deepEqual((await logo("?logo_type=payment_window")).bytes, small);
    assert.deepEqual((await logo("?logo_type=mobilepay")).bytes, large);
    assert.equal((await shop.owner("DELETE", "/account/logo?logo_type=mobilepay")).status, 204);
    assert.deepEqual([(await logo("?logo_type=mobilepay")).status, (await logo()).status], [404, 200]);
    for (const method of ["PUT", "DELETE"]) {
      const sent = method === "PUT" ? { body: form(png) } : {};
      const wrong = await shop.owner(method, "/account/logo?logo_type=vipps", sent);
      assert.deepEqual([wrong.status, wrong.body.errors], [400, { logo_type: ["does not have a valid value"] }]);
    }
    const unknown = await logo("?logo_type=vipps");
    assert.deepEqual([unknown.status, unknown.bytes.length], [400, 0]);
  });

  test("for MobilePay is a PNG image of 250 by 250, by what its header says", async () => {
    const damaged = pngOf(250, 250);
    damaged.write("IDAT", 12, "latin1");
    for (const content of [pngOf(250, 251), pngOf(249, 250), png.subarray(0, 20), jpeg, svg, "", damaged]) {
      const { status, body } = await put(content, "mobilepay");
      assert.deepEqual([status, body.errors], [400, { file: ["must be a PNG image of 250x250"] }]);
    }
    assert.equal((await logo("?logo_type=mobilepay")).status, 404);
  });

  test("that is no image, holds script or is too large is refused, and the old one stays", async () => {
    await put(gif);
    for (const content of ["", "alert(1)", webp, "<html>", '<svg onload="a()"/>', "<svg><script/></svg>"]) {
      const { status, body } = await put(content);
      assert.deepEqual([status, body.errors], [400, { file: ["is not a PNG, JPEG, GIF or SVG image"] }]);
    }
    const large = await put(Buffer.concat([png, Buffer.alloc(524_288)]));
    assert.deepEqual([large.status, large.body.errors], [400, { file: ["is too large"] }]);
    const claims = await put(claiming.png(30_000, 30_000));
    assert.deepEqual([claims.status, claims.body.errors], [400, { file: ["is too large"] }]);
    const missing = await shop.owner("PUT", "/account/logo", { body: { logo_type: "mobilepay" } });
    assert.deepEqual([missing.status, missing.body.errors], [400, { file: ["is missing"] }]);
    assert.deepEqual((await logo()).bytes, gif);
  });

  test("is written down when it changes, and is the account's own", async () => {
    const other = await app.newAccount();
    await put(png, undefined, other.owner);
    await put(gif, undefined, other.owner);
    await put(gif, undefined, other.owner);
    await other.owner("DELETE", "/account/logo");
    const { body } = await other.owner("GET", "/activity?page_size=3");
    assert.deepEqual(
      body.map(({ action, target_type, target_id, changes }: Record<string, unknown>) => [
        action,
        target_type,
        target_id,
        (changes as Record<string, unknown>).logo_payment_window_size,
      ]),
      [
        ["logo", "Account", other.id, [gif.length, null]],
        ["logo", "Account", other.id, [png.length, gif.length]],
        ["logo", "Account", other.id, [null, png.length]],
      ],
    );
    assert.deepEqual((await logo()).bytes, gif);
    assert.equal((await shop.call("PUT", "/account/logo", { body: form(png) })).status, 403);
  });
});
