// v11b over v10 (reference: extensions, section 5).

import { TextsShape } from "../errors.ts";
import { type Before, type Change, wholeSeconds } from "./change.ts";
import { trailBefore } from "./trail.ts";

const status: NonNullable<Before["named"]> = {
  // CoolPay's own WHCMS and WooCommerce modules read the `cp_*` twins.
  status_code: ["qp_status_code", "cp_status_code"],
  status_msg: ["qp_status_msg", "cp_status_msg"],
  acquirer_status_code: "aq_status_code",
  acquirer_status_msg: "aq_status_msg",
};

const spelled = { continue_url: "continueurl", cancel_url: "cancelurl", callback_url: "callbackurl" };
const payment_spelled = { ...spelled, auto_fee: "autofee", auto_capture: "autocapture" };

const amounts = ["authorized_amount", "captured_amount", "refunded_amount"];
const gained: Before = { absent: [...amounts, "allowed_operations"] };

const isInstant = (value: unknown): boolean =>
  typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value);

/** Lists of texts, as errors have always been. */
function onlyTexts(errors: Readonly<Record<string, unknown>> | null): unknown {
  if (errors === null) return null;
  return Object.fromEntries(Object.entries(errors).filter(([, texts]) => Array.isArray(texts)));
}

export const changes: readonly Change[] = [
  {
    says:
      "Operations say `status_code`, `status_msg`, `acquirer_status_code` and `acquirer_status_msg` (were `qp_*` and " +
      "`aq_*`); the `cp_*` twins are gone.",
    objects: { Operation: { named: status }, CardOperation: { named: status } },
  },
  {
    says: "Errors carry a stable word in `error_code`: `order_id_taken`, `amount_too_large`, `wrong_state`, …",
    objects: { Error: { valued: { error_code: () => null } } },
  },
  {
    says:
      "Transactions gain `authorized_amount`, `captured_amount` and `refunded_amount` (saved cards have no amounts), and " +
      "`allowed_operations`: what can be done with them now.",
    objects: {
      Payment: gained,
      Subscription: gained,
      Payout: gained,
      Card: { absent: ["allowed_operations"] },
    },
  },
  {
    says: "`synchronized` on `POST /subscriptions/{id}/recurring` is gone: it always answers 202.",
    switches: { synchronized_recurring: true },
  },
  {
    says: "Unknown parameters are refused with `is unknown`; they were ignored.",
    switches: { refuse_unknown: false },
  },
  {
    says:
      "Links say `continue_url`, `cancel_url` and `callback_url`, saved cards' links too; the old spellings " +
      "`continueurl`, `cancelurl`, `callbackurl`, `autofee` and `autocapture` are gone.",
    objects: { CardLink: { named: spelled } },
    requests: [
      { endpoints: ["PUT /payments/:id/link"], named: payment_spelled, both: true },
      {
        endpoints: ["PUT /subscriptions/:id/link"],
        named: { ...spelled, auto_fee: "autofee" },
        both: true,
      },
      { endpoints: ["PUT /cards/:id/link", "PUT /payouts/:id/link"], named: spelled, both: true },
    ],
  },
  {
    says: "`PATCH` merges `variables` into those there are, and null removes one; it replaced them.",
    switches: { merge_variables: false },
  },
  {
    says: "Instants have milliseconds: `2026-01-12T09:14:33.123Z`.",
    whole_seconds: true,
    objects: { Activity: trailBefore({ valued: (value) => (isInstant(value) ? wholeSeconds(value) : value) }) },
  },
  {
    says: "The 409 of an `order_id` that is taken tells the other transaction's `id`, `state` and `link` in `errors`.",
    objects: { Error: { valued: { errors: onlyTexts }, shaped: { errors: TextsShape } } },
  },
];
