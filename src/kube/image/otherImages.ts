import { chosenRegistry, type RegistryChoice } from '../../azure/registry.ts';
import type { Host } from '../../host/host.ts';
import { invalidInput } from '../../host/inputs.ts';
import { parseReference, registryUrlOf, wantedVersion } from '../../oci/reference.ts';
import { type PinnedManifest, pinImage } from '../manifests/imagePin.ts';
import { clientFor } from './resolveImage.ts';

/** An image beside the application's: for containers of this name, or of this repository where it has a slash. */
export interface OtherImage {
  readonly target: string;
  readonly image: string;
}

/** Reads lines of `container=image` or `repository=image`. Throws INPUT_INVALID. */
export function readOtherImages(lines: readonly string[]): OtherImage[] {
  return lines.map((line) => {
    const equals = line.indexOf('=');
    const target = line.slice(0, Math.max(0, equals)).trim();
    const image = line.slice(equals + 1).trim();
    if (target !== '' && image !== '') return { target, image };
    const remedy = "Write 'container=image' or 'team/repository=image', one a line.";
    throw invalidInput('otherImages', `has the line '${line}', which names no container and image`, remedy);
  });
}

/** The image by digest; its tag is looked up with the connection's credentials where they are for its registry. */
async function pinned(image: string, choice: RegistryChoice | undefined, host: Host): Promise<string> {
  const reference = parseReference(image);
  const { registry, repository, digest } = reference;
  if (digest !== undefined) return `${registry}/${repository}@${digest}`;
  const own = choice === undefined ? undefined : clientFor(chosenRegistry(choice, host), host);
  const client = own?.host === registry ? own : clientFor({ registryUrl: registryUrlOf(registry) }, host);
  const stored = await client.manifest(repository, wantedVersion(reference));
  return `${registry}/${repository}@${stored.digest}`;
}

/** Sets other images by digest too. Throws CONTAINER_NOT_FOUND and what the registry client throws. */
export async function pinOthers(
  manifests: readonly PinnedManifest[],
  others: readonly OtherImage[],
  choice: RegistryChoice | undefined,
  host: Host,
): Promise<readonly PinnedManifest[]> {
  const references = await Promise.all(others.map(({ image }) => pinned(image, choice, host)));
  return others.reduce<readonly PinnedManifest[]>((all, { target }, index) => {
    const image = references[index] ?? '';
    const by = target.includes('/') ? { repository: target } : { container: target };
    host.log.info(`Image of ${target}: ${image}`);
    const next = pinImage(all, { image, ...by });
    return next.map((one, at) => ({ ...one, runsImage: all[at]?.runsImage ?? false }));
  }, manifests);
}
