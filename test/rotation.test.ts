// The master key is rotated under a serving installation: nothing is dropped, what the old key sealed still opens, and once
// everything is sealed anew the old key may go.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, clientFor, eventually } from "./support/app.ts";
import { type TestDatabase, testDatabase } from "./support/postgres.ts";
import {
  any_ports,
  coolpay,
  end,
  freePorts,
  heard,
  newFolder,
  type Program,
  type Settings,
} from "./support/program.ts";
import { basic } from "./support/raw.ts";

const folder = newFolder();
const file = join(folder, "master.key");
const newLine = (): string => `${randomBytes(32).toString("base64")}\n`;

let database: TestDatabase;
let settings: Settings;
let program: Program;
let owner: Client;
let shop: Client;

before(async () => {
  writeFileSync(file, newLine(), { mode: 0o600 });
  database = await testDatabase();
  const [port = 0] = await freePorts(1);
  settings = {
    ...any_ports,
    DATABASE_URL: database.url,
    COOLPAY_MASTER_KEY_FILE: file,
    COOLPAY_API_URL: "https://api.example.com",
    COOLPAY_WINDOW_URL: "https://payment.example.com",
    COOLPAY_MANAGER_URL: "https://manage.example.com",
    COOLPAY_API_PORT: String(port),
    COOLPAY_PROCESSES: "2",
    COOLPAY_SIGNUP: "open",
    COOLPAY_TRUST_PROXY: "127.0.0.1",
  };
  program = coolpay(["serve"], settings);
  await heard(program, /"serving"/);
  const url = `http://127.0.0.1:${port}`;
  const [email, password] = ["ida@shop.example", "smoke and mirrors 17"];
  const person = clientFor(url, { Authorization: basic(email, password) });
  const signed_up = await clientFor(url, {})("POST", "/users", { body: { name: "Ida", email, password } });
  assert.equal(signed_up.status, 201, signed_up.text);
  const account = await person("POST", "/accounts", { body: { shop_name: "Kop og Kande", contact_email: email } });
  owner = person;
  const agreements = await owner("GET", "/agreements", { headers: { "CoolPay-Account-Id": String(account.body.id) } });
  const { api_key } = agreements.body.find((one: { service: string }) => one.service === "api_user");
  shop = clientFor(url, { Authorization: basic("", api_key) });
});
after(() => database.drop());

const run = async (words: readonly string[], changed: Settings = {}) =>
  end(coolpay(words, { ...settings, ...changed }));

/** The file was read again by both processes: so often did they say so. */
async function hangup(words: RegExp): Promise<void> {
  const count = (): number => program.stdout().match(new RegExp(words, "g"))?.length ?? 0;
  const said = count();
  program.kill("SIGHUP");
  await eventually(async () => count() >= said + 2, String(words));
}
const read_again = /the file of the master keys was read again/;

const card = { number: "1000000000000008", expiration: "3912", cvd: "208" };
let orders = 0;

async function pays(method: object): Promise<{ hash: string; accepted: boolean }> {
  orders += 1;
  const made = await shop("POST", "/payments", { body: { order_id: `turn-${orders}`, currency: "DKK" } });
  assert.equal(made.status, 201, made.text);
  const paid = await shop("POST", `/payments/${made.body.id}/authorize?synchronized`, {
    body: { amount: 100, card: method },
  });
  assert.equal(paid.status, 200, paid.text);
  return { hash: paid.body.metadata.hash, accepted: paid.body.accepted };
}

const platformSecret = (n: number): string => String(n).repeat(64);

const saved: number[] = [];

/** Something sealed of every kind; the nth time. */
async function sealSome(n: number): Promise<void> {
  const made = await shop("POST", "/cards", { headers: { "Idempotency-Key": `card ${n}` } });
  const authorized = await shop("POST", `/cards/${made.body.id}/authorize?synchronized`, { body: { card } });
  assert.equal(authorized.body.accepted, true, authorized.text);
  saved.push(made.body.id);
  const writes: readonly (readonly [string, string, object])[] = [
    ["PATCH", "/account", { acquirer_settings: { clearhaus: { active: true, api_key: `clearhaus ${n}` } } }],
    ["PATCH", "/account/private-key", {}],
    ["POST", "/cryptography/keys", { type: "ec", short_description: `key ${n}`, curve: "prime256v1" }],
    ["PUT", "/account/04-platform", { phone: "+4512345678", secret: platformSecret(n) }],
  ];
  for (const [method, path, body] of writes) {
    const answer = await owner(method, path, { body });
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`);
  }
}

/** Everything that was sealed opens, and is what it was. */
async function allOpens(n: number): Promise<void> {
  for (const id of saved) {
    const token = await shop("POST", `/cards/${id}/tokens`);
    assert.equal(token.status, 202, token.text);
    assert.equal((await pays({ token: token.body.token })).accepted, true);
  }
  for (let i = 1; i <= n; i++) {
    const again = await shop("POST", "/cards", { headers: { "Idempotency-Key": `card ${i}` } });
    assert.deepEqual([again.headers.get("idempotency-replayed"), again.body.id], ["true", saved[i - 1]]);
  }
  // Another process may remember the account for some seconds.
  const account = await eventually(async () => {
    const { body } = await owner("GET", "/account");
    return body.acquirer_settings.clearhaus.api_key === `clearhaus ${n}` && body;
  }, "the acquirer's newest key");
  assert.match((await owner("GET", "/account/private-key")).body.private_key, /^[0-9a-f]{64}$/);
  assert.equal((await owner("GET", "/account/04-platform")).body.secret, platformSecret(n));
  const agreements = await owner("GET", "/agreements", { headers: { "CoolPay-Account-Id": String(account.id) } });
  assert.match(agreements.body[0].api_key, /^[0-9a-f]{64}$/);
  const subject = [{ key: "CN", value: "Kop og Kande", encoding: "utf8" }];
  const { body: keys } = await owner("GET", "/cryptography/keys");
  assert.equal(keys.length, n);
  for (const { id } of keys) {
    const request = await owner("POST", `/cryptography/keys/${id}/csr`, { body: { subject } });
    assert.ok(request.status < 300, request.text);
  }
}

test("a rotation under load drops nothing, and afterwards the old key is not needed any more", async () => {
  const [old_line = ""] = readFileSync(file, "utf8").match(/\S{44}/) ?? [];
  await sealSome(1);
  const { hash } = await pays(card);

  let going = true;
  const load = (async () => {
    for (; going; ) {
      assert.equal((await pays(card)).hash, hash, "a card keeps its hash");
      await sleep(20);
    }
  })();

  const early = await run(["key", "rewrap"]);
  assert.deepEqual([early.code, early.stderr], [0, ""], "nothing to do");
  const rotated = await run(["key", "rotate"]);
  const [, id = ""] = /^Master key ([0-9a-f]{8}) is the first in/.exec(rotated.stdout) ?? [];
  assert.deepEqual([rotated.code, rotated.stderr], [0, ""]);
  await hangup(read_again);
  await sealSome(2);
  await allOpens(2);

  const rewrapped = await run(["key", "rewrap"]);
  assert.equal(rewrapped.stderr, "");
  assert.match(rewrapped.stdout, new RegExp(`^Every record is sealed with master key ${id} \\(8 were changed\\)`));
  assert.match(rewrapped.stdout, /The other lines of .*master\.key may be removed/);
  const status = await run(["key", "status"]);
  assert.match(status.stdout, new RegExp(`^${id} {2}seals {5}\\d+ records\n[0-9a-f]{8} {2}opens {5}0 records\n$`));

  writeFileSync(file, readFileSync(file, "utf8").replace(`${old_line}\n`, ""));
  assert.deepEqual((await run(["key", "status"])).stdout.match(/records/g)?.length, 1);
  await hangup(read_again);
  await allOpens(2);
  going = false;
  await load;
});

test("while a process seals with the old key nothing is called done", async () => {
  await run(["key", "rotate"]);
  const { code, stdout, stderr } = await run(["key", "rewrap"]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(
    stderr,
    /^2 processes still seal with another key than [0-9a-f]{8}: send SIGHUP to coolpay first, then run this again\.\n$/,
  );
  await hangup(read_again);
});

test("a key that is needed cannot be taken away: what serves goes on with it, what starts says which", async () => {
  const whole = readFileSync(file, "utf8");
  const wrong = /the file of the master keys cannot be used: the keys stay as they were/;
  for (const text of [newLine(), "no key at all\n"]) {
    writeFileSync(file, text);
    await hangup(wrong);
  }
  await allOpens(2);
  writeFileSync(file, newLine());
  const started = await run(["serve"], { COOLPAY_API_PORT: "0" });
  assert.equal(started.code, 1);
  assert.match(
    started.stderr,
    /^Secrets in the database are sealed with master keys [0-9a-f]{8}, [0-9a-f]{8}, not in .*master\.key \(there: [0-9a-f]{8}\): put them back, each on a line of its own, or name the right file in COOLPAY_MASTER_KEY_FILE\.\n$/,
  );
  const status = await run(["key", "status"]);
  assert.equal(status.code, 1);
  assert.match(status.stdout, /MISSING {3}\d+ records\nPut what is missing back into .*master\.key\.\n$/);
  writeFileSync(file, whole);
  await hangup(read_again);
  await end(program, "SIGTERM");
});

test("a command that is not one says what there is", async () => {
  const { code, stderr } = await run(["key", "burn"]);
  assert.deepEqual(
    [code, stderr],
    [2, "Say what to do: coolpay key rotate, coolpay key rewrap or coolpay key status\n"],
  );
});
