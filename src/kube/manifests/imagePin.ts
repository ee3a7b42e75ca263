import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { DeliveryError } from '../../errors.ts';
import { type ImageReference, parseReference } from '../../oci/reference.ts';
import { describe, refOf } from '../objects/objects.ts';
import { containersOf, podTemplate, runsPods, withContainers, withPodTemplate } from '../objects/workload.ts';
import type { Manifest } from './manifests.ts';

/** Which containers get the image. */
export interface PinTarget {
  /** The image by digest: `registry/repository@sha256:…`. */
  readonly image: string;
  /** Name of the container; without it the repository decides. */
  readonly container?: string;
  /** Repository in the manifests, where it is not the image's own. */
  readonly repository?: string;
}

interface Candidate {
  readonly manifest: Manifest;
  readonly container: Container;
}

function candidatesOf(manifests: readonly Manifest[]): Candidate[] {
  return manifests
    .filter((manifest) => runsPods(manifest.object))
    .flatMap((manifest) =>
      containersOf(podTemplate(manifest.object)?.spec).map((container) => ({ manifest, container })),
    );
}

/** The reference, or undefined where a manifest holds a placeholder that is none. */
function tryParse(image: string | undefined): ImageReference | undefined {
  try {
    return image === undefined ? undefined : parseReference(image);
  } catch {
    return undefined;
  }
}

function sameRepository(image: string | undefined, wanted: ImageReference): boolean {
  const found = tryParse(image);
  return found?.registry === wanted.registry && found.repository === wanted.repository;
}

/** Repository alone, so that a manifest that names no registry, or another one, still fits. */
function samePath(image: string | undefined, wanted: ImageReference): boolean {
  const found = tryParse(image);
  const path =
    found?.registry === 'docker.io' ? found.repository.replace(/^library\//, '') : found?.repository;
  return path === wanted.repository;
}

function choose(candidates: readonly Candidate[], target: PinTarget): readonly Candidate[] {
  if (target.container !== undefined) {
    return candidates.filter(({ container }) => container.name === target.container);
  }
  const wanted = parseReference(target.repository ?? target.image);
  const exact = candidates.filter(({ container }) => sameRepository(container.image, wanted));
  if (exact.length > 0) return exact;
  const byPath = candidates.filter(({ container }) => samePath(container.image, wanted));
  if (byPath.length > 0) return byPath;
  return candidates.length === 1 && target.repository === undefined ? candidates : [];
}

/** A thousand names help nobody. */
const shownContainers = 10;

function noTarget(candidates: readonly Candidate[], target: PinTarget): DeliveryError {
  const seen = candidates.map(
    ({ manifest, container }) =>
      `'${container.name}' of ${describe(refOf(manifest.object))} (${container.image ?? 'no image'})`,
  );
  const wanted =
    target.container === undefined
      ? `a container whose image is of the repository of ${target.repository ?? target.image}`
      : `a container named '${target.container}'`;
  return new DeliveryError({
    code: 'CONTAINER_NOT_FOUND',
    side: 'input',
    message: `The manifests have no workload with ${wanted}.`,
    remedy:
      seen.length === 0
        ? 'They hold no workload at all: add the Deployment, or leave manifests empty to have it generated.'
        : `Name the container in the input 'container'. There are: ${seen.slice(0, shownContainers).join(', ')}${seen.length > shownContainers ? ` and ${seen.length - shownContainers} more` : ''}.`,
  });
}

/** A workload's manifest, and whether the delivered image runs in it. */
export interface PinnedManifest extends Manifest {
  readonly runsImage: boolean;
}

/** Sets the image by digest in the target containers. Throws CONTAINER_NOT_FOUND. */
export function pinImage(manifests: readonly Manifest[], target: PinTarget): PinnedManifest[] {
  const candidates = candidatesOf(manifests);
  const chosen = choose(candidates, target);
  if (chosen.length === 0) throw noTarget(candidates, target);
  return manifests.map((manifest) => {
    const names = chosen.filter((one) => one.manifest === manifest).map((one) => one.container.name);
    if (names.length === 0) return { ...manifest, runsImage: false };
    const object = withPodTemplate(manifest.object, (template) => ({
      ...template,
      ...(template.spec === undefined
        ? {}
        : {
            spec: withContainers(template.spec, (container) =>
              names.includes(container.name) ? { ...container, image: target.image } : container,
            ),
          }),
    }));
    return { ...manifest, object, runsImage: true };
  });
}
