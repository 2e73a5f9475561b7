// `npm run golden -- renew` writes the transcripts anew; `npm run golden -- payments` tells one in all versions side by
// side, from the files.

import { allKept, fileName, kept, renew, version_names } from "./support/golden.ts";

const [wanted = ""] = process.argv.slice(2);
const oldest_first = [...version_names].reverse();

if (wanted === "renew") console.log(`${await renew()} transcripts written`);
else if (allKept().includes(fileName(wanted, "v10"))) sideBySide(wanted);
else {
  const names = [...new Set(allKept().map((name) => name.split(".")[0]))];
  console.error(`npm run golden -- renew, or one of: ${names.join(", ")}`);
  process.exitCode = 1;
}

/** Each answer once; where versions differ, what each says of what the others say otherwise. */
function sideBySide(resource: string): void {
  const told = oldest_first.map((version) => kept(fileName(resource, version)).split("\n\n").slice(1));
  const length = Math.max(...told.map((parts) => parts.length));
  for (let at = 0; at < length; at++) {
    const parts = told.map((all) => (all[at] ?? "").split("\n"));
    const inAll = (line: string): boolean => parts.every((lines) => lines.includes(line));
    console.log(`\n${(parts[0] ?? []).filter(inAll).join("\n")}`);
    const own = parts.map((lines) => lines.filter((line) => !inAll(line)));
    const members = own.map((lines) => new Set(lines.flatMap(membersOf)));
    own.forEach((lines, i) => {
      for (const line of lines) {
        const differing = membersOf(line).filter((member) => !members.every((all) => all.has(member)));
        if (differing.length > 0) console.log(`  ${(oldest_first[i] ?? "").padEnd(4)} | ${differing.join(", ")}`);
      }
    });
  }
}

/** `{"id":1,"type":"capture"},` holds two. */
function membersOf(line: string): string[] {
  return line
    .trim()
    .replace(/,$/, "")
    .split(/,(?=")|(?<=[{[])(?=")/);
}
