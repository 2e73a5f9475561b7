// The file of the master keys: one a line, 32 bytes in base64, the newest first; `#` begins a remark. The first one seals,
// all of them open. Written whole and at once or not at all.

import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { key_bytes, keyIdOf, SealError, wrong_form } from "./seal.ts";

// 32 bytes exactly: what is cut short or hexadecimal would be another key without a word.
const key_line = /^([A-Za-z0-9+/]{43}=)(\s+#.*)?$/;
// Who rotates every month and never takes a key away has years.
const keys_max = 100;

/** The keys, newest first; makes one (mode 0600) where `make` allows it and there is no file. Throws `SealError`. */
export function masterKeys(file: string, make: boolean): readonly Buffer[] {
  if (!existsSync(file)) {
    if (!make) throw new SealError(`There is no master key in ${file}: set COOLPAY_MASTER_KEY_FILE.`);
    makeFile(file);
  }
  return keysIn(readFileSync(file, "utf8"), file);
}

function keysIn(text: string, file: string): readonly Buffer[] {
  const lines = text.split("\n").map((line, i) => ({ line: line.trim(), number: i + 1 }));
  const given = lines.filter(({ line }) => line !== "" && !line.startsWith("#"));
  if (given.length === 0) throw new SealError(`The master key in ${file} ${wrong_form}.`);
  if (given.length > keys_max) throw new SealError(`There are more than ${keys_max} master keys in ${file}.`);
  return given.map(({ line, number }, i) => {
    const key = key_line.exec(line)?.[1];
    const where = i === 0 ? file : `line ${number} of ${file}`;
    if (key === undefined) throw new SealError(`The master key in ${where} ${wrong_form}.`);
    return Buffer.from(key, "base64");
  });
}

const newLine = (remark: string): string => `${randomBytes(key_bytes).toString("base64")}${remark}\n`;

/** Whole and on the disk before anything is sealed with it; of two processes that make one at the same moment one wins. */
function makeFile(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}`;
  rmSync(draft, { force: true });
  writeFileSync(draft, newLine(""), { mode: 0o600, flag: "wx", flush: true });
  chmodSync(draft, 0o600);
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  rmSync(draft);
  flushFolder(file);
}

/**
 * Puts a new key in front of those that are there; answers its id. Owner, group and mode stay as they are, without rights
 * for anybody else. Throws `SealError`.
 */
export function addMasterKey(named: string, at: Date): string {
  masterKeys(named, false);
  const file = realpathSync(named);
  const { uid, gid, mode } = statSync(file);
  // Of two rotations at once one finds the other's draft.
  const draft = `${file}.new`;
  if (existsSync(draft))
    throw new SealError(`${draft} is there: another rotation is under way, or was broken off. Then remove it.`);
  const text = newLine(`  # made ${at.toISOString().slice(0, 10)}`) + readFileSync(file, "utf8");
  const [newest = Buffer.alloc(0)] = keysIn(text, file);
  try {
    writeFileSync(draft, text, { mode: 0o600, flag: "wx", flush: true });
    chownSync(draft, uid, gid);
    chmodSync(draft, mode & 0o640);
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  flushFolder(file);
  return keyIdOf(newest);
}

function flushFolder(file: string): void {
  const opened = openSync(dirname(file), "r");
  fsyncSync(opened);
  closeSync(opened);
}
