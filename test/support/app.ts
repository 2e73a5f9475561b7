// The real app on a fresh database and free ports, for tests that speak HTTP to it.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type App, startApp as start } from "../../src/app.ts";
import { type Config, readConfig } from "../../src/config.ts";
import { jsonLog, type Log } from "../../src/log.ts";
import { ulid } from "../../src/services/ids.ts";
import { keepText, putAway } from "./kept.ts";
import { testDatabase } from "./postgres.ts";

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed JSON, or null. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
};

type Sent = {
  /** An object is sent as JSON, a string as it is (with `type`), URLSearchParams as a form, FormData as multipart. */
  readonly body?: object | string | URLSearchParams | FormData;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

export type Client = (method: string, path: string, sent?: Sent) => Promise<Answer>;

export type TestAccount = {
  readonly id: number;
  /** Calls with the API User's key. */
  readonly call: Client;
  readonly api_key: string;
  /** Calls as the owner, with e-mail, password and the account's header. */
  readonly owner: Client;
  readonly email: string;
  readonly password: string;
};

export type TestApp = {
  readonly url: string;
  readonly app: App;
  readonly services: App["services"];
  readonly database_url: string;
  readonly data_dir: string;
  readonly anonymous: Client;
  /** A client with these Basic credentials. */
  readonly client: (user: string, password: string, headers?: Readonly<Record<string, string>>) => Client;
  readonly signUp: () => Promise<{ email: string; password: string; call: Client }>;
  readonly newAccount: () => Promise<TestAccount>;
  /** Lets time pass for the application. */
  readonly advance: (seconds: number) => void;
  /** What was to be logged, with what the real log then hides. */
  readonly log: readonly string[];
  readonly stop: () => Promise<void>;
};

type Options = {
  readonly settings?: Partial<Config>;
  readonly simulator_latency_ms?: number;
  /** Another process beside that app's: the same database and master key. Stop it first. */
  readonly beside?: TestApp;
  /** What processes of one installation share in memory, base64. */
  readonly memory_key?: string;
};

// A proof of a password would else take longer than most tests; serve.test.ts shows that real programs take theirs.
const password_cost = { memoryCost: 64, timeCost: 1 };

export async function startApp({ settings, simulator_latency_ms, beside, memory_key }: Options = {}): Promise<TestApp> {
  const folder = beside?.data_dir ?? mkdtempSync(join(tmpdir(), "coolpay-test-"));
  const database =
    beside === undefined ? await testDatabase({ migrated: true }) : { url: beside.database_url, drop: async () => {} };
  const config: Config = {
    ...readConfig("start", { COOLPAY_DATA_DIR: folder, COOLPAY_DEMO: "0" }),
    ports: { api: 0, window: 0, manager: 0, metrics: 0 },
    ...settings,
  };
  const lines: string[] = [];
  let written = "";
  const real = jsonLog({
    write: (text) => {
      written += text;
    },
  });
  const keep = (level: "info" | "warn" | "error") => (data: object, message: string) => {
    lines.push(JSON.stringify({ level, message, ...data }));
    real[level](data, message);
  };
  const log: Log = {
    info: keep("info"),
    warn: keep("warn"),
    error: keep("error"),
    request: (line) => {
      lines.push(JSON.stringify(line));
      real.request(line);
    },
  };
  const app = await start({
    config,
    database_url: database.url,
    log,
    simulator_latency_ms,
    password_cost,
    ...(memory_key && { memory_key }),
  });
  const url = app.addresses.api_url;
  const client = (user: string, password: string, headers: Readonly<Record<string, string>> = {}): Client =>
    clientFor(url, { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`, ...headers });
  const anonymous = clientFor(url, {});

  async function signUp() {
    const email = `${ulid(new Date()).toLowerCase()}@shop.example`;
    const password = `correct horse ${email.slice(0, 12)}`;
    const answer = await anonymous("POST", "/users", { body: { name: "Ida Holm", email, password } });
    if (answer.status !== 201) throw new Error(`sign-up was refused: ${answer.text}`);
    return { email, password, call: client(email, password) };
  }

  return {
    url,
    app,
    services: app.services,
    database_url: database.url,
    data_dir: folder,
    anonymous,
    client,
    signUp,
    async newAccount() {
      const { email, password, call } = await signUp();
      const made = await call("POST", "/accounts", { body: { shop_name: "Kop og Kande", contact_email: email } });
      if (made.status !== 201) throw new Error(`no account: ${made.text}`);
      const id: number = made.body.id;
      const owner = client(email, password, { "CoolPay-Account-Id": String(id) });
      const agreements = await owner("GET", "/agreements");
      const api_key: string = agreements.body.find((a: { service: string }) => a.service === "api_user").api_key;
      return { id, api_key, call: client("", api_key), owner, email, password };
    },
    advance: (seconds) => {
      app.services.clock.advance(seconds * 1000);
      app.services.nudge();
    },
    log: lines,
    async stop() {
      await app.stop();
      await database.drop();
      keepText("app.log", written);
      if (beside === undefined) putAway(folder);
    },
  };
}

export const clientFor =
  (url: string, fixed: Readonly<Record<string, string>>): Client =>
  async (method, path, { body, type, headers } = {}) => {
    const plain = typeof body === "string" || body instanceof URLSearchParams || body instanceof FormData;
    const response = await fetch(url + path, {
      method,
      headers: {
        ...fixed,
        ...(type !== undefined
          ? { "Content-Type": type }
          : body === undefined || plain
            ? {}
            : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : plain ? (body as string) : JSON.stringify(body),
      redirect: "manual",
    });
    const text = await response.text();
    const json = /json/.test(response.headers.get("content-type") ?? "") && text !== "";
    return { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) : null };
  };

/** Asks again until it holds, a few seconds long. */
export async function eventually<T>(ask: () => Promise<T | undefined | false | null>, what = "it"): Promise<T> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`${what} did not happen in time`);
    await new Promise((done) => setTimeout(done, 25));
  }
}

/** Until the simulated acquirer has every order that this transaction waits for: only then does time run for them. */
export const ordered = ({ services }: Pick<TestApp, "services">, transaction_id: number): Promise<boolean> =>
  eventually(async () => {
    const { rows } = await services.pool.query(
      `SELECT FROM operations o LEFT JOIN simulator.book b USING (reference)
       WHERE o.transaction_id = $1 AND o.pending AND b.reference IS NULL`,
      [transaction_id],
    );
    return rows.length === 0;
  }, "the acquirer's hearing of an order");
