// Browsers tell what our pages' Content-Security-Policy kept them from loading: the evidence of a page that was tampered with
// (PCI DSS 6.4.3, 11.6.1), and of a branding that wants what it may not have. Both forms are read: `report-uri`'s (CSP level
// 2) and the Reporting API's. Anybody can send such a thing, so it is bounded, and little of it is believed or kept: no
// queries, no samples of scripts, nothing of the page itself.

import { Refused } from "../domain/refusal.ts";
import { addReport, type CspReport } from "../storage/csp-reports.ts";
import { hidden, maskedText } from "./masking.ts";
import type { Services } from "./services.ts";

/** More is not read. */
export const report_bytes_max = 16_384;
// A browser gathers what a page made it refuse.
const reports_per_body_max = 20;
// Different ones of an account; equal ones are counted.
const rows_per_day_max = 200;
const text_max = 200;
const line_max = 10_000_000;

type Members = Readonly<Record<string, unknown>>;

const membersOf = (value: unknown): Members =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Members) : {};

/** The reports in a body, as either form names their members. */
const forms: Readonly<Record<string, (body: unknown) => readonly Members[]>> = {
  "application/csp-report": (body) => {
    const report = membersOf(membersOf(body)["csp-report"]);
    return [
      {
        directive: report["effective-directive"] ?? report["violated-directive"],
        blocked: report["blocked-uri"],
        source: report["source-file"],
        line: report["line-number"],
      },
    ];
  },
  "application/reports+json": (body) =>
    (Array.isArray(body) ? body.slice(0, reports_per_body_max) : [])
      .map(membersOf)
      .filter(({ type }) => type === "csp-violation")
      .map((report) => membersOf(report.body))
      .map(({ effectiveDirective, blockedURL, sourceFile, lineNumber }) => ({
        directive: effectiveDirective,
        blocked: blockedURL,
        source: sourceFile,
        line: lineNumber,
      })),
};

/**
 * Keeps what a browser reports; answers how many. Throws 415, 413 (more than 16 kB) and 400. `account_id`: on whose page it
 * was, null where that is not known.
 */
export async function noteReports(
  { pool, clock }: Pick<Services, "pool" | "clock">,
  body: string | Buffer,
  content_type: string,
  { account_id }: { readonly account_id: number | null },
): Promise<number> {
  const [type = ""] = content_type.toLowerCase().split(";");
  const form = Object.hasOwn(forms, type.trim()) ? forms[type.trim()] : undefined;
  if (form === undefined) throw new Refused("media_type");
  if (Buffer.byteLength(body) > report_bytes_max) throw new Refused("body_too_large");
  let kept = 0;
  for (const read of form(parsed(body))) {
    const report = reportOf(read, account_id);
    if (report !== null && (await addReport(pool, report, { at: clock.now(), rows_max: rows_per_day_max }))) kept += 1;
  }
  return kept;
}

function parsed(body: string | Buffer): unknown {
  try {
    return JSON.parse(String(body));
  } catch {
    throw new Refused("malformed_request");
  }
}

/** Null: it says nothing. */
function reportOf({ directive, blocked, source, line }: Members, account_id: number | null): CspReport | null {
  // Older browsers repeat the whole directive.
  const [name = ""] = String(directive ?? "").split(" ");
  if (!/^[a-z-]{1,40}$/.test(name)) return null;
  const at = typeof line === "number" && Number.isSafeInteger(line) && line > 0 && line < line_max ? line : 0;
  return { account_id, directive: name, blocked: placeOf(blocked), source: placeOf(source), line: at };
}

// `inline`, `eval`, `data`, `blob`, a browser extension's scheme.
const word = /^[a-z][a-z-]{0,30}$/;

/**
 * An address as far as it may be kept: origin and path, without what may be somebody's: queries, fragments, credentials, long
 * numbers and tokens; of `data:` and the like the scheme alone.
 */
function placeOf(value: unknown): string {
  if (typeof value !== "string" || value === "") return "";
  if (word.test(value)) return value;
  if (!URL.canParse(value)) return hidden;
  const { protocol, host, pathname } = new URL(value);
  if (host === "" || !/^(https?|wss?|[a-z-]+-extension):$/.test(protocol)) return protocol.slice(0, 30);
  return maskedText(`${protocol}//${host}${decoded(pathname)}`.toWellFormed().replaceAll("\0", "\ufffd"))
    .slice(0, text_max)
    .toWellFormed();
}

/** An encoding hides nothing from the mask. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
