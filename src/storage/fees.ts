// Merchants' own fee formulas, and their order of acquirers by payment method.

import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";

export type FormulaRow = {
  readonly id: number;
  readonly acquirer: string;
  readonly payment_method: string;
  readonly formula: string;
};

type Name = Pick<FormulaRow, "acquirer" | "payment_method"> & { readonly account_id: number };

export async function formulasOf(db: Db, account_id: number): Promise<readonly FormulaRow[]> {
  const { rows } = await db.query<FormulaRow>(
    `SELECT id, acquirer, payment_method, formula FROM fee_formulas WHERE bucket = $1 AND account_id = $2
     ORDER BY acquirer, payment_method`,
    [bucketOf(account_id), account_id],
  );
  return rows;
}

type New = Name & { readonly id: number; readonly formula: string; readonly at: Date };

/** Writes or replaces the formula; a row that is there keeps its id. */
export async function putFormula(db: Db, { account_id, acquirer, payment_method, id, formula, at }: New) {
  await db.query(
    `INSERT INTO fee_formulas (bucket, account_id, acquirer, payment_method, id, formula, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (bucket, account_id, acquirer, payment_method)
     DO UPDATE SET formula = excluded.formula, updated_at = excluded.updated_at`,
    [bucketOf(account_id), account_id, acquirer, payment_method, id, formula, at],
  );
}

export async function deleteFormula(db: Db, { account_id, acquirer, payment_method }: Name): Promise<void> {
  await db.query(
    "DELETE FROM fee_formulas WHERE bucket = $1 AND account_id = $2 AND acquirer = $3 AND payment_method = $4",
    [bucketOf(account_id), account_id, acquirer, payment_method],
  );
}

/** Payment method -> acquirers, the first choice first. */
export type Priority = Readonly<Record<string, readonly string[]>>;

/** Empty where the merchant set none. */
export async function priorityOf(db: Db, account_id: number): Promise<Priority> {
  const { rows } = await db.query<{ priority: Priority }>(
    "SELECT priority FROM payment_method_priorities WHERE bucket = $1 AND account_id = $2",
    [bucketOf(account_id), account_id],
  );
  return rows[0]?.priority ?? {};
}

type NewPriority = { readonly account_id: number; readonly priority: Priority; readonly at: Date };

export async function putPriority(db: Db, { account_id, priority, at }: NewPriority): Promise<void> {
  await db.query(
    `INSERT INTO payment_method_priorities (bucket, account_id, priority, updated_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (bucket, account_id) DO UPDATE SET priority = excluded.priority, updated_at = excluded.updated_at`,
    [bucketOf(account_id), account_id, JSON.stringify(priority), at],
  );
}
