// Every setting, with its default and one sentence. The only reader of the environment: the rest of the program is
// handed what it needs. An unknown COOLPAY_ name is an error, so that a misspelt setting cannot be silently ignored.

import { readFileSync } from "node:fs";
import { BlockList, isIP } from "node:net";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { type Plans, readPlans, small, unlimited } from "./domain/plans.ts";
import type { Smtp } from "./work/mails.ts";

/** `start`: the friendly form for a laptop, with an embedded database and demo data. `serve`: the strict one. */
export type Mode = "start" | "serve";

export type Config = {
  readonly mode: Mode;
  readonly host: string;
  readonly ports: { readonly api: number; readonly window: number; readonly manager: number; readonly metrics: number };
  /** Without a trailing slash; null: made of host and port once these are known. */
  readonly urls: { readonly api: string | null; readonly window: string | null; readonly manager: string | null };
  readonly data_dir: string;
  /** Null: the embedded PostgreSQL. */
  readonly database_url: string | null;
  readonly processes: number;
  readonly master_key_file: string;
  readonly demo: boolean;
  readonly test_clock: boolean;
  readonly allow_private_callbacks: boolean;
  readonly signup: "open" | "invite" | "closed";
  /** Null: under `start` mail lands in the mailbox, under `serve` there is none. */
  readonly smtp: Smtp | null;
  /** What merchants' accounts may be on; the first is where they begin. */
  readonly plans: Plans;
  /** Requests are listed for so long. */
  readonly request_log_days: number;
  readonly tls: { readonly cert_file: string; readonly key_file: string } | "self" | null;
  readonly tls_min: "TLSv1" | "TLSv1.1" | "TLSv1.2";
  readonly trust_proxy: readonly string[];
  /** So long after its last change a transaction keeps what tells of a person. */
  readonly retention_months: number;
};

/** A setting that cannot be used; the message says which, and what to do. */
export class BadSetting extends Error {}

export type Environment = Readonly<Record<string, string | undefined>>;

/** What each setting means, for `coolpay help` and the reference. */
export const settings = {
  COOLPAY_HOST: "Address that all four listeners bind to; 127.0.0.1",
  COOLPAY_API_PORT: "Port of the API; 4242",
  COOLPAY_WINDOW_PORT: "Port of the payment window; 4243",
  COOLPAY_MANAGER_PORT: "Port of the manager; 4244",
  COOLPAY_METRICS_PORT: "Port of /healthz, /readyz, /metrics and the test clock, never public; 4245",
  COOLPAY_API_URL: "Public address of the API, as in Location and Link headers; made of host and port",
  COOLPAY_WINDOW_URL: "Public address of the payment window, as in payment links; made of host and port",
  COOLPAY_MANAGER_URL: "Public address of the manager; made of host and port",
  COOLPAY_DATA_DIR: "Folder of the embedded database and the master key; ./data",
  COOLPAY_PROCESSES: "Processes that serve and work; 1 under start, one per core under serve",
  COOLPAY_MASTER_KEY_FILE:
    "File of the key that seals secrets; made in the data folder under start, required under serve",
  COOLPAY_DEMO: "1: fill an empty database with a demo merchant; 1 under start, not available under serve",
  COOLPAY_TEST_CLOCK: "1: POST /clock on the metrics listener moves the application's time; not available under serve",
  COOLPAY_ALLOW_PRIVATE_CALLBACKS:
    "1: callbacks may go to loopback and private addresses; 1 under start, 0 under serve",
  COOLPAY_SIGNUP: "Who may sign up: open, invite or closed; open under start, invite under serve",
  COOLPAY_RETENTION_MONTHS:
    "So many months after its last change names, addresses and variables of a transaction are erased; 60",
  COOLPAY_SMTP_URL: "SMTP server that mail leaves by, as in smtps://user:password@mail.example.com; without: no mail",
  COOLPAY_MAIL_FROM: "Sender of mail, as in CoolPay <pay@example.com>; needed with COOLPAY_SMTP_URL",
  COOLPAY_PLANS:
    "Plans of merchants' accounts, as JSON or the file that holds it; one plan, unlimited (and a small one for the demo)",
  COOLPAY_REQUEST_LOG_DAYS: "How many days merchants see their requests in /requests; 14",
  COOLPAY_TLS: "self: serve TLS with a certificate of our own making, kept in the data folder",
  COOLPAY_TLS_CERT: "File of the TLS certificate (PEM, with its chain)",
  COOLPAY_TLS_KEY: "File of the TLS certificate's private key (PEM)",
  COOLPAY_TLS_MIN: "Oldest TLS version for old clients: TLSv1.2, TLSv1.1 or TLSv1; TLSv1.2",
  COOLPAY_TRUST_PROXY: "Address ranges of proxies whose X-Forwarded-* is believed, with commas between",
} as const;

type Setting = keyof typeof settings;

/** Reads the environment. Throws `BadSetting` with everything that is wrong, one sentence a line. */
export function readConfig(mode: Mode, environment: Environment): Config {
  const problems: string[] = [];
  for (const [name, value = ""] of Object.entries(environment).filter(([key]) => key.startsWith("COOLPAY_"))) {
    if (isServiceLink(name, value))
      problems.push(`${name} is a Kubernetes service link, not a setting: set enableServiceLinks: false on the pod.`);
    else if (!Object.hasOwn(settings, name))
      problems.push(`${name} is not a setting of CoolPay: check its spelling or remove it.`);
  }
  const read = reader(environment, problems);
  const serve = mode === "serve";
  const host = read.text("COOLPAY_HOST") ?? "127.0.0.1";
  const data_dir = resolve(read.text("COOLPAY_DATA_DIR") ?? "data");
  const demo = read.flag("COOLPAY_DEMO", !serve);
  const config: Config = {
    mode,
    host,
    ports: {
      api: read.integer("COOLPAY_API_PORT", 4242, { min: 0, max: 65_535 }),
      window: read.integer("COOLPAY_WINDOW_PORT", 4243, { min: 0, max: 65_535 }),
      manager: read.integer("COOLPAY_MANAGER_PORT", 4244, { min: 0, max: 65_535 }),
      metrics: read.integer("COOLPAY_METRICS_PORT", 4245, { min: 0, max: 65_535 }),
    },
    urls: {
      api: read.url("COOLPAY_API_URL"),
      window: read.url("COOLPAY_WINDOW_URL"),
      manager: read.url("COOLPAY_MANAGER_URL"),
    },
    data_dir,
    database_url: databaseIn(environment, problems),
    processes: read.integer("COOLPAY_PROCESSES", serve ? availableParallelism() : 1, { min: 1, max: 256 }),
    master_key_file: read.text("COOLPAY_MASTER_KEY_FILE") ?? join(data_dir, "master.key"),
    demo,
    test_clock: read.flag("COOLPAY_TEST_CLOCK", false),
    allow_private_callbacks: read.flag("COOLPAY_ALLOW_PRIVATE_CALLBACKS", !serve),
    signup: read.choice("COOLPAY_SIGNUP", ["open", "invite", "closed"], serve ? "invite" : "open"),
    smtp: smtpIn(read, problems),
    plans: plansIn(read, problems) ?? (demo ? [unlimited, small] : [unlimited]),
    request_log_days: read.integer("COOLPAY_REQUEST_LOG_DAYS", 14, { min: 1, max: 366 }),
    tls: tlsIn(read, problems),
    tls_min: read.choice("COOLPAY_TLS_MIN", ["TLSv1.2", "TLSv1.1", "TLSv1"], "TLSv1.2"),
    trust_proxy: read.ranges("COOLPAY_TRUST_PROXY"),
    retention_months: read.integer("COOLPAY_RETENTION_MONTHS", 60, { min: 1, max: 1_200 }),
  };
  problems.push(...sharedPorts(config.ports));
  if (serve) problems.push(...missingUnderServe(config, environment));
  if (config.tls === null && !isLoopback(host) && config.trust_proxy.length === 0) {
    problems.push(
      `COOLPAY_HOST ${host} is reachable from outside and there is no TLS: set COOLPAY_TLS_CERT and COOLPAY_TLS_KEY, ` +
        "or COOLPAY_TLS=self, or name the proxy that does TLS in COOLPAY_TRUST_PROXY.",
    );
  }
  if (problems.length > 0) throw new BadSetting(problems.join("\n"));
  return config;
}

/** Kubernetes adds such names for every service of the namespace, also for one that is named coolpay-api. */
const isServiceLink = (name: string, value: string): boolean =>
  /^tcp:\/\//.test(value) || /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$/.test(name);

/** Its value is never repeated: it may hold a password. */
function databaseIn(environment: Environment, problems: string[]): string | null {
  const value = environment.DATABASE_URL?.trim() || null;
  if (value !== null && !/^postgres(ql)?:\/\//.test(value))
    problems.push("DATABASE_URL must begin with postgresql://, as in postgresql://coolpay@db.internal/coolpay.");
  return value;
}

/** Null where nothing is set, or what is set is of no use. */
function plansIn(read: Reader, problems: string[]): Plans | null {
  const text = read.text("COOLPAY_PLANS");
  if (text === null) return null;
  const where = text.startsWith("[") ? "COOLPAY_PLANS" : `COOLPAY_PLANS (${text})`;
  let value: unknown;
  try {
    value = JSON.parse(text.startsWith("[") ? text : readFileSync(text, "utf8"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    problems.push(code === undefined ? `${where} is not JSON.` : `${where} cannot be read (${code}).`);
    return null;
  }
  const read_plans = readPlans(value);
  if ("plans" in read_plans) return read_plans.plans;
  problems.push(...read_plans.problems.map((problem) => `${where}: ${problem}.`));
  return null;
}

function sharedPorts(ports: Config["ports"]): string[] {
  const named = Object.entries(ports).map(([face, port]) => ({ name: `COOLPAY_${face.toUpperCase()}_PORT`, port }));
  return named.flatMap(({ name, port }, index) => {
    const other = named.slice(index + 1).find((later) => port !== 0 && later.port === port);
    return other === undefined
      ? []
      : [`${name} and ${other.name} are both ${port}: each face needs a port of its own.`];
  });
}

function missingUnderServe(config: Config, environment: Environment): string[] {
  const problems: string[] = [];
  if (config.database_url === null)
    problems.push("DATABASE_URL is missing: serve needs a PostgreSQL of your own, 15 or newer.");
  if (!environment.COOLPAY_MASTER_KEY_FILE?.trim())
    problems.push("COOLPAY_MASTER_KEY_FILE is missing: the file that holds 32 random bytes, base64.");
  for (const name of ["COOLPAY_API_URL", "COOLPAY_WINDOW_URL", "COOLPAY_MANAGER_URL"] as const) {
    if (!environment[name]?.trim()) problems.push(`${name} is missing: ${settings[name].split(";")[0]}.`);
  }
  if (config.demo)
    problems.push("COOLPAY_DEMO is not available under serve: demo data does not belong among real payments.");
  if (config.test_clock)
    problems.push("COOLPAY_TEST_CLOCK is not available under serve: real payments need the real time.");
  return problems;
}

type Reader = ReturnType<typeof reader>;

function reader(environment: Environment, problems: string[]) {
  const text = (name: Setting): string | null => environment[name]?.trim() || null;
  return {
    text,
    integer(name: Setting, otherwise: number, { min, max }: { min: number; max: number }): number {
      const value = text(name);
      if (value === null || value.startsWith("tcp://")) return otherwise;
      const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
      if (number >= min && number <= max) return number;
      problems.push(`${name} must be a whole number from ${min} to ${max}, not ${value}.`);
      return otherwise;
    },
    flag(name: Setting, otherwise: boolean): boolean {
      const value = text(name)?.toLowerCase() ?? null;
      if (value === null) return otherwise;
      if (["1", "true", "yes", "on"].includes(value)) return true;
      if (!["0", "false", "no", "off"].includes(value)) problems.push(`${name} must be 1 or 0, not ${value}.`);
      return false;
    },
    choice<const Choice extends string>(name: Setting, choices: readonly Choice[], otherwise: Choice): Choice {
      const value = text(name);
      if (value === null) return otherwise;
      const chosen = choices.find((choice) => choice === value);
      if (chosen === undefined) problems.push(`${name} must be one of ${choices.join(", ")}, not ${value}.`);
      return chosen ?? otherwise;
    },
    url(name: Setting): string | null {
      const value = text(name);
      if (value === null) return null;
      if (!/^https?:\/\/[^\s/]/.test(value) || !URL.canParse(value))
        problems.push(`${name} must be an http or https address, not ${value}.`);
      else if (/[?#@]/.test(value)) problems.push(`${name} must be without query, fragment, user or password.`);
      return value.replace(/\/+$/, "");
    },
    ranges(name: Setting): string[] {
      const ranges = (text(name) ?? "")
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== "");
      for (const range of ranges) {
        if (!isRange(range)) problems.push(`${name} must hold addresses or ranges such as 10.0.0.0/8, not ${range}.`);
        else if (range.endsWith("/0")) problems.push(`${name} ${range} would believe everybody: name your proxies.`);
      }
      return ranges;
    },
  };
}

function isRange(range: string): boolean {
  const [base = "", bits, ...more] = range.split("/");
  const family = isIP(base);
  if (family === 0 || base.includes("%") || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
}

function tlsIn(read: Reader, problems: string[]): Config["tls"] {
  const cert_file = read.text("COOLPAY_TLS_CERT");
  const key_file = read.text("COOLPAY_TLS_KEY");
  const own = read.choice("COOLPAY_TLS", ["self"], "self");
  if (cert_file === null && key_file === null) return read.text("COOLPAY_TLS") === null ? null : own;
  if (cert_file === null || key_file === null) {
    problems.push("COOLPAY_TLS_CERT and COOLPAY_TLS_KEY belong together: one of them is missing.");
    return null;
  }
  if (read.text("COOLPAY_TLS") !== null) {
    problems.push(
      "COOLPAY_TLS=self makes a certificate of its own: remove it, or COOLPAY_TLS_CERT and COOLPAY_TLS_KEY.",
    );
  }
  for (const file of [cert_file, key_file]) {
    try {
      readFileSync(file);
    } catch (error) {
      problems.push(`The TLS file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
    }
  }
  return { cert_file, key_file };
}

const smtp_ports = { "smtps:": 465, "smtp:": 587 } as const;
// A name without what would end it in a header, and an address.
const sender_form = /^(?:([^\p{Cc}<>"]*?) *<([^\s<>"@,;]+@[^\s<>"@,;]+)>|([^\s<>"@,;]+@[^\s<>"@,;]+))$/u;

/** The server's address is never repeated: it may hold a password. */
function smtpIn(read: Reader, problems: string[]): Smtp | null {
  const value = read.text("COOLPAY_SMTP_URL");
  const sender = read.text("COOLPAY_MAIL_FROM");
  const [, name = "", named, address = named] = sender_form.exec(sender ?? "") ?? [];
  if (sender !== null && address === undefined)
    problems.push("COOLPAY_MAIL_FROM must be an address, as in CoolPay <pay@example.com>.");
  if (value === null) return null;
  const server = smtpServer(value);
  if (server === null)
    problems.push("COOLPAY_SMTP_URL must be such as smtps://user:password@mail.example.com, or smtp:// for STARTTLS.");
  else if (sender === null)
    problems.push("COOLPAY_SMTP_URL needs COOLPAY_MAIL_FROM beside it: the sender of the mail.");
  return server === null || address === undefined ? null : { ...server, from: { name, address } };
}

function smtpServer(value: string): Omit<Smtp, "from"> | null {
  if (!/^smtps?:\/\/[^/?#\s]+\/?$/.test(value) || !URL.canParse(value)) return null;
  const { protocol, hostname, port, username, password } = new URL(value);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const login = loginOf(username, password);
  if (host === "" || login === undefined) return null;
  return {
    host,
    port: Number(port) || smtp_ports[protocol as keyof typeof smtp_ports],
    secure: protocol === "smtps:",
    starttls: !isLoopback(host),
    login,
  };
}

/** Null: none; undefined: what cannot be decoded. */
function loginOf(user: string, password: string): Smtp["login"] | undefined {
  try {
    return user === "" ? null : { user: decodeURIComponent(user), password: decodeURIComponent(password) };
  } catch {
    return undefined;
  }
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

export function isLoopback(host: string): boolean {
  const family = isIP(host);
  return host === "localhost" || (family !== 0 && loopback.check(host, family === 6 ? "ipv6" : "ipv4"));
}

/** The project's version, as its package says. */
export function ownVersion(): string {
  const file = new URL("../package.json", import.meta.url);
  return String((JSON.parse(readFileSync(file, "utf8")) as { version: unknown }).version);
}
