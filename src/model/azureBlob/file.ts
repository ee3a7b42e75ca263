import type { BlobGetPropertiesResponse, BlobItem } from '@azure/storage-blob';
import type { StoredFile } from '../store.ts';

/** Folders appear as empty blobs where the account has a hierarchical namespace, or a tool made them. */
export function isFolderMarker(blob: BlobItem): boolean {
  const marked = Object.entries(blob.metadata ?? {}).some(
    ([name, value]) => name.toLowerCase() === 'hdi_isfolder' && value.toLowerCase() === 'true',
  );
  return marked || (blob.name.endsWith('/') && (blob.properties.contentLength ?? 0) === 0);
}

/** https://learn.microsoft.com/azure/storage/blobs/archive-rehydrate-overview */
function archivedOf({ accessTier, archiveStatus }: Tier): Pick<StoredFile, 'archived'> {
  if (archiveStatus?.startsWith('rehydrate-pending') === true) return { archived: 'rehydrating' };
  return accessTier === 'Archive' ? { archived: 'archived' } : {};
}

interface Tier {
  readonly accessTier?: string;
  readonly archiveStatus?: string;
}

/** What a listing and the answer to a HEAD say alike. */
type Described = Pick<BlobGetPropertiesResponse, 'contentLength' | 'etag' | 'lastModified' | 'contentMD5'> &
  Partial<Pick<BlobItem, 'metadata' | 'versionId' | 'snapshot' | 'tags'>> &
  Tier;

/** A blob, a version or a snapshot of it, as the service describes it. */
export function storedFile(name: string, blob: Described): StoredFile {
  const recorded = Object.entries(blob.metadata ?? {}).find(([key]) => key.toLowerCase() === 'sha256')?.[1];
  const { contentMD5: md5, versionId, snapshot, tags } = blob;
  return {
    name,
    size: blob.contentLength ?? 0,
    // Listings leave the quotation marks out, headers have them.
    etag: (blob.etag ?? '').replaceAll('"', ''),
    lastModified: blob.lastModified ?? new Date(0),
    ...(versionId && { versionId }),
    ...(snapshot && { snapshot }),
    ...(tags !== undefined && { tags }),
    ...(recorded !== undefined && /^[0-9a-f]{64}$/i.test(recorded) && { sha256: recorded.toLowerCase() }),
    ...(md5 !== undefined && md5.length === 16 && { md5: Buffer.from(md5).toString('hex') }),
    ...archivedOf(blob),
  };
}

/** A listing's entry. The current version's id comes with it where the account keeps versions. */
export function listedFile({ name, properties, metadata, versionId, tags }: BlobItem): StoredFile {
  const described = {
    ...properties,
    ...(metadata !== undefined && { metadata }),
    ...(versionId !== undefined && { versionId }),
    ...(tags !== undefined && { tags }),
  };
  return storedFile(name, described);
}
