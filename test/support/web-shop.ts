// A shop on the web as a browser meets it: pages on an origin of its own, one of them with the window in a frame. What it
// sells is ordered through the API.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestAccount } from "./app.ts";

export type Kind = "payments" | "subscriptions" | "cards" | "payouts";

// biome-ignore lint/suspicious/noExplicitAny: as the API answers it
type Read = () => Promise<any>;

export type Order = {
  readonly id: number;
  readonly url: string;
  readonly read: Read;
  /** Changes the link's terms. */
  readonly change: (link: object) => Promise<void>;
};

export type WebShop = {
  /** Of another host than the window's. */
  readonly origin: string;
  readonly urls: { readonly continue_url: string; readonly cancel_url: string };
  /** A page of the shop around the window; `sandbox`: the frame's. */
  readonly framing: (url: string, sandbox?: string) => string;
  /** A page of the shop whose button posts these fields there. */
  readonly posting: (url: string, fields: Readonly<Record<string, string>>) => string;
  readonly close: () => Promise<void>;
};

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;");

const page = (title: string, main: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title><link rel="icon" href="data:,"></head>
<body><main><h1>${title}</h1>${main}</main></body></html>`;

export async function openWebShop(): Promise<WebShop> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    const src = escaped(searchParams.get("src") ?? "");
    const sandbox = searchParams.get("sandbox");
    const fields = Object.entries(JSON.parse(searchParams.get("fields") ?? "{}") as Record<string, string>);
    const pages: Readonly<Record<string, string>> = {
      "/ok": page("Your order is placed", ""),
      "/no": page("Your basket", ""),
      "/checkout": page(
        "Checkout",
        `<iframe title="Payment" width="480" height="900" src="${src}"${sandbox === null ? "" : ` sandbox="${escaped(sandbox)}"`}></iframe>`,
      ),
      "/basket": page(
        "Basket",
        `<form method="post" action="${src}">${fields
          .map(([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`)
          .join("")}<button>Go to payment</button></form>`,
      ),
    };
    const html = pages[pathname];
    response.writeHead(html === undefined ? 404 : 200, { "Content-Type": "text/html; charset=utf-8" });
    response.end(html ?? page("Nothing here", ""));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  const at = (path: string, query: Readonly<Record<string, string>>) =>
    `${origin}${path}?${new URLSearchParams(query)}`;
  return {
    origin,
    urls: { continue_url: `${origin}/ok`, cancel_url: `${origin}/no` },
    framing: (src, sandbox) => at("/checkout", { src, ...(sandbox !== undefined && { sandbox }) }),
    posting: (src, fields) => at("/basket", { src, fields: JSON.stringify(fields) }),
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

let orders = 0;

type Wanted = { readonly kind?: Kind; readonly link?: object; readonly body?: object };

/** Something to pay 249 crowns for, unless it is said otherwise, with its link. */
export async function order({ call }: TestAccount, { kind = "payments", link, body }: Wanted): Promise<Order> {
  orders += 1;
  const named = kind === "cards" ? {} : { order_id: `${10_000 + orders}`, currency: "DKK" };
  const description = kind === "subscriptions" ? { description: "Coffee every month" } : {};
  const made = await call("POST", `/${kind}`, { body: { ...named, ...description, ...body } });
  assert.equal(made.status, 201, made.text);
  const path = `/${kind}/${made.body.id}`;
  const put = async (terms: object) => {
    const answer = await call("PUT", `${path}/link`, { body: terms });
    assert.equal(answer.status, 200, answer.text);
    return answer.body.url as string;
  };
  const terms = { ...(kind !== "cards" && { amount: 24_900 }), ...link };
  return {
    id: made.body.id,
    url: await put(terms),
    read: async () => (await call("GET", path)).body,
    change: async (changed) => void (await put({ ...terms, ...changed })),
  };
}
