// How the acquirers are doing (reference: resources, section 3).

import { Type } from "typebox";
import { get } from "../api/endpoint.ts";
import { listReply, pagingFields, type Sorting } from "../api/paging.ts";
import { acquirer_names } from "../domain/acquirers.ts";

const AcquirerStatus = Type.Object(
  { acquirer: Type.String(), status: Type.Enum(["ok", "irregular", "down"]), health: Type.Integer() },
  { title: "AcquirerStatus" },
);

const sorting: Sorting<"acquirer" | "status"> = {
  sorts: { acquirer: "text", status: "text" },
  sort_by: "acquirer",
  sort_dir: "asc",
  id: "text",
};

export const operationalStatus = [
  get("/operational-status/acquirers", {
    summary: "List the acquirers' status",
    scope: "anonymous",
    input: Type.Object(pagingFields(sorting)),
    output: { 200: Type.Array(AcquirerStatus) },
    handle: (request) =>
      listReply(request, {
        input: request.input,
        sorting,
        fetch: async ({ sort_by, sort_dir, limit, offset, after }) => {
          const sign = (sort_dir === "asc" ? 1 : -1) * (after?.backwards ? -1 : 1);
          const order = (a: readonly [string, string], b: readonly [string, string]): number =>
            sign * (compare(a[0], b[0]) || compare(a[1], b[1]));
          const rows = acquirer_names
            .map((acquirer) => ({ acquirer, ...request.services.health.of(acquirer) }))
            .map((row) => ({ row, key: [row[sort_by], row.acquirer] as const }))
            .filter(({ key }) => after === null || order(key, [String(after.value), String(after.id)]) > 0)
            .sort((a, b) => order(a.key, b.key))
            .slice(offset, offset + limit)
            .map(({ row }) => row);
          return after?.backwards ? rows.reverse() : rows;
        },
        anchorOf: (row, sort_by) => ({ value: row[sort_by], id: row.acquirer }),
        present: (row) => row,
      }),
  }),
];

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
