// Pages with a merchant's templates: brandings for the original know fewer things than the window has to say (reference:
// branding-templates). Here these are put in words that such templates print, and what none of them has a place for is put
// into the page: the words where the template was silent, the fields of the proof of work, buttons for who has no script.

import { renderPage } from "../services/liquid.ts";
import type { Branding } from "./branding.ts";
import type { Page } from "./page.ts";
import { standard_templates } from "./standard.ts";

type Model = Page["model"];

/** What the original has said of a form, and of an error page. */
const known_errors: Readonly<Record<"form" | "error", ReadonlySet<unknown>>> = {
  form: new Set(["try_again", "live_payment_on_test_transaction", "test_payment_on_live_transaction"]),
  error: new Set([
    ...["already_paid", "continue_to_shop", "try_again", "unable_to_complete"],
    ...["secure_3d_auth_failed", "secure_3d_auth_failed_other_options", "secure_3d_not_enrolled"],
    ...["payment_link_changed", "payment_link_changed_link"],
  ]),
};

/** With one of our own templates, in the branding's texts. */
const byUs = (name: string, model: Model, { config, images, texts: translations }: Branding): string =>
  renderPage({ name, templates: standard_templates, model, config, images, translations });

// What leads on has its own place in a branding's error page.
const without_buttons = { retry: false, start_over_url: null, continue_url: null, description: null };

/** An error that a branding for the original has no words for, as ours has it: HTML. Null where there is none. */
function unknownError({ name, model, branding }: Page): string | null {
  const { error } = model;
  const place = name === "error" ? "error" : "form";
  if (typeof error !== "string" || known_errors[place].has(error)) return null;
  return place === "error"
    ? byUs("error", { ...model, ...without_buttons }, branding)
    : byUs("form/error", model, branding);
}

/**
 * The model as uploaded templates are told it: `error` is one that the original has, `error_message` says the rest, and
 * `reason` is what our own templates go by where they stand in for one that is missing.
 */
export function modelFor(page: Page): Model {
  const { name } = page;
  // A template may print what it is told anywhere, in an address too: a card's number is not told.
  const model: Model = { ...page.model, entered: {} };
  // What the original calls so on this page is of the error, not of the payment.
  const shown = name === "error" ? { ...model, description: null } : model;
  const ours = unknownError(page);
  if (ours === null) return shown;
  const error_message = wordsOf(ours);
  const said = { reason: model.error, error_message, acquirer_error_message: error_message };
  return name === "error"
    ? { ...shown, ...said, error: "unable_to_complete", description: error_message }
    : { ...shown, ...said, error: "try_again" };
}

/**
 * The rendered page with what its templates have no place for. Null where the card form has to carry a proof of work and
 * cannot be found: then the page cannot be paid with.
 */
export function completed(page: Page, html: string): string | null {
  const ours = unknownError(page);
  const silent = ours !== null && !wordsOf(html).includes(wordsOf(ours));
  const before = silent && ours !== null ? `<div class="alert" role="alert">${escaped(wordsOf(ours))}</div>\n` : "";
  const after = `${withoutScript(page)}${onwards(page, html)}${wayOut(page, html)}`;
  const paid = withOwnFields(page, html);
  const patience = noscriptIn(ours ?? "");
  return paid === null ? null : before + (html.includes(patience) ? "" : patience) + paid + after;
}

/**
 * Without what leads a browser elsewhere, or tells the next page of this one: no policy forbids that, and a template may build
 * it when it is rendered, whatever was looked for in the upload.
 */
export const harmless = (html: string): string =>
  html.replace(/<(?=meta[\s/>])/gi, "&lt;").replace(/\breferrerpolicy\b/gi, "data-$&");

/** Published forms of 3-D Secure have no button: the script sends them. */
function withoutScript({ name, model, branding }: Page): string {
  const is_own = branding.templates[name] !== standard_templates[name];
  return is_own && name.startsWith("form/3ds_") ? `\n<noscript>${byUs(name, model, branding)}</noscript>` : "";
}

/** The way to a provider, where a template only asks, or posts what our providers do not: Swish's and ViaBill's do. */
function onwards({ name, model, branding }: Page, html: string): string {
  const { redirect_url, form_template } = model;
  if (name !== "form" || typeof redirect_url !== "string" || redirect_url === "") return "";
  const address = redirect_url.replaceAll("&", "&amp;");
  const leads = [`href="${address}"`, `href='${address}'`].some((link) => html.includes(link));
  return leads ? "" : `\n${byUs(String(form_template), model, branding)}`;
}

/** Where an error page of the original only says what is the matter: to start over, or back to the shop. */
function wayOut({ name, model, branding }: Page, html: string): string {
  const { link_url } = model;
  if (name !== "error" || typeof link_url !== "string" || link_url === "") return "";
  return html.includes(`"${link_url.replaceAll("&", "&amp;")}"`) ? "" : `\n${byUs("error_link", model, branding)}`;
}

/**
 * The window's own fields in the form that posts to `form_action`: which fee was shown, and those of `work.js`. Null where a
 * proof of work has no form to be in.
 */
function withOwnFields({ model, branding }: Page, html: string): string | null {
  const has = (name: string): boolean => new RegExp(`\\sname=["']?${name}\\b`).test(html);
  const own = [
    ...(model.calculate_fee && !has("fee") ? ["form/fee"] : []),
    ...(model.work && !has("work_id") ? ["form/work"] : []),
  ];
  if (own.length === 0) return html;
  // Searched for once each: a template may print anything any number of times.
  const action = html.search(new RegExp(`${String(model.form_action).slice(1)}(?=["'\\s>])`));
  const begin = html.lastIndexOf("<form", action);
  const end = html.indexOf(">", begin);
  if (action < 0 || begin < 0 || end < action) return model.work ? null : html;
  const fields = own.map((name) => byUs(name, model, branding)).join("\n");
  return `${html.slice(0, end + 1)}\n${fields}${html.slice(end + 1)}`;
}

/** What only a browser without script shows. */
function noscriptIn(html: string): string {
  const [begin, end] = [html.indexOf("<noscript>"), html.indexOf("</noscript>")];
  return begin < 0 ? "" : `${html.slice(begin, end)}</noscript>`;
}

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
const escaped = (text: string): string => text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** What a reader sees, in one line. The time it takes grows with the length alone, whatever stands in it. */
export function wordsOf(html: string): string {
  const seen = html
    .split("<noscript>")
    .map((part, at) => (at === 0 ? part : part.slice(part.indexOf("</noscript>") + 1)));
  return seen
    .join("<")
    .split("<")
    .map((part, at) => (at === 0 ? part : part.slice(part.indexOf(">") + 1)))
    .join(" ")
    .replace(/&(amp|lt|gt|quot|#39);/g, (all, name) => entities[name] ?? all)
    .replace(/\s+/g, " ")
    .trim();
}
