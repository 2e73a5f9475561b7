// The API versions that are served, newest first. The code speaks the newest; each version lists what it changed over
// the one below it, so that older requests can be lifted and newer answers lowered (speech.ts). Dropping a version is
// deleting its line here, and the file of changes of the version above it.

import { type Change, newest_switches, type Switches } from "./change.ts";
import { changes as v09_changes } from "./v09.ts";
import { changes as v10_changes } from "./v10.ts";
import { changes as v11b_changes } from "./v11b.ts";

export type Listed = {
  readonly name: string;
  readonly stage: "beta" | "latest" | "deprecated, first warning" | "deprecated, last warning";
  readonly deprecated_at: Date | null;
  readonly sunset_at: Date | null;
  /** What this version did to the one below it; the oldest has none. */
  readonly changes: readonly Change[];
};

export type Version = Listed & { readonly switches: Switches };

// Each one that is served is documented, tested and lowered to with every answer: more is a mistake, not a wish.
const betas_max = 1;
const others_max = 3;

const isBeta = ({ stage }: Listed): boolean => stage === "beta";
const numberOf = ({ name }: Listed): number => Number(/^v(\d+)b?$/.exec(name)?.[1]);

const rules: readonly (readonly [rule: string, holds: (list: readonly Listed[]) => boolean])[] = [
  ["at most one beta", (list) => list.filter(isBeta).length <= betas_max],
  ["at most three others", (list) => list.filter((version) => !isBeta(version)).length <= others_max],
  ["exactly one latest", (list) => list.filter(({ stage }) => stage === "latest").length === 1],
  ["newest first", (list) => list.map(numberOf).every((n, i, all) => n < (all[i - 1] ?? Number.POSITIVE_INFINITY))],
  ["only a beta's name ends with b", (list) => list.every((one) => one.name.endsWith("b") === isBeta(one))],
  [
    "only deprecated versions have dates, and both of them",
    (list) =>
      list.every(({ stage, deprecated_at, sunset_at }) => {
        const deprecated = stage.startsWith("deprecated");
        return (deprecated_at !== null) === deprecated && (sunset_at !== null) === deprecated;
      }),
  ],
];

/** The list as it is. Throws, when the program starts, for one that must not be served. */
export function served(list: readonly Listed[]): readonly Listed[] {
  const broken = rules.filter(([, holds]) => !holds(list)).map(([rule]) => rule);
  if (broken.length > 0) throw new Error(`The list of API versions breaks its rules: ${broken.join("; ")}.`);
  return list;
}

const listed = served([
  { name: "v11b", stage: "beta", deprecated_at: null, sunset_at: null, changes: v11b_changes },
  { name: "v10", stage: "latest", deprecated_at: null, sunset_at: null, changes: v10_changes },
  {
    name: "v09",
    stage: "deprecated, first warning",
    deprecated_at: new Date("2026-06-01T00:00:00Z"),
    sunset_at: new Date("2028-05-31T00:00:00Z"),
    changes: v09_changes,
  },
  {
    name: "v08",
    stage: "deprecated, last warning",
    deprecated_at: new Date("2025-06-01T00:00:00Z"),
    sunset_at: new Date("2027-05-31T00:00:00Z"),
    changes: [],
  },
]);

/** Everything between the newest version and the one at this place, newest first: a list of changes for each step down. */
export const stepsTo = (list: readonly Listed[], place: number): readonly (readonly Change[])[] =>
  list.slice(0, place).map(({ changes }) => changes);

export const versions: readonly Version[] = listed.map((version, place) => ({
  ...version,
  switches: Object.assign(
    {},
    newest_switches,
    ...stepsTo(listed, place)
      .flat()
      .map(({ switches }) => switches),
  ),
}));

/** What a missing `Accept-Version` means. */
export const latest = versions.find(({ stage }) => stage === "latest") as Version;

const by_name = new Map(versions.map((version) => [version.name, version]));

/** Null when the wanted version is malformed, unknown or retired: 406. */
export const versionNamed = (name: string | undefined): Version | null =>
  name === undefined || name === "" ? latest : (by_name.get(name) ?? null);

/**
 * The headers that every answer of a version carries: `CoolPay-Version`, and for versions on their way out
 * `Deprecation` (RFC 9745), `Sunset` (RFC 8594), `Link` and `Warning`.
 */
export function versionHeaders({ name, stage, deprecated_at, sunset_at }: Listed, changelog_url: string) {
  const headers: Record<string, string> = { "CoolPay-Version": name };
  if (stage === "beta") headers.Warning = `299 - "${name} is a preview and may change"`;
  if (deprecated_at !== null && sunset_at !== null) {
    headers.Deprecation = `@${deprecated_at.getTime() / 1000}`;
    headers.Sunset = sunset_at.toUTCString();
    headers.Link = `<${changelog_url}>; rel="deprecation"`;
    headers.Warning = `299 - "${name} is ${stage.replace(",", ":")}"`;
  }
  return headers;
}

/** `/changelog`: plain text, newest version first. */
export function changelog(): string {
  return versions
    .map(({ name, stage, sunset_at, changes }) => {
      const until = sunset_at === null ? "" : `, served until ${sunset_at.toISOString().slice(0, 10)}`;
      const lines = changes.length === 0 ? ["The oldest version that is served."] : changes.map(({ says }) => says);
      return `${name} (${stage}${until})\n${lines.map((line) => `  * ${line}\n`).join("")}`;
    })
    .join("\n");
}
