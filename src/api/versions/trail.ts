// The audit trail names changes after the members that changed: `link_continue_url`. Where versions differ in a member, they
// differ in its trail.

type Changes = Readonly<Record<string, readonly unknown[]>>;

type TrailBefore = {
  readonly named?: Readonly<Record<string, string>>;
  readonly absent?: RegExp;
  /** The older value of a newer one, before and after the change. */
  readonly valued?: (value: unknown, name: string) => unknown;
};

/** For `Activity` in a change's `objects`: how its `changes` were. */
export const trailBefore = ({ named = {}, absent, valued = (value) => value }: TrailBefore) => ({
  valued: {
    changes: (changes: Changes): Changes =>
      Object.fromEntries(
        Object.entries(changes)
          .filter(([name]) => absent?.test(name) !== true)
          .map(([name, values]) => [named[name] ?? name, values.map((value) => valued(value, name))]),
      ),
  },
});
