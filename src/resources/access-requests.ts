// Asking to be connected to an account, and answering that (reference: extensions, section 3).

import { Type } from "typebox";
import { addressAllowed } from "../api/authenticate.ts";
import { type AnyRequest, type Endpoint, get, idIn, patch, post, type Reply } from "../api/endpoint.ts";
import { flag, integer, oneOf, text } from "../api/fields.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import type { Agreement } from "../domain/access.ts";
import { tidied } from "../domain/permissions.ts";
import { notFound } from "../domain/refusal.ts";
import { answerRequest, askForAccess } from "../services/access-requests.ts";
import { wireTime } from "../services/present.ts";
import { type AccessRequestRow, accessRequestById, listAccessRequests } from "../storage/access-requests.ts";
import { aclResources } from "./acl-resources.ts";
import { aclPermissions } from "./agreement-shape.ts";

const states = ["pending", "granted", "refused"] as const;

const AccessRequestShape = Type.Object(
  {
    id: Type.Integer(),
    account_id: Type.Integer(),
    state: oneOf(states),
    message: Type.String(),
    user: Type.Object({
      id: Type.Integer(),
      name: Type.String(),
      email: Type.Union([Type.String(), Type.Null()]),
      email_verified: Type.Boolean({ description: "Whether the e-mail is this person's beyond doubt" }),
    }),
    agreement_id: Type.Union([Type.Integer(), Type.Null()]),
    created_at: Type.String({ format: "date-time" }),
    answered_at: Type.Union([Type.String({ format: "date-time" }), Type.Null()]),
  },
  { title: "AccessRequest" },
);

const present = (row: AccessRequestRow) => ({
  id: row.id,
  account_id: row.account_id,
  state: row.state,
  message: row.message,
  user: { id: row.user_id, name: row.user_name, email: row.user_email, email_verified: row.user_verified },
  agreement_id: row.agreement_id,
  created_at: wireTime(row.created_at),
  answered_at: row.answered_at && wireTime(row.answered_at),
});

const sorting: Sorting<"id"> = { sorts: { id: "number" }, sort_by: "id", sort_dir: "desc" };

/** The agreements by which the caller owns accounts, from this address. */
const owning = async ({ services, user, actor }: AnyRequest<"user">): Promise<Agreement[]> =>
  (await services.directory.agreementsOf(user.id)).filter(
    (agreement) => agreement.owner && addressAllowed(agreement, actor.ip ?? ""),
  );

async function shown({ services }: AnyRequest, id: number): Promise<ReturnType<typeof present>> {
  const row = await accessRequestById(services.pool, id);
  if (row === null) throw notFound("AccessRequest", id);
  return present(row);
}

const asked = ({ services }: AnyRequest, body: ReturnType<typeof present>): Reply => ({
  status: 201,
  body,
  headers: { Location: `${services.addresses.api_url}/access-requests/${body.id}` },
});

export function accessRequests(endpoints: () => readonly Endpoint[]): Endpoint[] {
  const resources = () => aclResources(endpoints());
  return [
    get("/access-requests", {
      summary: "List who asks to be connected",
      description: "To the accounts that the user owns.",
      scope: "user",
      input: Type.Object({
        account_id: Type.Optional(integer({ min: 1 })),
        state: Type.Optional(oneOf(states)),
        ...pagingFields(sorting),
      }),
      output: { 200: Type.Array(AccessRequestShape) },
      handle: async (request) => {
        const { services, input } = request;
        const owned = (await owning(request)).map(({ account_id }) => account_id);
        const account_ids = owned.filter((id) => input.account_id === undefined || id === input.account_id);
        return listReply(request, {
          input,
          sorting,
          fetch: (page) => listAccessRequests(services.pool, { account_ids, state: input.state, ...page }),
          anchorOf: ({ id }) => ({ value: id, id }),
          present,
        });
      },
    }),
    post("/access-requests", {
      summary: "Ask to be connected to an account",
      description: "The account's owners decide. The answer is the same where there is no such account; ten in a day.",
      scope: "user",
      input: Type.Object({ account_id: integer({ min: 1 }), message: text({ max: 1_000 }) }),
      output: { 201: AccessRequestShape },
      handle: async (request) => {
        const { services, actor, user, input } = request;
        const { account_id, message } = input;
        return asked(request, present(await askForAccess(services, actor, { user, account_id, message })));
      },
      resume: async (request, { id }) => asked(request, await shown(request, id)),
    }),
    patch("/access-requests/:id", {
      summary: "Grant or refuse access",
      description:
        "By an owner of the account. `granted` makes an agreement with `acl_permissions`, or with none: they can be changed later.",
      scope: "user",
      input: Type.Object({ granted: flag(), acl_permissions: aclPermissions(resources) }),
      output: { 200: AccessRequestShape },
      handle: async (request) => {
        const { services, actor, path, input } = request;
        const row = await answerRequest(services, actor, {
          id: idIn(path, "AccessRequest"),
          granted: input.granted,
          acl_permissions: tidied(input.acl_permissions ?? [], resources()),
          holders: await owning(request),
        });
        return { status: 200, body: present(row) };
      },
      resume: async (request, { id }) => ({ status: 200, body: await shown(request, id) }),
    }),
  ];
}
