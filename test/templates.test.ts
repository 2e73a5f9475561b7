// Merchants' Liquid: what a template may say and how it is read, and what becomes of one that loops, doubles or eats memory.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, describe, test } from "node:test";
import { Refused } from "../src/domain/refusal.ts";
import type { Page } from "../src/services/template-page.ts";
import { samplePage } from "../src/services/template-sample.ts";
import { createTemplates } from "../src/services/templates.ts";

const templates = createTemplates();
after(templates.stop);

const page = (source: string, more: Partial<Page> = {}): Page => ({
  ...samplePage("page", { page: source, ...more.templates }),
  ...{ model: more.model ?? {}, config: more.config ?? {}, images: more.images ?? {} },
  translations: more.translations ?? {},
});

const whyNot = async (source: string, files: Page["templates"] = {}): Promise<string> => {
  const rendered = await templates.render(page(source, { templates: files }));
  return "why" in rendered ? rendered.why : "";
};

/** The processes that this one has started for templates. */
const processes = (): number[] =>
  execFileSync("ps", ["-Ao", "pid=,ppid=,args="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, ...args]) => parent === String(process.pid) && args.join(" ").includes("template-process"))
    .map(([pid]) => Number(pid));

describe("a template", () => {
  const methods = [
    { name: "visa", nice_name: "Visa & Co", id: "v-1" },
    { name: "dankort", nice_name: "Dankort", id: "d-2" },
  ];
  const told: Partial<Page> = {
    templates: {
      layout: '<main>{% include "content" %}</main>',
      "form/card": "card of {{ model.order_id }}",
      method: "[{{ method.name }} {{ method['id'] }} {{ label }}]",
      content: "{% include model.form_template %}",
    },
    model: {
      order_id: "a<b>&\"'",
      form_template: "form/card",
      "show_cancel?": true,
      "undo_payment_method?": false,
      moto: false,
      payment_methods: methods,
      alternative_payment_methods: [],
      params: [["token", "1&2"]],
    },
    config: { notice: "<b>Now</b>", "3d_field": true },
    images: { "question-circle.svg": "/q.svg", "logo.min.png": "/m.png", "logo.png": "/l.png", "3d.gif": "/3.gif" },
    translations: { "Don't pay 100%, yet!": "Betal ikke <i>endnu</i>" },
  };

  for (const [source, html] of [
    ["{{ 'pay' | upcase }}", "PAY"],
    ["{{ images.question-circle.svg }} {{ images.logo.min.png }} {{ images.logo.png }}", "/q.svg /m.png /l.png"],
    ["{{ images.3d.gif }}{{ images.none.png }}{{ config.none }}{{ nothing.at.all }}", "/3.gif"],
    ["{% if config.3d_field %}3d{% endif %}{{ config.notice }}", "3d<b>Now</b>"],
    [
      "{% t Don't pay 100%, yet! %}|{% t Pay (now): 'it' %}|{%- t Pay -%}",
      "Betal ikke <i>endnu</i>|Pay (now): 'it'|Pay",
    ],
    ["{{ model.order_id }}", "a&lt;b&gt;&amp;&quot;&#39;"],
    [
      "{% if model.show_cancel? %}cancel{% endif %}{% unless model.undo_payment_method? %}no undo{% endunless %}",
      "cancelno undo",
    ],
    [
      "{% if model.alternative_payment_methods == empty and model.undo_payment_method? == false %}none{% endif %}",
      "none",
    ],
    [
      "{% if !model.moto %}1{% endif %}{% if model.moto or !model.order_id %}2{% endif %}{%- unless !model.error -%}3{% endunless %}",
      "23",
    ],
    ["{% if 'a!b' == 'a b' %}1{% elsif 'a!b' != !model.x %}2{% endif %}", "2"],
    [
      '{% for method in model.payment_methods %}{% include "method" method=method %}{% endfor %}',
      "[visa v-1 ][dankort d-2 ]",
    ],
    [
      "{% for method in model.payment_methods limit:1 %}{% include 'method', label: method.nice_name %}{% endfor %}",
      "[visa v-1 Visa &amp; Co]",
    ],
    ["{% for field in model.params %}{{ field[0] }}={{ field[1] }}{% endfor %}", "token=1&amp;2"],
    ["{% include 'layout' %}", "<main>card of a&lt;b&gt;&amp;&quot;&#39;</main>"],
    ["{% include 'not/there' %}{% include model.nothing %}{% include nothing %}.", "."],
    ["{% capture text %}<i>{% t Pay %}</i>{% endcapture %}{{ text }}", "<i>Pay</i>"],
    ["{% case model.form_template %}\n {% when 'form/card' %}card{% else %}other{% endcase %}", "card"],
  ] as const)
    test(`may say ${source.slice(0, 60)}`, async () => {
      assert.deepEqual(await templates.render(page(source, told)), { html });
    });

  for (const [source, why] of [
    ["<p>\n{% if model.moto %}\n</p>", "is not Liquid: line 2: tag {% if model.moto %} not closed"],
    ["\n\n{% pay now %}", 'is not Liquid: line 3: tag "pay" not found'],
    ["{% endif %}", 'is not Liquid: line 1: tag "endif" not found'],
    ["{{ model.order_id", 'is not Liquid: line 1: output "{{ model.order_id" not closed'],
    ["{% if a && b %}1{% endif %}", 'is not Liquid: line 1: expected "|" before filter'],
    ["{% include %}", "is not Liquid: line 1: include needs the name of a template"],
    ["{% include 'form' %}", 'is not Liquid: line 2 of form: tag "fort" not found'],
    ["{% include 'page' %}", "is nested too deeply, or includes itself"],
    ["{% if x %}".repeat(3_000), "is nested too deeply, or includes itself"],
  ] as const)
    test(`may not say ${JSON.stringify(source.slice(0, 40))}`, async () => {
      assert.equal(await whyNot(source, { form: "\n{% fort %}" }), why);
    });

  test("reads no file and no variable of the program", async () => {
    const { html } = (await templates.render(
      page(
        "{% include '../package.json' %}{% include '/etc/hosts' %}{% render './liquid.ts' %}{% layout 'services' %}" +
          "{{ process.env }}{{ model.constructor.constructor }}{{ model.__proto__ }}{{ 'x'.constructor.name }}",
      ),
    )) as { html: string };
    assert.equal(html, "");
  });
});

const doubled = (times: number): string =>
  `{% capture a %}${"x".repeat(1000)}{% endcapture %}${"{% capture a %}{{ a }}{{ a }}{% endcapture %}".repeat(times)}`;
const loop = "{% for a in (1..2000) %}{% for b in (1..2000) %}{% assign c = b %}{% endfor %}{% endfor %}";

describe("a template that", () => {
  for (const [what, source, why] of [
    ["loops", loop, "takes more than 100 ms to render"],
    ["counts to a hundred million", "{% for i in (1..100000000) %}.{% endfor %}", "needs too much memory to render"],
    ["doubles its output", `${doubled(18)}{{ a }}`, "makes a page of more than 512 kB"],
    ["doubles it beyond what a text can be", doubled(40), "makes a page of more than 512 kB"],
    [
      "doubles a list",
      `{% assign a = "1,2" | split: "," %}${"{% assign a = a | concat: a %}".repeat(40)}`,
      "needs too much memory to render",
    ],
    // One text of 256 MB: V8 ends the process over it, whoever else runs in it.
    ["eats the memory", `${doubled(4)}{{ a | replace: "x", a | size }}`, "needs too much memory to render"],
    ["pads a date", "{{ 'now' | date: '%400000000d' }}", "needs too much memory to render"],
    [
      "prints a megabyte",
      `{% for i in (1..1100) %}${"y".repeat(1000)}{% endfor %}`,
      "makes a page of more than 512 kB",
    ],
  ] as const)
    test(`${what} is given up, and the next one is rendered`, async () => {
      assert.equal(await whyNot(source), why);
      assert.deepEqual(await templates.render(page("{{ 'a' | upcase }}")), { html: "A" });
      assert.equal(processes().length, 1);
    });

  test("does not come back at all is killed with its process", async () => {
    const [pid = 0] = processes();
    process.kill(pid, "SIGSTOP");
    assert.equal(await whyNot("a"), "takes more than 100 ms to render");
    assert.equal(await whyNot("a"), "");
    assert.ok(!processes().includes(pid));
  });
});

test("of many pages at once only so many wait; the others are told to come again; nothing is left running", async () => {
  const own = createTemplates();
  const others = processes().length;
  const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => own.render(page("a"))));
  const refused = outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => reason);
  assert.equal(refused.length, 9);
  for (const reason of refused) {
    assert.ok(reason instanceof Refused);
    assert.deepEqual([reason.refusal.code, reason.retry_after_s], ["too_many_failures", 5]);
  }
  assert.equal(processes().length, others + 1);
  await own.stop();
  assert.equal(processes().length, others);
});

test("of accounts the pages come in turn: who asks for many waits for himself", async () => {
  const own = createTemplates({ waiting_max: 200 });
  const whose = (account_id: number) => ({ account_id, work: "a" });
  const order: number[] = [];
  const ask = (account_id: number) =>
    own.render(page("{% for i in (1..2000) %}{{ i }}{% endfor %}"), whose(account_id)).then(
      (rendered) => void ("html" in rendered && order.push(account_id)),
      () => {},
    );
  await Promise.all([...Array.from({ length: 40 }, () => ask(1)), ask(2), ask(3)]);
  assert.deepEqual(order.slice(0, 4).sort(), [1, 1, 2, 3].sort());
  assert.equal(order.filter((account_id) => account_id === 1).length, 21);
  await own.stop();
});
