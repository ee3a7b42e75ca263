import type { Host } from '../../host/host.ts';
import type { Origin, Trace } from '../objects/trace.ts';
import type { ResolvedImage } from './resolveImage.ts';

function runUrl(host: Host): string | undefined {
  const [collection, project, id] = ['System.CollectionUri', 'System.TeamProject', 'Build.BuildId'].map(
    (name) => host.variable(name),
  );
  if (collection === undefined || project === undefined || id === undefined) return undefined;
  return `${collection.replace(/\/?$/, '/')}${encodeURIComponent(project)}/_build/results?buildId=${id}`;
}

function originOf(host: Host): Origin | undefined {
  const project = host.variable('System.TeamProject');
  if (project === undefined) return undefined;
  const org = host.variable('System.CollectionUri');
  const pipelineId = host.variable('Release.DefinitionId') ?? host.variable('System.DefinitionId');
  const jobName = host.variable('Agent.JobName');
  return {
    project,
    ...(org === undefined ? {} : { org }),
    ...(pipelineId === undefined ? {} : { pipelineId }),
    ...(jobName === undefined ? {} : { jobName }),
  };
}

/**
 * Where this deployment comes from, by the agent's variables. The commit is the image's own where it tells one: a
 * release pipeline may run from another commit than the one that was built.
 */
export function traceOf(image: ResolvedImage, host: Host): Trace {
  const pipeline = host.variable('Release.DefinitionName') ?? host.variable('Build.DefinitionName');
  const run = host.variable('Release.ReleaseName') ?? host.variable('Build.BuildNumber');
  const commit = image.commit ?? host.variable('Build.SourceVersion');
  const url = runUrl(host);
  const origin = originOf(host);
  return {
    image: image.reference,
    tags: image.tags,
    model: image.model,
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(run === undefined ? {} : { run }),
    ...(url === undefined ? {} : { runUrl: url }),
    ...(commit === undefined ? {} : { commit }),
    ...(origin === undefined ? {} : { origin }),
  };
}
