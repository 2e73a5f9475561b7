// `coolpay key`: the master key is rotated in three steps that can be taken apart. `rotate` puts a new key in front of the
// file; a SIGHUP makes the serving processes read it; `rewrap` changes every record to it, so that the older keys may go.

import { addMasterKey, masterKeys } from "./services/master-keys.ts";
import { recordsByKey, rewrapAll } from "./services/rewrap.ts";
import { createRing, keyIdOf } from "./services/seal.ts";
import { keysFor } from "./services/sealing.ts";
import { missingMigrations, WrongDatabase } from "./storage/migrate.ts";
import { createPool } from "./storage/pool.ts";

type Place = {
  readonly file: string;
  /** Does the work with the installation's database. */
  readonly withDatabase: (work: (url: string) => Promise<number>) => Promise<number>;
};

/** Answers the exit status. Throws `SealError` and `WrongDatabase`. */
export async function keyCommand(verb: string | undefined, place: Place): Promise<number> {
  if (verb === "rotate") return rotate(place);
  if (verb === "rewrap") return rewrap(place);
  if (verb === "status") return status(place);
  console.error("Say what to do: coolpay key rotate, coolpay key rewrap or coolpay key status");
  return 2;
}

async function rotate({ file }: Place): Promise<number> {
  const id = addMasterKey(file, new Date());
  console.log(`Master key ${id} is the first in ${file}: back the file up, then

  send SIGHUP to coolpay   from then on it seals with ${id} and opens with all
  coolpay key rewrap       changes what older keys have sealed`);
  return 0;
}

const rewrap = ({ file, withDatabase }: Place): Promise<number> =>
  withDatabase(async (url) => {
    const pool = createPool({ url, max: 2, name: "rewrap" });
    try {
      const keys = await keysFor({ pool, file, make: false });
      await mustBeMigrated(pool);
      const ring = createRing(keys);
      const changed = await rewrapAll(pool, ring);
      console.log(`Every record is sealed with master key ${ring.keyId()} (${changed} were changed).`);
      if (keys.length > 1)
        console.log(`The other lines of ${file} may be removed; keep them for as long as backups that need them.`);
      return 0;
    } finally {
      await pool.end();
    }
  });

/** Status 1 where a record needs a key that is not in the file. */
const status = ({ file, withDatabase }: Place): Promise<number> =>
  withDatabase(async (url) => {
    const pool = createPool({ url, max: 2, name: "keys" });
    try {
      await mustBeMigrated(pool);
      const there = masterKeys(file, false).map(keyIdOf);
      const records = await recordsByKey(pool);
      const lost = [...records.keys()].filter((id) => !there.includes(id));
      const line = (id: string, does: string) => console.log(`${id}  ${does}  ${records.get(id) ?? 0} records`);
      for (const [i, id] of there.entries()) line(id, i === 0 ? "seals   " : "opens   ");
      for (const id of lost) line(id, "MISSING ");
      if (lost.length > 0) console.log(`Put what is missing back into ${file}.`);
      return lost.length === 0 ? 0 : 1;
    } finally {
      await pool.end();
    }
  });

async function mustBeMigrated(pool: ReturnType<typeof createPool>): Promise<void> {
  if ((await missingMigrations(pool)).length > 0)
    throw new WrongDatabase("The database lacks tables of this program: run coolpay migrate first.");
}
