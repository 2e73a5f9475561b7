// How a fee follows from an amount: a small arithmetic language, `0.7 + 1.45%`. It is exact: values are fractions of whole
// numbers, and there is one rounding, at the end.

import { amount_max } from "./money.ts";

/** In characters. No price list needs more, and it bounds how large the numbers of a calculation can become. */
export const formula_length_max = 200;
// Parentheses within parentheses: reading them recurses.
const depth_max = 20;

/** `d` is more than zero. */
type Fraction = { readonly n: bigint; readonly d: bigint };
type Operator = "+" | "-" | "*" | "/";

/** A formula that was understood. */
export type Formula =
  | { readonly kind: "number"; readonly value: Fraction }
  | { readonly kind: "amount" }
  | { readonly kind: "percent"; readonly value: Fraction }
  | { readonly kind: Operator; readonly left: Formula; readonly right: Formula };

/** What is wrong with a formula or its result, to be read behind the parameter's name. */
type Wrong = { readonly wrong: string };
export type Parsed = { readonly formula: Formula } | Wrong;

type Token = { readonly at: number; readonly text: string };

// What a formula is written with. A percent sign belongs to the number before it.
const token_pattern = / *(\d+(?:\.\d+)?(?: *%)?|amount|[-+*/()])/y;
const end: Token = { at: -1, text: "" };

class NotAFormula extends Error {}

/**
 * Reads a formula: `+ - * / ( )`, decimals, `amount` (in minor units), and numbers in percent of the amount. Products come
 * before sums, and equals from left to right.
 */
export function parseFormula(text: string): Parsed {
  if (text.length > formula_length_max) return { wrong: `must have length between 1 and ${formula_length_max}` };
  try {
    const reader = readerOf(tokensOf(text));
    const formula = sum(reader, 0);
    if (reader.peek() !== end) throw unexpected(reader.peek());
    return { formula };
  } catch (error) {
    if (error instanceof NotAFormula) return { wrong: error.message };
    throw error;
  }
}

const unexpected = ({ at }: Pick<Token, "at">): NotAFormula =>
  new NotAFormula(at < 0 ? "is invalid: it ends too early" : `is invalid at character ${at + 1}`);

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const length = text.trimEnd().length;
  token_pattern.lastIndex = 0;
  for (let at = 0; at < length; at = token_pattern.lastIndex) {
    const match = token_pattern.exec(text);
    if (match === null) throw unexpected({ at });
    const [whole, token = ""] = match;
    tokens.push({ at: at + whole.length - token.length, text: token });
  }
  return tokens;
}

type Reader = { readonly peek: () => Token; readonly next: () => Token };

function readerOf(tokens: readonly Token[]): Reader {
  let at = 0;
  const peek = (): Token => tokens[at] ?? end;
  return {
    peek,
    next() {
      const token = peek();
      at += 1;
      return token;
    },
  };
}

const isOneOf = <Word extends string>(text: string, words: readonly Word[]): text is Word =>
  words.includes(text as Word);

function sum(reader: Reader, depth: number): Formula {
  return chain(reader, ["+", "-"], () => chain(reader, ["*", "/"], () => operand(reader, depth)));
}

/** `1 - 2 - 3` is `(1 - 2) - 3`. */
function chain(reader: Reader, operators: readonly Operator[], part: () => Formula): Formula {
  let left = part();
  for (;;) {
    const { text } = reader.peek();
    if (!isOneOf(text, operators)) return left;
    reader.next();
    left = { kind: text, left, right: part() };
  }
}

function operand(reader: Reader, depth: number): Formula {
  const token = reader.next();
  const { text } = token;
  if (text === "amount") return { kind: "amount" };
  if (/^\d/.test(text)) {
    const percent = text.endsWith("%");
    const value = fractionOf(text.replace(/ *%$/, ""));
    return percent ? { kind: "percent", value } : { kind: "number", value };
  }
  if (text !== "(") throw unexpected(token);
  if (depth === depth_max) throw new NotAFormula(`has more than ${depth_max} parentheses within each other`);
  const inner = sum(reader, depth + 1);
  const closing = reader.next();
  if (closing.text !== ")") throw unexpected(closing);
  return inner;
}

/** `1.45` is 145/100. */
function fractionOf(decimal: string): Fraction {
  const [whole = "", fraction = ""] = decimal.split(".");
  return { n: BigInt(whole + fraction), d: 10n ** BigInt(fraction.length) };
}

class DividesByZero extends Error {}

function valueIn(formula: Formula, amount: bigint): Fraction {
  if (formula.kind === "number") return formula.value;
  if (formula.kind === "amount") return { n: amount, d: 1n };
  if (formula.kind === "percent") return { n: formula.value.n * amount, d: formula.value.d * 100n };
  const a = valueIn(formula.left, amount);
  const b = valueIn(formula.right, amount);
  if (formula.kind === "+") return { n: a.n * b.d + b.n * a.d, d: a.d * b.d };
  if (formula.kind === "-") return { n: a.n * b.d - b.n * a.d, d: a.d * b.d };
  if (formula.kind === "*") return { n: a.n * b.n, d: a.d * b.d };
  if (b.n === 0n) throw new DividesByZero();
  return b.n > 0n ? { n: a.n * b.d, d: a.d * b.n } : { n: -a.n * b.d, d: a.d * -b.n };
}

export type Fee = { readonly fee: number } | Wrong;

/**
 * The fee on an amount, both in minor units, rounded half up once (extensions, section 6: rounding). `step`: the smallest
 * amount that the currency's acquirers can move, 100 for ISK.
 */
export function feeOn(formula: Formula, amount: number, step = 1): Fee {
  let value: Fraction;
  try {
    value = valueIn(formula, BigInt(amount));
  } catch (error) {
    if (error instanceof DividesByZero) return { wrong: "divides by zero" };
    throw error;
  }
  if (value.n < 0n) return { wrong: "must not make a negative fee" };
  const d = value.d * BigInt(step);
  const fee = ((2n * value.n + d) / (2n * d)) * BigInt(step);
  return fee > BigInt(amount_max) ? { wrong: "makes a fee that is too large" } : { fee: Number(fee) };
}

// A little, an everyday purchase, and a large one: what fails on one of them is not meant.
const ordinary_amounts = [1, 100, 10_000, 1_000_000];

/** What is wrong with a formula that somebody wants to use; null when nothing is. */
export function wrongWithFormula(text: string): string | null {
  const parsed = parseFormula(text);
  if ("wrong" in parsed) return parsed.wrong;
  for (const amount of ordinary_amounts) {
    const result = feeOn(parsed.formula, amount);
    if ("wrong" in result) return `${result.wrong} (on an amount of ${amount})`;
  }
  return null;
}
