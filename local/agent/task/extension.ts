import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { XMLParser } from 'fast-xml-parser';
import { DeliveryError } from '../../../src/errors.ts';
import { nearest } from '../../../src/report/nearest.ts';
import { type Archive, openArchive } from './archive.ts';
import type { InstalledTask, TaskDefinition } from './definition.ts';

/** The tasks that pipelines may use, by the names that pipelines write. */
export interface TaskCatalog {
  /** Extracts the task's folder on first use. Throws TASK_UNKNOWN with near matches. */
  install(reference: string): InstalledTask;
}

interface KnownTask {
  readonly definition: TaskDefinition;
  readonly archive: Archive;
  /** Path prefix of the task's folder in the archive, with a slash at its end. */
  readonly prefix: string;
  /** `publisher.extension.contribution`, when the extension's manifest says. */
  readonly contribution: string;
}

const decoder = new TextDecoder();

function readJson(archive: Archive, name: string): unknown {
  try {
    return JSON.parse(decoder.decode(archive.read(name)).replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new DeliveryError({
      code: 'EXTENSION_UNREADABLE',
      side: 'input',
      message: `${name} in ${archive.path} is not JSON.`,
      remedy: 'Correct the file and package the extension again.',
      cause,
    });
  }
}

interface Manifest {
  readonly publisher: string;
  readonly id: string;
  readonly contributions: readonly { id?: string; type?: string; properties?: { name?: string } }[];
}

/** Publisher, id and contributions: from the two manifests of a .vsix, or the one of a folder. */
function readManifest(archive: Archive): Manifest {
  const source = archive.names.includes('vss-extension.json')
    ? 'vss-extension.json'
    : 'extension.vsomanifest';
  const manifest = archive.names.includes(source) ? (readJson(archive, source) as Partial<Manifest>) : {};
  const { publisher, id } = { ...manifest, ...vsixIdentity(archive) };
  return { publisher: publisher ?? '', id: id ?? '', contributions: manifest.contributions ?? [] };
}

function vsixIdentity(archive: Archive): { publisher?: string; id?: string } {
  const name = 'extension.vsixmanifest';
  if (!archive.names.includes(name)) return {};
  const xml = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '' }).parse(
    decoder.decode(archive.read(name)),
  ) as { PackageManifest?: { Metadata?: { Identity?: { Id?: string; Publisher?: string } } } };
  const { Id: id, Publisher: publisher } = xml.PackageManifest?.Metadata?.Identity ?? {};
  return { ...(id === undefined ? {} : { id }), ...(publisher === undefined ? {} : { publisher }) };
}

function readTasks(path: string): KnownTask[] {
  const archive = openArchive(path);
  const manifest = readManifest(archive);
  return archive.names
    .filter((name) => name === 'task.json' || name.endsWith('/task.json'))
    .map((name) => {
      const prefix = name.slice(0, -'task.json'.length);
      const contribution = manifest.contributions.find(
        ({ properties }) => properties?.name !== undefined && `${prefix}`.startsWith(`${properties.name}/`),
      );
      const id =
        contribution?.id === undefined ? '' : `${manifest.publisher}.${manifest.id}.${contribution.id}`;
      return { definition: readJson(archive, name) as TaskDefinition, archive, prefix, contribution: id };
    });
}

function labelOf({ definition }: KnownTask): string {
  return `${definition.name}@${definition.version.Major}`;
}

function matches(task: KnownTask, name: string): boolean {
  const { definition, contribution } = task;
  return [definition.name, definition.id, `${contribution}.${definition.name}`].some(
    (candidate) => candidate.toLowerCase() === name.toLowerCase(),
  );
}

function unknownTask(
  reference: string,
  tasks: readonly KnownTask[],
  builtIn: readonly string[],
): DeliveryError {
  const labels = [...tasks.map(labelOf), ...builtIn];
  const malformed = !/^[^@\s]+@\d+$/.test(reference);
  return new DeliveryError({
    code: 'TASK_UNKNOWN',
    side: 'input',
    message: malformed
      ? `'${reference}' is not a task reference: it must be Name@major.`
      : `Task '${reference}' is not in the extension, and it is not built in.`,
    remedy:
      tasks.length === 0
        ? `Make the extension with 'npm run package', or give one with --vsix. Built in: ${builtIn.join(', ')}.`
        : `Nearest: ${nearest(reference, labels, 3).join(', ')}. Known: ${labels.join(', ')}.`,
  });
}

function extract(task: KnownTask, folder: string): InstalledTask {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of task.archive.names.filter((entry) => entry.startsWith(task.prefix))) {
    const file = resolve(folder, name.slice(task.prefix.length));
    // An archive is foreign: an entry such as ../../x must not leave the folder.
    if (!file.startsWith(folder)) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, task.archive.read(name));
  }
  return { definition: task.definition, folder, label: labelOf(task) };
}

/**
 * The tasks of an extension, extracted below `folder` when first used.
 * `builtIn` only names what the agent runs itself, for messages.
 */
export function createCatalog(
  extensions: readonly string[],
  folder: string,
  builtIn: readonly string[],
): TaskCatalog {
  const tasks = extensions.flatMap(readTasks);
  const installed = new Map<KnownTask, InstalledTask>();
  return {
    install(reference) {
      const [name = '', major = ''] = reference.split('@');
      const task = tasks.find(
        (known) => matches(known, name) && String(known.definition.version.Major) === major,
      );
      if (task === undefined) throw unknownTask(reference, tasks, builtIn);
      const { definition } = task;
      const version = `${definition.version.Major}.${definition.version.Minor}.${definition.version.Patch}`;
      const ready =
        installed.get(task) ??
        extract(task, join(resolve(folder), `${definition.name}_${definition.id}`, version));
      installed.set(task, ready);
      return ready;
    },
  };
}
