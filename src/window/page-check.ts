// Is a payment page, as a browser receives it, the one that this version writes (PCI DSS 11.6.1)? Looks at its scripts, each
// fetched and hashed, and at the headers that protect it.

import { createHash } from "node:crypto";
import type { Script } from "./scripts.ts";

const patience_ms = 20_000;
const redirects_max = 5;
const bytes_max = 2_000_000;

type Page = { readonly url: URL; readonly headers: Headers; readonly body: Buffer };

/** What is wrong, a sentence each; none: all is as it shall be. Throws when the page cannot be fetched. */
export async function checkPage(address: string, inventory: readonly Script[]): Promise<readonly string[]> {
  const page = await fetched(new URL(address));
  const html = page.body.toString("utf8");
  const tags = html.match(/<script\b[^>]*>/gi) ?? [];
  const found = await Promise.all(tags.map((tag) => scriptProblems(tag, page.url, inventory)));
  const none = inventory.length > 0 && tags.length === 0 ? ["The page loads no script: is it a payment page?"] : [];
  return [...none, ...found.flat(), ...headerProblems(page.headers, page.url.protocol === "https:")];
}

async function fetched(url: URL, redirects = 0): Promise<Page> {
  const response = await fetch(url, {
    headers: {
      Accept: "text/html,application/xhtml+xml,*/*;q=0.8",
      "User-Agent": "Mozilla/5.0 (coolpay scripts --check)",
    },
    redirect: "manual",
    signal: AbortSignal.timeout(patience_ms),
  });
  const location = response.headers.get("location");
  if (location !== null && response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    const next = new URL(location, url);
    if (next.origin !== url.origin) throw new Error(`it leads to another host, ${next.origin}`);
    if (redirects >= redirects_max) throw new Error("it leads in circles");
    return fetched(next, redirects + 1);
  }
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`it answers ${response.status}`);
  }
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > bytes_max) throw new Error(`it is larger than ${bytes_max} bytes`);
    pieces.push(piece);
  }
  return { url, headers: response.headers, body: Buffer.concat(pieces) };
}

const attribute = (tag: string, name: string): string | null => {
  const [, double, single, bare] =
    new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, "i").exec(tag) ?? [];
  return double ?? single ?? bare ?? null;
};

async function scriptProblems(tag: string, page: URL, inventory: readonly Script[]): Promise<readonly string[]> {
  const src = attribute(tag, "src");
  if (src === null) return ["There is a script within the page: this version writes none."];
  const url = URL.canParse(src, page.href) ? new URL(src, page) : null;
  const script = inventory.find(({ path }) => url?.origin === page.origin && path === url.pathname);
  if (url === null || script === undefined) return [`${src} is no script of this version.`];
  const problems: string[] = [];
  if (attribute(tag, "integrity") !== script.integrity) problems.push(`${src} is loaded without this version's hash.`);
  try {
    const { body } = await fetched(url);
    const integrity = `sha256-${createHash("sha256").update(body).digest("base64")}`;
    if (integrity !== script.integrity) problems.push(`${src} is not this version's: its hash is ${integrity}.`);
  } catch (error) {
    problems.push(`${src} cannot be fetched: ${(error as Error).message}.`);
  }
  return problems;
}

/** A policy's directives by name; of one that is named twice the first counts, as in browsers (CSP level 3, section 2.2.1). */
function directivesOf(policy: string): ReadonlyMap<string, readonly string[]> {
  const directives = new Map<string, readonly string[]>();
  for (const part of policy.split(";")) {
    const [name = "", ...sources] = part.trim().toLowerCase().split(/\s+/);
    if (name !== "" && !directives.has(name)) directives.set(name, sources);
  }
  return directives;
}

// What may stand in script-src: our own files.
const own_sources = ["'self'", "'none'"];
// Everything that executes or leads elsewhere has to be spoken of.
const directives_wanted = ["default-src", "script-src", "form-action", "base-uri", "frame-ancestors"];

function policyProblems(policy: string | null): readonly string[] {
  if (policy === null) return ["There is no Content-Security-Policy."];
  const directives = directivesOf(policy);
  const missing = directives_wanted
    .filter((name) => !directives.has(name))
    .map((name) => `The Content-Security-Policy says nothing of ${name}.`);
  const allowed = ["script-src", "script-src-elem", "script-src-attr"].flatMap((name) => directives.get(name) ?? []);
  const foreign = allowed
    .filter((source) => !own_sources.includes(source))
    .map((source) => `The Content-Security-Policy allows scripts from ${source}.`);
  const reported = directives.has("report-uri") || directives.has("report-to");
  return [...missing, ...foreign, ...(reported ? [] : ["The Content-Security-Policy lets browsers report nothing."])];
}

// A year is what browsers and auditors expect.
const hsts_s_min = 31_536_000;
const referrer_policies = ["no-referrer", "same-origin", "origin", "strict-origin"];

function headerProblems(headers: Headers, tls: boolean): readonly string[] {
  const problems = [...policyProblems(headers.get("content-security-policy"))];
  const [, max_age = "0"] = /max-age="?(\d+)/i.exec(headers.get("strict-transport-security") ?? "") ?? [];
  if (tls && Number(max_age) < hsts_s_min)
    problems.push("Strict-Transport-Security is missing or shorter than a year.");
  if (headers.get("x-content-type-options")?.toLowerCase() !== "nosniff")
    problems.push("X-Content-Type-Options is not nosniff.");
  if (!referrer_policies.includes(headers.get("referrer-policy")?.toLowerCase() ?? ""))
    problems.push("Referrer-Policy would tell other hosts the page's address.");
  return problems;
}
