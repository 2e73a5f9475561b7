// Mail leaves through an outbox: its row is written in the commit of what it tells, and the worker sends it. Under
// `start` without SMTP it stays there, as a mailbox; under `serve` without SMTP there is no mail (reference: extensions,
// section 1).

import { hash, randomBytes } from "node:crypto";
import { type MailKind, type MailText, mail_texts } from "../domain/mail-texts.ts";
import { Refused } from "../domain/refusal.ts";
import { accountById, type Db } from "../storage/directory.ts";
import { insertMail, type MailRow, mailsSince } from "../storage/mails.ts";
import { ulid } from "./ids.ts";
import type { Services } from "./services.ts";

/** Where mail goes: to an SMTP server, into the mailbox under `start`, or nowhere. */
export type MailWay = "smtp" | "mailbox" | "none";

const hour_ms = 3_600_000;
const day_ms = 24 * hour_ms;
// Nobody's mailbox is filled by us, whoever asks.
const per_recipient_an_hour_max = 5;
// Nor are many strangers', by an account that invites them or a user who claims their addresses.
const per_behalf_a_day_max = 100;
// What no server took by then is given up.
const tried_ms = day_ms;

const token_bytes = 32;
const seal_purpose = "mail";

/** A one-time token for a mail, and what is stored of it. */
export function newToken(): { readonly token: string; readonly hash: Buffer } {
  const token = randomBytes(token_bytes).toString("base64url");
  return { token, hash: tokenHash(token) };
}

export const tokenHash = (token: string): Buffer => hash("sha256", token, "buffer");

/** Throws 503 where mail is not configured. Asked before anything else, so that it tells about nobody. */
export function mustHaveMail({ mail }: Services): void {
  if (mail === "none") throw new Refused("mail_not_configured");
}

/**
 * The page of the manager that a mail leads to. The token stands in the fragment, which browsers keep to themselves: it
 * reaches no server's log.
 */
export const managerLink = ({ addresses }: Services, page: string, token?: string): string =>
  `${addresses.manager_url}/${page}${token === undefined ? "" : `#token=${token}`}`;

type Wanted = MailText & {
  readonly kind: MailKind;
  /** Lower case. */
  readonly recipient: string;
  /** Whose wish it is: `account:7`, `user:7`; null: anybody's. */
  readonly behalf: string | null;
  /** How long what it says is of use. */
  readonly lasts_ms?: number;
  /** Written all the same, for the time that it takes, but never sent: no user has this e-mail. */
  readonly nobody?: boolean;
};

/**
 * Inside a transaction: puts a mail into the outbox. Answers false, and writes a row that is not sent, where the
 * recipient was mailed enough; where there is no mail nothing is written.
 */
export async function queueMail(services: Services, db: Db, wanted: Wanted): Promise<boolean> {
  const { mail, seal, clock, log } = services;
  if (mail === "none") return false;
  const { kind, recipient, behalf, subject, text, lasts_ms = tried_ms, nobody = false } = wanted;
  const at = clock.now();
  const before = (ms: number): Date => new Date(at.getTime() - ms);
  const sent = await mailsSince(db, {
    ...{ kind, recipient, behalf, hour_ago: before(hour_ms), day_ago: before(day_ms) },
  });
  const enough = sent.recipient >= per_recipient_an_hour_max || sent.behalf >= per_behalf_a_day_max;
  const state = nobody || enough ? "nobody" : mail === "smtp" ? "pending" : "kept";
  await insertMail(db, {
    id: ulid(at),
    kind,
    recipient,
    behalf,
    sealed: seal.close(JSON.stringify({ subject, text }), seal_purpose),
    state,
    next_attempt_at: state === "pending" ? at : null,
    expires_at: new Date(at.getTime() + Math.min(lasts_ms, tried_ms)),
    created_at: at,
  });
  if (state === "kept") log.info({ kind }, "a mail is in the mailbox: coolpay mailbox shows it");
  return !enough;
}

/** What an account is called in a mail. */
export const shopName = async (db: Db, account_id: number): Promise<string> =>
  (await accountById(db, account_id))?.settings.shop_name ?? "";

type Invitation = {
  readonly account_id: number;
  readonly id: number;
  readonly email: string;
  readonly token: string;
};

/** Where there is mail, and not more of it than a stranger should get; the inviter may always hand on the token herself. */
export async function mailInvitation(services: Services, db: Db, invitation: Invitation): Promise<void> {
  const { account_id, id, email, token } = invitation;
  const link = managerLink(services, `invitations/${id}`, token);
  const text = mail_texts.invitation({ shop: await shopName(db, account_id), link, token });
  await queueMail(services, db, { kind: "invitation", recipient: email, behalf: `account:${account_id}`, ...text });
}

/** What was sealed. Throws `SealError` with another master key. */
export const openMail = ({ seal }: { readonly seal: Pick<Services["seal"], "open"> }, { sealed }: MailRow): MailText =>
  JSON.parse(seal.open(sealed ?? Buffer.alloc(0), seal_purpose));
