// How one version is spoken: requests lifted to the newest, answers and callbacks lowered from it, schemas as it had them.
// Compiled from the changes when first needed, once per version and endpoint or schema.

import type { TSchema } from "typebox";
import { inputBefore, type Lift, type Lifted, type Lowered, lifting, lowered } from "./change.ts";
import { stepsTo, type Version, versions } from "./index.ts";

export type Speech = {
  /** What a newest value of this shape is in this version, and how it is made. */
  readonly lowered: (schema: TSchema) => Lowered;
  /** For an endpoint, as `PUT /payments/:id/link`. Null: its parameters are the newest version's. */
  readonly lifting: (endpoint: string) => Lift | null;
  /** An endpoint's parameters as this version documents them. */
  readonly input: (endpoint: string, input: TSchema) => TSchema;
};

const speeches = new Map(versions.map((version, place) => [version.name, speechOf(place)]));

export function speechIn({ name }: Version): Speech {
  const speech = speeches.get(name);
  if (speech === undefined) throw new Error(`no version ${name} is served`);
  return speech;
}

function speechOf(place: number): Speech {
  const steps = stepsTo(versions, place);
  const known = new WeakMap<TSchema, Lowered>();
  return {
    lowered: (schema) => {
      const seen = known.get(schema);
      if (seen !== undefined) return seen;
      const made = steps.reduce<Lowered>(
        (newer, changes) => {
          const { schema: older, lower } = lowered(newer.schema, changes);
          return { schema: older, lower: chained(newer.lower, lower) };
        },
        { schema, lower: null },
      );
      known.set(schema, made);
      return made;
    },
    lifting: (endpoint) => {
      const lifts = steps.map((changes) => lifting(endpoint, changes)).filter((lift) => lift !== null);
      if (lifts.length === 0) return null;
      return (params) =>
        lifts.reduceRight<Lifted>(
          (older, lift) => {
            const newer = lift(older.params);
            return { params: newer.params, named: { ...older.named, ...newer.named } };
          },
          { params, named: {} },
        );
    },
    input: (endpoint, input) => steps.reduce((newer, changes) => inputBefore(endpoint, newer, changes), input),
  };
}

const chained = (first: Lowered["lower"], then: Lowered["lower"]): Lowered["lower"] =>
  first === null || then === null ? (first ?? then) : (value) => then(first(value));
