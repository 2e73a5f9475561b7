// What went wrong at start, in one sentence that says what to do about it.

import { BadSetting } from "./config.ts";
import { SealError } from "./services/seal.ts";
import { CannotStart } from "./storage/embedded.ts";
import { WrongDatabase } from "./storage/migrate.ts";

const sentences = [BadSetting, CannotStart, SealError, WrongDatabase];

/** What a person can do about it, where that is known; everything else with its stack. */
export function whatToDo(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (sentences.some((known) => error instanceof known)) return error.message;
  const {
    code = "",
    syscall,
    port,
    address,
    hostname,
    path,
  } = error as Error & {
    readonly [name in "code" | "syscall" | "address" | "hostname" | "path"]?: string;
  } & { readonly port?: number };
  if (code === "EADDRINUSE") return `Port ${port} is taken: stop what uses it, or set another one (see coolpay help).`;
  if (code === "EACCES" && port !== undefined) return `Port ${port} needs more rights: use one above 1023.`;
  if (code === "EADDRNOTAVAIL" || syscall === "getaddrinfo")
    return `COOLPAY_HOST ${address ?? hostname} is not an address of this machine (${code}).`;
  if (/^ERR_(OSSL|SSL)_/.test(code))
    return `The TLS certificate or its key cannot be used (${error.message}): check COOLPAY_TLS_CERT and COOLPAY_TLS_KEY.`;
  if (path !== undefined && syscall !== undefined)
    return `${path} cannot be used (${code}): check that it is there, its rights and the space left.`;
  return error.stack ?? error.message;
}
