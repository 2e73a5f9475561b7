// What a mailed token is good for: verifying one's e-mail, and choosing a new password (reference: extensions, section 3).

import { Type } from "typebox";
import { type Endpoint, patch, post } from "../api/endpoint.ts";
import { email, text } from "../api/fields.ts";
import { createThrottle } from "../api/throttle.ts";
import { Refused } from "../domain/refusal.ts";
import { askForReset, askForVerification, resetPassword, verifyEmail } from "../services/mailed-tokens.ts";
import { presentUser } from "../services/present.ts";
import { UserShape, userOf } from "./users.ts";

const token = text({ max: 200, description: "The one-time token that was mailed" });

export function mailedTokens(): Endpoint[] {
  // Anybody may ask for a reset, and try a token: not often, and not for many.
  const { addresses, emails } = createThrottle();

  return [
    post("/user/verification", {
      summary: "Have one's e-mail address verified",
      description: "Mails a token, which works once, for a day. At most five in an hour.",
      scope: "user",
      input: Type.Object({}),
      output: { 202: null },
      handle: async ({ services, actor, user }) => {
        await askForVerification(services, actor, user);
        return { status: 202 };
      },
      resume: () => ({ status: 202 }),
    }),
    patch("/user/verification", {
      summary: "Verify one's e-mail address",
      scope: "user",
      input: Type.Object({ token }),
      output: { 200: UserShape },
      handle: async ({ services, actor, user, input }) => ({
        status: 200,
        body: presentUser(await verifyEmail(services, actor, { user, token: input.token })),
      }),
      resume: async ({ services }, { id }) => ({ status: 200, body: presentUser(await userOf(services, id)) }),
    }),
    post("/password-resets", {
      summary: "Ask for a new password",
      description: "Mails a token to the user with this e-mail, for an hour. Whether there is one is not told.",
      scope: "anonymous",
      input: Type.Object({ email: email() }),
      output: { 202: null },
      handle: async ({ services, actor, input }) => {
        const address = actor.ip ?? "";
        const named = input.email.toLowerCase();
        addresses.check(address);
        emails.check(named);
        addresses.failed(address);
        emails.failed(named);
        await askForReset(services, actor, named);
        return { status: 202 };
      },
      resume: () => ({ status: 202 }),
    }),
    patch("/password-resets", {
      summary: "Choose a new password",
      description: "With a mailed token. Every session of the user ends.",
      scope: "anonymous",
      input: Type.Object({ token, password: text({ max: 1_000 }) }),
      output: { 204: null },
      handle: async ({ services, actor, input }) => {
        const address = actor.ip ?? "";
        addresses.check(address);
        try {
          await resetPassword(services, actor, input);
        } catch (error) {
          if (error instanceof Refused && error.refusal.fields?.token) addresses.failed(address);
          throw error;
        }
        return { status: 204 };
      },
      resume: () => ({ status: 204 }),
    }),
  ];
}
