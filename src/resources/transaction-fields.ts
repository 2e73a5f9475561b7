// What creating and changing transactions take alike.

import { Type } from "typebox";
import { integer, nullable, time, variables as variablesField } from "../api/fields.ts";
import {
  ADDRESS,
  type AddressInput,
  BASKET,
  type BasketInput,
  SHIPPING,
  type ShippingInput,
  VARIABLES,
} from "../api/groups.ts";
import type { Address, Body } from "../domain/transaction.ts";

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

const address_members = [
  "name",
  "att",
  "street",
  "city",
  "zip_code",
  "region",
  "country_code",
  "vat_no",
  "company_name",
  "house_number",
  "house_extension",
  "phone_number",
  "mobile_number",
  "email",
] as const;
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
