// Is anybody there, and who am I to it? (reference: resources, section 1)

import { Type } from "typebox";
import { type AnyRequest, get, post } from "../api/endpoint.ts";

const Pong = Type.Object(
  {
    msg: Type.String(),
    scope: Type.Enum(["anonymous", "user", "merchant"]),
    version: Type.String(),
    params: Type.Object({}, { additionalProperties: true }),
  },
  { title: "Pong" },
);

const pong = ({ user, agreement, version, params }: AnyRequest) => {
  const scope = user !== null ? "user" : agreement !== null ? "merchant" : "anonymous";
  const msg = `Pong from CoolPay API ${version.name.toUpperCase()}, scope is ${scope}`;
  return { msg, scope, version: version.name, params };
};

const declared = {
  scope: "anonymous",
  permission: true,
  input: Type.Object({}, { additionalProperties: true }),
} as const;

export const ping = [
  get("/ping", {
    ...declared,
    summary: "Ping the API",
    description: "Needs no credentials, but wrong ones are refused. Echoes the parameters.",
    output: { 200: Pong },
    handle: (request) => ({ status: 200, body: pong(request) }),
  }),
  post("/ping", {
    ...declared,
    summary: "Ping the API with a body",
    output: { 201: Pong },
    handle: (request) => ({ status: 201, body: pong(request) }),
  }),
];
