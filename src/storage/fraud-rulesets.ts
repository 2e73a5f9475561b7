// Rows of rule sets against fraud: few of each account, read whole.

import type { FraudRuleset } from "../domain/fraud-rules.ts";
import { bucketOf } from "../domain/transaction.ts";
import type { Db } from "./directory.ts";

type Key = { readonly account_id: number; readonly id: number };

const columns = "id, name, action, combinator, filter_rules";

/** All of an account, in the order of their ids. */
export async function fraudRulesetsOf(db: Db, account_id: number): Promise<FraudRuleset[]> {
  const { rows } = await db.query<FraudRuleset>({
    name: "fraud_rulesets_of",
    text: `SELECT ${columns} FROM fraud_rulesets WHERE bucket = $1 AND account_id = $2 ORDER BY id`,
    values: [bucketOf(account_id), account_id],
  });
  return rows;
}

/** Null when the account has no such rule set. */
export async function fraudRulesetById(db: Db, { account_id, id }: Key): Promise<FraudRuleset | null> {
  const { rows } = await db.query<FraudRuleset>(
    `SELECT ${columns} FROM fraud_rulesets WHERE bucket = $1 AND id = $2 AND account_id = $3`,
    [bucketOf(account_id), id, account_id],
  );
  return rows[0] ?? null;
}

type Stored = { readonly account_id: number; readonly ruleset: FraudRuleset; readonly at: Date };

/** Makes it, or replaces what it says. */
export async function putFraudRuleset(db: Db, { account_id, ruleset, at }: Stored): Promise<void> {
  const { id, name, action, combinator, filter_rules } = ruleset;
  await db.query(
    `INSERT INTO fraud_rulesets (bucket, account_id, id, name, action, combinator, filter_rules, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
     ON CONFLICT (bucket, id) DO UPDATE SET name = excluded.name, action = excluded.action,
       combinator = excluded.combinator, filter_rules = excluded.filter_rules, updated_at = excluded.updated_at`,
    [bucketOf(account_id), account_id, id, name, action, combinator, JSON.stringify(filter_rules), at],
  );
}

export async function deleteFraudRuleset(db: Db, { account_id, id }: Key): Promise<void> {
  await db.query("DELETE FROM fraud_rulesets WHERE bucket = $1 AND id = $2 AND account_id = $3", [
    bucketOf(account_id),
    id,
    account_id,
  ]);
}
