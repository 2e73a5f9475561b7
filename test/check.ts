// Types and style, as `npm run check` and `npm test` look at them.

import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

const project = resolve(import.meta.dirname, "..");

const checks = [
  { name: "tsc", program: "node_modules/typescript/bin/tsc", options: ["-p", "."] },
  { name: "biome", program: "node_modules/@biomejs/biome/bin/biome", options: ["check", "--error-on-warnings"] },
];

/** Answers the names of the checks that failed; they have said why. */
export function check(): string[] {
  return checks
    .filter(({ program, options }) => {
      const { status } = spawnSync(process.execPath, [resolve(project, program), ...options], {
        cwd: project,
        stdio: "inherit",
      });
      return status !== 0;
    })
    .map(({ name }) => name);
}

if (import.meta.main) process.exitCode = check().length === 0 ? 0 : 1;
