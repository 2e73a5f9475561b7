// Users: signing up, and what a person may see and change of herself (reference: extensions, section 3).

import { type Static, Type } from "typebox";
import { del, type Endpoint, get, idIn, patch, post, type Reply } from "../api/endpoint.ts";
import { email, text } from "../api/fields.ts";
import { createThrottle } from "../api/throttle.ts";
import { notFound, Refused } from "../domain/refusal.ts";
import { presentUser } from "../services/present.ts";
import type { Services } from "../services/services.ts";
import { changeUser, removeUser, type SignupPolicy, signUp } from "../services/users.ts";
import { type UserRow, userById } from "../storage/directory.ts";

export const UserShape = Type.Object(
  {
    id: Type.Integer(),
    name: Type.String(),
    email: Type.Union([Type.String(), Type.Null()]),
    email_verified: Type.Boolean(),
    two_factor: Type.Boolean(),
    created_at: Type.String({ format: "date-time" }),
  },
  { title: "User" },
);

const SignUp = Type.Object({
  name: text({ max: 100 }),
  email: email(),
  password: text({ max: 1_000 }),
  token: Type.Optional(text({ max: 200, description: "An invitation's one-time token" })),
});

const Change = Type.Object({
  name: Type.Optional(text({ max: 100 })),
  email: Type.Optional(email()),
  password: Type.Optional(text({ max: 1_000 })),
  current_password: Type.Optional(text({ max: 1_000, description: "Needed to change e-mail or password" })),
});

/** As she is now. */
export async function userOf({ pool }: Services, id: number): Promise<UserRow> {
  const user = await userById(pool, id);
  if (user === null) throw notFound("User", id);
  return user;
}

const signedUp = ({ addresses }: Services, user: UserRow): Reply => ({
  status: 201,
  body: presentUser(user),
  headers: { Location: `${addresses.api_url}/users/${user.id}` },
});

export function usersEndpoints({ signup }: { signup: SignupPolicy }): Endpoint[] {
  const { addresses } = createThrottle();
  // Sign-up tells that an e-mail is in use or a token is wrong: nobody may ask about many.
  async function throttled<T>(ip: string, work: () => Promise<T>): Promise<T> {
    addresses.check(ip);
    try {
      return await work();
    } catch (error) {
      if (error instanceof Refused && (error.refusal.code === "conflict" || error.refusal.fields?.token))
        addresses.failed(ip);
      throw error;
    }
  }

  return [
    post("/users", {
      summary: "Sign up",
      scope: "anonymous",
      input: SignUp,
      output: { 201: UserShape },
      handle: async ({ services, actor, input }) => {
        const { name, email, password, token }: Static<typeof SignUp> = input;
        const user = await throttled(actor.ip ?? "", () =>
          signUp(services, actor, { wanted: { name, email, password, token }, policy: signup }),
        );
        return signedUp(services, user);
      },
      resume: async ({ services }, { id }) => signedUp(services, await userOf(services, id)),
    }),
    get("/users/:id", {
      summary: "Read a user (oneself)",
      scope: "user",
      input: Type.Object({}),
      output: { 200: UserShape },
      handle: ({ user, path }) => {
        if (idIn(path, "User") !== user.id) throw notFound("User", path.id ?? "");
        return { status: 200, body: presentUser(user) };
      },
    }),
    get("/user", {
      summary: "Read oneself",
      scope: "user",
      input: Type.Object({}),
      output: { 200: UserShape },
      handle: ({ user }) => ({ status: 200, body: presentUser(user) }),
    }),
    patch("/user", {
      summary: "Change oneself",
      scope: "user",
      input: Change,
      output: { 200: UserShape },
      handle: async ({ services, actor, user, input }) => ({
        status: 200,
        body: presentUser(await changeUser(services, actor, { user, change: input })),
      }),
      resume: async ({ services }, { id }) => ({ status: 200, body: presentUser(await userOf(services, id)) }),
    }),
    del("/user", {
      summary: "Delete oneself",
      description: "Leaves every account; refused while an account would be left without an owner.",
      scope: "user",
      input: Type.Object({}),
      output: { 204: null },
      handle: async ({ services, actor, user }) => {
        await removeUser(services, actor, user);
        return { status: 204 };
      },
    }),
  ];
}
