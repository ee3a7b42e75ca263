import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface ProgramCall {
  readonly command: readonly [string, ...string[]];
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** One line of what it prints, its standard error included. */
  readonly onLine: (line: string) => void;
  /** Takes the standard output instead, for a program that writes a file to it. */
  readonly takeOutput?: (output: Readable) => Promise<void>;
}

/** How a program ended. */
export interface ProgramEnd {
  /** Its exit code; -1 when a signal ended it. */
  readonly code: number;
  /** The last lines that it printed, oldest first. */
  readonly lines: readonly string[];
}

const keptLines = 200;
/** From asking a program to end until it is ended. */
const graceMs = 5_000;

/** Calls back once a line; gives the end of the last one to `flush`. */
function lineReader(onLine: (line: string) => void): { take(part: Buffer): void; flush(): void } {
  const decoder = new TextDecoder();
  let rest = '';
  return {
    take(part) {
      const lines = (rest + decoder.decode(part, { stream: true })).split(/\r?\n|\r/);
      rest = lines.pop() ?? '';
      lines.filter((line) => line.trim() !== '').forEach(onLine);
    },
    flush() {
      if (rest.trim() !== '') onLine(rest);
    },
  };
}

/**
 * Runs a program to its end, without a shell. When the signal is aborted the program is asked to end, ended after
 * five seconds, and the signal's reason thrown. Throws also what keeps it from starting (ENOENT), and what
 * `takeOutput` throws while the program itself succeeds.
 */
export async function runProgram(call: ProgramCall): Promise<ProgramEnd> {
  const { signal, takeOutput } = call;
  signal.throwIfAborted();
  const [program, ...args] = call.command;
  const lines: string[] = [];
  const keep = (line: string): void => {
    lines.push(line);
    if (lines.length > keptLines) lines.shift();
    call.onLine(line);
  };
  const child = spawn(program, args, {
    env: call.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? -1));
  });
  let ending: NodeJS.Timeout | undefined;
  const end = (): void => {
    child.kill('SIGTERM');
    ending = setTimeout(() => child.kill('SIGKILL'), graceMs);
  };
  signal.addEventListener('abort', end, { once: true });
  const [out, err] = [lineReader(keep), lineReader(keep)];
  child.stderr.on('data', (part: Buffer) => err.take(part));
  if (takeOutput === undefined) child.stdout.on('data', (part: Buffer) => out.take(part));
  try {
    // A reader that gives up must not leave the program waiting for room in its pipe.
    const taken = takeOutput?.(child.stdout).catch((error: unknown) => {
      child.stdout.resume();
      return error instanceof Error ? error : new Error(String(error));
    });
    const code = await ended;
    out.flush();
    err.flush();
    signal.throwIfAborted();
    const failure = await taken;
    if (failure instanceof Error && code === 0) throw failure;
    return { code, lines };
  } finally {
    signal.removeEventListener('abort', end);
    clearTimeout(ending);
  }
}
