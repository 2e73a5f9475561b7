// Which API versions are served, and what each changed (reference: extensions, section 5).

import { Type } from "typebox";
import { get } from "../api/endpoint.ts";
import { changelog, versions } from "../api/versions/index.ts";
import { wireTime } from "../services/present.ts";

const Time = Type.Union([Type.String({ format: "date-time" }), Type.Null()]);
const Version = Type.Object(
  { name: Type.String(), stage: Type.String(), deprecated_at: Time, sunset_at: Time },
  { title: "Version" },
);

export const versionEndpoints = [
  get("/versions", {
    summary: "List the served API versions, newest first",
    scope: "anonymous",
    input: Type.Object({}),
    output: { 200: Type.Array(Version) },
    handle: () => ({
      status: 200,
      body: versions.map(({ name, stage, deprecated_at, sunset_at }) => ({
        name,
        stage,
        deprecated_at: deprecated_at === null ? null : wireTime(deprecated_at),
        sunset_at: sunset_at === null ? null : wireTime(sunset_at),
      })),
    }),
  }),
  get("/changelog", {
    summary: "Read what each API version changed",
    scope: "anonymous",
    static: true,
    input: Type.Object({}),
    output: { 200: Type.String({ contentMediaType: "text/plain" }) },
    handle: () => ({ status: 200, body: changelog(), type: "text/plain; charset=UTF-8" }),
  }),
];
