// What a branding takes, whatever somebody thinks of: names that lead elsewhere, files that are not what they say, script.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isResourceName, isSvg, logoMime, whyNot } from "../src/domain/branding-files.ts";
import { hasTooManyPixels, pngSize } from "../src/domain/images.ts";
import { scriptIn, scriptInTemplate } from "../src/domain/script.ts";
import { claiming, gif, jpeg, pngOf, webp } from "./support/files.ts";

test("a name that is taken names one place within the branding", () => {
  const part = fc.oneof(fc.constantFrom("", ".", "..", "...", "a", "\\", "\0", "\n", "a.css"), fc.string());
  fc.assert(
    fc.property(fc.array(part, { maxLength: 10 }), (parts) => {
      const name = parts.join("/");
      if (!isResourceName(name)) return;
      const { pathname } = new URL(name.split("/").map(encodeURIComponent).join("/"), "file:///branding/");
      assert.equal(decodeURIComponent(pathname), `/branding/${name}`);
      assert.ok(name.length <= 200 && !name.includes("\\"));
    }),
  );
});

test("nothing that is sent makes the judges fail, and what they take is what the name says", () => {
  const names = fc.constantFrom(
    "a.liquid",
    "a.css",
    "a.svg",
    "a.png",
    "a.po",
    "a.mo",
    "config.json",
    "VERSION",
    "a.js",
  );
  fc.assert(
    fc.property(names, fc.uint8Array({ maxLength: 200 }), (name, content) => {
      const bytes = Buffer.from(content);
      const why = whyNot(name, bytes);
      if (name === "a.js") assert.match(String(why), /^a branding takes/);
      if (why !== null) return;
      if (/png|svg|mo$/.test(name)) assert.ok(bytes.length >= 4);
      else assert.equal(Buffer.from(bytes.toString("utf8")).equals(bytes), true, "a text in UTF-8");
      assert.equal(logoMime(bytes) === null, !/png|svg/.test(name));
    }),
  );
});

test("script is found wherever it stands in a template", () => {
  const harmless = fc.constantFrom(
    "<p>",
    "</p>",
    "{{ model.x }}",
    "{% if a > b %}",
    "{% endif %}",
    "æ",
    " ",
    "\n",
    "{%",
    "}}",
  );
  const around = fc.array(harmless, { maxLength: 20 }).map((parts) => parts.join(""));
  const bad = fc.constantFrom(
    "<script>",
    "</SCRIPT >",
    '<b onclick="a()">',
    "<a href='javascript:a()'>",
    "<i srcdoc=x>",
  );
  const closed = (text: string): boolean => !/\{%(?![^{]*?%\})|\{\{(?![^{]*?\}\})/.test(text);
  fc.assert(
    fc.property(around, bad, around, (before, script, after) => {
      // Within a tag that Liquid takes for its own nothing is shown to a browser.
      fc.pre(closed(before));
      assert.notEqual(scriptInTemplate(before + script + after), null);
    }),
  );
  fc.assert(fc.property(around, (text) => scriptInTemplate(text) === null));
});

// Each alone makes a careless search start again at every place.
const tedious = `{% {{ < <a: <!-- <!----> on= onaaaa /on &# &#x &#x41; \\ \\41 " <? srcdoc data:`.split(" ");
// Many times what it takes; what grows with the square of the length takes minutes.
const judged_ms_max = 5_000;

test("a megabyte of anything is judged soon: the time grows with the length alone", () => {
  for (const text of [...tedious, ...tedious.map((word) => ` ${word}`), " "]) {
    const megabyte = text.repeat(Math.ceil(1_000_000 / text.length));
    const began = performance.now();
    scriptIn(megabyte);
    scriptInTemplate(megabyte);
    for (const svg of [megabyte, `<svg ${megabyte}`, `<?xml ${megabyte}`]) isSvg(svg);
    assert.ok(performance.now() - began < judged_ms_max, text);
  }
});

test("a PNG's size is what its header says", () => {
  const size = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(size, size, (width, height) => {
      assert.deepEqual(pngSize(pngOf(width, height)), { width, height });
    }),
    { numRuns: 20 },
  );
});

test("an image's size is read from its header in every format, and more than 16 megapixels are too many", () => {
  const makers = {
    png: claiming.png,
    gif: claiming.gif,
    jpeg: claiming.jpeg,
    "VP8X.webp": (width: number, height: number) => claiming.webp("VP8X", width, height),
    "VP8L.webp": (width: number, height: number) => claiming.webp("VP8L", width, height),
    "VP8.webp": (width: number, height: number) => claiming.webp("VP8 ", width, height),
  } as const;
  for (const [format, make] of Object.entries(makers)) {
    assert.equal(hasTooManyPixels(make(4096, 4096)), false, format);
    assert.equal(hasTooManyPixels(make(4097, 4096)), true, format);
    assert.equal(hasTooManyPixels(make(4096, 4097)), true, format);
    assert.equal(whyNot(`a.${format}`, make(16_383, 16_383)), "the image has more than 16 megapixels", format);
  }
  assert.equal(hasTooManyPixels(claiming.png(0xffffffff, 0xffffffff)), true);
  for (const image of [gif, jpeg, webp])
    for (let bytes = 0; bytes < image.length; bytes++) assert.equal(hasTooManyPixels(image.subarray(0, bytes)), false);
});
