import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { DeliveryError } from '../../errors.ts';
import type { Comparison, Limits } from '../../golden/comparison.ts';
import type { GoldenFile } from '../../golden/golden.ts';
import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import { type PodsUnderTest, samplePods } from '../gate/sampling.ts';
import { verifyPod } from '../gate/verifyPod.ts';
import type { KubeObject, ObjectRef } from '../objects/objects.ts';
import { isReady } from '../objects/podState.ts';
import { selectorText } from '../objects/workloadState.ts';
import { podRef } from './heldPods.ts';

/** How new pods are put to the test by golden requests. */
export interface VerificationOptions {
  readonly client: KubeClient;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The port that the application listens on. */
  readonly port: number;
  /** Limits of a comparison with the stable side; undefined: each request once, to one pod. */
  readonly limits?: Limits;
  /** Milliseconds for all requests of a comparison. */
  readonly timeoutMs: number;
  /** Gets every comparison, whatever its outcome. */
  readonly report: (comparison: Comparison) => void;
}

function failure(comparison: Comparison): DeliveryError {
  const [first, ...others] = comparison.findings.map((finding) => finding.text);
  const more = others.length === 0 ? '' : `; ${others.join('; ')}`;
  if (comparison.outcome === 'fail') {
    return new DeliveryError({
      code: 'VERIFY_FAILED',
      side: 'application',
      message: `The new pods are not as good as they must be: ${first}${more}.`,
      remedy:
        'Keep the model back, or approve its answers in the golden file; for errors and latency look at the pods’ logs and resources.',
    });
  }
  return new DeliveryError({
    code: 'VERIFICATION_INCONCLUSIVE',
    side: 'application',
    message: `The verification decides neither for nor against the new pods: ${first}${more}.`,
    remedy:
      "What is not proven is not put into production: ask for more requests ('verifySamples') or give them more time ('verifyTimeout').",
  });
}

function tell(comparison: Comparison, log: Log): void {
  const rows = [['', 'New pods', 'Stable pods'], ...comparison.rows];
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  log.info([`Verification: ${comparison.outcome}`, ...lines].join('\n  '));
}

/** Throws VERIFY_FAILED or VERIFICATION_INCONCLUSIVE unless the pods answer as approved, and as well as the stable ones. */
export async function verifyPods(
  pods: PodsUnderTest,
  golden: GoldenFile,
  options: VerificationOptions,
): Promise<void> {
  const { limits, log } = options;
  const [first] = pods.fresh;
  if (limits === undefined) {
    if (first !== undefined) await verifyPod(first, golden, options);
    return;
  }
  const comparison = await samplePods(pods, golden, { ...options, limits });
  options.report(comparison);
  tell(comparison, log);
  if (comparison.outcome !== 'pass') throw failure(comparison);
}

/** The pods of a workload that serve now. */
export async function servingPods(
  client: KubeClient,
  workload: KubeObject | undefined,
  signal: AbortSignal,
): Promise<ObjectRef[]> {
  if (workload === undefined) return [];
  const { namespace = 'default' } = workload.metadata;
  const labelSelector = selectorText((workload['spec'] as { selector?: object } | undefined)?.selector);
  const { items } = await client.list({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector }, signal);
  const pods = (items as readonly Pod[]).filter(
    (pod) => isReady(pod) && pod.metadata?.deletionTimestamp === undefined,
  );
  return pods.map(podRef);
}
