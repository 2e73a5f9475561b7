// Tables as text (RFC 4180), safe to be opened in a spreadsheet.

export type Delimiter = "," | ";";
export type Cell = string | number | boolean | null;

/** Before the first line. Spreadsheets that expect `;` take UTF-8 for something else unless it begins with a mark. */
export const csvStart = (delimiter: Delimiter): string => (delimiter === ";" ? "\ufeff" : "");

// What a spreadsheet would run as a formula: a shopper may have written it.
const is_formula = /^[=+\-@\t\r]/;
const needs_quotes = /[",;\r\n]/;

/** One line, its end included. */
export const csvLine = (cells: readonly Cell[], delimiter: Delimiter): string =>
  `${cells.map(written).join(delimiter)}\r\n`;

function written(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell !== "string") return String(cell);
  const text = is_formula.test(cell) ? `'${cell}` : cell;
  return needs_quotes.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
