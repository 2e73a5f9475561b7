// What is secret never reaches a log, whatever is handed over: members with telling names are hidden at any depth, and
// texts are searched for what looks like a card number, a key or a password.

import { types } from "node:util";

export const hidden = "[hidden]";

// In this order: an address's password goes before its digits are looked at.
const secret_texts: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [^-]*PRIVATE KEY-----[\s\S]*?(-----END [^-]*PRIVATE KEY-----|$)/g, hidden],
  [/\b(Basic|Bearer)\s+[\w+/=.~-]+/gi, `$1 ${hidden}`],
  [/(\w:\/\/)[^\s/?#]*@/g, `$1${hidden}@`],
  [/\bwhsec_[\w+/=-]+/g, hidden],
  // Keys are 64 hexadecimal digits, card numbers 12 to 19 decimal ones, written in groups or not.
  [/[0-9a-f]{64,}/gi, hidden],
  [/\d(?:[\s.,_/+\u2010-\u2015-]{0,2}\d){11,}/g, hidden],
  // What is written as JSON or a form within a text. Each repetition is bounded, lest a long text take long.
  [
    /((?:passw\w{0,20}|pwd|secret|token|api_?key|cv[cdv]2?|csc|security_?code)[\\"'\]]{0,4}\s{0,4}[:=]\s{0,4}[\\"']{0,4})[^\s\\"'&,;}\]]+/gi,
    `$1${hidden}`,
  ],
];

export const maskedText = (text: string): string =>
  secret_texts.reduce((rest, [secret, instead]) => rest.replace(secret, instead), text);

type Rules = {
  /** Is what bears this name secret, whatever it is? */
  readonly isSecret: (name: string) => boolean;
  readonly text: (text: string) => string;
};

// Deeper than anybody logs on purpose.
const depth_max = 8;

/** The same data, without secrets. */
export function masked(value: unknown, rules: Rules, depth = 0): unknown {
  const { isSecret, text } = rules;
  if (typeof value === "string") return text(value);
  if (typeof value === "number" || typeof value === "bigint") {
    // The digits of a fraction, such as a duration's, are nobody's card number.
    const whole = typeof value === "number" ? String(Math.trunc(value)) : String(value);
    const shown = text(whole);
    return shown === whole && typeof value === "number" ? value : shown;
  }
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (depth === depth_max) return "…";
  if (value instanceof Error) return masked({ ...value, message: value.message }, rules, depth);
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return hidden;
  if (Array.isArray(value) || value instanceof Set) return [...value].map((item) => masked(item, rules, depth + 1));
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(
    entries.map(([name, member]) => [
      text(String(name)),
      isSecret(String(name)) ? hidden : masked(member, rules, depth + 1),
    ]),
  );
}

// Looks back one letter only: a pattern that begins anywhere in a long text would take seconds of it.
/** Everything after an address's question mark goes: a query may hold anything. */
export const withoutQuery = (text: string): string => text.replace(/(?<=^|[/\w%.-])\?[^\s"'<>]+/g, "");

// Words, numbers that are too short to be a secret: nearly every path.
const plain_path = /^(?:\/(?:\d{1,11}|[a-z][a-z-]{0,50}))*\/?$/;

/** The part of an address before its query; its encoding hides nothing from us. */
export function pathOnly(url: string): string {
  const end = url.indexOf("?");
  const path = end < 0 ? url : url.slice(0, end);
  if (plain_path.test(path)) return path;
  let plain = path;
  try {
    plain = decodeURIComponent(path);
  } catch {
    // Not an encoding after all.
  }
  const shown = maskedText(withoutQuery(plain));
  return shown === plain ? path : encodeURI(shown);
}
