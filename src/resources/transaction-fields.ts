// What creating and changing transactions take alike.

import { Type } from "typebox";
import type { AnyRequest, Reply } from "../api/endpoint.ts";
import { integer, isLargeMap, nullable, text, time, variables as variablesField } from "../api/fields.ts";
import {
  ADDRESS,
  type AddressInput,
  BASKET,
  type BasketInput,
  SHIPPING,
  type ShippingInput,
  VARIABLES,
} from "../api/groups.ts";
import { compile, messages } from "../api/input.ts";
import { isGroup } from "../api/params.ts";
import { Refused } from "../domain/refusal.ts";
import { type Address, address_members, type Body } from "../domain/transaction.ts";
import { patchTransaction } from "../services/payments.ts";
import { type Kind, keyOf, shown } from "./kinds.ts";

export const addresses = { invoice_address: Type.Optional(ADDRESS), shipping_address: Type.Optional(ADDRESS) };
export const variables = { variables: Type.Optional(VARIABLES) };
/** Of what is new. */
export const new_variables = { variables: Type.Optional(variablesField({ default: {} })) };
export const details = {
  ...addresses,
  ...variables,
  basket: Type.Optional(BASKET),
  shipping: Type.Optional(SHIPPING),
};
export const deadline_at = { deadline_at: Type.Optional(nullable(time())) };

export const operations_size = Type.Optional(
  integer({ min: 0, description: "How many of the newest operations are shown" }),
);

type Details = {
  readonly invoice_address?: AddressInput;
  readonly shipping_address?: AddressInput;
  readonly basket?: BasketInput;
  readonly shipping?: ShippingInput;
  readonly variables?: Record<string, unknown>;
  readonly deadline_at?: string | null;
  readonly description?: string;
};

const shipping_members = ["method", "company", "amount", "vat_rate", "tracking_number", "tracking_url"] as const;

/** All members, in their order; those that were not given are null. */
const filled = (members: readonly string[], given: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(members.map((name) => [name, given[name] ?? null]));

/** What was given, as it is stored; what was not given is absent. */
export function bodyOf(input: Details): Partial<Body> {
  const { invoice_address, shipping_address, basket, shipping, variables, deadline_at, description } = input;
  return {
    ...(invoice_address && { invoice_address: filled(address_members, invoice_address) as Address }),
    ...(shipping_address && { shipping_address: filled(address_members, shipping_address) as Address }),
    ...(basket && { basket }),
    ...(shipping && { shipping: filled(shipping_members, shipping) }),
    ...(variables && { variables }),
    ...(deadline_at !== undefined && { deadline_at }),
    ...(description !== undefined && { description }),
  };
}

const readDetails = compile(Type.Object({ ...details, description: Type.Optional(text()) }), { nulls: false });

/** What these parameters, which were found good before, say of a transaction, as it is stored. */
export const detailsOf = (params: Readonly<Record<string, unknown>>): Partial<Body> =>
  bodyOf(readDetails(params).value as Details);

/** Answers a PATCH: changes what was given. */
export async function patched(
  kind: Kind,
  request: AnyRequest<"merchant"> & { readonly input: Details },
  more: { readonly group_ids?: readonly number[] } = {},
): Promise<Reply> {
  const { services, actor, input, version } = request;
  const merge = version.switches.merge_variables ? merged : null;
  const wanted = { key: keyOf(kind, request), body: bodyOf(input), merge, ...more };
  return shown(request, await patchTransaction(services, actor, wanted));
}

/** Throws when they grow too large. */
function merged(before: Body["variables"], given: Body["variables"]): Body["variables"] {
  const variables = mergedInto(before, given);
  if (isLargeMap(variables)) throw new Refused("validation", { variables: [messages.too_large] });
  return variables;
}

/** RFC 7396: what is given replaces what there is, null removes, and objects are merged in turn. */
function mergedInto(before: unknown, given: Body["variables"]): Body["variables"] {
  const all = new Map(isGroup(before) ? Object.entries(before) : []);
  for (const [name, value] of Object.entries(given)) {
    if (value === null) all.delete(name);
    else all.set(name, isGroup(value) ? mergedInto(all.get(name), value) : value);
  }
  return Object.fromEntries(all);
}
