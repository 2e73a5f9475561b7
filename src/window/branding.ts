// Which branding a page is shown in: the link's, the payment's or the account's own, on top of the standard one (reference:
// branding-templates).

import { templateName } from "../domain/branding-files.ts";
import { brandingShown } from "../services/brandings.ts";
import type { Account } from "../services/directory.ts";
import type { Services } from "../services/services.ts";
import {
  assetAddress,
  standard_config,
  standard_images,
  standard_templates,
  standardTexts,
  text_languages,
} from "./standard.ts";
import { localesOf, readMo, readPo } from "./texts.ts";

type Named<Value> = Readonly<Record<string, Value>>;

export type Branding = {
  /** Null: the standard one alone. */
  readonly uploaded: { readonly id: number } | null;
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
  const own_texts = textsOf(files);
  return {
    uploaded: { id },
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

/** The readable file before the compiled one; what cannot be read is no translation. */
function textsOf(files: Files): Named<string> {
  const locales = files.filter(({ name, data }) => data !== null && name.startsWith("locales/"));
  const file = locales.find(({ name }) => /\.po$/i.test(name)) ?? locales.find(({ name }) => /\.mo$/i.test(name));
  try {
    if (!file?.data) return {};
    return /\.mo$/i.test(file.name) ? readMo(file.data) : readPo(file.data);
  } catch {
    return {};
  }
}
