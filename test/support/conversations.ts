// One complete conversation per resource: every verb once, what can go wrong once, told in whichever version is asked for.

import type { Conversation, Teller } from "./transcript.ts";

const expiration = "3112";
const visa = { number: "1000000000000008", expiration, cvd: "208" };
const rejected = { number: "1000000000000016", expiration, cvd: "216" };

/** A link's parameters in the words of the version. */
function link({ since }: Teller, more: object = {}): object {
  const url = (name: string): string => `https://shop.example/${name}`;
  return since("v10")
    ? { amount: 12_500, continue_url: url("ok"), cancel_url: url("no"), callback_url: url("cb"), ...more }
    : { amount: 12_500, continueurl: url("ok"), cancelurl: url("no"), callbackurl: url("cb"), ...more };
}

const file = (bytes: string | Buffer, name: string): FormData => {
  const form = new FormData();
  form.append("file", new Blob([bytes as never]), name);
  return form;
};

const address = { name: "Ida Holm", street: "Bredgade 4", city: "Odense", zip_code: "5000", country_code: "DNK" };
const basket = [{ qty: 1, item_no: "K-1", item_name: "Kop", item_price: 12_500, vat_rate: 0.25 }];

const payments: Conversation = async (teller) => {
  const { say, remember, told, hear, since } = teller;
  const body = {
    order_id: "golden-1",
    currency: "dkk",
    invoice_address: address,
    basket,
    variables: { cart: "c-881" },
  };
  const { id } = (await say("POST", "/payments", { body })).body;
  remember("payment", id);
  await say("POST", "/payments", { body });
  await say("POST", "/payments", { body: { order_id: "x", currency: "XXX" } });
  await say("PUT", "/payments/{payment}/link", { body: link(teller, since("v10") ? { auto_fee: false } : {}) });
  await say("PATCH", "/payments/{payment}", { body: { variables: { note: "gift" } } });
  const authorize = { amount: 12_500, card: { ...visa, issued_to: "Ida Holm" }, customer_ip: "203.0.113.20" };
  await say("POST", "/payments/{payment}/authorize", { query: "?synchronized", body: authorize, headers: told });
  await hear(1);
  await say("POST", "/payments/{payment}/capture", { query: "?synchronized", body: { amount: 20_000 } });
  await say("POST", "/payments/{payment}/capture", { query: "?synchronized", body: { amount: 12_500 }, headers: told });
  await hear(2);
  await say("POST", "/payments/{payment}/refund", { query: "?synchronized", body: { amount: 2_500 }, headers: told });
  await hear(3);
  await say("POST", "/payments/{payment}/cancel", { query: "?synchronized" });
  await say("POST", "/payments/{payment}/fraud-report", { body: { description: "Not mine" } });
  await say("GET", "/payments/{payment}");
  await say("GET", "/payments/{payment}/operations/2");
  await say("PATCH", "/payments/{payment}/operations/2", { body: { pending: false } });
  await say("DELETE", "/payments/{payment}/link");
  const second = (await say("POST", "/payments", { body: { order_id: "golden-2", currency: "DKK" } })).body;
  remember("second", second.id);
  await say("POST", "/payments/{second}/authorize", { query: "?synchronized", body: { amount: 100, card: rejected } });
  // Fails without 3-D Secure: a status code that older versions do not know.
  const secure = { ...visa, number: "1000000000000073" };
  await say("POST", "/payments/{second}/authorize", { query: "?synchronized", body: { amount: 100, card: secure } });
  await say("POST", "/payments/{second}/authorize", { query: "?synchronized", body: { amount: 100, card: visa } });
  await say("POST", "/payments/{second}/renew", { query: "?synchronized" });
  await say("POST", "/payments/{second}/cancel", { query: "?synchronized" });
  const third = (await say("POST", "/payments", { body: { order_id: "golden-3", currency: "DKK" } })).body;
  remember("third", third.id);
  await say("POST", "/payments/{third}/session", { query: "?synchronized", body: { amount: 100 } });
  await say("GET", "/payments", { query: "?page_size=1&state=processed" });
  await say("GET", "/payments/999999999");
};

const subscriptions: Conversation = async (teller) => {
  const { say, remember, since, until, told, hear } = teller;
  const body = { order_id: "golden-sub", currency: "EUR", description: "Monthly tea box", invoice_address: address };
  remember("subscription", (await say("POST", "/subscriptions", { body })).body.id);
  await say("PUT", "/subscriptions/{subscription}/link", { body: link(teller, { amount: 0 }) });
  await say("DELETE", "/subscriptions/{subscription}/link");
  await say("POST", "/subscriptions/{subscription}/session", { query: "?synchronized", body: {} });
  const authorize = { query: "?synchronized", body: { amount: 0, card: visa } };
  await say("POST", "/subscriptions/{subscription}/authorize", authorize);
  await say("PATCH", "/subscriptions/{subscription}", { body: { description: "Weekly tea box" } });
  const charge = { amount: 9_900, order_id: "golden-sub-1", auto_capture: true };
  const query = since("v11b") ? "" : "?synchronized";
  const paid = await say("POST", "/subscriptions/{subscription}/recurring", { query, body: charge, headers: told });
  remember("payment", paid.body.id);
  await until("/payments/{payment}", ({ state }) => state === "processed");
  await hear(2);
  await say("GET", "/subscriptions/{subscription}/payments");
  await say("POST", "/subscriptions/{subscription}/fraud-report", { body: {} });
  await say("GET", "/subscriptions/{subscription}/operations/2");
  await say("PATCH", "/subscriptions/{subscription}/operations/2", { body: { pending: false } });
  await say("POST", "/subscriptions/{subscription}/cancel", { query: "?synchronized" });
  await say("POST", "/subscriptions/{subscription}/recurring", { body: { ...charge, order_id: "golden-sub-2" } });
  await say("GET", "/subscriptions/{subscription}");
  await say("GET", "/subscriptions", { query: "?state=cancelled" });
};

const groups: Conversation = async ({ say, ask, remember, until }) => {
  const body = { name: "Tea", amount: 9_900, currency: "DKK", description: "Monthly" };
  remember("group", (await ask("POST", "/subscription-groups", { body })).body.id);
  await ask("POST", "/subscription-groups", { body: { name: "Tea" } });
  await ask("PATCH", "/subscription-groups/{group}", { body: { amount: 10_900 } });
  const { id } = (
    await say("POST", "/subscriptions", { body: { order_id: "golden-g", currency: "DKK", description: "Tea" } })
  ).body;
  remember("subscription", id);
  await say("POST", "/subscriptions/{subscription}/authorize", {
    query: "?synchronized",
    body: { amount: 0, card: visa },
  });
  const joined = await ask("GET", "/subscription-groups/{group}");
  await say("PATCH", "/subscriptions/{subscription}", { body: { group_ids: [joined.body.id] } });
  await ask("POST", "/subscription-groups/{group}/capture", { body: { order_id_prefix: "nov" } });
  await until("/subscriptions/{subscription}/payments", ([payment]) => payment?.state === "processed");
  await say("GET", "/subscriptions/{subscription}/payments");
  await ask("GET", "/subscription-groups");
  await ask("DELETE", "/subscription-groups/{group}");
  await ask("GET", "/subscription-groups/{group}");
};

const cards: Conversation = async (teller) => {
  const { say, remember, since } = teller;
  remember("card", (await say("POST", "/cards", { body: { variables: { customer: "88" } } })).body.id);
  const url = "https://shop.example/saved";
  await say("PUT", "/cards/{card}/link", { body: since("v11b") ? { continue_url: url } : { continueurl: url } });
  await say("GET", "/cards/{card}");
  await say("DELETE", "/cards/{card}/link");
  await say("POST", "/cards/{card}/tokens");
  await say("POST", "/cards/{card}/authorize", { query: "?synchronized", body: { card: visa } });
  await say("PATCH", "/cards/{card}", { body: { variables: { customer: "89" } } });
  const { token } = (await say("POST", "/cards/{card}/tokens")).body;
  remember("payment", (await say("POST", "/payments", { body: { order_id: "golden-card", currency: "DKK" } })).body.id);
  const body = { amount: 500, card: { token } };
  await say("POST", "/payments/{payment}/authorize", { query: "?synchronized", body });
  remember("again", (await say("POST", "/payments", { body: { order_id: "golden-twice", currency: "DKK" } })).body.id);
  await say("POST", "/payments/{again}/authorize", { query: "?synchronized", body });
  await say("GET", "/cards/{card}/operations/1");
  await say("POST", "/cards/{card}/fraud-report", { body: {} });
  await say("POST", "/cards/{card}/cancel", { query: "?synchronized" });
  await say("GET", "/cards");
};

const payouts: Conversation = async (teller) => {
  const { say, remember } = teller;
  remember("payout", (await say("POST", "/payouts", { body: { order_id: "golden-out", currency: "DKK" } })).body.id);
  await say("PUT", "/payouts/{payout}/link", { body: link(teller) });
  await say("DELETE", "/payouts/{payout}/link");
  await say("PATCH", "/payouts/{payout}", { body: { variables: { claim: "c-1" } } });
  const credit = { query: "?synchronized", body: { amount: 5_000, card: { number: visa.number, expiration } } };
  await say("POST", "/payouts/{payout}/credit", credit);
  await say("POST", "/payouts/{payout}/credit", credit);
  await say("GET", "/payouts/{payout}");
  await say("GET", "/payouts/{payout}/operations/1");
  await say("GET", "/payouts");
};

const fees: Conversation = async ({ ask }) => {
  await ask("GET", "/fees/formulas", { query: "?page_size=3" });
  await ask("GET", "/fees/formulas/clearhaus");
  await ask("PATCH", "/fees/formulas/clearhaus/visa", { body: { formula: "70 + 1.45%" } });
  await ask("PATCH", "/fees/formulas/clearhaus/visa", { body: { formula: "amount/0" } });
  await ask("GET", "/fees/formulas/clearhaus/visa");
  await ask("POST", "/fees/clearhaus/visa", { body: { amount: 10_000 } });
  await ask("POST", "/fees", { body: { amount: 10_000, currency: "DKK", card: { number: visa.number } } });
  await ask("DELETE", "/fees/formulas/clearhaus/visa");
};

const brandings: Conversation = async ({ ask, remember }) => {
  remember("branding", (await ask("POST", "/brandings", { body: { name: "Winter" } })).body.id);
  const path = "/brandings/{branding}/stylesheets/style.css";
  await ask("PUT", path, { body: file("body { color: #123 }", "style.css") });
  await ask("PUT", "/brandings/{branding}/images/logo.png", { body: file("not a picture", "logo.png") });
  await ask("GET", path);
  await ask("PATCH", "/brandings/{branding}", { body: { name: "Spring" } });
  remember("copy", (await ask("POST", "/brandings/{branding}/copy")).body.id);
  await ask("GET", "/brandings/{copy}");
  await ask("DELETE", path);
  await ask("GET", path);
  await ask("GET", "/brandings");
  await ask("DELETE", "/brandings/{copy}");
};

const fraud_rulesets: Conversation = async ({ ask, remember }) => {
  const filter_rules = [{ metric_name: "amount", operator: ">", value: "100000" }];
  const body = { name: "Large", filter_rules, action: "block", combinator: "and" };
  remember("ruleset", (await ask("POST", "/fraud-rulesets", { body })).body.id);
  await ask("POST", "/fraud-rulesets", { body: { ...body, action: "shout" } });
  await ask("PATCH", "/fraud-rulesets/{ruleset}", { body: { action: "flag" } });
  await ask("GET", "/fraud-rulesets/{ruleset}");
  await ask("GET", "/fraud-rulesets");
  await ask("DELETE", "/fraud-rulesets/{ruleset}");
};

const payment_method_priority: Conversation = async ({ ask }) => {
  await ask("GET", "/payment-method-priority");
  const body = { payment_method_priority: { visa: ["clearhaus", "nets"] } };
  await ask("POST", "/payment-method-priority", { body });
  await ask("POST", "/payment-method-priority", { body: { payment_method_priority: { visa: ["nobody"] } } });
};

const acquirers: Conversation = async ({ ask }) => {
  await ask("GET", "/acquirers");
  const viabill = { active: true, api_key: "key-of-a-test" };
  await ask("PATCH", "/acquirers/viabill", { body: viabill });
  await ask("GET", "/acquirers/viabill");
  await ask("PATCH", "/acquirers/klarna", { body: { active: true } });
  await ask("POST", "/acquirers/nets/test");
  await ask("GET", "/operational-status/acquirers", { query: "?page_size=2" });
};

const cryptography: Conversation = async ({ ask, remember }) => {
  const body = { type: "ec", curve: "prime256v1", short_description: "Swish" };
  remember("key", (await ask("POST", "/cryptography/keys", { body })).body.id);
  await ask("POST", "/cryptography/keys", { body: { type: "rsa", short_description: "Small", key_size: 512 } });
  await ask("PATCH", "/cryptography/keys/{key}", { body: { short_description: "Swish, live" } });
  const subject = [{ key: "CN", value: "shop.example", encoding: "utf8" }];
  await ask("POST", "/cryptography/keys/{key}/csr", { body: { subject } });
  await ask("GET", "/cryptography/keys/{key}/certificate");
  await ask("PUT", "/cryptography/keys/{key}/certificate", { body: file("no certificate", "a.pem") });
  await ask("GET", "/cryptography/keys");
  await ask("DELETE", "/cryptography/keys/{key}");
};

const account: Conversation = async ({ ask, say }) => {
  await say("GET", "/account");
  await ask("PATCH", "/account", { body: { shop_name: "Kop og Kande Odense", autofee: true } });
  await ask("PATCH", "/account", { body: { timezone: "Copenhagen" } });
  await ask("GET", "/account/private-key");
  await ask("GET", "/account/04-platform");
  await ask("GET", "/account/logo");
};

const agreements: Conversation = async ({ ask, say, remember }) => {
  await say("GET", "/agreements", { query: "?me=true" });
  const acl_permissions = [{ resource: "/payments", get: true }];
  const made = await ask("POST", "/agreements", { body: { system_user: "Reports", acl_permissions } });
  remember("agreement", made.body.id);
  await ask("POST", "/agreements", { body: { system_user: "Both", user_email: "ida@example.com" } });
  await ask("PATCH", "/agreements/{agreement}", { body: { description: "Nightly" } });
  await ask("PATCH", "/agreements/{agreement}/api-key");
  await ask("GET", "/agreements/{agreement}/activity", { query: "?page_size=1" });
  await say("PATCH", "/agreements/{agreement}/api-key");
  await ask("DELETE", "/agreements/{agreement}");
  await ask("GET", "/acl-resources", { query: "?page_size=2" });
};

const callbacks: Conversation = async ({ say, ask, remember, told, hear }) => {
  remember("payment", (await say("POST", "/payments", { body: { order_id: "golden-cb", currency: "DKK" } })).body.id);
  const body = { amount: 700, card: visa };
  await say("POST", "/payments/{payment}/authorize", { query: "?synchronized", body, headers: told });
  await hear(1);
  const { id } = (await say("GET", "/callbacks")).body[0];
  remember("callback", id);
  await ask("POST", "/callbacks/{callback}/replay");
  await hear(2);
};

const activity: Conversation = async ({ say, ask, remember }) => {
  await say("POST", "/payments", { body: { order_id: "golden-act", currency: "DKK" } });
  const { id } = (await ask("GET", "/activity", { query: "?page_size=1" })).body[0];
  remember("entry", id);
  await ask("GET", "/activity/{entry}");
};

const about: Conversation = async ({ say }) => {
  await say("GET", "/ping", { query: "?hello=world" });
  await say("POST", "/ping", { body: { hello: "world" } });
  await say("GET", "/versions");
  await say("GET", "/changelog");
  await say("GET", "/nowhere");
};

const plans: Conversation = async ({ say, ask }) => {
  await say("GET", "/plans");
  await ask("GET", "/account/plan");
  await ask("PUT", "/account/plan", { body: { plan: "small" } });
  await say("POST", "/payouts", { body: { order_id: "golden-plan", currency: "DKK" } });
  await ask("PUT", "/account/plan", { body: { plan: "unlimited" } });
  await ask("PUT", "/account/plan", { body: { plan: "enormous" } });
};

const exported: Conversation = async ({ say, ask, remember, until }) => {
  await say("POST", "/payments", { body: { order_id: "golden-csv", currency: "DKK", variables: { note: "=1+1" } } });
  const { id } = (await ask("POST", "/exports", { body: { resource: "payments", delimiter: ";" } })).body;
  remember("export", id);
  await until("/exports/{export}", ({ state }) => state === "ready");
  await ask("GET", "/exports/{export}");
  await ask("GET", "/exports/{export}/file");
  await ask("GET", "/exports");
  await ask("POST", "/exports", { body: { resource: "secrets" } });
};

const requests: Conversation = async ({ say, remember, until }) => {
  const refused = await say("POST", "/payments", { body: { order_id: "x", currency: "DKK" } });
  remember("request", refused.headers.get("x-request-id") ?? "");
  await until("/requests/{request}", (body) => body?.request_body != null);
  await say("GET", "/requests", { query: "?failed=true&method=POST&path=/payments" });
  await say("GET", "/requests", { query: "?status=9" });
};

const users: Conversation = async ({ tell, remember }) => {
  await tell("GET", "/user");
  await tell("PATCH", "/user", { body: { name: "Ida Holm" } });
  await tell("PATCH", "/user", { body: { password: "a longer one, still" } });
  remember("session", (await tell("POST", "/sessions")).body.id);
  await tell("DELETE", "/sessions/{session}");
  await tell("PATCH", "/user/two-factor", { body: { code: "000000" } });
  await tell("GET", "/access-requests");
  await tell("PATCH", "/access-requests/{nobody}", { body: { granted: true } });
};

/** By the name of their file. */
export const conversations: Readonly<Record<string, Conversation>> = {
  about,
  account,
  acquirers,
  activity,
  agreements,
  brandings,
  callbacks,
  cards,
  cryptography,
  exports: exported,
  fees,
  "fraud-rulesets": fraud_rulesets,
  "payment-method-priority": payment_method_priority,
  payments,
  payouts,
  plans,
  requests,
  "subscription-groups": groups,
  subscriptions,
  users,
};
