import { describe, type KubeObject, refOf } from './objects.ts';
import { withPodTemplate } from './workload.ts';

/** The model inside an image, as the image's own configuration names it. */
export interface ModelIdentity {
  readonly name?: string;
  readonly version?: string;
  readonly digest?: string;
}

/** Where a deployment comes from: what the cluster must still tell when the pipeline's logs are gone. */
export interface Trace {
  readonly image: string;
  readonly tags: readonly string[];
  readonly model: ModelIdentity;
  readonly pipeline?: string;
  readonly run?: string;
  readonly runUrl?: string;
  readonly commit?: string;
  /** Where the run is in Azure Pipelines. */
  readonly origin?: Origin;
}

/** The names by which Azure Pipelines links an environment's Kubernetes resource with runs. */
export interface Origin {
  readonly org?: string;
  readonly project?: string;
  readonly pipelineId?: string;
  readonly jobName?: string;
}

const prefix = 'model-delivery/';
const pipelinePrefix = 'azure-pipelines/';
const changeCause = 'kubernetes.io/change-cause';

function cause(trace: Trace): string {
  const model =
    trace.model.version === undefined ? '' : `, model ${trace.model.name ?? ''} ${trace.model.version}`;
  const run = trace.run === undefined ? '' : ` by ${trace.pipeline ?? 'run'} ${trace.run}`;
  return `${trace.image}${model.replace('  ', ' ')}${run}`;
}

/**
 * The annotations of KubernetesManifest@1, which the page of an environment's Kubernetes resource reads.
 * https://learn.microsoft.com/azure/devops/pipelines/tasks/reference/kubernetes-manifest-v1
 */
function pipelineAnnotations({ pipeline, run, runUrl, origin }: Trace): [string, string][] {
  if (origin === undefined) return [];
  const values = { run, pipeline, ...origin, runuri: runUrl };
  const set = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return set.map(([name, value]) => [pipelinePrefix + name, value]);
}

function annotations(trace: Trace): Record<string, string> {
  const values: Readonly<Record<string, string | undefined>> = {
    image: trace.image,
    'image-tags': trace.tags.join(',') || undefined,
    'model-name': trace.model.name,
    'model-version': trace.model.version,
    'model-digest': trace.model.digest,
    pipeline: trace.pipeline,
    run: trace.run,
    'run-url': trace.runUrl,
    commit: trace.commit,
  };
  const set = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const own = set.map(([name, value]): [string, string] => [prefix + name, value]);
  return Object.fromEntries([...own, ...pipelineAnnotations(trace)]);
}

/** Adds the trace to a workload and to its pods. */
export function withTrace(object: KubeObject, trace: Trace): KubeObject {
  const added = annotations(trace);
  const own = { ...object.metadata.annotations, ...added, [changeCause]: cause(trace) };
  const traced = { ...object, metadata: { ...object.metadata, annotations: own } };
  if (object.kind === 'Pod') return traced;
  return withPodTemplate(traced, (template) => ({
    ...template,
    metadata: { ...template.metadata, annotations: { ...template.metadata?.annotations, ...added } },
  }));
}

/** True for the annotations that {@link withTrace} adds: alone they are no reason to roll anything. */
export function isTrace(annotation: string): boolean {
  const isTold = annotation.startsWith(prefix) || annotation.startsWith(pipelinePrefix);
  return isTold || annotation === changeCause;
}

/** The object and its source run for the log, for example `Deployment 'web' (deployed by nightly 20261122.1)`. */
export function describeTraced(object: KubeObject): string {
  const run = object.metadata.annotations?.[`${prefix}run`];
  return describe(refOf(object)) + (run === undefined ? '' : ` (deployed by run ${run})`);
}
