// Shoppers with a real browser, for the end-to-end tests: headless Chromium driven by Playwright. Whatever a shopper does,
// her browser is watched: a request to a host that is not ours, an error in the console, a thing that the policy forbids
// fail the test.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "microsoft-edge"];
const places = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
const advice =
  "The end-to-end tests need Chromium: install it (Debian, as root: apt-get install chromium), or name one in TEST_CHROMIUM.";

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Null where there is none. */
export function findChromium(): string | null {
  if (process.env.TEST_CHROMIUM) return process.env.TEST_CHROMIUM;
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const on_path = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...on_path, ...places].find(isProgram) ?? null;
}

const install_timeout_ms = 600_000;

/** Installs Debian's where there is none and we may; else says what to do. The tests themselves then fail with that. */
export function bringChromium(): void {
  if (findChromium() !== null) return;
  const may = process.getuid?.() === 0 && spawnSync("apt-get", ["--version"]).status === 0;
  if (may) install();
  if (findChromium() === null) console.log(advice);
}

function install(): void {
  console.log("Installing Chromium for the end-to-end tests (apt-get, once) …");
  const apt = (...args: string[]) =>
    spawnSync("apt-get", ["-qq", ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      encoding: "utf8",
      timeout: install_timeout_ms,
    });
  const chromium = () => apt("install", "-y", "--no-install-recommends", "chromium");
  // A fresh machine has no lists of packages yet, or old ones.
  if (chromium().status === 0) return;
  const updated = apt("update");
  const { status, stderr } = updated.status === 0 ? chromium() : updated;
  if (status !== 0) console.log(stderr.trim());
}

// Quiet and cheap: no network of its own, no second process for the shop's page around a frame.
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  "--disable-extensions",
  "--disable-sync",
  "--disable-site-isolation-trials",
  "--disable-features=IsolateOrigins,site-per-process,Translate,OptimizationHints,MediaRouter",
  "--no-first-run",
  "--mute-audio",
];

export const startBrowser = (): Promise<Browser> => {
  const executablePath = findChromium();
  assert.ok(executablePath !== null, advice);
  return chromium.launch({ executablePath, args: flags });
};

const patience_ms = 45_000;

export type Watched = {
  readonly page: Page;
  /** Of every request, in order. */
  readonly requests: readonly string[];
  /** Fails for what pages did, since it was asked last, that no page may do. */
  readonly blameless: () => void;
  /** One test's faults are not the next one's. */
  readonly forget: () => void;
  readonly close: () => Promise<void>;
};

export type ShopperOptions = BrowserContextOptions & {
  /** What a test makes happen on purpose. The browser may tell of it late. */
  readonly forgives?: RegExp;
};

/** A shopper with a browser of her own; `origins`: whom it may ask for something. */
export async function newShopper(
  browser: Browser,
  { origins, forgives, ...options }: ShopperOptions & { readonly origins: readonly string[] },
): Promise<Watched> {
  const context = await browser.newContext({ locale: "en-GB", reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(patience_ms);
  const requests: string[] = [];
  const complaints: string[] = [];
  const complain = (what: string): void => {
    if (forgives?.test(what) !== true) complaints.push(what);
  };
  await context.exposeBinding("policyBroken", (_source, what: string) => complain(`policy: ${what}`));
  await context.addInitScript(
    `document.addEventListener("securitypolicyviolation", (event) =>
       policyBroken([event.documentURI, event.effectiveDirective, event.blockedURI, event.sourceFile, event.sample].join(" ")))`,
  );
  const documents = new Set<string>();
  context.on("request", (request) => {
    const url = request.url();
    requests.push(url);
    if (request.isNavigationRequest()) documents.add(url);
    if (!/^(data|about|blob):/.test(url) && !origins.includes(new URL(url).origin)) complain(`asked ${url}`);
  });
  context.on("console", (message) => {
    const { url } = message.location();
    // A page whose status says that it is an error page.
    const is_status = message.text().startsWith("Failed to load resource") && documents.has(url);
    if (["error", "warning"].includes(message.type()) && !is_status) complain(`console: ${message.text()} ${url}`);
  });
  context.on("weberror", (error) => complain(`script: ${error.error()}`));
  return {
    page: await context.newPage(),
    requests,
    blameless: () => assert.deepEqual(complaints.splice(0), []),
    forget: () => void complaints.splice(0),
    close: () => context.close(),
  };
}

const axe_source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// Every rule that axe has: those of the highest level, of practice and of experiments too.
const axe_run = `axe.run(document, {
  iframes: false,
  resultTypes: ["violations"],
  rules: Object.fromEntries(axe.getRules().map(({ ruleId }) => [ruleId, { enabled: true }])),
}).then(({ violations, passes, incomplete, inapplicable }) => ({
  rules: violations.length + passes.length + incomplete.length + inapplicable.length,
  applied: violations.length + passes.length + incomplete.length,
  violations: violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html, any, all }) =>
    html.slice(0, 160) + " " + [...any, ...all].map(({ message }) => message).join(" ")).join(" | ")),
  unsure: incomplete.map(({ id }) => id),
}))`;

type Looked = {
  readonly rules: number;
  readonly applied: number;
  readonly violations: readonly string[];
  readonly unsure: readonly string[];
};

type Tree = { readonly frame: { readonly id: string; readonly url: string }; readonly childFrames?: readonly Tree[] };
const framesIn = ({ frame, childFrames = [] }: Tree): Tree["frame"][] => [frame, ...childFrames.flatMap(framesIn)];

/** What axe finds on the page and in its frames, from a world of its own: the page's policy stays as it is. */
export async function axe(page: Page): Promise<readonly (Looked & { readonly url: string })[]> {
  const devtools = await page.context().newCDPSession(page);
  const found = [];
  const { frameTree } = await devtools.send("Page.getFrameTree");
  for (const { id, url } of framesIn(frameTree)) {
    const world = await devtools.send("Page.createIsolatedWorld", { frameId: id, worldName: "axe" });
    const evaluate = (expression: string) =>
      devtools.send("Runtime.evaluate", {
        expression,
        contextId: world.executionContextId,
        awaitPromise: true,
        returnByValue: true,
      });
    await evaluate(axe_source);
    const { result, exceptionDetails } = await evaluate(axe_run);
    assert.equal(exceptionDetails, undefined, `axe failed on ${url}: ${JSON.stringify(exceptionDetails)}`);
    found.push({ url, ...(result.value as Looked) });
  }
  await devtools.detach();
  return found;
}
