import { DeliveryError } from '../errors.ts';
import type { Access } from './access.ts';
import { pushBlobTo } from './blobs.ts';
import { digestOf, parseManifest } from './documents.ts';
import { findManifest, putManifest, sendManifest } from './images.ts';
import { nothingThere } from './listing.ts';
import { headerOf } from './transport.ts';
import { type Descriptor, type Index, type Manifest, mediaTypes } from './types.ts';
import type { UploadControl } from './upload.ts';

/** A document that tells about an image: a bill of materials, a provenance. */
export interface Artifact {
  /** Media type of the document, which is the artifact's type too. */
  readonly artifactType: string;
  readonly content: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Attempts to get an entry into the index of a tag that others write at the same time. */
const attempts = 5;

/** Tag of the index that stands in for the referrers API; distribution-spec 1.1, "Referrers Tag Schema". */
export function referrersTag(digest: string): string {
  return digest.replace(':', '-');
}

async function fromApi(access: Access, repository: string, digest: string): Promise<Index | undefined> {
  try {
    const response = await access.transport.send({
      method: 'GET',
      path: `/v2/${repository}/referrers/${digest}`,
      scope: access.scopeOf(repository),
      expect: [200],
      headers: { accept: mediaTypes.index },
    });
    const content = await access.transport.read(response);
    const found = parseManifest(
      content,
      headerOf(response, 'content-type') ?? '',
      `the referrers of ${digest}`,
    );
    return found.kind === 'index' ? found.index : undefined;
  } catch (error) {
    if (nothingThere(error)) return undefined;
    throw error;
  }
}

async function fromTag(access: Access, repository: string, digest: string): Promise<readonly Descriptor[]> {
  const tag = referrersTag(digest);
  const found = await findManifest(access, repository, tag);
  if (found === undefined) return [];
  if (found.kind === 'index') return found.index.manifests;
  throw new DeliveryError({
    code: 'REFERRERS_TAG_INVALID',
    side: 'registry',
    message: `Tag '${tag}' of ${repository} is to list what tells about its image, but it names something else.`,
    remedy: 'Remove the tag, or the tool that puts it there; then run again.',
  });
}

/**
 * What tells about a manifest; by the API, or by the tag where the registry has none. Throws REFERRERS_TAG_INVALID.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
 */
export function listReferrers(
  access: Access,
  repository: string,
  digest: string,
): Promise<readonly Descriptor[]> {
  return access.explained(`list what tells about ${repository}@${digest}`, async () => {
    const index = await fromApi(access, repository, digest);
    return index?.manifests ?? (await fromTag(access, repository, digest));
  });
}

/** Read after it was written: of two that write at once the later one would drop the other's entry. */
async function addToTag(
  access: Access,
  repository: string,
  subject: string,
  entry: Descriptor,
): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const manifests = await fromTag(access, repository, subject);
    if (manifests.some((one) => one.digest === entry.digest)) return;
    const index: Index = {
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [...manifests, entry],
    };
    const document = { mediaType: mediaTypes.index, content: JSON.stringify(index) };
    await putManifest(access, repository, referrersTag(subject), document);
  }
  throw new DeliveryError({
    code: 'REFERRERS_TAG_INVALID',
    side: 'registry',
    message: `Tag '${referrersTag(subject)}' of ${repository} does not keep what is written to it.`,
    remedy:
      'Run again when nothing else writes about this image; a registry must not make this tag immutable.',
  });
}

function blobOf(bytes: Buffer): Descriptor & { open(offset: number): AsyncGenerator<Uint8Array> } {
  return {
    mediaType: mediaTypes.empty,
    digest: digestOf(bytes),
    size: bytes.byteLength,
    async *open(offset) {
      yield bytes.subarray(offset);
    },
  };
}

function manifestOf(subject: Descriptor, artifact: Artifact, layer: Descriptor, empty: Descriptor): Manifest {
  const { artifactType, annotations } = artifact;
  const plain = ({ mediaType, digest, size }: Descriptor): Descriptor => ({ mediaType, digest, size });
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType,
    config: plain(empty),
    layers: [{ ...plain(layer), mediaType: artifactType }],
    subject: plain(subject),
    annotations,
  };
}

/**
 * Pushes a document about an image, without a tag of its own; the same document twice is one. Where the registry does
 * not say that it keeps the list of referrers (header OCI-Subject), the list's tag is kept here. Gives its digest.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests-with-subject
 */
export function pushReferrer(
  access: Access,
  target: { readonly repository: string; readonly subject: Descriptor },
  artifact: Artifact,
  control: UploadControl,
): Promise<string> {
  const { repository, subject } = target;
  return access.explained(`write a document about ${repository}@${subject.digest}`, async () => {
    const [layer, empty] = [blobOf(Buffer.from(artifact.content, 'utf8')), blobOf(Buffer.from('{}'))];
    for (const blob of [layer, empty]) await pushBlobTo(access, { repository }, blob, control);
    const manifest = JSON.stringify(manifestOf(subject, artifact, layer, empty));
    const document = { mediaType: mediaTypes.manifest, content: manifest };
    const digest = digestOf(manifest);
    const response = await sendManifest(access, repository, digest, document);
    if (headerOf(response, 'oci-subject') === undefined) {
      const { artifactType, annotations } = artifact;
      const size = Buffer.byteLength(manifest);
      const entry = { mediaType: mediaTypes.manifest, digest, size, artifactType, annotations };
      await addToTag(access, repository, subject.digest, entry);
    }
    return digest;
  });
}
