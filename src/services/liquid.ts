// Liquid as brandings for the original window speak it (reference: branding-templates), by liquidjs. A template may be
// anybody's and need not end: this runs in the process of template-process.ts, never in ours.

import {
  CaptureTag,
  type Context,
  type Emitter,
  evalToken,
  Hash,
  Liquid,
  LiquidError,
  Tag,
  type TagToken,
  type TopLevelToken,
  type ValueToken,
} from "liquidjs";
import { escapedHtml } from "../domain/html.ts";
import { html_max, type Page, too } from "./template-page.ts";

// liquidjs counts what filters and ranges make: characters and items, added up over a page. We bound captures; for what nobody
// counts there are the limits of the process.
const made_max = 5_000_000;

// The published branding's are 3 deep: layout, form, method. Much deeper is only what includes itself.
const includes_deep_max = 50;

/** The page as HTML. Throws what `complaintOf` puts in words. */
export function renderPage({ name, templates, model, config, images, parts = {}, translations }: Page): string {
  const globals: Globals = { translations: new Map(Object.entries(translations)) };
  const liquid = engineOf(templates);
  return liquid.renderFileSync(name, { model: escaped(model), config, images: byPath(images), parts }, { globals });
}

type Globals = { readonly translations: ReadonlyMap<string, string> };

// What was parsed once is kept for as long as its sources are.
const engines = new WeakMap<Page["templates"], Liquid>();

function engineOf(templates: Page["templates"]): Liquid {
  const known = engines.get(templates);
  if (known !== undefined) return known;
  const sources = new Map(Object.entries(templates));
  const read = (file: string): string => spoken(sources.get(file) ?? "");
  const liquid = new Liquid({
    cache: true,
    memoryLimit: made_max,
    relativeReference: false,
    // All files there are: nothing on the disk can be named.
    fs: {
      exists: async () => true,
      existsSync: () => true,
      readFile: async (file) => read(file),
      readFileSync: read,
      resolve: (_, file) => file,
    },
  });
  liquid.registerTag("capture", Capture);
  liquid.registerTag("include", Include);
  liquid.registerTag("t", Translated);
  engines.set(templates, liquid);
  return liquid;
}

/** What is wrong with a template, in a few words, and where. */
export function complaintOf(error: unknown, name: string): string {
  if (!LiquidError.is(error)) return String(error);
  const [line = 1] = error.token.getPosition();
  const { file } = error.token;
  const place = file === undefined || file === name ? `line ${line}` : `line ${line} of ${file}`;
  // liquidjs puts the place into its message, and text of the template, which may be long.
  const words = (error.originalError?.message ?? error.message).replace(/, (file:.+, )?line:\d+, col:\d+$/s, "");
  return `${place}: ${[...words.replace(/[\s\p{C}]+/gu, " ")].slice(0, words_max).join("")}`;
}

const words_max = 200;

/**
 * `!x` in a condition is `x`: the original's Liquid reads over the sign, and published templates count on it, such as
 * `{% unless !model.error %}autoclick{% endunless %}`. Lines stay where they are.
 */
const spoken = (source: string): string =>
  source.replace(/\{%-?\s*(?:if|elsif|unless)\b(?:[^{%]|\{(?!%)|%(?!\}))*%\}/g, (tag) =>
    tag.replace(/"[^"]*"|'[^']*'|!(?!=)/g, (part) => (part === "!" ? " " : part)),
  );

/** A capture that is printed twice in the next one costs nothing until somebody looks at it: then it is half a gigabyte. */
class Capture extends CaptureTag {
  override *render(ctx: Context): Generator<unknown, void, string> {
    yield* super.render(ctx);
    if (String(ctx.bottom()[this.variable]).length > html_max) throw new RangeError(too.large);
  }
}

/**
 * `{% include "form/error" %}` sees the variables around it. `name: value` after it is a variable more; `name=value` is
 * ignored, as the original does; a name that is unknown or no text includes nothing.
 */
class Include extends Tag {
  readonly #name: ValueToken;
  readonly #given: Hash;

  constructor(token: TagToken, remaining: TopLevelToken[], liquid: Liquid) {
    super(token, remaining, liquid);
    const name = token.tokenizer.readValue();
    if (name === undefined) throw new Error("include needs the name of a template");
    this.#name = name;
    this.#given = new Hash(token.tokenizer);
  }

  *render(ctx: Context, emitter: Emitter): Generator<unknown, void, unknown> {
    const name = yield evalToken(this.#name, ctx);
    if (typeof name !== "string") return;
    const depth = (Number(ctx.getRegister("includes")) || 0) + 1;
    if (depth > includes_deep_max) throw new RangeError(too.deep);
    ctx.setRegister("includes", depth);
    const scope: Record<string, unknown> = {};
    for (const [variable, value] of Object.entries(this.#given.hash))
      if (value !== undefined) scope[variable] = yield evalToken(value, ctx);
    ctx.push(scope);
    yield this.liquid.renderer.renderTemplates(this.liquid.parseFileSync(name), ctx, emitter);
    ctx.pop();
    ctx.setRegister("includes", depth - 1);
  }
}

/** `{% t Some text, punctuation and all %}`: exactly that text in the shopper's language, else the text. */
class Translated extends Tag {
  readonly #text: string;

  constructor(token: TagToken, remaining: TopLevelToken[], liquid: Liquid) {
    super(token, remaining, liquid);
    this.#text = token.args.trim();
  }

  render(ctx: Context, emitter: Emitter): void {
    emitter.write((ctx.globals as Globals).translations.get(this.#text) ?? this.#text);
  }
}

function escaped(value: unknown): unknown {
  if (typeof value === "string") return escapedHtml(value);
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, escaped(member)]));
}

type Branch = { [part: string]: Branch | string };

/** `images.question-circle.svg` is a path for Liquid: a branch for each part of the name. */
function byPath(images: Page["images"]): Branch {
  const root: Branch = Object.create(null);
  for (const [name, address] of Object.entries(images)) {
    const parts = name.split(".");
    const last = parts.pop() ?? "";
    let at = root;
    for (const part of parts) {
      const next = at[part];
      // `a.b` and `a.b.svg`: the longer name wins.
      if (typeof next === "object") at = next;
      else at = at[part] = Object.create(null);
    }
    if (at[last] === undefined) at[last] = address;
  }
  return root;
}
