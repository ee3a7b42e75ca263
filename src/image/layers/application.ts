import { mediaTypes } from '../../oci/types.ts';
import { type Archive, createArchive, type TarMember } from '../tar/archive.ts';
import { folderMember } from '../tar/members.ts';
import { digestOfStream } from './digest.ts';
import { folderMembers } from './folder.ts';
import { parseIgnoreRules, readIgnoreFile, usuallyIgnored } from './ignore.ts';
import type { Layer } from './layer.ts';

export interface ApplicationOptions {
  readonly folder: string;
  /** Where it goes in the image, for example `/app`. */
  readonly destination: string;
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

/**
 * The application's layer: uncompressed, because the bytes of a compressor differ between versions and
 * processors of the agents, and the same commit must give the same digest (docs/adr).
 */
export async function applicationLayer(options: ApplicationOptions): Promise<Layer> {
  const { folder, signal } = options;
  const rules = parseIgnoreRules(await readIgnoreFile(folder), usuallyIgnored);
  const found = await folderMembers({ folder, input: 'appFolder', rules, signal });
  const root = options.destination.slice(1);
  const members: TarMember[] = [
    folderMember(root),
    ...found.map((member) => ({ ...member, path: `${root}/${member.path}` })),
  ];
  const described = createArchive(members);
  const archive = described.size <= keptInMemory ? await inMemory(described) : described;
  const digest = await digestOfStream(archive.open(), signal);
  const count = found.filter((member) => member.type !== 'folder').length;
  const files = `${count} ${count === 1 ? 'file' : 'files'}`;
  return {
    kind: 'application',
    title: files,
    mediaType: mediaTypes.layer,
    digest,
    diffId: digest,
    size: archive.size,
    createdBy: `application: ${files} in ${options.destination}`,
    source: { from: 'bytes', open: (offset) => archive.open(offset) },
  };
}
