// A shopper whose browser runs no script: opens pages, fills in their forms and presses their buttons, by what the HTML says.
// Each comes from an address of her own, as a proxy in front would tell it: the app must trust 127.0.0.1.

import assert from "node:assert/strict";

export type Form = {
  readonly action: string;
  readonly method: "GET" | "POST";
  /** What is filled in already, hidden fields among it. */
  readonly fields: Readonly<Record<string, string>>;
};

export type Page = {
  readonly status: number;
  readonly headers: Headers;
  readonly url: string;
  readonly html: string;
  /** What a reader sees: without tags, in one line. */
  readonly text: string;
  readonly forms: readonly Form[];
  /** Where the shopper sits. */
  readonly address: string;
  readonly links: readonly { readonly href: string; readonly text: string }[];
};

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", nbsp: " " };
const plain = (html: string): string => html.replace(/&(#39|\w+);/g, (all, name) => entities[name] ?? all);

function attributesOf(tag: string): Record<string, string> {
  const found = [...tag.matchAll(/([\w-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'))?/g)].slice(1);
  return Object.fromEntries(found.map(([, name = "", double, single]) => [name, plain(double ?? single ?? "")]));
}

function formIn([, tag = "", inner = ""]: RegExpMatchArray, url: string): Form {
  const { action = "", method = "get" } = attributesOf(`form ${tag}`);
  const fields = [...inner.matchAll(/<input\b[^>]*>/g)]
    .map(([input]) => attributesOf(input.slice(1)))
    .filter(({ type = "text" }) => !["radio", "checkbox", "submit", "button"].includes(type))
    .flatMap(({ name, value = "" }) => (name === undefined ? [] : [[name, value]]));
  return {
    action: new URL(action, url).href,
    method: method.toLowerCase() === "post" ? "POST" : "GET",
    fields: Object.fromEntries(fields),
  };
}

const hops_max = 5;

type Sent = {
  readonly method?: string;
  readonly body?: URLSearchParams;
  readonly headers?: Record<string, string>;
  /** Another one each time, unless it is said. */
  readonly address?: string;
};

let shoppers = 0;
const newAddress = (): string => {
  shoppers += 1;
  return `203.${(shoppers >> 16) & 255}.${(shoppers >> 8) & 255}.${shoppers & 255}`;
};

/** Goes where it is sent on to, as browsers do; stops at the first page of another origin. */
export async function visit(url: string, { address = newAddress(), ...sent }: Sent = {}): Promise<Page> {
  let [at, ask]: [string, Sent] = [url, sent];
  for (let hops = 0; hops < hops_max; hops++) {
    const { method = "GET", body } = ask;
    const headers = { "X-Forwarded-For": address, ...ask.headers };
    const response = await fetch(at, { method, headers, ...(body && { body }), redirect: "manual" });
    const to = response.headers.get("location");
    assert.equal(response.headers.get("set-cookie"), null, "the window sets no cookie");
    if (to === null) return pageOf(response, at, address);
    at = new URL(to, at).href;
    ask = { method: "GET" };
  }
  throw new Error(`${url} leads round in a circle`);
}

async function pageOf(response: Response, url: string, address: string): Promise<Page> {
  const html = await response.text();
  const base = /<base href="([^"]*)"/.exec(html)?.[1];
  const root = base === undefined ? url : new URL(base, url).href;
  const body = html.replace(/^[\s\S]*<body/, "<body").replace(/<details[\s\S]*?<\/details>/g, "");
  return {
    status: response.status,
    headers: response.headers,
    url,
    address,
    html,
    text: plain(body.replace(/<[^>]*>/g, " "))
      .replace(/[\s\u202f]+/g, " ")
      .trim(),
    forms: [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map((match) => formIn(match, root)),
    links: [...html.matchAll(/<a\b([^>]*)>([\s\S]*?)<\/a>/g)].map(([, tag = "", inner = ""]) => ({
      href: new URL(attributesOf(`a ${tag}`).href ?? "", root).href,
      text: plain(inner.replace(/<[^>]*>/g, " "))
        .replace(/\s+/g, " ")
        .trim(),
    })),
  };
}

/** Presses the button of a form; the one that posts to the given place where there are several. */
export function submit(page: Page, filled: Readonly<Record<string, string>>, place = /./): Promise<Page> {
  const form = page.forms.find(({ action }) => place.test(action));
  assert.ok(form, `no form leads to ${place}: ${page.text.slice(0, 500)}`);
  const body = new URLSearchParams({ ...form.fields, ...filled });
  const { address } = page;
  if (form.method === "GET") return visit(`${form.action}?${body}`, { address });
  return visit(form.action, { method: "POST", body, address });
}

export function follow(page: Page, text: RegExp): Promise<Page> {
  const link = page.links.find((one) => text.test(one.text) || text.test(one.href));
  assert.ok(link, `no link says ${text}: ${page.links.map((one) => one.text).join(", ")}`);
  return visit(link.href, { address: page.address });
}

/** Any plausible card that does not ask for a challenge by itself: December. */
export const typed = (number: string, more: Readonly<Record<string, string>> = {}) => ({
  cardnumber: number.replace(/(\d{4})(?=\d)/g, "$1 "),
  expiration: "12 / 31",
  cvd: "208",
  ...more,
});
