// Conversations with the API written down: what was sent, what came back, in one version's words. What differs from run to
// run (ids, times, keys) is masked, so that the text of two runs is the same byte by byte.

import { type Answer, type Client, eventually, type TestAccount, type TestApp } from "./app.ts";
import type { Receiver } from "./receiver.ts";

export type Teller = {
  readonly version: string;
  /** Is this version as new as that one? */
  readonly since: (version: string) => boolean;
  /** Calls with the API User's key, and writes it down. `{name}` in a path stands for what was remembered by that name. */
  readonly say: Say;
  /** As the account's owner. */
  readonly ask: Say;
  /** As that person, for her own things. */
  readonly tell: Say;
  readonly remember: (name: string, value: string | number) => void;
  /** The header that sends callbacks to the shop's own server. */
  readonly told: Readonly<Record<string, string>>;
  /** Waits until so many callbacks came, then writes down those that were not yet. */
  readonly hear: (count: number) => Promise<void>;
  /** Reads, without writing it down, until it holds. */
  readonly until: (path: string, holds: (body: Answer["body"]) => boolean) => Promise<void>;
};

type Sent = { readonly query?: string; readonly body?: object | FormData; readonly headers?: Record<string, string> };
type Say = (method: string, path: string, sent?: Sent) => Promise<Answer>;

export type Conversation = (teller: Teller) => Promise<void>;

const order = ["v08", "v09", "v10", "v11b"];
const headers_of_version = ["coolpay-version", "warning", "deprecation", "sunset"];
const deprecation_link = /(, )?<[^>]*>; rel="deprecation"/;
// Too long for a reader, and no part of the contract.
const text_max = 400;

type Options = {
  readonly app: TestApp;
  readonly shop: TestAccount;
  readonly receiver: Receiver;
  readonly version: string;
  readonly title: string;
};

/** Holds the conversation and answers its text. */
export async function transcript(conversation: Conversation, options: Options): Promise<string> {
  const { app, shop, receiver, version, title } = options;
  const parts: string[] = [];
  const names = new Map<string, string>();
  const resolved = (path: string): string => path.replace(/\{(\w+)\}/g, (_, name: string) => names.get(name) ?? name);
  const masked = maskFor({ app, receiver });
  const heard_before = receiver.received.length;
  let heard = heard_before;

  const saying =
    (client: Client, who: string): Say =>
    async (method, path, { query = "", body, headers = {} } = {}) => {
      const sent = { ...(body && { body }), headers: { ...headers, "Accept-Version": version } };
      const answer = await client(method, resolved(path) + query, sent);
      const lines = [
        `${method} ${path}${query}${who}`,
        ...Object.keys(headers).map((name) => `${name}: <given>`),
        ...(body === undefined ? [] : [body instanceof FormData ? "<a file>" : pretty(body)]),
        `=> ${answer.status}`,
        ...headersOf(answer, parts.length === 0),
        ...(answer.text === "" ? [] : [answer.body === null ? shortened(answer.text) : pretty(answer.body)]),
      ];
      const text = masked(lines.join("\n"));
      parts.push(headers === told ? text.replace(delivery, '$1"<either>"') : text);
      return answer;
    };

  const told = { "CoolPay-Callback-Url": `${receiver.url}/callback` };
  await conversation({
    version,
    since: (wanted) => order.indexOf(version) >= order.indexOf(wanted),
    say: saying(shop.call, ""),
    ask: saying(shop.owner, "   (as the owner)"),
    tell: saying(app.client(shop.email, shop.password), "   (as a person)"),
    remember: (name, value) => void names.set(name, String(value)),
    told,
    hear: async (count) => {
      const all = await eventually(
        async () => receiver.received.length >= heard_before + count && receiver.received,
        "a callback",
      );
      for (const { path, raw, headers } of all.slice(heard)) {
        const spoken = `CoolPay-API-Version: ${headers["coolpay-api-version"]}`;
        parts.push(masked(`callback to ${path}\n${spoken}\n${pretty(JSON.parse(raw))}`));
      }
      heard = receiver.received.length;
      // Noted on its operation, too.
      const waiting = async () => (await shop.call("GET", "/callbacks?state=pending")).body.length;
      await eventually(async () => (await waiting()) === 0, "the outbox");
    },
    until: async (path, holds) => {
      await eventually(async () => {
        const { body } = await shop.call("GET", resolved(path), { headers: { "Accept-Version": version } });
        return holds(body);
      }, path);
    },
  });
  return `# ${title}, in ${version}\n\n${parts.join("\n\n")}\n`;
}

// An answer may be faster than the callback's delivery is noted, or not.
const delivery = /("callback_(?:success|response_code|duration|at)":)(?:"[^"]*"|[^,]*)/g;

/** What a version says with every answer stands in the first alone. */
function headersOf({ headers }: Answer, first: boolean): string[] {
  const shown = ["location", "link", ...(first ? headers_of_version : [])];
  return shown.flatMap((name) => {
    const value = headers.get(name) ?? "";
    const text = first || name !== "link" ? value : value.replace(deprecation_link, "");
    return text === "" ? [] : [`${name}: ${text}`];
  });
}

const shortened = (text: string): string => (text.length > text_max ? `${text.slice(0, text_max)}…` : text);

/** One line for each member, and for each element of its lists: long enough to read, short enough to compare. */
function pretty(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "[]" : `[\n${indented(value.map(pretty).join(",\n"))}\n]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).map(([name, inner]) => {
    const elements = Array.isArray(inner) && inner.some((one) => one !== null && typeof one === "object");
    const text = elements
      ? `[\n${inner.map((one) => `    ${JSON.stringify(one)}`).join(",\n")}\n  ]`
      : JSON.stringify(inner);
    return `  ${JSON.stringify(name)}: ${text}`;
  });
  return members.length === 0 ? "{}" : `{\n${members.join(",\n")}\n}`;
}

const indented = (text: string): string => text.replace(/^/gm, "  ");

const id_names =
  "id|merchant_id|account_id|agreement_id|branding_id|default_branding_id|subscription_id|user_id|target_id|resource_id|" +
  "cryptography_key_id|ref";
const folders =
  "payments|subscriptions|subscription-groups|cards|payouts|brandings|fraud-rulesets|keys|agreements|callbacks|activity|" +
  "accounts|exports|requests|access-requests|sessions|users";

/** Replaces what is another in each run. Operations keep their numbers: they count from 1. */
function maskFor({ app, receiver }: Pick<Options, "app" | "receiver">): (text: string) => string {
  const { window_url, manager_url } = app.app.addresses;
  const urls = [
    [app.url, "https://api.example"],
    [window_url, "https://payment.example"],
    [manager_url, "https://manage.example"],
    [receiver.url, "https://shop.example"],
  ] as const;
  const rules: (readonly [RegExp, string])[] = [
    [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "YYYY-MM-DDThh:mm:ss.sssZ"],
    [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, "YYYY-MM-DDThh:mm:ssZ"],
    [/\b[0-9a-f]{64}\b/g, "<64 hex digits>"],
    [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "<uuid>"],
    [/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, "<ulid>"],
    [/[0-9a-z]{26}@shop\.example/g, "<e-mail>"],
    [/("token": ?)"[^"<]+"/g, '$1"<token>"'],
    [/("transactions_this_month": ?)\d+/g, "$1<count>"],
    [/("month": ?)"\d{4}-\d\d"/g, '$1"<month>"'],
    [/(-----BEGIN [A-Z ]+-----)[\s\S]*?(-----END|…|$)/g, "$1 <base64> $2"],
    [/("hash": ?)"[^"]+"/g, '$1"<hash>"'],
    [/("(?:fingerprint|public_key)": ?)"[^"]+"/g, '$1"<key>"'],
    [/("(?:callback_)?duration": ?)\d+/g, "$1<ms>"],
    [/page_key=[\w-]+/g, "page_key=<key>"],
    [new RegExp(`("(?:${id_names})": ?)\\d+(?![^{}]*"pending":)`, "g"), "$1<id>"],
    [new RegExp(`/(${folders})/\\d+`, "g"), "/$1/<id>"],
    [/(with id|\(id:) \d+/g, "$1 <id>"],
    [/("group_ids": ?)\[[\d,]+\]/g, "$1[<ids>]"],
    [/("body": )"\{.*"$/gm, '$1"<the callback above>"'],
  ];
  return (text) => {
    const named = urls.reduce((done, [url, name]) => done.replaceAll(url, name), text);
    return rules.reduce((done, [pattern, with_what]) => done.replace(pattern, with_what), named);
  };
}
