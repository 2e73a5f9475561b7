// Renders merchants' Liquid templates for whoever needs a page: the upload of a template tries it, the payment window
// shows it; and reads their locales. A file may loop, double what it makes or eat memory: it does so in another process, and
// not for long.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { Refused } from "../domain/refusal.ts";
import { limiter, limiterEach } from "./limited.ts";
import { type Answer, type Locale, type Page, type Question, type Rendered, type Texts, too } from "./template-page.ts";
import { templateTrust, type Whose } from "./template-trust.ts";

export type Templates = {
  /**
   * The page, or why there is none in words. Throws 429 where too many wait already, and 503 where no process can be
   * started. `whose`: for a page that is asked for again and again, by anybody.
   */
  readonly render: (page: Page, whose?: Whose) => Promise<Rendered>;
  /** The texts of a locale, likewise. */
  readonly read: (locale: Locale, whose?: Whose) => Promise<Texts>;
  readonly stop: () => Promise<void>;
};

// An upload takes half a second at the most; so the last in line waits ten seconds.
const uploads_waiting_max = 20;
const retry_after_s = 5;
// Shoppers of one account who look at the same moment; beyond these the account's pages are ours.
const account_waiting_max = 20;
// The process breaks a page off by itself, at 0.5 s. One that does not is killed.
const patience_ms = 2_000;
const start_patience_ms = 10_000;
// It holds about 80 MB, and takes about 0.3 s to start: a page of a warm one takes a few milliseconds.
const idle_ms = 60_000;
// Heap for a page, in megabytes; the program in it needs about 10.
const heap_options = ["--max-old-space-size=64", "--max-semi-space-size=4"];

// Beside this file, in the same language: the sources run as they are, or compiled.
const program = new URL(`./template-process${extname(import.meta.url)}`, import.meta.url);

/** One process, started when a page is first needed and kept while there are more. `waiting_max`: so many at once wait. */
export function createTemplates({ waiting_max = uploads_waiting_max } = {}): Templates {
  const inTurn = limiter({ at_once_max: 1, waiting_max, retry_after_s });
  // Of each account one page waits with all others': they come in turn, however many one of them has.
  const inAccount = limiterEach<number>({ at_once_max: 1, waiting_max: account_waiting_max, retry_after_s });
  const trust = templateTrust();
  let child: ChildProcess | null = null;
  let idle: NodeJS.Timeout | undefined;

  const forget = (gone: ChildProcess): void => {
    if (child === gone) child = null;
  };

  async function started(): Promise<ChildProcess> {
    if (child !== null) return child;
    const begun = fork(program, {
      execArgv: heap_options,
      // Nothing of ours is any of its business: no settings, no secrets, no terminal.
      env: {},
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      serialization: "advanced",
    });
    child = begun;
    begun.on("error", () => {});
    begun.once("exit", () => forget(begun));
    try {
      const ended = once(begun, "exit").then(() => Promise.reject(new Error("it ended at once")));
      await Promise.race([once(begun, "message", { signal: AbortSignal.timeout(start_patience_ms) }), ended]);
    } catch {
      forget(begun);
      begun.kill("SIGKILL");
      throw new Refused("unavailable");
    }
    return begun;
  }

  async function stop(): Promise<void> {
    clearTimeout(idle);
    if (child === null) return;
    const ending = child;
    forget(ending);
    ending.kill("SIGKILL");
    await once(ending, "exit");
  }

  const ask = (question: Question, whose?: Whose): Promise<Answer> =>
    whose === undefined ? render(question) : inAccount(whose.account_id, () => render(question, whose));

  const render = (question: Question, whose?: Whose): Promise<Answer> =>
    inTurn(async () => {
      const known = whose === undefined ? null : trust.whyNot(whose);
      if (known !== null) return { why: known };
      clearTimeout(idle);
      try {
        const answer = await asked(await started(), question);
        if (whose !== undefined && "why" in answer) trust.note(whose, answer.why);
        return answer;
      } finally {
        idle = setTimeout(() => void stop(), idle_ms).unref();
      }
    });

  return {
    render: (page, whose) => ask({ page }, whose) as Promise<Rendered>,
    read: (locale, whose) => ask({ locale }, whose) as Promise<Texts>,
    stop,
  };
}

function asked(child: ChildProcess, question: Question): Promise<Answer> {
  return new Promise((done, failed) => {
    // Unless we have killed it, it was the page's doing.
    let whenGone = (): void => done({ why: too.greedy });
    const kill = (otherwise: () => void): void => {
      whenGone = otherwise;
      child.kill("SIGKILL");
    };
    const late = setTimeout(() => kill(() => done({ why: too.slow })), patience_ms);
    const end = (): void => {
      clearTimeout(late);
      child.off("message", answered).off("exit", gone);
    };
    const answered = (answer: Answer): void => {
      end();
      done(answer);
    };
    const gone = (): void => {
      end();
      whenGone();
    };
    child.once("message", answered).once("exit", gone);
    child.send(question, (error) => {
      if (error !== null) kill(() => failed(new Refused("unavailable")));
    });
  });
}
