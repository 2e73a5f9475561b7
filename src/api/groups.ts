// Groups of parameters that several endpoints share, with the reference's names (resources, sections 0 and 7). Where it
// gives no limit there is a generous one of ours, because everything outside has one.

import { type Static, Type } from "typebox";
import { acquirer_names } from "../domain/acquirers.ts";
import {
  amountField,
  date,
  type Extra,
  email,
  flag,
  group,
  httpUrl,
  integer,
  json,
  list,
  map,
  number,
  oneOf,
  returnUrl,
  text,
  variables,
} from "./fields.ts";

const text_max = 255;
const url_max = 2_048;
const basket_lines_max = 1_000;
// 0.25 is 25 %. A shop that writes 25 is wrong, but the number is only shown: no reason to lose the sale.
const vat_rate_max = 100;
const card_number_max = 40;
// Wallets' tokens are signed documents.
const wallet_token_max = 20_000;
const payment_methods_max = 1_000;
// Ten years: more is a mistake in the unit.
const link_deadline_s_max = 10 * 366 * 86_400;

const optional_text = (max = text_max) => Type.Optional(text({ max }));

export const country_code = () => text({ pattern: /^[A-Za-z]{3}$/, description: "ISO 3166-1 alpha-3" });

export const VAT_RATE = number({ min: 0, max: vat_rate_max, description: "0.25 is 25 %" });

export const ADDRESS = group({
  name: optional_text(),
  att: optional_text(),
  company_name: optional_text(),
  street: optional_text(),
  house_number: optional_text(),
  house_extension: optional_text(),
  city: optional_text(),
  zip_code: optional_text(),
  region: optional_text(),
  // Kept as sent: shops send other forms too, and nothing here depends on it.
  country_code: Type.Optional(text({ max: text_max, description: "ISO 3166-1 alpha-3" })),
  vat_no: optional_text(),
  phone_number: optional_text(),
  mobile_number: optional_text(),
  email: optional_text(),
});
export type AddressInput = Static<typeof ADDRESS>;

/** Every member is required once a line is there. */
export const BASKET = list(
  group({
    qty: integer({ min: 0 }),
    item_no: text({ max: text_max }),
    item_name: text({ max: text_max }),
    // A discount is a line with a negative price.
    item_price: integer({ description: "Per unit, VAT included, in the currency's smallest unit" }),
    vat_rate: VAT_RATE,
  }),
  { max: basket_lines_max },
);
export type BasketInput = Static<typeof BASKET>;

export const SHIPPING = group({
  method: Type.Optional(
    oneOf(["store_pick_up", "home_delivery", "registered_box", "unregistered_box", "pick_up_point", "own_delivery"]),
  ),
  company: optional_text(),
  amount: Type.Optional(integer({ min: 0, description: "VAT included, in the currency's smallest unit" })),
  vat_rate: Type.Optional(VAT_RATE),
  tracking_number: optional_text(),
  tracking_url: optional_text(url_max),
});
export type ShippingInput = Static<typeof SHIPPING>;

export const SHOPSYSTEM = group({ name: optional_text(), version: optional_text() });
export type ShopsystemInput = Static<typeof SHOPSYSTEM>;

export const VARIABLES = variables();

export const EXTRAS = map({ description: "For the acquirer alone, by its name: `extras[clearhaus][…]`" });

export const THREEDS_V2 = map({ description: "For the issuer's 3-D Secure, by its own names" });

export const CARD = group({
  number: optional_text(card_number_max),
  expiration: Type.Optional(text({ max: 10, description: "YYMM" })),
  cvd: optional_text(10),
  token: optional_text(),
  apple_pay_token: optional_text(wallet_token_max),
  mobilepay_online_token: optional_text(wallet_token_max),
  google_pay_token: optional_text(wallet_token_max),
  issued_to: optional_text(),
  brand: Type.Optional(
    oneOf(
      [
        "american-express",
        "dankort",
        "diners",
        "fbg1886",
        "jcb",
        "maestro",
        "mastercard",
        "mastercard-debet",
        "visa",
        "visa-electron",
      ],
      { description: "Which brand to use of a card that has several" },
    ),
  ),
  status: Type.Optional(text({ max: 10, description: "3-D Secure that was done elsewhere, as `eci`, `xav`, `cavv`" })),
  eci: optional_text(10),
  xav: optional_text(),
  cavv: optional_text(),
});
export type CardInput = Static<typeof CARD>;

export const NIN = group({
  number: optional_text(50),
  country_code: Type.Optional(country_code()),
  gender: Type.Optional(oneOf(["male", "female"])),
});
export type NinInput = Static<typeof NIN>;

export const PERSON = group({ first_name: optional_text(), last_name: optional_text(), email: optional_text() });
export type PersonInput = Static<typeof PERSON>;

/** Names of methods, as the window reads them: `creditcard,!jcb`. */
export const paymentMethods = (extra: Extra = {}) => text({ max: payment_methods_max, ...extra });

/** Of PUT `/payments/{id}/link`, in the spelling of today. */
export const LINK = Type.Object({
  amount: amountField(),
  agreement_id: Type.Optional(integer({ min: 1 })),
  language: Type.Optional(text({ pattern: /^[a-z]{2}$/i, default: "en" })),
  continue_url: Type.Optional(returnUrl()),
  cancel_url: Type.Optional(returnUrl()),
  callback_url: Type.Optional(httpUrl()),
  payment_methods: Type.Optional(paymentMethods()),
  auto_fee: Type.Optional(flag()),
  branding_id: Type.Optional(integer({ min: 1 })),
  google_analytics_tracking_id: optional_text(),
  google_analytics_client_id: optional_text(),
  acquirer: Type.Optional(oneOf(acquirer_names)),
  deadline: Type.Optional(integer({ min: 1, max: link_deadline_s_max, description: "Seconds from now" })),
  framed: Type.Optional(flag()),
  branding_config: Type.Optional(json({ description: "An object, or its JSON as a text" })),
  customer_email: Type.Optional(email()),
  invoice_address_selection: Type.Optional(flag()),
  shipping_address_selection: Type.Optional(flag()),
  auto_capture: Type.Optional(flag()),
  auto_capture_at: Type.Optional(date()),
  fee_vat: Type.Optional(integer({ min: 0 })),
  moto: Type.Optional(flag()),
});
export type LinkInput = Static<typeof LINK>;
