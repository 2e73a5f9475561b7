// Rows of subscription groups, and the subscriptions that are in one.

import type pg from "pg";
import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";

export type SubscriptionGroup = {
  readonly id: number;
  readonly account_id: number;
  readonly name: string;
  /** Minor units of `currency`. */
  readonly amount: number;
  readonly currency: string;
  readonly description: string | null;
  readonly created_at: Date;
};

const columns = "id, account_id, name, amount, currency, description, created_at";

type Key = { readonly account_id: number; readonly id: number };

/** All groups of an account that were not deleted, oldest first. */
export async function groupsOf(db: Db, account_id: number): Promise<SubscriptionGroup[]> {
  const { rows } = await db.query<SubscriptionGroup>(
    `SELECT ${columns} FROM subscription_groups WHERE bucket = $1 AND account_id = $2 AND deleted_at IS NULL ORDER BY id`,
    [bucketOf(account_id), account_id],
  );
  return rows;
}

/** Null when the account has no such group. `change`: locks the row until the transaction ends. */
export async function groupById(
  db: Db,
  { account_id, id }: Key,
  why: "read" | "change" | "deleted too" = "read",
): Promise<SubscriptionGroup | null> {
  const { rows } = await db.query<SubscriptionGroup>(
    `SELECT ${columns} FROM subscription_groups
     WHERE bucket = $1 AND id = $2 AND account_id = $3 AND ($4 OR deleted_at IS NULL) ${why === "change" ? "FOR UPDATE" : ""}`,
    [bucketOf(account_id), id, account_id, why === "deleted too"],
  );
  return rows[0] ?? null;
}

export async function countGroups(db: Db, account_id: number): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM subscription_groups WHERE bucket = $1 AND account_id = $2 AND deleted_at IS NULL",
    [bucketOf(account_id), account_id],
  );
  return rows[0]?.count ?? 0;
}

export async function insertGroup(db: Db, group: SubscriptionGroup): Promise<void> {
  const { id, account_id, name, amount, currency, description, created_at } = group;
  await db.query(`INSERT INTO subscription_groups (bucket, ${columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, [
    bucketOf(account_id),
    id,
    account_id,
    name,
    amount,
    currency,
    description,
    created_at,
  ]);
}

export async function updateGroup(
  db: Db,
  { account_id, id, name, amount, description }: SubscriptionGroup,
): Promise<void> {
  await db.query(
    "UPDATE subscription_groups SET name = $3, amount = $4, description = $5 WHERE bucket = $1 AND id = $2",
    [bucketOf(account_id), id, name, amount, description],
  );
}

export async function deleteGroup(db: Db, { account_id, id }: Key, at: Date): Promise<void> {
  await db.query("UPDATE subscription_groups SET deleted_at = $3 WHERE bucket = $1 AND id = $2", [
    bucketOf(account_id),
    id,
    at,
  ]);
}

export type GroupMember = { readonly id: number; readonly state: string };

/** The subscriptions in a group, oldest first. */
export async function membersOf(pool: pg.Pool, { account_id, id }: Key): Promise<GroupMember[]> {
  const { rows } = await pool.query<GroupMember>(
    `SELECT id, state FROM transactions WHERE bucket = $1 AND account_id = $2 AND group_ids IS NOT NULL
       AND group_ids @> ARRAY[$3]::integer[] AND type = 'Subscription' ORDER BY id`,
    [bucketOf(account_id), account_id, id],
  );
  return rows;
}
