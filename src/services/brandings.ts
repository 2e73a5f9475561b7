// Brandings: what the payment window looks like. Each is a set of files with a name; an account may have several, and one
// of them as its default.

import { createHash } from "node:crypto";
import { branding_bytes_max, branding_files_max, templateName, whyNot } from "../domain/branding-files.ts";
import { notFound, Refused } from "../domain/refusal.ts";
import { writeActivity } from "../storage/activity.ts";
import {
  type BrandingRow,
  brandingById,
  copyFiles,
  countBrandings,
  deleteBranding,
  deleteFile,
  type FileKey,
  filesVersion,
  hasBranding,
  insertBranding,
  lockBranding,
  otherFiles,
  otherTemplates,
  readFile,
  renameBranding,
  shownBranding,
  shownFile,
  writeFile,
} from "../storage/brandings.ts";
import { accountById, type Db, lockAccount, updateSettings } from "../storage/directory.ts";
import { activity, differences } from "./activity.ts";
import { changing, conflict, inOneCommit } from "./changing.ts";
import type { Actor, Services } from "./services.ts";
import { samplePage } from "./template-sample.ts";

// A shop has a few, with copies to try things on.
const brandings_max = 100;

/** Shown beside others in a list, and part of its page keys. */
export const branding_name_max = 80;

export type BrandingKey = { readonly account_id: number; readonly id: number };

const target = (id: number) => ({ type: "Branding", id });

type Noted = { readonly action: string; readonly changes: ReturnType<typeof differences>; readonly at: Date };

const note = (db: Db, actor: Actor, { account_id, id }: BrandingKey, { action, changes, at }: Noted): Promise<void> =>
  writeActivity(db, activity(actor, { target: { account_id, ...target(id) }, action, changes, at }));

/** Throws 404 when the account has none with this id. `with_data`: the files' content too. */
export async function findBranding({ pool }: Services, key: BrandingKey, with_data: boolean): Promise<BrandingRow> {
  const branding = await brandingById(pool, key, with_data);
  if (branding === null) throw notFound("Branding", key.id);
  return branding;
}

/** Throws 400 about this parameter when it names no branding of the account. Nothing named is nothing wrong. */
export async function mustBeBranding(
  db: Db,
  account_id: number,
  [parameter, id]: readonly [name: string, id: number | null | undefined],
): Promise<void> {
  if (id === null || id === undefined || (await hasBranding(db, { account_id, id }))) return;
  throw new Refused("validation", { [parameter]: ["is invalid"] });
}

async function locked(db: Db, key: BrandingKey): Promise<{ readonly name: string }> {
  const branding = await lockBranding(db, key);
  if (branding === null) throw notFound("Branding", key.id);
  return branding;
}

/** Serializes with others that make one, so that none is too many. */
async function mustHaveRoom(db: Db, account_id: number): Promise<void> {
  await lockAccount(db, account_id);
  if ((await countBrandings(db, account_id)) >= brandings_max)
    throw conflict(`an account has at most ${brandings_max} brandings`);
}

type New = { readonly account_id: number; readonly name: string };

/** Without files. Answers its id. */
export async function createBranding(services: Services, actor: Actor, { account_id, name }: New): Promise<number> {
  const id = await services.nextId(account_id);
  const at = services.clock.now();
  return inOneCommit(services, actor, {
    work: async (db) => {
      await mustHaveRoom(db, account_id);
      await insertBranding(db, { account_id, id, name, created_at: at });
      await note(db, actor, { account_id, id }, { action: "create", changes: differences(null, { name }), at });
      return id;
    },
    target,
  });
}

/** With all files. Answers the new one's id. */
export async function copyBranding(services: Services, actor: Actor, source: BrandingKey): Promise<number> {
  const { account_id } = source;
  const id = await services.nextId(account_id);
  const at = services.clock.now();
  return inOneCommit(services, actor, {
    work: async (db) => {
      await mustHaveRoom(db, account_id);
      const name = nameOfCopy((await locked(db, source)).name);
      await insertBranding(db, { account_id, id, name, created_at: at });
      await copyFiles(db, { account_id, id }, source.id);
      const changes = differences(null, { name, copy_of: source.id });
      await note(db, actor, { account_id, id }, { action: "copy", changes, at });
      return id;
    },
    target,
  });
}

const copy_suffix = " (copy)";

/** In characters, not UTF-16 units: none is cut in two. */
const nameOfCopy = (name: string): string =>
  [...name].slice(0, branding_name_max - copy_suffix.length).join("") + copy_suffix;

type Rename = { readonly key: BrandingKey; readonly name: string | undefined };

export const changeBranding = (services: Services, actor: Actor, { key, name }: Rename): Promise<number> =>
  inOneCommit(services, actor, {
    work: async (db) => {
      const before = await locked(db, key);
      if (name === undefined || name === before.name) return key.id;
      await renameBranding(db, key, name);
      const changes = differences(before, { name });
      await note(db, actor, key, { action: "update", changes, at: services.clock.now() });
      return key.id;
    },
    target,
  });

/** With its files. An account whose default it was has no default any more; payments that name it keep its number. */
export const removeBranding = (services: Services, actor: Actor, key: BrandingKey): Promise<number> =>
  changing(services, actor, {
    work: async (db) => {
      const at = services.clock.now();
      const { account_id, id } = key;
      await lockAccount(db, account_id);
      const before = await locked(db, key);
      await deleteBranding(db, key);
      await note(db, actor, key, { action: "delete", changes: differences(before, null), at });
      const account = await accountById(db, account_id);
      if (account?.settings.default_branding_id !== id) return id;
      await updateSettings(db, account_id, { ...account.settings, default_branding_id: null });
      const changes = { default_branding_id: [id, null] } as const;
      const account_target = { account_id, type: "Account", id: account_id };
      await writeActivity(db, activity(actor, { target: account_target, action: "update", changes, at }));
      return id;
    },
    target,
  });

/** 404 that does not repeat the name: anything may be in it. */
export const noFile = (): Refused =>
  new Refused("not_found", null, { message: "Not found: No file of that name in the branding" });

/** A file's bytes. Throws 404 when there is no such branding or file. */
export async function findFile({ pool }: Services, key: FileKey): Promise<Buffer> {
  const bytes = await readFile(pool, key);
  if (bytes === null) throw noFile();
  return bytes;
}

// Up to a megabyte each.
const shown_max = 30;
const shown_by = new WeakMap<Services["pool"], Map<string, ReturnType<typeof shownBranding>>>();

/** What the payment window shows of it, read once for a version of its files; null where there is none (any more). */
export async function brandingShown({ pool }: Services, key: BrandingKey, locales: readonly string[]) {
  const version = await filesVersion(pool, key);
  if (version === null) return null;
  const name = `${key.account_id}/${key.id}/${version}/${locales}`;
  const known = shown_by.get(pool) ?? new Map<string, ReturnType<typeof shownBranding>>();
  shown_by.set(pool, known);
  const reading = known.get(name) ?? shownBranding(pool, { ...key, locales });
  for (const oldest of [...known.keys()].slice(0, -shown_max)) known.delete(oldest);
  known.set(name, reading);
  reading.catch(() => known.delete(name));
  return reading;
}

/** What of its files the payment window's pages load; null where there is none. */
export const fileShown = ({ pool }: Services, key: FileKey) => shownFile(pool, key);

/** What the audit trail says of a file: not what it holds, but whether it is still the same. */
export const described = (bytes: Buffer | null) =>
  bytes === null ? null : { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };

const fileChanges = (name: string, before: Buffer | null, after: Buffer | null) =>
  differences({ [name]: described(before) ?? {} }, { [name]: described(after) ?? {} });

/**
 * Puts a file into a branding, or another one in its place. Throws 415 for a kind that is not taken, for content that is not
 * what the name says, and for script; 413 where the files together would be too large; 400 where they would be too many, and
 * for a template that is not Liquid or cannot be rendered within the limits.
 */
export async function putFile(services: Services, actor: Actor, key: FileKey, bytes: Buffer): Promise<number> {
  const why = whyNot(key.name, bytes);
  if (why !== null) throw new Refused("media_type", null, { message: `Unsupported media type: ${why}` });
  if (bytes.length >= branding_bytes_max) throw tooLarge();
  await tryTemplate(services, key, bytes);
  return inOneCommit(services, actor, {
    work: async (db) => {
      await locked(db, key);
      const others = await otherFiles(db, key);
      if (others.bytes + bytes.length >= branding_bytes_max) throw tooLarge();
      if (others.count >= branding_files_max)
        throw new Refused("validation", { resource_name: [`is one too many: ${branding_files_max} files at most`] });
      const changes = fileChanges(key.name, await readFile(db, key), bytes);
      await writeFile(db, key, bytes);
      if (Object.keys(changes).length > 0)
        await note(db, actor, key, { action: "resource", changes, at: services.clock.now() });
      return key.id;
    },
    target,
  });
}

/** Renders it once, with what it includes as far as that is there. Throws 400 for what is no template, or too much of one. */
async function tryTemplate({ pool, templates }: Services, key: FileKey, bytes: Buffer): Promise<void> {
  const name = templateName(key.name);
  if (name === null) return;
  const files = { ...(await otherTemplates(pool, key)), [key.name]: bytes };
  const sources = Object.entries(files).map(([file, source]) => [templateName(file) ?? file, source.toString("utf8")]);
  const rendered = await templates.render(samplePage(name, Object.fromEntries(sources)));
  if ("why" in rendered) throw new Refused("validation", { file: [rendered.why] });
}

const tooLarge = (): Refused =>
  new Refused(
    "body_too_large",
    { file: ["is too large"] },
    { message: "Request body too large: a branding's files are below 1 MB together" },
  );

export const removeFile = (services: Services, actor: Actor, key: FileKey): Promise<number> =>
  inOneCommit(services, actor, {
    work: async (db) => {
      await locked(db, key);
      const before = await readFile(db, key);
      if (before === null) throw noFile();
      await deleteFile(db, key);
      const changes = fileChanges(key.name, before, null);
      await note(db, actor, key, { action: "resource", changes, at: services.clock.now() });
      return key.id;
    },
    target,
  });
