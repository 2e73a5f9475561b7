// A merchant who asks for everything once: each operation of the contract succeeds, on real things.

import { createPublicKey } from "node:crypto";
import { x509Library } from "../../src/services/x509.ts";
import type { Answer, Client, TestApp } from "./app.ts";
import { eventually } from "./app.ts";
import { certify } from "./certify.ts";
import type { Contract } from "./contract-compare.ts";
import { form, png } from "./files.ts";

// biome-ignore lint/suspicious/noExplicitAny: answers are walked as the JSON that they are
type Json = any;

type Asked = {
  /** What the names in the path stand for, in their order. */
  readonly of?: readonly (string | number)[];
  readonly query?: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Hears each answer: `name` is `GET /payments/{id}`. */
export type Heard = (name: string, answer: Answer) => void;

type Say = (name: string, status: number, asked?: Asked) => Promise<Json>;

const visa = { number: "1000000000000008", expiration: "3112", cvd: "208" };
/** The acquirer takes a minute over everything. */
const slow = { ...visa, number: "1000000000000099" };
const waiting_s = 61;

const sayer =
  (call: Client, heard: Heard): Say =>
  async (name, status, { of = [], query = "", body, headers } = {}) => {
    const [method = "", path = ""] = name.split(" ");
    const values = of.values();
    const filled = path.replace(/\{\w+\}/g, () => String(values.next().value));
    const answer = await call(method, filled + query, { ...(body && { body }), ...(headers && { headers }) });
    if (answer.status !== status) throw new Error(`${name} answers ${answer.status}, not ${status}: ${answer.text}`);
    heard(name, answer);
    return answer.body ?? answer.text;
  };

type Talk = { readonly app: TestApp; readonly say: Say; readonly callback_url: string; readonly contract: Contract };

const sync = "?synchronized";
let orders = 0;
const order = () => {
  orders += 1;
  return { order_id: `contract-${orders}`, currency: "DKK" };
};
const address = { name: "Ida Holm", city: "Odense", country_code: "DNK", email: "ida@shop.example" };
const link = { amount: 1_000, continue_url: "https://shop.example/ok", cancel_url: "https://shop.example/no" };

async function about({ app, say }: Talk): Promise<void> {
  await say("GET /ping", 200, { query: "?a=1" });
  await say("POST /ping", 201, { body: { b: [1] } });
  await say("GET /changelog", 200);
  await say("GET /operational-status/acquirers", 200);
  await say("GET /acl-resources", 200);
  app.advance(1);
}

async function account({ say, callback_url }: Talk): Promise<void> {
  const settings = { customer_address: { city: "Odense" }, pci: { saq_a: true }, default_branding_config: { a: 1 } };
  const economic = { active: true, agreement: "1", agreement_token: "t" };
  await say("PATCH /account", 200, {
    body: {
      ...{ callback_url, shop_urls: ["https://shop.example"], logging_stops_at: "2126-01-01T00:00:00Z", ...settings },
      ...{ integration_settings: { economic }, shopsystem: "WooCommerce", default_payment_methods: "creditcard" },
    },
  });
  await say("GET /account", 200);
  await say("GET /account/private-key", 200);
  await say("PATCH /account/private-key", 200);
  const platform = "/account/04-platform";
  await say(`PUT ${platform}`, 200, { body: { phone: "+45 12345678" } });
  await say(`GET ${platform}`, 200);
  await say(`DELETE ${platform}`, 204);
  await say("PUT /account/logo", 204, { body: form(png) });
  await say("GET /account/logo", 200);
  await say("DELETE /account/logo", 204);
}

async function agreements({ say }: Talk): Promise<void> {
  const lines = { acl_permissions: [{ resource: "/payments", get: true }], ip_restriction: [{ address: "127.0.0.1" }] };
  const invited = await say("POST /agreements", 201, { body: { user_email: "kai@shop.example", ...lines } });
  const { id } = await say("POST /agreements", 201, { body: { system_user: "Warehouse", description: "Ships" } });
  await say("PATCH /agreements/{id}", 200, { of: [id], body: { description: "Ships and packs" } });
  await say("PUT /agreements/{id}", 200, { of: [id], body: lines });
  await say("PATCH /agreements/{id}/api-key", 200, { of: [id] });
  await say("GET /agreements/{id}", 200, { of: [id] });
  await say("GET /agreements", 200);
  await say("GET /agreements/{id}/activity", 200, { of: [id] });
  await say("DELETE /agreements/{id}", 204, { of: [invited.id] });
}

const values: Readonly<Record<string, unknown>> = { boolean: true, string: "x", "integer:int32": 1 };

/** With every parameter that the contract has for it; Clearhaus keeps no key, so that test cards still work. */
async function acquirers({ say, contract }: Talk): Promise<void> {
  for (const { method, path, parameters } of contract.operations) {
    if (!path.startsWith("/acquirers/") || path.includes("{")) continue;
    const given = parameters.map(({ name, type }) => [name, values[String(type)]]);
    const body = Object.fromEntries(given);
    if (path.endsWith("/clearhaus")) body.api_key = "";
    if (path.endsWith("/swish")) body.cryptography_key_id = await newKey(say);
    if (path.includes("/mobilepay")) delete body.delivery_limited_to;
    // Whoever else is active would be asked in its place.
    if (!path.endsWith("/clearhaus")) body.active = false;
    await say(`${method} ${path}`, 200, method === "GET" ? {} : { body });
  }
  await say("GET /acquirers", 200);
  await say("POST /acquirers/{acquirer}/test", 200, { of: ["clearhaus"] });
}

/** Swish signs with a key of the account's own. */
async function newKey(say: Talk["say"]): Promise<number> {
  const body = { type: "ec", curve: "prime256v1", short_description: "Swish" };
  return (await say("POST /cryptography/keys", 201, { body })).id;
}

async function payments({ app, say, callback_url }: Talk): Promise<void> {
  const { id } = await say("POST /payments", 201, {
    body: {
      ...{ ...order(), invoice_address: address, shipping_address: address, variables: { cart: "c-1" } },
      basket: [{ qty: 1, item_no: "K-1", item_name: "Kop", item_price: 1_000, vat_rate: 0.25 }],
      ...{ shipping: { method: "own_delivery", amount: 10 }, shopsystem: { name: "WooCommerce", version: "4.9.1" } },
    },
  });
  const of = [id];
  await say("PUT /payments/{id}/link", 200, { of, body: { ...link, deadline: 3_600, branding_config: { a: 1 } } });
  await say("GET /payments/{id}", 200, { of });
  await say("PATCH /payments/{id}", 200, { of, body: { variables: { cart: "c-2" } } });
  await say("DELETE /payments/{id}/link", 204, { of });
  const extras = { simulator: { session: "rejected" } };
  await say("POST /payments/{id}/session", 200, { of, query: sync, body: { amount: 1_000, extras } });
  await say("POST /payments/{id}/authorize", 200, {
    ...{ of, query: sync, headers: { "QuickPay-Callback-Url": `${callback_url}/of-this` } },
    body: { amount: 1_000, card: visa, customer_ip: "203.0.113.20" },
  });
  await say("POST /payments/{id}/renew", 200, { of, query: sync });
  await say("POST /payments/{id}/capture", 200, { of, query: sync, body: { amount: 600 } });
  await say("POST /payments/{id}/capture", 202, { of, body: { amount: 400 } });
  await settled(say, "GET /payments/{id}", id);
  await say("POST /payments/{id}/refund", 200, { of, query: sync, body: { amount: 250 } });
  await say("POST /payments/{id}/fraud-report", 202, { of, body: { description: "Stolen" } });
  await say("GET /payments/{id}/operations/{operation_id}", 200, { of: [id, 2] });

  const other = (await say("POST /payments", 201, { body: order() })).id;
  await say("POST /payments/{id}/authorize", 202, { of: [other], body: { amount: 100, card: slow } });
  app.advance(waiting_s);
  await settled(say, "GET /payments/{id}", other);
  await say("POST /payments/{id}/capture", 202, { of: [other], body: { amount: 100 } });
  const abort = { of: [other, 2], body: { pending: false } };
  await say("PATCH /payments/{id}/operations/{operation_id}", 200, abort);

  const third = (await say("POST /payments", 201, { body: order() })).id;
  await say("POST /payments/{id}/authorize", 200, { of: [third], query: sync, body: { amount: 1, card: visa } });
  await say("POST /payments/{id}/cancel", 200, { of: [third], query: sync });
  await say("GET /payments", 200);
}

/** Waits until nothing is under way, and its callbacks have been delivered. */
const settled = (say: Say, read: string, id: number): Promise<Json> =>
  eventually(async () => {
    const { operations } = await say(read, 200, { of: [id] });
    return operations.every((one: Json) => !one.pending && one.callback_success !== null);
  }, `the end of ${read} ${id}`);

async function subscriptions({ app, say }: Talk): Promise<void> {
  const group = { name: "Tea", amount: 9_900, currency: "DKK" };
  const { id: group_id } = await say("POST /subscription-groups", 201, { body: group });
  const body = { ...order(), description: "Monthly tea box", invoice_address: address, group_ids: [group_id] };
  const { id } = await say("POST /subscriptions", 201, { body });
  const of = [id];
  await say("PUT /subscriptions/{id}/link", 200, { of, body: link });
  await say("GET /subscriptions/{id}", 200, { of });
  await say("PATCH /subscriptions/{id}", 200, { of, body: { variables: { customer: "88" } } });
  await say("DELETE /subscriptions/{id}/link", 204, { of });
  await say("POST /subscriptions/{id}/session", 202, { of, body: { extras: { simulator: { session: "waiting" } } } });
  await say("POST /subscriptions/{id}/authorize", 200, { of, query: sync, body: { amount: 0, card: visa } });
  const charge = { ...{ amount: 9_900, auto_capture: true }, order_id: order().order_id };
  await say("POST /subscriptions/{id}/recurring", 200, { of, query: sync, body: charge });
  await say("GET /subscriptions/{id}/payments", 200, { of });
  await say("POST /subscriptions/{id}/fraud-report", 202, { of, body: {} });
  await say("GET /subscriptions/{id}/operations/{operation_id}", 200, { of: [id, 2] });
  await say("GET /subscriptions", 200);

  const grouped = { of: [group_id] };
  await say("GET /subscription-groups", 200);
  await say("PATCH /subscription-groups/{id}", 200, { ...grouped, body: { description: "Every month" } });
  await say("GET /subscription-groups/{id}", 200, grouped);
  await say("POST /subscription-groups/{id}/capture", 202, { ...grouped, body: { order_id_prefix: "Nov-" } });
  await say("DELETE /subscription-groups/{id}", 200, grouped);
  await say("POST /subscriptions/{id}/cancel", 200, { of, query: sync });

  const other = (await say("POST /subscriptions", 201, { body: { ...order(), description: "Slow tea" } })).id;
  await say("POST /subscriptions/{id}/authorize", 202, { of: [other], body: { amount: 100, card: slow } });
  app.advance(waiting_s);
  await settled(say, "GET /subscriptions/{id}", other);
  await say("POST /subscriptions/{id}/cancel", 202, { of: [other] });
  const abort = { of: [other, 2], body: { pending: false } };
  await say("PATCH /subscriptions/{id}/operations/{operation_id}", 200, abort);
}

async function cards({ say }: Talk): Promise<void> {
  const { id } = await say("POST /cards", 201, { body: { variables: { customer: "88" } } });
  const of = [id];
  await say("PUT /cards/{id}/link", 200, { of, body: { continueurl: link.continue_url } });
  await say("GET /cards/{id}", 200, { of });
  await say("PATCH /cards/{id}", 200, { of, body: { variables: {} } });
  await say("DELETE /cards/{id}/link", 200, { of });
  await say("POST /cards/{id}/authorize", 200, { of, query: sync, body: { card: visa } });
  await say("POST /cards/{id}/tokens", 202, { of });
  await say("POST /cards/{id}/fraud-report", 202, { of, body: { description: "Lost" } });
  await say("GET /cards/{id}/operations/{operation_id}", 200, { of: [id, 1] });
  await say("POST /cards/{id}/cancel", 202, { of });
  await settled(say, "GET /cards/{id}", id);
  await say("GET /cards", 200);
}

async function payouts({ say }: Talk): Promise<void> {
  const { id } = await say("POST /payouts", 201, { body: order() });
  const of = [id];
  await say("PUT /payouts/{id}/link", 200, { of, body: link });
  await say("GET /payouts/{id}", 200, { of });
  await say("PATCH /payouts/{id}", 200, { of, body: { variables: { claim: "c-881" } } });
  await say("DELETE /payouts/{id}/link", 204, { of });
  await say("POST /payouts/{id}/credit", 200, { of, query: sync, body: { amount: 5_000, card: visa } });
  await say("GET /payouts/{id}/operations/{operation_id}", 200, { of: [id, 1] });
  await say("GET /payouts", 200);
}

async function brandings({ say }: Talk): Promise<void> {
  const { id } = await say("POST /brandings", 201, { body: { name: "Shop 2026" } });
  const file = { of: [id, "images/logo.png"] };
  await say("PUT /brandings/{id}/{resource_name}", 204, { ...file, body: form(png) });
  await say("GET /brandings/{id}/{resource_name}", 200, file);
  await say("GET /brandings/{id}", 200, { of: [id], query: "?only=id,name,account_id,resources,created_at" });
  await say("GET /brandings", 200);
  await say("PATCH /brandings/{id}", 200, { of: [id], body: { name: "Shop 2027" } });
  await say("POST /brandings/{id}/copy", 201, { of: [id] });
  await say("DELETE /brandings/{id}/{resource_name}", 204, file);
  await say("DELETE /brandings/{id}", 204, { of: [id] });
}

async function fees({ say }: Talk): Promise<void> {
  const of = ["clearhaus", "visa"];
  const formula = "/fees/formulas/{acquirer}/{payment_method}";
  await say("POST /fees", 201, { body: { amount: 10_000, currency: "DKK", card: { number: visa.number } } });
  await say("POST /fees/{acquirer}/{payment_method}", 200, { of, body: { amount: 10_000 } });
  await say(`PATCH ${formula}`, 200, { of, body: { formula: "70 + 1.45%" } });
  await say(`GET ${formula}`, 200, { of });
  await say("GET /fees/formulas/{acquirer}", 200, { of });
  await say("GET /fees/formulas", 200);
  await say(`DELETE ${formula}`, 204, { of });
  const priority = { visa: ["clearhaus", "nets"] };
  await say("POST /payment-method-priority", 200, { body: { payment_method_priority: priority } });
  await say("GET /payment-method-priority", 200);
}

async function rules({ say }: Talk): Promise<void> {
  const filter_rules = [{ metric_name: "card_country", operator: "not_in", value: "DNK, SWE" }];
  const body = { name: "Far away", filter_rules, action: "nothing", combinator: "and" };
  const { id } = await say("POST /fraud-rulesets", 201, { body });
  await say("GET /fraud-rulesets", 200);
  await say("GET /fraud-rulesets/{id}", 200, { of: [id] });
  await say("PATCH /fraud-rulesets/{id}", 200, { of: [id], body: { action: "flag" } });
  await say("DELETE /fraud-rulesets/{id}", 204, { of: [id] });
}

async function keys({ say }: Talk): Promise<void> {
  const body = { type: "ec", short_description: "Swish 2031", curve: "prime256v1" };
  const { id } = await say("POST /cryptography/keys", 201, { body });
  const of = [id];
  const subject = [{ key: "CN", value: "Kop og Kande", encoding: "utf8" }];
  const csr = await say("POST /cryptography/keys/{id}/csr", 201, { of, body: { subject } });
  const { Pkcs10CertificateRequest } = await x509Library();
  const spki = Buffer.from(new Pkcs10CertificateRequest(csr).publicKey.rawData);
  const certificate = await certify(createPublicKey({ key: spki, format: "der", type: "spki" }));
  await say("PUT /cryptography/keys/{id}/certificate", 204, { of, body: form(certificate) });
  await say("GET /cryptography/keys/{id}/certificate", 200, { of });
  await say("GET /cryptography/keys/{id}", 200, { of });
  await say("PATCH /cryptography/keys/{id}", 200, { of, body: { short_description: "Swish" } });
  await say("GET /cryptography/keys", 200);
  await say("DELETE /cryptography/keys/{id}/certificate", 200, { of });
  await say("DELETE /cryptography/keys/{id}", 200, { of });
}

async function activity({ say }: Talk): Promise<void> {
  const [entry] = await say("GET /activity", 200, { query: "?page_size=100" });
  await say("GET /activity/{id}", 200, { of: [entry.id] });
}

type Options = {
  readonly app: TestApp;
  readonly contract: Contract;
  readonly callback_url: string;
  readonly heard: Heard;
};

/** Everything, by an owner; last of all she closes her account. */
export async function talkAboutEverything({ app, contract, callback_url, heard }: Options): Promise<void> {
  const shop = await app.newAccount();
  const own = (await shop.owner("GET", "/agreements")).body.find(({ owner }: Json) => owner);
  const talk = { app, contract, callback_url, say: sayer(app.client("", own.api_key), heard) };
  const parts = [
    about,
    account,
    agreements,
    acquirers,
    payments,
    subscriptions,
    cards,
    payouts,
    brandings,
    fees,
    rules,
  ];
  for (const part of [...parts, keys, activity]) await part(talk);
  await talk.say("DELETE /account", 204);
}
