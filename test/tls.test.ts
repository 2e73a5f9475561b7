// TLS as operators are promised it (docs/operating.md), with real processes and real handshakes: a certificate of our own
// making or theirs, TLS 1.2 and newer unless older is asked for, on every listener.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect, type SecureVersion, type TLSSocket } from "node:tls";
import { certificateFile, ownCertificate } from "../src/tls.ts";
import { type TestDatabase, testDatabase } from "./support/postgres.ts";
import {
  any_ports,
  coolpay,
  end,
  freePorts,
  heard,
  isRunning,
  newFolder,
  type Program,
  type Settings,
} from "./support/program.ts";

type Faces = { readonly api: string; readonly window: string; readonly manager: string; readonly metrics: string };

const data_dir = newFolder();
let database: TestDatabase;
let settings: Settings;
before(async () => {
  database = await testDatabase({ migrated: true });
  settings = { ...any_ports, DATABASE_URL: database.url, COOLPAY_DATA_DIR: data_dir, COOLPAY_DEMO: "0" };
});
after(() => database.drop());

/** `coolpay start` until it is ready, and where its listeners are. */
async function start(more: Settings): Promise<{ program: Program; faces: Faces }> {
  const program = coolpay(["start"], { ...settings, ...more });
  const address = async (face: RegExp): Promise<string> => (await heard(program, face))[1] ?? "";
  const faces = {
    api: await address(/ API +(http\S+)/),
    window: await address(/ payment window +(http\S+)/),
    manager: await address(/ manager +(http\S+)/),
    metrics: await address(/health, metrics (http\S+)\/healthz/),
  };
  return { program, faces };
}

type Answer = { readonly status: number | undefined; readonly text: string; readonly protocol: string | null };

// What a client of its time does; today's must be told to stoop that low.
const old_ciphers = "DEFAULT:@SECLEVEL=0";

type Client = { readonly ca?: string; readonly version?: SecureVersion };

/** A real request on a connection of its own; a handshake that fails is thrown. */
const ask = (url: string, { ca, version }: Client): Promise<Answer> =>
  new Promise((done, failed) => {
    const only = version === undefined ? {} : { minVersion: version, maxVersion: version };
    const ciphers = version === "TLSv1" || version === "TLSv1.1" ? { ciphers: old_ciphers } : {};
    const sent = request(url, { ca, agent: false, ...only, ...ciphers }, (answer: IncomingMessage) => {
      const protocol = (answer.socket as TLSSocket).getProtocol();
      let text = "";
      answer.setEncoding("utf8").on("data", (more) => {
        text += more;
      });
      answer.on("end", () => done({ status: answer.statusCode, text, protocol }));
    });
    sent.on("error", failed).end();
  });

const served = async (url: string, client: Client): Promise<void> => {
  const { status, text, protocol } = await ask(`${url}/ping`, client);
  assert.equal(status, 200, text);
  assert.match(text, /Pong from CoolPay/);
  if (client.version !== undefined) assert.equal(protocol, client.version);
};

const refused = (url: string, client: Client): Promise<void> =>
  assert.rejects(ask(`${url}/ping`, client), /alert protocol version/);

/** The certificate that a listener shows. */
const shownBy = (url: string): Promise<string> =>
  new Promise((done, failed) => {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      done(socket.getPeerX509Certificate()?.fingerprint256 ?? "");
      socket.end();
    }).on("error", failed);
  });

const kept = () => readFileSync(certificateFile(data_dir), "utf8");

test("COOLPAY_TLS=self makes a 4096-bit RSA, SHA-256 certificate; every listener speaks TLS 1.2 and 1.3 with it, and nothing older", async () => {
  const { program, faces } = await start({ COOLPAY_TLS: "self" });
  const ca = kept();
  const cert = new X509Certificate(ca);
  assert.deepEqual(
    [cert.publicKey.asymmetricKeyType, cert.publicKey.asymmetricKeyDetails?.modulusLength],
    ["rsa", 4096],
  );
  assert.equal(cert.signatureAlgorithm, "sha256WithRSAEncryption");
  for (const name of ["127.0.0.1", "::1"]) assert.equal(cert.checkIP(name), name);
  assert.equal(cert.checkHost("localhost"), "localhost");
  const days = (Date.parse(cert.validTo) - Date.parse(cert.validFrom)) / 86_400_000;
  assert.ok(days > 365 && days < 398, `${days} days`);
  assert.equal(statSync(join(data_dir, "tls/key.pem")).mode & 0o777, 0o600);

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) await served(faces.api, { ca, version });
  for (const version of ["TLSv1", "TLSv1.1"] as const) await refused(faces.api, { ca, version });
  assert.deepEqual(JSON.parse((await ask(`${faces.metrics}/readyz`, { ca })).text), { status: "ready" });
  await refused(faces.metrics, { ca, version: "TLSv1.1" });
  await assert.rejects(ask(`${faces.api}/ping`, {}), /self-signed certificate/, "only who is told to trusts it");
  assert.match((await ask(faces.window, { ca })).text, /This page does not exist/);
  assert.match((await ask(faces.manager, { ca })).text, /is not built yet: /);
  assert.equal(await fetch(faces.api.replace("https", "http")).catch(() => null), null, "plain HTTP is not spoken");
  assert.doesNotMatch(program.output(), /TLS older than/);

  const { code, stderr } = await end(program, "SIGTERM");
  assert.deepEqual([code, stderr], [0, ""]);
});

for (const [tls_min, older] of [
  ["TLSv1.1", "TLSv1"],
  ["TLSv1", null],
] as const) {
  test(`COOLPAY_TLS_MIN=${tls_min} serves old clients and new ones with the certificate that was kept, and warns at start`, async () => {
    const ca = kept();
    const { program, faces } = await start({ COOLPAY_TLS: "self", COOLPAY_TLS_MIN: tls_min });
    assert.equal(kept(), ca);
    for (const version of [tls_min, "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const) await served(faces.api, { ca, version });
    if (older !== null) await refused(faces.api, { ca, version: older });
    assert.equal((await ask(faces.window, { ca, version: tls_min })).status, 404);
    const [warning = ""] = program.output().match(/^.*TLS older than 1\.2.*$/m) ?? [];
    const { level, tls_min: named } = JSON.parse(warning);
    assert.deepEqual([level, named], [40, tls_min]);
    await end(program, "SIGTERM");
  });
}

test("the command that `start` prints works as it stands, certificate included", async () => {
  const { program } = await start({ COOLPAY_TLS: "self", COOLPAY_DEMO: "1" });
  const [, command = ""] = await heard(program, /^ {2}(curl .*)$/m);
  assert.ok(command.includes(`--cacert "${certificateFile(data_dir)}"`), command);
  const { stdout, stderr } = spawnSync("/bin/sh", ["-c", `${command} -sS`], { encoding: "utf8" });
  assert.equal(JSON.parse(stdout || "[]").length, 1, stderr);
  await end(program, "SIGTERM");
});

// ---- certificates that operators bring ----

/** A key pair and its self-signed certificate, as PEM. */
async function pair(valid_until = new Date(Date.now() + 86_400_000)): Promise<{ cert: string; key: string }> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=shop",
    notBefore: new Date(Date.now() - 2 * 86_400_000),
    notAfter: valid_until,
    signingAlgorithm: algorithm,
    keys,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }])],
  });
  const key = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: cert.toString("pem"), key: x509.PemConverter.encode(key, "PRIVATE KEY") };
}

const own_files = newFolder();
const file = (name: string, text: string): string => {
  writeFileSync(join(own_files, name), text);
  return join(own_files, name);
};

test("COOLPAY_TLS_CERT and COOLPAY_TLS_KEY are served with, by all processes of `serve`", async () => {
  const { cert, key } = await pair();
  const [api = 0] = await freePorts(1);
  const program = coolpay(["serve"], {
    ...settings,
    // Made by the first start over this database.
    COOLPAY_MASTER_KEY_FILE: join(data_dir, "master.key"),
    COOLPAY_API_URL: "https://api.example.com",
    COOLPAY_WINDOW_URL: "https://payment.example.com",
    COOLPAY_MANAGER_URL: "https://manage.example.com",
    COOLPAY_API_PORT: String(api),
    COOLPAY_PROCESSES: "2",
    COOLPAY_TLS_CERT: file("cert.pem", cert),
    COOLPAY_TLS_KEY: file("key.pem", key),
  });
  await heard(program, /"serving"/);
  const url = `https://127.0.0.1:${api}`;
  const { fingerprint256 } = new X509Certificate(cert);
  // Connections go to the processes in turn.
  for (let i = 0; i < 4; i++) assert.equal(await shownBy(url), fingerprint256);
  for (let i = 0; i < 4; i++) await served(url, { ca: cert });
  const { code, stderr } = await end(program, "SIGTERM");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(isRunning(program.pid), false);
});

describe("a certificate that cannot be used is one sentence, and nothing is left running", { concurrency: 2 }, () => {
  const cases: Readonly<Record<string, () => Promise<Settings>>> = {
    "the key of another certificate": async () => ({
      COOLPAY_TLS_CERT: file("one.pem", (await pair()).cert),
      COOLPAY_TLS_KEY: file("other.pem", (await pair()).key),
    }),
    "key and certificate exchanged": async () => {
      const { cert, key } = await pair();
      return { COOLPAY_TLS_CERT: file("a.pem", key), COOLPAY_TLS_KEY: file("b.pem", cert) };
    },
  };
  for (const [name, wrong] of Object.entries(cases)) {
    test(name, async () => {
      const program = coolpay(["start"], { ...settings, ...(await wrong()) });
      const { code, stdout, stderr } = await end(program);
      const sentence =
        /^The TLS certificate or its key cannot be used \([^()\n]+\): check COOLPAY_TLS_CERT and COOLPAY_TLS_KEY\.\n$/;
      assert.match(stderr, sentence);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.equal(isRunning(program.pid), false);
    });
  }
});

// ---- the certificate of our own making, kept and renewed ----

describe("the certificate that was kept is made anew when it is of no use any more", { concurrency: 2 }, () => {
  const good = () => ({ cert: kept(), key: readFileSync(join(data_dir, "tls/key.pem"), "utf8") });
  const write = (folder: string, { cert, key }: { cert: string; key: string }): void => {
    mkdirSync(join(folder, "tls"), { recursive: true });
    writeFileSync(join(folder, "tls/cert.pem"), cert);
    writeFileSync(join(folder, "tls/key.pem"), key);
  };
  const half = (text: string): string => text.slice(0, text.length / 2);

  type Case = { readonly left: () => Promise<{ cert: string; key: string }>; readonly host?: string };
  const cases: Readonly<Record<string, Case>> = {
    "it has expired": { left: () => pair(new Date(Date.now() - 60_000)) },
    "the listeners have another address": { left: async () => good(), host: "192.0.2.7" },
    "the listeners have another name": { left: async () => good(), host: "pay.example.com" },
    "it was half written": { left: async () => ({ ...good(), cert: half(good().cert) }) },
    "its key was half written": { left: async () => ({ ...good(), key: half(good().key) }) },
    "its key belongs to another": { left: async () => ({ ...good(), key: (await pair()).key }) },
  };
  for (const [name, { left, host = "127.0.0.1" }] of Object.entries(cases)) {
    test(name, async () => {
      const folder = newFolder();
      const before_it = await left();
      write(folder, before_it);
      const made = await ownCertificate(folder, [host]);
      const cert = new X509Certificate(made.cert);
      assert.notEqual(made.cert, before_it.cert);
      assert.ok(cert.checkPrivateKey(createPrivateKey(made.key)));
      assert.equal(/[a-z]/.test(host) ? cert.checkHost(host) : cert.checkIP(host), host);
      assert.deepEqual(await ownCertificate(folder, [host]), made, "and kept from then on");
    });
  }
});
