// Texts for property tests.

import fc from "fast-check";

const isSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdfff;

/** Any character of Unicode. fast-check's own `unit: "binary"` is the same and first builds tables for seconds. */
export const any_character = fc
  .integer({ min: 0, max: 0x10ffff })
  .filter((code) => !isSurrogate(code))
  .map((code) => String.fromCodePoint(code));
