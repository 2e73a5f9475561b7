// A branding's translations, as gettext keeps them (GNU gettext's manual, "The Format of PO Files"). gettext-parser takes half
// a minute over some files of a megabyte: what merchants upload is read in the process of template-process.ts.

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
