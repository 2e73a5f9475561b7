// Files that merchants have uploaded, as they leave again.

import { Type } from "typebox";
import type { Reply } from "../api/endpoint.ts";

// Nothing in it may run or load anything, should somebody open it in a browser.
const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox";

export const FileShape = Type.String({ contentMediaType: "application/octet-stream" });

const isText = (mime: string): boolean => /^text\/|[/+](json|xml)$/.test(mime);

/** The bytes as they came, in the type that they were found to have: a browser may not guess another. */
export const fileReply = (bytes: Buffer, mime: string): Reply => ({
  status: 200,
  body: bytes,
  type: isText(mime) ? `${mime}; charset=UTF-8` : mime,
  headers: { "X-Content-Type-Options": "nosniff", "Content-Security-Policy": policy },
});
