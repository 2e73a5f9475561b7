// What is known of a request when its answer leaves: a line of the log, the metrics, and what the merchant sees in
// /requests (services/request-log.ts).

import type { Said } from "../services/request-log.ts";

export type RequestLine = {
  readonly id: string;
  readonly method: string;
  /** As sent, after tidying; its query may hold anything, so logs show only the part before it. */
  readonly path: string;
  /** As declared, for metrics; null when there is none. */
  readonly route: string | null;
  readonly status: number;
  readonly duration_ms: number;
  readonly version: string | null;
  readonly agreement_id: number | null;
  readonly ip: string;
};

/** `said`: what a merchant may see of it; nothing that goes into the program's own log. */
export type RequestLog = (line: RequestLine, said: Said) => void;
