// The alarm on card testing: an account most of whose cards are declined is under attack, from however many addresses. Then
// every attempt has to bring a proof of work (services/card-testing.ts), and the operator and the merchant hear of it.
// Attempts are counted in memory and written about once a second, so that no row is written by every payment.

import { mail_texts } from "../domain/mail-texts.ts";
import { bucketOf } from "../domain/transaction.ts";
import { writeActivity } from "../storage/activity.ts";
import {
  addMinutes,
  alarmMailed,
  alarmOff,
  alarmOn,
  type Minute,
  type Watched,
  watchedAccounts,
} from "../storage/card-testing.ts";
import { accountById, type Db } from "../storage/directory.ts";
import { inTransaction } from "../storage/pool.ts";
import { activity } from "./activity.ts";
import { managerLink, queueMail } from "./mails.ts";
import { type Services, system } from "./services.ts";

const minute_ms = 60_000;
const window_ms = 10 * minute_ms;
// Fewer are chance: five of nine declined is a bad hour, eleven of twenty is not.
const attempts_min = 20;
const mail_pause_ms = 60 * minute_ms;
// At once; those whose alarm is off come first.
const accounts_max = 500;
// Beyond so many counters nothing new is counted until they are written.
const counters_max = 10_000;

type Noted = {
  readonly account_id: number;
  readonly test_mode: boolean;
  readonly at: Date;
  readonly declined: boolean;
};

export type AttemptBook = {
  /** Counts an attempt, to be written soon. Never throws, never waits. */
  readonly note: (attempt: Noted) => void;
  /** Writes what was counted. */
  readonly flush: () => Promise<void>;
};

export function attemptBook({ pool, log }: Pick<Services, "pool" | "log">): AttemptBook {
  let counters = new Map<string, Minute>();
  return {
    note({ account_id, test_mode, at, declined }) {
      const minute = new Date(Math.floor(at.getTime() / minute_ms) * minute_ms).toISOString();
      const name = `${account_id} ${test_mode} ${minute}`;
      const counter = counters.get(name);
      if (counter === undefined && counters.size >= counters_max) return;
      const { attempts, declined: before } = counter ?? { attempts: 0, declined: 0 };
      const more = declined ? 1 : 0;
      const bucket = bucketOf(account_id);
      counters.set(name, { bucket, account_id, test_mode, minute, attempts: attempts + 1, declined: before + more });
    },
    async flush() {
      if (counters.size === 0) return;
      const waiting = [...counters.values()];
      counters = new Map();
      try {
        await addMinutes(pool, waiting);
      } catch (error) {
        // Counters must not fill the memory while the database is away.
        log.warn({ error: String(error), counters: waiting.length }, "attempts with cards could not be counted");
      }
    },
  };
}

/**
 * Turns alarms on and off for accounts of these slots: on when of at least 20 attempts in the last ten minutes more than half
 * were declined; off when it was on for ten minutes and less than a third were.
 */
export async function watchAttempts(services: Services, slots: readonly number[]): Promise<void> {
  const at = services.clock.now();
  const since = new Date(at.getTime() - window_ms);
  for (const watched of await watchedAccounts(services.pool, { slots, since, attempts_min, limit: accounts_max })) {
    const { attempts, declined } = watched;
    if (watched.since === null) {
      if (declined * 2 > attempts) await turnOn(services, watched, at);
    } else if (watched.since <= since && (attempts === 0 || declined * 3 < attempts))
      await turnOff(services, watched, at);
  }
}

const noted = ({ account_id, test_mode, attempts, declined }: Watched, on: boolean, at: Date) =>
  activity(system, {
    target: { account_id, type: "Account", id: account_id },
    action: "card-testing-alarm",
    changes: {
      alarm: [!on, on],
      test_mode: [test_mode, test_mode],
      attempts: [null, attempts],
      declined: [null, declined],
    },
    at,
  });

async function turnOn(services: Services, watched: Watched, at: Date): Promise<void> {
  const { account_id, test_mode, attempts, declined } = watched;
  const on = await inTransaction(services.pool, async (db) => {
    const before = await alarmOn(db, { account_id, test_mode, at });
    if (before === null) return false;
    await writeActivity(db, noted(watched, true, at));
    const mailed_ago_ms = at.getTime() - (before.mailed_at?.getTime() ?? Number.NEGATIVE_INFINITY);
    // Whoever tries test cards is the merchant herself.
    if (!test_mode && mailed_ago_ms >= mail_pause_ms) await mailMerchant(services, db, watched, at);
    return true;
  });
  if (on) services.log.warn({ account_id, test_mode, attempts, declined }, "card testing: most attempts are declined");
}

async function mailMerchant(services: Services, db: Db, { account_id, attempts, declined }: Watched, at: Date) {
  const settings = (await accountById(db, account_id))?.settings;
  if (settings === undefined || settings.contact_email === "") return;
  await queueMail(services, db, {
    kind: "card_testing",
    recipient: settings.contact_email.toLowerCase(),
    behalf: `account:${account_id}`,
    ...mail_texts.card_testing({
      shop: settings.shop_name,
      attempts,
      declined,
      link: managerLink(services, "payments"),
    }),
  });
  await alarmMailed(db, { account_id, test_mode: false, at });
}

async function turnOff(services: Services, watched: Watched, at: Date): Promise<void> {
  const { account_id, test_mode } = watched;
  const off = await inTransaction(services.pool, async (db) => {
    if (!(await alarmOff(db, { account_id, test_mode, at }))) return false;
    await writeActivity(db, noted(watched, false, at));
    return true;
  });
  if (off) services.log.info({ account_id, test_mode }, "card testing: the alarm is off");
}
