// The Merchant object (reference: objects, section 9) and the parameters that change it (resources, section 4).

import { type TSchema, Type } from "typebox";
import { email, flag, httpUrl, integer, json, list, nullable, text, time } from "../api/fields.ts";
import { pci_levels } from "../domain/account.ts";
import { acquirer_settings, allAcquirerSettings, type SettingKind } from "../domain/acquirer-settings.ts";
import { type AcquirerName, acquirer_names } from "../domain/acquirers.ts";
import type { Account } from "../services/directory.ts";
import { wireTime } from "../services/present.ts";
import { isEmptied } from "./lists.ts";

const text_max = 255;
const urls_max = 20;
const setting_max = 10_000;

const setting_fields: Readonly<Record<Exclude<SettingKind, "given">, () => TSchema>> = {
  flag: () => flag(),
  text: () => text({ max: text_max }),
  secret: () => text({ max: setting_max }),
  integer: () => integer({ min: 0 }),
  texts: () => list(text({ max: 10 }), { max: 200 }),
};

const optionals = (fields: Readonly<Record<string, TSchema>>) =>
  Type.Object(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, Type.Optional(field)])));

/** Without a key Clearhaus takes test cards alone. */
const emptiable_key = () => text({ max: setting_max, empty: true });

/** One acquirer's parameters, made from the table of what it takes; those in `required` must be given. */
export const settingsOf = (acquirer: AcquirerName, required: readonly string[] = []) =>
  Type.Object(
    Object.fromEntries(
      Object.entries(acquirer_settings[acquirer]).flatMap(([name, kind]): [string, TSchema][] => {
        if (kind === "given") return [];
        const field = acquirer === "clearhaus" && name === "api_key" ? emptiable_key() : setting_fields[kind]();
        return [[name, required.includes(name) ? field : Type.Optional(nullable(field))]];
      }),
    ),
  );

const address_names = ["name", "att", "street", "city", "zip_code", "region", "country_code", "vat_no"];
const Address = optionals(Object.fromEntries(address_names.map((name) => [name, nullable(text({ max: text_max }))])));

export const AccountChange = {
  customer_address: Type.Optional(Address),
  billing_address: Type.Optional(Address),
  callback_url: Type.Optional(nullable(httpUrl())),
  acquirer_settings: Type.Optional(
    optionals(Object.fromEntries(acquirer_names.map((name) => [name, settingsOf(name)]))),
  ),
  integration_settings: Type.Optional(
    optionals({
      economic: optionals({
        active: flag(),
        agreement: nullable(text({ max: text_max })),
        agreement_token: nullable(text({ max: setting_max })),
      }),
    }),
  ),
  pci: Type.Optional(optionals(Object.fromEntries(pci_levels.map((level) => [level, flag()])))),
  autofee: Type.Optional(flag()),
  default_payment_methods: Type.Optional(nullable(text({ max: 1_000 }))),
  shop_url: Type.Optional(httpUrl({ deprecated: true, description: "Instead of shop_urls, for one address" })),
  shop_urls: Type.Optional(list(httpUrl(), { max: urls_max })),
  contact_email: Type.Optional(email()),
  shop_name: Type.Optional(text({ max: text_max })),
  shopsystem: Type.Optional(nullable(text({ max: text_max }))),
  timezone: Type.Optional(text({ pattern: /^[+-](0\d|1[0-4]):[0-5]\d$/, description: "Offset from UTC: +01:00" })),
  locale: Type.Optional(text({ pattern: /^[a-z]{2}$/ })),
  default_branding_id: Type.Optional(nullable(integer({ min: 1 }))),
  logging_stops_at: Type.Optional(nullable(time())),
  allow_test_transactions: Type.Optional(flag()),
  default_payment_language: Type.Optional(text({ pattern: /^[a-z]{2}$/ })),
  default_text_on_statement: Type.Optional(nullable(text({ max: 22, pattern: /^[\x20-\x7e]*$/ }))),
  default_branding_config: Type.Optional(json()),
};

type Input = { readonly shop_url?: string; readonly shop_urls?: readonly string[] };

/** What the parameters change. `shop_url`, the older one, names the one address of `shop_urls`. */
export function accountChange<I extends Input>(input: I, params: Readonly<Record<string, unknown>>) {
  const { shop_url, ...change } = input;
  if (isEmptied(params, "shop_urls")) return { ...change, shop_urls: [] };
  return shop_url === undefined || change.shop_urls !== undefined ? change : { ...change, shop_urls: [shop_url] };
}

const or_null = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
const map = () => Type.Object({}, { additionalProperties: true });

export const MerchantShape = Type.Object(
  {
    id: Type.Integer(),
    type: Type.Literal("Merchant"),
    shop_name: Type.String(),
    shop_url: or_null(Type.String()),
    shop_urls: Type.Array(Type.String()),
    contact_email: Type.String(),
    callback_url: or_null(Type.String()),
    shopsystem: or_null(Type.String()),
    timezone: Type.String(),
    locale: Type.String(),
    autofee: Type.Boolean(),
    allow_test_transactions: Type.Boolean(),
    default_branding_id: or_null(Type.Integer()),
    default_branding_config: map(),
    default_payment_language: Type.String(),
    default_payment_methods: or_null(Type.String()),
    default_text_on_statement: or_null(Type.String()),
    customer_address: map(),
    billing_address: map(),
    acquirer_settings: map(),
    integration_settings: map(),
    pci: map(),
    reseller: map(),
    created_at: Type.String({ format: "date-time" }),
    suspended_at: or_null(Type.String()),
    logging_stops_at: or_null(Type.String()),
  },
  { title: "Merchant" },
);

// Every installation is its own reseller.
const reseller = {
  id: 1,
  name: "CoolPay",
  support_email: null,
  default_branding_id: null,
  default_payment_methods: null,
};

const hidden = {
  acquirer_settings: {},
  integration_settings: { economic: { active: false, agreement: null, agreement_token: null } },
};

/** For members who may not read the account: without what it has agreed with acquirers and others. */
export const presentAccountBriefly = (account: Account) => ({ ...presentAccount(account), ...hidden });

export function presentAccount({ id, settings: s, created_at, suspended_at }: Account) {
  return {
    id,
    type: "Merchant",
    shop_name: s.shop_name,
    shop_url: s.shop_urls[0] ?? null,
    shop_urls: s.shop_urls,
    contact_email: s.contact_email,
    callback_url: s.callback_url,
    shopsystem: s.shopsystem,
    timezone: s.timezone,
    locale: s.locale,
    autofee: s.autofee,
    allow_test_transactions: s.allow_test_transactions,
    default_branding_id: s.default_branding_id,
    default_branding_config: s.default_branding_config,
    default_payment_language: s.default_payment_language,
    default_payment_methods: s.default_payment_methods,
    default_text_on_statement: s.default_text_on_statement,
    customer_address: s.customer_address,
    billing_address: s.billing_address,
    acquirer_settings: allAcquirerSettings(s.acquirer_settings),
    integration_settings: s.integration_settings,
    pci: s.pci,
    reseller,
    created_at: wireTime(created_at),
    suspended_at: suspended_at === null ? null : wireTime(suspended_at),
    logging_stops_at: s.logging_stops_at,
  };
}
