// v09 over v08, the form of about 2015 (reference: extensions, section 5).

import type { Before, Change } from "./change.ts";
import { trailBefore } from "./trail.ts";

/** The five codes of that time, for those that came later. */
const older_codes: Readonly<Record<string, string>> = {
  "30100": "40000",
  "30101": "40000",
  "40300": "40000",
  "41000": "40000",
  "42300": "40000",
  "40002": "40001",
  "40003": "40001",
};
const olderCode = (code: string | null): string | null => (code === null ? null : (older_codes[code] ?? code));

const operation: Before = {
  valued: { qp_status_code: olderCode, cp_status_code: olderCode },
  absent: ["callback_url", "callback_success", "callback_response_code", "callback_duration", "callback_at"],
};

const codes_in_trail = trailBefore({
  valued: (value, name) => (name === "operation_status_code" ? olderCode(value as string | null) : value),
});

const later_times = { absent: ["updated_at", "retented_at", "deadline_at"] };

export const changes: readonly Change[] = [
  {
    says:
      "Status codes beyond 20000, 40000, 40001, 50000 and 50300 are new: 30100, 30101, 40300, 41000 and 42300 were shown " +
      "as 40000, and 40002 and 40003 as 40001.",
    objects: { Operation: operation, CardOperation: operation, Activity: codes_in_trail },
  },
  {
    says:
      "`callback_url`, `callback_success`, `callback_response_code`, `callback_duration` and `callback_at` on operations " +
      "are new, `updated_at`, `retented_at` and `deadline_at`, and `bin`, `corporate`, `hash` and `fraud_*` in `metadata`.",
    objects: {
      Payment: later_times,
      Subscription: later_times,
      Payout: { absent: ["updated_at", "retented_at"] },
      Activity: trailBefore({
        absent: /^(retented_at|deadline_at|link_deadline_at|metadata_(bin|corporate|hash|fraud_.*))$/,
      }),
      Metadata: {
        absent: [
          ...["bin", "corporate", "hash", "fraud_suspected", "fraud_remarks"],
          ...["fraud_reported", "fraud_report_description", "fraud_reported_at"],
        ],
      },
    },
    requests: [{ endpoints: ["PATCH /payments/:id", "PATCH /subscriptions/:id"], absent: ["deadline_at"] }],
  },
  {
    says: "Callbacks that are answered with 302 or 303 count as delivered; only 2xx did.",
    switches: { callback_2xx_only: true },
  },
];
