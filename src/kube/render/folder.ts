import { readdir, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { ManifestFile } from '../manifests/manifestFiles.ts';
import { valuesFile } from './helmValues.ts';
import { renderBy, type ToolSettings } from './tool.ts';

/** What goes into charts beside their own values. */
export interface ChartValues {
  /** Name of the release; without it the chart's folder names it. */
  readonly release?: string;
  /** Paths of values files, relative to the working folder, later ones first in rank. */
  readonly files: readonly string[];
  /** `name.of.value=value`, above all files. */
  readonly set: readonly string[];
}

export interface RenderSettings extends ToolSettings {
  readonly chart: ChartValues;
  readonly namespace: string;
  readonly workingFolder: string;
  /** The cluster's version, which charts may ask for. */
  readonly version: () => Promise<string>;
}

type Kind = 'kustomization' | 'chart';

/** What a folder is to be rendered as; undefined for one of plain manifests. */
async function kindOf(path: string): Promise<Kind | undefined> {
  const names = new Set(await readdir(path));
  if (names.has('Chart.yaml')) return 'chart';
  const kustomizations = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];
  return kustomizations.some((name) => names.has(name)) ? 'kustomization' : undefined;
}

function kustomize(path: string, what: string, settings: RenderSettings): Promise<string> {
  const commands = [
    ['kustomize', 'build', path],
    ['kubectl', 'kustomize', path],
  ] as const;
  return renderBy({ commands, what }, settings);
}

function releaseName(path: string): string {
  return basename(path)
    .replace(/-\d+\.\d+\.\d+\S*\.tgz$/, '')
    .toLowerCase();
}

async function template(path: string, what: string, settings: RenderSettings): Promise<string> {
  const { chart, namespace, workingFolder } = settings;
  const files = chart.files.flatMap((file) => ['--values', resolve(workingFolder, file)]);
  const set = chart.set.length === 0 ? [] : ['--values', '-'];
  const place = ['--namespace', namespace, '--kube-version', await settings.version()];
  const name = chart.release ?? releaseName(path);
  const args = ['template', name, path, '--include-crds', ...place, ...files, ...set];
  return renderBy({ commands: [['helm', ...args]], what, input: valuesFile(chart.set) }, settings);
}

/**
 * What a kustomization's folder, or a chart (folder or archive), stands for; undefined for other files and folders.
 * Throws RENDER_TOOL_MISSING and RENDER_FAILED.
 */
export async function rendered(
  path: string,
  name: string,
  settings: RenderSettings,
): Promise<ManifestFile | undefined> {
  const found = await stat(path).catch(() => undefined);
  const archive = found?.isFile() === true && path.endsWith('.tgz') ? 'chart' : undefined;
  const kind = found?.isDirectory() === true ? await kindOf(path) : archive;
  if (kind === undefined) return undefined;
  const text = await (kind === 'chart' ? template : kustomize)(path, name, settings);
  return { name: `${name} (${kind})`, text };
}
