// A person's second factor (reference: extensions, section 3).

import { type Static, Type } from "typebox";
import { del, type Endpoint, patch, post } from "../api/endpoint.ts";
import { text } from "../api/fields.ts";
import { Refused } from "../domain/refusal.ts";
import { presentUser } from "../services/present.ts";
import { begin, begun, confirm, end } from "../services/two-factor.ts";
import { mustExist, prove } from "../services/users.ts";
import { userById } from "../storage/directory.ts";
import { UserShape, userOf } from "./users.ts";

const EnrolmentShape = Type.Object(
  {
    secret: Type.String({ description: "Base32, for an authenticator app" }),
    otpauth_url: Type.String({ description: "The same as an address, to be shown as a QR code" }),
    recovery_codes: Type.Array(Type.String(), { description: "Each is taken once instead of a code; shown here only" }),
  },
  { title: "TwoFactor" },
);

const code = text({ max: 40, description: "Of the authenticator app, or a recovery code" });
const current_password = text({ max: 1_000 });
const Ending = Type.Object({ current_password, code });

export const twoFactor: readonly Endpoint[] = [
  post("/user/two-factor", {
    summary: "Begin two-factor",
    description:
      "In force after PATCH. Until then each call makes a new secret. Through a session it asks for the password.",
    scope: "user",
    input: Type.Object({ current_password: Type.Optional(current_password) }),
    output: { 201: EnrolmentShape },
    handle: async ({ services, actor, user, session_id, input }) => {
      // A borrowed session shall not lock its owner out.
      if (session_id !== null)
        await prove(services, await mustExist(userById(services.pool, user.id)), input.current_password);
      return { status: 201, body: await begin(services, actor, user) };
    },
    resume: async ({ services, user }) => {
      const enrolment = await begun(services, user);
      if (enrolment === null) throw new Refused("conflict");
      return { status: 201, body: enrolment };
    },
  }),
  patch("/user/two-factor", {
    summary: "Put two-factor in force",
    description: "From then on calls with the password need the header `CoolPay-OTP`, with a newer code than this one.",
    scope: "user",
    input: Type.Object({ code: text({ max: 40, description: "Of the authenticator app" }) }),
    output: { 200: UserShape },
    handle: async ({ services, actor, user, session_id, input }) => ({
      status: 200,
      body: presentUser(await confirm(services, actor, { user, code: input.code, session_id })),
    }),
    resume: async ({ services }, { id }) => ({ status: 200, body: presentUser(await userOf(services, id)) }),
  }),
  del("/user/two-factor", {
    summary: "End two-factor",
    description:
      "Asks for both factors once more: the password, and a code that was not used before (in the header neither).",
    scope: "user",
    input: Ending,
    output: { 204: null },
    handle: async ({ services, actor, user, input }) => {
      const { current_password, code }: Static<typeof Ending> = input;
      await end(services, actor, { user, current_password, code });
      return { status: 204 };
    },
    resume: () => ({ status: 204 }),
  }),
];
