// The request log: what an account's programs have asked, and what they were answered (reference: extensions, section 7).

import { Type } from "typebox";
import { get } from "../api/endpoint.ts";
import { flag, integer, oneOf, text, time } from "../api/fields.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import { notFound } from "../domain/refusal.ts";
import { ulidTime } from "../services/ids.ts";
import { wireTime } from "../services/present.ts";
import { listRequests, type RequestRow, requestById } from "../storage/requests.ts";
import { ulidIn } from "./fields.ts";

const path_max = 500;
const or_null = () => Type.Union([Type.String(), Type.Null()]);

const line = {
  id: Type.String({ description: "The answer's X-Request-Id" }),
  at: Type.String({ format: "date-time", description: "When it was answered" }),
  method: Type.String(),
  path: Type.String({ description: "Without its query" }),
  status: Type.Integer(),
  duration: Type.Integer({ description: "Milliseconds" }),
  version: or_null(),
  agreement_id: Type.Union([Type.Integer(), Type.Null()]),
  ip: Type.String(),
};
const RequestShape = Type.Object(line, { title: "Request" });

const said = (description: string) => Type.Unknown({ description });
const RequestDetailsShape = Type.Object(
  {
    ...line,
    query: said("Null where nothing was kept"),
    request_headers: said("Null where nothing was kept"),
    request_body: said("As it was read; a text where it was too long"),
    response_headers: said("Null where nothing was kept"),
    response_body: said("As JSON; a text where it was too long, or is a file"),
  },
  { title: "RequestDetails" },
);

export const presentRequest = ({ at, ...row }: RequestRow) => ({
  id: row.id,
  at: wireTime(at),
  method: row.method,
  path: row.path,
  status: row.status,
  duration: row.duration,
  version: row.version,
  agreement_id: row.agreement_id,
  ip: row.ip,
});

const sorting: Sorting<"id"> = { sorts: { id: "text" }, sort_by: "id", sort_dir: "desc", id: "text" };

/** The list's filters, in exports too. */
export const request_filters = {
  method: Type.Optional(oneOf(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])),
  status: Type.Optional(integer({ min: 100, max: 599 })),
  failed: Type.Optional(flag({ description: "`true`: what was refused" })),
  path: Type.Optional(text({ max: path_max, description: "Begins with this: `/payments`" })),
  agreement_id: Type.Optional(integer({ min: 1 })),
  since: Type.Optional(time({ description: "Inclusive" })),
  until: Type.Optional(time({ description: "Exclusive" })),
};

type Asked = {
  readonly method?: string;
  readonly status?: number;
  readonly failed?: boolean;
  readonly path?: string;
  readonly agreement_id?: number;
  readonly since?: string;
  readonly until?: string;
};

/** What the database is asked for. */
export const requestFilters = ({ method, status, failed, path, agreement_id, since, until }: Asked) => ({
  method,
  status,
  failed,
  path,
  agreement_id,
  from_id: since === undefined ? undefined : ulidTime(new Date(since)),
  to_id: until === undefined ? undefined : ulidTime(new Date(until)),
});

export const requestEndpoints = [
  get("/requests", {
    summary: "List requests",
    description: "Those made with an agreement of the account, about a second after their answers.",
    scope: "merchant",
    input: Type.Object({ ...request_filters, ...pagingFields(sorting) }),
    output: { 200: Type.Array(RequestShape) },
    handle: (request) => {
      const { services, account, input } = request;
      const filters = requestFilters(input);
      return listReply(request, {
        input,
        sorting,
        fetch: (page) => listRequests(services.pool, { account_id: account.id, filters, ...page }),
        anchorOf: ({ id }) => ({ value: id, id }),
        present: presentRequest,
      });
    },
  }),
  get("/requests/:id", {
    summary: "Read a request with headers and bodies",
    description:
      "These are kept of what was refused, and of everything until the account's `logging_stops_at`; secrets are hidden.",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: RequestDetailsShape },
    handle: async ({ services, account, path }) => {
      const id = ulidIn(path, "Request");
      const row = await requestById(services.pool, { account_id: account.id, id });
      if (row === null) throw notFound("Request", id);
      const { query, request_headers, request_body, response_headers, response_body } = row.details ?? nothing_kept;
      const kept = { query, request_headers, request_body, response_headers, response_body };
      return { status: 200, body: { ...presentRequest(row), ...kept } };
    },
  }),
];

const nothing_kept = {
  query: null,
  request_headers: null,
  request_body: null,
  response_headers: null,
  response_body: null,
};
