// The files of a branding: how they may be called, which kinds there are, and whether a file holds what its name says
// (reference: resources, section 13; branding-templates).

import { hasTooManyPixels, type ImageType, imageType } from "./images.ts";
import { scriptIn, scriptInJson, scriptInTemplate, scriptInText } from "./script.ts";

/** All files of a branding together stay below this (reference: "under 1 MB"). */
export const branding_bytes_max = 1_048_576;
/** The published branding has about 170 files. */
export const branding_files_max = 500;

const name_length_max = 200;
const part_length_max = 100;
// templates/form/card.liquid is 3 deep, locales/da_DK/LC_MESSAGES/branding.po 4.
const parts_max = 8;

/** Does it name a place within the branding, and nowhere else? Of what kind the file is, is asked later. */
export function isResourceName(name: string): boolean {
  const parts = name.split("/");
  return name.length <= name_length_max && parts.length <= parts_max && parts.every(isPart);
}

const isPart = (part: string): boolean =>
  part !== "" && part !== "." && part !== ".." && part.length <= part_length_max && !/[\\\p{C}]/u.test(part);

type Kind = {
  readonly name: RegExp;
  /** As the branding's list of resources shows it. */
  readonly mime: string;
  /** `not …` when the content is something else. */
  readonly what: string;
  readonly holds: (bytes: Buffer) => boolean;
  /** What script a file of this kind holds; what is no text is read as Latin-1. */
  readonly script?: (text: string) => string | null;
};

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Null for what is no UTF-8, and for control characters that no text has. */
function textOf(bytes: Buffer): string | null {
  try {
    const text = utf8.decode(bytes);
    return /(?![\s\u0080-\u009f])\p{Cc}/u.test(text) ? null : text;
  } catch {
    return null;
  }
}

const isText = (bytes: Buffer): boolean => textOf(bytes) !== null;

const image = (name: RegExp, mime: ImageType, what: string): Kind => ({
  name,
  mime,
  what,
  holds: (bytes) => imageType(bytes) === mime,
});

// A branding's settings are a list of names and values.
const json_depth_max = 20;

const isShallow = (value: unknown, depth = 1): boolean =>
  typeof value !== "object" ||
  value === null ||
  (depth <= json_depth_max && Object.values(value).every((member) => isShallow(member, depth + 1)));

function isJsonObject(bytes: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(textOf(bytes) ?? "");
    return typeof value === "object" && value !== null && !Array.isArray(value) && isShallow(value);
  } catch {
    return false;
  }
}

/** GNU gettext's manual, "The Format of GNU MO Files": a magic number in either byte order. */
const isCompiledLocale = (bytes: Buffer): boolean =>
  bytes.length >= 4 && [0x950412de, 0xde120495].includes(bytes.readUInt32BE(0));

// What stands before an SVG's root element: how it begins and ends. A document type that declares something begins otherwise.
const prolog = [
  [/^<\?/, "?>"],
  [/^<!--/, "-->"],
  [/^<!DOCTYPE[^[>]*>/, ">"],
] as const;

// In these, as in UTF-8, ASCII is ASCII; read as another encoding a text may hold what nobody looked for.
const svg_encodings = /^(utf-8|us-ascii|iso-8859-\d{1,2}|windows-125\d)$/i;

/** Whether a text is an SVG image: it must begin as one, and say no encoding that hides what it is. */
export function isSvg(text: string): boolean {
  let rest = text.trimStart();
  const encoding = /^<\?xml\s[^>]*?encoding\s*=\s*["']([^"']*)["']/.exec(rest)?.[1];
  if (encoding !== undefined && !svg_encodings.test(encoding)) return false;
  for (;;) {
    const before = prolog.find(([start]) => start.test(rest));
    if (before === undefined) break;
    const end = rest.indexOf(before[1]);
    if (end < 0) return false;
    rest = rest.slice(end + before[1].length).trimStart();
  }
  return /^<svg[\s/>]/.test(rest);
}

const svg: Kind = {
  name: /\.svg$/i,
  mime: "image/svg+xml",
  what: "an SVG image",
  holds: (bytes) => isSvg(textOf(bytes) ?? ""),
  script: scriptIn,
};

const kinds: readonly Kind[] = [
  {
    name: /^config\.json$/,
    mime: "application/json",
    what: `a JSON object, at most ${json_depth_max} deep`,
    holds: isJsonObject,
    script: scriptInJson,
  },
  { name: /^VERSION$/, mime: "text/plain", what: "a text in UTF-8", holds: isText },
  { name: /\.liquid$/i, mime: "text/plain", what: "a template in UTF-8", holds: isText, script: scriptInTemplate },
  { name: /\.css$/i, mime: "text/css", what: "a stylesheet in UTF-8", holds: isText, script: scriptIn },
  { name: /\.pot?$/i, mime: "text/plain", what: "a gettext locale in UTF-8", holds: isText, script: scriptInText },
  {
    name: /\.mo$/i,
    mime: "application/octet-stream",
    what: "a compiled gettext locale",
    holds: isCompiledLocale,
    script: scriptInText,
  },
  image(/\.png$/i, "image/png", "a PNG image"),
  image(/\.jpe?g$/i, "image/jpeg", "a JPEG image"),
  image(/\.gif$/i, "image/gif", "a GIF image"),
  image(/\.webp$/i, "image/webp", "a WebP image"),
  image(/\.ico$/i, "image/x-icon", "an icon"),
  svg,
];

/** As other templates include it: `form/card` for `templates/form/card.liquid`. Null for what is no template. */
export const templateName = (name: string): string | null => /^(?:templates\/)?(.+)\.liquid$/i.exec(name)?.[1] ?? null;

const kindOf = (name: string): Kind | undefined => kinds.find((kind) => kind.name.test(name));

export const mimeOf = (name: string): string => kindOf(name)?.mime ?? "application/octet-stream";

/** Why a branding does not take this file, in words; null when it does. */
export function whyNot(name: string, bytes: Buffer): string | null {
  const kind = kindOf(name);
  if (kind === undefined)
    return "a branding takes Liquid templates, stylesheets, images, gettext locales, config.json and VERSION";
  if (!kind.holds(bytes)) return `the file is not ${kind.what}`;
  if (hasTooManyPixels(bytes)) return "the image has more than 16 megapixels";
  return scriptOf(kind, bytes);
}

function scriptOf({ script }: Kind, bytes: Buffer): string | null {
  const found = script?.(textOf(bytes) ?? bytes.toString("latin1")) ?? null;
  return found === null ? null : `the file holds ${found}, and script is not taken`;
}

const logo_images: readonly string[] = ["image/png", "image/jpeg", "image/gif"];

/** The media type of a logo: PNG, JPEG, GIF, or SVG without script; null for anything else. */
export function logoMime(bytes: Buffer): string | null {
  const type = imageType(bytes);
  if (type !== null) return logo_images.includes(type) ? type : null;
  return svg.holds(bytes) && scriptOf(svg, bytes) === null ? svg.mime : null;
}
