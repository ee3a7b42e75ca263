import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { within } from '../../deadline.ts';
import { DeliveryError } from '../../errors.ts';
import type { TrialEngine } from './engine.ts';

export interface ReadyOptions {
  readonly engine: Pick<TrialEngine, 'state' | 'logs'>;
  readonly id: string;
  readonly port: number;
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

const pauseMs = 200;
const answerMs = 5_000;
const shownLines = 20;

async function lastWords(options: ReadyOptions): Promise<Error> {
  const lines = await options.engine.logs(options.id, shownLines).catch(() => []);
  return new Error(lines.length === 0 ? 'it printed nothing' : `its last lines:\n  ${lines.join('\n  ')}`);
}

async function exited(options: ReadyOptions, exitCode: number): Promise<DeliveryError> {
  const memory = exitCode === 137 ? ' (killed, often for want of memory)' : '';
  return new DeliveryError({
    code: 'TEST_CONTAINER_EXITED',
    side: 'application',
    message: `The container ended with exit code ${exitCode}${memory} before it could be asked; nothing was tagged.`,
    remedy: "Correct the application, 'command' or 'platform' by what it printed.",
    cause: await lastWords(options),
  });
}

async function notReady(options: ReadyOptions, problem: string): Promise<DeliveryError> {
  return new DeliveryError({
    code: 'TEST_NOT_READY',
    side: 'application',
    message: `The container does not answer at port ${options.port} within ${options.timeoutSeconds} s (${problem}); nothing was tagged.`,
    remedy:
      "Let it listen on 0.0.0.0 at 'port' (or name another in 'testPort'), or raise 'testTimeout' for a model that loads slowly.",
    cause: await lastWords(options),
  });
}

/** Undefined when it answers; a gateway's or a loading application's 502 to 504 is no answer yet. */
async function problemAt(address: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { statusCode, body } = await request(`http://${address}/`, {
      signal: within(answerMs, signal),
    });
    await body.dump();
    return statusCode >= 502 && statusCode <= 504 ? `it answers ${statusCode}` : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Waits until the container answers HTTP at its port; gives the address that answered. Throws TEST_NOT_READY after
 * the time, TEST_CONTAINER_EXITED as soon as the container is gone; both with its last lines.
 */
export async function waitUntilReady(options: ReadyOptions): Promise<string> {
  const { engine, id, port, signal } = options;
  const end = performance.now() + options.timeoutSeconds * 1000;
  let problem = 'no port was opened';
  while (performance.now() < end) {
    const { running, exitCode, addresses } = await engine.state(id, port);
    if (!running) throw await exited(options, exitCode);
    for (const address of addresses) {
      const found = await problemAt(address, signal);
      signal.throwIfAborted();
      if (found === undefined) return address;
      problem = found;
    }
    await sleep(pauseMs, undefined, { signal });
  }
  throw await notReady(options, problem);
}
