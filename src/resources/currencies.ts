// The currencies that amounts may be in, from our own dated ISO 4217 table.

import { Type } from "typebox";
import { get } from "../api/endpoint.ts";
import { currencies } from "../domain/currency.ts";

const Currency = Type.Object(
  { code: Type.String(), numeric: Type.String(), exponent: Type.Integer(), name: Type.String() },
  { title: "Currency" },
);

export const currencyEndpoints = [
  get("/currencies", {
    summary: "List the currencies",
    description: "`exponent`: how many decimals the currency's amounts have; amounts are always in its smallest unit.",
    scope: "anonymous",
    input: Type.Object({}),
    output: { 200: Type.Array(Currency) },
    handle: () => ({ status: 200, body: currencies }),
  }),
];
