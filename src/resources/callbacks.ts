// What was told to the merchant's server, and telling it again (reference: extensions, section 7).

import { Type } from "typebox";
import { type AnyRequest, get, post } from "../api/endpoint.ts";
import { integer, oneOf, time } from "../api/fields.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import { notFound } from "../domain/refusal.ts";
import { inOneCommit } from "../services/changing.ts";
import { wireTime } from "../services/present.ts";
import { type Callback, callbackById, listCallbacks, replayCallbacks } from "../storage/callbacks.ts";
import { ulidIn } from "./fields.ts";

const states = ["pending", "delivered", "given_up"] as const;
const resource_types = ["Payment", "Subscription", "Card", "Payout"] as const;
const nothing = () => Type.Null();
const time_shown = () => Type.String({ format: "date-time" });
const text = () => Type.String();

const shown = {
  id: text(),
  resource_type: text(),
  resource_id: Type.Integer(),
  operation_id: Type.Integer(),
  url: text(),
  state: Type.Enum([...states]),
  attempts: Type.Integer(),
  next_attempt_at: Type.Union([time_shown(), nothing()]),
  response_code: Type.Union([Type.Integer(), nothing()]),
  duration: Type.Union([Type.Integer(), nothing()]),
  created_at: time_shown(),
  delivered_at: Type.Union([time_shown(), nothing()]),
};
const CallbackShape = Type.Object(shown, { title: "Callback" });
const CallbackDetailsShape = Type.Object(
  {
    ...shown,
    headers: Type.Union([Type.Object({}, { additionalProperties: true }), nothing()]),
    body: text(),
    attempt_log: Type.Array(
      Type.Object({
        at: time_shown(),
        response_code: Type.Union([Type.Integer(), nothing()]),
        duration: Type.Integer(),
        error: Type.Union([text(), nothing()]),
      }),
    ),
  },
  { title: "CallbackDetails" },
);

const orNull = (at: Date | null): string | null => (at === null ? null : wireTime(at));

const present = (callback: Callback) => ({
  id: callback.id,
  resource_type: callback.resource_type,
  resource_id: callback.resource_id,
  operation_id: callback.operation_id,
  url: callback.url,
  state: callback.state,
  attempts: callback.attempts,
  next_attempt_at: orNull(callback.next_attempt_at),
  response_code: callback.response_code,
  duration: callback.duration,
  created_at: wireTime(callback.created_at),
  delivered_at: orNull(callback.delivered_at),
});

const sorting: Sorting<"id"> = { sorts: { id: "text" }, sort_by: "id", sort_dir: "desc", id: "text" };

type Which = { readonly id?: string; readonly since?: Date | undefined; readonly state?: string | undefined };

/**
 * Queues them again; answers how many. Throws 404 for an id that names none. The row of an Idempotency-Key keeps that
 * number in place of an id: there is nothing else to answer from.
 */
async function replay({ services, actor, account }: AnyRequest<"merchant">, which: Which): Promise<number> {
  const queued = await inOneCommit(services, actor, {
    work: async (db) => {
      const count = await replayCallbacks(db, { account_id: account.id, now: services.clock.now(), ...which });
      if (count === 0 && which.id !== undefined) throw notFound("Callback", which.id);
      return count;
    },
    target: (count) => ({ type: "Callbacks", id: count }),
  });
  services.nudge();
  return queued;
}

/** The list's filters, in exports too. */
export const callback_filters = {
  resource_type: Type.Optional(oneOf(resource_types)),
  resource_id: Type.Optional(integer({ min: 1 })),
  state: Type.Optional(oneOf(states)),
  since: Type.Optional(time()),
};

export const callbackEndpoints = [
  get("/callbacks", {
    summary: "List callbacks",
    scope: "merchant",
    input: Type.Object({ ...callback_filters, ...pagingFields(sorting) }),
    output: { 200: Type.Array(CallbackShape) },
    handle: (request) => {
      const { services, account, input } = request;
      const { resource_type, resource_id, state, since } = input;
      const filters = { resource_type, resource_id, state, since: since === undefined ? undefined : new Date(since) };
      return listReply(request, {
        input,
        sorting,
        fetch: (page) => listCallbacks(services.pool, { account_id: account.id, filters, ...page }),
        anchorOf: ({ id }) => ({ value: id, id }),
        present,
      });
    },
  }),
  get("/callbacks/:id", {
    summary: "Read a callback with its body, headers and attempts",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: CallbackDetailsShape },
    handle: async ({ services, account, path }) => {
      const id = ulidIn(path, "Callback");
      const callback = await callbackById(services.pool, { account_id: account.id, id });
      if (callback === null) throw notFound("Callback", id);
      const { headers, body, attempt_log } = callback;
      return { status: 200, body: { ...present(callback), headers, body, attempt_log } };
    },
  }),
  post("/callbacks/:id/replay", {
    summary: "Send a callback again",
    scope: "merchant",
    input: Type.Object({}),
    output: { 202: null },
    handle: async (request) => {
      await replay(request, { id: ulidIn(request.path, "Callback") });
      return { status: 202 };
    },
    resume: () => ({ status: 202 }),
  }),
  post("/callbacks/replay", {
    summary: "Send callbacks again",
    description: "All since a time, or all in a state: `state=given_up` sends what was given up.",
    scope: "merchant",
    input: Type.Object({ since: Type.Optional(time()), state: Type.Optional(oneOf(states)) }),
    output: { 202: Type.Object({ queued: Type.Integer() }) },
    handle: async (request) => {
      const { since, state } = request.input;
      const queued = await replay(request, { since: since === undefined ? undefined : new Date(since), state });
      return { status: 202, body: { queued } };
    },
    resume: (_request, { id: queued }) => ({ status: 202, body: { queued } }),
  }),
];
