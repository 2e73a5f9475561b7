// What an operator is promised (docs/operating.md), with real processes: `coolpay serve` over a PostgreSQL of one's own, the
// tools beside it, every start that cannot be, and what `coolpay start` says and does beyond the README's walk.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import pg from "pg";
import { settings as known_settings } from "../src/config.ts";
import { type Embedded, startEmbedded } from "../src/storage/embedded.ts";
import { clientFor, eventually } from "./support/app.ts";
import { type TestDatabase, testDatabase } from "./support/postgres.ts";
import {
  any_ports,
  coolpay,
  databasePid,
  type Ended,
  end,
  freePorts,
  heard,
  isRunning,
  newFolder,
  type Program,
  type Settings,
} from "./support/program.ts";
import { basic, type RawClient, type RawHeaders, rawClient } from "./support/raw.ts";

const folder = newFolder();
const text = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const newKey = (): string => `${randomBytes(32).toString("base64")}\n`;
const master_key = newKey();

const email = "ida@shop.example";
const password = "smoke and mirrors 17";
const card = { number: "1000000000000008", expiration: "3112", cvd: "481" };

const json = (body: object) => ({ headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

type Installation = {
  readonly settings: Settings;
  readonly program: Program;
  readonly api: string;
  readonly window: string;
  readonly manager: string;
  readonly metrics: string;
};

/** `coolpay serve` until it serves. The public addresses lead elsewhere, as behind a proxy. */
async function serve(settings: Settings): Promise<Installation> {
  const [api = 0, window = 0, manager = 0] = await freePorts(3);
  const all = {
    COOLPAY_API_PORT: String(api),
    COOLPAY_WINDOW_PORT: String(window),
    COOLPAY_MANAGER_PORT: String(manager),
    COOLPAY_METRICS_PORT: "0",
    ...settings,
  };
  const program = coolpay(["serve"], all);
  const [, metrics = ""] = await heard(program, /"metrics_url":"([^"]+)".*"serving"/);
  const at = (port: number) => `http://127.0.0.1:${port}`;
  return { settings: all, program, api: at(api), window: at(window), manager: at(manager), metrics };
}

/** The lines that a program has printed, as data. */
// biome-ignore lint/suspicious/noExplicitAny: a log line may hold anything
const lines = ({ stdout }: Program): any[] => (stdout().match(/^.*\n/gm) ?? []).map((line) => JSON.parse(line));

const workersOf = (program: Program): number[] => [
  ...new Set(lines(program).flatMap(({ msg, pid }) => (msg === "request" ? [Number(pid)] : []))),
];

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const db = new pg.Client(url);
  await db.connect();
  try {
    return (await db.query<Row>(sql)).rows;
  } finally {
    await db.end();
  }
}

let database: TestDatabase;
let production: Settings;
let first_user: Ended;
let installation: Installation;
let anonymous: RawClient;
let owner: RawClient;
let merchant: RawClient;
let api_key: string;

before(async () => {
  database = await testDatabase();
  production = {
    DATABASE_URL: database.url,
    COOLPAY_MASTER_KEY_FILE: text("master.key", master_key),
    COOLPAY_API_URL: "https://api.example.com",
    COOLPAY_WINDOW_URL: "https://payment.example.com",
    COOLPAY_MANAGER_URL: "https://manage.example.com",
    COOLPAY_DATA_DIR: join(folder, "data"),
    COOLPAY_PROCESSES: "2",
  };
  first_user = await makeUser("create", email, "Ida", "Holm");
  installation = await serve({ ...production, COOLPAY_TRUST_PROXY: "127.0.0.1" });
  anonymous = rawClient(installation.api);
});
after(() => database.drop());

const makeUser = (...words: readonly string[]): Promise<Ended> =>
  end(coolpay(["user", ...words], production, { input: `${password}\n` }));

test("`serve` says at once all that is missing and all that it refuses, and ends with status 1", async () => {
  const { code, stdout, stderr } = await end(coolpay(["serve"], { COOLPAY_DEMO: "1", COOLPAY_TEST_CLOCK: "1" }));
  assert.deepEqual([code, stdout], [1, ""]);
  assert.deepEqual(stderr.trimEnd().split("\n"), [
    "DATABASE_URL is missing: serve needs a PostgreSQL of your own, 15 or newer.",
    "COOLPAY_MASTER_KEY_FILE is missing: the file that holds 32 random bytes, base64.",
    "COOLPAY_API_URL is missing: Public address of the API, as in Location and Link headers.",
    "COOLPAY_WINDOW_URL is missing: Public address of the payment window, as in payment links.",
    "COOLPAY_MANAGER_URL is missing: Public address of the manager.",
    "COOLPAY_DEMO is not available under serve: demo data does not belong among real payments.",
    "COOLPAY_TEST_CLOCK is not available under serve: real payments need the real time.",
  ]);
});

test("without SMTP `serve` says so at its start, and whoever would need mail is told", async () => {
  const warned = ({ level, msg }: { level: number; msg: string }) =>
    level === 40 && msg.startsWith("mail is not configured");
  assert.ok(lines(installation.program).some(warned), installation.program.output());
  const refused = await anonymous("POST", "/password-resets", json({ email }));
  assert.deepEqual([refused.status, refused.body.message.split(":")[0]], [503, "Mail is not configured"]);
});

test("under `serve` nobody signs up uninvited; the operator makes the first user, with a password that nobody sees", async () => {
  const person = { name: "Eve", email: "eve@elsewhere.example", password: "no invitation at hand" };
  const refused = await anonymous("POST", "/users", json(person));
  assert.deepEqual([refused.status, refused.body.errors], [400, { token: ["is missing"] }]);

  assert.deepEqual([first_user.code, first_user.stderr], [0, ""]);
  assert.match(first_user.stdout, /^Created user \d+\.\n$/);
  // OWASP's advice, which tests of other things do not take.
  const [stored] = await query<{ password_hash: string }>(database.url, "SELECT password_hash FROM users");
  assert.match(stored?.password_hash ?? "", /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  const [again, unnamed] = await Promise.all([makeUser("create", email, "Ida"), makeUser("create", email)]);
  const in_use = "No user was created: Validation error; email is already in use.\n";
  assert.deepEqual([again.code, again.stdout, again.stderr], [1, "", in_use]);
  assert.deepEqual([unnamed.code, unnamed.stderr], [2, "Say who it is: coolpay user create <e-mail> <name>\n"]);

  const user = rawClient(installation.api, { Authorization: basic(email, password) });
  const account = await user("POST", "/accounts", json({ shop_name: "Kop og Kande", contact_email: email }));
  assert.equal(account.status, 201, account.text);
  const headers = { Authorization: basic(email, password), "CoolPay-Account-Id": String(account.body.id) };
  owner = rawClient(installation.api, headers);
  const agreements = await owner("GET", "/agreements");
  api_key = agreements.body.find(({ service }: { service: string }) => service === "api_user").api_key;
  merchant = rawClient(installation.api, { Authorization: basic("", api_key) });
});

test("links, Location and Link headers lead to the public addresses, not to the listeners", async () => {
  const made = await merchant("POST", "/payments", json({ order_id: "WEB-1001", currency: "DKK" }));
  assert.equal(made.status, 201, made.text);
  await merchant("POST", "/payments", json({ order_id: "WEB-1002", currency: "DKK" }));
  const { id } = made.body;
  const link = await merchant("PUT", `/payments/${id}/link`, json({ amount: 1000 }));
  assert.match(link.body.url, /^https:\/\/payment\.example\.com\/./);
  const authorized = await merchant("POST", `/payments/${id}/authorize`, json({ amount: 1000, card }));
  assert.equal(authorized.status, 202, authorized.text);
  assert.equal(authorized.headers.location, `https://api.example.com/payments/${id}/operations/1`);
  const { headers } = await merchant("GET", "/payments?page_size=1");
  assert.match(String(headers.link), /^<https:\/\/api\.example\.com\/payments\?[^>]*>; rel="\w+"/);
});

test("every line of the log is JSON, and a request's line has the id that its answer carried", async () => {
  const answers = await Promise.all([
    anonymous("GET", "/ping"),
    merchant("GET", "/payments?order_id=WEB-1001"),
    anonymous("GET", "/no/such/path"),
    anonymous("POST", "/payments"),
  ]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 404, 401],
  );
  for (const { status, headers } of answers) {
    const id = headers["x-request-id"];
    const [line] = await eventually(async () => {
      const found = lines(installation.program).filter((each) => each.id === id);
      return found.length > 0 && found;
    }, "the request's line");
    assert.deepEqual([line.msg, line.status, line.ip], ["request", status, "127.0.0.1"]);
    assert.equal(typeof line.duration_ms, "number");
  }
});

test("who pays, calls, signs in or errs leaves no card, no key and no password in the output", async () => {
  const wrong_key = randomBytes(32).toString("hex");
  const { body } = await merchant("POST", "/payments", json({ order_id: "WEB-1003", currency: "DKK" }));
  const path = `/payments/${body.id}/authorize?synchronized`;
  const form = `card[number]=${card.number}&card[cvd]=${card.cvd}&card[expiration]=3112`;
  const answers = [
    await merchant("POST", path, json({ amount: 1000, card })),
    await merchant("POST", `${path}&amount=1&${form}`),
    await merchant("POST", path, { ...json({}), body: `{"card": {"number": "${card.number}", "cvd": ${card.cvd}` }),
    await merchant("GET", `/payments/${card.number}`),
    await rawClient(installation.api, { Authorization: basic("", wrong_key) })("GET", "/ping"),
    await rawClient(installation.api, { Authorization: basic(email, "another long password") })("GET", "/user"),
    await owner("GET", "/user"),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 400, 400, 404, 401, 401, 200],
  );
  await eventually(async () =>
    lines(installation.program).some(({ id }) => id === answers.at(-1)?.headers["x-request-id"]),
  );
  const output = installation.program.output();
  const secrets = [card.number, api_key, wrong_key, password, "another long password", master_key.trim()];
  for (const secret of secrets) assert.equal(output.includes(secret), false, secret);
  assert.doesNotMatch(output, /Basic |[0-9a-f]{64}/);
  // A duration may look like a CVD.
  const texts = JSON.stringify(lines(installation.program), (_name, value) => (typeof value === "number" ? 0 : value));
  assert.doesNotMatch(texts, /\b481\b/);
});

test("X-Forwarded-For is believed from the proxy that was named, and from nobody else", async () => {
  const body = {
    system_user: "Warehouse",
    acl_permissions: [{ resource: "/ping", get: true }],
    ip_restriction: [{ address: "203.0.113.7" }],
  };
  const made = await owner("POST", "/agreements", json(body));
  assert.equal(made.status, 201, made.text);
  const Authorization = basic("", made.body.api_key);
  const ask = async (api: string, forwarded?: string) => {
    const headers: RawHeaders = forwarded === undefined ? {} : { "X-Forwarded-For": forwarded };
    const { status, body: said } = await rawClient(api, { Authorization })("GET", "/ping", { headers });
    return status === 200 ? "served" : said.message;
  };
  const refused = "Not authorized: Address not allowed";
  assert.equal(await ask(installation.api), refused);
  assert.equal(await ask(installation.api, "203.0.113.7"), "served");
  assert.equal(await ask(installation.api, "203.0.113.8"), refused);
  // What the shopper's side claims stands left of what our proxy saw.
  assert.equal(await ask(installation.api, "203.0.113.7, 198.51.100.1"), refused);

  const alone = await serve({ ...production, COOLPAY_PROCESSES: "1", COOLPAY_TRUST_PROXY: "10.0.0.0/8" });
  assert.equal(await ask(alone.api, "203.0.113.7"), refused);
  const { code, stderr } = await end(alone.program, "SIGTERM");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(isRunning(alone.program.pid), false);
});

test("health and metrics are on a listener of their own; the API does not know them, nor does anybody a test clock", async () => {
  const operator = rawClient(installation.metrics);
  for (const path of ["/healthz", "/readyz", "/metrics", "/clock"])
    assert.equal((await anonymous("GET", path)).status, 404, path);
  assert.deepEqual((await operator("GET", "/healthz")).body, { status: "ok" });
  assert.deepEqual((await operator("GET", "/readyz")).body, { status: "ready" });
  assert.equal((await operator("GET", "/clock")).status, 404);
  assert.equal((await operator("POST", "/clock", json({ advance_s: 1 }))).status, 404);
  assert.equal((await operator("GET", "/payments")).status, 404);
});

test("a database that a newer release has migrated is served on", async () => {
  await query(database.url, "INSERT INTO migrations (name) VALUES ('9999_later.sql')");
  const ready = await rawClient(installation.metrics)("GET", "/readyz");
  await query(database.url, "DELETE FROM migrations WHERE name = '9999_later.sql'");
  assert.deepEqual([ready.status, ready.body], [200, { status: "ready" }]);
});

/** What all series of this name add up to. */
function total(metrics: string, name: string): number {
  const series = metrics.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return series.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

const served = "coolpay_http_request_duration_seconds_count";

test("/metrics adds up all processes, whichever answers", async () => {
  const operator = rawClient(installation.metrics);
  const before_them = total((await operator("GET", "/metrics")).text, served);
  const count = 10;
  for (let i = 0; i < count; i++) assert.equal((await anonymous("GET", "/ping")).status, 200);
  assert.equal(workersOf(installation.program).length, 2, "both processes have served");
  for (let i = 0; i < 4; i++) {
    const { text: figures } = await operator("GET", "/metrics");
    assert.equal(total(figures, served), before_them + count);
    assert.equal(total(figures, "coolpay_processes"), 2);
    assert.ok(figures.includes('method="POST",route="/payments/:id/authorize",status="200"'));
    assert.ok(figures.includes('coolpay_backlog{what="operations"} 0'));
  }
});

test("a process that hangs is left out of /metrics, and the others go on", async () => {
  const [hung = 0] = workersOf(installation.program);
  process.kill(hung, "SIGSTOP");
  // One of two questions reaches the process that hangs, and waits.
  const asked = [1, 2].map(() => rawClient(installation.metrics)("GET", "/metrics"));
  try {
    const { status, text: figures } = await Promise.race(asked);
    assert.deepEqual([status, total(figures, "coolpay_processes")], [200, 1]);
  } finally {
    process.kill(hung, "SIGCONT");
  }
  await Promise.all(asked);
  await eventually(async () => {
    const { text: figures } = await rawClient(installation.metrics)("GET", "/metrics");
    return total(figures, "coolpay_processes") === 2;
  });
});

test("a process that is killed is replaced, and requests go on", async () => {
  const { program, metrics } = installation;
  const old = workersOf(program);
  const [victim = 0] = old;
  process.kill(victim, "SIGKILL");
  await heard(program, /a process ended by itself and is replaced/);
  for (let i = 0; i < 5; i++) assert.equal((await anonymous("GET", "/ping")).status, 200);
  await eventually(async () => total((await rawClient(metrics)("GET", "/metrics")).text, "coolpay_processes") === 2);
  await eventually(async () => {
    assert.equal((await merchant("GET", "/payments?page_size=1")).status, 200);
    return workersOf(program).some((pid) => !old.includes(pid));
  }, "a request to the new process");
  const told = lines(program).find(({ msg }) => msg.startsWith("a process ended"));
  assert.deepEqual([told.level, told.worker, told.signal], [50, victim, "SIGKILL"]);
});

test("the payment window is there, and the manager says honestly that it is not built yet", async () => {
  const { status: missing, text: page } = await rawClient(installation.window)("GET", `/payments/${"0".repeat(64)}`);
  assert.equal(missing, 404);
  assert.match(page, /This page does not exist/);
  for (const [method, path] of [
    ["GET", "/"],
    ["GET", "/payments/1"],
    ["POST", "/api/payments"],
  ] as const) {
    const { status, text: said } = await rawClient(installation.manager)(
      method,
      path,
      method === "POST" ? json({}) : {},
    );
    assert.equal(status, 501);
    assert.match(said, /^The manager is not built yet: [^\n]+\.\n$/);
  }
});

/** Nobody listens there. A connection that came at the last moment may hear nothing at all: it is not waited for. */
const isRefused = (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(500) }).then(
    () => false,
    ({ cause }: { cause?: { code?: string } }) => cause?.code === "ECONNREFUSED",
  );

// Far less than any client keeps a connection that it does not use.
const end_within_ms = 4_000;

test("SIGTERM: what is under way is answered, what was begun is finished, and all processes end", async () => {
  const { program, api } = installation;
  const ids = [];
  for (const order_id of ["WEB-1004", "WEB-1005"]) {
    const { body } = await merchant("POST", "/payments", json({ order_id, currency: "DKK" }));
    ids.push(body.id);
  }
  // The acquirer cannot write its book, and so does not answer, for as long as we hold it.
  const book = new pg.Client(database.url);
  await book.connect();
  await book.query("BEGIN; LOCK TABLE simulator.book IN EXCLUSIVE MODE");
  // On a connection that its client would keep.
  const keeping = clientFor(api, { Authorization: basic("", api_key) });
  const waiting = keeping("POST", `/payments/${ids[0]}/authorize?synchronized`, { body: { amount: 1000, card } });
  const begun = await merchant("POST", `/payments/${ids[1]}/authorize`, json({ amount: 1000, card }));
  assert.equal(begun.status, 202);
  await eventually(async () => {
    const held_up = await query(database.url, "SELECT FROM pg_locks WHERE NOT granted");
    return held_up.length > 0;
  }, "an order on its way");

  // Whoever opens a connection and says nothing is not waited for.
  const { window, manager, metrics } = installation;
  const silent = [api, window, manager, metrics].map((url) => connect(Number(new URL(url).port), "127.0.0.1"));
  await Promise.all(silent.map((socket) => once(socket, "connect")));
  program.kill("SIGTERM");
  await eventually(() => isRefused(api), "the end of listening");
  assert.equal(isRunning(program.pid), true);
  await book.query("COMMIT");
  await book.end();
  const answer = await waiting;
  const answered_at = performance.now();
  assert.deepEqual([answer.status, answer.body.state, answer.body.accepted], [200, "new", true]);
  const { code, stderr } = await end(program);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.ok(performance.now() - answered_at < end_within_ms);
  assert.equal(isRunning(program.pid), false);
  for (const line of lines(program)) assert.equal(typeof line.msg, "string");
  const left = await query(database.url, "SELECT FROM operations WHERE pending");
  assert.equal(left.length, 0);
});

// ---- the tools ----

test("`coolpay migrate` brings the tables up to date, once", async () => {
  const fresh = await testDatabase();
  try {
    const [code, said] = await told(["migrate"], { DATABASE_URL: fresh.url });
    const count = readdirSync(join(import.meta.dirname, "../src/storage/migrations")).length;
    assert.deepEqual([code, said], [0, `Applied ${count} migrations.\n`]);
    const again = await told(["migrate"], { DATABASE_URL: fresh.url });
    assert.deepEqual(again, [0, "The database is up to date.\n"]);
  } finally {
    await fresh.drop();
  }
});

/** Status and everything printed. */
async function told(words: readonly string[], settings: Settings): Promise<[number | null, string]> {
  const { code, stdout, stderr } = await end(coolpay(words, { COOLPAY_DATA_DIR: join(folder, "data"), ...settings }));
  return [code, stdout + stderr];
}

test("`coolpay audit` says `books balance`, or each difference and status 1", async () => {
  const settings = { DATABASE_URL: database.url };
  assert.deepEqual(await told(["audit"], settings), [0, "books balance\n"]);
  const change = (amount: number) =>
    query(database.url, `UPDATE transactions SET authorized = authorized + ${amount} WHERE order_id = 'WEB-1004'`);
  await change(1);
  const [code, said] = await told(["audit"], settings);
  await change(-1);
  assert.equal(code, 1);
  assert.match(
    said,
    /^Payment \d+ of account \d+: the operations add up to another authorized \([^\n]+\)\n1 difference\n$/,
  );
});

test("`coolpay help` names every command and setting; an unknown command is told what there is, with status 2", async () => {
  const [code, said] = await told(["help"], {});
  assert.equal(code, 0);
  for (const name of ["start", "serve", "migrate", "audit", "mailbox", "user create", "help", "DATABASE_URL"])
    assert.ok(said.includes(`  ${name} `), name);
  for (const [name, meaning] of Object.entries(known_settings))
    assert.ok(said.includes(`  ${name}  ${meaning}\n`), name);
  const { code: status, stdout, stderr } = await end(coolpay(["constructor"], {}));
  assert.deepEqual([status, stdout], [2, ""]);
  assert.ok(stderr.startsWith("constructor is not a command of coolpay.\n\ncoolpay <command>\n"), stderr);
});

// ---- starts that cannot be ----

/** Between a program and its database: makes the server look older than it is. */
async function olderServer(url: string): Promise<{ readonly url: string; readonly server: Server }> {
  const { host, port, database: name } = new pg.Client(url);
  const [real] = await query<{ server_version_num: string }>(url, "SHOW server_version_num");
  const server = createServer((client) => {
    const upstream = connect(host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port });
    client.pipe(upstream).on("error", () => client.destroy());
    client.on("error", () => upstream.destroy()).on("close", () => upstream.destroy());
    upstream.on("data", (data) => {
      client.write(Buffer.from(data.toString("latin1").replace(real?.server_version_num ?? "", "140021"), "latin1"));
    });
  });
  return new Promise((done) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address() as { port: number };
      done({ server, url: `postgresql://coolpay@127.0.0.1:${address.port}/${name}?sslmode=disable` });
    });
  });
}

describe("what cannot start says in one sentence what to do, ends with status 1 and leaves nothing running", {
  concurrency: 3,
}, () => {
  const password_folder = newFolder();
  let with_passwords: Embedded;
  let newer: TestDatabase;
  let empty: TestDatabase;
  let older: Awaited<ReturnType<typeof olderServer>>;
  let taken: Server;
  let taken_port: string;

  before(async () => {
    writeFileSync(join(password_folder, "hba"), "local all coolpay trust\nlocal all all scram-sha-256\n");
    const own = startEmbedded({
      data_dir: password_folder,
      log: () => {},
      settings: { fsync: "off", hba_file: join(password_folder, "hba") },
    });
    [with_passwords, newer, empty, older] = await Promise.all([
      own,
      testDatabase({ migrated: true }),
      testDatabase(),
      olderServer(database.url),
    ]);
    await query(newer.url, "INSERT INTO migrations (name) VALUES ('9999_later.sql')");
    await query(with_passwords.url, "CREATE ROLE shop LOGIN PASSWORD 'the right word'");
    await query(empty.url, "DO $$ BEGIN CREATE ROLE clerk LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
    taken = createServer();
    await new Promise<void>((done) => taken.listen(0, "127.0.0.1", () => done()));
    taken_port = String((taken.address() as { port: number }).port);
  });
  after(async () => {
    taken.close();
    older.server.close();
    await Promise.all([with_passwords.stop(), newer.drop(), empty.drop()]);
    await query(database.url, "DROP ROLE clerk");
  });

  type Case = {
    readonly words?: readonly string[];
    readonly settings: () => Settings;
    readonly sentence: RegExp;
    /** Must not be printed. */
    readonly secret?: string;
  };

  const as = (url: string, user: string): string => url.replace(/\/\/[^@/]*@/, `//${user}@`);

  const cases: Readonly<Record<string, Case>> = {
    "a port that is taken": {
      settings: () => ({ COOLPAY_METRICS_PORT: taken_port }),
      sentence: /^Port \d+ is taken: stop what uses it, or set another one \(see coolpay help\)\.$/,
    },
    "a data folder that cannot be written": {
      settings: () => ({
        COOLPAY_TLS: "self",
        COOLPAY_DATA_DIR: join(text("a file", ""), "data"),
        COOLPAY_PROCESSES: "1",
      }),
      sentence:
        /\/a file\/data\/tls cannot be used \(ENOTDIR\): check that it is there, its rights and the space left\.$/,
    },
    "a data folder that cannot be written, under start": {
      words: ["start"],
      settings: () => ({ COOLPAY_DATA_DIR: text("another file", "") }),
      sentence:
        /^The data folder .* cannot be used \(EEXIST\): make it yours, or set COOLPAY_DATA_DIR to another one\.$/,
    },
    "no master key": {
      settings: () => ({ COOLPAY_MASTER_KEY_FILE: join(folder, "none.key") }),
      sentence: /^There is no master key in .*none\.key: set COOLPAY_MASTER_KEY_FILE\.$/,
    },
    "no master key, under start over a database that has one": {
      words: ["start"],
      settings: () => ({
        DATABASE_URL: database.url,
        COOLPAY_DATA_DIR: join(folder, "new data"),
        COOLPAY_MASTER_KEY_FILE: "",
      }),
      sentence: /^There is no master key in .*\/new data\/master\.key: set COOLPAY_MASTER_KEY_FILE\.$/,
    },
    "a master key in the wrong form": {
      settings: () => ({ COOLPAY_MASTER_KEY_FILE: text("hex.key", randomBytes(32).toString("hex")) }),
      sentence: /^The master key in .*\/hex\.key must be 32 bytes, base64\.$/,
    },
    "a folder for a master key": {
      settings: () => ({ COOLPAY_MASTER_KEY_FILE: folder }),
      sentence: /^COOLPAY_MASTER_KEY_FILE names a folder: name the file that holds the key\.$/,
    },
    "the master key of another installation": {
      settings: () => ({ COOLPAY_MASTER_KEY_FILE: text("another.key", newKey()) }),
      sentence:
        /^Secrets in the database are sealed with master key [0-9a-f]{8}, not in .*another\.key \(there: [0-9a-f]{8}\): put it back, each on a line of its own, or name the right file in COOLPAY_MASTER_KEY_FILE\.$/,
    },
    "a wrong password for the database": {
      settings: () => ({ DATABASE_URL: as(with_passwords.url, "shop:the-wrong-word") }),
      sentence:
        /^The database cannot be reached: check DATABASE_URL \(password authentication failed for user "shop"\)\.$/,
      secret: "the-wrong-word",
    },
    "a database's host that does not exist": {
      settings: () => ({ DATABASE_URL: "postgresql://shop:some-word@nowhere.invalid/coolpay" }),
      sentence: /^The database cannot be reached: check DATABASE_URL \([^()]+\)\.$/,
      secret: "some-word",
    },
    "a database whose user may not make tables": {
      words: ["migrate"],
      settings: () => ({ DATABASE_URL: as(empty.url, "clerk") }),
      sentence:
        /^The database refuses \(permission denied for schema public\): make the user of DATABASE_URL the owner of its database\.$/,
    },
    "a newer database": {
      settings: () => ({ DATABASE_URL: newer.url }),
      sentence:
        /^The database is newer than this program: it holds migration 9999_later\.sql\. Use the release that made it\.$/,
    },
    "an audit of a database that cannot be reached": {
      words: ["audit"],
      settings: () => ({ DATABASE_URL: "postgresql://coolpay@127.0.0.1:1/coolpay" }),
      sentence: /^The database cannot be reached: check DATABASE_URL \(connect ECONNREFUSED 127\.0\.0\.1:1\)\.$/,
    },
    "an audit of a database without tables": {
      words: ["audit"],
      settings: () => ({ DATABASE_URL: empty.url }),
      sentence: /^The database lacks tables of this program: run coolpay migrate first\.$/,
    },
    "an audit of a newer database": {
      words: ["audit"],
      settings: () => ({ DATABASE_URL: newer.url }),
      sentence:
        /^The database is newer than this program: it holds migration 9999_later\.sql\. Use the release that made it\.$/,
    },
    "an audit of a server that is too old": {
      words: ["audit"],
      settings: () => ({ DATABASE_URL: older.url }),
      sentence: /^This PostgreSQL is too old: CoolPay needs 15 or newer\.$/,
    },
  };

  for (const [name, { words = ["serve"], settings, sentence, secret }] of Object.entries(cases)) {
    test(name, async () => {
      const under = words[0] === "serve" ? production : {};
      const all = { COOLPAY_DATA_DIR: join(folder, "data"), ...any_ports, ...under, ...settings() };
      const program = coolpay(words, all);
      const { code, stdout, stderr } = await end(program);
      assert.equal(stderr.split("\n").length, 2, stderr);
      assert.match(stderr.trimEnd(), sentence);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.equal(isRunning(program.pid), false);
      if (secret !== undefined) assert.equal(stderr.includes(secret), false);
    });
  }
});

// ---- start ----

const post = (url: string, content_type: string, body: string) =>
  rawClient(url)("POST", "/clock", { headers: { "Content-Type": content_type }, body });

const day_ms = 86_400_000;

test("`start` without a demo makes nobody; with a test clock time moves in all processes, by form or JSON", async () => {
  const own = await testDatabase({ migrated: true });
  const data_dir = newFolder();
  const program = coolpay(["start"], {
    ...any_ports,
    DATABASE_URL: own.url,
    COOLPAY_DATA_DIR: data_dir,
    COOLPAY_DEMO: "0",
    COOLPAY_PROCESSES: "2",
    COOLPAY_TEST_CLOCK: "1",
  });
  const [, metrics = ""] = await heard(program, /health, metrics (\S+)\/healthz/);
  await heard(program, /curl -u ":YOUR_API_KEY"/);
  assert.deepEqual(await query(own.url, "SELECT FROM users"), []);
  assert.equal(statSync(join(data_dir, "master.key")).mode & 0o777, 0o600);
  assert.equal(databasePid(data_dir), null, "over a database of one's own there is no other");

  const one = await post(metrics, "application/x-www-form-urlencoded", "advance_s=86400");
  const two = await post(metrics, "application/json", JSON.stringify({ advance_s: 86_400.5 }));
  assert.deepEqual([one.status, two.status], [200, 200]);
  const now = async (): Promise<number> => Date.parse((await rawClient(metrics)("GET", "/clock")).body.now);
  const moved = async (): Promise<boolean> => Math.abs((await now()) - Date.now() - 2 * day_ms) < day_ms / 10;
  // Connections go to the processes in turn.
  await eventually(async () => (await moved()) && (await moved()) && (await moved()), "the same time in all processes");
  const bad = [
    '{"advance_s": -1}',
    '{"advance_s": "soon"}',
    '{"advance_s": 1e300}',
    '{"advance_s": null}',
    "[]",
    "7",
    "{",
  ];
  for (const body of bad) assert.equal((await post(metrics, "application/json", body)).status, 400, body);
  for (const body of ["", "advance_s=", "advance_s=-1", "advance_s=1e3", "seconds=5"])
    assert.equal((await post(metrics, "application/x-www-form-urlencoded", body)).status, 400, body);
  assert.equal(await moved(), true, "what was refused moved nothing");

  // Processes that nobody minds any more would keep the ports.
  await end(program, "SIGKILL");
  await eventually(() => isRefused(metrics), "the end of all processes");
  await own.drop();
});

test("after a kill -9 of `start` the next one finds its data, carries on with the database, and stops it", async () => {
  const data_dir = newFolder();
  const settings = { ...any_ports, COOLPAY_DATA_DIR: data_dir };
  const first = coolpay(["start"], { ...settings, COOLPAY_TEST_CLOCK: "1" });
  const [, key = ""] = await heard(first, /-u ":([0-9a-f]{64})"/);
  assert.match(first.output(), /CoolPay is ready after .* \(new data in /);
  const [, api = ""] = await heard(first, / API +(http\S+)/);
  // The demo's history lies in the past, although a clock was there to be moved.
  const { body: payments } = await rawClient(api, { Authorization: basic("", key) })("GET", "/payments?page_size=100");
  const days = new Set(payments.map(({ created_at }: { created_at: string }) => created_at.slice(0, 10)));
  assert.ok(days.size > 5, [...days].join());
  await end(first, "SIGKILL");
  const left = databasePid(data_dir);
  assert.notEqual(left, null, "the database outlives it");

  const second = coolpay(["start"], settings);
  const [, count] = await heard(second, /\(found its data in .*: (\d+) payments\)/);
  assert.equal(Number(count), payments.length);
  assert.match(second.output(), /Found the database still running from an earlier start; carrying on with it\.\n/);
  assert.equal(databasePid(data_dir), left);
  const [, metrics = ""] = await heard(second, /health, metrics (\S+)\/healthz/);
  assert.equal((await rawClient(metrics)("GET", "/clock")).status, 404);
  assert.equal((await post(metrics, "application/json", '{"advance_s": 1}')).status, 404);
  const { code, stderr } = await end(second, "SIGINT");
  assert.deepEqual([code, stderr, isRunning(second.pid)], [0, "", false]);
  assert.equal(databasePid(data_dir), null, "the database that was adopted is stopped as well");
});
