// The texts of a branding in a language: gettext's `.po`, by the English text as `{% t %}` has it.

import { po } from "gettext-parser";

/** English text → translation. What is empty, or marked as fuzzy, is not there. Throws for what is no `.po`. */
export function readPo(bytes: Buffer): Readonly<Record<string, string>> {
  const { translations } = po.parse(bytes, { defaultCharset: "utf-8" });
  // A context is not something `{% t %}` can name.
  const entries = Object.values(translations[""] ?? {});
  const texts = entries.flatMap(({ msgid, msgstr: [text = ""], comments }) =>
    msgid === "" || text === "" || /\bfuzzy\b/.test(comments?.flag ?? "") ? [] : [[msgid.trim(), text] as const],
  );
  // Without a prototype: `constructor` is a text like any.
  return Object.assign(Object.create(null), Object.fromEntries(texts));
}
