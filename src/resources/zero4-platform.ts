// The 04-Platform's settings (reference: resources, section 4). There they can be read and deleted, and nothing says how they
// came; so PUT is ours.

import { Type } from "typebox";
import { type AnyRequest, del, get, put, type Reply } from "../api/endpoint.ts";
import { text } from "../api/fields.ts";
import { forgetZero4, setZero4, zero4 } from "../services/zero4.ts";

const Zero4PlatformSettings = Type.Object(
  { phone: Type.String(), secret: Type.String() },
  { title: "Zero4PlatformSettings" },
);

// E.164 has 15 digits; people write spaces between them.
const phone = text({ pattern: /^\+?\d(?: ?\d){3,14}$/, max: 30, description: "With its country: +45 12345678" });
const secret = text({ min: 8, max: 255, pattern: /^[\x21-\x7e]+$/, description: "Without it one is made" });

async function shown({ services, account }: AnyRequest<"merchant">): Promise<Reply> {
  const settings = await zero4(services, account.id);
  return { status: 200, body: { phone: settings.phone, secret: settings.secret } };
}

export const zero4Platform = [
  get("/account/04-platform", {
    summary: "Read the settings of the 04-Platform",
    description: "400 while nothing is set.",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: Zero4PlatformSettings },
    handle: shown,
  }),
  put("/account/04-platform", {
    summary: "Set up the 04-Platform",
    scope: "merchant",
    input: Type.Object({ phone, secret: Type.Optional(secret) }, { examples: [{ phone: "+45 12345678" }] }),
    output: { 200: Zero4PlatformSettings },
    handle: async (request) => {
      const { services, actor, account, input } = request;
      await setZero4(services, actor, { account_id: account.id, phone: input.phone, secret: input.secret });
      return shown(request);
    },
    resume: shown,
  }),
  del("/account/04-platform", {
    summary: "Forget the settings of the 04-Platform",
    scope: "merchant",
    input: Type.Object({}),
    output: { 204: null },
    handle: async ({ services, actor, account }) => {
      await forgetZero4(services, actor, account.id);
      return { status: 204 };
    },
    resume: () => ({ status: 204 }),
  }),
];
