import type { Comparison } from '../../src/golden/comparison.ts';
import type { GoldenFile } from '../../src/golden/golden.ts';
import type { Host } from '../../src/host/host.ts';
import type { KubeClient } from '../../src/kube/api/client.ts';
import type { PodsUnderTest } from '../../src/kube/gate/sampling.ts';
import { withTrialPod } from '../../src/kube/gate/trial.ts';
import type { KubeObject, ObjectRef } from '../../src/kube/objects/objects.ts';
import { containersOf, podTemplate } from '../../src/kube/objects/workload.ts';
import type { ReleaseOptions } from '../../src/kube/release/release.ts';
import { servingPods, verifyPods } from '../../src/kube/stages/verification.ts';
import type { DeployInputs } from './inputs.ts';

function portOf(workload: KubeObject, image: string, otherwise: number): number {
  const containers = containersOf(podTemplate(workload)?.spec);
  return containers.find((container) => container.image === image)?.ports?.[0]?.containerPort ?? otherwise;
}

export interface Gated {
  readonly client: KubeClient;
  readonly golden: GoldenFile | undefined;
  /** The deployed image. */
  readonly image: string;
  /** Gets every comparison, whatever its outcome. */
  readonly comparisons: Comparison[];
}

/**
 * The gate before the switch: golden predictions, and with samples a comparison with the stable side, asked of a trial
 * pod or of the new pods of a staged rollout.
 */
export function gate(
  { client, golden, image, comparisons }: Gated,
  inputs: DeployInputs,
  host: Host,
): Pick<ReleaseOptions<unknown>, 'trial' | 'verifyPods'> {
  if (golden === undefined) return {};
  const { limits, timeoutMs: testMs } = inputs.verification;
  const common = { client, log: host.log, signal: host.cancelled };
  const test = (pods: PodsUnderTest, workload: KubeObject): Promise<void> =>
    verifyPods(pods, golden, {
      ...common,
      ...(limits === undefined ? {} : { limits }),
      port: portOf(workload, image, inputs.port),
      timeoutMs: testMs,
      report: (comparison) => void comparisons.push(comparison),
    });
  return {
    verifyPods: test,
    trial: async ({ planned, live }) => {
      const stable: readonly ObjectRef[] =
        limits === undefined ? [] : await servingPods(client, live, host.cancelled);
      await withTrialPod(planned, { ...common, timeoutMs: inputs.rolloutTimeoutMs, testMs }, (pod) =>
        test({ fresh: [pod], stable }, planned),
      );
    },
  };
}
