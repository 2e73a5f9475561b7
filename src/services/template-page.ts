// What is asked of the process that renders templates and reads locales, and what it answers. On its own, because who asks
// must not load what renders.

export type Page = {
  /** Which of the templates is shown. */
  readonly name: string;
  /** Sources by name, without folder and ending: `form/card`. What a page includes and is not here is nothing. */
  readonly templates: Readonly<Record<string, string>>;
  /** What the window tells of the payment. It is escaped for HTML on its way in: shops and shoppers say it. */
  readonly model: Readonly<Record<string, unknown>>;
  /** The branding's own settings; they may hold markup. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Pieces of HTML that are the same for many pages, made before. */
  readonly parts?: Readonly<Record<string, string>>;
  /** Addresses by file name: `question-circle.svg`. */
  readonly images: Readonly<Record<string, string>>;
  /** By the English text, as `{% t %}` has it. */
  readonly translations: Readonly<Record<string, string>>;
};

/** The page, or why there is none, in words that follow "the file". */
export type Rendered = { readonly html: string } | { readonly why: string };

/** A gettext file of a branding: `branding.po`, or `branding.mo`, compiled. */
export type Locale = { readonly name: string; readonly bytes: Uint8Array };

/** Texts by the English one, or why there are none. */
export type Texts = { readonly texts: Readonly<Record<string, string>> } | { readonly why: string };

/** One question, one answer. */
export type Question = { readonly page: Page } | { readonly locale: Locale };
export type Answer = Rendered | Texts;

/** In characters. The published branding's largest page is a tenth of it. */
export const html_max = 512 * 1024;
/** What a page may take of a processor. */
export const cpu_ms_max = 100;
/** What it may take by the clock: on a busy machine an honest page has to wait for its turn. */
export const clock_ms_max = 500;

/** Why a page was not finished. */
export const too = {
  slow: `takes more than ${cpu_ms_max} ms to render`,
  long: `takes more than ${clock_ms_max} ms to read`,
  large: `makes a page of more than ${html_max / 1024} kB`,
  greedy: "needs too much memory to render",
  deep: "is nested too deeply, or includes itself",
} as const;
