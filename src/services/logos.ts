// An account's logos (reference: resources, section 4). The payment window shows one, MobilePay's app another.

import { logoMime } from "../domain/branding-files.ts";
import { hasTooManyPixels, pngSize } from "../domain/images.ts";
import { Refused } from "../domain/refusal.ts";
import { writeActivity } from "../storage/activity.ts";
import type { Db } from "../storage/directory.ts";
import { lockAccount } from "../storage/directory.ts";
import { deleteLogo, type LogoKey, readLogo, writeLogo } from "../storage/logos.ts";
import { activity, differences } from "./activity.ts";
import { described } from "./brandings.ts";
import { changing } from "./changing.ts";
import type { Actor, Services } from "./services.ts";

// It is loaded with every payment window.
export const logo_bytes_max = 524_288;
// Pixels each way: what MobilePay's app shows.
const mobilepay_size = 250;

const target = (account_id: number) => ({ type: "Account", id: account_id });

const noLogo = (): Refused => new Refused("not_found", null, { message: "Not found: No logo" });

/** Throws 404 when there is none. */
export async function findLogo({ pool }: Services, key: LogoKey): Promise<{ bytes: Buffer; mime: string }> {
  const bytes = await readLogo(pool, key);
  if (bytes === null) throw noLogo();
  return { bytes, mime: logoMime(bytes) ?? "application/octet-stream" };
}

/** What is wrong with it; null when nothing is. */
function complaint(type: LogoKey["type"], bytes: Buffer): string | null {
  if (bytes.length > logo_bytes_max || hasTooManyPixels(bytes)) return "is too large";
  if (type === "payment_window") return logoMime(bytes) === null ? "is not a PNG, JPEG, GIF or SVG image" : null;
  const size = pngSize(bytes);
  const fits = size?.width === mobilepay_size && size.height === mobilepay_size;
  return fits ? null : `must be a PNG image of ${mobilepay_size}x${mobilepay_size}`;
}

async function note(
  db: Db,
  actor: Actor,
  { key, before, after, at }: { key: LogoKey; before: Buffer | null; after: Buffer | null; at: Date },
): Promise<void> {
  const { account_id, type } = key;
  const name = `logo_${type}`;
  const changes = differences({ [name]: described(before) ?? {} }, { [name]: described(after) ?? {} });
  if (Object.keys(changes).length === 0) return;
  await writeActivity(
    db,
    activity(actor, { target: { account_id, ...target(account_id) }, action: "logo", changes, at }),
  );
}

/** Throws 400 for what is no logo of this type. */
export async function putLogo(services: Services, actor: Actor, key: LogoKey, bytes: Buffer): Promise<number> {
  const why = complaint(key.type, bytes);
  if (why !== null) throw new Refused("validation", { file: [why] });
  return changing(services, actor, {
    work: async (db) => {
      await lockAccount(db, key.account_id);
      const before = await readLogo(db, key);
      await writeLogo(db, key, bytes);
      await note(db, actor, { key, before, after: bytes, at: services.clock.now() });
      return key.account_id;
    },
    target,
  });
}

export const removeLogo = (services: Services, actor: Actor, key: LogoKey): Promise<number> =>
  changing(services, actor, {
    work: async (db) => {
      await lockAccount(db, key.account_id);
      const before = await readLogo(db, key);
      if (before === null) throw noLogo();
      await deleteLogo(db, key);
      await note(db, actor, { key, before, after: null, at: services.clock.now() });
      return key.account_id;
    },
    target,
  });
