// The Form integration (reference: payment-window, sections 2 and 3): a shop's page posts an order to the payment window,
// signed with an agreement's API key. What each field may be, and the checksum over all of them.

import { createHmac, timingSafeEqual } from "node:crypto";
import { acquirer_names } from "./acquirers.ts";
import { isChargeable, isCurrency } from "./currency.ts";
import type { TransactionType } from "./transaction.ts";
import { isHttpUrl } from "./urls.ts";

/** Fields as they come, brackets made into groups and lists. */
export type FormFields = Readonly<Record<string, unknown>>;

type Field = {
  readonly required?: true;
  /** What a text must be; without it the field is a group or list. */
  readonly is?: RegExp | ((text: string) => boolean);
};

const one_or_zero = /^[01]$/;
const yes_or_no = /^([01]|true|false)$/;
const some_text = /^[^\p{Cc}]{1,255}$/u;
// Typed clients read ids as 32-bit integers.
const isId = (text: string): boolean => /^\d+$/.test(text) && Number(text) >= 1 && Number(text) < 2 ** 31;
// Ten years, as for links; more is a mistake in the unit.
const deadline_s_max = 10 * 366 * 86_400;

/** Every field that the window knows, in the reference's order. Others are ignored, and no part of the checksum. */
const fields: Readonly<Record<string, Field>> = {
  version: { required: true, is: /^v10$/ },
  merchant_id: { required: true, is: isId },
  agreement_id: { required: true, is: isId },
  order_id: { required: true, is: /^[a-zA-Z0-9]{4,20}$/ },
  amount: { required: true, is: /^\d{1,9}$/ },
  currency: { required: true, is: isCurrency },
  continueurl: { required: true, is: isHttpUrl },
  cancelurl: { required: true, is: isHttpUrl },
  callbackurl: { is: isHttpUrl },
  type: { is: /^(payment|subscription|card|payout)$/ },
  subscription: { is: one_or_zero },
  description: { is: /^[\w\s.-]{1,20}$/ },
  language: { is: /^[a-z]{2}$/ },
  autocapture: { is: one_or_zero },
  autofee: { is: one_or_zero },
  payment_methods: { is: /^[a-zA-Z0-9,\-!\s]{1,1000}$/ },
  acquirer: { is: (text) => (acquirer_names as readonly string[]).includes(text) },
  branding_id: { is: isId },
  google_analytics_tracking_id: { is: some_text },
  google_analytics_client_id: { is: some_text },
  variables: {},
  deadline: { is: (text) => /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= deadline_s_max },
  // What a bank prints.
  text_on_statement: { is: /^[\x20-\x7e]{1,22}$/ },
  customer_email: { is: /^(?=.{1,254}$)[^\s@<>"]+@[^\s@<>"]+\.[^\s@<>".]+$/ },
  // Of a method that is no more. Old shops still send and sign them.
  // Only what they were: the checksum joins values without their names, and any text would do to hide another field's.
  vat_amount: { is: /^\d{1,9}$/ },
  category: { is: /^[A-Z]{2}\d{2}$/ },
  reference_title: { is: /^(?!creditcard$)[\p{L}\d][\p{L}\d .]{0,29}$/u },
  product_id: { is: /^[A-Z]\d{2}$/ },
  checksum: { required: true, is: /^[a-z0-9]{64}$/ },
  // Those that came later, as the API has them.
  invoice_address: {},
  shipping_address: {},
  basket: {},
  shipping: {},
  invoice_address_selection: { is: yes_or_no },
  shipping_address_selection: { is: yes_or_no },
  // A group, or its JSON as a text.
  branding_config: { is: (text) => text.length <= 32_768 },
  framed: { is: yes_or_no },
};

/** The names of all fields that the window knows. */
export const form_fields: readonly string[] = Object.keys(fields);

const mirrored_fields = [
  ...["variables", "invoice_address", "shipping_address", "basket", "shipping"],
  ...["invoice_address_selection", "shipping_address_selection", "branding_config"],
] as const;

/** What the shop asks for. Names are the API's; what was not given is null, so that the account's settings decide. */
export type FormOrder = {
  readonly merchant_id: number;
  readonly agreement_id: number;
  readonly order_id: string;
  /** Minor units. */
  readonly amount: number;
  readonly currency: string;
  readonly type: TransactionType;
  readonly continue_url: string;
  readonly cancel_url: string;
  readonly callback_url: string | null;
  readonly description: string | null;
  readonly language: string;
  readonly auto_capture: boolean | null;
  readonly auto_fee: boolean | null;
  readonly payment_methods: string | null;
  readonly acquirer: string | null;
  readonly branding_id: number | null;
  readonly google_analytics_tracking_id: string | null;
  readonly google_analytics_client_id: string | null;
  /** Seconds. */
  readonly deadline: number | null;
  readonly text_on_statement: string | null;
  readonly customer_email: string | null;
  readonly framed: boolean;
  /** Those of `variables`, `basket`, `branding_config` … that were given, as sent: what is in them the API's own schemas judge. */
  readonly mirrored: FormFields;
};

export type FormProblem = { readonly field: string; readonly problem: "missing" | "invalid" };

/** The order, or everything that is wrong with it, in the order of the fields. Whether it is signed `checksumMatches` says. */
export function checkForm(
  form: FormFields,
): { readonly order: FormOrder } | { readonly problems: readonly FormProblem[] } {
  const type = typeOf(form);
  const problems = form_fields.flatMap((field): FormProblem[] => {
    const problem = problemOf(field, form, type);
    return problem === null ? [] : [{ field, problem }];
  });
  return problems.length > 0 ? { problems } : { order: orderOf(form, type) };
}

/** An empty field is one that was not given. */
const given = (form: FormFields, field: string): unknown =>
  Object.hasOwn(form, field) && form[field] !== "" ? form[field] : null;

const textIn = (form: FormFields, field: string): string | null => {
  const value = given(form, field);
  return typeof value === "string" ? value : null;
};

/** `subscription` is how it was said at first, and is stronger. */
function typeOf(form: FormFields): TransactionType {
  const old = textIn(form, "subscription");
  if (old !== null) return old === "1" ? "Subscription" : "Payment";
  const types = { subscription: "Subscription", card: "Card", payout: "Payout" } as const;
  const type = textIn(form, "type");
  return type === "subscription" || type === "card" || type === "payout" ? types[type] : "Payment";
}

function problemOf(field: string, form: FormFields, type: TransactionType): FormProblem["problem"] | null {
  const { required, is } = fields[field] ?? {};
  const value = given(form, field);
  if (value === null) {
    const needed = required === true || (field === "description" && type === "Subscription");
    return needed ? "missing" : null;
  }
  if (typeof value !== "string") return is === undefined || field === "branding_config" ? null : "invalid";
  if (is === undefined) return "invalid";
  const fits = is instanceof RegExp ? is.test(value) : is(value);
  return fits && (field !== "amount" || amountFits(Number(value), form, type)) ? null : "invalid";
}

/** Nothing can be paid of nothing, but a card can be kept; krónur are whole. */
function amountFits(amount: number, form: FormFields, type: TransactionType): boolean {
  const currency = textIn(form, "currency") ?? "";
  if (amount === 0) return type === "Subscription" || type === "Card";
  return !isCurrency(currency) || isChargeable(amount, currency);
}

function orderOf(form: FormFields, type: TransactionType): FormOrder {
  const text = (field: string) => textIn(form, field);
  const number = (field: string) => (text(field) === null ? null : Number(text(field)));
  const flag = (field: string) => (text(field) === null ? null : ["1", "true"].includes(text(field) ?? ""));
  return {
    merchant_id: Number(text("merchant_id")),
    agreement_id: Number(text("agreement_id")),
    order_id: text("order_id") ?? "",
    amount: Number(text("amount")),
    currency: text("currency") ?? "",
    type,
    continue_url: text("continueurl") ?? "",
    cancel_url: text("cancelurl") ?? "",
    callback_url: text("callbackurl"),
    description: text("description"),
    language: text("language") ?? "en",
    auto_capture: flag("autocapture"),
    auto_fee: flag("autofee"),
    payment_methods: text("payment_methods"),
    acquirer: text("acquirer"),
    branding_id: number("branding_id"),
    google_analytics_tracking_id: text("google_analytics_tracking_id"),
    google_analytics_client_id: text("google_analytics_client_id"),
    deadline: number("deadline"),
    text_on_statement: text("text_on_statement"),
    customer_email: text("customer_email"),
    framed: flag("framed") ?? false,
    mirrored: Object.fromEntries(
      mirrored_fields.filter((field) => given(form, field) !== null).map((field) => [field, form[field]]),
    ),
  };
}

/**
 * Lower-case hex HMAC-SHA256 over the values of all fields that the window knows, empty ones too, sorted bytewise by their
 * paths in brackets and joined by blanks. The key is the API key's text itself.
 */
export function formChecksum(form: FormFields, api_key: string): string {
  const known = form_fields.filter((field) => field !== "checksum" && Object.hasOwn(form, field));
  const values = known
    .flatMap((field) => flattened(form[field], `[${field}]`))
    .map(({ path, value }) => ({ path: Buffer.from(path), value }))
    .sort((a, b) => Buffer.compare(a.path, b.path))
    .map(({ value }) => value);
  return createHmac("sha256", api_key).update(values.join(" ")).digest("hex");
}

/**
 * Lists have their places for names, `[basket][0][qty]`: so the published samples flatten them (in PHP a list is a map of its
 * places), whether the form then says `basket[0][qty]` or `basket[][qty]`.
 */
function flattened(value: unknown, path: string): { readonly path: string; readonly value: string }[] {
  if (typeof value !== "object" || value === null) return [{ path, value: String(value ?? "") }];
  return Object.entries(value).flatMap(([name, inner]) => flattened(inner, `${path}[${name}]`));
}

/** Was the form signed with this API key? Takes the same time whatever the checksum is. */
export function checksumMatches(form: FormFields, api_key: string): boolean {
  const expected = Buffer.from(formChecksum(form, api_key));
  const sent = Buffer.from(textIn(form, "checksum") ?? "");
  return sent.length === expected.length && timingSafeEqual(sent, expected);
}
