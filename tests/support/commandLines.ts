import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** What /proc showed of the processes below this one, while something ran. */
export interface Watched {
  /** Command lines, and environments of children of tasks. */
  readonly commandLines: ReadonlySet<string>;
  readonly childEnvironments: ReadonlySet<string>;
}

async function text(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(() => '')).replaceAll('\0', '\n');
}

/** Samples every process of this machine that has one of the command words; Linux only. */
export async function whileWatched<T>(
  work: () => Promise<T>,
  isChild: (commandLine: string) => boolean,
): Promise<{ result: T; watched: Watched }> {
  const commandLines = new Set<string>();
  const childEnvironments = new Set<string>();
  let isOver = false;
  const sample = async (): Promise<void> => {
    while (!isOver) {
      const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
      for (const id of ids) {
        const line = await text(`/proc/${id}/cmdline`);
        commandLines.add(line);
        if (isChild(line)) childEnvironments.add(await text(`/proc/${id}/environ`));
      }
      await sleep(25);
    }
  };
  const sampling = sample();
  try {
    return { result: await work(), watched: { commandLines, childEnvironments } };
  } finally {
    isOver = true;
    await sampling;
  }
}
