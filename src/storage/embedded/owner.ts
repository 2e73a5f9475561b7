// Which processes live, and which of them owns the database: the one that started it stops it, or its successor.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { type Place, readText } from "./place.ts";

/** A living process's command line, which every user may read; null when there is none. */
export function commandOf(pid: number): string | null {
  if (!Number.isInteger(pid) || pid <= 0) return null;
  if (process.platform === "linux") return readText(`/proc/${pid}/cmdline`)?.replaceAll("\0", " ") || null;
  return spawnSync("ps", ["-ww", "-o", "command=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim() || null;
}

/** Tells a process from a later one of the same number; null when there is none, or only its remains. */
function birthOf(pid: number): string | null {
  if (process.platform !== "linux") {
    return spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim() || null;
  }
  // After the name in parentheses: the state, then, as the 20th, the time of birth since boot.
  const fields = readText(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, "")
    .split(" ");
  if (fields === undefined || fields[0] === "Z" || fields[0] === "X") return null;
  return `${readText("/proc/sys/kernel/random/boot_id")?.trim()} ${fields[19]}`;
}

export const ownerFile = ({ data_dir }: Place): string => join(data_dir, "owner.json");

type Owner = { readonly pid: number; readonly birth: string | null };

function readOwner(place: Place): Owner | null {
  try {
    return JSON.parse(readText(ownerFile(place)) ?? "null") as Owner | null;
  } catch {
    return null;
  }
}

export function writeOwner(place: Place): void {
  const draft = `${ownerFile(place)}.${process.pid}`;
  fs.writeFileSync(draft, JSON.stringify({ pid: process.pid, birth: birthOf(process.pid) } satisfies Owner), {
    mode: 0o600,
  });
  fs.renameSync(draft, ownerFile(place));
}

export const isOwner = (place: Place): boolean => readOwner(place)?.pid === process.pid;

/** The living process that owns the database; null when it is dead. */
export function livingOwner(place: Place): number | null {
  const owner = readOwner(place);
  const is_alive = owner !== null && owner.birth !== null && birthOf(owner.pid) === owner.birth;
  return is_alive ? owner.pid : null;
}

/** Becomes the owner if the last one is dead. */
export function takeOver(place: Place): boolean {
  if (livingOwner(place) !== null) return false;
  writeOwner(place);
  return true;
}
