// Sends the outbox of mail by SMTP (RFC 5321). One process at a time does: whoever holds the first slot's lease. An answer
// has three outcomes: taken, refused for good, or unknown, and then it is sent again under the same Message-ID.

import { each } from "../services/each.ts";
import { openMail } from "../services/mails.ts";
import type { Services } from "../services/services.ts";
import { dueMails, type MailRow, recordAttempt } from "../storage/mails.ts";
import type { Leases } from "./leases.ts";
import { type Loop, startLoop } from "./loop.ts";

const slot = 0;
const pause_ms = 500;
const batch_max = 50;
const at_once = 4;

const minute_ms = 60_000;
// Somebody waits for it at first; later the server has a longer trouble.
const delays_ms = [0.25, 1, 5, 15].map((minutes) => minutes * minute_ms);
const later_ms = 30 * minute_ms;

const connect_timeout_ms = 10_000;
const answer_timeout_ms = 30_000;

/** How mail leaves. */
export type Smtp = {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte. */
  readonly secure: boolean;
  /** Never without STARTTLS: mails hold tokens, and beyond this machine they travel encrypted. */
  readonly starttls: boolean;
  readonly login: { readonly user: string; readonly password: string } | null;
  readonly from: { readonly name: string; readonly address: string };
};

type Options = { readonly services: Services; readonly leases: Leases; readonly smtp: Smtp };

type Outcome = { readonly taken: true } | { readonly taken: false; readonly for_good: boolean; readonly why: string };

export function startMails({ services, leases, smtp }: Options): Loop {
  const { pool, clock, log } = services;
  const send = sender(services, smtp);

  async function attempt(mail: MailRow): Promise<void> {
    const outcome = await send(mail);
    const now = clock.now();
    if (outcome.taken) return recordAttempt(pool, { id: mail.id, state: "sent", next_attempt_at: null, error: null });
    const { for_good, why: error } = outcome;
    const next_attempt_at = new Date(now.getTime() + (delays_ms[mail.attempts] ?? later_ms));
    const over = for_good || next_attempt_at > mail.expires_at;
    log.warn({ mail: mail.id, kind: mail.kind, error }, over ? "a mail was given up" : "a mail will be sent again");
    await recordAttempt(pool, {
      id: mail.id,
      state: over ? "given_up" : "pending",
      next_attempt_at: over ? null : next_attempt_at,
      error,
    });
  }

  return startLoop({
    name: "mails",
    pause_ms,
    log,
    round: async (stopping) => {
      if (!leases.slots().includes(slot)) return false;
      const release = leases.hold(slot);
      try {
        const due = await dueMails(pool, { now: clock.now(), limit: batch_max });
        await each(due, {
          at_once,
          stopping,
          work: attempt,
          failed: (mail, error) => log.warn({ mail: mail.id, error: String(error) }, "a mail could not be noted"),
        });
        return due.length === batch_max;
      } finally {
        release();
      }
    },
  });
}

function sender(
  services: Services,
  { host, port, secure, starttls, login, from }: Smtp,
): (mail: MailRow) => Promise<Outcome> {
  // Loaded where there is mail: every process would pay for it at its start.
  const transport = import("nodemailer").then(({ createTransport }) =>
    createTransport({
      host,
      port,
      secure,
      requireTLS: starttls && !secure,
      ...(login === null ? {} : { auth: { user: login.user, pass: login.password } }),
      connectionTimeout: connect_timeout_ms,
      greetingTimeout: answer_timeout_ms,
      socketTimeout: answer_timeout_ms,
      disableFileAccess: true,
      disableUrlAccess: true,
    }),
  );
  const domain = from.address.split("@")[1] ?? host;
  return async (mail) => {
    try {
      const { subject, text } = openMail(services, mail);
      await (await transport).sendMail({
        from,
        // As objects: nothing in an address is read as a list of addresses.
        to: { name: "", address: mail.recipient },
        envelope: { from: { name: "", address: from.address }, to: [{ name: "", address: mail.recipient }] },
        messageId: `<${mail.id}@${domain}>`,
        date: mail.created_at,
        subject,
        text,
        // RFC 3834: nobody's absence note shall answer.
        headers: { "Auto-Submitted": "auto-generated" },
      });
      return { taken: true };
    } catch (error) {
      return refusedBy(error);
    }
  };
}

/** What the server said is not kept: it may repeat the recipient, or what was sent. */
function refusedBy(error: unknown): Outcome {
  const { code = "unknown", responseCode = 0, command = "" } = error as { [name: string]: unknown };
  const why = responseCode === 0 ? String(code) : `${code} ${responseCode} to ${command}`;
  // A login or sender that is refused is the operator's to mend, not this mail's fault.
  const about_the_mail = command === "RCPT TO" || command === "DATA";
  const permanent = Number(responseCode) >= 500 && Number(responseCode) < 600;
  return { taken: false, for_good: about_the_mail && permanent, why };
}
