// The account's logos (reference: resources, section 4).

import { Type } from "typebox";
import { type AnyRequest, del, get, put, uploaded } from "../api/endpoint.ts";
import { oneOf } from "../api/fields.ts";
import { findLogo, putLogo, removeLogo } from "../services/logos.ts";
import { type LogoKey, type LogoType, logo_types } from "../storage/logos.ts";
import { FileShape, fileReply } from "./files.ts";

const logo_type_default: LogoType = "payment_window";

const Which = Type.Object({ logo_type: Type.Optional(oneOf(logo_types, { default: logo_type_default })) });

const keyOf = ({ account }: AnyRequest<"merchant">, { logo_type }: { readonly logo_type?: LogoType }): LogoKey => ({
  account_id: account.id,
  type: logo_type ?? logo_type_default,
});

export const logos = [
  get("/account/logo", {
    summary: "Read the account's logo",
    scope: "merchant",
    static: true,
    optional: true,
    input: Which,
    output: { 200: FileShape },
    handle: async (request) => {
      const { bytes, mime } = await findLogo(request.services, keyOf(request, request.input));
      return fileReply(bytes, mime);
    },
  }),
  put("/account/logo", {
    summary: "Put the account's logo",
    description: "PNG, JPEG, GIF, or SVG without script. MobilePay's must be a PNG image of 250x250.",
    scope: "merchant",
    file: true,
    input: Which,
    output: { 204: null },
    handle: async (request) => {
      await putLogo(request.services, request.actor, keyOf(request, request.input), uploaded(request));
      return { status: 204 };
    },
    resume: () => ({ status: 204 }),
  }),
  del("/account/logo", {
    summary: "Delete the account's logo",
    scope: "merchant",
    optional: true,
    input: Which,
    output: { 204: null },
    handle: async (request) => {
      await removeLogo(request.services, request.actor, keyOf(request, request.input));
      return { status: 204 };
    },
    resume: () => ({ status: 204 }),
  }),
];
