/**
 * Runs a function for every item, at most `limit` at a time and in order. Once the signal aborts, no more are started;
 * those that run are finished. `run` must not reject.
 */
export async function runPool<T>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal,
  run: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items[Symbol.iterator]();
  const worker = async () => {
    for (const item of waiting) {
      if (signal.aborted) return;
      await run(item);
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
}
