/**
 * Runs a step for every item, at most `parallel` at a time. The first failure aborts the others' signal;
 * it is thrown once all of them have ended, so that nothing still runs afterwards.
 */
export async function forEachParallel<T>(
  items: readonly T[],
  parallel: number,
  signal: AbortSignal,
  step: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const failures: unknown[] = [];
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (either.aborted) return;
      try {
        await step(item, either);
      } catch (error) {
        failures.push(error);
        stop.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, worker));
  signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
}
