// Sessions: where a person has signed in (reference: extensions, section 7).

import { Type } from "typebox";
import { type AnyRequest, del, type Endpoint, get, idIn, post, type Reply } from "../api/endpoint.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import { notAuthorized, notFound } from "../domain/refusal.ts";
import { wireTime } from "../services/present.ts";
import { endSession, openSession } from "../services/sessions.ts";
import { type SessionRow, sessionsOf } from "../storage/sessions.ts";
import { pageIn } from "./lists.ts";

const members = {
  id: Type.Integer(),
  current: Type.Boolean({ description: "The one that this call comes through" }),
  address: Type.String(),
  user_agent: Type.String(),
  created_at: Type.String({ format: "date-time" }),
  expires_at: Type.String({ format: "date-time" }),
};
const SessionShape = Type.Object(members, { title: "Session" });
const token = Type.Optional(Type.String({ description: "Shown once; sent as `Authorization: Bearer …`" }));
const NewSessionShape = Type.Object({ ...members, token }, { title: "NewSession" });

const sorting: Sorting<"id"> = { sorts: { id: "number" }, sort_by: "id", sort_dir: "desc" };

const present = ({ id, address, user_agent, created_at, expires_at }: SessionRow, session_id: number | null) => ({
  id,
  current: id === session_id,
  address,
  user_agent,
  created_at: wireTime(created_at),
  expires_at: wireTime(expires_at),
});

type New = ReturnType<typeof present> & { readonly token?: string };

const created = ({ services }: AnyRequest, body: New): Reply => ({
  status: 201,
  body,
  headers: { Location: `${services.addresses.api_url}/sessions/${body.id}` },
});

const lasting = ({ services, user }: AnyRequest<"user">): Promise<SessionRow[]> =>
  sessionsOf(services.pool, user.id, services.clock.now());

export const sessions: readonly Endpoint[] = [
  get("/sessions", {
    summary: "List where one has signed in",
    scope: "user",
    input: Type.Object(pagingFields(sorting)),
    output: { 200: Type.Array(SessionShape) },
    handle: async (request) => {
      const rows = await lasting(request);
      return listReply(request, {
        input: request.input,
        sorting,
        fetch: async (page) => pageIn(rows, page, ({ id }) => id),
        anchorOf: ({ id }) => ({ value: id, id }),
        present: (row) => present(row, request.session_id),
      });
    },
  }),
  post("/sessions", {
    summary: "Sign in",
    description:
      "With password and code. The token stands for both for twelve hours, or until the session or password ends.",
    scope: "user",
    input: Type.Object({}),
    output: { 201: NewSessionShape },
    handle: async (request) => {
      const { services, actor, user, session_id, user_agent } = request;
      // Else a token could live on for ever.
      if (session_id !== null) throw notAuthorized("Sign in with e-mail and password");
      const { session, token } = await openSession(services, actor, { user, user_agent });
      return created(request, { ...present(session, null), token });
    },
    // Without the token: only its hash was stored.
    resume: async (request, { id }) => {
      const row = (await lasting(request)).find((session) => session.id === id);
      if (row === undefined) throw notFound("Session", id);
      return created(request, present(row, null));
    },
  }),
  del("/sessions/:id", {
    summary: "Sign out there",
    scope: "user",
    input: Type.Object({}),
    output: { 204: null },
    handle: async ({ services, actor, user, path }) => {
      await endSession(services, actor, { user, id: idIn(path, "Session") });
      return { status: 204 };
    },
    resume: () => ({ status: 204 }),
  }),
];
