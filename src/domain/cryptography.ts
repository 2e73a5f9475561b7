// Which keys can be made, and what a signing request may say of who asks for a certificate (reference: resources, section
// 16). Pure: the keys themselves are made in services/cryptography-keys.ts.

export const key_types = ["ec", "rsa"] as const;
/** Bits. Below 2048 nobody signs any more, and above 4096 a key takes too long to make. */
export const key_sizes = [2048, 3072, 4096] as const;

/**
 * OpenSSL's names of the curves, with the bytes of a coordinate. The reference lists all that OpenSSL knows; the weak and the
 * forgotten ones among them are refused.
 */
export const curves: Readonly<Record<string, number>> = {
  prime256v1: 32,
  secp256k1: 32,
  secp384r1: 48,
  secp521r1: 66,
  brainpoolP256r1: 32,
  brainpoolP320r1: 40,
  brainpoolP384r1: 48,
  brainpoolP512r1: 64,
};
export const curve_names = Object.keys(curves);

/** A digest as strong as the key (RFC 5480, section 4; NIST SP 800-57). */
export function digestFor(coordinate_bytes: number): "SHA-256" | "SHA-384" | "SHA-512" {
  if (coordinate_bytes <= 32) return "SHA-256";
  return coordinate_bytes <= 48 ? "SHA-384" : "SHA-512";
}

/** Names and upper bounds of RFC 5280, appendix A, and X.520. */
const parts = {
  C: { oid: "2.5.4.6", max: 2 },
  CN: { oid: "2.5.4.3", max: 64 },
  emailAddress: { oid: "1.2.840.113549.1.9.1", max: 255 },
  L: { oid: "2.5.4.7", max: 128 },
  OU: { oid: "2.5.4.11", max: 64 },
  postalCode: { oid: "2.5.4.17", max: 40 },
  ST: { oid: "2.5.4.8", max: 128 },
  street: { oid: "2.5.4.9", max: 128 },
} as const;

export type SubjectKey = keyof typeof parts;
export const subject_keys = Object.keys(parts) as SubjectKey[];
export const encodings = ["printable", "utf8"] as const;

export type SubjectPart = {
  readonly key: SubjectKey;
  readonly value: string;
  readonly encoding: (typeof encodings)[number];
};

type StringType = "printableString" | "utf8String" | "ia5String";

/** As it stands in the request. */
export type EncodedPart = { readonly oid: string; readonly type: StringType; readonly value: string };

// X.680, section 41.4.
const printable = /^[A-Za-z0-9 '()+,\-./:=?]+$/;
const forms: Readonly<Partial<Record<SubjectKey, RegExp>>> = {
  C: /^[A-Za-z]{2}$/,
  // Where it stands as IA5String it can hold nothing else either.
  emailAddress: /^[\x21-\x3f\x41-\x7e]+@[\x21-\x3f\x41-\x7e]+$/,
};

/** The part, or what is wrong with its value. */
export function encoded({ key, value, encoding }: SubjectPart): EncodedPart | { readonly wrong: string } {
  const { oid, max } = parts[key];
  const length = [...value].length;
  if (length < 1 || length > max) return { wrong: `must have length between 1 and ${max}` };
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value) || forms[key]?.test(value) === false) return { wrong: "is invalid" };
  // RFC 5280 knows a country only as a printable string, and an e-mail address, whose @ is not printable there, as IA5.
  if (key === "C") return { oid, type: "printableString", value: value.toUpperCase() };
  if (encoding === "utf8") return { oid, type: "utf8String", value };
  if (key === "emailAddress") return { oid, type: "ia5String", value };
  return printable.test(value) ? { oid, type: "printableString", value } : { wrong: "is invalid" };
}
