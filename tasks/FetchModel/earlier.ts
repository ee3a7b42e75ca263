import type { Host } from '../../src/host/host.ts';
import type { Delivered } from '../../src/model/delivery.ts';
import type { LockedSource, ModelLock } from '../../src/model/lock.ts';
import { type Comparison, differs, type Earlier } from '../../src/model/previous/compare.ts';
import { remember } from '../../src/model/previous/memory.ts';
import type { FetchInputs } from './inputs.ts';

function runsOf(host: Host): Earlier['runs'] {
  if (host.variable('System.HostType') === 'release') {
    return { reason: 'A classic release has no earlier runs with locks: they are attached to builds.' };
  }
  const [collection, project, definition, branch] = [
    'System.CollectionUri',
    'System.TeamProjectId',
    'System.DefinitionId',
    'Build.SourceBranch',
  ].map((name) => host.variable(name));
  const accessToken = host.pipelineIdentity()?.accessToken;
  if (!collection || !project || !definition || !branch || accessToken === undefined) {
    return { reason: "The agent does not tell this job's pipeline, or hands over no access token." };
  }
  return { collection, project, definition: Number(definition), branch, accessToken };
}

/** What the model that this run finds is compared with. */
export function earlierOf(host: Host, inputs: FetchInputs, source: LockedSource): Earlier {
  const { cache, previousLock, wanted } = inputs;
  const release = ['Release.DefinitionId', 'Release.DefinitionEnvironmentId'];
  const build = ['System.DefinitionId', 'Build.SourceBranch'];
  const own = host.variable('System.HostType') === 'release' ? release : build;
  const names = ['System.CollectionUri', 'System.TeamProjectId', 'System.HostType', ...own];
  return {
    runs: runsOf(host),
    pipeline: names.map((name) => host.variable(name) ?? '').join('\n'),
    source,
    model: wanted.model,
    ...(previousLock !== undefined && { lockFile: previousLock }),
    ...(cache !== undefined && { cacheFolder: cache.folder }),
  };
}

/** Whether the model changed, and compared with what. */
export interface Verdict {
  readonly changed: boolean;
  /** One clause for the log and the summary. */
  readonly why: string;
  readonly notes: readonly string[];
}

/** Compares with what was found; where nothing was, with what the target folder held. */
export function judge({ notes, baseline }: Comparison, { lock, changed }: Delivered): Verdict {
  if (baseline === undefined) {
    const why = changed
      ? 'the target folder held another version, or none'
      : 'the target folder held the same version';
    return { changed, why, notes };
  }
  const { what, locks } = baseline;
  const version = locks.at(-1)?.version;
  if (version === undefined) return { changed: true, why: `compared with ${what}`, notes };
  return { changed: differs(baseline, lock), why: `compared with version ${version} of ${what}`, notes };
}

/** Lets the cache folder remember the version of a task that succeeds; a folder that cannot be written costs no run. */
export async function keepForNextRun(host: Host, earlier: Earlier, lock: ModelLock): Promise<void> {
  const { cacheFolder } = earlier;
  if (cacheFolder === undefined) return;
  await remember(cacheFolder, earlier, lock).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    host.log.warning(`The cache ${cacheFolder} could not remember this version: ${reason}`);
  });
}
