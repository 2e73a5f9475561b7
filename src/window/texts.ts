// Texts in the shopper's language, as gettext keeps them (GNU gettext's manual, "The Format of PO Files").

import { mo, po } from "gettext-parser";

/** By the English text. What is not translated, or only guessed at (fuzzy), is left out. Throws for what is no such file. */
export function textsIn(bytes: Buffer, compiled: boolean): Record<string, string> {
  const { translations } = (compiled ? mo : po).parse(bytes);
  const entries = Object.values(translations[""] ?? {}).flatMap(({ msgid, msgstr: [text = ""], comments }) =>
    msgid === "" || text === "" || comments?.flag?.includes("fuzzy") ? [] : [[msgid, text] as const],
  );
  return Object.fromEntries(entries);
}

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
