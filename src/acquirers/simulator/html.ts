// What all simulated pages have in common: escaped HTML, one shell that says that it is a test, headers that allow nothing
// but what the pages need. They work without JavaScript; with it, what only travels on goes on by itself.

import { readFileSync } from "node:fs";
import { decimal } from "../../domain/currency.ts";
import { escapedHtml } from "../../domain/html.ts";

export type Page = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body: HTML, except of the two assets. */
  readonly html: string;
};

/** HTML that is already escaped. */
export type Html = { readonly html: string };

type Value = string | Html | null;

/** A template whose texts are escaped; null is nothing. */
export const html = (parts: TemplateStringsArray, ...values: readonly Value[]): Html => ({
  html: String.raw(
    { raw: parts },
    ...values.map((value) => (value === null ? "" : typeof value === "string" ? escapedHtml(value) : value.html)),
  ),
});

type Shown = {
  readonly status?: number;
  readonly title: string;
  readonly main: Html;
  /** Where its form leads in the end, if that is not here. */
  readonly leads_to?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
};

/** A page may be framed by anybody, as issuers' and providers' are: the shop's own page may hold the window in a frame. */
export function page({ status = 200, title, main, leads_to = null, headers = {} }: Shown): Page {
  const whole = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="stylesheet" href="/simulator/simulator.css">
<script src="/simulator/submit.js" defer></script>
</head>
<body>
<main>
<p class="test">Test mode: no money moves</p>
<h1>${title}</h1>
${main}
</main>
</body>
</html>
`;
  const targets = leads_to === null ? "'self'" : `'self' ${sourceOf(leads_to)}`;
  return {
    status,
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Cache-Control": "no-store",
      "Content-Security-Policy": `default-src 'none'; style-src 'self'; script-src 'self'; form-action ${targets}; base-uri 'none'`,
      "Referrer-Policy": "no-referrer",
      "X-Content-Type-Options": "nosniff",
      ...headers,
    },
    html: whole.html,
  };
}

/** As a Content-Security-Policy names it: the origin, or the scheme of an app's own address. */
function sourceOf(url: string): string {
  if (!URL.canParse(url)) return "";
  const { origin, protocol } = new URL(url);
  return origin === "null" ? protocol : origin;
}

export const redirect = (url: string): Page => ({
  status: 303,
  headers: { Location: url, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer" },
  html: "",
});

/** A form that is sent on by itself where scripts run, and else by its button. */
export const sentOn = (url: string, name: string, value: string): Html =>
  html`<form method="post" action="${url}" data-submit>
<input type="hidden" name="${name}" value="${value}">
<button>Continue</button>
</form>`;

/** `249.00 DKK`; null where nothing is paid. */
export const price = (amount: number | null, currency: string | null): string | null =>
  amount === null || currency === null ? null : `${decimal(amount, currency)} ${currency}`;

const asset = (file: string, type: string): Page => ({
  status: 200,
  headers: { "Content-Type": type, "Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff" },
  html: readFileSync(new URL(file, import.meta.url), "utf8"),
});

export const assets: Readonly<Record<string, Page>> = {
  "/simulator/simulator.css": asset("simulator.css", "text/css; charset=utf-8"),
  "/simulator/submit.js": asset("submit.js", "text/javascript; charset=utf-8"),
};
