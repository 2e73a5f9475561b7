// The seal: how secrets rest in the database. AES-256-GCM, a fresh data key per record, wrapped by a master key, whose id
// stands in front: the newest key seals, older ones still open what they have sealed. Without its master key a record cannot
// be opened, and the error says which key that is.

import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";

const format = 1;
const key_id_bytes = 4;
const nonce_bytes = 12;
const tag_bytes = 16;
export const key_bytes = 32;
const head_bytes = 1 + key_id_bytes;
const wrapped_end = head_bytes + nonce_bytes + tag_bytes + key_bytes;

/** The master keys of an installation at work. */
export type Ring = {
  /** `purpose` is bound to the record: what was sealed as one thing cannot be opened as another. */
  readonly close: (text: string, purpose: string) => Buffer;
  /** Throws `SealError` when the key that it was sealed with is not there, or the record was changed. */
  readonly open: (sealed: Buffer, purpose: string) => string;
  /** The record with its data key wrapped by the key that seals now; null: it is already. Throws as `open` does. */
  readonly rewrap: (sealed: Buffer, purpose: string) => Buffer | null;
  /** The id of the key that seals. */
  readonly keyId: () => string;
  /** From now on the first of these keys seals, and what any of them has sealed is opened. Throws `SealError`. */
  readonly use: (keys: readonly Buffer[]) => void;
};

export type Seal = Ring & {
  /** A key for keyed hashes (fingerprints): the same one whatever becomes of the master keys. */
  readonly derivedKey: (purpose: string) => Buffer;
};

/** What is wrong with a master key or a record, in words for the operator. */
export class SealError extends Error {}

export const wrong_form = `must be ${key_bytes} bytes, base64`;

/** What a master key is called: 8 hexadecimal digits that tell nothing of it. */
export const keyIdOf = (master: Buffer): string =>
  createHash("sha256").update("coolpay key id").update(master).digest().subarray(0, key_id_bytes).toString("hex");

/** The id of the master key that this record needs. */
export const keyIdIn = (sealed: Buffer): string => sealed.subarray(1, head_bytes).toString("hex");

/** `readAgain` is asked for keys when one is missing: another process may have been told of it a moment earlier. */
export function createRing(keys: readonly Buffer[], readAgain: () => readonly Buffer[] = () => []): Ring {
  let ring = ringOf(keys);

  function masterOf(sealed: Buffer): Buffer {
    if (sealed[0] !== format) throw damaged();
    const id = keyIdIn(sealed);
    const found = ring.known.get(id);
    if (found !== undefined) return found;
    for (const key of readAgain()) ring.known.set(keyIdOf(key), key);
    const late = ring.known.get(id);
    if (late !== undefined) return late;
    const there = [...ring.known.keys()].join(", ");
    throw new SealError(
      `This record was sealed with master key ${id}, which is not in COOLPAY_MASTER_KEY_FILE (there: ${there}): put it back there.`,
    );
  }

  const wrapped = (data_key: Buffer, purpose: string): Buffer =>
    Buffer.concat([Buffer.from([format]), Buffer.from(ring.id, "hex"), encrypt(ring.newest, data_key, purpose)]);
  const dataKeyOf = (sealed: Buffer, purpose: string): Buffer =>
    decrypt(masterOf(sealed), sealed.subarray(head_bytes, wrapped_end), purpose);

  return {
    close(text, purpose) {
      const data_key = randomBytes(key_bytes);
      return Buffer.concat([wrapped(data_key, purpose), encrypt(data_key, Buffer.from(text, "utf8"), purpose)]);
    },
    open: (sealed, purpose) =>
      decrypt(dataKeyOf(sealed, purpose), sealed.subarray(wrapped_end), purpose).toString("utf8"),
    rewrap(sealed, purpose) {
      if (keyIdIn(sealed) === ring.id) return null;
      return Buffer.concat([wrapped(dataKeyOf(sealed, purpose), purpose), sealed.subarray(wrapped_end)]);
    },
    keyId: () => ring.id,
    use(next) {
      ring = ringOf(next);
    },
  };
}

/** A key that is never stored. */
export const newMemoryKey = (): string => randomBytes(key_bytes).toString("base64");

/** `hash_key`: what the keys of hashes are derived from. */
export const createSeal = (ring: Ring, hash_key: Buffer): Seal => ({
  ...ring,
  derivedKey: (purpose) => createHmac("sha256", hash_key).update(`coolpay ${purpose}`).digest(),
});

function ringOf(keys: readonly Buffer[]) {
  const [newest] = keys;
  if (newest === undefined || keys.some(({ length }) => length !== key_bytes))
    throw new SealError(`The master key ${wrong_form}.`);
  return { newest, id: keyIdOf(newest), known: new Map(keys.map((key) => [keyIdOf(key), key])) };
}

const damaged = (): SealError =>
  new SealError("A sealed record was changed, is cut short or belongs to something else.");

function encrypt(key: Buffer, plain: Buffer, purpose: string): Buffer {
  const nonce = randomBytes(nonce_bytes);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(purpose));
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]);
}

function decrypt(key: Buffer, sealed: Buffer, purpose: string): Buffer {
  try {
    const nonce = sealed.subarray(0, nonce_bytes);
    const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tag_bytes });
    decipher.setAAD(Buffer.from(purpose)).setAuthTag(sealed.subarray(nonce_bytes, nonce_bytes + tag_bytes));
    return Buffer.concat([decipher.update(sealed.subarray(nonce_bytes + tag_bytes)), decipher.final()]);
  } catch {
    throw damaged();
  }
}
