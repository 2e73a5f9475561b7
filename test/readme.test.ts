// What the README promises: on a fresh clone `npm start` serves within a minute, and its walk works line by line.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { putAway } from "./support/kept.ts";

const project = resolve(import.meta.dirname, "..");
const ready_within_s = 60;

/** Free at this moment; nobody else of the tests listens on fixed ports. */
function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}

type Run = { readonly process: ChildProcess; readonly output: () => string; readonly seconds: number };

/** `npm start` in a clone, until it says that it is ready. */
async function start(clone: string, environment: Record<string, string>): Promise<Run> {
  const began = performance.now();
  const child = spawn("npm", ["start"], {
    cwd: clone,
    env: { ...environment_without_settings, ...environment },
    detached: true,
  });
  let output = "";
  const hear = (text: Buffer): void => {
    output += text;
  };
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", hear);
  const ended = new Promise<never>((_, failed) =>
    child.once("exit", () => failed(new Error(`npm start ended:\n${output}`))),
  );
  ended.catch(() => {});
  while (!/CoolPay is ready/.test(output)) {
    await Promise.race([ended, new Promise((done) => setTimeout(done, 50))]);
    if (performance.now() - began > 170_000) throw new Error(`npm start is not ready:\n${output}`);
  }
  return { process: child, output: () => output, seconds: (performance.now() - began) / 1000 };
}

const environment_without_settings = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(COOLPAY_|DATABASE_URL|NODE_OPTIONS|NODE_TEST|NODE_COMPILE|npm_)/.test(name),
  ),
);

async function stop({ process: child }: Run): Promise<void> {
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
  await ended;
}

/** The project's files as they are here, without what was installed or made. */
function cloneTo(path: string): void {
  mkdirSync(path);
  const copy = 'git ls-files -z --cached --others --exclude-standard | xargs -0 tar -cf - | tar -xf - -C "$1"';
  const { status, stderr } = spawnSync("/bin/sh", ["-c", copy, "sh", path], { cwd: project });
  assert.equal(status, 0, String(stderr));
}

let folder: string;
let clone: string;
let ports: Record<string, string>;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "coolpay-readme-"));
  // As in a home directory: the database's user may pass.
  chmodSync(folder, 0o755);
  clone = join(folder, "a fresh clone");
  cloneTo(clone);
  const names = ["API", "WINDOW", "MANAGER", "METRICS"];
  ports = Object.fromEntries(
    await Promise.all(names.map(async (name) => [`COOLPAY_${name}_PORT`, String(await freePort())])),
  );
});
after(() => {
  putAway(join(clone, "data"));
  rmSync(folder, { recursive: true, force: true });
});

/** The walk: each `sh` block with the `json` or `text` block that shows its answer. */
function walk(): { command: string; answer: string | null }[] {
  const text = readFileSync(join(project, "README.md"), "utf8");
  const section = text.slice(text.indexOf("## Five minutes"), text.indexOf("## Where to go on"));
  const blocks = [...section.matchAll(/```(sh|json|text)\n([\s\S]*?)```/g)].map(([, kind, body = ""]) => ({
    kind,
    body,
  }));
  return blocks.flatMap(({ kind, body }, i) => {
    const next = blocks[i + 1];
    return kind === "sh"
      ? [{ command: body, answer: next === undefined || next.kind === "sh" ? null : next.body }]
      : [];
  });
}

/** `…` stands for anything, and as a member's name for more members. */
function matches(actual: unknown, shown: unknown): boolean {
  if (shown === "…") return actual !== undefined;
  if (Array.isArray(shown))
    return (
      Array.isArray(actual) && actual.length === shown.length && shown.every((item, i) => matches(actual[i], item))
    );
  if (shown === null || typeof shown !== "object") return actual === shown;
  if (actual === null || typeof actual !== "object") return false;
  const members = Object.entries(shown).filter(([name]) => name !== "…");
  const complete = "…" in shown || Object.keys(actual).length === members.length;
  return complete && members.every(([name, value]) => matches((actual as Record<string, unknown>)[name], value));
}

const typing_ms = 1_200;

test(`npm start on a fresh clone serves within ${ready_within_s} s, the README's walk works, and Ctrl-C ends everything`, {
  timeout: 175_000,
}, async () => {
  // Everything is fetched, as on a machine that never saw it.
  const run = await start(clone, { ...ports, npm_config_cache: join(folder, "npm-cache") });
  try {
    console.log(`npm start on a fresh clone: ready after ${run.seconds.toFixed(1)} s with an empty npm cache`);
    assert.ok(run.seconds < ready_within_s);
    const key = /-u ":([0-9a-f]{64})"/.exec(run.output())?.[1] ?? "";
    assert.notEqual(key, "", run.output());
    const api = `http://127.0.0.1:${ports.COOLPAY_API_PORT}`;
    const steps = walk();
    assert.ok(steps.length > 10);
    for (const { command, answer } of steps) {
      if (command.startsWith("export ")) continue;
      // Whoever types it takes longer than ids are kept at hand.
      if (command.includes("order_id=")) await sleep(typing_ms);
      const { stdout, stderr } = spawnSync("/bin/bash", ["-c", command], {
        cwd: clone,
        encoding: "utf8",
        env: { ...environment_without_settings, ...ports, KEY: key, API: api },
      });
      if (answer === null) continue;
      const good = answer.startsWith("books") ? stdout === answer : matches(JSON.parse(stdout), JSON.parse(answer));
      assert.ok(good, `${command}\nshown ${answer}\nanswered ${stdout}${stderr}`);
    }
  } finally {
    await stop(run);
  }
  assert.match(run.output(), /POST +\/payments\/11\/capture 200/);

  const again = await start(clone, ports);
  try {
    assert.match(again.output(), /found its data .*: 12 payments/);
    console.log(`npm start again: ready after ${again.seconds.toFixed(1)} s`);
  } finally {
    await stop(again);
  }
});
