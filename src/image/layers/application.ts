import { mediaTypes } from '../../oci/types.ts';
import { type Archive, createArchive } from '../../tar/archive.ts';
import { folderMember } from '../../tar/members.ts';
import { compressInto } from './compressed.ts';
import { digestOfStream } from './digest.ts';
import { folderMembers } from './folder.ts';
import { parseIgnoreRules, readIgnoreFile, usuallyIgnored } from './ignore.ts';
import type { Layer } from './layer.ts';

export interface ApplicationOptions {
  readonly folder: string;
  /** Where it goes in the image, for example `/app`. */
  readonly destination: string;
  /** A folder that stays out, where it lies within: the model has layers of its own. */
  readonly excluded?: string;
  /** Present when the layer is to be compressed: where it stands until it is sent. */
  readonly gzipFolder?: string;
  readonly signal: AbortSignal;
}

/** Up to this size the layer is read once and kept; larger ones are read again when they are pushed. */
const keptInMemory = 64 * 1024 * 1024;

async function inMemory(archive: Archive): Promise<Archive> {
  const parts: Uint8Array[] = [];
  for await (const part of archive.open()) parts.push(part);
  const content = Buffer.concat(parts);
  return {
    ...archive,
    async *open(offset = 0) {
      yield content.subarray(offset);
    },
  };
}

type Blob = Pick<Layer, 'mediaType' | 'digest' | 'diffId' | 'size' | 'source'>;

async function compressed(archive: Archive, folder: string, signal: AbortSignal): Promise<Blob> {
  const { digest, diffId, size, open } = await compressInto(folder, archive, signal);
  return { mediaType: mediaTypes.layerGzip, digest, diffId, size, source: { from: 'bytes', open } };
}

async function plain(described: Archive, signal: AbortSignal): Promise<Blob> {
  const { size, open } = described.size <= keptInMemory ? await inMemory(described) : described;
  const digest = await digestOfStream(open(), signal);
  return { mediaType: mediaTypes.layer, digest, diffId: digest, size, source: { from: 'bytes', open } };
}

/**
 * The application's layer: uncompressed unless asked for, because the bytes of a compressor differ between versions
 * and processors of the agents, and the same commit must give the same digest (docs/adr).
 */
export async function applicationLayer(options: ApplicationOptions): Promise<Layer> {
  const { folder, gzipFolder, signal } = options;
  const rules = parseIgnoreRules(await readIgnoreFile(folder, options.excluded), usuallyIgnored);
  const root = options.destination.slice(1);
  const found = await folderMembers({ folder, input: 'appFolder', rules, root, signal });
  const archive = createArchive([folderMember(root), ...found]);
  const blob = await (gzipFolder === undefined
    ? plain(archive, signal)
    : compressed(archive, gzipFolder, signal));
  const count = found.filter((member) => member.type !== 'folder').length;
  const files = `${count} ${count === 1 ? 'file' : 'files'}`;
  return {
    kind: 'application',
    title: files,
    createdBy: `application: ${files} in ${options.destination}`,
    ...blob,
  };
}
