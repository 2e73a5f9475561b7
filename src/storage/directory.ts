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
  readonly system_user: boolean;
  readonly created_at: Date;
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
  u.system_user AS user_is_system, a.invited_email, a.invitation_hash, a.owner, a.service, a.locked, a.accepted,
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

export const userByEmail = (db: Db, email: string) =>
  first<UserRow>(db, "SELECT * FROM users WHERE email = $1 AND deleted_at IS NULL AND NOT system_user", [
    email.toLowerCase(),
  ]);

export const userById = (db: Db, id: number) =>
  first<UserRow>(db, "SELECT * FROM users WHERE id = $1 AND deleted_at IS NULL", [id]);

export const accountById = (db: Db, id: number) =>
  first<AccountRow>(db, "SELECT * FROM accounts WHERE id = $1 AND closed_at IS NULL", [id]);

/** The next id of a shared table. */
export async function nextCounter(db: Db, name: "users" | "accounts" | "agreements" | "processes"): Promise<number> {
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
