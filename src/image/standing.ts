import { annotations } from '../oci/annotations.ts';
import type { RegistryClient } from '../oci/client.ts';
import type { StoredManifest } from '../oci/documents.ts';
import type { Descriptor, Platform } from '../oci/types.ts';
import type { AssembledImage } from './assemble.ts';
import type { PythonPackage } from './layers/layer.ts';
import type { DeliveredModel } from './model/deliver.ts';
import type { WholeImage } from './platforms.ts';
import { type PublishedDocument, publishDocuments, type WantedDocuments } from './referrers/publish.ts';
import { signDocuments } from './signature/publish.ts';

/** The image of one platform. */
export interface BuiltPlatform {
  readonly platform: Platform;
  readonly digest: string;
  readonly base?: { readonly name: string; readonly digest: string };
}

/** The annotations of a manifest or index. */
export function annotationsOf(stored: StoredManifest | undefined): Readonly<Record<string, string>> {
  return (stored?.kind === 'image' ? stored.manifest : stored?.index)?.annotations ?? {};
}

/** The image as it is in the registry, or will be. */
export interface Standing {
  readonly descriptor: Descriptor;
  readonly created: string;
  readonly isNew: boolean;
  readonly platforms: readonly (BuiltPlatform & { readonly descriptor: Descriptor })[];
}

/** An image that is to be pushed, or `last`, which is there with the same inputs. */
export function standingOf(whole: WholeImage, created: string, last?: StoredManifest): Standing {
  const stored = last?.kind === 'index' ? last.index.manifests : [last];
  const platforms = whole.images.map(({ platform, base, documents }, index) => {
    const { digest, manifest } = documents;
    const { mediaType } = manifest;
    const made = { mediaType, digest, size: Buffer.byteLength(manifest.content) };
    const there = stored[index];
    const descriptor =
      there === undefined ? made : { mediaType: there.mediaType, digest: there.digest, size: there.size };
    return { platform, digest: descriptor.digest, descriptor, ...(base === undefined ? {} : { base }) };
  });
  if (last === undefined) return { descriptor: whole.descriptor, created, isNew: true, platforms };
  const { mediaType, digest, size } = last;
  const made = annotationsOf(last)[annotations.created] ?? created;
  return { descriptor: { mediaType, digest, size }, created: made, isNew: false, platforms };
}

function packagesOf(images: readonly AssembledImage[]): readonly PythonPackage[] {
  const all = images.flatMap(({ layers }) => layers.flatMap((layer) => layer.packages ?? []));
  return [...new Map(all.map((one) => [one.sha256, one])).values()];
}

export interface DescribeOptions {
  readonly client: RegistryClient;
  readonly repository: string;
  readonly documents?: WantedDocuments;
  readonly model?: DeliveredModel;
}

/** Tells about the image in documents of the registry, where they are wanted: about the whole, then each platform. */
export async function describeImage(
  options: DescribeOptions,
  standing: Standing,
  whole: WholeImage,
): Promise<readonly PublishedDocument[]> {
  const { client, repository, documents: wanted, model } = options;
  if (wanted === undefined) return [];
  const { descriptor, created, isNew, platforms } = standing;
  const name = `${client.host}/${repository}`;
  const about = { created, name, ...(model === undefined ? {} : { model }) };
  const subjects = [{ ...about, descriptor, packages: packagesOf(whole.images), bases: basesOf(platforms) }];
  if (platforms.length > 1) {
    for (const [index, one] of platforms.entries()) {
      const packages = packagesOf(whole.images.slice(index, index + 1));
      subjects.push({ ...about, descriptor: one.descriptor, packages, bases: basesOf([one]) });
    }
  }
  const published: PublishedDocument[] = [];
  for (const subject of subjects) {
    published.push(...(await publishDocuments({ client, repository, wanted, isNew }, subject)));
    if (wanted.signer === undefined) continue;
    const { signer, sbom, provenance } = wanted;
    const attested = { sbom, ...(isNew && provenance !== undefined ? { provenance } : {}) };
    published.push(...(await signDocuments({ client, repository, signer }, subject, attested)));
  }
  return published;
}

function basesOf(platforms: readonly BuiltPlatform[]): readonly { name: string; digest: string }[] {
  return platforms.flatMap(({ base }) => base ?? []);
}
