import { DeliveryError } from '../../src/errors.ts';
import { type GoldenFile, readGolden } from '../../src/golden/golden.ts';
import type { Host } from '../../src/host/host.ts';
import type { KubeClient } from '../../src/kube/api/client.ts';
import { checkProbe } from '../../src/kube/gate/endpoint.ts';
import { findModelImage, type ModelImage } from '../../src/kube/image/modelImage.ts';
import { checkPlatforms } from '../../src/kube/image/platformFit.ts';
import { type ResolvedImage, resolveImage } from '../../src/kube/image/resolveImage.ts';
import { traceOf } from '../../src/kube/image/runTrace.ts';
import { checkModelVolume } from '../../src/kube/manifests/modelVolume.ts';
import { describe, refOf } from '../../src/kube/objects/objects.ts';
import { differenceLines } from '../../src/kube/plan/difference.ts';
import { ensureNamespace } from '../../src/kube/plan/namespace.ts';
import { plan } from '../../src/kube/plan/plan.ts';
import { prepare } from '../../src/kube/release/prepare.ts';
import { withFormerRoute } from '../../src/kube/stages/httpRoute.ts';
import type { DeployInputs } from './inputs.ts';
import { openInventory } from './inventory.ts';
import type { Changes, Plan } from './planned.ts';

/** True when applying these changes something. */
export function isChangedBy(changes: Changes): boolean {
  return changes.some((change) => change.action !== 'none');
}

/** Writes the plan into the log, field by field. */
export function tellPlan(changes: Changes, host: Host): void {
  const words = { create: 'create', update: 'update', none: 'leave' } as const;
  const lines = changes.flatMap((change) => [
    `${words[change.action]} ${describe(refOf(change.planned))}`,
    ...differenceLines(change).map((line) => `  ${line}`),
  ]);
  host.log.info(['Plan, checked by the API server:', ...lines].join('\n  '));
}

function checkVerify(golden: GoldenFile | undefined, changes: Changes): void {
  if (golden === undefined) return;
  if (changes.some((change) => change.manifest.runsImage && change.planned.kind === 'Deployment')) return;
  throw new DeliveryError({
    code: 'NOTHING_TO_VERIFY',
    side: 'input',
    message:
      "Input 'verifyFile' is set, but the image runs in no Deployment of which a trial pod could be made.",
    remedy: "Leave 'verifyFile' empty for other kinds of workloads.",
  });
}

async function openModelVolume(
  client: KubeClient,
  image: ResolvedImage,
  inputs: DeployInputs,
  host: Host,
): Promise<ModelImage | undefined> {
  const { kind, image: reference } = inputs.modelDelivery;
  if (kind === 'baked') return undefined;
  await checkModelVolume(client, host.log, host.cancelled);
  return findModelImage(image, reference, host);
}

/** What would be done, checked by the API server; nothing is changed, but a namespace that is to be created. */
export async function makePlan(
  client: KubeClient,
  inputs: DeployInputs,
  namespace: string,
  host: Host,
): Promise<Plan> {
  const application = await resolveImage(inputs.image, host);
  host.log.info(`Image: ${application.reference}`);
  const modelVolume = await openModelVolume(client, application, inputs, host);
  const image = modelVolume === undefined ? application : { ...application, model: modelVolume.model };
  const trace = traceOf(image, host);
  const golden =
    inputs.verifyFile === undefined ? undefined : await readGolden(inputs.verifyFile, image.model.version);
  if (inputs.createNamespace && !inputs.dryRun) await ensureNamespace(client, namespace, host);
  const volume = modelVolume === undefined ? {} : { modelVolume };
  const manifests = await prepare(client, { ...inputs, image, trace, namespace, ...volume }, host);
  const { force } = inputs;
  const planned = await plan(client, manifests, { force, log: host.log, signal: host.cancelled });
  const changes = planned.map(withFormerRoute);
  checkProbe(inputs.probePath, changes);
  checkVerify(golden, changes);
  tellPlan(changes, host);
  const inventory = inputs.prune ? await openInventory(client, changes, namespace, host) : undefined;
  const departed = inventory?.departed ?? [];
  const isChanged = departed.length > 0 || isChangedBy(changes);
  if (isChanged) {
    const workloads = changes.filter(({ manifest }) => manifest.runsImage).map(({ planned }) => planned);
    const options = { log: host.log, signal: host.cancelled };
    await checkPlatforms(client, workloads, image.platforms, options);
  }
  return {
    ...{ changes, isChanged, trace, namespace },
    ...(golden === undefined ? {} : { golden }),
    ...(inventory === undefined ? {} : { inventory }),
  };
}
