import { randomBytes } from 'node:crypto';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import type { Right } from '../api/right.ts';
import { ApiError } from '../api/statusError.ts';
import { watchUntil } from '../api/watchUntil.ts';
import { describe, type KubeObject, type ObjectRef, refOf } from '../objects/objects.ts';
import { isReady, podTrouble, waitingFor } from '../objects/podState.ts';
import { podTemplate } from '../objects/workload.ts';
import { DiagnosedFailure, diagnose } from '../rollout/diagnosis.ts';
import type { RolloutProblem } from '../rollout/rollout.ts';

export interface TrialOptions {
  readonly client: KubeClient;
  readonly log: Log;
  /** Milliseconds until the pod is ready. */
  readonly timeoutMs: number;
  /** Milliseconds that the test itself may take. */
  readonly testMs: number;
  readonly signal: AbortSignal;
}

const label = 'model-delivery/trial';
const cleanupMs = 15_000;

/** The rights that a trial needs beyond those of the release. */
export function trialRights(namespace: string): Right[] {
  const right = (verb: string, resource: string): Right => ({
    verb,
    group: '',
    resource,
    namespace,
    required: true,
  });
  // The proxy's verb follows the HTTP method: get for GET, create for POST.
  return [
    ...['create', 'delete'].map((verb) => right(verb, 'pods')),
    ...['get', 'create'].map((verb) => right(verb, 'pods/proxy')),
  ];
}

/**
 * A pod like the workload's, which no Service selects: its labels are its own. It ends by itself if the task is
 * killed before it could remove it.
 */
export function trialPod(workload: KubeObject, timeoutMs: number): KubeObject {
  const template = podTemplate(workload);
  const { name, namespace } = workload.metadata;
  const base = name.slice(0, 40).replace(/[-.]+$/, '');
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${base}-trial-${randomBytes(3).toString('hex')}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [label]: base },
      ...(template?.metadata?.annotations === undefined
        ? {}
        : { annotations: template.metadata.annotations }),
    },
    spec: { ...template?.spec, activeDeadlineSeconds: Math.ceil(timeoutMs / 1000) + 120 },
  };
}

type Ended = { readonly ready: true } | { readonly ready: false; readonly problem: RolloutProblem };

function judge(pod: Pod | undefined): Ended | undefined {
  if (pod === undefined) return { ready: false, problem: { kind: 'deleted', message: 'it was deleted' } };
  if (isReady(pod)) return { ready: true };
  const trouble = podTrouble(pod);
  if (trouble?.terminal !== true) return undefined;
  const { kind, message, container } = trouble;
  return { ready: false, problem: { kind, message, pod, ...(container === undefined ? {} : { container }) } };
}

async function waitReady(created: KubeObject, options: TrialOptions): Promise<Ended> {
  const { name, namespace = 'default' } = created.metadata;
  const only = { apiVersion: 'v1', kind: 'Pod', namespace, fieldSelector: `metadata.name=${name}` };
  const { answer, seen } = await watchUntil(options.client, [only], options, ([pods]) =>
    judge(pods?.[0] as Pod | undefined),
  );
  if (answer !== undefined) return answer;
  const pod = (seen[0]?.[0] ?? created) as Pod;
  const message = `it was not ready within ${options.timeoutMs / 1000} s: ${waitingFor(pod) ?? 'ready'}`;
  return { ready: false, problem: { kind: 'deadline', message, pod } };
}

/**
 * Starts one pod of the new template beside the workload, out of users' reach, and lets `use` put it to the test
 * once it is ready; the pod is removed whatever comes. Throws DiagnosedFailure, or what `use` throws.
 */
export async function withTrialPod(
  workload: KubeObject,
  options: TrialOptions,
  use: (pod: ObjectRef) => Promise<void>,
): Promise<void> {
  const { client, log } = options;
  const pod = trialPod(workload, options.timeoutMs + options.testMs);
  const ref = refOf(pod);
  const created = await client.create(pod, options.signal).catch((error: unknown) => {
    // The name is random: what exists was made by this request's first attempt, whose answer was lost.
    if (error instanceof ApiError && error.reason === 'AlreadyExists') return pod;
    throw error;
  });
  log.info(`Trial of the new state in ${describe(ref)}, which no user reaches`);
  try {
    const ended = await waitReady(created, options);
    if (!ended.ready)
      throw new DiagnosedFailure(await diagnose(client, created, ended.problem, options.signal));
    await use(ref);
  } finally {
    await client
      .remove(ref, { propagation: 'Background', withoutGrace: true }, AbortSignal.timeout(cleanupMs))
      .catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        log.warning(`${describe(ref)} could not be removed, and ends by itself later: ${why}`);
      });
  }
}
