/** How many jobs may run at a time; it gives way when a service is overloaded, and recovers. */
export interface Budget {
  readonly limit: number;
  /** The service asked for less: half as many from now on. */
  lessen(): void;
  /** A job went well: after a while of this one more is tried again. */
  succeed(): void;
}

/** A budget that starts at its largest. */
export function adaptiveBudget(largest: number): Budget {
  let limit = largest;
  let successes = 0;
  return {
    get limit() {
      return limit;
    },
    lessen() {
      limit = Math.max(1, Math.floor(limit / 2));
      successes = 0;
    },
    succeed() {
      successes += 1;
      if (successes < limit * 2) return;
      limit = Math.min(largest, limit + 1);
      successes = 0;
    },
  };
}

/** A job that is run with a signal of the pool's. */
export type Job = (signal: AbortSignal) => Promise<void>;

/**
 * Runs jobs in their order, as many at a time as the budget allows. The first failure aborts the others'
 * signal; it is thrown once all of them have ended, so that nothing still runs afterwards.
 */
export async function runJobs(jobs: Iterable<Job>, budget: Budget, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const queue = jobs[Symbol.iterator]();
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];

  const run = async (job: Job): Promise<void> => {
    try {
      await job(either);
      budget.succeed();
    } catch (error) {
      failures.push(error);
      stop.abort(error);
    }
  };
  const start = (job: Job): void => {
    const ended = run(job).finally(() => running.delete(ended));
    running.add(ended);
  };

  for (let next = queue.next(); !next.done && !either.aborted; ) {
    if (running.size < budget.limit) {
      start(next.value);
      next = queue.next();
    } else {
      await Promise.race(running);
    }
  }
  await Promise.all(running);
  signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
}
