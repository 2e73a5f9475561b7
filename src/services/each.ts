// Many things to do, a few at a time.

type Each<Item> = {
  readonly at_once: number;
  /** What has not been begun by then is left. */
  readonly stopping?: AbortSignal;
  readonly work: (item: Item) => Promise<unknown>;
  readonly failed: (item: Item, error: unknown) => void;
};

/** Works through the items, so many at once; one that fails does not stop the others. */
export async function each<Item>(
  items: readonly Item[],
  { at_once, stopping, work, failed }: Each<Item>,
): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined && stopping?.aborted !== true; item = waiting.shift()) {
      const current = item;
      await work(current).catch((error: unknown) => failed(current, error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(at_once, items.length) }, worker));
}
