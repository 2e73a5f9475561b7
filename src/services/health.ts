// How well acquirers answer, as this process sees it: of the last questions, the share that got an answer at all.

export type Health = {
  readonly asked: (acquirer: string, answered: boolean) => void;
  /** `health` in percent; 100 where nothing was asked lately. */
  readonly of: (acquirer: string) => { readonly status: "ok" | "irregular" | "down"; readonly health: number };
};

const questions_kept = 100;
const ok_from = 95;
const irregular_from = 50;

export function createHealth(): Health {
  const recent = new Map<string, boolean[]>();
  return {
    asked(acquirer, answered) {
      const answers = recent.get(acquirer) ?? [];
      answers.push(answered);
      if (answers.length > questions_kept) answers.shift();
      recent.set(acquirer, answers);
    },
    of(acquirer) {
      const answers = recent.get(acquirer) ?? [];
      const answered = answers.filter(Boolean).length;
      const health = answers.length === 0 ? 100 : Math.round((answered / answers.length) * 100);
      return { status: health >= ok_from ? "ok" : health >= irregular_from ? "irregular" : "down", health };
    },
  };
}
