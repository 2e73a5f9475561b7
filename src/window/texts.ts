// The languages of the payment window (reference: payment-window, `language`).

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

/** The language by a code as shops write it: both written forms of Norwegian are `no` here. */
export function languageNamed(code: string): string {
  const language = code.toLowerCase();
  return language === "nb" || language === "nn" ? "no" : language;
}

/** Folders of a branding's locales for a language, as LIKE has them: `da_DK`; Norwegian is `no` or `nb`. */
export const localesOf = (language: string): readonly string[] =>
  language === "no" ? ["no%", "nb%"] : [`${language}%`];
