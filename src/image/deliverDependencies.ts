import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DeliveryError } from '../errors.ts';
import { annotations } from '../oci/annotations.ts';
import type { RegistryClient } from '../oci/client.ts';
import { digestOf } from '../oci/documents.ts';
import { type DependenciesOptions, dependenciesLayer } from './layers/dependencies.ts';
import type { Layer, PythonPackage } from './layers/layer.ts';
import { findPart, putPart } from './parts.ts';
import { pushLayers } from './push.ts';
import { formatLibc, type PythonTarget } from './python/target.ts';

export interface DeliverDependenciesOptions extends DependenciesOptions {
  readonly client: RegistryClient;
  readonly repository: string;
  /** Told when pip must run, before it does. */
  readonly onResolve?: (target: PythonTarget) => void;
}

async function readRequirements(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new DeliveryError({
      code: 'REQUIREMENTS_UNREADABLE',
      side: 'input',
      message: `The requirements file '${file}' cannot be read.`,
      remedy: "Correct 'requirements', or an -r or -c line that names the file.",
      cause,
    });
  });
}

const include = /^\s*(?:-r|-c|--requirement|--constraint)[\s=]+(\S+)/;

/** The file and those it includes, without comments and blank lines: what pip would read. */
async function wholeRequirements(file: string, seen: ReadonlySet<string> = new Set()): Promise<string> {
  if (seen.has(file)) return '';
  const lines = (await readRequirements(file))
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim());
  const texts: string[] = [];
  for (const line of lines.filter((text) => text !== '')) {
    const included = include.exec(line)?.[1];
    texts.push(line);
    if (included === undefined || /^https?:/i.test(included)) continue;
    texts.push(await wholeRequirements(resolve(dirname(file), included), new Set([...seen, file])));
  }
  return texts.join('\n');
}

/** Where packages come from, without credentials: a rotated token is no other index. */
function indexOf(environment: NodeJS.ProcessEnv): string {
  const urls = [environment['PIP_INDEX_URL'] ?? '', environment['PIP_EXTRA_INDEX_URL'] ?? ''];
  return urls.map((url) => url.replace(/\/\/[^/@\s]*@/g, '//')).join('\n');
}

/** What decides the bytes of the packages' layer. */
async function keyOf(options: DeliverDependenciesOptions): Promise<string> {
  const { platform, version, libc } = options.target;
  const requirements = await wholeRequirements(options.requirements);
  const parts = ['v3', requirements, platform, version, formatLibc(libc), indexOf(options.environment)];
  return digestOf(JSON.stringify(parts));
}

/** Packages as the helper image has them noted. */
function noted(text: string | undefined): { packages?: readonly PythonPackage[] } {
  return text === undefined ? {} : { packages: JSON.parse(text) as readonly PythonPackage[] };
}

/**
 * The packages' layer in the target repository: found by the requirements' key without running pip, else
 * resolved, pushed and published under that key.
 */
export async function deliverDependencies(options: DeliverDependenciesOptions): Promise<Layer> {
  const { client, repository } = options;
  const name = { kind: 'dependencies' as const, key: await keyOf(options) };
  const part = await findPart(client, repository, name);
  const [found] = part?.layers ?? [];
  if (found !== undefined) return { ...found, ...noted(part?.annotations[annotations.packages]) };
  options.onResolve?.(options.target);
  const layer = await dependenciesLayer(options);
  const [pushed] = await pushLayers({ client, repository }, [layer]);
  const notes = { [annotations.packages]: JSON.stringify(layer.packages ?? []) };
  const made = { layers: [layer], annotations: notes, platform: options.target.platform };
  await putPart(client, repository, [name], made);
  const wasSent = pushed !== undefined && pushed.how === 'uploaded';
  return {
    ...layer,
    source: wasSent ? { from: 'sent', seconds: pushed.seconds } : { from: 'target' },
  };
}
