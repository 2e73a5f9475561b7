// Cryptography keys with their signing requests and certificates (reference: resources, section 16; objects, section 15).

import { type Static, type TSchema, Type } from "typebox";
import { type AnyRequest, del, type Effect, get, idIn, patch, post, put, type Reply } from "../api/endpoint.ts";
import { integer, list, oneOf, text } from "../api/fields.ts";
import { messages } from "../api/input.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import {
  curve_names,
  type EncodedPart,
  encoded,
  encodings,
  key_sizes,
  key_types,
  type SubjectPart,
  subject_keys,
} from "../domain/cryptography.ts";
import { notFound, Refused } from "../domain/refusal.ts";
import { certificate_bytes_max } from "../services/certificates.ts";
import {
  describeKey,
  findKey,
  makeKey,
  type NewKey,
  putCertificate,
  removeCertificate,
  removeKey,
  requestFor,
} from "../services/cryptography-keys.ts";
import { wireTime } from "../services/present.ts";
import { type CryptographyKey, cryptographyKeysOf } from "../storage/cryptography-keys.ts";
import { pageIn } from "./lists.ts";

const description_max = 255;
const query_max = 255;
const subject_max = 20;
const value_max = 255;

const or_null = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
const Time = Type.String({ format: "date-time" });

const KeyShape = Type.Object(
  {
    id: Type.Integer(),
    type: Type.Enum([...key_types]),
    short_description: Type.String(),
    public_key_hash: Type.String({ description: "SHA-256 of the public key (SubjectPublicKeyInfo), hex" }),
    certificate_expires_at: or_null(Time),
    created_at: Time,
    updated_at: Time,
  },
  { title: "MerchantCryptographyKey" },
);

const present = (key: CryptographyKey) => ({
  id: key.id,
  type: key.type,
  short_description: key.short_description,
  public_key_hash: key.public_key_hash,
  certificate_expires_at: key.certificate_expires_at === null ? null : wireTime(key.certificate_expires_at),
  created_at: wireTime(key.created_at),
  updated_at: wireTime(key.updated_at),
});

const short_description = text({ min: 1, max: description_max });

// Typed clients send both, whatever the type: only the one that counts is judged.
const Make = Type.Object(
  {
    type: oneOf(key_types),
    short_description,
    key_size: Type.Optional(integer({ description: `Needed for rsa: ${key_sizes.join(", ")}` })),
    curve: Type.Optional(text({ max: 50, description: `Needed for ec: ${curve_names.join(", ")}` })),
  },
  { examples: [{ type: "ec", short_description: "Swish 2031", curve: "prime256v1" }] },
);

/** Throws 400 for a size or curve that is missing or not offered. */
function wantedKey({ type, short_description, key_size, curve }: Static<typeof Make>): NewKey {
  const sizes: readonly number[] = key_sizes;
  if (type === "rsa") {
    if (key_size !== undefined && sizes.includes(key_size)) return { type, short_description, key_size };
    throw refused("key_size", key_size);
  }
  if (curve !== undefined && curve_names.includes(curve)) return { type, short_description, curve };
  throw refused("curve", curve);
}

const refused = (name: string, given: unknown): Refused =>
  new Refused("validation", { [name]: [given === undefined ? messages.missing : messages.not_in_list] });

const Subject = Type.Object(
  {
    subject: list(
      Type.Object({ key: oneOf(subject_keys), value: text({ min: 1, max: value_max }), encoding: oneOf(encodings) }),
      { max: subject_max, description: "In the order in which it shall stand in the certificate" },
    ),
  },
  { examples: [{ subject: [{ key: "CN", value: "Kop og Kande", encoding: "utf8" }] }] },
);

/** Throws 400 for values that cannot stand there. */
function encodedSubject(parts: readonly SubjectPart[]): EncodedPart[] {
  return parts.map((part) => {
    const result = encoded(part);
    if ("wrong" in result) throw new Refused("validation", { "subject[][value]": [result.wrong] });
    return result;
  });
}

const sorting: Sorting<"id"> = { sorts: { id: "number" }, sort_by: "id", sort_dir: "desc" };

const keyOf = ({ account, path }: AnyRequest<"merchant">) => ({
  account_id: account.id,
  id: idIn(path, "CryptographyKey"),
});

const affected = ({ services, account }: AnyRequest<"merchant">, { id }: Effect): Promise<CryptographyKey> =>
  findKey(services.pool, { account_id: account.id, id });

const made = ({ services }: AnyRequest, key: CryptographyKey): Reply => ({
  status: 201,
  body: present(key),
  headers: { Location: `${services.addresses.api_url}/cryptography/keys/${key.id}` },
});

const fits = (key: CryptographyKey, query: string): boolean =>
  `${key.short_description}\n${key.public_key_hash}`.toLowerCase().includes(query.toLowerCase());

const keys = [
  get("/cryptography/keys", {
    summary: "List cryptography keys",
    scope: "merchant",
    input: Type.Object({
      type: Type.Optional(oneOf(key_types)),
      query: Type.Optional(text({ max: query_max, description: "A part of the description or of the hash" })),
      ...pagingFields(sorting),
    }),
    output: { 200: Type.Array(KeyShape) },
    handle: (request) => {
      const { services, account, input } = request;
      const { type, query = "" } = input;
      return listReply(request, {
        input,
        sorting,
        fetch: async (page) => {
          const all = await cryptographyKeysOf(services.pool, account.id);
          const wanted = all.filter((key) => (type === undefined || key.type === type) && fits(key, query));
          return pageIn(wanted, page, ({ id }) => id);
        },
        anchorOf: ({ id }) => ({ value: id, id }),
        present,
      });
    },
  }),
  post("/cryptography/keys", {
    summary: "Make a cryptography key",
    description: "The private key never leaves: ask for a signing request, and put the certificate that comes of it.",
    scope: "merchant",
    input: Make,
    output: { 201: KeyShape },
    handle: async (request) => {
      const { services, actor, account, input } = request;
      return made(request, await makeKey(services, actor, { account_id: account.id, wanted: wantedKey(input) }));
    },
    resume: async (request, effect) => made(request, await affected(request, effect)),
  }),
  get("/cryptography/keys/:id", {
    summary: "Read a cryptography key",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: KeyShape },
    handle: async (request) => ({
      status: 200,
      body: present(await findKey(request.services.pool, keyOf(request))),
    }),
  }),
  patch("/cryptography/keys/:id", {
    summary: "Describe a cryptography key anew",
    scope: "merchant",
    input: Type.Object({ short_description: Type.Optional(short_description) }),
    output: { 200: KeyShape },
    handle: async (request) => {
      const { services, actor, input } = request;
      const key = await describeKey(services, actor, {
        ...keyOf(request),
        short_description: input.short_description,
      });
      return { status: 200, body: present(key) };
    },
    resume: async (request, effect) => ({ status: 200, body: present(await affected(request, effect)) }),
  }),
  del("/cryptography/keys/:id", {
    summary: "Delete a cryptography key and its certificate",
    description: "Refused while an acquirer's settings name it.",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: null },
    handle: async (request) => {
      await removeKey(request.services, request.actor, keyOf(request));
      return { status: 200 };
    },
    resume: () => ({ status: 200 }),
  }),
  // Changes nothing: a repeat that finds no answer is simply done again.
  post("/cryptography/keys/:id/csr", {
    summary: "Make a certificate signing request",
    description: "PKCS #10 as PEM. A country is always encoded as printable.",
    scope: "merchant",
    input: Subject,
    output: { 201: Type.String({ contentMediaType: "application/x-pem-file" }) },
    handle: async (request) => {
      const subject = encodedSubject(request.input.subject);
      const pem = await requestFor(request.services, { ...keyOf(request), subject });
      return { status: 201, body: pem, type: "application/x-pem-file" };
    },
  }),
];

const certificates = [
  get("/cryptography/keys/:id/certificate", {
    summary: "Read a key's certificate",
    scope: "merchant",
    static: true,
    input: Type.Object({}),
    // RFC 8555, section 9.1.
    output: { 200: Type.String({ contentMediaType: "application/pem-certificate-chain" }) },
    handle: async (request) => {
      const { certificate, id } = await findKey(request.services.pool, keyOf(request));
      if (certificate === null) throw notFound("Certificate", id);
      return { status: 200, body: certificate, type: "application/pem-certificate-chain" };
    },
  }),
  put("/cryptography/keys/:id/certificate", {
    summary: "Put a key's certificate",
    description: "PEM or DER; it must belong to the key. What signed it may follow it.",
    scope: "merchant",
    file: "or_text",
    input: Type.Object({ file: Type.Optional(text({ max: certificate_bytes_max, description: "PEM" })) }),
    output: { 204: null },
    handle: async (request) => {
      const { services, actor, files, input } = request;
      const bytes = files.file?.bytes ?? Buffer.from(input.file ?? "");
      if (bytes.length === 0) throw refused("file", undefined);
      await putCertificate(services, actor, { ...keyOf(request), bytes });
      return { status: 204 };
    },
    resume: () => ({ status: 204 }),
  }),
  del("/cryptography/keys/:id/certificate", {
    summary: "Delete a key's certificate",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: null },
    handle: async (request) => {
      await removeCertificate(request.services, request.actor, keyOf(request));
      return { status: 200 };
    },
    resume: () => ({ status: 200 }),
  }),
];

export const cryptographyKeys = [...keys, ...certificates];
