// The seal: how secrets rest in the database. AES-256-GCM, a fresh data key per record, wrapped by the master key, whose
// id stands in front so that it can be rotated. Without the master key nothing can be opened, and the error says so.

import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";

const format = 1;
const key_id_bytes = 4;
const nonce_bytes = 12;
const tag_bytes = 16;
const key_bytes = 32;

export type Seal = {
  /** `purpose` is bound to the record: what was sealed as one thing cannot be opened as another. */
  readonly close: (text: string, purpose: string) => Buffer;
  /** Throws `SealError` when the key is not the one it was sealed with, or the record was changed. */
  readonly open: (sealed: Buffer, purpose: string) => string;
  /** A key for keyed hashes (fingerprints), derived from the master key. */
  readonly derivedKey: (purpose: string) => Buffer;
};

export class SealError extends Error {}

const wrong_form = `must be ${key_bytes} bytes, base64`;
// 32 bytes exactly: what is cut short or hexadecimal would be another key without a word.
const key_form = /^[A-Za-z0-9+/]{43}=$/;

export function createSeal(master: Buffer): Seal {
  if (master.length !== key_bytes) throw new SealError(`The master key ${wrong_form}.`);
  const key_id = createHash("sha256").update("coolpay key id").update(master).digest().subarray(0, key_id_bytes);
  return {
    close(text, purpose) {
      const data_key = randomBytes(key_bytes);
      return Buffer.concat([
        Buffer.from([format]),
        key_id,
        encrypt(master, data_key, purpose),
        encrypt(data_key, Buffer.from(text, "utf8"), purpose),
      ]);
    },
    open(sealed, purpose) {
      const id = sealed.subarray(1, 1 + key_id_bytes);
      if (sealed[0] !== format || !id.equals(key_id)) {
        throw new SealError("This record was sealed with another master key: check COOLPAY_MASTER_KEY_FILE.");
      }
      const wrapped_end = 1 + key_id_bytes + nonce_bytes + tag_bytes + key_bytes;
      const data_key = decrypt(master, sealed.subarray(1 + key_id_bytes, wrapped_end), purpose);
      return decrypt(data_key, sealed.subarray(wrapped_end), purpose).toString("utf8");
    },
    derivedKey: (purpose) => createHmac("sha256", master).update(`coolpay ${purpose}`).digest(),
  };
}

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
    throw new SealError("A sealed record was changed, is cut short or belongs to something else.");
  }
}

/** Reads the master key; makes one (mode 0600) where `make` allows it and there is none. Throws `SealError`. */
export function masterKey(file: string, make: boolean): Buffer {
  if (!existsSync(file)) {
    if (!make) throw new SealError(`There is no master key in ${file}: set COOLPAY_MASTER_KEY_FILE.`);
    makeKey(file);
  }
  const text = readFileSync(file, "utf8").trim();
  if (!key_form.test(text)) throw new SealError(`The master key in ${file} ${wrong_form}.`);
  return Buffer.from(text, "base64");
}

/** Whole and on the disk before anything is sealed with it; of two processes that make one at the same moment one wins. */
function makeKey(file: string): void {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true });
  const draft = `${file}.${process.pid}`;
  rmSync(draft, { force: true });
  writeFileSync(draft, `${randomBytes(key_bytes).toString("base64")}\n`, { mode: 0o600, flag: "wx", flush: true });
  chmodSync(draft, 0o600);
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  rmSync(draft);
  const opened = openSync(folder, "r");
  fsyncSync(opened);
  closeSync(opened);
}
