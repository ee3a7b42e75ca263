import type { Host } from '../host/host.ts';
import type { ResolvedImage } from './resolveImage.ts';
import type { Trace } from './trace.ts';

function runUrl(host: Host): string | undefined {
  const [collection, project, id] = ['System.CollectionUri', 'System.TeamProject', 'Build.BuildId'].map(
    (name) => host.variable(name),
  );
  if (collection === undefined || project === undefined || id === undefined) return undefined;
  return `${collection.replace(/\/?$/, '/')}${encodeURIComponent(project)}/_build/results?buildId=${id}`;
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
  return {
    image: image.reference,
    tags: image.tags,
    model: image.model,
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(run === undefined ? {} : { run }),
    ...(url === undefined ? {} : { runUrl: url }),
    ...(commit === undefined ? {} : { commit }),
  };
}
