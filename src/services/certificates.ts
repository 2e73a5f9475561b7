// Certificates as merchants upload them: PEM (RFC 7468) or DER, the key's own first, what signed it after it.

import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { Refused } from "../domain/refusal.ts";

/** A chain of a few certificates is some thousand bytes. */
export const certificate_bytes_max = 65_536;
const chain_max = 10;

const block = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g;

export type Certificate = { readonly pem: string; readonly expires_at: Date };

type Uploaded = {
  readonly bytes: Buffer;
  /** SubjectPublicKeyInfo, DER. */
  readonly public_key: Buffer;
};

/**
 * Throws 413 for too much, 415 for what is no certificate, 400 for one that belongs to another key. Whatever else stands in
 * the file is not kept.
 */
export function readCertificate({ bytes, public_key }: Uploaded): Certificate {
  if (bytes.length > certificate_bytes_max) throw new Refused("body_too_large");
  const blocks = bytes.toString("latin1").match(block);
  const sources = blocks ?? [bytes];
  if (sources.length > chain_max) throw wrong(`must hold at most ${chain_max} certificates`);
  const chain = sources.map(parsed);
  const [own] = chain;
  if (own === undefined) throw new Refused("media_type");
  const expires_at = new Date(own.validTo);
  if (Number.isNaN(expires_at.getTime())) throw new Refused("media_type");
  if (!belongs(own, createPublicKey({ key: public_key, format: "der", type: "spki" })))
    throw wrong("does not belong to this key");
  return {
    pem: chain
      .map((one) => one.toString().trim())
      .join("\n")
      .concat("\n"),
    expires_at,
  };
}

const wrong = (why: string): Refused => new Refused("validation", { file: [why] });

function parsed(source: string | Buffer): X509Certificate {
  try {
    return new X509Certificate(source);
  } catch {
    throw new Refused("media_type");
  }
}

/** False too for a kind of key that this program does not know. */
function belongs(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.publicKey.equals(key);
  } catch {
    return false;
  }
}
