import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { DeliveryError } from '../../../src/errors.ts';
import { clearRun, createArtifactStore, type RunRecord } from '../artifacts.ts';
import { type Connection, readConnections, secretsOf } from '../connections.ts';
import type { PipelineOptions } from '../options.ts';
import { agentCancelTimes } from '../process.ts';
import { createPrinter } from '../report/create.ts';
import { describeSource, repositoryRootOf, type SourceInfo } from '../repository.ts';
import { createMasker, type SecretMasker } from '../secrets.ts';
import { builtInLabels } from '../steps/builtin.ts';
import { machineEnvironment, type SystemConnection } from '../task/environment.ts';
import { createCatalog } from '../task/extension.ts';
import type { Pipeline } from '../yaml/model.ts';
import { onlyStages } from '../yaml/only.ts';
import { parsePipeline } from '../yaml/pipeline.ts';
import { checkTasks } from './check.ts';
import type { GivenVariable, RunContext } from './context.ts';
import { formatRunNumber } from './number.ts';

function nodeOf(path: string): { path: string; major: number } {
  try {
    const version = execFileSync(path, ['--version'], { encoding: 'utf8' });
    return { path, major: Number.parseInt(version.replace(/^v/, ''), 10) };
  } catch (cause) {
    throw new DeliveryError({
      code: 'NODE_MISSING',
      side: 'agent',
      message: `${path} is not a Node binary that runs.`,
      remedy: 'Give the path of one with --node.',
      cause,
    });
  }
}

async function readPipelineFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new DeliveryError({
      code: 'PIPELINE_UNREADABLE',
      side: 'input',
      message: `The pipeline ${file} cannot be read.`,
      remedy: 'Check the path.',
      cause,
    });
  }
}

function givenVariables(options: PipelineOptions): GivenVariable[] {
  return Object.entries(options.variables ?? {}).map(([name, given]) =>
    typeof given === 'string' ? { name, value: given, secret: false } : { name, ...given },
  );
}

function systemConnection(options: PipelineOptions, masker: SecretMasker): SystemConnection {
  const accessToken = options.system?.accessToken ?? randomBytes(32).toString('base64url');
  masker.add(accessToken);
  const { url = 'https://azure-devops.invalid/local/', oidcRequestUri } = options.system ?? {};
  return { url, accessToken, ...(oidcRequestUri === undefined ? {} : { oidcRequestUri }) };
}

interface Ground {
  readonly work: string;
  readonly artifactsFolder: string;
  readonly workingCopy: string;
  readonly definitionName: string;
}

async function groundOf(options: PipelineOptions): Promise<Ground> {
  const folder = dirname(resolve(options.file));
  const work = resolve(options.workFolder ?? (await mkdtemp(join(tmpdir(), 'model-delivery-agent-'))));
  return {
    work,
    artifactsFolder: resolve(options.artifactsFolder ?? join(work, 'artifacts')),
    workingCopy: resolve(options.workingCopy ?? (await repositoryRootOf(folder)) ?? folder),
    definitionName: options.definitionName ?? basename(options.file).replace(/\.ya?ml$/i, ''),
  };
}

/** The file's pipeline, read with what is known before the run. */
async function readPipeline(options: PipelineOptions, ground: Ground, source: SourceInfo): Promise<Pipeline> {
  const given = givenVariables(options).filter(({ secret }) => !secret);
  const text = await readPipelineFile(resolve(options.file));
  const pipeline = parsePipeline(text, options.file, options.parameters, {
    ...Object.fromEntries(given.map(({ name, value }) => [name, value])),
    'Build.SourceBranch': source.branch,
    'Build.SourceBranchName': basename(source.branch),
    'Build.SourceVersion': source.version,
    'Build.DefinitionName': ground.definitionName,
    'Build.Reason': 'Manual',
  });
  return onlyStages(pipeline, options.stages);
}

interface RunIdentity {
  readonly buildId: number;
  readonly buildNumber: string;
  readonly startTime: Date;
}

function identify(
  options: PipelineOptions,
  pipeline: Pipeline,
  { definitionName }: Ground,
  source: SourceInfo,
  runs: readonly RunRecord[],
): RunIdentity {
  const startTime = new Date();
  const buildId = options.buildId ?? (runs.at(-1)?.buildId ?? 0) + 1;
  const sameDefinition = runs.filter((run) => run.definitionName === definitionName);
  const parts = {
    date: startTime,
    buildId,
    branchName: basename(source.branch),
    definitionName,
    variables: Object.fromEntries(pipeline.variables.map(({ name, value }) => [name, value])),
    taken: new Set(sameDefinition.map((run) => run.buildNumber)),
  };
  return { startTime, buildId, buildNumber: options.buildNumber ?? formatRunNumber(pipeline.name, parts) };
}

/** A masker that knows every secret which the options bring. */
function maskerFor(given: readonly GivenVariable[], connections: readonly Connection[]): SecretMasker {
  const masker = createMasker();
  for (const { value, secret } of given) if (secret) masker.add(value);
  for (const secret of connections.flatMap(secretsOf)) masker.add(secret);
  return masker;
}

/**
 * Reads and checks everything that a run needs, and makes its folders; nothing runs yet.
 * Throws PIPELINE_INVALID, CONNECTIONS_INVALID, EXTENSION_UNREADABLE, NODE_MISSING and the like.
 */
export async function prepareRun(options: PipelineOptions): Promise<RunContext> {
  const ground = await groundOf(options);
  try {
    return await prepareIn(ground, options);
  } catch (error) {
    // A folder that was made for this run alone is not left behind by a run that never began.
    if (options.workFolder === undefined) await rm(ground.work, { recursive: true, force: true });
    throw error;
  }
}

async function prepareIn(ground: Ground, options: PipelineOptions): Promise<RunContext> {
  const environment = options.environment ?? process.env;
  const connections =
    options.connectionsFile === undefined ? [] : await readConnections(options.connectionsFile);
  const given = givenVariables(options);
  const masker = maskerFor(given, connections);
  const source = await describeSource(ground.workingCopy);
  const pipeline = await readPipeline(options, ground, source);
  const { work, artifactsFolder, workingCopy, definitionName } = ground;
  const artifacts = createArtifactStore(artifactsFolder);
  const { buildId, buildNumber, startTime } = identify(options, pipeline, ground, source, artifacts.runs());
  const run: RunContext = {
    pipeline,
    definitionName,
    buildId,
    startTime,
    source,
    workingCopy,
    folders: { work, logs: join(work, 'logs'), tools: join(work, '_tool') },
    machine: machineEnvironment(environment),
    node: nodeOf(options.node ?? process.execPath),
    system: systemConnection(options, masker),
    network: options.network ?? {},
    given,
    connections,
    catalog: createCatalog([options.vsix ?? []].flat(), join(work, '_tasks'), builtInLabels),
    artifacts,
    masker,
    printer: createPrinter(options, environment, masker),
    cancelTimes: options.cancelTimes ?? agentCancelTimes,
    retryDelayMs: options.retryDelayMs ?? ((retry) => (retry + 1) ** 2 * 1000),
    signal: options.signal ?? new AbortController().signal,
    state: { buildNumber, tests: undefined, attachments: [], tags: [] },
  };
  checkTasks(run);
  clearRun(artifactsFolder, buildId);
  for (const folder of Object.values(run.folders)) await mkdir(folder, { recursive: true });
  return run;
}
