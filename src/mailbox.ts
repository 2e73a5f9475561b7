// `coolpay mailbox`: what would have been mailed, to be read on the machine that `coolpay start` runs on.

import type { Config } from "./config.ts";
import { openMail } from "./services/mails.ts";
import { createRing } from "./services/seal.ts";
import { keysFor } from "./services/sealing.ts";
import { keptMails } from "./storage/mails.ts";
import { missingMigrations } from "./storage/migrate.ts";
import { createPool } from "./storage/pool.ts";

const shown_max = 20;

/** The last mails as texts, newest last. Throws `SealError` with another master key. */
export async function mailbox({ own, database_url }: { own: Config; database_url: string }): Promise<string[]> {
  const pool = createPool({ url: database_url, max: 1, name: "mailbox" });
  try {
    const mails = (await missingMigrations(pool)).length > 0 ? [] : await keptMails(pool, shown_max);
    if (mails.length === 0) return ["The mailbox is empty."];
    const seal = createRing(await keysFor({ pool, file: own.master_key_file, make: false }));
    return mails.reverse().map((mail) => {
      const { subject, text } = openMail({ seal }, mail);
      const head = [`To: ${mail.recipient}`, `Date: ${mail.created_at.toUTCString()}`, `Subject: ${subject}`];
      return `${head.join("\n")}\n\n${text}`;
    });
  } finally {
    await pool.end();
  }
}
