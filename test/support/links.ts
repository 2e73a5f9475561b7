// Payments, subscriptions, cards and payouts with a link to the window.

import assert from "node:assert/strict";
import type { TestAccount } from "./app.ts";

export const urls = { continue_url: "https://shop.example/ok", cancel_url: "https://shop.example/no" };

export type Linked = {
  readonly id: number;
  readonly url: string;
  /** The transaction as the API shows it. */
  // biome-ignore lint/suspicious/noExplicitAny: as the API answers it
  readonly read: () => Promise<any>;
};

export type Folder = "payments" | "subscriptions" | "cards" | "payouts";

let orders = 0;

/** Makes one of them with the shop's API key; `link` and `made` add to what is sent. */
export const linker =
  (shop: Pick<TestAccount, "call">) =>
  async (link: object = {}, made: object = {}, folder: Folder = "payments"): Promise<Linked> => {
    orders += 1;
    const named = folder === "cards" ? {} : { order_id: `window-${orders}`, currency: "DKK" };
    const described = folder === "subscriptions" ? { description: "Monthly tea box" } : {};
    const { status, text, body } = await shop.call("POST", `/${folder}`, { body: { ...named, ...described, ...made } });
    assert.equal(status, 201, text);
    const amount = folder === "cards" ? {} : { amount: 24_900 };
    const put = await shop.call("PUT", `/${folder}/${body.id}/link`, { body: { ...amount, ...urls, ...link } });
    assert.equal(put.status, 200, put.text);
    return { id: body.id, url: put.body.url, read: async () => (await shop.call("GET", `/${folder}/${body.id}`)).body };
  };
