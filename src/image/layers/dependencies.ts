import { mkdtemp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { sha256OfFile } from '../../files/hash.ts';
import { mediaTypes } from '../../oci/types.ts';
import { createArchive, type TarMember } from '../../tar/archive.ts';
import { compareText, contentMember, folderMember, foldersOf } from '../../tar/members.ts';
import { downloadWheels } from '../python/pip.ts';
import type { PythonTarget } from '../python/target.ts';
import { type InstalledWheel, openWheel } from '../python/wheel.ts';
import { compressInto } from './compressed.ts';
import type { Layer, PythonPackage } from './layer.ts';

/** Where the packages are installed in the image; PYTHONPATH and PATH lead there. */
export const packagesFolder = '/opt/python';

export interface DependenciesOptions {
  /** The requirements file. */
  readonly requirements: string;
  readonly target: PythonTarget;
  readonly temporaryFolder: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Python reads `.pth` files in its own folders alone, unless it is told at the start; packages with such files need it. */
const siteHook = 'sitecustomize.py';
const siteHookText = `import site\n\nsite.addsitedir('${packagesFolder}')\n`;

/** Sorted files below the packages' folder; of two with one path the later package's is taken, as by pip. */
export function layOut(wheels: readonly InstalledWheel[]): readonly TarMember[] {
  const root = packagesFolder.slice(1);
  const files = new Map<string, TarMember>();
  for (const member of wheels.flatMap((wheel) => wheel.members)) files.set(member.path, member);
  const isHook = (path: string): boolean => /^[^/]+\.pth$/.test(path);
  if ([...files.keys()].some(isHook) && !files.has(siteHook)) {
    files.set(siteHook, contentMember(siteHook, Buffer.from(siteHookText, 'utf8'), false));
  }
  const folders = foldersOf(root, [...files.keys()]).map(folderMember);
  const members = [...files.values()].map((member) => ({ ...member, path: `${root}/${member.path}` }));
  return [...folders, ...members].sort((a, b) => compareText(a.path, b.path));
}

/** `Flask 3.0.3` from `flask-3.0.3-py3-none-any.whl`. */
function packageName(wheel: string): string {
  const [name = '', version = ''] = basename(wheel).split('-');
  return `${name} ${version}`;
}

function titleOf(wheels: readonly string[]): string {
  const [first = 'no packages', ...rest] = wheels.map(packageName);
  return rest.length === 0
    ? first
    : `${wheels.length} packages: ${[first, ...rest].join(', ')}`.slice(0, 120);
}

/** https://packaging.python.org/en/latest/specifications/name-normalization/ */
async function packageOf(wheel: string, signal: AbortSignal): Promise<PythonPackage> {
  const [name = '', version = ''] = basename(wheel).split('-');
  const sha256 = await sha256OfFile(wheel, signal);
  return { name: name.toLowerCase().replace(/[-_.]+/g, '-'), version, sha256 };
}

/** The layer of the Python packages, resolved anew for the image's platform and Python. */
export async function dependenciesLayer(options: DependenciesOptions): Promise<Layer> {
  const workFolder = await mkdtemp(join(options.temporaryFolder, 'packages-'));
  const files = await downloadWheels({ ...options, workFolder });
  const wheels = await Promise.all(files.map(openWheel));
  try {
    const archive = createArchive(layOut(wheels));
    const layer = await compressInto(workFolder, archive, options.signal);
    const title = titleOf(files);
    return {
      kind: 'dependencies',
      title,
      mediaType: mediaTypes.layerGzip,
      digest: layer.digest,
      diffId: layer.diffId,
      size: layer.size,
      createdBy: `dependencies: ${title}`,
      packages: await Promise.all(files.map((file) => packageOf(file, options.signal))),
      source: { from: 'bytes', open: layer.open },
    };
  } finally {
    for (const wheel of wheels) wheel.close();
  }
}
