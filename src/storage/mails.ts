// The outbox of mail, and the one-time tokens that were mailed. Tokens are found by their SHA-256 and used once.

import type pg from "pg";
import type { Db } from "./directory.ts";

export type MailRow = {
  readonly id: string;
  readonly kind: string;
  readonly recipient: string;
  /** Whose wish it is: `account:7`, `user:7`; null: anybody's. */
  readonly behalf: string | null;
  readonly sealed: Buffer | null;
  /** `kept`: in the mailbox. `nobody`: written for the time that it takes, for an e-mail that no user has. */
  readonly state: "pending" | "sent" | "given_up" | "kept" | "nobody";
  readonly attempts: number;
  readonly next_attempt_at: Date | null;
  readonly expires_at: Date;
  readonly created_at: Date;
};

export type NewMail = Omit<MailRow, "attempts">;

export async function insertMail(db: Db, mail: NewMail): Promise<void> {
  await db.query(
    `INSERT INTO mails (id, kind, recipient, behalf, sealed, state, next_attempt_at, expires_at, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      mail.id,
      mail.kind,
      mail.recipient,
      mail.behalf,
      mail.sealed,
      mail.state,
      mail.next_attempt_at,
      mail.expires_at,
      mail.created_at,
    ],
  );
}

type Counted = {
  readonly kind: string;
  readonly recipient: string;
  readonly behalf: string | null;
  readonly hour_ago: Date;
  readonly day_ago: Date;
};

/** How much of this kind the recipient was mailed within the hour, and everybody on the same behalf within the day. */
export async function mailsSince(db: Db, { kind, recipient, behalf, hour_ago, day_ago }: Counted) {
  const { rows } = await db.query<{ recipient: number; behalf: number }>(
    `SELECT (SELECT count(*)::int FROM mails
         WHERE recipient = $1 AND kind = $2 AND created_at > $3 AND state <> 'nobody') AS recipient,
       (SELECT count(*)::int FROM mails WHERE behalf = $4 AND kind = $2 AND created_at > $5 AND state <> 'nobody') AS behalf`,
    [recipient, kind, hour_ago, behalf, day_ago],
  );
  return rows[0] ?? { recipient: 0, behalf: 0 };
}

export async function dueMails(pool: pg.Pool, { now, limit }: { now: Date; limit: number }): Promise<MailRow[]> {
  const { rows } = await pool.query<MailRow>(
    "SELECT * FROM mails WHERE state = 'pending' AND next_attempt_at <= $1 ORDER BY next_attempt_at LIMIT $2",
    [now, limit],
  );
  return rows;
}

type Attempt = {
  readonly id: string;
  readonly state: "pending" | "sent" | "given_up";
  readonly next_attempt_at: Date | null;
  readonly error: string | null;
};

/** What came of an attempt. What is over keeps no text. */
export async function recordAttempt(pool: pg.Pool, { id, state, next_attempt_at, error }: Attempt): Promise<void> {
  await pool.query(
    `UPDATE mails SET state = $2, attempts = attempts + 1, next_attempt_at = $3, error = $4,
       sealed = CASE WHEN $2 = 'pending' THEN sealed END WHERE id = $1`,
    [id, state, next_attempt_at, error],
  );
}

/** The mailbox, newest first. */
export async function keptMails(pool: pg.Pool, limit: number): Promise<MailRow[]> {
  const { rows } = await pool.query<MailRow>("SELECT * FROM mails WHERE state = 'kept' ORDER BY id DESC LIMIT $1", [
    limit,
  ]);
  return rows;
}

type Old = { readonly now: Date; readonly mails_before: Date; readonly kept_max: number };

/** Tokens that have expired, mails to nobody and from before that time, and what is too much in the mailbox. */
export async function forgetMails(pool: pg.Pool, { now, mails_before, kept_max }: Old): Promise<void> {
  await pool.query("DELETE FROM mail_tokens WHERE expires_at <= $1", [now]);
  await pool.query("DELETE FROM mails WHERE state = 'nobody' OR (created_at < $1 AND state <> 'pending')", [
    mails_before,
  ]);
  await pool.query(
    "DELETE FROM mails WHERE state = 'kept' AND id < (SELECT id FROM mails WHERE state = 'kept' ORDER BY id DESC OFFSET $1 LIMIT 1)",
    [kept_max - 1],
  );
}

export type Purpose = "verification" | "password_reset";

type Token = {
  readonly hash: Buffer;
  readonly purpose: Purpose;
  readonly user_id: number | null;
  readonly email: string;
  readonly expires_at: Date;
};

export async function insertToken(db: Db, { hash, purpose, user_id, email, expires_at }: Token): Promise<void> {
  await db.query("INSERT INTO mail_tokens (hash, purpose, user_id, email, expires_at) VALUES ($1, $2, $3, $4, $5)", [
    hash,
    purpose,
    user_id,
    email,
    expires_at,
  ]);
}

type Presented = { readonly hash: Buffer; readonly purpose: Purpose; readonly now: Date };
type Holder = { readonly user_id: number; readonly email: string };

const valid = "FROM mail_tokens WHERE hash = $1 AND purpose = $2 AND expires_at > $3 AND user_id IS NOT NULL";

/** Whose token this is; null: nobody's (any more). It is not used by that. */
export async function tokenHolder(db: Db, { hash, purpose, now }: Presented): Promise<Holder | null> {
  return (await db.query<Holder>(`SELECT user_id, email ${valid}`, [hash, purpose, now])).rows[0] ?? null;
}

/** The same, and it is used: of many at the same moment one is answered with its holder. */
export async function useToken(db: Db, { hash, purpose, now }: Presented): Promise<Holder | null> {
  return (await db.query<Holder>(`DELETE ${valid} RETURNING user_id, email`, [hash, purpose, now])).rows[0] ?? null;
}

/** Every token of this user, or those of one purpose. */
export async function forgetTokens(db: Db, user_id: number, purpose: Purpose | null = null): Promise<void> {
  await db.query("DELETE FROM mail_tokens WHERE user_id = $1 AND ($2::text IS NULL OR purpose = $2)", [
    user_id,
    purpose,
  ]);
}
