import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import type { PinnedManifest } from '../manifests/imagePin.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import { type Change, changeOf, named, withAutoscaler } from '../plan/plan.ts';
import { newMark, objectFiles, settingsFile } from './files.ts';
import { kubectlError } from './kubectlError.ts';
import type { RunCommand } from './run.ts';
import { lookScript } from './script.ts';
import { type Frame, jsonOf, readTranscript } from './transcript.ts';

export interface LookOptions {
  /** For objects that name none. */
  readonly namespace: string;
  readonly force: boolean;
  readonly log: Log;
}

/** Time for the pod to start, and for a few kubectl calls an object. */
const timeoutMs = 600_000;

/** A Secret would stand in the command's output, which Azure keeps. */
function refuseSecrets(manifests: readonly PinnedManifest[]): void {
  const secret = manifests.find(({ object }) => object.kind === 'Secret');
  if (secret === undefined) return;
  throw new DeliveryError({
    code: 'RUN_COMMAND_UNSUPPORTED',
    side: 'input',
    message: `${secret.origin}: a Secret cannot be deployed by run command, whose output Azure keeps.`,
    remedy:
      "Take it out of 'manifests' and create it by other means, or run on an agent inside the cluster's network.",
  });
}

function answered(frame: Frame | undefined, verb: string, manifest: PinnedManifest): KubeObject | undefined {
  if (frame?.status === 0) return jsonOf(frame) as KubeObject | undefined;
  const call = { verb, what: describe(refOf(manifest.object)) };
  throw named(kubectlError(call, frame?.text ?? 'it gave no answer'), manifest);
}

/** The dry run did not know yet of an autoscaler, whose number of replicas stays. */
function changeTo(
  written: PinnedManifest,
  live: KubeObject | undefined,
  planned: KubeObject,
  log: Log,
): Change<PinnedManifest> {
  if (live === undefined) return { manifest: written, action: 'create', planned };
  const manifest = withAutoscaler(written, live, log);
  if (manifest.object === written.object) return changeOf(manifest, live, planned);
  const { replicas } = live['spec'] as { replicas?: number };
  const spec = { ...(planned['spec'] as object), replicas };
  return changeOf(manifest, live, { ...planned, spec });
}

/**
 * What applying these manifests would do: each is read, and applied as a dry run by the API server, in one command
 * that changes nothing. Throws RUN_COMMAND_… errors and those of the API server's refusals.
 */
export async function lookByCommand(
  run: RunCommand,
  manifests: readonly PinnedManifest[],
  options: LookOptions,
): Promise<Change<PinnedManifest>[]> {
  refuseSecrets(manifests);
  const mark = newMark();
  const namespaceOf = ({ object }: PinnedManifest): string => object.metadata.namespace ?? options.namespace;
  const list = manifests.map((manifest, index) => `${index} ${namespaceOf(manifest)}\n`).join('');
  const files = {
    'look.sh': lookScript,
    'settings.sh': settingsFile({ MARK: mark, FORCE: options.force ? '--force-conflicts' : '' }),
    list,
    ...objectFiles(
      'now',
      manifests.map(({ object }) => object),
    ),
  };
  const { frames } = readTranscript(await run({ command: 'sh look.sh', files, timeoutMs }), mark);
  return manifests.map((manifest, index) => {
    const live = answered(frames.get(`live/${index}`), 'get', manifest);
    const planned = answered(frames.get(`planned/${index}`), 'apply', manifest);
    if (planned === undefined) throw kubectlError({ verb: 'apply', what: manifest.origin }, 'no answer');
    // The API server has put the object into its namespace, where its kind has one.
    const { namespace } = planned.metadata;
    const { metadata } = manifest.object;
    const placed = namespace === undefined ? metadata : { ...metadata, namespace };
    const object = { ...manifest.object, metadata: placed };
    return changeTo({ ...manifest, object }, live, planned, options.log);
  });
}
