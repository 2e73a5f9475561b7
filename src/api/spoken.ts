// An endpoint as one version speaks it: its parameters lifted and checked, its answer lowered. Compiled when the server is
// made.

import type { Fields } from "../domain/refusal.ts";
import type { Endpoint, Reply } from "./endpoint.ts";
import { compile } from "./input.ts";
import { type Version, versions } from "./versions/index.ts";
import { speechIn } from "./versions/speech.ts";

type Params = Readonly<Record<string, unknown>>;

export type Spoken = {
  /** The parameters in the newest words; checked, but for `errors` by the names they were sent under. */
  readonly read: (params: Params) => { params: Params; value: Record<string, unknown>; errors: Fields | null };
  readonly lower: (reply: Reply) => Reply;
  /** Takes `?synchronized`. */
  readonly waits: boolean;
};

/** By the version's name. */
export const spokenBy = (endpoint: Endpoint): ReadonlyMap<string, Spoken> =>
  new Map(versions.map((version) => [version.name, spokenIn(version, endpoint)]));

/** May a caller wait for the operation, in this version? */
export const waitsIn = ({ switches }: Version, { asynchronous }: Pick<Endpoint, "asynchronous">): boolean =>
  asynchronous === true || (asynchronous === "always" && switches.synchronized_recurring);

function spokenIn(version: Version, endpoint: Endpoint): Spoken {
  const speech = speechIn(version);
  const waits = waitsIn(version, endpoint);
  const lift = speech.lifting(`${endpoint.method} ${endpoint.path}`);
  const also = waits ? ["synchronized"] : [];
  const check = compile(endpoint.input, {
    nulls: endpoint.nulls ?? false,
    closed: version.switches.refuse_unknown ? { also } : null,
  });
  const lowers = new Map(
    Object.entries(endpoint.output).flatMap(([status, schema]) => {
      const lower = schema ? speech.lowered(schema).lower : null;
      return lower === null ? [] : [[Number(status), lower] as const];
    }),
  );
  return {
    waits,
    read: (sent) => {
      if (lift === null) return { params: sent, ...check(sent) };
      const { params, named } = lift(sent);
      const { value, errors } = check(params);
      return { params, value, errors: errors === null ? null : renamed(errors, named) };
    },
    lower: (reply) => {
      const lower = lowers.get(reply.status);
      return lower === undefined || reply.body === undefined ? reply : { ...reply, body: lower(reply.body) };
    },
  };
}

const renamed = (errors: Fields, named: Readonly<Record<string, string>>): Fields =>
  Object.fromEntries(Object.entries(errors).map(([name, texts]) => [named[name] ?? name, texts]));
