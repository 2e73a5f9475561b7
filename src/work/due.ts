// Deadlines and capture dates: what happens to a transaction when its time has come. And what grows old is forgotten or
// erased.

import { whenDue } from "../services/due.ts";
import { each } from "../services/each.ts";
import { eraseOld } from "../services/retention.ts";
import type { Services } from "../services/services.ts";
import { forgetAttempts } from "../storage/card-testing.ts";
import { forgetReports } from "../storage/csp-reports.ts";
import { forgetExports } from "../storage/exports.ts";
import { forgetKeys, keys_kept_ms } from "../storage/idempotency.ts";
import { forgetMails } from "../storage/mails.ts";
import { forgetRequests } from "../storage/requests.ts";
import { forgetSessions } from "../storage/sessions.ts";
import { dueTransactions } from "../storage/transactions.ts";
import { forgetOldProofs } from "../storage/two-factor.ts";
import { deleteUnused } from "../storage/vault.ts";
import { forgetWindowSessions } from "../storage/window-sessions.ts";
import type { Leases } from "./leases.ts";
import { type Loop, startLoop } from "./loop.ts";

const pause_ms = 1_000;
const batch_max = 200;
const at_once = 16;

export function startDue(services: Services, leases: Leases): Loop {
  async function round(stopping: AbortSignal): Promise<boolean> {
    const slots = leases.slots();
    if (slots.length === 0) return false;
    const now = services.clock.now();
    const due = await dueTransactions(services.pool, { slots, now, limit: batch_max });
    await each(due, {
      at_once,
      stopping,
      work: (key) => whenDue(services, key),
      failed: (key, error) => services.log.warn({ ...key, error: String(error) }, "a due transaction must wait"),
    });
    return false;
  }
  return startLoop({ name: "due", pause_ms, log: services.log, round });
}

const forgetting_pause_ms = 600_000;
// Long enough for somebody who asks where her mail is.
const mails_kept_ms = 7 * 24 * 3_600_000;
const mailbox_max = 500;
const day_ms = 86_400_000;
// What was declined counts for an hour; whoever looks into an attack has the day.
const card_attempts_kept_ms = day_ms;
// A quarter, so that whoever reviews the scripts (PCI DSS 6.4.3) sees it all.
const csp_reports_kept_ms = 90 * day_ms;

type Kept = { readonly request_log_days: number };

export const startForgetting = (services: Services, { request_log_days }: Kept): Loop =>
  startLoop({
    name: "forgetting",
    pause_ms: forgetting_pause_ms,
    log: services.log,
    round: async () => {
      const now = services.clock.now();
      const before = (ms: number): Date => new Date(now.getTime() - ms);
      await forgetKeys(services.pool, before(keys_kept_ms));
      await deleteUnused(services.pool);
      await forgetMails(services.pool, { now, mails_before: before(mails_kept_ms), kept_max: mailbox_max });
      await forgetOldProofs(services.pool, now);
      await forgetSessions(services.pool, now);
      await forgetWindowSessions(services.pool, now);
      await forgetExports(services.pool, now);
      await forgetAttempts(services.pool, before(card_attempts_kept_ms));
      await forgetReports(services.pool, before(csp_reports_kept_ms));
      await forgetRequests(services.pool, before(request_log_days * day_ms));
      return false;
    },
  });

const retention_pause_ms = 600_000;

export const startRetention = (services: Services, leases: Leases, months: number): Loop =>
  startLoop({
    name: "retention",
    pause_ms: retention_pause_ms,
    log: services.log,
    round: (stopping) => eraseOld(services, { slots: leases.slots(), months, stopping }),
  });
