// v10 over v09, the form of about 2018 (reference: extensions, section 5).

import type { Change } from "./change.ts";
import { trailBefore } from "./trail.ts";

const spelled = {
  continue_url: "continueurl",
  cancel_url: "cancelurl",
  callback_url: "callbackurl",
  auto_fee: "autofee",
  auto_capture: "autocapture",
};
const { auto_capture: _, ...spelled_subscription } = spelled;
const { auto_fee: __, ...spelled_payout } = spelled_subscription;

const spelled_in_trail = Object.fromEntries(
  Object.entries(spelled).map(([newer, older]) => [`link_${newer}`, `link_${older}`]),
);

const link_news = ["moto", "fee_vat", "auto_capture_at"];
const numbered = { absent: ["ulid", "reseller_id"] };

export const changes: readonly Change[] = [
  {
    says:
      "Links of payments, subscriptions and payouts say `continue_url`, `cancel_url`, `callback_url`, `auto_fee` and " +
      "`auto_capture` (were `continueurl`, `cancelurl`, `callbackurl`, `autofee`, `autocapture`).",
    objects: { PaymentLink: { named: spelled }, Activity: trailBefore({ named: spelled_in_trail }) },
    requests: [
      { endpoints: ["PUT /payments/:id/link"], named: spelled },
      { endpoints: ["PUT /subscriptions/:id/link"], named: spelled_subscription },
      { endpoints: ["PUT /payouts/:id/link"], named: spelled_payout },
    ],
  },
  {
    says:
      "`ulid` and `reseller_id` are new, and `3d_secure_type` and `moto` in `metadata`, and `moto`, `fee_vat` and " +
      "`auto_capture_at` on links.",
    objects: {
      Payment: numbered,
      Subscription: numbered,
      Metadata: { absent: ["3d_secure_type", "moto"] },
      PaymentLink: { absent: link_news },
      Activity: trailBefore({ absent: /^(metadata_(3d_secure_type|moto)|link_(moto|fee_vat|auto_capture_at))$/ }),
    },
    requests: [{ endpoints: ["PUT /payments/:id/link", "PUT /subscriptions/:id/link"], absent: link_news }],
  },
  { says: "Lists carry `Link` headers to the next and the previous page.", switches: { link_headers: false } },
];
