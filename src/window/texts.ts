// Texts in the shopper's language, as gettext keeps them (GNU gettext's manual, "The Format of PO Files").

import { mo, po } from "gettext-parser";

/** By the English text. What is empty, or only guessed at (fuzzy), is left out. Throws for what is no such file. */
const textsIn =
  (parse: (bytes: Buffer) => ReturnType<typeof po.parse>) =>
  (bytes: Buffer): Readonly<Record<string, string>> => {
    const { translations } = parse(bytes);
    // A context is not something `{% t %}` can name.
    const entries = Object.values(translations[""] ?? {});
    const texts = entries.flatMap(({ msgid, msgstr: [text = ""], comments }) =>
      msgid === "" || text === "" || /\bfuzzy\b/.test(comments?.flag ?? "") ? [] : [[msgid.trim(), text] as const],
    );
    // Without a prototype: `constructor` is a text like any.
    return Object.assign(Object.create(null), Object.fromEntries(texts));
  };

/** `branding.po`: for people. */
export const readPo = textsIn((bytes) => po.parse(bytes, { defaultCharset: "utf-8" }));
/** `branding.mo`: compiled. */
export const readMo = textsIn((bytes) => mo.parse(bytes, "utf-8"));

/** What a shopper may read in: the original's locales (reference: payment-window, `language`). */
export const languages: Readonly<Record<string, string>> = {
  bg: "Български",
  cs: "Čeština",
  da: "Dansk",
  de: "Deutsch",
  el: "Ελληνικά",
  en: "English",
  es: "Español",
  et: "Eesti",
  fi: "Suomi",
  fo: "Føroyskt",
  fr: "Français",
  hr: "Hrvatski",
  hu: "Magyar",
  is: "Íslenska",
  it: "Italiano",
  ja: "日本語",
  ka: "ქართული",
  kl: "Kalaallisut",
  ko: "한국어",
  lt: "Lietuvių",
  lv: "Latviešu",
  nl: "Nederlands",
  no: "Norsk",
  pl: "Polski",
  pt: "Português",
  ro: "Română",
  ru: "Русский",
  sk: "Slovenčina",
  sl: "Slovenščina",
  sr: "Српски",
  sv: "Svenska",
  tr: "Türkçe",
  uk: "Українська",
  zh: "中文",
};

/** Folders of a branding's locales for a language, as LIKE has them: `da_DK`; Norwegian is `no` or `nb`. */
export const localesOf = (language: string): readonly string[] =>
  language === "no" ? ["no%", "nb%"] : [`${language}%`];
