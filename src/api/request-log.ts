// What is known of a request when its answer leaves: a line of the log, and the metrics.

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

export type RequestLog = (line: RequestLine) => void;
