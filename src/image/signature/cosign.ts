import { buffer } from 'node:stream/consumers';
import { DeliveryError } from '../../errors.ts';
import type { RegistryClient } from '../../oci/client.ts';
import { digestOf } from '../../oci/documents.ts';
import { type Descriptor, type Manifest, mediaTypes } from '../../oci/types.ts';
import { blobOf } from '../documents.ts';
import { isSealOf, sealStatement } from './envelope.ts';
import type { Signer } from './key.ts';

export const signatureType = 'application/vnd.dev.cosign.simplesigning.v1+json';
export const attestationType = 'application/vnd.dsse.envelope.v1+json';
const signatureNote = 'dev.cosignproject.cosign/signature';

export interface SignOptions {
  readonly client: RegistryClient;
  readonly repository: string;
  readonly signer: Signer;
  /** Of the manifest or index. */
  readonly digest: string;
}

/** Something that is kept beside an image, a layer each in the manifest of one tag. */
interface Entry {
  readonly suffix: 'sig' | 'att';
  readonly mediaType: string;
  readonly content: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** Whether what stands there already says the same under the same key. */
  readonly isThere: (layer: Descriptor, content: () => Promise<string>) => Promise<boolean>;
}

/** Attempts to get an entry into a tag that others write at the same time. */
const attempts = 5;
const largestEntry = 64 * 1024 * 1024;

/** `sha256-<digits>.sig`: where cosign looks, in every registry. */
export function cosignTag(digest: string, suffix: Entry['suffix']): string {
  return `${digest.replace(':', '-')}.${suffix}`;
}

async function contentOf(client: RegistryClient, repository: string, layer: Descriptor): Promise<string> {
  if (layer.size > largestEntry) return '';
  return (await buffer(client.readBlob(repository, layer.digest))).toString('utf8');
}

async function layersAt({ client, repository }: SignOptions, tag: string): Promise<readonly Descriptor[]> {
  const stored = await client.findManifest(repository, tag);
  return stored?.kind === 'image' ? stored.manifest.layers : [];
}

async function isKept(
  { client, repository }: SignOptions,
  layers: readonly Descriptor[],
  entry: Entry,
): Promise<boolean> {
  for (const layer of layers.filter(({ mediaType }) => mediaType === entry.mediaType)) {
    if (await entry.isThere(layer, () => contentOf(client, repository, layer))) return true;
  }
  return false;
}

/** The configuration is there for registries that take images alone. */
async function putLayers(
  { client, repository }: SignOptions,
  tag: string,
  layers: readonly Descriptor[],
): Promise<string> {
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) };
  const config = blobOf(JSON.stringify({ architecture: '', os: '', config: {}, rootfs }));
  await client.pushBlob(repository, config);
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: config.digest, size: config.size },
    layers,
  };
  const content = JSON.stringify(manifest);
  return client.putManifest(repository, tag, { mediaType: mediaTypes.manifest, content });
}

/** Read after it was written: of two that write at once the later one would drop the other's entry. */
async function keep(options: SignOptions, entry: Entry): Promise<string | undefined> {
  const { client, repository, digest } = options;
  const tag = cosignTag(digest, entry.suffix);
  const blob = blobOf(entry.content);
  let written: string | undefined;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const layers = await layersAt(options, tag);
    if (
      layers.some(
        (layer) =>
          layer.annotations?.[signatureNote] === entry.annotations[signatureNote] &&
          layer.digest === blob.digest,
      )
    )
      return written;
    if (written === undefined && (await isKept(options, layers, entry))) return undefined;
    await client.pushBlob(repository, blob);
    const { mediaType, annotations } = entry;
    const layer = { mediaType, digest: blob.digest, size: blob.size, annotations };
    written = await putLayers(options, tag, [...layers, layer]);
  }
  throw new DeliveryError({
    code: 'SIGNATURE_TAG_INVALID',
    side: 'registry',
    message: `Tag '${tag}' of ${repository} does not keep what is written to it.`,
    remedy:
      'Run again when nothing else signs this image; a registry must not make the tags of signatures immutable.',
  });
}

/**
 * Signs an image as `cosign sign --key` does, unless this key has; gives the digest of the signatures' manifest when it
 * was written. Throws SIGNATURE_TAG_INVALID.
 * https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
 */
export function signImage(options: SignOptions): Promise<string | undefined> {
  const { client, repository, signer, digest } = options;
  const content = JSON.stringify({
    critical: {
      identity: { 'docker-reference': `${client.host}/${repository}` },
      image: { 'docker-manifest-digest': digest },
      type: 'cosign container image signature',
    },
    optional: null,
  });
  return keep(options, {
    suffix: 'sig',
    mediaType: signatureType,
    content,
    annotations: { [signatureNote]: signer.sign(Buffer.from(content, 'utf8')) },
    isThere: async (layer) => {
      const signature = layer.annotations?.[signatureNote] ?? '';
      return layer.digest === digestOf(content) && signer.verify(Buffer.from(content, 'utf8'), signature);
    },
  });
}

/**
 * Attests an in-toto statement as `cosign attest --key` does, unless this key has; gives the digest of the
 * attestations' manifest when it was written. Throws SIGNATURE_TAG_INVALID.
 * https://github.com/sigstore/cosign/blob/main/specs/ATTESTATION_SPEC.md
 */
export function attest(
  options: SignOptions,
  statement: { readonly content: string; readonly predicateType: string },
): Promise<string | undefined> {
  const { signer } = options;
  return keep(options, {
    suffix: 'att',
    mediaType: attestationType,
    content: sealStatement(signer, statement.content),
    annotations: { [signatureNote]: '', predicateType: statement.predicateType },
    isThere: async (layer, content) =>
      layer.annotations?.['predicateType'] === statement.predicateType &&
      isSealOf(signer, await content(), statement.content),
  });
}
