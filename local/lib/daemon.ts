import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalContext } from './context.ts';

/** A long-running child that outlives the command which started it. */
export interface DaemonOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Answers true once the service serves; it is asked every 100 ms. */
  readonly ready: () => Promise<boolean>;
  readonly readyTimeoutMs?: number;
  /** Time from SIGTERM to SIGKILL at stop. */
  readonly stopTimeoutMs?: number;
}

interface DaemonRecord {
  readonly pid: number;
  /** Start time in clock ticks from /proc: the same pid with another start time is somebody else's process. */
  readonly startTicks: string | undefined;
}

function recordFile(context: LocalContext, name: string): string {
  return join(context.stateFolder, 'daemons', `${name}.json`);
}

async function startTicks(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command's name may contain spaces and parentheses, so fields are counted after the last ')'.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

async function isAlive(record: DaemonRecord): Promise<boolean> {
  if (process.platform === 'linux') {
    const ticks = await startTicks(record.pid);
    return ticks !== undefined && ticks === record.startTicks;
  }
  try {
    process.kill(record.pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function readRecord(context: LocalContext, name: string): Promise<DaemonRecord | undefined> {
  try {
    return JSON.parse(await readFile(recordFile(context, name), 'utf8')) as DaemonRecord;
  } catch {
    return undefined;
  }
}

/** True while the process that was started under this name (and no other that reuses its pid) lives. */
export async function daemonRuns(context: LocalContext, name: string): Promise<boolean> {
  const record = await readRecord(context, name);
  return record !== undefined && (await isAlive(record));
}

async function lastLogLines(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-15).join('\n');
}

async function waitUntilReady(options: DaemonOptions, record: DaemonRecord, logFile: string): Promise<void> {
  const deadline = Date.now() + (options.readyTimeoutMs ?? 60_000);
  while (!(await options.ready().catch(() => false))) {
    const died = !(await isAlive(record));
    if (died || Date.now() > deadline) {
      const what = died ? 'ended before it was ready' : 'was not ready in time';
      throw new Error(
        `${options.name} ${what}. Its log ${logFile} ends with:\n${await lastLogLines(logFile)}`,
      );
    }
    await sleep(100);
  }
}

/** Starts the service, or leaves the one that runs and answers. Its output goes to `<logFolder>/<name>.log`. */
export async function startDaemon(context: LocalContext, options: DaemonOptions): Promise<void> {
  if ((await daemonRuns(context, options.name)) && (await options.ready().catch(() => false))) return;
  await stopDaemon(context, options.name, options.stopTimeoutMs);
  await mkdir(join(context.stateFolder, 'daemons'), { recursive: true });
  const logFile = join(context.logFolder, `${options.name}.log`);
  const log = openSync(logFile, 'w');
  const child = spawn(options.command, options.args, {
    cwd: options.cwd ?? context.stateFolder,
    env: options.env ?? process.env,
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  const failed = new Promise<never>((_, reject) =>
    child.once('error', (cause) =>
      reject(new Error(`cannot start ${options.command}: ${cause.message}`, { cause })),
    ),
  );
  child.unref();
  const pid = child.pid ?? (await failed);
  const record: DaemonRecord = { pid, startTicks: await startTicks(pid) };
  await writeFile(recordFile(context, options.name), JSON.stringify(record));
  await Promise.race([waitUntilReady(options, record, logFile), failed]);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    // Detached children lead a group of their own: helpers that they forked end with them.
    process.kill(process.platform === 'win32' ? pid : -pid, signal);
  } catch {
    // Already gone.
  }
}

/** Ends the service if it is ours and still alive: SIGTERM, then SIGKILL after the time-out. */
export async function stopDaemon(context: LocalContext, name: string, timeoutMs = 10_000): Promise<void> {
  const record = await readRecord(context, name);
  if (record === undefined) return;
  if (await isAlive(record)) signalGroup(record.pid, 'SIGTERM');
  const deadline = Date.now() + timeoutMs;
  while (await isAlive(record)) {
    if (Date.now() > deadline) signalGroup(record.pid, 'SIGKILL');
    await sleep(50);
  }
  await rm(recordFile(context, name), { force: true });
}
