import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** Times of a cancellation, in milliseconds. */
export interface CancelTimes {
  /** From SIGINT to SIGTERM. */
  readonly interruptMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly terminateMs: number;
}

/** The agent's own times. Source: azure-pipelines-agent, knobs PROCESS_SIGINT_TIMEOUT and PROCESS_SIGTERM_TIMEOUT. */
export const agentCancelTimes: CancelTimes = { interruptMs: 7500, terminateMs: 2500 };

/** How long output that a grandchild still holds open is awaited after the process itself has ended. */
const outputGraceMs = 5000;

export interface ProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly onLine: (line: string, stream: 'stdout' | 'stderr') => void;
  readonly signal: AbortSignal;
  readonly cancelTimes: CancelTimes;
  /**
   * Whom SIGINT and SIGTERM reach. The agent signals the task's process alone; a script's shell would first
   * wait for its command, where the agent's script task ends at once: there the whole group is signalled.
   */
  readonly signalWhom: 'process' | 'group';
}

export interface ProcessEnd {
  /** 128 + n when signal n ended it, as shells count. */
  readonly exitCode: number;
  readonly canceled: boolean;
  /** Set when processes of its group live on, such as a server started in the background. */
  readonly leftGroup?: number | undefined;
}

const signalNumbers: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

function send(child: ChildProcess, signal: NodeJS.Signals, whom: 'process' | 'group'): void {
  if (child.pid === undefined) return;
  try {
    process.kill(whom === 'group' && process.platform !== 'win32' ? -child.pid : child.pid, signal);
  } catch {
    // Already gone.
  }
}

async function cancel(child: ChildProcess, options: ProcessOptions, ended: Promise<unknown>): Promise<void> {
  const { interruptMs, terminateMs } = options.cancelTimes;
  for (const [signal, ms] of [
    ['SIGINT', interruptMs],
    ['SIGTERM', terminateMs],
  ] as const) {
    send(child, signal, options.signalWhom);
    const timer = new AbortController();
    const late = sleep(ms, 'late', { signal: timer.signal }).catch(() => 'stopped');
    const first = await Promise.race([ended.then(() => 'ended'), late]);
    timer.abort();
    if (first === 'ended') return;
  }
  send(child, 'SIGKILL', 'group');
}

/** Waits for the last output, but not for ever: a grandchild may hold the pipe open. */
async function drain(child: ChildProcess, closed: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  const late = sleep(outputGraceMs, undefined, { signal: timer.signal }).catch(() => undefined);
  await Promise.race([closed, late]);
  timer.abort();
  child.stdout?.destroy();
  child.stderr?.destroy();
}

/** Kills what is left of a process's group. */
export function killGroup(pid: number): void {
  if (process.platform === 'win32') return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing is left.
  }
}

function groupLives(pid: number | undefined): boolean {
  if (pid === undefined || process.platform === 'win32') return false;
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs a process to its end and gives its output line by line. On abort: SIGINT, SIGTERM, SIGKILL, each after
 * its time. Throws what spawn reports when the command cannot be started.
 */
export async function runProcess(options: ProcessOptions): Promise<ProcessEnd> {
  options.signal.throwIfAborted();
  const { command, args, cwd, env, onLine } = options;
  const child = spawn(command, args, {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    windowsHide: true,
  });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const readers = (['stdout', 'stderr'] as const).map((name) => {
    const reader = createInterface({ input: child[name], crlfDelay: Number.POSITIVE_INFINITY });
    reader.on('line', (line) => onLine(line, name));
    return once(reader, 'close');
  });
  const onAbort = (): void => void cancel(child, options, exited);
  options.signal.addEventListener('abort', onAbort, { once: true });
  try {
    const [code, signal] = await exited;
    const canceled = options.signal.aborted;
    if (canceled) send(child, 'SIGKILL', 'group');
    await drain(child, Promise.all(readers));
    const exitCode = code ?? 128 + (signalNumbers[signal ?? ''] ?? 0);
    return { exitCode, canceled, ...(groupLives(child.pid) ? { leftGroup: child.pid } : {}) };
  } finally {
    options.signal.removeEventListener('abort', onAbort);
  }
}
