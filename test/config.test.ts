// Settings: what each is when nothing is said, and what a person hears who got one wrong.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { BadSetting, type Environment, type Mode, readConfig, settings } from "../src/config.ts";
import { small, unlimited } from "../src/domain/plans.ts";
import { putAway } from "./support/kept.ts";

const folder = mkdtempSync(join(tmpdir(), "coolpay config "));
after(() => putAway(folder));

const file = (name: string): string => {
  writeFileSync(join(folder, name), "text");
  return join(folder, name);
};

const production: Environment = {
  DATABASE_URL: "postgresql://coolpay@db.internal/coolpay",
  COOLPAY_MASTER_KEY_FILE: "/etc/coolpay/master.key",
  COOLPAY_API_URL: "https://api.example.com",
  COOLPAY_WINDOW_URL: "https://payment.example.com",
  COOLPAY_MANAGER_URL: "https://manage.example.com/",
};

/** What the operator hears, a sentence a line. */
function heard(mode: Mode, environment: Environment): string[] {
  try {
    readConfig(mode, environment);
  } catch (error) {
    assert.ok(error instanceof BadSetting, String(error));
    return error.message.split("\n");
  }
  return [];
}

test("without a single setting `start` is the friendly form for a laptop", () => {
  assert.deepEqual(readConfig("start", {}), {
    mode: "start",
    host: "127.0.0.1",
    ports: { api: 4242, window: 4243, manager: 4244, metrics: 4245 },
    urls: { api: null, window: null, manager: null },
    data_dir: resolve("data"),
    database_url: null,
    processes: 1,
    master_key_file: resolve("data/master.key"),
    demo: true,
    test_clock: false,
    allow_private_callbacks: true,
    signup: "open",
    smtp: null,
    plans: [unlimited, small],
    request_log_days: 14,
    tls: null,
    tls_min: "TLSv1.2",
    trust_proxy: [],
    retention_months: 60,
  });
});

test("`serve` with what it needs is the strict form: no demo, sign-up by invitation, a process per core", () => {
  assert.deepEqual(readConfig("serve", production), {
    mode: "serve",
    host: "127.0.0.1",
    ports: { api: 4242, window: 4243, manager: 4244, metrics: 4245 },
    urls: {
      api: "https://api.example.com",
      window: "https://payment.example.com",
      manager: "https://manage.example.com",
    },
    data_dir: resolve("data"),
    database_url: "postgresql://coolpay@db.internal/coolpay",
    processes: availableParallelism(),
    master_key_file: "/etc/coolpay/master.key",
    demo: false,
    test_clock: false,
    allow_private_callbacks: false,
    signup: "invite",
    smtp: null,
    plans: [unlimited],
    request_log_days: 14,
    tls: null,
    tls_min: "TLSv1.2",
    trust_proxy: [],
    retention_months: 60,
  });
});

test("`serve` lists exactly what is missing, all at once", () => {
  assert.deepEqual(heard("serve", {}), [
    "DATABASE_URL is missing: serve needs a PostgreSQL of your own, 15 or newer.",
    "COOLPAY_MASTER_KEY_FILE is missing: the file that holds 32 random bytes, base64.",
    "COOLPAY_API_URL is missing: Public address of the API, as in Location and Link headers.",
    "COOLPAY_WINDOW_URL is missing: Public address of the payment window, as in payment links.",
    "COOLPAY_MANAGER_URL is missing: Public address of the manager.",
  ]);
  for (const name of Object.keys(production)) {
    for (const nothing of [undefined, "", "  "]) {
      const said = heard("serve", { ...production, [name]: nothing });
      assert.equal(said.length, 1, `${name}=${nothing}`);
      assert.match(said[0] ?? "", new RegExp(`^${name} is missing: `));
    }
  }
});

test("demo data and a movable clock are refused under `serve`", () => {
  assert.deepEqual(heard("serve", { ...production, COOLPAY_DEMO: "1", COOLPAY_TEST_CLOCK: "1" }), [
    "COOLPAY_DEMO is not available under serve: demo data does not belong among real payments.",
    "COOLPAY_TEST_CLOCK is not available under serve: real payments need the real time.",
  ]);
  assert.deepEqual(heard("serve", { ...production, COOLPAY_DEMO: "0", COOLPAY_TEST_CLOCK: "0" }), []);
});

const plan = (change: object): string =>
  JSON.stringify([
    { name: "small", price: 1900, currency: "EUR", transactions_per_month: 10, features: [], ...change },
  ]);

test("plans are read from JSON or a file; the first is where accounts begin", () => {
  const { plans } = readConfig("serve", { ...production, COOLPAY_PLANS: plan({}) });
  assert.deepEqual(plans, JSON.parse(plan({})));
  writeFileSync(join(folder, "plans.json"), plan({ name: "free", features: ["users"] }));
  const read = readConfig("serve", { ...production, COOLPAY_PLANS: join(folder, "plans.json") });
  assert.deepEqual([read.plans[0].name, read.plans[0].features], ["free", ["users"]]);
});

// A value that is wrong, and what is said of it.
const wrong: Readonly<Record<keyof typeof settings | "DATABASE_URL", readonly (readonly [string, RegExp])[]>> = {
  COOLPAY_HOST: [["0.0.0.0", /reachable from outside and there is no TLS/]],
  COOLPAY_API_PORT: [
    ["65536", /whole number from 0 to 65535, not 65536/],
    ["http", /not http/],
    ["-1", /not -1/],
    ["42.5", /not 42\.5/],
    ["4243", /^COOLPAY_API_PORT and COOLPAY_WINDOW_PORT are both 4243: /],
  ],
  COOLPAY_WINDOW_PORT: [["0x1092", /whole number/]],
  COOLPAY_MANAGER_PORT: [["99999999999999999999", /whole number/]],
  COOLPAY_METRICS_PORT: [["٤٢", /whole number/]],
  COOLPAY_API_URL: [
    ["api.example.com", /must be an http or https address/],
    ["ftp://api.example.com", /must be/],
    ["https://", /must be/],
    ["https://api.example.com/?a=b", /without query/],
    ["https://api.example.com/#top", /without query/],
    ["https://user:word@api.example.com", /without query, fragment, user or password/],
  ],
  COOLPAY_WINDOW_URL: [["https://exa mple.com", /must be/]],
  COOLPAY_MANAGER_URL: [["javascript:alert(1)", /must be/]],
  COOLPAY_DATA_DIR: [],
  COOLPAY_PROCESSES: [
    ["0", /from 1 to 256, not 0/],
    ["257", /not 257/],
    ["many", /not many/],
  ],
  COOLPAY_MASTER_KEY_FILE: [],
  COOLPAY_DEMO: [["perhaps", /must be 1 or 0, not perhaps/]],
  COOLPAY_TEST_CLOCK: [["2", /must be 1 or 0, not 2/]],
  COOLPAY_ALLOW_PRIVATE_CALLBACKS: [["y", /must be 1 or 0, not y/]],
  COOLPAY_SIGNUP: [["everybody", /must be one of open, invite, closed, not everybody/]],
  COOLPAY_RETENTION_MONTHS: [
    ["0", /from 1 to 1200, not 0/],
    ["5 years", /not 5 years/],
  ],
  COOLPAY_SMTP_URL: [
    ["smtp://mail.internal", /needs COOLPAY_MAIL_FROM beside it/],
    ["mail.internal:25", /must be such as smtps:/],
    ["https://ida:secret-word@mail.internal", /must be such as/],
    ["smtp://ida:secret-word%zz@mail.internal", /must be such as/],
    ["smtp://ida:secret-word%c3%28@mail.internal", /must be such as/],
    ["smtps://ida:secret-word@mail.internal/inbox?tls=no", /must be such as/],
  ],
  COOLPAY_MAIL_FROM: [
    ["CoolPay", /must be an address, as in CoolPay <pay@example.com>/],
    ["a@shop.example, b@shop.example", /must be an address/],
    ["Ida\r\nBcc: <b@shop.example>", /must be an address/],
  ],
  COOLPAY_PLANS: [
    ["/nowhere/plans.json", /^COOLPAY_PLANS \(\/nowhere\/plans\.json\) cannot be read \(ENOENT\)/],
    ["[{]", /is not JSON/],
    ["[]", /must be a list of 1 to 100 plans/],
    ["[7]", /plan 1 is not an object/],
    [plan({ name: "Large Plan" }), /plan 1 needs name: a word/],
    [plan({ price: -1 }), /plan 1 needs price: a whole number/],
    [plan({ currency: "Euro" }), /plan 1 needs currency: an ISO 4217 code/],
    [plan({ transactions_per_month: undefined }), /plan 1 needs transactions_per_month: .* or null/],
    [plan({ features: ["payouts", "sms"] }), /plan 1 needs features: a list of some of subscriptions, /],
    [plan({ transactions: 5 }), /plan 1 has a member transactions, which means nothing/],
    [JSON.stringify([...JSON.parse(plan({})), ...JSON.parse(plan({}))]), /plan 2 has the name of an earlier one/],
  ],
  COOLPAY_REQUEST_LOG_DAYS: [["0", /from 1 to 366, not 0/]],
  COOLPAY_TLS: [["on", /must be one of self, not on/]],
  COOLPAY_TLS_CERT: [["/nowhere/cert.pem", /belong together: one of them is missing/]],
  COOLPAY_TLS_KEY: [["/nowhere/key.pem", /belong together: one of them is missing/]],
  COOLPAY_TLS_MIN: [
    ["SSLv3", /must be one of TLSv1.2, TLSv1.1, TLSv1, not SSLv3/],
    ["tlsv1", /must be one of/],
  ],
  COOLPAY_TRUST_PROXY: [
    ["10.0.0.0/33", /must hold addresses or ranges such as 10.0.0.0\/8, not 10.0.0.0\/33/],
    ["proxy.internal", /not proxy.internal/],
    ["10.0.0.1, 10.0.0.0/8/8", /not 10.0.0.0\/8\/8/],
    ["0.0.0.0/0", /everybody/],
    ["::/0", /everybody/],
    ["fe80::1%eth0", /not fe80::1%eth0/],
    ["2001:db8::/129", /must hold/],
  ],
  DATABASE_URL: [
    ["mysql://root:secret-word@db/shop", /must begin with postgresql:\/\//],
    ["db.internal", /must begin with postgresql:\/\//],
  ],
};

for (const [name, cases] of Object.entries(wrong)) {
  for (const [value, sentence] of cases) {
    test(`${name}=${value} is refused in one sentence`, () => {
      const said = heard("start", { [name]: value });
      assert.equal(said.length, 1, said.join("\n"));
      assert.match(said[0] ?? "", sentence);
      assert.match(said[0] ?? "", /^[A-Z].*\.$/);
      if (name === "DATABASE_URL" || name === "COOLPAY_SMTP_URL")
        assert.doesNotMatch(said[0] ?? "", /secret-word|root/);
    });
  }
}

test("every setting has a wrong value here or takes any text", () => {
  assert.deepEqual(Object.keys(wrong).sort(), [...Object.keys(settings), "DATABASE_URL"].sort());
});

test("right values are taken over, blanks around them or not; an empty value counts as not set", () => {
  const empty = Object.fromEntries(Object.keys(settings).map((name) => [name, ""]));
  assert.deepEqual(readConfig("start", empty), readConfig("start", {}));
  const config = readConfig("start", {
    COOLPAY_HOST: " ::1 ",
    COOLPAY_API_PORT: " 80 ",
    COOLPAY_API_URL: "https://example.com/api//",
    COOLPAY_DATA_DIR: "/srv/coolpay",
    COOLPAY_PROCESSES: "3",
    COOLPAY_DEMO: "Off",
    COOLPAY_TEST_CLOCK: "YES",
    COOLPAY_ALLOW_PRIVATE_CALLBACKS: "false",
    COOLPAY_SIGNUP: "closed",
    COOLPAY_TLS: "self",
    COOLPAY_TLS_MIN: "TLSv1.1",
    COOLPAY_TRUST_PROXY: "127.0.0.1, 10.0.0.0/8,2001:db8::/32,",
    BROWSER: "none",
  });
  assert.equal(config.host, "::1");
  assert.equal(config.ports.api, 80);
  assert.equal(config.urls.api, "https://example.com/api");
  assert.equal(config.master_key_file, "/srv/coolpay/master.key");
  assert.equal(config.processes, 3);
  assert.deepEqual([config.demo, config.test_clock, config.allow_private_callbacks], [false, true, false]);
  assert.deepEqual([config.signup, config.tls, config.tls_min], ["closed", "self", "TLSv1.1"]);
  assert.deepEqual(config.trust_proxy, ["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"]);
});

test("mail leaves by SMTP, encrypted unless it stays on this machine", () => {
  const smtp = (url: string, from = "Cool Pay <pay@example.com>") =>
    readConfig("start", { COOLPAY_SMTP_URL: url, COOLPAY_MAIL_FROM: from }).smtp;
  const sender = { name: "Cool Pay", address: "pay@example.com" };
  assert.deepEqual(smtp("smtps://ida%40shop:p%3Aw@mail.example.com/"), {
    host: "mail.example.com",
    port: 465,
    secure: true,
    starttls: true,
    login: { user: "ida@shop", password: "p:w" },
    from: sender,
  });
  const local = { host: "::1", port: 2525, secure: false, starttls: false, login: null };
  assert.deepEqual(smtp("smtp://[::1]:2525", "pay@example.com"), { ...local, from: { ...sender, name: "" } });
  const { port, secure, starttls } = smtp("smtp://mail.example.com") ?? {};
  assert.deepEqual([port, secure, starttls], [587, false, true]);
});

test("port 0 means any free one, for as many listeners as want it", () => {
  assert.deepEqual(heard("start", { COOLPAY_API_PORT: "0", COOLPAY_WINDOW_PORT: "0" }), []);
});

test("an unknown COOLPAY_ name is an error, whatever it is", () => {
  assert.deepEqual(heard("start", { COOLPAY_API_PROT: "4242" }), [
    "COOLPAY_API_PROT is not a setting of CoolPay: check its spelling or remove it.",
  ]);
  const name = fc.stringMatching(/^[A-Z_]{1,20}$/).map((end) => `COOLPAY_${end}`);
  fc.assert(
    fc.property(name, fc.string(), (unknown, value) => {
      fc.pre(!Object.hasOwn(settings, unknown));
      const said = heard("start", { [unknown]: value });
      assert.equal(said.length, 1);
      assert.ok(said[0]?.startsWith(`${unknown} is `));
    }),
  );
  assert.deepEqual(heard("start", { COOLPAYMENTS: "1", COOL: "2" }), []);
});

test("what Kubernetes adds for a service named coolpay or coolpay-api is named as what it is", () => {
  const link = /is a Kubernetes service link, not a setting: set enableServiceLinks: false on the pod\.$/;
  const links = {
    COOLPAY_PORT: "tcp://10.0.0.7:4242",
    COOLPAY_API_PORT: "tcp://10.0.0.7:4242",
    COOLPAY_PORT_4242_TCP: "tcp://10.0.0.7:4242",
    COOLPAY_PORT_4242_TCP_ADDR: "10.0.0.7",
    COOLPAY_SERVICE_HOST: "10.0.0.7",
    COOLPAY_SERVICE_PORT: "4242",
    COOLPAY_SERVICE_PORT_HTTP: "4242",
  };
  for (const [name, value] of Object.entries(links)) {
    const said = heard("start", { [name]: value });
    assert.equal(said.length, 1, said.join("\n"));
    assert.match(said[0] ?? "", link, name);
    assert.ok(said[0]?.startsWith(name));
  }
});

test("plain HTTP is for loopback or behind a named proxy; anything else without TLS refuses to start", () => {
  const sentence = /^COOLPAY_HOST \S+ is reachable from outside and there is no TLS: set COOLPAY_TLS_CERT/;
  for (const host of ["0.0.0.0", "::", "192.168.1.4", "example.com"]) {
    assert.match(heard("start", { COOLPAY_HOST: host })[0] ?? "", sentence);
    assert.match(heard("serve", { ...production, COOLPAY_HOST: host })[0] ?? "", sentence);
    assert.deepEqual(heard("start", { COOLPAY_HOST: host, COOLPAY_TLS: "self" }), []);
    assert.deepEqual(heard("start", { COOLPAY_HOST: host, COOLPAY_TRUST_PROXY: "10.0.0.0/8" }), []);
  }
  for (const host of ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
    assert.deepEqual(heard("start", { COOLPAY_HOST: host }), [], host);
});

test("a certificate comes with its key, both readable, and not beside one of our own making", () => {
  const both = { COOLPAY_TLS_CERT: file("cert.pem"), COOLPAY_TLS_KEY: file("key.pem") };
  assert.deepEqual(readConfig("start", both).tls, { cert_file: both.COOLPAY_TLS_CERT, key_file: both.COOLPAY_TLS_KEY });
  assert.deepEqual(heard("start", { ...both, COOLPAY_TLS_KEY: join(folder, "none.pem") }), [
    `The TLS file ${join(folder, "none.pem")} cannot be read (ENOENT).`,
  ]);
  mkdirSync(join(folder, "some folder"));
  assert.deepEqual(heard("start", { ...both, COOLPAY_TLS_CERT: join(folder, "some folder") }), [
    `The TLS file ${join(folder, "some folder")} cannot be read (EISDIR).`,
  ]);
  assert.deepEqual(heard("start", { ...both, COOLPAY_TLS: "self" }), [
    "COOLPAY_TLS=self makes a certificate of its own: remove it, or COOLPAY_TLS_CERT and COOLPAY_TLS_KEY.",
  ]);
});

test("everything that is wrong is said at once", () => {
  const said = heard("serve", {
    COOLPAY_API_PORT: "x",
    COOLPAY_SIGNUP: "y",
    COOLPAY_HSOT: "z",
    COOLPAY_HOST: "0.0.0.0",
  });
  for (const name of ["COOLPAY_API_PORT", "COOLPAY_SIGNUP", "COOLPAY_HSOT", "COOLPAY_HOST", "DATABASE_URL"])
    assert.equal(said.filter((line) => line.startsWith(`${name} `)).length, 1, name);
});
