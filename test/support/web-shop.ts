// A shop on the web as a browser meets it: pages on an origin of its own, one of them with the window in a frame.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

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
