// A small shop to try the window with, for `coolpay start` alone: it makes a payment through the API as any shop does, and
// sends the shopper to its link.

import { randomInt } from "node:crypto";
import type { Services } from "../services/services.ts";
import { standardBranding } from "./branding.ts";
import type { CallApi } from "./form-post.ts";
import { type Answer, document, pageHeaders, seeOther, titleOf } from "./page.ts";

export type Demo = {
  /** The demo merchant's API user's; null where there is none (any more). */
  readonly apiKey: () => Promise<string | null>;
  readonly callApi: CallApi;
};

type Choice = { readonly name: string; readonly says: string };

const goods: readonly (Choice & { readonly amount: number; readonly price: string })[] = [
  { name: "cup", says: "A blue cup", amount: 24_900, price: "249,00 kr." },
  { name: "bowl", says: "A bowl for two", amount: 59_900, price: "599,00 kr." },
  { name: "spoon", says: "A wooden spoon", amount: 4_900, price: "49,00 kr." },
];

const ways: readonly (Choice & { readonly payment_methods: string })[] = [
  { name: "all", says: "Cards and MobilePay", payment_methods: "creditcard, mobilepay" },
  { name: "cards", says: "Cards", payment_methods: "creditcard" },
  { name: "three_d_secure", says: "Cards with 3-D Secure", payment_methods: "3d-creditcard" },
];

const kinds: readonly (Choice & { readonly folder: "payments" | "subscriptions" | "cards" })[] = [
  { name: "payment", says: "Pay once", folder: "payments" },
  { name: "subscription", says: "Subscribe", folder: "subscriptions" },
  { name: "card", says: "Save a card", folder: "cards" },
];

const spoken: readonly Choice[] = [
  { name: "en", says: "English" },
  { name: "da", says: "Dansk" },
  { name: "de", says: "Deutsch" },
  { name: "sv", says: "Svenska" },
];

const options = (name: string, label: string, choices: readonly Choice[]): string =>
  `<p class="field"><label for="${name}">${label}</label><select class="input" id="${name}" name="${name}">${choices
    .map((choice) => `<option value="${choice.name}">${choice.says}</option>`)
    .join("")}</select></p>`;

const shop = (): string => `
<div class="window"><header class="shop"><p class="shop-name">Kop og Kande</p></header><main class="columns"><div class="panel">
<div class="content"><h1>Demo shop</h1>
<p>Nothing here is real: pay with the test cards that the next page shows.</p>
<form method="post" action="/demo">
${options(
  "goods",
  "What",
  goods.map(({ name, says, price }) => ({ name, says: `${says}, ${price}` })),
)}
${options("kind", "How", kinds)}
${options("way", "With", ways)}
${options("language", "In", spoken)}
<p><button class="button" type="submit">To the payment window</button></p>
</form></div></div></main></div>`;

const told = (title: string, text: string): string => `
<div class="window"><header class="shop"><p class="shop-name">Kop og Kande</p></header><main class="columns"><div class="panel">
<div class="content"><h1>${title}</h1><p>${text}</p><p><a class="button" href="/demo">Back to the demo shop</a></p>
</div></div></main></div>`;

function shown({ addresses }: Services, body: string, status = 200): Answer {
  const branding = standardBranding("en");
  const about = { branding, title: "Demo shop", session_id: null, leave: null, layout: "layout" } as const;
  const { window_url } = addresses;
  const headers = pageHeaders({ framed: false, session_id: null, is_uploaded: false, frames: false, window_url });
  const title = titleOf(body, about.title);
  return { status, headers, body: document({ ...about, title }, body, false) };
}

/** `POST` begins a payment; below `/demo` the shopper comes back. */
export async function demoPage(
  services: Services,
  { apiKey, callApi }: Demo,
  { path, form }: { readonly path: string; readonly form: Readonly<Record<string, unknown>> | null },
): Promise<Answer> {
  if (path === "/demo/thanks")
    return shown(
      services,
      told("Thank you", "That is done, as far as a test does anything, and the shop has been told."),
    );
  if (path === "/demo/cancelled") return shown(services, told("Not this time", "Nothing was paid."));
  if (form === null) return shown(services, shop());

  const chosen = <C extends Choice>(name: string, choices: readonly [C, ...C[]] | readonly C[]): C => {
    const found = choices.find((choice) => choice.name === form[name]) ?? choices[0];
    if (found === undefined) throw new Error("there is always a first choice");
    return found;
  };
  const api_key = await apiKey();
  if (api_key === null) return shown(services, told("No demo shop", "The demo merchant is not there any more."), 404);
  const { folder } = chosen("kind", kinds);
  const { amount, says } = chosen("goods", goods);
  const call = (method: "POST" | "PUT", at: string, body: object) =>
    callApi({ method, path: at, api_key, version: "v10", body: { ...body } });
  const order = { order_id: `demo-${randomInt(1e9)}`, currency: "DKK" };
  const made = await call("POST", `/${folder}`, {
    ...(folder !== "cards" && order),
    ...(folder === "subscriptions" && { description: says }),
    ...(folder === "payments" && {
      basket: [{ qty: 1, item_no: "1", item_name: says, item_price: amount, vat_rate: 0.25 }],
    }),
  });
  const { id } = (made.body ?? {}) as { id?: number };
  const { window_url } = services.addresses;
  const link = await call("PUT", `/${folder}/${id}/link`, {
    ...(folder !== "cards" && { amount }),
    payment_methods: chosen("way", ways).payment_methods,
    language: chosen("language", spoken).name,
    continue_url: `${window_url}/demo/thanks`,
    cancel_url: `${window_url}/demo/cancelled`,
  });
  const { url } = (link.body ?? {}) as { url?: string };
  return url === undefined ? shown(services, told("That did not work", "The API refused it."), 500) : seeOther(url);
}
