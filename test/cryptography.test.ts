// Cryptography keys: real ones, of which only the public half ever leaves; their signing requests and certificates.

import assert from "node:assert/strict";
import { createHash, createPublicKey, type KeyObject, verify, X509Certificate } from "node:crypto";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { curve_names, encoded, encodings, subject_keys } from "../src/domain/cryptography.ts";
import { type Client, startApp, type TestAccount, type TestApp } from "./support/app.ts";
import { certify } from "./support/certify.ts";
import { newMember } from "./support/members.ts";
import { any_character } from "./support/texts.ts";

let app: TestApp;
let shop: TestAccount;
let call: Client;
before(async () => {
  app = await startApp();
  shop = await app.newAccount();
  call = shop.owner;
});
after(() => app.stop());

type Shown = { readonly id: number; readonly public_key_hash: string };
const ec = { type: "ec", short_description: "Swish 2031", curve: "prime256v1" };

async function make(body: object = ec, by: Client = call): Promise<Shown> {
  const answer = await by("POST", "/cryptography/keys", { body });
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

const rowOf = async ({ id }: Shown) => {
  const sql = "SELECT * FROM cryptography_keys WHERE account_id = $1 AND id = $2";
  return (await app.services.pool.query(sql, [shop.id, id])).rows[0];
};

const publicKeyOf = async (key: Shown): Promise<KeyObject> =>
  createPublicKey({ key: (await rowOf(key)).public_key, format: "der", type: "spki" });

type Element = { readonly tag: number; readonly whole: Buffer; readonly content: Buffer };

/** The elements of a DER encoding, one after the other (X.690). */
function elements(der: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < der.length; ) {
    const first = der[at + 1] ?? 0;
    const more = first < 128 ? 0 : first - 128;
    const length = more === 0 ? first : der.readUIntBE(at + 2, more);
    const start = at + 2 + more;
    found.push({
      tag: der[at] ?? 0,
      whole: der.subarray(at, start + length),
      content: der.subarray(start, start + length),
    });
    at = start + length;
  }
  return found;
}

const tags: Readonly<Record<number, string>> = { 12: "utf8", 19: "printable", 22: "ia5" };

/** A signing request, read by hand: who it is for, with which key, and whether that key signed it. */
function readRequest(pem: string, digest: string) {
  const [, base64 = ""] =
    /^-----BEGIN CERTIFICATE REQUEST-----\n([^-]+)\n-----END CERTIFICATE REQUEST-----\n$/.exec(pem) ?? [];
  const [request] = elements(Buffer.from(base64, "base64"));
  assert.ok(request !== undefined, pem);
  const [info, , signature] = elements(request.content);
  assert.ok(info !== undefined && signature !== undefined);
  const [, subject, spki] = elements(info.content);
  assert.ok(subject !== undefined && spki !== undefined);
  const key = createPublicKey({ key: spki.whole, format: "der", type: "spki" });
  const parts = elements(subject.content).map((rdn) => {
    const [oid, value] = elements(elements(rdn.content)[0]?.content ?? Buffer.alloc(0));
    return [oid?.content.toString("hex"), tags[value?.tag ?? 0], value?.content.toString("utf8")];
  });
  return { key, parts, is_signed: verify(digest, info.whole, key, signature.content.subarray(1)) };
}

function upload(content: string | Buffer, name = "file"): { body: FormData } {
  const body = new FormData();
  body.append(name, new Blob([new Uint8Array(Buffer.from(content))]), "certificate.pem");
  return { body };
}

describe("a key", () => {
  test("is made, read, listed, described anew and deleted; the trail tells, without a secret", async () => {
    const made = await call("POST", "/cryptography/keys", { body: ec });
    const { id, public_key_hash, created_at } = made.body;
    assert.equal(made.status, 201);
    assert.deepEqual(made.body, {
      ...{ id, type: "ec", short_description: "Swish 2031", public_key_hash, certificate_expires_at: null },
      ...{ created_at, updated_at: created_at },
    });
    assert.equal(made.headers.get("location"), `${app.url}/cryptography/keys/${id}`);
    const der = (await publicKeyOf(made.body)).export({ type: "spki", format: "der" });
    assert.equal(public_key_hash, createHash("sha256").update(der).digest("hex"));
    assert.deepEqual((await call("GET", `/cryptography/keys/${id}`)).body, made.body);

    app.advance(60);
    const changed = await call("PATCH", `/cryptography/keys/${id}`, { body: { short_description: "Swish, old" } });
    assert.equal(changed.status, 200);
    assert.deepEqual(changed.body, {
      ...made.body,
      short_description: "Swish, old",
      updated_at: changed.body.updated_at,
    });
    assert.notEqual(changed.body.updated_at, created_at);
    app.advance(60);
    const same = await call("PATCH", `/cryptography/keys/${id}`, { body: {} });
    assert.deepEqual([same.status, same.body], [200, changed.body], "nothing was changed");
    assert.deepEqual((await call("GET", "/cryptography/keys?query=SWISH,")).body, [changed.body]);

    const deleted = await call("DELETE", `/cryptography/keys/${id}`);
    assert.deepEqual([deleted.status, deleted.text], [200, ""]);
    for (const answer of [
      await call("GET", `/cryptography/keys/${id}`),
      await call("DELETE", `/cryptography/keys/${id}`),
      await call("PATCH", `/cryptography/keys/${id}`, { body: { short_description: "x" } }),
    ]) {
      assert.deepEqual([answer.status, answer.body.message], [404, `Not found: No CryptographyKey with id ${id}`]);
    }
    const trail = await call("GET", `/activity?target_type=CryptographyKey&target_id=${id}`);
    assert.deepEqual(
      trail.body.map(({ action }: { action: string }) => action),
      ["delete", "update", "create"],
    );
    assert.deepEqual(trail.body[1].changes, { short_description: ["Swish 2031", "Swish, old"] });
    assert.doesNotMatch(trail.text + app.log.join("\n"), /PRIVATE/);
  });

  test("rests sealed: its private half is nowhere in the database, and in no answer", async () => {
    const key = await make();
    const row = await rowOf(key);
    assert.ok(!row.private_key.includes("PRIVATE"));
    const pem = app.services.seal.open(row.private_key, "cryptography key");
    assert.match(pem, /^-----BEGIN PRIVATE KEY-----\n/);
    assert.ok(createPublicKey(pem).equals(await publicKeyOf(key)));
    const pages = [
      await call("GET", `/cryptography/keys/${key.id}`),
      await call("GET", "/cryptography/keys"),
      await call("GET", "/activity?page_size=100"),
    ];
    const [, secret = ""] = pem.split("\n");
    for (const { text } of pages) assert.ok(!text.includes("PRIVATE") && !text.includes(secret));
  });

  for (const key_size of [2048, 3072, 4096]) {
    test(`of RSA has the ${key_size} bits that were asked for`, async () => {
      const made = await make({ type: "rsa", short_description: "RSA", key_size, curve: "secp112r1" });
      const key = await publicKeyOf(made);
      assert.deepEqual([key.asymmetricKeyType, key.asymmetricKeyDetails?.modulusLength], ["rsa", key_size]);
    });
  }

  test("takes a while to make, and others are served meanwhile", async () => {
    let over = false;
    const made = make({ type: "rsa", short_description: "RSA", key_size: 4096 }).finally(() => {
      over = true;
    });
    let served = 0;
    while (!over) {
      await app.anonymous("GET", "/ping");
      if (!over) served += 1;
      await new Promise((done) => setTimeout(done, 5));
    }
    await made;
    assert.ok(served > 0);
  });

  test("what is missing or not offered is named; of key_size and curve only the one that counts is judged", async () => {
    const rows: readonly (readonly [object, Record<string, string[]>])[] = [
      [{}, { type: ["is missing"], short_description: ["is missing"] }],
      [{ type: "dsa", short_description: "x" }, { type: ["does not have a valid value"] }],
      [{ type: "rsa", short_description: "x" }, { key_size: ["is missing"] }],
      [{ type: "rsa", short_description: "x", key_size: 1024 }, { key_size: ["does not have a valid value"] }],
      [{ type: "rsa", short_description: "x", key_size: 2049 }, { key_size: ["does not have a valid value"] }],
      [{ type: "rsa", short_description: "x", key_size: 1_000_000 }, { key_size: ["does not have a valid value"] }],
      [{ type: "rsa", short_description: "x", key_size: "large" }, { key_size: ["is invalid"] }],
      [{ type: "ec", short_description: "x" }, { curve: ["is missing"] }],
      [{ type: "ec", short_description: "x", curve: "secp112r1" }, { curve: ["does not have a valid value"] }],
      [{ type: "ec", short_description: "x", curve: "constructor" }, { curve: ["does not have a valid value"] }],
      [{ ...ec, short_description: "x".repeat(256) }, { short_description: ["must have length between 1 and 255"] }],
    ];
    const count = (await call("GET", "/cryptography/keys?page_size=100")).body.length;
    for (const [body, errors] of rows) {
      const answer = await call("POST", "/cryptography/keys", { body });
      assert.deepEqual([answer.status, answer.body.errors], [400, errors]);
    }
    assert.equal((await call("GET", "/cryptography/keys?page_size=100")).body.length, count);
    await make({ ...ec, key_size: 0 });
  });

  test("lists have pages, a type and a search", async () => {
    const fresh = await app.newAccount();
    const ids: number[] = [];
    for (const short_description of ["One", "Two", "Three"]) {
      ids.unshift((await make({ ...ec, short_description }, fresh.owner)).id);
    }
    const idsIn = async (query: string): Promise<number[]> =>
      (await fresh.owner("GET", `/cryptography/keys${query}`)).body.map(({ id }: Shown) => id);
    assert.deepEqual(await idsIn(""), ids);
    assert.deepEqual(await idsIn("?sort_dir=asc"), ids.toReversed());
    assert.deepEqual(await idsIn("?type=rsa"), []);
    assert.deepEqual(await idsIn("?query=tWo"), [ids[1]]);
    assert.deepEqual(await idsIn(`?page_size=2&page_key=${ids[0]}`), ids.slice(1));
    const first = await fresh.owner("GET", "/cryptography/keys?page_size=2&type=ec");
    const [, next = ""] = /<([^>]+)>; rel="next"/.exec(first.headers.get("link") ?? "") ?? [];
    assert.deepEqual(await idsIn(next.slice(next.indexOf("?"))), [ids[2]]);
    assert.equal((await fresh.owner("GET", "/cryptography/keys?type=dsa")).status, 400);
  });

  test("another account's keys are not there, and who has no permission hears so", async () => {
    const { id } = await make();
    const other = await app.newAccount();
    const subject = [{ key: "CN", value: "x", encoding: "utf8" }];
    const not_found = `Not found: No CryptographyKey with id ${id}`;
    for (const answer of [
      await other.owner("GET", `/cryptography/keys/${id}`),
      await other.owner("PATCH", `/cryptography/keys/${id}`, { body: { short_description: "mine" } }),
      await other.owner("DELETE", `/cryptography/keys/${id}`),
      await other.owner("POST", `/cryptography/keys/${id}/csr`, { body: { subject } }),
      await other.owner("PUT", `/cryptography/keys/${id}/certificate`, upload("x")),
      await other.owner("DELETE", `/cryptography/keys/${id}/certificate`),
    ]) {
      assert.deepEqual([answer.status, answer.body.message], [404, not_found]);
    }
    const file = await other.owner("GET", `/cryptography/keys/${id}/certificate`);
    assert.deepEqual([file.status, file.text], [404, ""]);
    assert.deepEqual((await other.owner("GET", "/cryptography/keys")).body, []);
    assert.equal((await shop.call("GET", "/cryptography/keys")).status, 403);
    const reader = await newMember(app, shop, ["GET /cryptography/keys/:id"]);
    assert.equal((await reader.call("GET", `/cryptography/keys/${id}`)).status, 200);
    assert.equal((await reader.call("DELETE", `/cryptography/keys/${id}`)).status, 403);
  });

  test("an account has at most 100", async () => {
    const fresh = await app.newAccount();
    await make(ec, fresh.owner);
    // The rest as copies: a hundred keys take a while.
    await app.services.pool.query(
      `INSERT INTO cryptography_keys (bucket, account_id, id, type, short_description, curve, public_key, public_key_hash,
         private_key, created_at, updated_at)
       SELECT bucket, account_id, 1000000 + n, type, short_description, curve, public_key, public_key_hash, private_key,
         created_at, updated_at FROM cryptography_keys, generate_series(1, 99) n WHERE account_id = $1`,
      [fresh.id],
    );
    const answer = await fresh.owner("POST", "/cryptography/keys", { body: ec });
    assert.deepEqual(
      [answer.status, answer.body.message],
      [400, "Validation error: an account has at most 100 cryptography keys"],
    );
    await fresh.owner("DELETE", "/cryptography/keys/1000007");
    assert.equal((await fresh.owner("POST", "/cryptography/keys", { body: ec })).status, 201);
  });

  test("many that are asked for at once wait in line, and who would wait too long is told to come back", async () => {
    const fresh = await app.newAccount();
    const rsa = { type: "rsa", short_description: "RSA", key_size: 2048 };
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => fresh.owner("POST", "/cryptography/keys", { body: rsa })),
    );
    const made = answers.filter(({ status }) => status === 201);
    const refused = answers.filter(({ status }) => status === 429);
    assert.equal(made.length + refused.length, 60);
    assert.ok(made.length >= 11 && refused.length > 0, `${made.length} made`);
    assert.equal(refused[0]?.headers.get("retry-after"), "5");
    const hashes = new Set(made.map(({ body }) => body.public_key_hash));
    assert.equal(hashes.size, made.length, "no two are alike");
  });

  test("the same Idempotency-Key makes one, also when its answer was lost", async () => {
    const fresh = await app.newAccount();
    const sent = { body: ec, headers: { "Idempotency-Key": "key-1" } };
    const first = await fresh.owner("POST", "/cryptography/keys", sent);
    assert.deepEqual((await fresh.owner("POST", "/cryptography/keys", sent)).body, first.body);
    await app.services.pool.query(
      "UPDATE idempotency_keys SET answer = NULL, created_at = created_at - interval '1 minute' WHERE key = 'key-1'",
    );
    const again = await fresh.owner("POST", "/cryptography/keys", sent);
    assert.deepEqual([again.status, again.body], [201, first.body]);
    assert.equal((await fresh.owner("GET", "/cryptography/keys")).body.length, 1);
  });

  test("is not deleted while an acquirer's settings name it", async () => {
    const fresh = await app.newAccount();
    const { id } = await make(ec, fresh.owner);
    const use = (cryptography_key_id: number | null) =>
      fresh.owner("PATCH", "/account", { body: { acquirer_settings: { swish: { cryptography_key_id } } } });
    assert.equal((await use(id)).status, 200);
    const refused = await fresh.owner("DELETE", `/cryptography/keys/${id}`);
    assert.deepEqual([refused.status, refused.body.errors], [400, { id: ["is used by swish"] }]);
    await use(null);
    assert.equal((await fresh.owner("DELETE", `/cryptography/keys/${id}`)).status, 200);
  });
});

describe("a signing request", () => {
  const full = [
    { key: "C", value: "dk", encoding: "utf8" },
    { key: "ST", value: "Fyn", encoding: "printable" },
    { key: "L", value: "Ærø", encoding: "utf8" },
    { key: "street", value: "Bredgade 4", encoding: "utf8" },
    { key: "postalCode", value: "5000", encoding: "printable" },
    { key: "OU", value: 'Kop & "Kande", Ltd. #1 \\ +', encoding: "utf8" },
    { key: "OU", value: "Payments", encoding: "printable" },
    { key: "CN", value: "1231181189", encoding: "printable" },
    { key: "emailAddress", value: "drift@shop.example", encoding: "printable" },
  ];

  test("names the subject in its order and encodings, carries the public key and is signed by the private one", async () => {
    const key = await make({ type: "rsa", short_description: "RSA", key_size: 2048 });
    const { status, text, headers } = await call("POST", `/cryptography/keys/${key.id}/csr`, {
      body: { subject: full },
    });
    assert.equal(status, 201, text);
    assert.equal(headers.get("content-type"), "application/x-pem-file");
    const request = readRequest(text, "sha256");
    assert.equal(request.is_signed, true);
    assert.ok(request.key.equals(await publicKeyOf(key)));
    assert.deepEqual(request.parts, [
      ["550406", "printable", "DK"],
      ["550408", "printable", "Fyn"],
      ["550407", "utf8", "Ærø"],
      ["550409", "utf8", "Bredgade 4"],
      ["550411", "printable", "5000"],
      ["55040b", "utf8", 'Kop & "Kande", Ltd. #1 \\ +'],
      ["55040b", "printable", "Payments"],
      ["550403", "printable", "1231181189"],
      ["2a864886f70d010901", "ia5", "drift@shop.example"],
    ]);
  });

  for (const curve of curve_names) {
    test(`works with a key on ${curve}, by form as by JSON`, async () => {
      const key = await make({ ...ec, curve });
      const body = new URLSearchParams("subject[][key]=CN&subject[][value]=Shop&subject[][encoding]=utf8");
      const digest = /256/.test(curve) ? "sha256" : /3[28]/.test(curve) ? "sha384" : "sha512";
      for (let tries = 0; tries < 4; tries++) {
        const { status, text } = await call("POST", `/cryptography/keys/${key.id}/csr`, { body });
        assert.equal(status, 201, text);
        const request = readRequest(text, digest);
        assert.deepEqual([request.is_signed, request.parts], [true, [["550403", "utf8", "Shop"]]]);
        assert.ok(request.key.equals(await publicKeyOf(key)));
      }
    });
  }

  test("what cannot stand there is refused", async () => {
    const { id } = await make();
    const part = { key: "CN", value: "Shop", encoding: "utf8" };
    const value = "subject[][value]";
    const rows: readonly (readonly [unknown, Record<string, string[]>])[] = [
      [undefined, { subject: ["is missing"] }],
      [[], { subject: ["is missing"] }],
      [[{ ...part, key: "O" }], { "subject[][key]": ["does not have a valid value"] }],
      [[{ ...part, encoding: "latin1" }], { "subject[][encoding]": ["does not have a valid value"] }],
      [[{ ...part, value: "" }], { [value]: ["is missing"] }],
      [[{ ...part, value: "x".repeat(65) }], { [value]: ["must have length between 1 and 64"] }],
      [[{ ...part, value: "two\nlines" }], { [value]: ["is invalid"] }],
      [[{ ...part, value: "Søn", encoding: "printable" }], { [value]: ["is invalid"] }],
      [[{ ...part, key: "C", value: "DNK" }], { [value]: ["must have length between 1 and 2"] }],
      [[{ ...part, key: "C", value: "1!" }], { [value]: ["is invalid"] }],
      [[{ ...part, key: "emailAddress", value: "nobody" }], { [value]: ["is invalid"] }],
      [Array.from({ length: 21 }, () => part), { subject: ["must have at most 20 elements"] }],
    ];
    for (const [subject, errors] of rows) {
      const answer = await call("POST", `/cryptography/keys/${id}/csr`, { body: { subject } });
      assert.deepEqual([answer.status, answer.body.errors], [400, errors]);
    }
  });

  test("every value is either refused or stands as its encoding allows, whatever it holds", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...subject_keys),
        fc.constantFrom(...encodings),
        fc.string({ unit: any_character, maxLength: 300 }),
        (key, encoding, value) => {
          const result = encoded({ key, encoding, value });
          if ("wrong" in result) return;
          assert.doesNotMatch(result.value, /\p{Cc}/u);
          assert.ok([...result.value].length <= 255);
          if (result.type === "printableString") assert.match(result.value, /^[A-Za-z0-9 '()+,\-./:=?]+$/);
          if (result.type === "ia5String") assert.match(result.value, /^[\x21-\x7e]+$/);
        },
      ),
    );
  });
});

describe("a certificate", () => {
  test("is put, read, replaced and deleted; its expiry is shown with the key", async () => {
    const key = await make();
    const path = `/cryptography/keys/${key.id}/certificate`;
    const none = await call("GET", path);
    assert.deepEqual([none.status, none.text], [404, ""]);
    const pem = await certify(await publicKeyOf(key));
    const put = await call("PUT", path, upload(`Bag Attributes\r\n${pem}`));
    assert.deepEqual([put.status, put.text], [204, ""]);
    const read = await call("GET", path);
    assert.deepEqual([read.status, read.text], [200, pem.trim().concat("\n")]);
    assert.equal(read.headers.get("content-type"), "application/pem-certificate-chain");
    const { certificate_expires_at } = (await call("GET", `/cryptography/keys/${key.id}`)).body;
    assert.equal(Date.parse(certificate_expires_at), Date.parse(new X509Certificate(pem).validTo));

    const next = await certify(await publicKeyOf(key), { days: 700 });
    const chain = next + pem;
    assert.equal((await call("PUT", path, { body: { file: chain } })).status, 204);
    assert.equal((await call("GET", path)).text.match(/BEGIN CERTIFICATE/g)?.length, 2);
    const der = new X509Certificate(pem).raw;
    assert.equal((await call("PUT", path, upload(der))).status, 204);
    assert.equal((await call("GET", path)).text, read.text);

    const deleted = await call("DELETE", path);
    assert.deepEqual([deleted.status, deleted.text], [200, ""]);
    assert.equal((await call("GET", path)).status, 404);
    assert.equal((await call("GET", `/cryptography/keys/${key.id}`)).body.certificate_expires_at, null);
    const again = await call("DELETE", path);
    assert.deepEqual([again.status, again.body.errors], [400, { certificate: ["is missing"] }]);
  });

  test("of an RSA key works the same, once for the same Idempotency-Key", async () => {
    const key = await make({ type: "rsa", short_description: "RSA", key_size: 2048 });
    const path = `/cryptography/keys/${key.id}/certificate`;
    const sent = { ...upload(await certify(await publicKeyOf(key))), headers: { "Idempotency-Key": "certificate-1" } };
    assert.equal((await call("PUT", path, sent)).status, 204);
    const repeat = await call("PUT", path, sent);
    assert.deepEqual([repeat.status, repeat.headers.get("idempotency-replayed")], [204, "true"]);
    const trail = await call("GET", `/activity?target_type=CryptographyKey&target_id=${key.id}`);
    assert.equal(trail.body.filter(({ action }: { action: string }) => action === "certificate").length, 1);
  });

  test("must be one (415), of bounded size (413), and the key's own (400); nothing is stored otherwise", async () => {
    const key = await make();
    const path = `/cryptography/keys/${key.id}/certificate`;
    const pem = await certify(await publicKeyOf(key));
    const foreign = await certify(await publicKeyOf(await make()));
    const rsa = await make({ type: "rsa", short_description: "RSA", key_size: 2048 });
    const broken = pem.replace(/[A-Za-z0-9+/]{20}/, "AAAAAAAAAAAAAAAAAAAA");
    const rows: readonly (readonly [string | Buffer, number, Record<string, string[]> | null])[] = [
      ["hello", 415, null],
      [Buffer.from([0x30, 0x82, 0xff, 0xff, 0x00]), 415, null],
      [broken, 415, null],
      [(await publicKeyOf(key)).export({ type: "spki", format: "pem" }), 415, null],
      [pem.repeat(200), 413, null],
      [pem.repeat(11), 400, { file: ["must hold at most 10 certificates"] }],
      [foreign, 400, { file: ["does not belong to this key"] }],
      [foreign + pem, 400, { file: ["does not belong to this key"] }],
      [await certify(await publicKeyOf(rsa)), 400, { file: ["does not belong to this key"] }],
    ];
    for (const [content, status, errors] of rows) {
      const answer = await call("PUT", path, upload(content));
      assert.deepEqual([answer.status, answer.body.errors], [status, errors], content.toString().slice(0, 60));
    }
    for (const sent of [{}, upload("", "file"), upload(pem, "other")]) {
      const answer = await call("PUT", path, sent);
      assert.deepEqual([answer.status, answer.body.errors], [400, { file: ["is missing"] }]);
    }
    assert.equal((await call("GET", path)).status, 404);
  });

  test("no bytes whatever make it fail otherwise, and a private key that came along is not kept", async () => {
    const key = await make();
    const path = `/cryptography/keys/${key.id}/certificate`;
    const pem = await certify(await publicKeyOf(key));
    const der = new X509Certificate(pem).raw;
    await fc.assert(
      fc.asyncProperty(fc.nat(der.length - 1), fc.nat(255), async (at, byte) => {
        const changed = Buffer.from(der);
        changed[at] = byte;
        const { status } = await call("PUT", path, upload(changed));
        assert.ok([204, 400, 415].includes(status), `${status} with ${byte} at ${at}`);
      }),
      { numRuns: 60 },
    );
    const secret =
      "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n";
    assert.equal((await call("PUT", path, upload(secret + pem))).status, 204);
    assert.doesNotMatch((await rowOf(key)).certificate, /PRIVATE/);
    assert.doesNotMatch((await call("GET", path)).text, /PRIVATE/);
    assert.doesNotMatch(
      (await call("GET", `/activity?target_type=CryptographyKey&target_id=${key.id}`)).text,
      /MIGHAgEA/,
    );
  });
});
