// Groups of parameters that several endpoints share (reference: resources, section 0).

import { Type } from "typebox";
import { integer, list, map, number, oneOf, text } from "./fields.ts";

const optional_text = (max = 255) => Type.Optional(text({ max }));

export const country_code = () => text({ pattern: /^[A-Za-z]{3}$/, description: "ISO 3166-1 alpha-3" });

export const ADDRESS = Type.Object({
  name: optional_text(),
  att: optional_text(),
  company_name: optional_text(),
  street: optional_text(),
  house_number: optional_text(),
  house_extension: optional_text(),
  city: optional_text(),
  zip_code: optional_text(),
  region: optional_text(),
  country_code: optional_text(),
  vat_no: optional_text(),
  phone_number: optional_text(),
  mobile_number: optional_text(),
  email: optional_text(),
});

const basket_lines_max = 1_000;

export const BASKET = list(
  Type.Object({
    qty: integer({ min: 0 }),
    item_no: text({ max: 255 }),
    item_name: text({ max: 255 }),
    item_price: integer({ description: "Per unit, VAT included, in the currency's smallest unit" }),
    vat_rate: number({ min: 0, max: 10, description: "0.25 is 25 %" }),
  }),
  { max: basket_lines_max },
);

export const SHIPPING = Type.Object({
  method: Type.Optional(
    oneOf(["store_pick_up", "home_delivery", "registered_box", "unregistered_box", "pick_up_point", "own_delivery"]),
  ),
  company: optional_text(),
  amount: Type.Optional(integer({ min: 0, description: "VAT included" })),
  vat_rate: Type.Optional(number({ min: 0, max: 10 })),
  tracking_number: optional_text(),
  tracking_url: optional_text(2_048),
});

export const SHOPSYSTEM = Type.Object({ name: optional_text(), version: optional_text() });

export const VARIABLES = map({ description: "Whatever the shop wants to find again" });

export const VAT_RATE = number({ min: 0, max: 10 });

export const CARD = Type.Object({
  number: optional_text(40),
  expiration: Type.Optional(text({ max: 10, description: "YYMM" })),
  cvd: optional_text(10),
  token: optional_text(),
  apple_pay_token: optional_text(20_000),
  mobilepay_online_token: optional_text(20_000),
  google_pay_token: optional_text(20_000),
  issued_to: optional_text(),
  brand: Type.Optional(
    oneOf([
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
    ]),
  ),
  status: optional_text(10),
  eci: optional_text(10),
  xav: optional_text(),
  cavv: optional_text(),
});

export const NIN = Type.Object({
  number: optional_text(50),
  country_code: Type.Optional(country_code()),
  gender: Type.Optional(oneOf(["male", "female"])),
});

export const PERSON = Type.Object({ first_name: optional_text(), last_name: optional_text(), email: optional_text() });
