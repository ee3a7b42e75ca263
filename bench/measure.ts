import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Metric, Sample } from './report.ts';

/** What is known of every process that is measured. */
export const usage = {
  time: { name: 'time', unit: 's' },
  cpu: { name: 'CPU', unit: 's' },
  peak: { name: 'peak RSS', unit: 'MiB' },
} as const satisfies Record<string, Metric>;

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** A finished process: what it used and what it said. */
export interface Measured {
  readonly sample: Sample;
  readonly output: string;
}

/** How often the memory of a running process is read; the kernel keeps the highest value in between. */
const pollMs = 20;
// bash counts the whole process with all children it waited for: wall clock, user and system seconds on fd 3.
const timed = 'TIMEFORMAT="%R %U %S"; { time "$@" 2>&4 3>&- 4>&-; } 4>&2 2>&3';

/** Highest resident memory of one process so far, in bytes; 0 when it is gone. proc(5), VmHWM. */
async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

async function childrenOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return children.split(' ').filter(Boolean).map(Number);
}

/** Processes below one, the children of their main threads and so on. */
export async function descendants(pid: number): Promise<number[]> {
  const children = await childrenOf(pid);
  const below = await Promise.all(children.map(descendants));
  return [...children, ...below.flat()];
}

/** Highest resident memory of processes that live now, in bytes, added up. */
export async function peakOfAll(pids: readonly number[]): Promise<number> {
  const peaks = await Promise.all(pids.map(peakOf));
  return peaks.reduce((sum, peak) => sum + peak, 0);
}

async function watchMemory(pid: number, isOver: () => boolean): Promise<number> {
  let most = 0;
  while (!isOver()) {
    most = Math.max(most, await peakOfAll(await descendants(pid)));
    await sleep(pollMs);
  }
  return most;
}

/** Nothing that is measured takes longer, unless it hangs; in milliseconds. */
const longestMs = 15 * 60_000;

/**
 * Ends a process group when the benchmark is interrupted or ends, or the command takes too long. Give it up when the
 * group has ended by itself.
 */
function bounded(group: number | undefined): { readonly late: () => boolean; giveUp(): void } {
  let isLate = false;
  const quietly = (): void => {
    // Without an id nothing was started, and 0 would be this process's own group.
    if (group === undefined) return;
    try {
      process.kill(-group, 'SIGKILL');
    } catch {
      // It is gone already.
    }
  };
  const timer = setTimeout(() => {
    isLate = true;
    quietly();
  }, longestMs);
  // Before the room takes away the folder and the services that it uses.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.prependListener(signal, quietly);
  process.prependListener('exit', quietly);
  return {
    late: () => isLate,
    giveUp() {
      clearTimeout(timer);
      process.off('SIGINT', quietly).off('SIGTERM', quietly).off('exit', quietly);
    },
  };
}

/** Runs a command to its end, which is forced after a quarter of an hour. Fails when it does, with what it said last. */
export async function measure({ command, args, env, cwd }: Command): Promise<Measured> {
  const child = spawn('bash', ['-c', timed, 'bench', command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...(env ?? process.env), LC_ALL: 'C' },
    ...(cwd === undefined ? {} : { cwd }),
    // A group of its own, so that it can be ended with all that it started.
    detached: true,
  });
  const bounds = bounded(child.pid);
  const said = ['', '', ''];
  const streams = [child.stdout, child.stderr, child.stdio[3]];
  streams.forEach((stream, index) => {
    stream?.on('data', (chunk: Buffer) => {
      said[index] += chunk.toString();
    });
  });
  let isOver = false;
  const memory = watchMemory(child.pid ?? 0, () => isOver);
  const [status] = (await once(child, 'close')) as [number | null];
  isOver = true;
  bounds.giveUp();
  if (bounds.late()) throw new Error(`${command} did not end within ${longestMs / 60_000} minutes`);
  const [output = '', errors = '', times = ''] = said;
  const peak = await memory;
  if (status !== 0) {
    const last = `${output}\n${errors}`.trim().split('\n').slice(-8).join('\n');
    throw new Error(`${command} ended with ${status}: ${last}`);
  }
  const [wall = NaN, user = NaN, system = NaN] = times.trim().split(' ').map(Number);
  // A process that was gone before it was looked at has no known peak.
  const memoryUsed = peak === 0 ? {} : { [usage.peak.name]: peak / 2 ** 20 };
  return {
    sample: { [usage.time.name]: wall, [usage.cpu.name]: user + system, ...memoryUsed },
    output: output + errors,
  };
}
