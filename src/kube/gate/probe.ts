import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, request } from 'undici';
import { within } from '../../deadline.ts';
import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import { createDispatcher } from '../../http/network/routed.ts';
import { ownHeaders } from '../../http/ownRequest.ts';

export interface ProbeOptions {
  /**
   * Good answers in a row that are asked for, half a second apart. After a change the nodes still send some
   * requests to the pods before: one good answer may be theirs.
   */
  readonly inARow: number;
  readonly timeoutMs: number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const pauseMs = 500;
const answerMs = 10_000;
const shownCharacters = 300;

interface Answer {
  readonly ok: boolean;
  /** What came, in words. */
  readonly text: string;
  readonly cause?: unknown;
}

async function firstText(body: Dispatcher.ResponseData['body']): Promise<string> {
  let text = '';
  for await (const chunk of body) {
    text += Buffer.from(chunk as Uint8Array).toString('utf8');
    if (text.length >= shownCharacters) break;
  }
  return text.slice(0, shownCharacters).replace(/\s+/g, ' ').trim();
}

async function ask(url: string, dispatcher: Dispatcher, signal: AbortSignal): Promise<Answer> {
  try {
    const limit = within(answerMs, signal);
    const response = await request(url, {
      dispatcher,
      signal: limit,
      headers: ownHeaders('other'),
    });
    const text = `status ${response.statusCode}: ${await firstText(response.body)}`;
    return { ok: response.statusCode >= 200 && response.statusCode < 300, text };
  } catch (cause) {
    signal.throwIfAborted();
    return { ok: false, text: 'no answer', cause };
  }
}

/**
 * Asks `url` until it answers with a 2xx status as often as wanted; gives the last answer in words. Throws PROBE_FAILED with the last
 * status and the first characters of its body.
 */
export async function probe(url: string, options: ProbeOptions): Promise<string> {
  // A connection of its own for each request: one that is kept would stay with the pod it met first.
  const dispatcher = createDispatcher({ pipelining: 0, connect: { timeout: answerMs } });
  const endsAt = performance.now() + options.timeoutMs;
  let said = '';
  let good = 0;
  try {
    for (;;) {
      const answer = await ask(url, dispatcher, options.signal);
      good = answer.ok ? good + 1 : 0;
      if (good >= options.inARow) return answer.text;
      if (!answer.ok && answer.text !== said) options.log.info(`Probe ${url}: ${answer.text}; asking again`);
      said = answer.text;
      if (!answer.ok && performance.now() + pauseMs >= endsAt) throw failure(url, answer, options.timeoutMs);
      await sleep(pauseMs, undefined, { signal: options.signal });
    }
  } finally {
    await dispatcher.destroy();
  }
}

function failure(url: string, answer: Answer, timeoutMs: number): DeliveryError {
  return new DeliveryError({
    code: 'PROBE_FAILED',
    side: 'application',
    message: `The probe of ${url} did not succeed within ${timeoutMs / 1000} s; the last answer: ${answer.text}.`,
    remedy:
      "The pods are ready, yet users would not be served: check 'probePath', the Service's port and selector, and that this agent reaches the address.",
    cause: answer.cause,
  });
}
