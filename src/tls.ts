// A certificate of our own making (COOLPAY_TLS=self): 4096-bit RSA, SHA-256, kept in the data folder and made anew when it
// has expired or its hosts have changed.

import { createPrivateKey, X509Certificate as NodeCertificate, webcrypto } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { x509Library } from "./services/x509.ts";

const algorithm = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 4096,
};
// Browsers and libraries refuse server certificates that are valid for longer.
const valid_days = 397;
const day_ms = 86_400_000;

/** Where clients find the certificate that they are to trust. */
export const certificateFile = (data_dir: string): string => join(data_dir, "tls", "cert.pem");

type Pair = { readonly cert: string; readonly key: string };

/** PEM texts of the certificate and its private key. It names these hosts and this machine. */
export async function ownCertificate(data_dir: string, hosts: readonly string[]): Promise<Pair> {
  const cert_file = certificateFile(data_dir);
  const key_file = join(data_dir, "tls", "key.pem");
  if (existsSync(cert_file) && existsSync(key_file)) {
    const kept = { cert: readFileSync(cert_file, "utf8"), key: readFileSync(key_file, "utf8") };
    if (isGood(kept, hosts)) return kept;
  }
  // First, because a key takes seconds to make.
  mkdirSync(join(data_dir, "tls"), { recursive: true, mode: 0o700 });
  const made = await makeCertificate(hosts);
  rmSync(key_file, { force: true });
  writeFileSync(key_file, made.key, { mode: 0o600 });
  writeFileSync(cert_file, made.cert);
  return made;
}

/** They belong together, name every host and have not expired; a half-written pair is not good. */
function isGood({ cert: pem, key }: Pair, hosts: readonly string[]): boolean {
  try {
    const cert = new NodeCertificate(pem);
    const isNamed = (host: string): boolean =>
      (isIP(bare(host)) === 0 ? cert.checkHost(host) : cert.checkIP(bare(host))) !== undefined;
    return hosts.every(isNamed) && Date.parse(cert.validTo) > Date.now() && cert.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** An IPv6 address stands in brackets in a URL. */
const bare = (host: string): string => host.replace(/^\[|\]$/g, "");

async function makeCertificate(hosts: readonly string[]): Promise<Pair> {
  // Loaded only where it is needed: most installations bring their own certificate.
  const x509 = await x509Library();
  x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
  const names = [...new Set(["localhost", "127.0.0.1", "::1", ...hosts.map(bare)])].map((value) => ({
    type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const),
    value,
  }));
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)))
      .toString("hex")
      .replace(/^[89a-f]/, "7"),
    name: "CN=CoolPay",
    notBefore: new Date(Date.now() - day_ms),
    notAfter: new Date(Date.now() + (valid_days - 1) * day_ms),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names),
    ],
  });
  const key = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: `${cert.toString("pem")}\n`, key: `${x509.PemConverter.encode(key, "PRIVATE KEY")}\n` };
}
