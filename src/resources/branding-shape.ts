// The Branding object (reference: objects, section 13), and which of its members are shown: `only` these, or all `except`
// those. A file's content is left out unless it is asked for.

import { Type } from "typebox";
import { judged } from "../api/fields.ts";
import { mimeOf } from "../domain/branding-files.ts";
import { wireTime } from "../services/present.ts";
import type { BrandingRow } from "../storage/brandings.ts";

const members = ["id", "name", "account_id", "created_at"] as const;
const resource_members = ["name", "size", "mime", "data"] as const;
type Member = (typeof members)[number] | `resources.${(typeof resource_members)[number]}`;

const all: readonly Member[] = [...members, ...resource_members.map((name) => `resources.${name}` as const)];
const known = new Set<string>([...all, "resources"]);
const except_default = "resources.data";
const list_length_max = 200;

const namesIn = (text: string): readonly string[] => text.split(",").map((name) => name.trim());

function readMembers(text: string): string | undefined {
  return text.length <= list_length_max && namesIn(text).every((name) => known.has(name)) ? text : undefined;
}

const memberList = (description: string) =>
  Type.Optional(judged(readMembers, { description, message: "does not have a valid value" }));

export const shown_fields = {
  except: memberList(`Members to leave out, with commas: \`name,resources.mime\`. Unless given: \`${except_default}\``),
  only: memberList("Members to show, with commas; then `except` does not count"),
};

/** The members that are shown; `resources` is among them where any of its own is. */
export type Shown = ReadonlySet<string>;

export function shownBy({ except, only }: { readonly except?: string; readonly only?: string } = {}): Shown {
  const named = new Set(namesIn(only ?? except ?? except_default));
  const isNamed = (member: Member): boolean =>
    named.has(member) || (member.startsWith("resources.") && named.has("resources"));
  const shown = all.filter((member) => isNamed(member) === (only !== undefined));
  return new Set(shown.flatMap((member) => (member.startsWith("resources.") ? [member, "resources"] : [member])));
}

export const showsData = (shown: Shown): boolean => shown.has("resources.data");

const Resource = Type.Object(
  {
    name: Type.Optional(Type.String()),
    size: Type.Optional(Type.Integer({ description: "Bytes" })),
    mime: Type.Optional(Type.String()),
    data: Type.Optional(Type.String({ contentEncoding: "base64" })),
  },
  { title: "BrandingResource" },
);

export const BrandingShape = Type.Object(
  {
    id: Type.Optional(Type.Integer()),
    name: Type.Optional(Type.String()),
    account_id: Type.Optional(Type.Integer()),
    resources: Type.Optional(Type.Array(Resource)),
    created_at: Type.Optional(Type.String({ format: "date-time" })),
  },
  { title: "Branding" },
);

const sparse = (value: Readonly<Record<string, unknown>>, isShown: (name: string) => boolean) =>
  Object.fromEntries(Object.entries(value).filter(([name]) => isShown(name)));

export function presentBranding({ id, name, account_id, resources, created_at }: BrandingRow, shown: Shown) {
  const files = resources.map((file) =>
    sparse({ name: file.name, size: file.size, mime: mimeOf(file.name), data: file.data }, (member) =>
      shown.has(`resources.${member}`),
    ),
  );
  const branding = { id, name, account_id, resources: files, created_at: wireTime(created_at) };
  return sparse(branding, (member) => shown.has(member));
}

export const PreviewShape = Type.Object(
  { url: Type.String(), expires_at: Type.String({ format: "date-time" }) },
  { title: "BrandingPreview" },
);
