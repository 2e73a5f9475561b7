// Certificate signing requests (PKCS #10, RFC 2986). The library builds them; Node signs, because it knows more curves than
// WebCrypto does.

import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import { promisify } from "node:util";
import { curves, digestFor, type EncodedPart } from "../domain/cryptography.ts";
import { x509Library } from "./x509.ts";

const signed = promisify(sign);

type Asked = {
  /** PKCS #8, PEM. */
  readonly private_key: string;
  /** As OpenSSL names it; null: an RSA key. */
  readonly curve: string | null;
  /** In the order of the request. */
  readonly subject: readonly EncodedPart[];
};

/** The request as PEM. */
export async function signingRequest({ private_key, curve, subject }: Asked): Promise<string> {
  const x509 = await x509Library();
  for (const [name, bytes] of Object.entries(curves)) x509.AsnEcSignatureFormatter.namedCurveSize.set(name, bytes);
  const key = createPrivateKey(private_key);
  const hash = digestFor(curves[curve ?? ""] ?? 0);
  const algorithm = curve === null ? { name: "RSASSA-PKCS1-v1_5", hash } : { name: "ECDSA", namedCurve: curve, hash };
  const subtle = {
    exportKey: async () => bytesOf(createPublicKey(key).export({ type: "spki", format: "der" })),
    sign: async (_algorithm: unknown, _key: unknown, data: ArrayBuffer) =>
      bytesOf(await signed(hash.replace("-", ""), Buffer.from(data), { key, dsaEncoding: "ieee-p1363" })),
  };
  const { create } = x509.Pkcs10CertificateRequestGenerator;
  // The library only hands keys on to whoever exports and signs: that is us, with Node's own.
  const keys = { publicKey: {}, privateKey: { algorithm } };
  const name = subject.map(({ oid, type, value }) => ({ [oid]: [{ [type]: value }] }));
  const asked = { name, keys, signingAlgorithm: algorithm } as unknown as Parameters<typeof create>[0];
  const request = await create(asked, { subtle } as unknown as Parameters<typeof create>[1]);
  return `${request.toString("pem")}\n`;
}

/** In memory of their own, as WebCrypto answers. */
const bytesOf = (buffer: Buffer): ArrayBuffer => new Uint8Array(buffer).buffer;
