// What kind of image some bytes are, and how large, by how they begin: names and announced types may say anything. Nothing
// is ever decoded here; a shopper's browser does that.

export type ImageType = "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "image/x-icon";

/** What stands where, byte for byte (Latin-1). */
const beginnings: readonly (readonly [type: ImageType, at: number, text: string])[] = [
  // PNG, third edition, section 5.2.
  ["image/png", 0, "\x89PNG\r\n\x1a\n"],
  ["image/jpeg", 0, "\xff\xd8\xff"],
  ["image/gif", 0, "GIF87a"],
  ["image/gif", 0, "GIF89a"],
  // RFC 9649: after "RIFF" and the length.
  ["image/webp", 8, "WEBP"],
  ["image/x-icon", 0, "\0\0\x01\0"],
];

const beginning_bytes = 16;

/** Null for what is none of these. SVG is a text, and judged as one (branding-files.ts). */
export function imageType(bytes: Buffer): ImageType | null {
  const beginning = bytes.toString("latin1", 0, beginning_bytes);
  const found = beginnings.find(([, at, text]) => beginning.startsWith(text, at));
  if (found?.[0] === "image/webp" && !beginning.startsWith("RIFF")) return null;
  return found?.[0] ?? null;
}

type Size = { readonly width: number; readonly height: number };

// The signature (8 bytes), then the header's length and name (8 bytes), then width and height.
const png_name_at = 12;
const png_width_at = 16;
const png_height_at = 20;
const png_header_bytes = 24;

/** In pixels, as the header says (PNG, third edition, section 11.2.1). Null for what is no PNG. */
export function pngSize(bytes: Buffer): Size | null {
  if (imageType(bytes) !== "image/png" || bytes.length < png_header_bytes) return null;
  if (bytes.toString("latin1", png_name_at, png_width_at) !== "IHDR") return null;
  return { width: bytes.readUInt32BE(png_width_at), height: bytes.readUInt32BE(png_height_at) };
}

/** GIF89a, section 18: the logical screen. */
const gifSize = (bytes: Buffer): Size | null =>
  bytes.length < 10 ? null : { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) };

/** RFC 9649, sections 2.5 to 2.7; RFC 6386, section 9.1. */
function webpSize(bytes: Buffer): Size | null {
  if (bytes.length < 30) return null;
  switch (bytes.toString("latin1", 12, 16)) {
    case "VP8X":
      return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
    case "VP8L": {
      const bits = bytes.readUInt32LE(21);
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case "VP8 ":
      return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
    default:
      return null;
  }
}

/** ITU-T T.81, annex B: segments follow each other until one (SOF) tells the size. */
function jpegSize(bytes: Buffer): Size | null {
  for (let at = 2; at + 9 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes.readUInt8(at + 1);
    const is_frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (is_frame) return { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
    // Any number of fill bytes may stand before a marker.
    at += marker === 0xff ? 1 : 2 + bytes.readUInt16BE(at + 2);
  }
  return null;
}

const sizes: Readonly<Partial<Record<ImageType, (bytes: Buffer) => Size | null>>> = {
  "image/png": pngSize,
  "image/jpeg": jpegSize,
  "image/gif": gifSize,
  "image/webp": webpSize,
};

/** 16 megapixels: a photograph has them. A picture of a few kilobytes can claim a thousand times as many. */
const pixels_max = 16 * 1024 * 1024;

/** Would it take a shopper's browser too much memory to show it? What says no size is shown in none. */
export function hasTooManyPixels(bytes: Buffer): boolean {
  const type = imageType(bytes);
  const size = type === null ? null : (sizes[type]?.(bytes) ?? null);
  return size !== null && size.width * size.height > pixels_max;
}
