// The log: JSON lines that say what happened, and nothing that must stay secret.

import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { RequestLine } from "../src/api/request-log.ts";
import { jsonLog, type Log, readableLog } from "../src/log.ts";

/** What was written, line by line. */
function listen(make: (destination: { write: (text: string) => void }) => Log): { log: Log; text: () => string } {
  let text = "";
  const log = make({
    write: (more) => {
      text += more;
    },
  });
  return { log, text: () => text };
}

const line: RequestLine = {
  id: "01J0ZK3V5N8Q2X4Y6T7W9ABCDE",
  method: "POST",
  path: "/payments/7/capture?synchronized&card[number]=1000000000000008",
  route: "/payments/:id/capture",
  status: 200,
  duration_ms: 12.345,
  version: "v10",
  agreement_id: 300_001,
  ip: "203.0.113.7",
};

const card_numbers = [
  "1000000000000008",
  "4571 0000 0000 0001",
  "4571-0000-0000-0001",
  "375500000000003",
  "501234567899",
];
const key = randomBytes(32).toString("hex");
const password = "correct horse 17";
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const basic = Buffer.from(`:${key}`).toString("base64");

test("a request is one JSON line with everything that is known of it, but never its query", () => {
  const { log, text } = listen(jsonLog);
  log.request(line);
  const written = JSON.parse(text());
  assert.deepEqual(
    { ...written, time: undefined },
    {
      level: 30,
      time: undefined,
      pid: process.pid,
      id: line.id,
      method: "POST",
      route: "/payments/:id/capture",
      status: 200,
      duration_ms: 12.345,
      version: "v10",
      agreement_id: 300_001,
      ip: "203.0.113.7",
      path: "/payments/7/capture",
      msg: "request",
    },
  );
  assert.ok(Math.abs(written.time - Date.now()) < 60_000);
});

test("at a terminal a request is one readable line, without its query", () => {
  const { log, text } = listen(readableLog);
  log.request(line);
  log.info({ anything: 1 }, "Creating the database");
  assert.equal(text(), "POST   /payments/7/capture 200 12.3 ms\nCreating the database\n");
});

test("a long text takes no longer than its length allows: nobody stops the program with a path", () => {
  const { log } = listen(jsonLog);
  const took = (length: number): number => {
    const began = performance.now();
    for (const letter of ["x", "9", "a://", "%00", "a?"]) {
      const text = letter.repeat(length / letter.length);
      log.request({ ...line, path: `/${text}` });
      log.warn({ text }, text);
    }
    return performance.now() - began;
  };
  took(1_000);
  const [short, long] = [took(20_000), took(200_000)];
  // Ten times the length; the square would be a hundred times.
  assert.ok(long < 40 * Math.max(short, 5), `${short.toFixed(1)} ms, then ${long.toFixed(1)} ms`);
});

test("warnings and errors say what happened, whatever they are given", () => {
  for (const make of [jsonLog, readableLog]) {
    const { log, text } = listen(make);
    const circle: { round?: object } = {};
    circle.round = circle;
    log.warn({ error: String(new TypeError("it broke")), operation: line.id, at: new Date(0) }, "try again");
    log.error({ cause: new Error("gone"), circle, count: 3n, ids: new Set([1]), by: new Map([["a", 1]]) }, "no");
    const [warning, error] = text()
      .trim()
      .split("\n")
      .map((each) => JSON.parse(each));
    assert.deepEqual(
      [warning.level, warning.msg, warning.error, warning.operation, warning.at],
      [40, "try again", "TypeError: it broke", line.id, "1970-01-01T00:00:00.000Z"],
    );
    assert.deepEqual(
      [error.level, error.cause.message, error.count, error.ids, error.by],
      [50, "gone", "3", [1], { a: 1 }],
    );
  }
});

// Each is a secret that gives itself away by its looks, wherever it stands.
const looks_secret = fc.oneof(
  fc.constantFrom(
    ...card_numbers,
    key,
    `:${key}`,
    pem,
    `Basic ${basic}`,
    `postgresql://coolpay:${key.slice(0, 20)}@db/shop`,
    `/payments?key=${key.slice(0, 20)}`,
    `https://shop.example/callback?session=${key.slice(0, 20)}`,
    1_000_000_000_000_008,
    1_000_000_000_000_008n,
    Buffer.from(key),
    new Error(`refused: ${key}`),
  ),
);
const traces = [...card_numbers, key, key.slice(0, 20), basic, ...pem.split("\n").slice(1, -2)];

// Each is a secret by the name that it stands under.
const secret_name = fc.constantFrom(
  ...["Authorization", "password", "current_password", "api_key", "apiKey", "private_key", "privateKey", "token"],
  ...[
    "link_token",
    "card",
    "cvd",
    "CVC",
    "card[cvd]",
    "number",
    "card_number",
    "Cookie",
    "Set-Cookie",
    "client_secret",
  ],
);

/** The secret, somewhere in a nest of objects, lists and texts. */
const nest = (secret: fc.Arbitrary<unknown>): fc.Arbitrary<object> => {
  const word = fc.stringMatching(/^[a-z ]{1,8}$/);
  const wrap = (inner: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
    fc.oneof(
      fc.tuple(word, inner, fc.jsonValue({ maxDepth: 1 })).map(([name, value, other]) => ({ other, [name]: value })),
      inner.map((value) => [1, value]),
      inner.map((value) => new Map([["map", value]])),
      inner.map((value) => new Set([value])),
      inner.map((value) => Object.assign(new Error("it broke"), { value })),
      fc
        .tuple(word, inner)
        .map(([text, value]) => (typeof value === "string" ? `${text} ${value}, ${text}` : { value })),
    );
  const levels = [secret];
  for (let depth = 0; depth < 6; depth++) levels.push(wrap(levels.at(-1) ?? secret));
  return fc.oneof(...levels).map((value) => ({ value }));
};

const agreesTo = (value: unknown, message: string): string => {
  const { log, text } = listen(jsonLog);
  log.info(value as object, message);
  log.warn(value as object, message);
  log.error(value as object, message);
  assert.equal(text().trim().split("\n").length, 3);
  return text();
};

test("card numbers, keys, credentials and queries never appear, however deep they hide", () => {
  fc.assert(
    fc.property(nest(looks_secret), (value) => {
      const text = agreesTo(value, "something happened");
      for (const trace of traces) assert.ok(!text.includes(trace), text);
    }),
    { numRuns: 500 },
  );
});

test("what stands under a telling name never appears, however deep it hides", () => {
  const named = secret_name.chain((name) =>
    fc.constantFrom(208, password, [password], { inner: password }).map((value) => ({ [name]: value })),
  );
  fc.assert(
    fc.property(nest(named), (value) => {
      const text = agreesTo(value, "something happened");
      assert.ok(!text.includes(password) && !/[:[]208\b/.test(text), text);
    }),
    { numRuns: 500 },
  );
});

test("a message, a path and a member's name hide them too", () => {
  for (const secret of [...card_numbers, key, pem, `Bearer ${basic}`]) {
    const json = agreesTo({ [secret]: 1 }, `refused ${secret} again`);
    const { log, text } = listen(readableLog);
    log.info({}, `refused ${secret} again`);
    log.request({ ...line, path: `/payments/${encodeURIComponent(secret)}` });
    for (const trace of traces) assert.ok(!decodeURIComponent(`${json}${text()}`).includes(trace), `${json}${text()}`);
    assert.match(text(), /refused .*\[hidden\][\s\S]*POST {3}.*%5Bhidden%5D/);
  }
});

test("what is no secret stays: ids, times, amounts, addresses", () => {
  const data = {
    id: "01J0ZK3V5N8Q2X4Y6T7W9ABCDE",
    at: "2026-01-01T12:30:45.123Z",
    amount: 2_147_483_647,
    ip: "203.0.113.7",
    url: "https://shop.example/callback",
    error: "Error: connect ECONNREFUSED 127.0.0.1:5432",
    answered: true,
    nothing: null,
  };
  const { log, text } = listen(jsonLog);
  log.warn(data, "is it so? yes");
  const { level, time, pid, msg, ...rest } = JSON.parse(text());
  assert.deepEqual(rest, data);
  assert.deepEqual([level, typeof time, pid, msg], [40, "number", process.pid, "is it so? yes"]);
});
