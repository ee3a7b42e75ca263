import { setTimeout as sleep } from 'node:timers/promises';
import { within } from '../../deadline.ts';
import { type Comparison, compare, type Limits, type Sample } from '../../golden/comparison.ts';
import { differences, type GoldenCase, type GoldenFile, judge } from '../../golden/golden.ts';
import type { KubeClient, PodAnswer } from '../api/client.ts';
import type { ObjectRef } from '../objects/objects.ts';
import { questionOf } from './verifyPod.ts';

/** The pods that are put to the test, and those that serve meanwhile. */
export interface PodsUnderTest {
  readonly fresh: readonly ObjectRef[];
  /** Empty in a first deployment. */
  readonly stable: readonly ObjectRef[];
}

export interface SamplingOptions {
  readonly client: KubeClient;
  readonly signal: AbortSignal;
  readonly port: number;
  readonly limits: Limits;
  /** Milliseconds for all requests. */
  readonly timeoutMs: number;
}

const atOnce = 4;
const answerMs = 30_000;
const pauseMs = 250;

interface Asked {
  readonly sample: Sample;
  readonly answer: PodAnswer;
}

/** The API server's own refusal to pass a request on, by its priority and fairness: no word of the application. */
function isThrottled(answer: PodAnswer): boolean {
  return answer.status === 429 && /"kind":\s*"Status"/.test(answer.body);
}

function toSample(golden: GoldenCase, answer: PodAnswer, ms: number, tolerance: number): Sample {
  const problems = judge(golden, answer, tolerance);
  if (problems.length === 0) return { name: golden.name, ms, verdict: 'right' };
  const isError =
    answer.status !== golden.status && (answer.status >= 500 || [408, 429].includes(answer.status));
  return { name: golden.name, ms, verdict: isError ? 'error' : 'wrong', problem: problems.join('; ') };
}

/** One request; undefined when it did not reach the pod for a reason that is not the application's. */
async function ask(
  pod: ObjectRef | undefined,
  golden: GoldenCase,
  tolerance: number,
  options: SamplingOptions,
): Promise<Asked | undefined> {
  if (pod === undefined) return undefined;
  const started = performance.now();
  const limit = within(answerMs, options.signal);
  try {
    const answer = await options.client.ask(pod, questionOf(golden, options.port), limit);
    if (isThrottled(answer)) return undefined;
    return { sample: toSample(golden, answer, performance.now() - started, tolerance), answer };
  } catch {
    options.signal.throwIfAborted();
    if (!limit.aborted) return undefined;
    const problem = `no answer within ${answerMs / 1000} s`;
    return {
      sample: { name: golden.name, ms: answerMs, verdict: 'error', problem },
      answer: { status: 0, body: '' },
    };
  }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return body.trim();
  }
}

function disagree(a: PodAnswer, b: PodAnswer, tolerance: number): boolean {
  return a.status !== b.status || differences(parsed(a.body), parsed(b.body), tolerance).length > 0;
}

/** What both sides have answered so far. */
interface Collected {
  readonly fresh: Sample[];
  readonly stable: Sample[];
  readonly shadow: { pairs: number; disagreements: number };
}

/** The same request to both sides at once; false when one of them was not reached, and it counts for neither. */
async function askBoth(
  pods: PodsUnderTest,
  golden: GoldenFile,
  turn: number,
  options: SamplingOptions,
  collected: Collected,
): Promise<boolean> {
  const { cases, tolerance } = golden;
  const one = cases[turn % cases.length];
  if (one === undefined) return false;
  // The pods take turns by rounds of the file, so that each of them gets every request.
  const round = Math.floor(turn / cases.length);
  const pick = (side: readonly ObjectRef[]): ObjectRef | undefined => side[round % Math.max(1, side.length)];
  const [ours, theirs] = await Promise.all([
    ask(pick(pods.fresh), one, tolerance, options),
    ask(pick(pods.stable), one, tolerance, options),
  ]);
  if (ours === undefined || (theirs === undefined && pods.stable.length > 0)) return false;
  collected.fresh.push(ours.sample);
  if (theirs === undefined) return true;
  collected.stable.push(theirs.sample);
  collected.shadow.pairs += 1;
  if (disagree(ours.answer, theirs.answer, tolerance)) collected.shadow.disagreements += 1;
  return true;
}

/**
 * Sends the golden requests, one after the other and again, to the new pods and at the same time to the stable ones,
 * until each side has had as many as the limits ask for or the time is over; then compares the two sides.
 */
export async function samplePods(
  pods: PodsUnderTest,
  golden: GoldenFile,
  options: SamplingOptions,
): Promise<Comparison> {
  const collected: Collected = { fresh: [], stable: [], shadow: { pairs: 0, disagreements: 0 } };
  const wanted = Math.max(options.limits.samples, golden.cases.length);
  const open = Array.from({ length: wanted }, (_, turn) => turn);
  const endsAt = performance.now() + options.timeoutMs;
  const work = async (): Promise<void> => {
    for (let turn = open.shift(); turn !== undefined && performance.now() < endsAt; turn = open.shift()) {
      if (await askBoth(pods, golden, turn, options, collected)) continue;
      open.push(turn);
      await sleep(pauseMs, undefined, { signal: options.signal });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const { fresh, stable, shadow } = collected;
  return compare(fresh, stable, shadow, { ...options.limits, samples: wanted });
}
