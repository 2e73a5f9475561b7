// A transaction's body as it rests: without what is as it was at the beginning. Most payments have no addresses, no basket
// and a metadata of nulls; leaving them out makes the row and its log a fraction of the size.

import { unknown_metadata } from "../domain/metadata.ts";
import { type Body, newBody } from "../domain/transaction.ts";

type Plain = Readonly<Record<string, unknown>>;

const beginning: Plain = newBody(unknown_metadata);
const beginning_metadata: Plain = unknown_metadata;

const isEmpty = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.length === 0
    : typeof value === "object" && value !== null && Object.keys(value).length === 0;

/** Of the same kind: an empty list is no empty object. */
const areBothEmpty = (a: unknown, b: unknown): boolean =>
  isEmpty(a) && isEmpty(b) && Array.isArray(a) === Array.isArray(b);

/** The members that differ from the beginning's. */
function differing(value: Plain, from: Plain): Record<string, unknown> {
  const packed: Record<string, unknown> = {};
  for (const name in value) {
    const member = value[name];
    if (member === from[name] || areBothEmpty(member, from[name])) continue;
    packed[name] = member;
  }
  return packed;
}

export function packBody(body: Body): Plain {
  const { metadata, ...rest } = body;
  const packed = differing(rest, beginning);
  if (metadata === beginning_metadata) return packed;
  const packed_metadata = differing(metadata, beginning_metadata);
  return isEmpty(packed_metadata) ? packed : { ...packed, metadata: packed_metadata };
}

export function unpackBody(packed: Plain): Body {
  return {
    ...beginning,
    ...packed,
    metadata: { ...beginning_metadata, ...(packed.metadata as Plain | undefined) },
  } as Body;
}
