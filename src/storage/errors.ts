// What PostgreSQL's error codes mean to us (PostgreSQL manual, appendix A).

type DatabaseError = { readonly code?: string; readonly constraint?: string; readonly table?: string };

export const isUniqueViolation = (error: unknown, constraint?: string): boolean => {
  const { code, constraint: name } = (error ?? {}) as DatabaseError;
  return code === "23505" && (constraint === undefined || name === constraint);
};

/** Serialization failure or deadlock: the transaction was rolled back whole and may simply be done again. */
export const isWorthRetrying = (error: unknown): boolean =>
  ["40001", "40P01"].includes((error as DatabaseError)?.code ?? "");

/** The server is gone, going, or not yet up: nothing is known about a commit under way. */
export const isUnavailable = (error: unknown): boolean => {
  const { code } = (error ?? {}) as DatabaseError;
  if (code !== undefined && (/^(08|57P|53)/.test(code) || /^E(CONN|PIPE|NOENT|AI_|NOTFOUND)/.test(code))) return true;
  return (
    error instanceof Error &&
    /timeout exceeded when trying to connect|Connection terminated|not queryable/.test(error.message)
  );
};
