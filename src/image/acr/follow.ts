import { setTimeout as sleep } from 'node:timers/promises';
import { openLog } from './log.ts';
import type { RegistryTasks, TaskRun } from './tasks.ts';

export interface FollowOptions {
  readonly tasks: RegistryTasks;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
  /** Between two looks at the run, in milliseconds. */
  readonly pollMs?: number;
}

const defaultPollMs = 2000;
/** Looks at a log after its run has ended, while the service has not marked it as complete. */
const lastLooks = 5;
const ended: ReadonlySet<string> = new Set(['Succeeded', 'Failed', 'Canceled', 'Error', 'Timeout']);

/** Follows a run to its end, its log passed on line by line. */
export async function followRun(id: string, options: FollowOptions): Promise<TaskRun> {
  const { tasks, signal, onLine, pollMs = defaultPollMs } = options;
  const log = openLog(await tasks.logUrl(id), signal, onLine);
  let status = '';
  for (;;) {
    const run = await tasks.run(id);
    if (run.status !== status) onLine(`ACR Tasks, run ${id}: ${run.status}`);
    status = run.status;
    let complete = await log.read();
    if (ended.has(run.status)) {
      for (let look = 0; look < lastLooks && !complete; look += 1) {
        await sleep(pollMs, undefined, { signal });
        complete = await log.read();
      }
      log.flush();
      return run;
    }
    await sleep(pollMs, undefined, { signal });
  }
}
