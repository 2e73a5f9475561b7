// Cryptography keys: made here, used here, and never shown. What leaves is the public half, in signing requests.

import { createHash, generateKeyPair } from "node:crypto";
import { isDeepStrictEqual, promisify } from "node:util";
import type { EncodedPart } from "../domain/cryptography.ts";
import { notFound, Refused } from "../domain/refusal.ts";
import { writeActivity } from "../storage/activity.ts";
import {
  type CryptographyKey,
  countCryptographyKeys,
  cryptographyKeyById,
  deleteCryptographyKey,
  insertCryptographyKey,
  type Key,
  sealedPrivateKey,
  updateCryptographyKey,
} from "../storage/cryptography-keys.ts";
import { accountById, type Db, lockAccount } from "../storage/directory.ts";
import { activity, differences } from "./activity.ts";
import { readCertificate } from "./certificates.ts";
import { inOneCommit } from "./changing.ts";
import { limiter } from "./limited.ts";
import type { Actor, Services } from "./services.ts";
import { signingRequest } from "./signing-request.ts";

// An account needs one per acquirer that wants a certificate, and a new one when that expires.
const keys_max = 100;
// A key of 4096 bits takes seconds of a core. Node makes keys beside its event loop, on the few threads that passwords are
// checked on too.
const making = limiter({ at_once_max: 1, waiting_max: 10, retry_after_s: 5 });
const purpose = "cryptography key";

/** Throws 404. */
export async function findKey(db: Db, key: Key): Promise<CryptographyKey> {
  const row = await cryptographyKeyById(db, key);
  if (row === null) throw notFound("CryptographyKey", key.id);
  return row;
}

/** Throws 400 about this parameter when it names no key of the account. Nothing named is nothing wrong. */
export async function mustBeKey(
  db: Db,
  account_id: number,
  [parameter, id]: readonly [name: string, id: number | null],
): Promise<void> {
  if (id === null || (await cryptographyKeyById(db, { account_id, id })) !== null) return;
  throw new Refused("validation", { [parameter]: ["is invalid"] });
}

export type NewKey = { readonly short_description: string } & (
  | { readonly type: "rsa"; readonly key_size: number }
  | { readonly type: "ec"; readonly curve: string }
);

const target = ({ id }: { readonly id: number }) => ({ type: "CryptographyKey", id });

const said = (key: CryptographyKey) => ({
  type: key.type,
  short_description: key.short_description,
  key_size: key.key_size,
  curve: key.curve,
  public_key_hash: key.public_key_hash,
  certificate: key.certificate,
  certificate_expires_at: key.certificate_expires_at?.toISOString() ?? null,
});

type Noted = {
  readonly account_id: number;
  readonly action: "create" | "update" | "delete" | "certificate";
  readonly before: CryptographyKey | null;
  readonly after: CryptographyKey | null;
  readonly at: Date;
};

async function note(db: Db, actor: Actor, { account_id, action, before, after, at }: Noted): Promise<void> {
  const { id = 0 } = after ?? before ?? {};
  const changes = differences(before && said(before), after && said(after));
  const about = { account_id, type: "CryptographyKey", id };
  await writeActivity(db, activity(actor, { target: about, action, changes, at }));
}

async function mustHaveRoom(db: Db, account_id: number): Promise<void> {
  if ((await countCryptographyKeys(db, account_id)) < keys_max) return;
  const message = `Validation error: an account has at most ${keys_max} cryptography keys`;
  throw new Refused("validation", {}, { message });
}

const generated = promisify(generateKeyPair);

async function pairFor(wanted: NewKey): Promise<{ public_key: Buffer; private_key: string }> {
  const { publicKey, privateKey } =
    wanted.type === "rsa"
      ? await generated("rsa", { modulusLength: wanted.key_size })
      : await generated("ec", { namedCurve: wanted.curve });
  return {
    public_key: publicKey.export({ type: "spki", format: "der" }),
    private_key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** Throws 400 when the account has too many, 429 when too many are being made already. */
export async function makeKey(
  services: Services,
  actor: Actor,
  { account_id, wanted }: { readonly account_id: number; readonly wanted: NewKey },
): Promise<CryptographyKey> {
  const { pool, seal, clock } = services;
  await mustHaveRoom(pool, account_id);
  const { public_key, private_key } = await making(() => pairFor(wanted));
  const id = await services.nextId(account_id);
  return inOneCommit(services, actor, {
    work: async (db) => {
      // Two at once could be one too many.
      await lockAccount(db, account_id);
      await mustHaveRoom(db, account_id);
      const at = clock.now();
      const key: CryptographyKey = {
        id,
        type: wanted.type,
        short_description: wanted.short_description,
        key_size: wanted.type === "rsa" ? wanted.key_size : null,
        curve: wanted.type === "ec" ? wanted.curve : null,
        public_key,
        public_key_hash: createHash("sha256").update(public_key).digest("hex"),
        certificate: null,
        certificate_expires_at: null,
        created_at: at,
        updated_at: at,
      };
      await insertCryptographyKey(db, { account_id, key, private_key: seal.close(private_key, purpose) });
      await note(db, actor, { account_id, action: "create", before: null, after: key, at });
      return key;
    },
    target,
  });
}

type Edit = (before: CryptographyKey) => Partial<CryptographyKey>;

const edited = (
  services: Services,
  actor: Actor,
  { key, action, edit }: { readonly key: Key; readonly action: "update" | "certificate"; readonly edit: Edit },
): Promise<CryptographyKey> =>
  inOneCommit(services, actor, {
    work: async (db) => {
      await lockAccount(db, key.account_id);
      const before = await findKey(db, key);
      const changed = { ...before, ...edit(before) };
      if (isDeepStrictEqual(before, changed)) return before;
      const at = services.clock.now();
      const after = { ...changed, updated_at: at };
      await updateCryptographyKey(db, key.account_id, after);
      await note(db, actor, { account_id: key.account_id, action, before, after, at });
      return after;
    },
    target,
  });

export const describeKey = (
  services: Services,
  actor: Actor,
  { short_description, ...key }: Key & { readonly short_description: string | undefined },
): Promise<CryptographyKey> =>
  edited(services, actor, {
    key,
    action: "update",
    edit: (before) => ({ short_description: short_description ?? before.short_description }),
  });

/** Throws as `readCertificate` does. */
export const putCertificate = (
  services: Services,
  actor: Actor,
  { bytes, ...key }: Key & { readonly bytes: Buffer },
): Promise<CryptographyKey> =>
  edited(services, actor, {
    key,
    action: "certificate",
    edit: ({ public_key }) => {
      const { pem, expires_at } = readCertificate({ bytes, public_key });
      return { certificate: pem, certificate_expires_at: expires_at };
    },
  });

/** Throws 400 when there is none. */
export const removeCertificate = (services: Services, actor: Actor, key: Key): Promise<CryptographyKey> =>
  edited(services, actor, {
    key,
    action: "certificate",
    edit: ({ certificate }) => {
      if (certificate === null) throw new Refused("validation", { certificate: ["is missing"] });
      return { certificate: null, certificate_expires_at: null };
    },
  });

/** Throws 400 while an acquirer's settings name it. */
export const removeKey = (services: Services, actor: Actor, key: Key): Promise<CryptographyKey> =>
  inOneCommit(services, actor, {
    work: async (db) => {
      const { account_id, id } = key;
      await lockAccount(db, account_id);
      const before = await findKey(db, key);
      const { acquirer_settings = {} } = (await accountById(db, account_id))?.settings ?? {};
      const user = Object.keys(acquirer_settings).find((name) => acquirer_settings[name]?.cryptography_key_id === id);
      if (user !== undefined) throw new Refused("validation", { id: [`is used by ${user}`] });
      await deleteCryptographyKey(db, key);
      await note(db, actor, { account_id, action: "delete", before, after: null, at: services.clock.now() });
      return before;
    },
    target,
  });

/** A signing request for this key, PEM. Nothing is stored. */
export async function requestFor(
  { pool, seal }: Services,
  { subject, ...key }: Key & { readonly subject: readonly EncodedPart[] },
): Promise<string> {
  const { curve } = await findKey(pool, key);
  const sealed = await sealedPrivateKey(pool, key);
  if (sealed === null) throw notFound("CryptographyKey", key.id);
  return signingRequest({ private_key: seal.open(sealed, purpose), curve, subject });
}
