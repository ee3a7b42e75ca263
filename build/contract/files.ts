import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { extensionFolder, packagedTaskFolder, taskNames } from '../layout.ts';
import { readTaskJson } from './taskJson.ts';

interface Manifest {
  readonly version: string;
  readonly icons: Readonly<Record<string, string>>;
  readonly content: Readonly<Record<string, { readonly path: string }>>;
  readonly files: readonly { readonly path: string }[];
  readonly contributions: readonly {
    readonly type: string;
    readonly properties: { readonly name: string };
  }[];
}

/** Width and height from a PNG's first chunk (PNG specification, section 11.2.2); undefined for other files. */
function pngSize(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const bytes = readFileSync(file);
  return bytes.toString('latin1', 1, 4) === 'PNG'
    ? `${bytes.readUInt32BE(16)}×${bytes.readUInt32BE(20)}`
    : undefined;
}

function iconProblem(file: string, wanted: string): string[] {
  const size = pngSize(join(extensionFolder, file));
  return size === wanted ? [] : [`${file} must be a PNG of ${wanted}, it is ${size ?? 'missing'}`];
}

function missing(paths: readonly string[]): string[] {
  return paths
    .filter((path) => !existsSync(join(extensionFolder, path)))
    .map((path) => `${path} is not in the package`);
}

function taskFileProblems(name: string): string[] {
  const folder = packagedTaskFolder(name).slice(extensionFolder.length + 1);
  const targets = Object.values(readTaskJson(name).execution).map((handler) => handler.target);
  const files = new Set([...targets, 'task.json', 'lib.json', 'icon.png']);
  return [
    ...missing([...files].map((file) => join(folder, file))),
    ...iconProblem(join(folder, 'icon.png'), '32×32'),
  ];
}

/** What the packaged folder lacks of what its manifests name. */
export function fileProblems(): string[] {
  const manifest = JSON.parse(readFileSync(join(extensionFolder, 'vss-extension.json'), 'utf8')) as Manifest;
  const contributed = manifest.contributions.filter(({ type }) => type === 'ms.vss-distributed-task.task');
  const wanted = taskNames.map((name) => `tasks/${name}`);
  const offered = contributed.map(({ properties }) => properties.name);
  return [
    ...missing([...Object.values(manifest.content), ...manifest.files].map(({ path }) => path)),
    ...iconProblem(manifest.icons['default'] ?? '', '128×128'),
    ...wanted
      .filter((task) => !offered.includes(task))
      .map((task) => `vss-extension.json does not contribute ${task}`),
    ...offered
      .filter((task) => !wanted.includes(task))
      .map((task) => `vss-extension.json contributes unknown ${task}`),
    ...taskNames.flatMap(taskFileProblems),
  ];
}
