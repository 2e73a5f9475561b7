// Ids of what belongs to an account: unique per bucket, handed out in memory from blocks, so that they stay close to
// time without a counter's row being locked by every insert.

import type pg from "pg";
import { bucketOf } from "../domain/transaction.ts";

const block_size = 64;

type Block = { next: number; end: number; ahead: Promise<[number, number]> | null };

/** Answers the next id in the account's bucket. */
export function idSource(pool: pg.Pool): (account_id: number) => Promise<number> {
  const blocks = new Map<number, Block>();

  async function fetchBlock(bucket: number): Promise<[number, number]> {
    const { rows } = await pool.query<{ next: number }>({
      name: "next_id_block",
      text: "UPDATE id_blocks SET next = next + $2 WHERE bucket = $1 RETURNING next",
      values: [bucket, block_size],
    });
    const end = rows[0]?.next ?? 0;
    return [end - block_size, end];
  }

  return async (account_id) => {
    const bucket = bucketOf(account_id);
    let block = blocks.get(bucket);
    if (block === undefined) {
      block = { next: 0, end: 0, ahead: null };
      blocks.set(bucket, block);
    }
    while (block.next >= block.end) {
      block.ahead ??= fetchBlock(bucket);
      const ahead = block.ahead;
      let fetched: [number, number];
      try {
        fetched = await ahead;
      } catch (error) {
        if (block.ahead === ahead) block.ahead = null;
        throw error;
      }
      // The first of those who waited takes the block; the others look again.
      if (block.ahead === ahead) {
        [block.next, block.end] = fetched;
        block.ahead = null;
      }
    }
    const id = block.next++;
    // The next block is fetched while half of this one is left.
    if (block.ahead === null && block.end - block.next < block_size / 2) {
      block.ahead = fetchBlock(bucket);
      block.ahead.catch(() => {});
    }
    return id;
  };
}
