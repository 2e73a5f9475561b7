// What an account has agreed with acquirers, as it is shown (reference: objects, section 11): made from the table of what each
// of them takes.

import { type TSchema, Type } from "typebox";
import { acquirer_settings, type SettingKind } from "../domain/acquirer-settings.ts";
import { type AcquirerName, acquirer_names } from "../domain/acquirers.ts";

const shown_kinds: Readonly<Record<SettingKind, () => TSchema>> = {
  flag: () => Type.Boolean(),
  text: () => Type.String(),
  secret: () => Type.String(),
  integer: () => Type.Integer(),
  texts: () => Type.Array(Type.String()),
  given: () => Type.String(),
};

const or_null = (schema: TSchema) => Type.Union([schema, Type.Null()]);

const titles: Readonly<Partial<Record<AcquirerName, string>>> = {
  klarnapayments: "KlarnaPayments",
  mobilepay: "MobilePay",
  mobilepayonline: "MobilePayOnline",
  mobilepaysubscriptions: "MobilePaySubscriptions",
  paypal: "PayPal",
  viabill: "ViaBill",
};
const titleOf = (name: AcquirerName): string => titles[name] ?? name.charAt(0).toUpperCase() + name.slice(1);

/** The shape of what an account has agreed with one acquirer. */
export const acquirerShape = (name: AcquirerName) =>
  Type.Object(
    Object.fromEntries(
      Object.entries(acquirer_settings[name]).map(([member, kind]) => [
        member,
        member === "active" ? Type.Boolean() : or_null(shown_kinds[kind]()),
      ]),
    ),
    { title: `AcquirerSettings${titleOf(name)}` },
  );

/** The shapes of all, by name. */
export const acquirer_shapes = Object.fromEntries(acquirer_names.map((name) => [name, acquirerShape(name)]));
