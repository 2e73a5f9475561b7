// Where the embedded database lives, and as whom: its folder must be reachable for an unprivileged user, and its socket's
// path short.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { dirname, join, resolve } from "node:path";

/** The embedded database cannot be started; the message says why and what to do, in one sentence. */
export class CannotStart extends Error {}

/** Whom the database runs as; null: as ourselves. */
export type Account = { readonly uid: number; readonly gid: number } | null;

export type Place = { readonly data_dir: string; readonly cluster: string; readonly account: Account };

// The system's limit is 107 bytes on Linux and 103 on macOS, the file's name included.
const socket_path_bytes_max = 103;
export const port = 5432;

/** Where data lives when nobody says otherwise: `data` in the project, or where the database's user can reach it. */
export function defaultDataDir(project: string = process.cwd()): string {
  const folder = fs.realpathSync(project);
  const data_dir = join(folder, "data");
  return canEnter(folder, accountFor(join(data_dir, "postgres"))) ? data_dir : reachableDataDir(folder);
}

const reachableDataDir = (project: string): string => join("/var/lib/coolpay", hash8(project));

const hash8 = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 8);

export function prepareFolders(wanted: string): Place {
  try {
    fs.mkdirSync(wanted, { recursive: true });
    const data_dir = fs.realpathSync(wanted);
    const cluster = join(data_dir, "postgres");
    const account = accountFor(cluster);
    const place = { data_dir, cluster, account };
    // What root keeps in it is root's; the database's user only passes through.
    if (fs.statSync(data_dir).uid === process.getuid?.()) fs.chmodSync(data_dir, account === null ? 0o700 : 0o711);
    fs.accessSync(data_dir, fs.constants.W_OK | fs.constants.X_OK);
    if (!canEnter(data_dir, account)) {
      throw new CannotStart(
        `The database never runs as root, and its user (${account?.uid}) cannot reach ${data_dir}: ` +
          `set COOLPAY_DATA_DIR to a folder such as ${reachableDataDir(data_dir)}.`,
      );
    }
    if (fs.existsSync(cluster)) claim(place);
    return place;
  } catch (error) {
    if (error instanceof CannotStart) throw error;
    throw new CannotStart(
      `The data folder ${resolve(wanted)} cannot be used (${reason(error)}): make it yours, or set COOLPAY_DATA_DIR to another one.`,
    );
  }
}

function claim({ cluster, account }: Place): void {
  const { uid } = fs.statSync(cluster);
  if (account === null && uid !== process.getuid?.()) {
    throw new CannotStart(
      `The database in ${cluster} belongs to another user (${uid}): start CoolPay as that user or as root, ` +
        "or set COOLPAY_DATA_DIR to another folder.",
    );
  }
  if (account === null || uid === account.uid) return;
  for (const name of fs.readdirSync(cluster, { recursive: true, encoding: "utf8" })) {
    fs.lchownSync(join(cluster, name), account.uid, account.gid);
  }
  fs.chownSync(cluster, account.uid, account.gid);
}

/** PostgreSQL refuses root: as root it runs as whoever owns the database already, else as nobody. */
function accountFor(cluster: string): Account {
  if (process.getuid?.() !== 0) return null;
  const owner = fs.statSync(cluster, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const [, uid = "65534", gid = "65534"] = /^nobody:[^:]*:(-?\d+):(-?\d+)/m.exec(readText("/etc/passwd") ?? "") ?? [];
  return { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 };
}

export function canEnter(folder: string, account: Account): boolean {
  if (account === null) return true;
  const { mode, uid, gid } = fs.statSync(folder);
  const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
  return (mode & bit) !== 0 && (folder === dirname(folder) || canEnter(dirname(folder), account));
}

export function makePrivate(folder: string, account: Account): void {
  fs.chmodSync(folder, 0o700);
  if (account !== null) fs.chownSync(folder, account.uid, account.gid);
}

/** `run` in the data folder, or a short one of its own where the socket's path would become too long. */
export function makeSocketFolder({ data_dir, cluster, account }: Place): string {
  const near = join(data_dir, "run");
  const fits = Buffer.byteLength(join(near, `.s.PGSQL.${port}`)) <= socket_path_bytes_max;
  // A comma or a quote would end the path in PostgreSQL's list of folders.
  const folder = fits && !/[,"]/.test(near) ? near : fs.mkdtempSync(`${shortPrefix(cluster)}-`);
  fs.mkdirSync(folder, { recursive: true });
  makePrivate(folder, account);
  return folder;
}

const shortPrefix = (cluster: string): string => `/tmp/coolpay-${hash8(cluster)}`;

export function removeShortFolder({ cluster }: Place, socket_dir: string): void {
  if (socket_dir.startsWith(shortPrefix(cluster))) fs.rmSync(socket_dir, { recursive: true, force: true });
}

export const logFile = ({ data_dir }: Place): string => join(data_dir, "postgres.log");

export function renameUnlessThere(from: string, to: string): boolean {
  try {
    fs.renameSync(from, to);
    return true;
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
}

export function readText(file: string): string | null {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

const reason = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);
