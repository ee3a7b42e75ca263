import { setTimeout as sleep } from 'node:timers/promises';
import { within } from '../../deadline.ts';
import { DeliveryError } from '../../errors.ts';
import { type GoldenCase, type GoldenFile, judge } from '../../golden/golden.ts';
import type { Log } from '../../host/host.ts';
import { formatSeconds } from '../../report/format.ts';
import type { KubeClient, PodAnswer, PodQuestion } from '../api/client.ts';
import type { ObjectRef } from '../objects/objects.ts';

export interface VerifyOptions {
  readonly client: KubeClient;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The port that the application listens on. */
  readonly port: number;
}

const attempts = 5;
const pauseMs = 500;
const answerMs = 60_000;

/** The API server itself answers 502 to 504, as a Status, when it does not reach the pod yet. */
function isFromApiServer(answer: PodAnswer): boolean {
  return (
    answer.status >= 502 &&
    answer.status <= 504 &&
    /"kind":\s*"Status"|error trying to reach/.test(answer.body)
  );
}

/** The golden request as a pod gets it. */
export function questionOf({ method, path, contentType, body }: GoldenCase, port: number): PodQuestion {
  return {
    port,
    method,
    path,
    ...(contentType === undefined ? {} : { contentType }),
    ...(body === undefined ? {} : { body }),
  };
}

async function ask(pod: ObjectRef, golden: GoldenCase, options: VerifyOptions): Promise<PodAnswer> {
  const question = questionOf(golden, options.port);
  for (let attempt = 1; ; attempt += 1) {
    const signal = within(answerMs, options.signal);
    const answer = await options.client.ask(pod, question, signal);
    if (attempt === attempts || !isFromApiServer(answer)) return answer;
    await sleep(pauseMs, undefined, { signal: options.signal });
  }
}

/**
 * Sends the golden requests to one pod through the API server and compares the answers. Throws VERIFY_FAILED
 * with each case that differs.
 */
export async function verifyPod(pod: ObjectRef, golden: GoldenFile, options: VerifyOptions): Promise<void> {
  const started = performance.now();
  const wrong: string[] = [];
  for (const one of golden.cases) {
    const problems = judge(one, await ask(pod, one, options), golden.tolerance);
    if (problems.length > 0) wrong.push(`${one.name}: ${problems.join('; ')}`);
  }
  const count = golden.cases.length;
  if (wrong.length === 0) {
    const time = formatSeconds((performance.now() - started) / 1000);
    options.log.info(`Golden predictions: ${count} of ${count} as expected from Pod '${pod.name}' (${time})`);
    return;
  }
  options.log.info(['Golden predictions that differ:', ...wrong].join('\n  '));
  throw new DeliveryError({
    code: 'VERIFY_FAILED',
    side: 'application',
    message: `${wrong.length} of ${count} golden predictions differ: ${wrong[0]}.`,
    remedy:
      'The new image predicts otherwise than approved: keep the model back, or approve its answers in the golden file.',
  });
}
