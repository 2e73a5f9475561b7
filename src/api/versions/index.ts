// The API versions that are served, newest first. The code speaks the newest; each version lists what it changed over
// the one below it, so that older requests can be lifted and newer answers lowered. Dropping a version is deleting its
// line here (and its file of changes).

export type Version = {
  readonly name: string;
  readonly stage: "beta" | "latest" | "deprecated, first warning" | "deprecated, last warning";
  readonly deprecated_at: Date | null;
  readonly sunset_at: Date | null;
  /** What this version did to the one below it, a sentence each, for `/changelog`. */
  readonly changes: readonly string[];
};

// Each one that is served is documented, tested and lowered to with every answer: more is a mistake, not a wish.
const betas_max = 1;
const others_max = 3;

const isBeta = ({ stage }: Version): boolean => stage === "beta";
const numberOf = ({ name }: Version): number => Number(/^v(\d+)b?$/.exec(name)?.[1]);

const rules: readonly (readonly [rule: string, holds: (list: readonly Version[]) => boolean])[] = [
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
export function served(list: readonly Version[]): readonly Version[] {
  const broken = rules.filter(([, holds]) => !holds(list)).map(([rule]) => rule);
  if (broken.length > 0) throw new Error(`The list of API versions breaks its rules: ${broken.join("; ")}.`);
  return list;
}

export const versions: readonly Version[] = served([
  { name: "v11b", stage: "beta", deprecated_at: null, sunset_at: null, changes: [] },
  { name: "v10", stage: "latest", deprecated_at: null, sunset_at: null, changes: [] },
  {
    name: "v09",
    stage: "deprecated, first warning",
    deprecated_at: new Date("2026-06-01T00:00:00Z"),
    sunset_at: new Date("2028-05-31T00:00:00Z"),
    changes: [],
  },
  {
    name: "v08",
    stage: "deprecated, last warning",
    deprecated_at: new Date("2025-06-01T00:00:00Z"),
    sunset_at: new Date("2027-05-31T00:00:00Z"),
    changes: [],
  },
]);

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
export function versionHeaders({ name, stage, deprecated_at, sunset_at }: Version, changelog_url: string) {
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
      const lines = changes.length === 0 ? ["No differences from the version below it."] : changes;
      return `${name} (${stage}${until})\n${lines.map((line) => `  * ${line}\n`).join("")}`;
    })
    .join("\n");
}
