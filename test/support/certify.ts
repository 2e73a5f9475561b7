// Somebody who certifies keys.

import { type KeyObject, webcrypto } from "node:crypto";
import { x509Library } from "../../src/services/x509.ts";

/** A certificate over a public key, by somebody who signs anything. */
export async function certify(key: KeyObject, { days = 365 } = {}): Promise<string> {
  const x509 = await x509Library();
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const signer = (await webcrypto.subtle.generateKey(algorithm, false, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
  const rsa = key.asymmetricKeyType === "rsa";
  const imported = await webcrypto.subtle.importKey(
    "spki",
    new Uint8Array(key.export({ type: "spki", format: "der" })),
    rsa ? { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } : algorithm,
    true,
    ["verify"],
  );
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: "01",
      subject: "CN=Kop og Kande",
      issuer: "CN=Anybody",
      notBefore: new Date(Date.now() - 86_400_000),
      notAfter: new Date(Date.now() + days * 86_400_000),
      signingAlgorithm: algorithm,
      publicKey: imported,
      signingKey: signer.privateKey,
    },
    webcrypto as unknown as Parameters<typeof x509.X509CertificateGenerator.create>[1],
  );
  return `${certificate.toString("pem")}\n`;
}
