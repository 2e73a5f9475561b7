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
