// The Merchant object (reference: objects, section 9) and the parameters that change it (resources, section 4).

import { type TSchema, Type } from "typebox";
import { type Extra, email, flag, httpUrl, integer, json, list, nullable, text, time } from "../api/fields.ts";
import { pci_levels } from "../domain/account.ts";
import {
  acquirer_settings,
  allAcquirerSettings,
  default_settings,
  type SettingKind,
} from "../domain/acquirer-settings.ts";
import { type AcquirerName, acquirer_names } from "../domain/acquirers.ts";
import type { Account } from "../services/directory.ts";
import { wireTime } from "../services/present.ts";
import { acquirer_shapes } from "./acquirer-shape.ts";
import { isEmptied } from "./lists.ts";

const text_max = 255;
const urls_max = 20;
const setting_max = 10_000;

const setting_fields: Readonly<Record<Exclude<SettingKind, "given">, (extra: Extra) => TSchema>> = {
  flag,
  text: (extra) => text({ max: text_max, ...extra }),
  secret: (extra) => text({ max: setting_max, ...extra }),
  integer: (extra) => integer({ min: 0, ...extra }),
  texts: (extra) => list(text({ max: 10 }), { max: 200, ...extra }),
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
        const preset = default_settings[acquirer]?.[name];
        const extra: Extra = preset === undefined ? {} : { default: preset };
        const field = acquirer === "clearhaus" && name === "api_key" ? emptiable_key() : setting_fields[kind](extra);
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
const text_or_null = () => or_null(Type.String());
const time_or_null = () => or_null(Type.String({ format: "date-time" }));
const map = () => Type.Object({}, { additionalProperties: true });
const all = (names: readonly string[], shape: () => TSchema) =>
  Object.fromEntries(names.map((name) => [name, shape()]));

const AddressShape = Type.Object(all(address_names, text_or_null), { title: "Address" });
const PciShape = Type.Object(all(pci_levels, Type.Boolean), { title: "PciSettings" });
const EconomicShape = Type.Object(
  { active: Type.Boolean(), agreement: text_or_null(), agreement_token: text_or_null() },
  { title: "IntegrationSettingsEconomic" },
);
const IntegrationShape = Type.Object({ economic: EconomicShape }, { title: "IntegrationSettings" });
const ResellerShape = Type.Object(
  {
    id: Type.Integer(),
    name: Type.String(),
    support_email: text_or_null(),
    default_branding_id: or_null(Type.Integer()),
    default_payment_methods: text_or_null(),
  },
  { title: "MerchantReseller" },
);
// Left out where they may not be read.
const AcquirersShape = Type.Partial(Type.Object(acquirer_shapes));

export const MerchantShape = Type.Object(
  {
    id: Type.Integer(),
    type: Type.Literal("Merchant"),
    shop_name: Type.String(),
    shop_url: text_or_null(),
    shop_urls: Type.Array(Type.String()),
    contact_email: Type.String(),
    callback_url: text_or_null(),
    shopsystem: text_or_null(),
    timezone: Type.String(),
    locale: Type.String(),
    autofee: Type.Boolean(),
    allow_test_transactions: Type.Boolean(),
    default_branding_id: or_null(Type.Integer()),
    default_branding_config: map(),
    default_payment_language: Type.String(),
    default_payment_methods: text_or_null(),
    default_text_on_statement: text_or_null(),
    customer_address: AddressShape,
    billing_address: AddressShape,
    acquirer_settings: AcquirersShape,
    integration_settings: IntegrationShape,
    pci: PciShape,
    reseller: ResellerShape,
    created_at: Type.String({ format: "date-time" }),
    suspended_at: time_or_null(),
    logging_stops_at: time_or_null(),
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
