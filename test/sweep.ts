// The sweep: after a run no card number and no CVD may stand in anything that was stored or printed.
//
// Where it looks: the folder of the run's PostgreSQL, file by file, with its whole log (WAL, which in a run is kept from
// the first byte on and not compressed, so that what was deleted since is there too); every row of every database as text,
// because PostgreSQL compresses long values; the folders of all other databases, keys and certificates that tests made; and
// all that programs and apps printed or logged. What was sealed cannot be seen through: that is the point of it.
//
// What it looks for: every card number that stands in the tests or is a test card, wherever its digits stand; any other
// number of 13 to 19 digits that has a card's beginning and check digit and stands by itself, whole or in groups of four.
// Plain, with blanks or hyphens, and within hexadecimal or base64 text of any alignment. A CVD is three or four digits, which are everywhere: it
// is found under its name (`cvd`, `cvc`, …), or where a CVD that the tests send is a text by itself (`"9173"`).
//
// First it plants a number in each form and a CVD, in a row and in a file, and must find each of them again in the row, in
// the table's file, in the log and in the file: a sweep that finds nothing anywhere is blind.

import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import pg from "pg";
import { brandOf } from "../src/domain/card.ts";
import { isLuhn, luhnDigit } from "../src/domain/luhn.ts";
import { test_cards } from "../src/domain/test-cards.ts";

// A piece of a file, and what is read again with the next one, so that nothing is cut in two.
const piece_bytes = 4_000_000;
const overlap_bytes = 4_096;
const told_max = 20;

export type Swept = { readonly complaints: readonly string[]; readonly told: string };

type Found = {
  readonly what: string;
  readonly place: string;
  readonly near: string;
  readonly number?: string | undefined;
};

/** Card numbers are not repeated, not even those of tests. */
const masked = (text: string): string =>
  text.replaceAll(/\d(?:[ -]?\d){9,}/g, (digits) => `${digits.slice(0, 6)}…`).replaceAll(/[^\x20-\x7e]/g, ".");

// ---- what is looked for ----

const planted_start = "457199991234567";
const planted = planted_start + luhnDigit(planted_start);
const planted_cvd = "7351";

const planted_forms: Readonly<Record<string, string>> = {
  plain: `"${planted}"`,
  spaced: planted.replaceAll(/(\d{4})(?=\d)/g, "$1 "),
  base64: `"${Buffer.from(planted).toString("base64")}"`,
  "base64 of more": Buffer.from(`{"number":"${planted}"}`).toString("base64"),
  hex: Buffer.from(planted).toString("hex"),
};

/** All numbers that tests have sent, and their CVDs: as they stand in their sources. */
function sentByTests(): { readonly numbers: ReadonlySet<string>; readonly cvds: ReadonlySet<string> } {
  const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(join(import.meta.dirname, name), "utf8"))
    .join("\n");
  const written = (sources.match(/(?<![\d.])\d{13,19}(?![\d.])/g) ?? []).filter(isCardNumber);
  const cvds = [...sources.matchAll(/\bcvd["']?\s*[:=]\s*["']?(\d{3,4})\b/g)].map(([, cvd = ""]) => cvd);
  return { numbers: new Set([...test_cards.map(({ number }) => number), ...written, planted]), cvds: new Set(cvds) };
}

const isCardNumber = (digits: string): boolean =>
  digits.length >= 13 && digits.length <= 19 && isLuhn(digits) && brandOf(digits) !== null;

const { numbers, cvds } = sentByTests();

const digit_runs = /\d(?:[ -]?\d){12,}/g;
const card_like = /^\d{13,19}$|^\d{4}([ -])(?:\d{4}\1){2,3}\d{1,7}$/;
// Thirteen digits and more look so, wherever they were cut into groups.
const digits_in_hex = /(?:3[0-9]){12,}/g;
const digits_in_base64 = /(?:[MNO][DTjz][AEIMQUYcgk][w-z0-5]){3,}/g;
const cvd_named = /(?:\b|_)(?:cvd|cvv2?|cvc2?|csc|security[_ -]?code)(?:%22|%5D|["'\]\\\s:=]){1,8}(\d{3,4})(?!\d)/gi;
// How long a body was is written alike, in the request log's headers.
const cvd_quoted = /(?<!length["']{1,2}:\s?)(["']+)(\d{3,4})\1/gi;

type Heard = (heard: { readonly what: string; readonly at: number; readonly number?: string }) => void;

/** Looks at a text, and at what stands in it in hexadecimal or base64. */
function look(text: string, heard: Heard): void {
  lookForNumbers(text, heard);
  for (const { 0: run, index: at } of text.matchAll(digits_in_hex))
    lookForNumbers(Buffer.from(run, "hex").toString("latin1"), (one) =>
      heard({ ...one, at, what: `${one.what} in hexadecimal` }),
    );
  for (const { 0: run, index: at } of text.matchAll(digits_in_base64)) {
    // The first and the last digits may share their groups with something else.
    const [first = ""] = /[\w+/-]{4}$/.exec(text.slice(Math.max(0, at - 4), at)) ?? [];
    const [last = ""] = /^[\w+/-]{0,4}/.exec(text.slice(at + run.length, at + run.length + 4)) ?? [];
    lookForNumbers(Buffer.from(first + run + last, "base64").toString("latin1"), (one) =>
      heard({ ...one, at, what: `${one.what} in base64` }),
    );
  }
  for (const { 1: cvd, index: at } of text.matchAll(cvd_named))
    heard({ what: cvd === planted_cvd ? "planted CVD" : "a CVD", at });
  for (const { 2: cvd = "", index: at } of text.matchAll(cvd_quoted))
    if (cvds.has(cvd)) heard({ what: "a CVD of the tests", at });
}

function lookForNumbers(text: string, heard: Heard): void {
  for (const { 0: run, index: at } of text.matchAll(digit_runs)) {
    const digits = run.replaceAll(/[ -]/g, "");
    const number = [...numbers].find((one) => digits.includes(one));
    if (number !== undefined)
      heard({ what: number === planted ? "planted" : "the number of a card of the tests", at, number });
    else if (card_like.test(run) && isCardNumber(digits) && standsAlone(text, at, run))
      heard({ what: "what looks like a card's number", at, number: digits });
  }
}

/** Not within a word or a longer number: keys and checksums are many, and chance makes some of their digits look right. */
const standsAlone = (text: string, index: number, run: string): boolean =>
  !/[0-9A-Za-z_.-]/.test(text[index - 1] ?? "") && !/[0-9A-Za-z_.-]/.test(text[index + run.length] ?? "");

// ---- where ----

const nearby = (text: string, at: number): string => masked(text.slice(Math.max(0, at - 60), at + 60));

type Note = (found: Found) => void;

function lookAtText(text: string, place: string, note: Note): void {
  look(text, ({ what, at, number }) => note({ what, place, number, near: nearby(text, at) }));
}

function lookAtFile(file: string, place: string, note: Note): number {
  const handle = openSync(file, "r");
  const buffer = Buffer.alloc(Math.min(piece_bytes, statSync(file).size));
  let position = 0;
  try {
    for (;;) {
      const count = readSync(handle, buffer, 0, buffer.length, position);
      lookAtText(buffer.toString("latin1", 0, count), place, note);
      if (count < piece_bytes) return position + count;
      position += count - overlap_bytes;
    }
  } finally {
    closeSync(handle);
  }
}

// A segment of PostgreSQL's log is made of pages, each with a header that would cut in two what goes on beyond it.
const segments = /(^|\/)pg_wal\/[0-9A-F]{24}$/;
const page_bytes = 8_192;
const first_header_bytes = 40;
const header_bytes = 24;

function withoutHeaders(segment: Buffer): string {
  let text = "";
  for (let at = 0; at < segment.length; at += page_bytes)
    text += segment.toString("latin1", at + (at === 0 ? first_header_bytes : header_bytes), at + page_bytes);
  return text;
}

/** Where there is room in a table, and which of its pages are whole: bytes that are numbers, and no rows. */
const maps = /^\d+_(fsm|vm)$/;

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !maps.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));

/** Every file, but those of PostgreSQL's own catalogs that no test has changed: they are as the template's. */
function sweepFolder(folder: string, note: Note): number {
  const seen = new Map<string, Buffer>();
  let bytes = 0;
  for (const file of filesIn(folder)) {
    const place = relative(folder, file);
    if (segments.test(place)) {
      const segment = readFileSync(file);
      bytes += segment.length;
      lookAtText(withoutHeaders(segment), place, note);
      continue;
    }
    const catalog = /\/base\/\d+\/(\d{1,5}(?:_\w+)?)$/.exec(file)?.[1];
    if (catalog === undefined) {
      bytes += lookAtFile(file, place, note);
      continue;
    }
    const content = readFileSync(file);
    bytes += content.length;
    if (seen.get(catalog)?.equals(content)) continue;
    if (!seen.has(catalog)) seen.set(catalog, content);
    lookAtText(content.toString("latin1"), place, note);
  }
  return bytes;
}

// ---- the databases ----

async function withClient<T>(url: string, work: (db: pg.Client) => Promise<T>): Promise<T> {
  const db = new pg.Client(url);
  await db.connect();
  try {
    return await work(db);
  } finally {
    await db.end();
  }
}

const databaseUrl = (url: string, name: string): string => url.replace(/^(\w+:\/\/[^/]*)\/?[^?]*/, `$1/${name}`);

/** Every row as text, and as its table's name and columns say. */
async function sweepRows(url: string, note: Note): Promise<number> {
  const { rows: databases } = await withClient(url, (db) =>
    db.query<{ name: string }>("SELECT datname AS name FROM pg_database WHERE datallowconn ORDER BY 1"),
  );
  let count = 0;
  for (const { name } of databases)
    await withClient(databaseUrl(url, name), async (db) => {
      const { rows: tables } = await db.query<{ name: string }>(
        `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE relkind = 'r' AND nspname !~ '^pg_|^information_schema$' AND pg_relation_size(c.oid) > 0`,
      );
      for (const table of tables) {
        const { rows } = await db.query<{ row: string }>(`SELECT row_to_json(r)::text AS row FROM ${table.name} r`);
        count += rows.length;
        for (const { row } of rows) lookAtText(row, `a row of ${table.name} in ${name}`, note);
      }
    });
  return count;
}

const planted_file = "planted.txt";

/** Rows and a line for each form, and a CVD. The table's file is written out and the log is on disk. */
async function plant(url: string, kept: string): Promise<void> {
  await withClient(url, async (db) => {
    await db.query("CREATE TABLE planted (form text, value text)");
    // The log cuts a row in two where one of its pages ends: not each time.
    for (let times = 0; times < 3; times++) {
      for (const [form, value] of Object.entries(planted_forms))
        await db.query("INSERT INTO planted VALUES ($1, $2)", [form, value]);
      await db.query("INSERT INTO planted VALUES ('cvd', $1)", [`{"cvd":"${planted_cvd}"}`]);
    }
    await db.query("CHECKPOINT");
  });
  const lines = [...Object.values(planted_forms), `card[cvd]=${planted_cvd}`];
  writeFileSync(join(kept, planted_file), `${lines.join("\n")}\n`);
}

// ---- the verdict ----

/** Tests that store a number on purpose: which, why, and where alone it may be. */
const exceptions: readonly { readonly why: string; readonly is: (found: Found) => boolean }[] = [
  {
    why: "the fuzz, and the request log's test, name things after a card: what is free text to us (a name, a key) is stored as sent",
    is: ({ number, place }) => number === "4571736000007773" && /^a row of |^postgres\/(base|pg_wal)\//.test(place),
  },
];

type Run = {
  readonly url: string;
  /** The server's folder, and what tests left behind. */
  readonly data_dir: string;
  readonly kept: string;
  /** Afterwards its files are complete. */
  readonly stop: () => Promise<void>;
};

/** Plants, sweeps the rows, stops the server, sweeps the files, and judges. */
export async function sweep({ url, data_dir, kept, stop }: Run): Promise<Swept> {
  const found: Found[] = [];
  const note: Note = (one) => void found.push(one);
  await plant(url, kept);
  const rows = await sweepRows(url, note);
  await stop();
  const bytes = sweepFolder(data_dir, note) + sweepFolder(kept, note);

  const isPlanted = ({ what }: Found): boolean => what.startsWith("planted");
  const leaks = found.filter((one) => !isPlanted(one) && !exceptions.some(({ is }) => is(one)));
  const blind = blindSpots(found.filter(isPlanted));
  const places = new Map(leaks.map((leak) => [`${leak.what} ${leak.place}`, leak]));
  return {
    complaints: [
      ...blind,
      ...[...places.values()].slice(0, told_max).map(({ what, place, near }) => `${what} in ${place}: ${near}`),
      ...(places.size > told_max ? [`and ${places.size - told_max} more`] : []),
    ],
    told: `${rows} rows and ${(bytes / 1e6).toFixed(0)} MB of files: ${numbers.size - 1} numbers looked for, what was planted was found`,
  };
}

/** What was planted and not found again. */
function blindSpots(found: readonly Found[]): string[] {
  const wheres: Readonly<Record<string, RegExp>> = {
    "a row": /^a row of planted /,
    "a table's file": /(^|\/)base\/\d+\/\d+$/,
    "the log": segments,
    "a text file": new RegExp(`^${planted_file}$`),
  };
  return Object.entries(wheres).flatMap(([where, pattern]) => {
    const here = found.filter(({ place }) => pattern.test(place));
    const plain = here.filter(({ what }) => what === "planted").length;
    const hidden = here.filter(({ what }) => what.startsWith("planted in")).length;
    const cvd = here.filter(({ what }) => what === "planted CVD").length;
    const seen = plain >= 2 && hidden >= 3 && cvd >= 1;
    return seen
      ? []
      : [
          `blind: of what was planted in ${where} ${plain} of 2 plain, ${hidden} of 3 encoded and ${cvd} of 1 CVD were found`,
        ];
  });
}
