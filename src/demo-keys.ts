// The demo merchants, found again: for the terminal's greeting and the demo shop. On its own, because the app knows them too.

import type { Services } from "./services/services.ts";

export const demo_email = "demo@shop.example";

/** The keys of the demo user's API users. */
export async function demoKeys({ pool, seal }: Pick<Services, "pool" | "seal">): Promise<string[]> {
  const { rows } = await pool.query<{ key_sealed: Buffer }>(
    `SELECT a.key_sealed FROM agreements a
     WHERE a.service = 'api_user' AND a.ended_at IS NULL AND a.key_sealed IS NOT NULL AND a.account_id IN (
       SELECT o.account_id FROM agreements o JOIN users u ON u.id = o.user_id WHERE o.owner AND u.email = $1)
     ORDER BY a.id`,
    [demo_email],
  );
  return rows.map(({ key_sealed }) => seal.open(key_sealed, "api_key"));
}
