// Renders merchants' templates and reads their locales, in a process of its own: one that eats its memory dies alone. A worker
// thread would not; a large string in it, and V8 ends the whole program whatever the thread's limits. templates.ts starts and
// ends it.

import { createContext, Script } from "node:vm";
import { complaintOf, renderPage } from "./liquid.ts";
import { readMo, readPo } from "./locale-files.ts";
import {
  type Answer,
  clock_ms_max,
  cpu_ms_max,
  html_max,
  type Locale,
  type Page,
  type Question,
  type Rendered,
  type Texts,
  too,
} from "./template-page.ts";

// Only a script can be given a time after which it is broken off. So a loop ends also when nobody is left to kill it.
const work: { run: () => unknown } = { run: () => "" };
const script = new Script("work.run()");
const context = createContext({ work });

function bounded<T>(run: () => T): T {
  work.run = run;
  return script.runInContext(context, { timeout: clock_ms_max });
}

// An honest page that gets no processor for so long, on a machine that is busy, is begun anew.
const tries_max = 3;

function render(page: Page): Rendered {
  for (let tries = 1; ; tries++) {
    const before = process.cpuUsage();
    const isSlow = (): boolean => {
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000 > cpu_ms_max;
    };
    try {
      const html = bounded(() => renderPage(page));
      // Before anything else is done with it: a page of a gigabyte may be a few pieces that were never put together.
      if (html.length > html_max) return { why: too.large };
      return isSlow() ? { why: too.slow } : { html };
    } catch (error) {
      const limit = limitIn(error);
      if (limit === too.slow && !isSlow() && tries < tries_max) continue;
      return { why: limit ?? `is not Liquid: ${complaintOf(error, page.name)}` };
    }
  }
}

function read({ name, bytes }: Locale): Texts {
  try {
    return { texts: { ...bounded(() => (/\.mo$/i.test(name) ? readMo : readPo)(Buffer.from(bytes))) } };
  } catch (error) {
    const limit = limitIn(error);
    return { why: limit === too.slow ? too.long : (limit ?? "is no gettext file") };
  }
}

/** What the limits of Node, V8 and liquidjs say. */
const limits: readonly (readonly [sign: RegExp, why: string])[] = [
  [/Script execution timed out/, too.slow],
  [/Invalid string length/, too.large],
  [/memory alloc limit exceeded|Invalid array length/, too.greedy],
  [/Maximum call stack size exceeded/, too.deep],
];

function limitIn(error: unknown): string | undefined {
  const said = String(error);
  return Object.values(too).find((why) => said.includes(why)) ?? limits.find(([sign]) => sign.test(said))?.[1];
}

// A program's first pages take several times as long as its later ones: these are nobody's.
const warming = `{% if model.a == empty and !model.b %}{% t Pay %}{% else %}<p>{{ model.c | upcase }}</p>{% endif %}
  {% for m in model.l %}{% include "b" m=m %}{% endfor %}{% capture d %}{{ images.a.svg }}{% endcapture %}`.repeat(30);
renderPage({
  name: "a",
  templates: { a: warming, b: "{{ m['id'] }}{% unless m.x %}{{ d }}{% endunless %}" },
  model: { a: [], c: "c", l: [{ id: 1 }] },
  config: {},
  images: { "a.svg": "/a.svg" },
  translations: {},
});

// A terminal's Ctrl-C reaches us too; we end with the channel to the program.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
const answerTo = (question: Question): Answer => ("page" in question ? render(question.page) : read(question.locale));
process.on("message", (question: Question) => void process.send?.(answerTo(question)));
process.send?.("ready");
