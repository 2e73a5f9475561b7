// Finds script in what merchants upload, so that they hear of it when they upload it. It is no wall: a template can build
// any text while it is rendered. The wall is the payment window's content security policy, which lets no script of a
// branding run. So this looks everywhere, comments and all, and does not try to parse what Liquid will still change.

type Sign = { readonly what: string; readonly pattern: RegExp };

/** Looked for in the text as it stands. Each is tried once per place, so that the time grows with the length alone. */
const signs: readonly Sign[] = [
  { what: "a script element", pattern: /<\/?(?:[\w.-]+:)?script/i },
  // Written with entities, a document within a document hides everything else.
  { what: "a document in an attribute", pattern: /[\s"'/]srcdoc\s*=/i },
  // What SVG's own document type declares may be an element or attribute that stands nowhere else.
  { what: "a declaration of XML", pattern: /<!(?:ENTITY|ATTLIST|ELEMENT|NOTATION)/i },
  // It leads elsewhere, or says what the next page hears of this one: no policy forbids that.
  { what: "a meta element", pattern: /<meta[\s/>]/i },
  // XSLT can make script.
  { what: "an XML stylesheet", pattern: /<\?xml-stylesheet/i },
];

// In markup anything of that form is one: an element's `>` may stand in a value before it.
const handler: Sign = { what: "an event handler", pattern: /[\s"'/]on[a-z]+\s*=(?!=)/i };
// Elsewhere `on sale = half price` is a text like any.
const handler_in_tag: Sign = { what: "an event handler", pattern: /<[a-z][^<>]*[\s"'/]on[a-z]+\s*=(?!=)/i };

/** Looked for in the text as a browser reads addresses: entities and escapes resolved, without white space. */
const address_signs: readonly Sign[] = [
  { what: "a script as an address", pattern: /["'=(;](?:java|vb)script:/i },
  { what: "a page as an address", pattern: /["'=(;]data:text\/html/i },
];

function firstIn(text: string, sought: readonly Sign[]): string | null {
  const found = sought.find(({ pattern }) => pattern.test(text));
  if (found !== undefined) return found.what;
  const addresses = asAddresses(text);
  return address_signs.find(({ pattern }) => pattern.test(addresses))?.what ?? null;
}

/** What script some markup or stylesheet holds, in words; null for none. */
export const scriptIn = (markup: string): string | null => firstIn(markup, [...signs, handler]);

/** The same for a text that may hold markup here and there, such as a translation. */
export const scriptInText = (text: string): string | null => firstIn(text, [...signs, handler_in_tag]);

/**
 * The same for a Liquid template, whose tags may be rendered as nothing, stand between an element's attributes, or hold
 * markup themselves.
 */
export const scriptInTemplate = (template: string): string | null =>
  scriptIn(withoutLiquid(template, "")) ?? scriptIn(withoutLiquid(template, " ")) ?? scriptInText(template);

/** The same for JSON, where letters may be written as numbers. Throws for what is none. */
export const scriptInJson = (json: string): string | null => scriptInText(JSON.stringify(JSON.parse(json)));

// The names of what is used to hide an address; numbers say the rest.
const entities: Readonly<Record<string, string>> = {
  amp: "&",
  apos: "'",
  colon: ":",
  lpar: "(",
  newline: "\n",
  quot: '"',
  semi: ";",
  sol: "/",
  tab: "\t",
};

function asAddresses(text: string): string {
  return text
    .replace(/&#x([0-9a-f]{1,8});?/gi, (_, digits: string) => character(Number.parseInt(digits, 16)))
    .replace(/&#(\d{1,8});?/g, (_, digits: string) => character(Number(digits)))
    .replace(/&([a-z]{2,8});/gi, (whole, name: string) => entities[name.toLowerCase()] ?? whole)
    .replace(/\\([0-9a-f]{1,6})\s?/gi, (_, digits: string) => character(Number.parseInt(digits, 16)))
    .replace(/[\s\p{Cc}\\]/gu, "");
}

const character = (code: number): string => (code <= 0x10ffff ? String.fromCodePoint(code) : "");

const liquid_ends: Readonly<Record<string, string>> = { "{%": "%}", "{{": "}}" };

/** Without its tags and outputs, each replaced. What is opened and never closed stays. */
function withoutLiquid(template: string, replacement: string): string {
  const kept: string[] = [];
  let from = 0;
  for (const { 0: opening, index } of template.matchAll(/\{[%{]/g)) {
    // It stands within a tag that was left out already.
    if (index < from) continue;
    const ending = liquid_ends[opening] ?? "";
    const end = template.indexOf(ending, index + opening.length);
    if (end < 0) break;
    kept.push(template.slice(from, index));
    from = end + ending.length;
  }
  kept.push(template.slice(from));
  return kept.join(replacement);
}
