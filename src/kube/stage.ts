import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { DeliveryError } from '../errors.ts';
import type { Log } from '../host/host.ts';
import type { KubeClient } from './client.ts';
import { DiagnosedFailure, diagnose } from './diagnosis.ts';
import { hashLabel, held, heldPods, pinnedTo, type Strategy, serves, servingHash } from './hold.ts';
import { describe, type KubeObject, type ObjectRef, refOf } from './objects.ts';
import type { Change } from './plan.ts';
import { isReady } from './podState.ts';
import type { Right } from './preflight.ts';
import {
  collections,
  deadlineProblem,
  type RolloutProblem,
  terminalProblem,
  toView,
  type View,
} from './rollout.ts';
import { watchUntil } from './watchUntil.ts';
import { newPods, selectorText } from './workloadState.ts';

export interface StageOptions {
  readonly client: KubeClient;
  readonly log: Log;
  readonly force: boolean;
  readonly rolloutTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly strategy: Strategy;
  /** Puts one new pod to the test, for example by golden predictions. */
  readonly verifyPod?: (pod: ObjectRef, workload: KubeObject) => Promise<void>;
  /** What must hold for users who are served by new pods. */
  readonly verify: (live: readonly KubeObject[]) => Promise<unknown>;
}

/** The rights that a switch of users needs beyond those of the release. */
export function switchRights(namespace: string): Right[] {
  return [{ verb: 'patch', group: '', resource: 'services', namespace, required: true }];
}

const switchBackMs = 15_000;

async function fail(workload: KubeObject, problem: RolloutProblem, options: StageOptions): Promise<never> {
  throw new DiagnosedFailure(await diagnose(options.client, workload, problem, options.signal));
}

function readyNewPods(view: View): Pod[] {
  if (view.workload === undefined) return [];
  return newPods(view.workload, view.replicaSets, view.pods).filter(isReady);
}

/** Waits until the held rollout has its new pods ready; gives them. */
async function waitHeld(workload: KubeObject, options: StageOptions): Promise<Pod[]> {
  const { client, signal, rolloutTimeoutMs: timeoutMs } = options;
  const wanted = heldPods(workload, options.strategy);
  const { answer, seen } = await watchUntil(client, collections(workload), { timeoutMs, signal }, (now) => {
    const view = toView(now);
    const problem = terminalProblem(view);
    if (problem !== undefined) return { problem };
    const pods = readyNewPods(view);
    return pods.length >= wanted ? { pods } : undefined;
  });
  if (answer?.pods !== undefined) return answer.pods;
  const problem = answer?.problem ?? deadlineProblem(toView(seen), Math.round(timeoutMs / 1000));
  return fail(workload, problem, options);
}

function restarts(pod: Pod): number {
  return (pod.status?.containerStatuses ?? []).reduce((sum, status) => sum + status.restartCount, 0);
}

function lapse(view: View, wanted: number): RolloutProblem | undefined {
  const problem = terminalProblem(view);
  if (problem !== undefined || view.workload === undefined) return problem;
  const pods = newPods(view.workload, view.replicaSets, view.pods);
  const restarted = pods.find((pod) => restarts(pod) > 0);
  if (restarted !== undefined) {
    return { kind: 'crash', message: 'a canary pod was restarted while it was watched', pod: restarted };
  }
  if (pods.filter(isReady).length >= wanted) return undefined;
  const pod = pods.find((one) => !isReady(one));
  const message = 'a canary pod stopped being ready while it was watched';
  return { kind: 'deadline', message, ...(pod === undefined ? {} : { pod }) };
}

/** Watches the canary pods in front of users: a restart or a lost readiness fails them. */
async function observeCanary(workload: KubeObject, durationMs: number, options: StageOptions): Promise<void> {
  const { client, signal } = options;
  const wanted = heldPods(workload, options.strategy);
  const watching = { timeoutMs: durationMs, signal };
  const { answer } = await watchUntil(client, collections(workload), watching, (now) =>
    lapse(toView(now), wanted),
  );
  if (answer !== undefined) await fail(workload, answer, options);
}

async function apply(
  object: KubeObject,
  options: StageOptions,
  signal = options.signal,
): Promise<KubeObject> {
  return options.client.apply(object, { dryRun: false, force: options.force }, signal);
}

async function testPods(pods: readonly Pod[], workload: KubeObject, options: StageOptions): Promise<void> {
  const [first] = pods;
  if (first === undefined || options.verifyPod === undefined) return;
  await options.verifyPod(refOf({ ...(first as KubeObject), apiVersion: 'v1', kind: 'Pod' }), workload);
}

/** A workload that users are switched to, with the Services that send them. */
interface Switch {
  readonly workload: KubeObject;
  readonly services: readonly Change[];
  readonly from: string;
}

async function startSwitch(
  change: Change,
  services: readonly Change[],
  options: StageOptions,
): Promise<Switch> {
  const workload = change.live ?? change.planned;
  const own = services.filter((service) => serves(service.planned, change.planned));
  const { namespace = 'default' } = workload.metadata;
  const labelSelector = selectorText((workload['spec'] as { selector: object }).selector);
  const sets = { apiVersion: 'apps/v1', kind: 'ReplicaSet', namespace, labelSelector };
  const { items } = await options.client.list(sets, options.signal);
  const from = servingHash(own[0]?.live, workload, items);
  if (own.length > 0 && from !== undefined) return { workload, services: own, from };
  throw new DeliveryError({
    code: 'STRATEGY_IMPOSSIBLE',
    side: 'input',
    message: `'strategy: blueGreen' finds no Service among the deployed objects that sends users to ${describe(refOf(workload))}.`,
    remedy: "Deploy the Service together with the Deployment, or use 'strategy: rolling'.",
  });
}

async function sendTo(
  hash: string,
  to: Switch,
  options: StageOptions,
  signal?: AbortSignal,
): Promise<KubeObject[]> {
  const changed: KubeObject[] = [];
  for (const service of to.services) {
    changed.push(await apply(pinnedTo(service.manifest.object, hash), options, signal));
  }
  return changed;
}

/** Sends users to the new pods and asks there; back to the old pods at once when it is not right. */
async function switchUsers(to: Switch, pods: readonly Pod[], options: StageOptions): Promise<void> {
  const hash = pods[0]?.metadata?.labels?.[hashLabel] ?? to.from;
  try {
    const services = await sendTo(hash, to, options);
    options.log.info(`Users are switched to the ${pods.length} new pods`);
    await options.verify(services);
  } catch (error) {
    await sendTo(to.from, to, options, AbortSignal.timeout(switchBackMs));
    options.log.info('Users are switched back to the former pods');
    throw error;
  }
}

async function stageBlueGreen(
  change: Change,
  services: readonly Change[],
  options: StageOptions,
  begun: Change[],
): Promise<KubeObject> {
  const to = await startSwitch(change, services, options);
  begun.push(...to.services.filter((service) => !begun.includes(service)));
  await sendTo(to.from, to, options);
  begun.push(change);
  await apply(held(change.manifest.object, change.planned, options.strategy), options);
  const pods = await waitHeld(change.planned, options);
  options.log.info(`${pods.length} new pods are ready beside the former ones; no user reaches them yet`);
  await testPods(pods, change.planned, options);
  await switchUsers(to, pods, options);
  return apply(change.manifest.object, options);
}

async function stageCanary(
  change: Change,
  durationMs: number,
  options: StageOptions,
  begun: Change[],
): Promise<KubeObject> {
  begun.push(change);
  await apply(held(change.manifest.object, change.planned, options.strategy), options);
  const pods = await waitHeld(change.planned, options);
  options.log.info(
    `Canary: ${pods.length} new pods serve beside the former ones, for ${durationMs / 1000} s`,
  );
  await testPods(pods, change.planned, options);
  await observeCanary(change.planned, durationMs, options);
  options.log.info('Canary passed: the rollout goes on');
  return apply(change.manifest.object, options);
}

/**
 * Rolls a Deployment out in stages: its new pods come up beside the old ones, are put to the test, and only then
 * the rollout goes on. `begun` gets every change just before it is sent. Gives the Deployment as it then is.
 */
export async function stage(
  change: Change,
  services: readonly Change[],
  options: StageOptions,
  begun: Change[],
): Promise<KubeObject> {
  const { strategy } = options;
  if (strategy.kind === 'canary') return stageCanary(change, strategy.durationMs, options, begun);
  return stageBlueGreen(change, services, options, begun);
}

/** Takes the pins off the Services again, once no former pod is left that they could send users to. */
export async function unpin(services: readonly Change[], options: StageOptions): Promise<void> {
  for (const service of services) await apply(service.manifest.object, options);
}
