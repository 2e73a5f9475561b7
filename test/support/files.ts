// Small files of every kind, and how they are sent.

import { crc32, deflateSync } from "node:zlib";

export function pngOf(width: number, height: number): Buffer {
  const chunk = (name: string, data: Buffer): Buffer => {
    const named = Buffer.concat([Buffer.from(name, "latin1"), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, check]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const rows = deflateSync(Buffer.alloc((width + 1) * height));
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]);
}

export const png = pngOf(1, 1);

/** A header that claims so many pixels, and next to nothing behind it. */
export const claiming = {
  png(width: number, height: number): Buffer {
    const image = Buffer.from(png);
    image.writeUInt32BE(width, 16);
    image.writeUInt32BE(height, 20);
    return image;
  },
  gif(width: number, height: number): Buffer {
    const image = Buffer.from(gif);
    image.writeUInt16LE(width, 6);
    image.writeUInt16LE(height, 8);
    return image;
  },
  jpeg(width: number, height: number): Buffer {
    // A comment, a fill byte, then the frame.
    const frame = Buffer.from([0xff, 0xfe, 0, 4, 0xff, 0xda, 0xff, 0xff, 0xc2, 0, 11, 8, 0, 0, 0, 0, 1, 1, 0x11, 0]);
    frame.writeUInt16BE(height, 12);
    frame.writeUInt16BE(width, 14);
    return Buffer.concat([Buffer.from([0xff, 0xd8]), frame, Buffer.from([0xff, 0xd9])]);
  },
  webp(kind: "VP8X" | "VP8L" | "VP8 ", width: number, height: number): Buffer {
    const image = Buffer.alloc(40);
    image.write(`RIFF\x20\0\0\0WEBP${kind}`, "latin1");
    if (kind === "VP8X") image.writeUIntLE(width - 1, 24, 3) && image.writeUIntLE(height - 1, 27, 3);
    if (kind === "VP8L") image.writeUInt32LE((width - 1) | ((height - 1) << 14), 21);
    if (kind === "VP8 ") image.writeUInt16LE(width, 26) && image.writeUInt16LE(height, 28);
    return image;
  },
} as const;
export const gif = Buffer.from("R0lGODlhAQABAAAAACwAAAAAAQABAAACAkQBADs=", "base64");
export const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, ...Buffer.from("JFIF\0"), 0xff, 0xd9]);
export const webp = Buffer.concat([Buffer.from("RIFF"), Buffer.from([4, 0, 0, 0]), Buffer.from("WEBPVP8 ")]);
export const icon = Buffer.from([0, 0, 1, 0, 1, 0, 1, 1, 0, 0]);
export const locale = Buffer.from("de12049500000000000000001c0000001c00000000000000", "hex");
export const svg = `<?xml version="1.0" encoding="utf-8"?>
<!-- A cup -->
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 2"><style>.a{fill:#fff}</style><path class="a" d="M0 0h2"/></svg>`;

/** A multipart body with the file under the name that the API takes, and what else is to be said. */
export function form(content: Buffer | string, more: Readonly<Record<string, string>> = {}): FormData {
  const body = new FormData();
  for (const [name, value] of Object.entries(more)) body.append(name, value);
  body.append("file", new File([content], "upload", { type: "application/octet-stream" }));
  return body;
}
