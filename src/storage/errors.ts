// What PostgreSQL's error codes mean to us (PostgreSQL manual, appendix A).

type DatabaseError = { readonly code?: string; readonly constraint?: string; readonly table?: string };

export const isUniqueViolation = (error: unknown, constraint?: string): boolean => {
  const { code, constraint: name } = (error ?? {}) as DatabaseError;
  return code === "23505" && (constraint === undefined || name === constraint);
};

export const isCheckViolation = (error: unknown, constraint: string): boolean => {
  const { code, constraint: name } = (error ?? {}) as DatabaseError;
  return code === "23514" && name === constraint;
};

/** Serialization failure or deadlock: the transaction was rolled back whole and may simply be done again. */
export const isWorthRetrying = (error: unknown): boolean =>
  ["40001", "40P01"].includes((error as DatabaseError)?.code ?? "");

/** Does it again, so many times at most, while it was rolled back for no fault of its own. */
export async function retried<T>(tries_max: number, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries >= tries_max || !isWorthRetrying(error)) throw error;
    }
  }
}

// Connection exceptions, shutdown and crash, resources, a primary that became a standby.
const database_trouble = /^(08|57P|53|25006)/;
const network_trouble = /^E(CONN|PIPE|NOENT|AI_|NOTFOUND|TIMEDOUT|HOST|NET)/;

/**
 * The server is gone, going, not yet up or only a standby, or too many wanted the same at once: it may be asked again. Of
 * a commit that was under way nothing is known.
 */
export const isUnavailable = (error: unknown): boolean => {
  const { code } = (error ?? {}) as DatabaseError;
  if (code !== undefined && (database_trouble.test(code) || network_trouble.test(code))) return true;
  return (
    isWorthRetrying(error) ||
    (error instanceof Error &&
      /timeout exceeded when trying to connect|Connection terminated|not queryable/.test(error.message))
  );
};
