// A page as it leaves: the document around what a branding's templates make, and the headers that it is served with. The
// wall against script in brandings is the policy here, whatever an upload was searched for (Content Security Policy
// Level 3; PCI DSS 6.4.3).

import { escapedHtml } from "../domain/html.ts";
import { renderPage } from "../services/liquid.ts";
import type { Services } from "../services/services.ts";
import type { Rendered } from "../services/template-page.ts";
import { type Branding, standardBranding } from "./branding.ts";
import { scriptTag } from "./scripts.ts";
import { standard_templates } from "./standard.ts";
import { completed, harmless, modelFor, wordsOf } from "./uploaded.ts";

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
};

export type Page = {
  readonly status: number;
  /** Of the template: `form`, `error`, `form/3ds_auth`, … */
  readonly name: string;
  /** `layout_redirect`: the shopper is sent on at once. */
  readonly layout: "layout" | "layout_redirect";
  readonly model: Readonly<Record<string, unknown>>;
  readonly branding: Branding;
  /** Pieces of HTML that are ready. */
  readonly parts?: Readonly<Record<string, string>>;
  readonly title: string;
  readonly session_id: string | null;
  /** Where the shopper is sent without being asked. */
  readonly leave: string | null;
  /** Time to read before that. */
  readonly leave_after_s?: number;
  /** Who may show it in a frame: anybody, only a page of our own, or nobody. */
  readonly framed: boolean | "by us";
  /** What the script reads of the body beside that: `polls`, `tell`, `break-out`. */
  readonly data?: Readonly<Record<string, string>>;
  /** Without script the page is asked for again after so many seconds. */
  readonly refresh_s?: number;
  /** Origins, beside our own, that its forms and frames may lead to. */
  readonly origins?: readonly string[];
  /** Scripts beside the window's. */
  readonly scripts?: readonly "work.js"[];
  /** Nobody pays here: without script, and in a frame of the manager's alone. */
  readonly preview?: { readonly framed_by: string };
};

/** With the branding's templates; where these fail, with ours. */
export async function htmlOf({ templates, log }: Pick<Services, "templates" | "log">, page: Page): Promise<string> {
  const { branding, layout, name } = page;
  const { uploaded } = branding;
  if (uploaded === null) return ourDocument(page, ours(page));
  const { account_id, id, files_version } = uploaded;
  const whose = { account_id, work: `${id}/${files_version}/${layout}/${name}/${page.model.form_template ?? ""}` };
  const rendered: Rendered = await templates
    .render(asked({ ...page, model: modelFor(page) }, branding.templates), whose)
    .catch((error: unknown) => ({ why: String(error) }));
  const html = "html" in rendered ? completed(page, harmless(rendered.html)) : null;
  if (html !== null) return document(isOurs(page) ? { ...page, title: titleOf(html, page.title) } : page, html, true);
  const why = "why" in rendered ? rendered.why : "has no form that posts to form_action";
  log.warn({ account_id, branding: id, template: name, why }, "a branding's template failed: ours stands in");
  // As a whole, with our stylesheet; and without what was typed, should the next one be the merchant's again.
  const { stylesheet } = standardBranding(branding.text_language);
  const whole = { ...page, model: { ...page.model, entered: {} }, branding: { ...branding, stylesheet } };
  return ourDocument(whole, (page.preview === undefined ? "" : complaint(why)) + ours(whole));
}

const ourDocument = (page: About, body: string): string =>
  document({ ...page, title: titleOf(body, page.title) }, body, false);

/** In a branding that has no template of its own for this page. */
function isOurs({ layout, name, model, branding }: Page): boolean {
  const names = [layout, name, ...(name === "form" ? [String(model.form_template)] : [])];
  return names.every((each) => branding.templates[each] === standard_templates[each]);
}

const complaint = (why: string): string =>
  `<p role="alert">This template cannot be shown: it ${escapedHtml(why)}. Shoppers see this page of the standard branding.</p>\n`;

const asked = ({ layout, name, model, branding, parts = {} }: Page, templates: Branding["templates"]) => {
  const { config, images, texts: translations } = branding;
  return { name: layout, templates, model: { ...model, page: name }, config, images, parts, translations };
};

const ours = (page: Page): string => renderPage(asked(page, standard_templates));

type About = Pick<Page, "branding" | "title" | "session_id" | "layout" | "leave"> &
  Partial<Pick<Page, "leave_after_s" | "refresh_s" | "scripts" | "data" | "preview">>;

/** What stands around a page's body. */
export function document(page: About, body: string, is_uploaded: boolean): string {
  const { branding, title, session_id, layout, leave, leave_after_s = 0, refresh_s, preview, scripts = [] } = page;
  const stylesheet = layout === "layout" ? "paymentwindow.css" : "paymentwindow_redirect.css";
  // Uploaded templates name addresses as they would stand on the original's root.
  const base = is_uploaded ? '<base href="/">\n' : "";
  const again =
    leave !== null
      ? `${leave_after_s + 1};url=${escapedHtml(leave)}`
      : refresh_s !== undefined
        ? `${refresh_s};url=/${session_id}`
        : null;
  const refresh = again === null ? "" : `<noscript><meta http-equiv="refresh" content="${again}"></noscript>\n`;
  const run = preview === undefined ? ["paymentwindow.js", ...scripts].map(scriptTag).join("\n") : "";
  const data = Object.entries({
    ...(session_id !== null && { session: session_id }),
    ...(leave !== null && { leave }),
    ...(leave_after_s > 0 && { "leave-after": String(leave_after_s) }),
    ...(branding.config.autojump === true && { autojump: "" }),
    ...page.data,
  }).map(([name, value]) => ` data-${name}="${escapedHtml(value)}"`);
  return `<!doctype html>
<html lang="${escapedHtml(branding.text_language)}" dir="ltr">
<head>
<meta charset="utf-8">
${base}<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapedHtml(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${escapedHtml(branding.stylesheet(stylesheet))}">
${refresh}${run}
</head>
<body${data.join("")}>
${body}
</body>
</html>
`;
}

/** What a page is about comes first, for who hears its title or looks for a tab (WCAG 2.2, 2.4.2). */
export function titleOf(body: string, title: string): string {
  const [, after = ""] = body.split("<h1>", 2);
  const heading = wordsOf(after.split("</h1>", 1)[0] ?? "");
  return [...new Set([heading, title])].filter((part) => part !== "").join(" - ");
}

type Shown = Pick<Page, "framed" | "origins" | "session_id" | "preview"> & {
  readonly is_uploaded: boolean;
  /** The issuer's pages are shown in it. */
  readonly frames: boolean;
  readonly window_url: string;
};

/** The session tells whose page it was. */
const reportsPath = (session_id: string | null): string =>
  session_id === null ? "/csp-reports" : `/csp-reports/${session_id}`;
const hsts_s = 63_072_000;

/**
 * What every page is served with. `style=""` is allowed where uploaded templates are shown: they carry it. A merchant's stylesheet
 * can tell what is typed (`:valid`, `[value*=…]`) by what it loads: there nothing is loaded but files, which nobody hears of.
 */
export function pageHeaders({
  framed,
  origins = [],
  session_id,
  preview,
  is_uploaded,
  frames,
  window_url,
}: Shown): Record<string, string> {
  const others = origins.map((origin) => ` ${origin}`).join("");
  const files = is_uploaded ? `${window_url}/assets/` : "'self'";
  const pictures = is_uploaded && session_id !== null ? `${files} ${window_url}/${session_id}/logo` : files;
  const secure = window_url.startsWith("https:");
  const policy = [
    "default-src 'none'",
    `script-src ${preview === undefined ? "'self'" : "'none'"}`,
    `style-src ${files}`,
    ...(is_uploaded ? ["style-src-attr 'unsafe-inline'"] : []),
    `img-src ${pictures} data:`,
    `font-src ${files}`,
    "connect-src 'self'",
    `frame-src ${frames ? `'self'${others}` : "'none'"}`,
    `form-action 'self'${others}`,
    `base-uri ${is_uploaded ? "'self'" : "'none'"}`,
    `frame-ancestors ${preview?.framed_by ?? (framed === true ? "*" : framed ? "'self'" : "'none'")}`,
    `report-uri ${reportsPath(session_id)}`,
    "report-to csp",
  ];
  return {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": policy.join("; "),
    "Reporting-Endpoints": `csp="${reportsPath(session_id)}"`,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), usb=()",
    ...(framed === true || preview ? {} : { "X-Frame-Options": framed ? "SAMEORIGIN" : "DENY" }),
    ...(preview && { "X-Robots-Tag": "noindex, nofollow" }),
    ...(secure ? { "Strict-Transport-Security": `max-age=${hsts_s}` } : {}),
  };
}

export async function answerWith(services: Services, page: Page): Promise<Answer> {
  const body = await htmlOf(services, page);
  const { framed, origins, session_id, preview, branding, status, name } = page;
  const { window_url } = services.addresses;
  const is_uploaded = branding.uploaded !== null;
  const frames = name.startsWith("form/3ds_");
  return {
    status,
    headers: pageHeaders({ framed, origins, session_id, preview, is_uploaded, frames, window_url }),
    body,
  };
}

/** After a form: the next page is asked for anew, so that loading it again repeats nothing. */
export const seeOther = (location: string): Answer => ({
  status: 303,
  headers: { Location: location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer" },
  body: "",
});
