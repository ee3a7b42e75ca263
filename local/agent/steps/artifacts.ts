import { cp, mkdir, readdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { minimatch } from 'minimatch';
import { DeliveryError } from '../../../src/errors.ts';
import { nearest } from '../../../src/report/nearest.ts';
import type { StepContext } from '../run/context.ts';
import { publishArtifact } from '../run/target.ts';

type Inputs = Readonly<Record<string, string>>;

/** PublishPipelineArtifact@1. */
export async function publishPipelineArtifact(step: StepContext, inputs: Inputs): Promise<void> {
  const { folders, stage, job } = step.job;
  const name = inputs['artifact'] || `${stage.name}.${job.name}`;
  publishArtifact(step, name, resolve(folders.sources, inputs['targetPath'] || folders.workspace));
}

interface ArtifactSource {
  readonly buildId: number;
  readonly what: string;
  readonly alias: string;
}

function sourceOf(step: StepContext, wanted: string, pipeline: string): ArtifactSource {
  const { run } = step.job;
  if (wanted === 'current' || wanted === '') return { buildId: run.buildId, what: 'this run', alias: '' };
  const resource = run.pipeline.pipelineResources.find(({ alias }) => alias === wanted);
  const name = wanted === 'specific' ? pipeline : resource?.source;
  if (name === undefined || name === '') {
    const known = ['current', ...run.pipeline.pipelineResources.map(({ alias }) => alias)];
    throw new DeliveryError({
      code: 'ARTIFACT_SOURCE_UNKNOWN',
      side: 'input',
      message: `There is no pipeline resource '${wanted}' to download from.`,
      remedy: `Known sources: ${known.join(', ')}. Declare others in resources.pipelines.`,
    });
  }
  const found = run.artifacts.newestRun(name);
  return { buildId: found.buildId, what: `${name} ${found.buildNumber}`, alias: resource?.alias ?? '' };
}

async function copyMatching(from: string, to: string, patterns: readonly string[]): Promise<number> {
  await mkdir(to, { recursive: true });
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(from, join(entry.parentPath, entry.name)))
    .filter((file) =>
      patterns.some((pattern) => minimatch(file.replaceAll('\\', '/'), pattern, { dot: true })),
    );
  for (const file of files)
    await cp(join(from, file), join(to, file), { recursive: true, verbatimSymlinks: true });
  return files.length;
}

function missing(name: string, what: string, names: readonly string[]): DeliveryError {
  return new DeliveryError({
    code: 'ARTIFACT_UNKNOWN',
    side: 'input',
    message: `Artifact '${name}' was not published by ${what}.`,
    remedy: names.length === 0 ? 'It published none.' : `Nearest: ${nearest(name, names, 3).join(', ')}.`,
  });
}

/** DownloadPipelineArtifact@2, and what `download:` stands for. */
export async function downloadPipelineArtifact(step: StepContext, inputs: Inputs): Promise<void> {
  const { run, folders } = step.job;
  const source = sourceOf(step, inputs['source'] ?? '', inputs['pipeline'] ?? '');
  const names = run.artifacts.list(source.buildId);
  const wanted = inputs['artifact'] ?? '';
  if (wanted !== '' && !names.includes(wanted)) throw missing(wanted, source.what, names);
  const patterns = (inputs['itemPattern'] || '**').split(/\r?\n/).filter((pattern) => pattern.trim() !== '');
  const root = inputs['path'] ? resolve(folders.workspace, inputs['path']) : folders.workspace;
  for (const name of wanted === '' ? names : [wanted]) {
    const target = wanted === '' ? join(root, name) : root;
    const count = await copyMatching(run.artifacts.folderOf(source.buildId, name), target, patterns);
    step.log(`Artifact '${name}' of ${source.what}: ${count} files to ${target}`);
  }
  if (wanted === '' && names.length === 0) step.log(`${source.what} has no artifacts.`);
}
