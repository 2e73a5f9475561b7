// The audit trail: who changed what, before and after (reference: resources, section 17; objects, section 14).

import { Type } from "typebox";
import { get } from "../api/endpoint.ts";
import { flag, integer, text } from "../api/fields.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import { notFound } from "../domain/refusal.ts";
import { wireTime } from "../services/present.ts";
import { activityById, listActivity } from "../storage/activity.ts";
import type { ActivityRow } from "../storage/rows.ts";
import { ulidIn } from "./fields.ts";

export const ActivityShape = Type.Object(
  {
    id: Type.String(),
    target_type: Type.String(),
    target_id: Type.Union([Type.Integer(), Type.Null()]),
    action: Type.String(),
    changes: Type.Object({}, { additionalProperties: true }),
    user_id: Type.Union([Type.Integer(), Type.Null()]),
    account_id: Type.Integer(),
    extra: Type.Object({}, { additionalProperties: true }),
    support: Type.Boolean(),
    created_at: Type.String({ format: "date-time" }),
  },
  { title: "Activity" },
);

export const presentActivity = (row: ActivityRow) => ({
  id: row.id,
  target_type: row.target_type,
  target_id: row.target_id,
  action: row.action,
  changes: row.changes,
  user_id: row.user_id,
  account_id: row.account_id,
  extra: row.extra,
  support: false,
  created_at: wireTime(row.created_at),
});

// Their ids begin with the time, so the order of ids is the order of creation.
export const sorting: Sorting<"created_at"> = {
  sorts: { created_at: "text" },
  sort_by: "created_at",
  sort_dir: "desc",
  id: "text",
};

/** The list's filters, in exports too. */
export const activity_filters = {
  user_id: Type.Optional(integer({ min: 1 })),
  target_type: Type.Optional(text({ max: 50 })),
  target_id: Type.Optional(integer({ min: 1 })),
  support: Type.Optional(flag()),
};

export const activityEndpoints = [
  get("/activity", {
    summary: "List activity",
    scope: "merchant",
    input: Type.Object({ ...activity_filters, ...pagingFields(sorting) }),
    output: { 200: Type.Array(ActivityShape) },
    handle: (request) => {
      const { services, account, input } = request;
      const { user_id, target_type, target_id } = input;
      const filters = { user_id, target_type, target_id };
      return listReply(request, {
        input,
        sorting,
        fetch: async (page) =>
          input.support ? [] : listActivity(services.pool, { account_id: account.id, filters, ...page }),
        anchorOf: ({ id }) => ({ value: id, id }),
        present: presentActivity,
      });
    },
  }),
  get("/activity/:id", {
    summary: "Read one activity",
    scope: "merchant",
    input: Type.Object({}),
    output: { 200: ActivityShape },
    handle: async ({ services, account, path }) => {
      const id = ulidIn(path, "Activity");
      const row = await activityById(services.pool, { account_id: account.id, id });
      if (row === null) throw notFound("Activity", id);
      return { status: 200, body: presentActivity(row) };
    },
  }),
];
