// Ids of what belongs to an account: unique per bucket, and handed out in memory from blocks, so that no insert waits for
// a counter's row. A block is as large as what is needed in a second, and what is left of it then is given up: ids that
// were taken more than a second apart are in the order of time, in whatever process. What is given up goes back, unless
// another process has taken a block since.

import type pg from "pg";
import { bucketOf } from "../domain/transaction.ts";

const block_size_max = 64;
const block_ms = 1_000;

type Block = { readonly first: number; next: number; readonly end: number; readonly until: number };
type Source = { block: Block; ahead: Promise<Block> | null; waiting: number };

const none: Block = { first: 0, next: 0, end: 0, until: 0 };

/** Answers the next id in the account's bucket. Throws when there is none below 2^31 left. */
export function idSource(pool: pg.Pool): (account_id: number) => Promise<number> {
  const sources = new Map<number, Source>();

  async function fetchBlock(bucket: number, size: number, left: Block): Promise<Block> {
    const until = performance.now() + block_ms;
    const { rows } = await pool.query<{ next: number }>({
      name: "next_id_block",
      // Need not be flushed: the log is one, so a payment that is durable has made the block before it durable.
      text: `UPDATE id_blocks SET next = CASE next WHEN $3 THEN $4 ELSE next END + $2
        WHERE bucket = $1 AND set_config('synchronous_commit', 'off', true) = 'off' RETURNING next`,
      values: [bucket, size, left.end, left.next],
    });
    const end = rows[0]?.next;
    if (end === undefined) throw new Error(`The table id_blocks has no row for bucket ${bucket}.`);
    return { first: end - size, next: end - size, end, until };
  }

  /** Begins to fetch the next block; `left` is what nobody will take any more. Should it fail, the next who asks begins anew. */
  function fetchAhead(bucket: number, source: Source, { size, left }: { size: number; left: Block }): Promise<Block> {
    const ahead = fetchBlock(bucket, size, left);
    source.ahead = ahead;
    ahead.catch(() => {
      if (source.ahead === ahead) source.ahead = null;
    });
    return ahead;
  }

  return async (account_id) => {
    const bucket = bucketOf(account_id);
    const source = sources.get(bucket) ?? { block: none, ahead: null, waiting: 0 };
    sources.set(bucket, source);
    source.waiting += 1;
    try {
      while (!isUsable(source.block)) {
        const ahead = source.ahead ?? fetchAhead(bucket, source, { size: nextSize(source), left: source.block });
        const fetched = await ahead;
        // The first of those who waited takes the block; the others look again.
        if (source.ahead === ahead) {
          source.block = fetched;
          source.ahead = null;
        }
      }
    } finally {
      source.waiting -= 1;
    }
    const { block } = source;
    const id = block.next++;
    const is_busy = block.end - block.first === block_size_max;
    // Many come at once where many come: the next block is there before this one ends.
    if (is_busy && source.ahead === null) void fetchAhead(bucket, source, { size: block_size_max, left: none });
    return id;
  };
}

const isUsable = ({ next, end, until }: Block): boolean => next < end && performance.now() < until;

/** Twice as many as before where these did not last, else as many as were used; at least one for all who wait. */
function nextSize({ block: { first, next, end, until }, waiting }: Source): number {
  const lasted = performance.now() >= until;
  return Math.min(block_size_max, Math.max(1, waiting, lasted ? next - first : 2 * (end - first)));
}
