// The checksum that shop modules compute over a callback's body, and the signature of Standard Webhooks.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { checksum, webhookSecret, webhookSignature } from "../src/domain/checksum.ts";

const private_key = "priv-0123456789abcdef0123456789abcdef";
const body =
  '{"id":7,"order_id":"ORD0001","accepted":true,"test_mode":true,"currency":"DKK","state":"new","balance":0,"note":"smørrebrød ✓"}';

// Made with `openssl dgst -sha256 -hmac`.
const vectors = [
  { body, sum: "93271fc30ed900ec0be255c1f6c6043d40c0868c6529031384c8a39250526131" },
  { body: "", sum: "e0e674821d322106b0de0b0cd6f45d6a6e480ad5a64d8ab5ab1051a2de53bc35" },
];

test("the checksum is that of openssl, over the body's bytes, keyed with the private key's text", () => {
  assert.equal(Buffer.byteLength(body), 131);
  for (const { body, sum } of vectors) {
    assert.equal(checksum(private_key, body), sum);
    assert.equal(checksum(private_key, Buffer.from(body)), sum);
  }
});

test("a library of Standard Webhooks that is given the secret verifies the signature", () => {
  const secret = webhookSecret(private_key);
  assert.match(secret, /^whsec_[A-Za-z0-9+/]+=*$/);
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signed = { id: "01HF3K6T9W2N4Q8ZB7C5D1E0XA", timestamp_s: 1_767_225_600, body };
  const expected = createHmac("sha256", key).update(`${signed.id}.${signed.timestamp_s}.${body}`).digest("base64");
  assert.equal(webhookSignature(private_key, signed), `v1,${expected}`);
});
