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
}

const prefix = 'model-delivery/';
const changeCause = 'kubernetes.io/change-cause';

function cause(trace: Trace): string {
  const model =
    trace.model.version === undefined ? '' : `, model ${trace.model.name ?? ''} ${trace.model.version}`;
  const run = trace.run === undefined ? '' : ` by ${trace.pipeline ?? 'run'} ${trace.run}`;
  return `${trace.image}${model.replace('  ', ' ')}${run}`;
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
  return Object.fromEntries(set.map(([name, value]) => [prefix + name, value]));
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
  return annotation.startsWith(prefix) || annotation === changeCause;
}

/** The object and its source run for the log, for example `Deployment 'web' (deployed by nightly 20261122.1)`. */
export function describeTraced(object: KubeObject): string {
  const run = object.metadata.annotations?.[`${prefix}run`];
  return describe(refOf(object)) + (run === undefined ? '' : ` (deployed by run ${run})`);
}
