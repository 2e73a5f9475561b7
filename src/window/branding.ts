// Which branding a page is shown in: the link's, the payment's or the account's own, on top of the standard one (reference:
// branding-templates).

import { templateName } from "../domain/branding-files.ts";
import { brandingShown } from "../services/brandings.ts";
import type { Account } from "../services/directory.ts";
import type { Services } from "../services/services.ts";
import type { Texts } from "../services/template-page.ts";
import type { Whose } from "../services/template-trust.ts";
import {
  assetAddress,
  standard_config,
  standard_images,
  standard_templates,
  standardTexts,
  text_languages,
} from "./standard.ts";
import { localesOf } from "./texts.ts";

type Named<Value> = Readonly<Record<string, Value>>;

export type Branding = {
  /** Null: the standard one alone. */
  readonly uploaded: { readonly account_id: number; readonly id: number; readonly files_version: number } | null;
  readonly templates: Named<string>;
  readonly config: Named<unknown>;
  readonly images: Named<string>;
  readonly texts: Named<string>;
  /** What the texts really are in. */
  readonly text_language: string;
  /** Addresses of stylesheets by their name: `paymentwindow.css`. */
  readonly stylesheet: (name: string) => string;
};

type Wanted = {
  readonly account: Account;
  /** The first that there is counts. */
  readonly ids: readonly (number | null)[];
  /** The request's own settings. */
  readonly config: Named<unknown>;
  readonly language: string;
};

/** With nothing uploaded. */
export const standardBranding = (language: string, config: Named<unknown> = {}): Branding => ({
  uploaded: null,
  templates: standard_templates,
  config: { ...standard_config, ...config },
  images: standard_images,
  texts: standardTexts(language),
  text_language: text_languages.includes(language) ? language : "en",
  stylesheet: (name) => assetAddress(`stylesheets/${name}`),
});

/** A branding that is gone, or cannot be read, is as if none was named. */
export async function brandingFor(services: Services, { ids, ...wanted }: Wanted): Promise<Branding> {
  const { account, config, language } = wanted;
  const standard = standardBranding(language, { ...account.settings.default_branding_config, ...config });
  const id = ids.find((candidate) => candidate !== null) ?? null;
  if (id === null) return standard;
  const shown = await brandingShown(services, { account_id: account.id, id }, localesOf(language));
  if (shown === null) return standard;
  const { files, files_version } = shown;
  const named = (name: string): Buffer | null => files.find((file) => file.name === name)?.data ?? null;
  const address = (name: string): string =>
    `/assets/brandings/${account.id}/${id}/${files_version}/${name.split("/").map(encodeURIComponent).join("/")}`;
  const own_texts = await textsOf(services, files, {
    account_id: account.id,
    work: `${id}/${files_version}/${language}`,
  });
  return {
    uploaded: { account_id: account.id, id, files_version },
    templates: { ...standard_templates, ...templatesOf(files) },
    config: { ...account.settings.default_branding_config, ...settingsIn(named("config.json")), ...config },
    images: {
      ...standard_images,
      ...Object.fromEntries(
        files.flatMap(({ name }) => (name.startsWith("images/") ? [[name.slice(7), address(name)]] : [])),
      ),
    },
    texts: { ...standard.texts, ...own_texts },
    text_language: Object.keys(own_texts).length > 0 ? language : standard.text_language,
    stylesheet: (name) =>
      files.some((file) => file.name === `stylesheets/${name}`)
        ? address(`stylesheets/${name}`)
        : standard.stylesheet(name),
  };
}

type Files = readonly { readonly name: string; readonly data: Buffer | null }[];

/** `content` is the window's own. */
const templatesOf = (files: Files): Named<string> =>
  Object.fromEntries(
    files.flatMap(({ name, data }) => {
      const template = templateName(name);
      return template === null || template === "content" || data === null ? [] : [[template, data.toString("utf8")]];
    }),
  );

function settingsIn(bytes: Buffer | null): Named<unknown> {
  try {
    return bytes === null ? {} : JSON.parse(bytes.toString("utf8"));
  } catch {
    return {};
  }
}

// Read once for a version of the branding: a megabyte of texts at the most for each.
const read_max = 30;
const read_by = new WeakMap<Services["templates"], Map<string, Named<string>>>();

/** The readable file before the compiled one; what cannot be read is no translation. */
async function textsOf({ templates, log }: Services, files: Files, whose: Whose): Promise<Named<string>> {
  const locales = files.filter(({ name, data }) => data !== null && name.startsWith("locales/"));
  const file = locales.find(({ name }) => /\.po$/i.test(name)) ?? locales.find(({ name }) => /\.mo$/i.test(name));
  if (!file?.data) return {};
  const key = `${whose.account_id}/${whose.work}`;
  const texts_read = read_by.get(templates) ?? new Map<string, Named<string>>();
  read_by.set(templates, texts_read);
  const known = texts_read.get(key);
  if (known !== undefined) return known;
  const read: Texts = await templates
    .read({ name: file.name, bytes: file.data }, whose)
    .catch((error: unknown) => ({ why: String(error) }));
  if ("why" in read) {
    log.warn({ ...whose, file: file.name, why: read.why }, "a branding's locale failed: it is not translated");
    return {};
  }
  for (const oldest of [...texts_read.keys()].slice(0, -read_max)) texts_read.delete(oldest);
  texts_read.set(key, read.texts);
  return read.texts;
}
