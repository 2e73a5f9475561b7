// What kind of image some bytes are, by how they begin: names and announced types may say anything.

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

// The signature (8 bytes), then the header's length and name (8 bytes), then width and height.
const png_name_at = 12;
const png_width_at = 16;
const png_height_at = 20;
const png_header_bytes = 24;

/** In pixels, as the header says (PNG, third edition, section 11.2.1). Null for what is no PNG. */
export function pngSize(bytes: Buffer): { readonly width: number; readonly height: number } | null {
  if (imageType(bytes) !== "image/png" || bytes.length < png_header_bytes) return null;
  if (bytes.toString("latin1", png_name_at, png_width_at) !== "IHDR") return null;
  return { width: bytes.readUInt32BE(png_width_at), height: bytes.readUInt32BE(png_height_at) };
}
