import { join } from 'node:path';
import { runPipeline } from '../agent/index.ts';
import type { PipelineResult } from '../agent/results.ts';
import { repositoryRoot } from '../lib/context.ts';
import type { ClusterEndpoint, RegistryEndpoint, StorageEndpoint } from '../lib/endpoints.ts';
import {
  type DeploymentDocument,
  documentOf,
  type ImageDocument,
  type ModelDocument,
  type RoundAccount,
  stepsOf,
} from './account.ts';
import { connectionNames } from './connections.ts';
import { modelContainer } from './models.ts';
import { type RunningPod, runningPods } from './pods.ts';
import { predict } from './prediction.ts';

/** What both pipelines run with: the values a user writes at the top of the two files. */
export interface RoundSetting {
  readonly storage: StorageEndpoint;
  readonly registry: RegistryEndpoint;
  readonly cluster: ClusterEndpoint;
  readonly connectionsFile: string;
  readonly vsix: string;
  /** Node that runs the tasks; the one that runs this when absent. */
  readonly node?: string;
  readonly workFolder: string;
  readonly signal: AbortSignal;
  /** False: the run is not printed. */
  readonly screen?: false;
  /** Values of further variables, or others than the local services'. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** Runs one of the example's pipelines on the local agent. */
export function runExamplePipeline(setting: RoundSetting, file: string): Promise<PipelineResult> {
  const { storage, registry } = setting;
  return runPipeline({
    file: join(repositoryRoot, 'examples/flask-app', file),
    vsix: setting.vsix,
    connectionsFile: setting.connectionsFile,
    workFolder: setting.workFolder,
    signal: setting.signal,
    ...(setting.node !== undefined && { node: setting.node }),
    ...(setting.screen !== undefined && { screen: setting.screen }),
    variables: {
      modelStorageAccount: storage.account,
      modelBlobEndpoint: storage.blobEndpoint,
      modelContainer,
      registryConnection: connectionNames.registry,
      registryHost: registry.host,
      clusterConnection: connectionNames.cluster,
      modelStorageKey: { value: storage.accountKey, secret: true },
      ...setting.variables,
    },
  });
}

function mustSucceed(result: PipelineResult): void {
  if (result.result === 'Succeeded') return;
  const issues = result.stages
    .flatMap((stage) => stage.jobs)
    .flatMap((job) => job.steps)
    .flatMap((step) => step.issues.map((issue) => `${step.displayName}: ${issue.message}`));
  throw new Error(
    `${result.definitionName} ended as ${result.result}.\n${issues.join('\n')}\nLogs: ${result.logFolder}`,
  );
}

function mustRun(pods: readonly RunningPod[], image: ImageDocument): void {
  const other = pods.filter((pod) => !pod.image.endsWith(image.digest));
  if (pods.length > 0 && other.length === 0) return;
  const found = pods.map((pod) => `${pod.name} runs ${pod.image}`).join('\n') || 'no pod runs';
  throw new Error(`The pods do not run the image that was pushed (${image.digest}):\n${found}`);
}

/** The article's flow once: commit pipeline, nightly release, a user's request. Throws when a step failed. */
export async function runRound(setting: RoundSetting): Promise<RoundAccount> {
  const build = await runExamplePipeline(setting, 'azure-pipelines.yml');
  mustSucceed(build);
  const release = await runExamplePipeline(setting, 'azure-pipelines.release.yml');
  mustSucceed(release);
  const model = await documentOf<ModelDocument>(build, 'model-delivery.model');
  const image = await documentOf<ImageDocument>(build, 'model-delivery.image');
  const deployment = await documentOf<DeploymentDocument>(release, 'model-delivery.deployment');
  const pods = await runningPods(setting.cluster.kubeconfig, deployment.namespace);
  mustRun(pods, image);
  return {
    build: { run: build.buildNumber, commit: build.sourceVersion },
    steps: [...stepsOf(build), ...stepsOf(release)],
    model,
    image,
    deployment,
    pods,
    prediction: await predict(deployment.endpointUrl, model.version),
  };
}
