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

/** Each answer once; where versions differ, line by line what each says. */
function sideBySide(resource: string): void {
  const told = oldest_first.map((version) => kept(fileName(resource, version)).split("\n\n").slice(1));
  const length = Math.max(...told.map((parts) => parts.length));
  for (let at = 0; at < length; at++) {
    const parts = told.map((all) => (all[at] ?? "").split("\n"));
    const common = (parts[0] ?? []).filter((line) => parts.every((lines) => lines.includes(line)));
    console.log(`\n${common.join("\n")}`);
    parts.forEach((lines, i) => {
      const own = lines.filter((line) => !common.includes(line));
      for (const line of own) console.log(`  ${(oldest_first[i] ?? "").padEnd(4)} | ${line}`);
    });
  }
}
