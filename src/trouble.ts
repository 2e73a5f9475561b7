// What went wrong at start, in one sentence that says what to do about it.

import pg from "pg";
import { BadSetting } from "./config.ts";
import { SealError } from "./services/seal.ts";
import { CannotStart } from "./storage/embedded.ts";
import { WrongDatabase } from "./storage/migrate.ts";

const sentences = [BadSetting, CannotStart, SealError, WrongDatabase];

// PostgreSQL's refusals whose cause lies with the operator (its manual, appendix A), and what helps.
const database_refusals: Readonly<Record<string, string>> = {
  "25006": "name the primary in DATABASE_URL",
  "42501": "make the user of DATABASE_URL the owner of its database",
  "53100": "make room on its disk",
  "53300": "raise its max_connections, or set fewer COOLPAY_PROCESSES",
};

type Facts = { readonly [name in "code" | "reason" | "syscall" | "address" | "hostname" | "path"]?: string } & {
  readonly port?: number;
};

/** What a person can do about it, where that is known; everything else with its stack. */
export function whatToDo(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (sentences.some((known) => error instanceof known)) return error.message;
  const { code = "", reason, syscall, port, address, hostname, path } = error as Error & Facts;
  const remedy = error instanceof pg.DatabaseError ? database_refusals[code] : undefined;
  if (remedy !== undefined) return `The database refuses (${error.message}): ${remedy}.`;
  if (code === "EADDRINUSE") return `Port ${port} is taken: stop what uses it, or set another one (see coolpay help).`;
  if (code === "EACCES" && port !== undefined) return `Port ${port} needs more rights: use one above 1023.`;
  if (code === "EADDRNOTAVAIL" || syscall === "getaddrinfo")
    return `COOLPAY_HOST ${address ?? hostname} is not an address of this machine (${code}).`;
  if (/^ERR_(OSSL|SSL)_/.test(code))
    return `The TLS certificate or its key cannot be used (${reason ?? error.message}): check COOLPAY_TLS_CERT and COOLPAY_TLS_KEY.`;
  if (path !== undefined && syscall !== undefined)
    return `${path} cannot be used (${code}): check that it is there, its rights and the space left.`;
  // Of all files that are named, only this one is opened without a look at what it is.
  if (code === "EISDIR") return "COOLPAY_MASTER_KEY_FILE names a folder: name the file that holds the key.";
  return error.stack ?? error.message;
}
