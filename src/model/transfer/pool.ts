/** How many jobs may run at a time; it gives way when a service is overloaded, and recovers. */
export interface Budget {
  readonly limit: number;
  /** The service asked for less: half as many from now on. */
  lessen(): void;
  /** A job went well and moved so many bytes. */
  succeed(bytes: number): void;
}

export interface BudgetLimits {
  /** Jobs at a time to begin with. */
  readonly first: number;
  /** Never more than these. */
  readonly most: number;
  readonly now?: () => number;
}

/** How long a rate is measured before it is compared with the last one, in milliseconds. */
const windowMs = 1000;
/** More jobs at a time stay when they bring this much more. */
const worthwhile = 1.1;
/** Windows without another try when more jobs brought nothing. */
const restWindows = 10;

/**
 * A budget that looks for the throughput's limit: while more jobs at a time bring more bytes, half as many are added;
 * where they do not, it goes back. Once the service was overloaded it recovers one by one, and tries no more.
 */
export function adaptiveBudget({ first, most, now = () => performance.now() }: BudgetLimits): Budget {
  let allowed = first;
  let limit = first;
  let proven = first;
  let best = 0;
  let rest = 0;
  let overloaded = false;
  let successes = 0;
  let bytes = 0;
  let since = now();

  const recover = (): void => {
    successes += 1;
    if (limit >= allowed || successes < limit * 2) return;
    limit += 1;
    successes = 0;
  };
  const compare = (rate: number): void => {
    if (rate > best * worthwhile) {
      best = rate;
      proven = allowed;
      allowed = Math.min(most, Math.ceil(allowed * 1.5));
    } else {
      allowed = proven;
      rest = restWindows;
    }
    limit = allowed;
  };
  return {
    get limit() {
      return limit;
    },
    lessen() {
      overloaded = true;
      allowed = proven;
      limit = Math.max(1, Math.floor(Math.min(limit, allowed) / 2));
      successes = 0;
    },
    succeed(count) {
      if (overloaded) return recover();
      bytes += count;
      const elapsed = now() - since;
      if (elapsed < windowMs) return;
      if (rest > 0) rest -= 1;
      else compare(bytes / elapsed);
      bytes = 0;
      since = now();
    },
  };
}

/** A job that is run with a signal of the pool's; it gives the number of bytes that it moved. */
export type Job = (signal: AbortSignal) => Promise<number>;

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
      budget.succeed(await job(either));
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
