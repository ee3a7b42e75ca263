import type { TarMember } from './archive.ts';

/** A file of small, known content. */
export function contentMember(path: string, content: Buffer, executable: boolean): TarMember {
  return {
    path,
    type: 'file',
    size: content.byteLength,
    executable,
    async *open(offset) {
      yield content.subarray(offset);
    },
  };
}

export function folderMember(path: string): TarMember {
  return { path, type: 'folder', size: 0 };
}

/** Code unit order, the same on every machine and in every locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The folders from `root` (included) to the parents of these paths, parents first. */
export function foldersOf(root: string, paths: readonly string[]): readonly string[] {
  const found = new Set([root]);
  for (const path of paths) {
    const parts = path.split('/').slice(0, -1);
    for (let count = 1; count <= parts.length; count += 1) {
      found.add(`${root}/${parts.slice(0, count).join('/')}`);
    }
  }
  return [...found].sort(compareText);
}
