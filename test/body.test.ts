// Bodies as they come over the wire: every encoding means the same, and what cannot be read is refused with a clear 400,
// 413 or 415. The server here is a bare one, so that a body is all there is to go wrong.

import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { body_bytes_max, readBody } from "../src/api/body.ts";
import { answerTo } from "../src/api/errors.ts";
import { parseMultipart } from "../src/api/multipart.ts";
import { depth_max, fromPairs, params_max, parseForm, parseJson, parseQuery } from "../src/api/params.ts";
import { Refused } from "../src/domain/refusal.ts";

type Seen = {
  readonly status: number;
  readonly body: ReturnType<typeof answerTo>["body"] | null;
  readonly params: unknown;
};
/** What `readBody` made of the newest request, also where nobody was left to be answered. */
let seen: (value: Seen) => void = () => {};
const nextSeen = () =>
  new Promise<Seen>((done) => {
    seen = done;
  });

const server = createServer(async (incoming, outgoing) => {
  try {
    const { params, files, bytes } = await readBody(incoming);
    const named = Object.fromEntries(
      Object.entries(files).map(([name, file]) => [name, { ...file, bytes: file.bytes.toString("base64") }]),
    );
    seen({ status: 200, body: null, params });
    outgoing.end(JSON.stringify({ params, files: named, bytes }));
  } catch (error) {
    const { status, body } = answerTo(error);
    seen({ status, body, params: null });
    outgoing.writeHead(status, incoming.complete ? {} : { Connection: "close" }).end(JSON.stringify(body));
  }
});

let port = 0;
before(async () => {
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  port = (server.address() as AddressInfo).port;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

type Sent = {
  readonly method?: string;
  readonly type?: string | null;
  readonly headers?: OutgoingHttpHeaders;
  readonly chunked?: boolean;
};
type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
};

const form = "application/x-www-form-urlencoded";
const json = "application/json";

function send(
  body: string | Buffer,
  { method = "POST", type = form, headers = {}, chunked = false }: Sent = {},
): Promise<Answer> {
  const length = chunked ? { "Transfer-Encoding": "chunked" } : { "Content-Length": Buffer.byteLength(body) };
  const all = { ...(type === null ? {} : { "Content-Type": type }), ...length, ...headers };
  return new Promise((done, failed) => {
    const outgoing = request({ port, host: "127.0.0.1", method, headers: all }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () =>
        done({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: JSON.parse(Buffer.concat(chunks).toString() || "null"),
        }),
      );
    });
    outgoing.on("error", failed);
    if (headers.Expect === undefined) return void outgoing.end(body);
    outgoing.flushHeaders();
    outgoing.on("continue", () => outgoing.end(body));
  });
}

/** The word that goes with what is said. */
const codeOf = (message: string): string =>
  message.startsWith("Unsupported")
    ? "media_type"
    : message.startsWith("Request body")
      ? "body_too_large"
      : message.startsWith("Validation")
        ? "validation"
        : "malformed_request";

const refused = (message: string, errors: object = { body: ["is invalid"] }) => ({
  ...{ message, errors, error_code: codeOf(message) },
});

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

type Refusal = { readonly code: string; readonly message: string };
function refusalOf(work: () => unknown): Refusal {
  try {
    work();
  } catch (error) {
    if (error instanceof Refused) return { code: error.refusal.code, message: error.message };
    throw error;
  }
  throw new assert.AssertionError({ message: "nothing was refused" });
}

test("a form, JSON and multipart say the same, on every method, whole or in chunks", async () => {
  const expected = {
    order_id: "A-1001",
    variables: { name: "Jørgen & €", empty: "" },
    basket: [{ qty: "1" }, { qty: "2" }],
  };
  const multipart = new FormData();
  const pairs = new URLSearchParams();
  for (const body of [multipart, pairs]) {
    body.append("order_id", "A-1001");
    body.append("variables[name]", "Jørgen & €");
    body.append("variables[empty]", "");
    body.append("basket[][qty]", "1");
    body.append("basket[][qty]", "2");
  }
  const encoded = new Response(multipart);
  const type = encoded.headers.get("content-type");
  const bytes = Buffer.from(await encoded.arrayBuffer());
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
    for (const chunked of [false, true]) {
      assert.deepEqual((await send(pairs.toString(), { method, chunked })).body.params, expected, `${method} form`);
      assert.deepEqual((await send(JSON.stringify(expected), { method, chunked, type: json })).body.params, expected);
      assert.deepEqual((await send(bytes, { method, chunked, type })).body.params, expected, `${method} multipart`);
    }
  }
});

test("a body without a type is a form, a type may have parameters, and no body is no parameters", async () => {
  assert.deepEqual((await send("key1=value1&key2=value2\r\n", { type: null })).body.params, {
    key1: "value1",
    key2: "value2",
  });
  assert.deepEqual((await send("a=b ", { type: `${form}; charset=UTF-8` })).body.params, { a: "b " });
  assert.deepEqual((await send('{"a":1}', { type: 'Application/JSON; charset="utf-8"' })).body.params, { a: 1 });
  assert.deepEqual((await send('\ufeff{"a":1}', { type: json })).body.params, { a: 1 });
  for (const body of ["", " ", "null", "{}", "[]"]) {
    for (const chunked of [false, true])
      assert.deepEqual((await send(body, { type: json, chunked })).body.params, {}, body);
  }
  assert.deepEqual((await send("", { type: "text/weird", chunked: true })).body, { params: {}, files: {}, bytes: 0 });
  assert.equal((await send("æ=1")).body.bytes, 4);
});

test("the last of a repeated plain parameter counts; empty brackets collect", async () => {
  assert.deepEqual((await send("a=1&a=2&b[]=1&b[]=2&c[x]=1&c[x]=2")).body.params, {
    a: "2",
    b: ["1", "2"],
    c: { x: "2" },
  });
  assert.deepEqual((await send('{"a":1,"a":2}', { type: json })).body.params, { a: 2 });
});

test("an unknown content type or a compressed body is 415, and too large comes first", async () => {
  for (const type of [
    "text/plain",
    "application/xml",
    "image/png",
    "json",
    "application/jsonp",
    "multipart/mixed; boundary=x",
  ]) {
    const { status, body } = await send("a=1", { type });
    assert.equal(status, 415, type);
    assert.deepEqual(body, refused("Unsupported media type", null as never));
  }
  for (const encoding of ["gzip", "br", "gzip, identity"]) {
    assert.equal((await send("a=1", { headers: { "Content-Encoding": encoding } })).status, 415);
  }
  assert.equal((await send("a=1", { headers: { "Content-Encoding": "identity" } })).status, 200);
  assert.equal((await send("a".repeat(body_bytes_max + 1), { type: "text/plain" })).status, 413);
});

test("10 MB are refused with an answer that a client gets to read, whole and in chunks", async () => {
  for (const type of [form, json]) {
    for (const chunked of [false, true]) {
      const { status, body } = await send(Buffer.alloc(10 * 1024 * 1024, 0x61), { type, chunked });
      assert.equal(status, 413);
      assert.deepEqual(body, refused("Request body too large", null as never));
    }
  }
  const most = await send(`a=${"b".repeat(body_bytes_max - 2)}`);
  assert.equal(most.body.bytes, body_bytes_max, "the largest body that is taken");
});

test("a client that sends all 10 MB before it listens still hears the refusal", { timeout: 10_000 }, async () => {
  const body = Buffer.alloc(10 * 1024 * 1024, 0x61);
  for (const type of [form, "text/plain"]) {
    const answer = await new Promise<string>((done) => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.on("error", (error) => done(String(error)));
      socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.once("data", (chunk) => {
        done(chunk.toString());
        socket.destroy();
      });
      socket.pause();
      socket.write(body, (error) => (error ? done(String(error)) : socket.resume()));
    });
    assert.match(answer, /^HTTP\/1.1 413 /);
  }
});

test("a body that would go on for ever is refused before it ends", async () => {
  const megabyte = Buffer.alloc(1024 * 1024, 0x61);
  const chunk = Buffer.concat([Buffer.from("100000\r\n"), megabyte, Buffer.from("\r\n")]);
  const bodies = [
    ["Content-Length: 99999999999", Buffer.from("a=1")],
    ["Transfer-Encoding: chunked", Buffer.concat(Array.from({ length: 40 }, () => chunk))],
  ] as const;
  for (const [header, sent] of bodies) {
    const read = nextSeen();
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${header}\r\n\r\n`);
    socket.write(sent);
    assert.equal((await read).status, 413, header);
    socket.destroy();
  }
});

test("Expect: 100-continue is answered, then the body is read", async () => {
  assert.deepEqual((await send("a=1", { headers: { Expect: "100-continue" } })).body.params, { a: "1" });
});

test("a body cut short is no request", { timeout: 10_000 }, async () => {
  const heads = ["Content-Length: 100\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n64\r\n"];
  for (const head of heads) {
    const read = nextSeen();
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${head}amount=100`);
    setTimeout(() => socket.destroy(), 50);
    assert.deepEqual(await read, { status: 400, body: refused("Bad request: the body was cut short"), params: null });
  }
});

test("a client that left before its body was read keeps nobody waiting", { timeout: 10_000 }, async () => {
  const outcome = new Promise<unknown>((done) => {
    const late = createServer((incoming) => {
      incoming.on("close", () => {
        readBody(incoming).then(done, done);
        late.close();
      });
    });
    late.listen(0, "127.0.0.1", () => {
      const socket = connect((late.address() as AddressInfo).port, "127.0.0.1");
      socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na=1");
      setTimeout(() => socket.destroy(), 50);
    });
  });
  assert.equal((await outcome) instanceof Refused, true);
});

test("wrong JSON, wrong UTF-8 and NUL bytes are 400", async () => {
  const not_json = refused("Bad request: the body is not valid JSON");
  for (const body of ["{", "{'a':1}", '{"a":1}}', "a=1", '{"a":NaN}', '{"a":01}', '{"a":"\n"}']) {
    assert.deepEqual((await send(body, { type: json })).body, not_json, body);
  }
  for (const body of ["1", '"a"', "true", "[1]", '[{"a":1}]']) {
    const { status, body: answer } = await send(body, { type: json });
    assert.equal(status, 400);
    assert.deepEqual(answer, refused("Validation error"));
  }
  const wrong_bytes = Buffer.from([0x61, 0x3d, 0xff, 0xfe]);
  for (const type of [form, json]) {
    assert.deepEqual((await send(wrong_bytes, { type })).body, refused("Bad request: the body is not valid UTF-8"));
  }
  const wrong_percent = refused("Bad request: a parameter is not valid percent-encoded UTF-8");
  for (const body of ["a=%", "a=%zz", "%ff=1", "a=%c3", "a=%ed%a0%80"])
    assert.deepEqual((await send(body)).body, wrong_percent);
  const nul = refused("Bad request: a parameter holds a NUL character");
  for (const body of ["a=\0", "a=%00", "%00=1", "a[%00]=1"]) assert.deepEqual((await send(body)).body, nul);
  for (const body of ['{"a":"\\u0000"}', '{"a\\u0000":1}', '{"a":[{"b":"\\u0000"}]}']) {
    assert.deepEqual((await send(body, { type: json })).body, nul);
  }
  assert.deepEqual(
    (await send('{"a":"\\ud800"}', { type: json })).body,
    refused("Bad request: a parameter is not valid Unicode"),
  );
});

test("10,000 parameters are refused, in every encoding; a basket of a thousand lines is not", async () => {
  const many = Array.from({ length: 10_000 }, (_, i) => i);
  const multipart = many.map((i) => `--b\r\nContent-Disposition: form-data; name="p${i}"\r\n\r\n1\r\n`).join("");
  const answers = await Promise.all([
    send(many.map((i) => `p${i}=1`).join("&")),
    send(many.map(() => "p=1").join("&")),
    send(many.map(() => "p[]=1").join("&")),
    send(JSON.stringify(Object.fromEntries(many.map((i) => [`p${i}`, 1]))), { type: json }),
    send(JSON.stringify({ a: many.map(() => ({})) }), { type: json }),
    send(JSON.stringify({ a: many.map(() => [[]]) }), { type: json }),
    send(`${multipart}--b--\r\n`, { type: "multipart/form-data; boundary=b" }),
  ]);
  for (const { status, body } of answers) {
    assert.equal(status, 400);
    assert.deepEqual(body, refused(`Bad request: more than ${params_max} parameters`));
  }
  const line = { qty: 1, item_no: "K-1", item_name: "Kop", item_price: 100, vat_rate: 0.25 };
  const basket = Array.from({ length: 1_000 }, () => line);
  const as_form = basket
    .flatMap((one) => Object.entries(one).map(([key, value]) => `basket[][${key}]=${value}`))
    .join("&");
  assert.equal((await send(`order_id=A-1001&${as_form}`)).body.params.basket.length, 1_000);
  assert.equal((await send(JSON.stringify({ basket }), { type: json })).body.params.basket.length, 1_000);
});

test("200-deep brackets are refused, and 20 are not", async () => {
  const too_deep = refused(`Bad request: a parameter is nested more than ${depth_max} deep`);
  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
  for (const depth of [depth_max + 1, 200]) {
    assert.deepEqual((await send(`a${"[a]".repeat(depth - 1)}=1`)).body, too_deep);
    assert.deepEqual((await send(`a${"[]".repeat(depth - 1)}=1`)).body, too_deep);
    assert.deepEqual((await send(nested(depth), { type: json })).body, too_deep);
  }
  assert.equal((await send(`{"a":${"[".repeat(500_000)}${"]".repeat(500_000)}}`, { type: json })).status, 400);
  const form_answer = await send(`a${"[a]".repeat(depth_max - 1)}=1`);
  const json_answer = await send(nested(depth_max), { type: json });
  assert.equal(JSON.stringify(form_answer.body.params).replace('"1"', "1"), nested(depth_max));
  assert.equal(JSON.stringify(json_answer.body.params), nested(depth_max));
});

test("a parameter's name longer than a thousand characters is refused", async () => {
  const too_long = refused("Bad request: a parameter's name is longer than 1000 characters");
  const name_of = (length: number) => "n".repeat(length);
  assert.deepEqual((await send(`${name_of(1_001)}=1`)).body, too_long);
  assert.deepEqual((await send(JSON.stringify({ [name_of(1_001)]: 1 }), { type: json })).body, too_long);
  assert.equal((await send(`${name_of(1_000)}=1`)).status, 200);
});

test("__proto__ is refused; constructor and prototype are names like any other", async () => {
  const no_proto = refused("Bad request: a parameter may not be named __proto__");
  for (const body of ["__proto__=1", "__proto__[a]=1", "a[__proto__][b]=1", "a[][__proto__]=1", "%5f_proto__=1"]) {
    assert.deepEqual((await send(body)).body, no_proto, body);
  }
  for (const body of ['{"__proto__":{"a":1}}', '{"a":[{"__proto__":1}]}', '{"\\u005f_proto__":1}']) {
    assert.deepEqual((await send(body, { type: json })).body, no_proto, body);
  }
  const named = { constructor: { prototype: { polluted: "1" } }, toString: "2" };
  assert.deepEqual((await send("constructor[prototype][polluted]=1&toString=2")).body.params, named);
  assert.deepEqual((await send(JSON.stringify(named), { type: json })).body.params, named);
  assert.equal("polluted" in {}, false);
  assert.equal(Object.getPrototypeOf(parseForm("a[b]=1").a), null);
});

test("a number that JSON would round is invalid, by its path; as a text it keeps its digits", async () => {
  for (const number of ["9007199254740992", "9007199254740993", "-9007199254740993", "1e400", "1e21"]) {
    assert.deepEqual(
      (await send(`{"variables":{"a":[1,${number}]}}`, { type: json })).body,
      refused("Validation error", { "variables[a][]": ["is invalid"] }),
    );
  }
  const kept = '{"a":9007199254740991,"b":"9007199254740993","c":0.1}';
  assert.equal(JSON.stringify((await send(kept, { type: json })).body.params), kept);
});

test("what one name says twice in different ways is refused, and an empty value never is", () => {
  const both = "Bad request: a parameter is both a value and a group or list";
  for (const body of [
    "a=1&a[b]=1",
    "a[b]=1&a=1",
    "a[]=1&a[b]=1",
    "a[b]=1&a[]=1",
    "a=1&a[]=1",
    "a[][b]=1&a[][b][c]=1&a[0]=1",
  ]) {
    assert.deepEqual(
      refusalOf(() => parseForm(body)),
      { code: "malformed_request", message: both },
      body,
    );
  }
  assert.deepEqual(plain(parseForm("shipping=&shipping[method]=x&shipping=")), { shipping: { method: "x" } });
});

test("brackets mean what Rack makes of them", () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ["x[][y]=1&x[][z]=2", { x: [{ y: "1", z: "2" }] }],
    ["x[][y]=1&x[][y]=2", { x: [{ y: "1" }, { y: "2" }] }],
    ["x[][y][]=1&x[][y][]=2", { x: [{ y: ["1", "2"] }] }],
    ["x[][y][z]=1&x[][y][w]=2", { x: [{ y: { z: "1", w: "2" } }] }],
    ["x[][y][z]=1&x[][y][z]=2", { x: [{ y: { z: "1" } }, { y: { z: "2" } }] }],
    [
      "x[][id]=1&x[][y][a]=5&x[][y][b]=7&x[][z][id]=3&x[][z][w]=0&x[][id]=2",
      {
        x: [{ id: "1", y: { a: "5", b: "7" }, z: { id: "3", w: "0" } }, { id: "2" }],
      },
    ],
    ["a[0][b]=1&a[1][b]=2", { a: { 0: { b: "1" }, 1: { b: "2" } } }],
    ["a", { a: "" }],
    ["a=b=c&&=x&[]=y", { a: "b=c", "[]": "y" }],
    ["a[b=1&a]b=2&a[b]c=3&a[[b]]=4&a[[b]=5", { "a[b": "1", "a]b": "2", "a[b]c": "3", "a[[b]]": "4", "a[[b]": "5" }],
    ["a+b=c+d%2B", { "a b": "c d+" }],
    [`${"&".repeat(20_000)}a=1`, { a: "1" }],
  ];
  for (const [body, expected] of cases) assert.deepEqual(plain(parseForm(body)), expected, body.slice(0, 40));
});

test("a query may hold raw UTF-8, which Node hands over byte by byte", () => {
  assert.deepEqual(plain(parseQuery(Buffer.from("name=Jørgen&b=%C3%B8").toString("latin1"))), {
    name: "Jørgen",
    b: "ø",
  });
  assert.equal(refusalOf(() => parseQuery("name=\xff")).code, "malformed_request");
});

const part = (head: string, value: string | Buffer) =>
  Buffer.concat([Buffer.from(`--b\r\n${head}\r\n\r\n`), Buffer.from(value), Buffer.from("\r\n")]);
const end = Buffer.from("--b--\r\n");
const field = (name: string) => `Content-Disposition: form-data; name="${name}"`;

test("multipart takes files, parts with a charset, odd quotes, a preamble and an empty file field", async () => {
  const image = Buffer.from([0, 255, 13, 10, 45, 45, 13, 10, 128]);
  const bytes = Buffer.concat([
    Buffer.from("to be ignored\r\n"),
    part(`${field("file")}; filename="C:\\\\images\\\\logo.png"\r\nContent-Type: image/PNG; x=y`, image),
    part("content-disposition: form-data; name=city\r\nContent-Type: text/plain; charset=utf-8", "Århus €"),
    part('Content-Disposition: form-data; filename="a\\"; name=\\"no"; name="second"', "x"),
    part(`${field("none")}; filename=""\r\nContent-Type: application/octet-stream`, ""),
    part(field("empty"), ""),
    part(field("note"), "\r\n--\r\n"),
    // Blanks after a boundary, and a part so empty that its blank line ends in the next boundary.
    Buffer.from(`--b \t\r\n${field("short")}\r\n\r\n--b\r\n${field("last")}\r\n\r\nz\r\n`),
    end,
  ]);
  const { body } = await send(bytes, { type: 'multipart/form-data; charset=utf-8; boundary="b"' });
  assert.deepEqual(body.params, { city: "Århus €", empty: "", note: "\r\n--\r\n", short: "", last: "z" });
  assert.deepEqual(body.files, {
    file: { name: "logo.png", type: "image/png", bytes: image.toString("base64") },
    second: { name: 'a"; name="no', type: "application/octet-stream", bytes: Buffer.from("x").toString("base64") },
  });
});

test("multipart that is broken, cut short, without boundary or not UTF-8 is refused", async () => {
  const whole = Buffer.concat([part(field("a"), "1"), part(field("b"), "2"), end]);
  const broken = refused("Bad request: the multipart body is broken");
  const type = "multipart/form-data; boundary=b";
  assert.deepEqual((await send(whole, { type })).body.params, { a: "1", b: "2" });
  // The last line end is not needed, so that only what lacks more is broken.
  for (let length = 1; length < whole.length - 2; length++) {
    assert.equal(
      refusalOf(() => parseMultipart(whole.subarray(0, length), type)).code,
      "malformed_request",
      `${length} bytes`,
    );
  }
  for (const odd of [
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=c",
    `multipart/form-data; boundary=${"b".repeat(71)}`,
  ]) {
    assert.deepEqual((await send(whole, { type: odd })).body, broken, odd);
  }
  for (const head of [
    "Content-Type: text/plain",
    "Content-Disposition: form-data",
    `X: ${"x".repeat(9_000)}\r\n${field("a")}`,
  ]) {
    assert.deepEqual((await send(Buffer.concat([part(head, "1"), end]), { type })).body, broken, head.slice(0, 40));
  }
  const long = "b".repeat(71);
  const with_long = Buffer.from(`--${long}\r\n${field("a")}\r\n\r\n1\r\n--${long}--\r\n`);
  assert.deepEqual((await send(with_long, { type: `multipart/form-data; boundary=${long}` })).body, broken);
  const longer_line = Buffer.from(`--bc\r\n${field("a")}\r\n\r\n1\r\n--b--\r\n`);
  assert.deepEqual((await send(longer_line, { type })).body, broken);
  const latin1 = Buffer.concat([part(field("a"), Buffer.from([0xf8])), end]);
  assert.deepEqual((await send(latin1, { type })).body, refused("Bad request: the body is not valid UTF-8"));
  const base64 = part(`${field("a")}\r\nContent-Transfer-Encoding: base64`, "MQ==");
  assert.equal((await send(Buffer.concat([base64, end]), { type })).status, 415);
  const files = Array.from({ length: 5 }, (_, i) => part(`${field(`f${i}`)}; filename="x"`, "1"));
  assert.deepEqual(
    (await send(Buffer.concat([...files, end]), { type })).body,
    refused("Bad request: more than 4 files"),
  );
});

// --- properties ---

const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 8 })
  .filter((text) => !/[[\]\0]|^__proto__$/.test(text));
const word = fc.string({ unit: "grapheme", maxLength: 12 }).filter((text) => !text.includes("\0"));
// What brackets can say: texts, lists of texts, groups of these, and lists of groups that begin with the same member.
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    word,
    fc.array(word, { minLength: 1, maxLength: 4 }),
    fc.dictionary(name, tie("value"), { minKeys: 1, maxKeys: 3 }),
    fc
      .tuple(
        name,
        fc.array(fc.tuple(word, fc.dictionary(name, tie("value"), { maxKeys: 2 })), { minLength: 1, maxLength: 3 }),
      )
      .map(([first, elements]) =>
        elements.map(([text, others]) => ({ ...firstOf(first, text), ...without(others, first) })),
      ),
  ),
}));
const firstOf = (key: string, text: string) => Object.fromEntries([[key, text]]);
const without = (group: object, key: string) =>
  Object.fromEntries(Object.entries(group).filter(([other]) => other !== key));
// A whole number as name would be moved to an object's front, before the member that begins each element.
const params = fc
  .dictionary(name, value, { minKeys: 1, maxKeys: 4 })
  .filter((object) => !/"\d+":/.test(JSON.stringify(object)));

function pairsOf(inner: unknown, path: string): [string, string][] {
  if (typeof inner === "string") return [[path, inner]];
  if (Array.isArray(inner)) return inner.flatMap((item) => pairsOf(item, `${path}[]`));
  return Object.entries(inner as object).flatMap(([key, item]) => pairsOf(item, path === "" ? key : `${path}[${key}]`));
}

test("property: nested values mean the same as form, JSON and multipart", async () => {
  await fc.assert(
    fc.asyncProperty(params, async (sent) => {
      const expected = plain(sent);
      const pairs = pairsOf(sent, "");
      assert.deepEqual(plain(parseForm(new URLSearchParams(pairs).toString())), expected);
      const escaped = pairs.map(([key, text]) => [key, text].map(encodeURIComponent).join("="));
      assert.deepEqual(plain(parseForm(escaped.join("&"))), expected);
      assert.deepEqual(plain(parseJson(JSON.stringify(sent))), expected);
      const multipart = pairs.map(([key, text]) => part(field(key.replace(/["\\]/g, "\\$&")), text));
      const body = Buffer.concat([...multipart, end]);
      // A value that happens to hold the boundary would have been sent with another one.
      if (pairs.every(([, text]) => !text.includes("--b"))) {
        assert.deepEqual(plain(parseMultipart(body, "multipart/form-data; boundary=b").params), expected);
      }
    }),
    { numRuns: 500 },
  );
});

test("property: what a browser's FormData writes is what we read", async () => {
  // Not told apart: a browser's own `%22` and backslash from what older clients escape with them.
  const pair = fc.tuple(
    name.filter((text) => !/[\r\n%\\]/.test(text)),
    word.filter((text) => !/[\r\n]/.test(text)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(pair, { minLength: 1, maxLength: 5 }),
      fc.uint8Array({ maxLength: 40 }),
      async (pairs, file) => {
        const data = new FormData();
        for (const [key, text] of pairs) data.append(key, text);
        data.append("file", new Blob([file], { type: "image/png" }), "a.png");
        const encoded = new Response(data);
        const bytes = Buffer.from(await encoded.arrayBuffer());
        const { params: read, files } = parseMultipart(bytes, encoded.headers.get("content-type") ?? "");
        assert.deepEqual(plain(read), plain(fromPairs(pairs)));
        assert.deepEqual(files.file, { name: "a.png", type: "image/png", bytes: Buffer.from(file) });
      },
    ),
    { numRuns: 200 },
  );
});

test("property: arbitrary bytes are read or refused with 400 or 415, and nothing is polluted", () => {
  const parsers: readonly ((bytes: Buffer) => unknown)[] = [
    (bytes) => parseForm(bytes.toString("latin1")),
    (bytes) => parseQuery(bytes.toString("latin1")),
    (bytes) => parseJson(bytes.toString("latin1")),
    (bytes) => parseMultipart(bytes, "multipart/form-data; boundary=b"),
    (bytes) => parseMultipart(Buffer.from("--b--"), bytes.toString("latin1")),
  ];
  const pieces = fc.constantFrom(
    ...'[ ] & = % + { } : , " \\ 1 a __proto__ constructor %00 %ff \0 \r\n --b -- \r\n--b \r\n\r\n ; name= filename='.split(
      " ",
    ),
    'Content-Disposition: form-data; name="a"',
    "a[]",
    "a[b]",
    "\xff",
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((raw) => Buffer.from(raw)),
    fc.array(pieces, { maxLength: 30 }).map((texts) => Buffer.from(texts.join(""), "latin1")),
  );
  const before_names = Object.getOwnPropertyNames(Object.prototype);
  const outcomes = { read: 0, refused: 0 };
  fc.assert(
    fc.property(bytes, fc.constantFrom(...parsers), (input, parse) => {
      try {
        parse(input);
        outcomes.read += 1;
      } catch (error) {
        assert.ok(error instanceof Refused, String(error));
        assert.ok([400, 415].includes(answerTo(error).status));
        outcomes.refused += 1;
      }
    }),
    { numRuns: 5_000 },
  );
  assert.ok(outcomes.read > 100 && outcomes.refused > 100, JSON.stringify(outcomes));
  assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), before_names);
});

test("the worst body of full size is read or refused in well under a second", () => {
  const size = body_bytes_max;
  const fill = (text: string) => text.repeat(Math.floor(size / text.length));
  const bodies: Readonly<Record<string, () => unknown>> = {
    "only &": () => parseForm(fill("&")),
    "many parameters": () => parseForm(fill("a&")),
    "one name": () => parseForm(fill("a")),
    brackets: () => parseForm(`a${fill("[]")}=1`),
    "plus signs": () => parseForm(`a=${fill("+")}`),
    "percent signs": () => parseForm(`a=${fill("%41")}`),
    "a list's elements": () => parseForm("a[][b]=1&".repeat(params_max)),
    "deep lists": () => parseForm(`a[]${"[b]".repeat(depth_max - 2)}=1&`.repeat(params_max)),
    "JSON brackets": () => parseJson(fill("[")),
    "JSON objects": () => parseJson(`[${fill("{},")}{}]`),
    "JSON text": () => parseJson(`{"a":"${fill("x")}"}`),
    "multipart line ends": () => parseMultipart(Buffer.from(fill("\r\n")), "multipart/form-data; boundary=b"),
    "multipart near boundaries": () =>
      parseMultipart(Buffer.from(fill(`\r\n--${"a".repeat(69)}`)), `multipart/form-data; boundary=${"a".repeat(70)}`),
    "multipart boundaries": () => parseMultipart(Buffer.from(fill("--b\r\n")), "multipart/form-data; boundary=b"),
    "multipart parts": () =>
      parseMultipart(Buffer.from(fill(`--b\r\n${field("a")}\r\n\r\n\r\n`)), "multipart/form-data; boundary=b"),
    "a header's arguments": () =>
      parseMultipart(Buffer.from("--b--"), `multipart/form-data${'; a="\\"'.repeat(2_000)}`),
  };
  for (const [what, parse] of Object.entries(bodies)) {
    // The processor's time, not the clock's: others may be at work on this machine.
    const started = process.cpuUsage();
    try {
      parse();
    } catch (error) {
      assert.ok(error instanceof Refused, `${what}: ${error}`);
    }
    const { user, system } = process.cpuUsage(started);
    const took_ms = (user + system) / 1000;
    // Linear work takes some tens of milliseconds; anything quadratic takes minutes.
    assert.ok(took_ms < 1_000, `${what} took ${took_ms} ms`);
  }
});
