import type { RegistryChoice } from '../../azure/registry.ts';
import { DeliveryError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import { wantsLoadBalancer } from '../gate/address.ts';
import { type OtherImage, pinOthers } from '../image/otherImages.ts';
import type { ResolvedImage } from '../image/resolveImage.ts';
import { withDnsLabel } from '../manifests/dnsLabel.ts';
import { generate } from '../manifests/generate.ts';
import type { Application } from '../manifests/generated.ts';
import { type PinnedManifest, pinImage } from '../manifests/imagePin.ts';
import { readManifestFiles } from '../manifests/manifestFiles.ts';
import { inApplyOrder, type Manifest, parseManifests, refuseDuplicates } from '../manifests/manifests.ts';
import { type ModelVolume, withModelVolume } from '../manifests/modelVolume.ts';
import { pullSecret, pullSecretName, withPullSecret } from '../manifests/pullSecret.ts';
import { substitute } from '../manifests/substitute.ts';
import { type Trace, withTrace } from '../objects/trace.ts';
import { inNamespace } from '../plan/plan.ts';
import { type ChartValues, rendered } from '../render/folder.ts';
import { withoutHooks } from '../render/hooks.ts';

/** What runs the image. */
export type Source =
  | {
      readonly kind: 'manifests';
      readonly patterns: readonly string[];
      readonly chart: ChartValues;
      /** Puts the pipeline's variables where the manifests have `$(name)`. */
      readonly substituteVariables: boolean;
    }
  | { readonly kind: 'generated'; readonly application: Application };

export interface PrepareOptions {
  readonly source: Source;
  readonly image: ResolvedImage;
  readonly trace: Trace;
  readonly namespace: string;
  readonly container?: string;
  readonly otherImages: readonly OtherImage[];
  /** The registry that the inputs give credentials for. */
  readonly registry?: RegistryChoice;
  readonly createPullSecret: boolean;
  /** Azure's name for the address of the first load balancer's Service. */
  readonly dnsLabel?: string;
  /** The model's own image, to be mounted beside the application's. */
  readonly modelVolume?: ModelVolume;
}

/** What is asked of the cluster while objects are only prepared. */
export type Asked = Pick<KubeClient, 'resource' | 'version'>;

async function sourceManifests(client: Asked, options: PrepareOptions, host: Host): Promise<Manifest[]> {
  const { source, image, namespace } = options;
  if (source.kind === 'generated') return generate(source.application, image);
  const { environment, workingFolder, cancelled: signal } = host;
  const version = (): Promise<string> => client.version(signal);
  const settings = { environment, signal, chart: source.chart, namespace, workingFolder, version };
  const render = (path: string, name: string) => rendered(path, name, settings);
  const files = await readManifestFiles(source.patterns, workingFolder, render);
  const manifests = withoutHooks(files.flatMap(parseManifests));
  host.log.info(`Read ${manifests.length} objects from ${files.map((file) => file.name).join(', ')}`);
  return source.substituteVariables ? substitute(manifests, host.pipelineVariables()) : manifests;
}

function finish(manifest: PinnedManifest, options: PrepareOptions): PinnedManifest {
  if (!manifest.runsImage) return manifest;
  const { modelVolume, image } = options;
  const complete =
    modelVolume === undefined
      ? manifest.object
      : withModelVolume(manifest.object, image.reference, modelVolume);
  const traced = withTrace(complete, options.trace);
  const object = options.createPullSecret
    ? withPullSecret(traced, pullSecretName(options.image.host))
    : traced;
  return { ...manifest, object };
}

/** A name stands for one address. */
function labelled(
  manifests: readonly PinnedManifest[],
  label: string | undefined,
): readonly PinnedManifest[] {
  const at = manifests.findIndex((manifest) => wantsLoadBalancer(manifest.object));
  const found = manifests[at];
  if (label === undefined || found === undefined) return manifests;
  return manifests.with(at, { ...found, object: withDnsLabel(found.object, label) });
}

function secretManifests(options: PrepareOptions): Manifest[] {
  const { credentials, fetchToken } = options.image.access ?? {};
  if (options.createPullSecret && fetchToken !== undefined) {
    throw new DeliveryError({
      code: 'PULL_SECRET_IMPOSSIBLE',
      side: 'input',
      message:
        "Input 'createPullSecret' is set, but the registry is entered by an identity, whose tokens end within hours.",
      remedy:
        "Leave 'createPullSecret' off and let the cluster pull by its own identity: az aks update --attach-acr <registry>.",
    });
  }
  if (!options.createPullSecret || credentials === undefined) return [];
  return [pullSecret(options.image.host, credentials)];
}

/**
 * The objects to apply, in order: read or generated, in their namespace, the image pinned by digest, the trace
 * and the pull secret added. Throws MANIFEST_…, MANIFESTS_…, RENDER_…, KIND_UNKNOWN and CONTAINER_NOT_FOUND.
 */
export async function prepare(client: Asked, options: PrepareOptions, host: Host): Promise<PinnedManifest[]> {
  const all = [...secretManifests(options), ...(await sourceManifests(client, options, host))];
  const placed = await inNamespace(client, all, options.namespace, host.cancelled);
  refuseDuplicates(placed);
  const pinned = pinImage(placed, {
    image: options.image.reference,
    ...(options.container === undefined ? {} : { container: options.container }),
  });
  const complete = await pinOthers(pinned, options.otherImages, options.registry, host);
  return inApplyOrder(labelled(complete, options.dnsLabel).map((manifest) => finish(manifest, options)));
}
