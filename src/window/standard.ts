// The standard branding: our own templates, stylesheets, images and texts, read once. Merchants' brandings stand on top of it.

import { hash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { templateName } from "../domain/branding-files.ts";
import { readPo } from "../services/locale-files.ts";
import { languages } from "./texts.ts";

const folder = join(import.meta.dirname, "branding");

const filesIn = (place: string): ReadonlyMap<string, Buffer> =>
  new Map(
    readdirSync(place, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(place.length + 1), readFileSync(path)]),
  );

const files = filesIn(folder);

/** What the pages load of our own, by its name below `/assets/<version>/`. */
export const own_assets: ReadonlyMap<string, Buffer> = new Map(
  [...files].filter(([name]) => /^(stylesheets|images|brands)\//.test(name)),
);

/** Changes with the assets: what is named after it may be kept for ever. */
export const assets_version = hash("sha256", Buffer.concat([...own_assets.values()])).slice(0, 12);

export const assetAddress = (name: string): string => `/assets/${assets_version}/${name}`;

export const standard_templates: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [...files].flatMap(([name, bytes]) => {
      const template = templateName(name);
      return template === null ? [] : [[template, bytes.toString("utf8")]];
    }),
  ),
  // The page within its layout: the window says which.
  content: "{% include model.page %}",
};

export const standard_config: Readonly<Record<string, unknown>> = JSON.parse(
  files.get("config.json")?.toString("utf8") ?? "{}",
);

/** Addresses by file name. */
export const standard_images: Readonly<Record<string, string>> = Object.fromEntries(
  [...files.keys()].flatMap((name) => (name.startsWith("images/") ? [[name.slice(7), assetAddress(name)]] : [])),
);

type Texts = Readonly<Record<string, string>>;

/** Files of our texts by language. */
const text_files: ReadonlyMap<string, Buffer> = new Map(
  [...files].flatMap(([name, bytes]) => {
    const [, language] = /^locales\/(\w\w)_\w\w\/LC_MESSAGES\/branding\.po$/.exec(name) ?? [];
    return language === undefined ? [] : [[language === "nb" ? "no" : language, bytes]];
  }),
);

/** Languages that our texts are in. */
export const text_languages: readonly string[] = Object.keys(languages).filter(
  (code) => code === "en" || text_files.has(code),
);

const read = new Map<string, Texts>();

/** Empty for English, and for languages that nobody has translated to yet: those are shown in English. */
export function standardTexts(language: string): Texts {
  const bytes = text_files.get(language);
  const texts = read.get(language) ?? (bytes === undefined ? {} : readPo(bytes));
  if (bytes !== undefined) read.set(language, texts);
  return texts;
}
