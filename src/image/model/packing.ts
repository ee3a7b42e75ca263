import { type Archive, createArchive } from '../../tar/archive.ts';
import { compareText, folderMember, foldersOf } from '../../tar/members.ts';
import type { ModelFile } from './model.ts';

/** One layer of the model that is to be made. */
export interface ModelLayerPlan {
  readonly title: string;
  readonly files: readonly ModelFile[];
  readonly archive: Archive;
}

const mebibyte = 1024 * 1024;
/** A file of this size has a layer of its own: it is pushed beside the others and found again by itself. */
const ownLayerFrom = 64 * mebibyte;
const bundleUpTo = 256 * mebibyte;
/** overlay2 stacks about 120 layers; base, dependencies and application need some too. */
const mostLayers = 40;

function bundle(files: readonly ModelFile[], limit: number): readonly (readonly ModelFile[])[] {
  const bundles: ModelFile[][] = [];
  let size = 0;
  for (const file of files) {
    const last = bundles.at(-1);
    if (last === undefined || size + file.size > limit) {
      bundles.push([file]);
      size = file.size;
    } else {
      last.push(file);
      size += file.size;
    }
  }
  return bundles;
}

/** Groups by size alone, in the order of the paths: the same files are grouped the same way everywhere. */
function group(files: readonly ModelFile[]): readonly (readonly ModelFile[])[] {
  const large = files.filter((file) => file.size >= ownLayerFrom).map((file) => [file]);
  const small = bundle(
    files.filter((file) => file.size < ownLayerFrom),
    bundleUpTo,
  );
  if (large.length + small.length <= mostLayers) return [...small, ...large];
  const total = files.reduce((sum, file) => sum + file.size, 0);
  // Each bundle but the last is, with the file after it, over the limit: at most 2 × total / limit of them.
  return bundle(files, Math.ceil((2 * total) / (mostLayers - 1)));
}

function titleOf(files: readonly ModelFile[]): string {
  const [first] = files;
  return files.length === 1 && first !== undefined ? first.path : `${files.length} model files`;
}

/** The model's layers, every folder of a path written in each so that its mode is the same whatever comes first. */
export function planModelLayers(files: readonly ModelFile[], destination: string): readonly ModelLayerPlan[] {
  const root = destination.slice(1);
  const sorted = [...files].sort((a, b) => compareText(a.path, b.path));
  return group(sorted).map((part) => {
    const paths = part.map((file) => file.path);
    const folders = foldersOf(root, paths).map(folderMember);
    const members = part.map((file) => ({ ...file, path: `${root}/${file.path}`, type: 'file' as const }));
    return { title: titleOf(part), files: part, archive: createArchive([...folders, ...members]) };
  });
}
