// The seal: what must stay secret rests unreadable, opens only as what it was sealed as, and says so when it cannot. And
// after everything was used, no secret stands in plain in any table.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { addMasterKey, masterKeys } from "../src/services/master-keys.ts";
import { sealed_columns } from "../src/services/rewrap.ts";
import { createRing, createSeal, keyIdIn, keyIdOf, SealError } from "../src/services/seal.ts";
import { eventually, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { putAway } from "./support/kept.ts";

const key = (fill: number): Buffer => Buffer.alloc(32, fill);
const seal = createSeal(createRing([key(1)]), key(9));

describe("what is sealed", () => {
  test("property: opens again as it was, and never rests as the same bytes twice", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ maxLength: 20 }), (text, purpose) => {
        const sealed = seal.close(text, purpose);
        assert.equal(seal.open(sealed, purpose), text);
        assert.ok(!sealed.equals(seal.close(text, purpose)));
        if (Buffer.byteLength(text) > 4) assert.ok(!sealed.includes(text));
      }),
      { numRuns: 200 },
    );
  });

  test("opens only for the purpose that it was sealed for", () => {
    const sealed = seal.close("the secret", "private_key");
    assert.throws(() => seal.open(sealed, "answer"), { name: "Error", message: /^A sealed record was changed/ });
    assert.throws(() => seal.open(sealed, "answer"), SealError);
  });

  test("does not open when a single bit was changed, anywhere", () => {
    const sealed = seal.close("the secret", "answer");
    for (let i = 0; i < sealed.length * 8; i++) {
      const changed = Buffer.from(sealed);
      changed[i >> 3] = (changed[i >> 3] ?? 0) ^ (1 << (i & 7));
      assert.throws(() => seal.open(changed, "answer"), SealError, `bit ${i}`);
    }
  });

  test("does not open when it is cut short, or longer", () => {
    const sealed = seal.close("the secret", "answer");
    for (let length = 0; length < sealed.length; length++) {
      assert.throws(() => seal.open(sealed.subarray(0, length), "answer"), SealError, `${length} bytes`);
    }
    assert.throws(() => seal.open(Buffer.concat([sealed, Buffer.from([0])]), "answer"), SealError);
  });

  test("the parts of two records do not fit together", () => {
    const [one, two] = [seal.close("the secret", "answer"), seal.close("yet another", "answer")];
    const head = one.length - "the secret".length - 12 - 16;
    assert.throws(() => seal.open(Buffer.concat([one.subarray(0, head), two.subarray(head)]), "answer"), SealError);
  });

  test("under another master key it says that the key is the wrong one, and where to look", () => {
    const sealed = seal.close("the secret", "answer");
    const [needed, there] = [keyIdOf(key(1)), keyIdOf(key(2))];
    assert.throws(() => createRing([key(2)]).open(sealed, "answer"), {
      message: `This record was sealed with master key ${needed}, which is not in COOLPAY_MASTER_KEY_FILE (there: ${there}): put it back there.`,
    });
  });

  test("keys for hashes differ by purpose and by installation, and stay when the master key changes", () => {
    const derived = [seal, createSeal(createRing([key(1)]), key(8))].flatMap((each) =>
      ["answers", "card fingerprints of account 1", "card fingerprints of account 2"].map(each.derivedKey),
    );
    const all = [...derived, key(1), key(8), key(9)].map((each) => each.toString("hex"));
    assert.equal(new Set(all).size, all.length);
    assert.ok(derived.every(({ length }) => length === 32));
    const ring = createRing([key(1)]);
    const rotated = createSeal(ring, key(9));
    ring.use([key(2)]);
    assert.deepEqual(rotated.derivedKey("answers"), derived[0]);
  });

  test("after a rotation is opened by the older key, and once it is rewrapped by the new one alone", () => {
    const ring = createRing([key(1)]);
    const old = ring.close("the secret", "answer");
    ring.use([key(2), key(1)]);
    const young = ring.close("a newer one", "answer");
    assert.deepEqual([keyIdIn(old), keyIdIn(young)], [keyIdOf(key(1)), keyIdOf(key(2))]);
    assert.equal(ring.open(old, "answer"), "the secret");
    assert.equal(ring.rewrap(young, "answer"), null);
    assert.throws(() => ring.rewrap(old, "api_key"), SealError, "not as something else");
    const renewed = ring.rewrap(old, "answer") ?? old;
    ring.use([key(2)]);
    assert.throws(() => ring.open(old, "answer"), SealError);
    assert.deepEqual([ring.open(renewed, "answer"), ring.open(young, "answer")], ["the secret", "a newer one"]);
    assert.throws(() => ring.open(renewed, "api_key"), SealError);
  });

  test("by a key that another process was told of first is opened too", () => {
    let read = 0;
    const ring = createRing([key(1)], () => {
      read += 1;
      return [key(2), key(1)];
    });
    const ahead = createRing([key(2)]).close("the secret", "answer");
    assert.deepEqual([ring.open(ahead, "answer"), ring.open(ahead, "answer"), read], ["the secret", "the secret", 1]);
    assert.equal(keyIdIn(ring.close("mine", "answer")), keyIdOf(key(1)), "but it seals with its own");
  });
});

describe("the master key's file", () => {
  const folder = mkdtempSync(join(tmpdir(), "coolpay seal-"));
  after(() => putAway(folder));

  test("is made once, for its owner alone, whatever the umask, and then only read", () => {
    const file = join(folder, "deep", "in", "master.key");
    const umask = process.umask(0);
    try {
      const made = masterKeys(file, true);
      assert.deepEqual(
        made.map(({ length }) => length),
        [32],
      );
      assert.equal(statSync(file).mode & 0o777, 0o600);
      assert.deepEqual(masterKeys(file, true), made);
      assert.deepEqual(masterKeys(file, false), made);
      assert.deepEqual(readdirSync(join(folder, "deep", "in")), ["master.key"], "nothing else is left");
    } finally {
      process.umask(umask);
    }
  });

  test("is not made where it must be given", () => {
    const file = join(folder, "missing.key");
    assert.throws(() => masterKeys(file, false), {
      message: `There is no master key in ${file}: set COOLPAY_MASTER_KEY_FILE.`,
    });
    assert.equal(existsSync(file), false);
  });

  test("can be read when its owner has put it there by hand, with or without a line's end", () => {
    const file = join(folder, "own.key");
    for (const end of ["", "\n", "\r\n"]) {
      writeFileSync(file, key(7).toString("base64") + end);
      chmodSync(file, 0o400);
      assert.deepEqual(masterKeys(file, false), [key(7)]);
      rmSync(file);
    }
  });

  for (const [what, text] of Object.entries({
    "is empty": "",
    "was cut short": key(3).toString("base64").slice(0, 20),
    "is too long": Buffer.alloc(33).toString("base64"),
    "is hexadecimal": key(3).toString("hex"),
    "is something else": "-----BEGIN PRIVATE KEY-----",
  })) {
    test(`that ${what} is refused, and stays as it is`, () => {
      const file = join(folder, "wrong.key");
      writeFileSync(file, text);
      for (const make of [true, false]) {
        assert.throws(() => masterKeys(file, make), { message: `The master key in ${file} must be 32 bytes, base64.` });
      }
      assert.equal(readFileSync(file, "utf8"), text);
    });
  }

  test("a key of another length is refused", () => {
    for (const length of [0, 16, 31, 33]) assert.throws(() => createRing([Buffer.alloc(length)]), SealError);
  });

  const base64 = (fill: number): string => key(fill).toString("base64");

  test("may hold several, newest first, with remarks", () => {
    const file = join(folder, "several.key");
    writeFileSync(file, `# ours\n\n${base64(2)}  # made 2026-11-25\n${base64(1)}\n`);
    assert.deepEqual(masterKeys(file, false), [key(2), key(1)]);
    writeFileSync(file, `# ours\n${base64(2)}\n${base64(1).slice(1)}\n`);
    assert.throws(() => masterKeys(file, false), {
      message: `The master key in line 3 of ${file} must be 32 bytes, base64.`,
    });
  });

  test("is rotated at once and whole: a new key in front, the others and the rights as they were", () => {
    const file = join(folder, "rotated.key");
    writeFileSync(file, base64(1));
    for (const [mode, kept] of [
      [0o600, 0o600],
      [0o644, 0o640],
    ] as const) {
      chmodSync(file, mode);
      const before = masterKeys(file, false);
      const id = addMasterKey(file, new Date("2026-11-25T12:00:00Z"));
      const [newest = key(0), ...others] = masterKeys(file, false);
      assert.deepEqual([others, keyIdOf(newest)], [before, id]);
      assert.equal(statSync(file).mode & 0o777, kept);
    }
    assert.match(readFileSync(file, "utf8"), /^\S{44} {2}# made 2026-11-25\n/);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith("rotated")),
      ["rotated.key"],
    );
    writeFileSync(`${file}.new`, "");
    assert.throws(() => addMasterKey(file, new Date()), { message: /rotated\.key\.new is there: another rotation/ });
    assert.throws(() => addMasterKey(join(folder, "none.key"), new Date()), { message: /^There is no master key in/ });
  });
});

describe("after everything was used", () => {
  let app: TestApp;
  let shop: TestAccount;
  let server: Server;
  const secrets: Record<string, string> = {};
  const card = { number: "1000000000000008", expiration: "3112", cvd: "208" };
  const acquirer_key = "clearhaus-key-5f1b9a";
  const acquirer_password = "swedbank-password-77c0";

  before(async () => {
    app = await startApp();
    shop = await app.newAccount();
    server = createServer((request, response) => void request.resume().on("end", () => response.end()));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const callback_url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/told`;

    const owner = async (method: string, path: string, body?: object) => {
      const answer = await shop.owner(method, path, body === undefined ? {} : { body });
      assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`);
      return answer.body;
    };
    secrets["the owner's password"] = shop.password;
    secrets["an API key"] = shop.api_key;
    secrets["the old private key"] = (await owner("GET", "/account/private-key")).private_key;
    await owner("PATCH", "/account/private-key");
    secrets["the new private key"] = (await owner("GET", "/account/private-key")).private_key;
    const acquirer_settings = { clearhaus: { active: true, api_key: acquirer_key } };
    await owner("PATCH", "/account", { acquirer_settings, callback_url });
    secrets["an acquirer's key"] = acquirer_key;
    const system = await owner("POST", "/agreements", { system_user: "Warehouse", acl_permissions: [] });
    secrets["a system user's key"] = system.api_key;
    const invited = await owner("POST", "/agreements", { user_email: "bo@shop.example", acl_permissions: [] });
    secrets["an invitation's token"] = invited.invitation_token;

    const headers = { "Idempotency-Key": "once" };
    const made = await shop.call("POST", "/payments", { body: { order_id: "seal-1", currency: "DKK" }, headers });
    assert.equal(made.status, 201, made.text);
    const path = `/payments/${made.body.id}`;
    const link = await shop.call("PUT", `${path}/link`, {
      body: { amount: 1000 },
      headers: { "Idempotency-Key": "link" },
    });
    assert.equal(link.status, 200, link.text);
    const authorized = await shop.call("POST", `${path}/authorize?synchronized`, {
      body: { amount: 1000, card: { ...card, issued_to: "Ida Holm" } },
      headers: { "Idempotency-Key": "authorize" },
    });
    assert.equal(authorized.body.state, "new", authorized.text);
    await eventually(async () => (await shop.call("GET", path)).body.operations[0].callback_success, "the callback");
    secrets["a card's number"] = card.number;
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await app.stop();
  });

  /** Every row of every table, as text; bytes are in hexadecimal. */
  async function everything(): Promise<Map<string, string>> {
    const { rows: tables } = await app.services.pool.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    const texts = new Map<string, string>();
    for (const { name } of tables) {
      const { rows } = await app.services.pool.query<{ text: string }>(`SELECT r::text AS text FROM ${name} r`);
      texts.set(name, rows.map(({ text }) => text).join("\n"));
    }
    return texts;
  }

  /** As it may stand somewhere: plain, or as bytes in one of the usual forms. */
  const forms = (secret: string): string[] => [
    secret,
    Buffer.from(secret).toString("hex"),
    Buffer.from(secret).toString("base64").replace(/=+$/, ""),
    secret.replace(/(\d{4})(?=\d)/g, "$1 "),
  ];

  test("no table holds a password, a key, a token or a card number", async () => {
    const texts = await everything();
    for (const name of ["public.accounts", "public.agreements", "public.idempotency_keys", "simulator.book"]) {
      assert.ok((texts.get(name) ?? "").length > 0, `${name} was looked at`);
    }
    for (const [what, secret] of Object.entries(secrets)) {
      assert.ok(typeof secret === "string" && secret.length >= 12, `${what} is known`);
      for (const [table, text] of texts) {
        for (const form of forms(secret)) assert.ok(!text.includes(form), `${what} stands in ${table}`);
      }
    }
  });

  test("this search would find one", async () => {
    await app.services.pool.query(
      "UPDATE accounts SET settings = jsonb_set(settings::jsonb, '{planted}', to_jsonb($1::text))::json",
      [acquirer_password],
    );
    assert.ok((await everything()).get("public.accounts")?.includes(acquirer_password));
  });

  test("every column of bytes is known: as one of sealed records, of hashes, of what stands in the open elsewhere too, or as the window's held cards, whose key is only in memory", async () => {
    const { rows } = await app.services.pool.query<{ name: string }>(
      `SELECT format('%s.%s', table_name, column_name) AS name FROM information_schema.columns
       WHERE data_type = 'bytea' AND table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
    );
    const open =
      `agreements.invitation_hash agreements.key_hash branding_files.data card_attempts.address card_tokens.token_hash
      cryptography_keys.public_key idempotency_keys.fingerprint logos.data mail_tokens.hash recovery_codes.hash
      sessions.token_hash export_chunks.data`.split(/\s+/);
    const in_memory = ["window_sessions.held"];
    const sealed = sealed_columns.map(({ table, column }) => `${table}.${column}`);
    assert.deepEqual(
      rows.map(({ name }) => name).sort(),
      [...open, ...in_memory, ...sealed].sort(),
      "a new one belongs into sealed_columns (services/rewrap.ts) or into this list",
    );
  });

  test("but whoever may see them still does", async () => {
    const shown = await shop.owner("GET", "/account/private-key");
    assert.equal(shown.body.private_key, secrets["the new private key"]);
    const again = await shop.call("POST", "/payments", {
      body: { order_id: "seal-1", currency: "DKK" },
      headers: { "Idempotency-Key": "once" },
    });
    assert.deepEqual([again.status, again.headers.get("idempotency-replayed")], [201, "true"]);
    const { rows } = await app.services.pool.query("SELECT key_hash FROM agreements WHERE service = 'api_user'");
    assert.ok(
      rows[0].key_hash.equals(createHash("sha256").update(shop.api_key).digest()),
      "a key is found by its hash",
    );
  });
});
