// Reads and writes of users, accounts and agreements: small shared tables, found by key, e-mail or id.

import type pg from "pg";
import type { AclPermission, Agreement, Service } from "../domain/access.ts";
import type { AccountSettings } from "../domain/account.ts";

export type AccountRow = {
  readonly id: number;
  readonly settings: AccountSettings;
  readonly private_key: Buffer;
  readonly old_private_key: Buffer | null;
  readonly private_key_changed_at: Date | null;
  /** Its plan's name; null: the first of the configuration. */
  readonly plan: string | null;
  readonly created_at: Date;
  readonly suspended_at: Date | null;
  readonly closed_at: Date | null;
};

export type UserRow = {
  readonly id: number;
  readonly name: string;
  readonly email: string | null;
  readonly email_verified: boolean;
  readonly password_hash: string | null;
  readonly is_system: boolean;
  readonly created_at: Date;
  /** A second factor is in force. */
  readonly two_factor: boolean;
};

export type AgreementRow = {
  readonly id: number;
  readonly account_id: number;
  readonly user_id: number | null;
  readonly user_name: string | null;
  readonly user_email: string | null;
  readonly user_is_system: boolean | null;
  readonly invited_email: string | null;
  readonly invitation_hash: Buffer | null;
  readonly owner: boolean;
  readonly service: Service | null;
  readonly locked: boolean;
  readonly accepted: boolean;
  readonly description: string | null;
  readonly permissions: readonly AclPermission[] | null;
  readonly ip_restriction: readonly { readonly address: string }[];
  readonly key_sealed: Buffer | null;
  readonly created_at: Date;
};

/** A pool, or one connection of it inside a transaction. */
export type Db = Pick<pg.Pool, "query">;

const agreement_columns = `a.id, a.account_id, a.user_id, u.name AS user_name, u.email AS user_email,
  u.is_system AS user_is_system, a.invited_email, a.invitation_hash, a.owner, a.service, a.locked, a.accepted,
  a.description, a.permissions, a.ip_restriction, a.key_sealed, a.created_at`;
const agreements = `SELECT ${agreement_columns} FROM agreements a
  JOIN accounts c ON c.id = a.account_id LEFT JOIN users u ON u.id = a.user_id
  WHERE a.ended_at IS NULL AND c.closed_at IS NULL`;

async function first<Row extends pg.QueryResultRow>(db: Db, text: string, values: unknown[]): Promise<Row | null> {
  const { rows } = await db.query<Row>(text, values);
  return rows[0] ?? null;
}

export const agreementByKeyHash = (db: Db, hash: Buffer) =>
  first<AgreementRow>(db, `${agreements} AND a.key_hash = $1 AND a.accepted`, [hash]);

export const agreementById = (db: Db, id: number) => first<AgreementRow>(db, `${agreements} AND a.id = $1`, [id]);

export const agreementsOfUser = async (db: Db, user_id: number): Promise<AgreementRow[]> =>
  (await db.query<AgreementRow>(`${agreements} AND a.user_id = $1 ORDER BY a.id`, [user_id])).rows;

export const agreementsOfAccount = async (db: Db, account_id: number): Promise<AgreementRow[]> =>
  (await db.query<AgreementRow>(`${agreements} AND a.account_id = $1 ORDER BY a.id`, [account_id])).rows;

const users = `SELECT u.id, u.name, u.email, u.email_verified, u.password_hash, u.is_system, u.created_at,
    EXISTS (SELECT FROM two_factors t WHERE t.user_id = u.id AND t.confirmed_at IS NOT NULL) AS two_factor
  FROM users u WHERE u.deleted_at IS NULL`;

export const userByEmail = (db: Db, email: string) =>
  first<UserRow>(db, `${users} AND u.email = $1 AND NOT u.is_system`, [email.toLowerCase()]);

export const userById = (db: Db, id: number) => first<UserRow>(db, `${users} AND u.id = $1`, [id]);

/** Closed ones too: what was begun on them is still settled, and their callbacks are signed. */
export const accountById = (db: Db, id: number) => first<AccountRow>(db, "SELECT * FROM accounts WHERE id = $1", [id]);

type Counter = "users" | "accounts" | "agreements" | "processes" | "access_requests" | "sessions";

/** The next id of a shared table. */
export async function nextCounter(db: Db, name: Counter): Promise<number> {
  const row = await first<{ next: number }>(
    db,
    "UPDATE counters SET next = next + 1 WHERE name = $1 RETURNING next - 1 AS next",
    [name],
  );
  if (row === null) throw new Error(`there is no counter ${name}`);
  return row.next;
}

export const toAgreement = (row: AgreementRow): Agreement => ({
  id: row.id,
  account_id: row.account_id,
  user_id: row.user_id,
  user_name: row.user_name,
  owner: row.owner,
  service: row.service,
  locked: row.locked,
  permissions: row.permissions,
  ip_restriction: row.ip_restriction,
});

export const agreementByInvitation = (db: Db, hash: Buffer) =>
  first<AgreementRow>(db, `${agreements} AND a.invitation_hash = $1 AND NOT a.accepted`, [hash]);

/** An open invitation to this e-mail, or an agreement of this user. */
export const agreementsFor = async (
  db: Db,
  { user_id, email }: { user_id: number; email: string | null },
): Promise<AgreementRow[]> =>
  (
    await db.query<AgreementRow>(
      `${agreements} AND (a.user_id = $1 OR (NOT a.accepted AND a.invited_email = $2)) ORDER BY a.id`,
      [user_id, email],
    )
  ).rows;

/** Serializes changes of an account and its agreements: two last owners cannot leave at once. */
export async function lockAccount(db: Db, account_id: number): Promise<void> {
  await db.query("SELECT FROM accounts WHERE id = $1 FOR UPDATE", [account_id]);
}

/** Until the transaction ends nobody else changes this user. */
export const lockUser = (db: Db, id: number) => first<UserRow>(db, `${users} AND u.id = $1 FOR UPDATE OF u`, [id]);

export type NewUser = Omit<UserRow, "id" | "email_verified" | "two_factor"> & { readonly email_verified?: boolean };

/** Throws a unique violation (`users_email_key`) when the e-mail is taken. */
export async function insertUser(db: Db, user: NewUser): Promise<number> {
  const id = await nextCounter(db, "users");
  await db.query(
    `INSERT INTO users (id, name, email, email_verified, password_hash, is_system, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [
      id,
      user.name,
      user.email?.toLowerCase() ?? null,
      user.email_verified ?? false,
      user.password_hash,
      user.is_system,
      user.created_at,
    ],
  );
  return id;
}

type UserChanges = {
  readonly name: string;
  readonly email: string | null;
  readonly email_verified: boolean;
  readonly password_hash: string | null;
};

export async function updateUser(db: Db, id: number, user: UserChanges): Promise<void> {
  await db.query("UPDATE users SET name = $2, email = $3, email_verified = $4, password_hash = $5 WHERE id = $1", [
    id,
    user.name,
    user.email,
    user.email_verified,
    user.password_hash,
  ]);
}

/** The row stays for the audit trail; what names the person goes. */
export async function deleteUser(db: Db, id: number, at: Date): Promise<void> {
  await db.query(
    "UPDATE users SET deleted_at = $2, name = 'Deleted user', email = NULL, password_hash = NULL WHERE id = $1",
    [id, at],
  );
}

export async function insertAccount(
  db: Db,
  account: { settings: unknown; private_key: Buffer; created_at: Date },
): Promise<number> {
  const id = await nextCounter(db, "accounts");
  await db.query("INSERT INTO accounts (id, settings, private_key, created_at) VALUES ($1, $2, $3, $4)", [
    id,
    JSON.stringify(account.settings),
    account.private_key,
    account.created_at,
  ]);
  return id;
}

export async function updateSettings(db: Db, account_id: number, settings: unknown): Promise<void> {
  await db.query("UPDATE accounts SET settings = $2 WHERE id = $1", [account_id, JSON.stringify(settings)]);
}

export async function changePrivateKey(
  db: Db,
  account_id: number,
  change: { private_key: Buffer; at: Date },
): Promise<void> {
  await db.query(
    "UPDATE accounts SET old_private_key = private_key, private_key = $2, private_key_changed_at = $3 WHERE id = $1",
    [account_id, change.private_key, change.at],
  );
}

/** Null: it charges again. */
export async function suspendAccount(db: Db, account_id: number, at: Date | null): Promise<void> {
  await db.query("UPDATE accounts SET suspended_at = $2 WHERE id = $1", [account_id, at]);
}

/** Its books stay; nobody can act on it any more, and its API keys are gone. */
export async function closeAccount(db: Db, account_id: number, at: Date): Promise<void> {
  await db.query("UPDATE accounts SET closed_at = $2 WHERE id = $1", [account_id, at]);
  await db.query(
    `UPDATE agreements SET ended_at = $2, key_hash = NULL, key_sealed = NULL, invitation_hash = NULL
     WHERE account_id = $1 AND ended_at IS NULL`,
    [account_id, at],
  );
}

export type NewAgreement = Pick<
  AgreementRow,
  | "account_id"
  | "user_id"
  | "owner"
  | "service"
  | "locked"
  | "accepted"
  | "description"
  | "permissions"
  | "ip_restriction"
  | "created_at"
> & {
  readonly invited_email?: string | null | undefined;
  readonly invitation_hash?: Buffer | null;
  readonly key_hash?: Buffer | null;
  readonly key_sealed?: Buffer | null;
};

export async function insertAgreement(db: Db, a: NewAgreement): Promise<number> {
  const id = await nextCounter(db, "agreements");
  await db.query(
    `INSERT INTO agreements (id, account_id, user_id, owner, service, locked, accepted, description, permissions, ip_restriction,
       invited_email, invitation_hash, key_hash, key_sealed, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
    [
      id,
      a.account_id,
      a.user_id,
      a.owner,
      a.service,
      a.locked,
      a.accepted,
      a.description,
      a.permissions === null ? null : JSON.stringify(a.permissions),
      JSON.stringify(a.ip_restriction),
      a.invited_email ?? null,
      a.invitation_hash ?? null,
      a.key_hash ?? null,
      a.key_sealed ?? null,
      a.created_at,
    ],
  );
  return id;
}

type AgreementChanges = Pick<AgreementRow, "owner" | "description" | "permissions" | "ip_restriction">;

export async function updateAgreement(db: Db, id: number, a: AgreementChanges): Promise<void> {
  await db.query(
    "UPDATE agreements SET owner = $2, description = $3, permissions = $4, ip_restriction = $5 WHERE id = $1",
    [
      id,
      a.owner,
      a.description,
      a.permissions === null ? null : JSON.stringify(a.permissions),
      JSON.stringify(a.ip_restriction),
    ],
  );
}

export async function updateKey(db: Db, id: number, key: { key_hash: Buffer; key_sealed: Buffer }): Promise<void> {
  await db.query("UPDATE agreements SET key_hash = $2, key_sealed = $3 WHERE id = $1", [
    id,
    key.key_hash,
    key.key_sealed,
  ]);
}

/** The invitation's token works once. */
export async function acceptAgreement(
  db: Db,
  id: number,
  a: { user_id: number; key_hash: Buffer; key_sealed: Buffer },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE agreements SET accepted = true, user_id = $2, key_hash = $3, key_sealed = $4, invitation_hash = NULL
     WHERE id = $1 AND NOT accepted AND ended_at IS NULL`,
    [id, a.user_id, a.key_hash, a.key_sealed],
  );
  return rowCount === 1;
}

export async function endAgreement(db: Db, id: number, at: Date): Promise<void> {
  await db.query("UPDATE agreements SET ended_at = $2, key_hash = NULL, invitation_hash = NULL WHERE id = $1", [
    id,
    at,
  ]);
}
