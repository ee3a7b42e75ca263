import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import { type Address, addressOf, wantsLoadBalancer } from '../gate/address.ts';
import type { PinnedManifest } from '../manifests/imagePin.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import { rolloutKinds } from '../objects/workload.ts';
import { selectorText } from '../objects/workloadState.ts';
import { type Change, restorable } from '../plan/plan.ts';
import { type ReleaseOutcome, tell } from '../release/release.ts';
import type { Diagnosis } from '../rollout/diagnosis.ts';
import { diagnoseCommand } from './evidence.ts';
import { newMark, objectFiles, settingsFile } from './files.ts';
import { kubectlError } from './kubectlError.ts';
import type { CommandRequest, RunCommand } from './run.ts';
import { containers, releaseScript, verdict } from './script.ts';
import { jsonOf, readTranscript, type Transcript } from './transcript.ts';

type Changes = readonly Change<PinnedManifest>[];

export interface CommandReleaseOptions {
  readonly log: Log;
  readonly force: boolean;
  readonly rolloutTimeoutMs: number;
  readonly rollbackOnFailure: boolean;
  readonly addressTimeoutMs: number;
  /** Asked through the API server, from the pod of the command. */
  readonly probePath?: string;
  readonly probeTimeoutMs: number;
}

/** Time for the pod to start and for the calls that wait for nothing. */
const extraMs = 600_000;
/** As many good answers in a row as the probe from an agent asks for. */
const answersAfterChange = 5;

function listOf(changes: Changes): string {
  const lines = changes.map(({ action, planned }, index) => {
    const kind = wantsLoadBalancer(planned) ? 'LoadBalancer' : planned.kind;
    return `${index} ${action} ${planned.metadata.namespace ?? 'default'} ${kind}\n`;
  });
  return lines.join('');
}

function selectorFiles(changes: Changes): CommandRequest['files'] {
  const files = changes.flatMap(({ planned }, index) => {
    if (!rolloutKinds.includes(planned.kind)) return [];
    const { selector } = planned['spec'] as { selector: object };
    return [[`selectors/${index}`, selectorText(selector)] as const];
  });
  return Object.fromEntries(files);
}

/** The API server's path to the Service: `services/<name>:<port>/proxy`. */
function probeFile(changes: Changes, probePath: string | undefined): CommandRequest['files'] {
  const service = changes.find(({ planned }) => wantsLoadBalancer(planned))?.planned;
  if (probePath === undefined || service === undefined) return {};
  const { name, namespace = 'default' } = service.metadata;
  const [port] = (service['spec'] as { ports?: readonly { port: number }[] }).ports ?? [];
  return {
    probe: `/api/v1/namespaces/${namespace}/services/${name}:${port?.port ?? 80}/proxy${probePath}\n`,
  };
}

function requestOf(changes: Changes, options: CommandReleaseOptions, mark: string): CommandRequest {
  const { rolloutTimeoutMs, addressTimeoutMs, probeTimeoutMs, probePath } = options;
  const isChanged = changes.some(({ action }) => action !== 'none');
  const settings = {
    MARK: mark,
    FORCE: options.force ? '--force-conflicts' : '',
    TIMEOUT: Math.round(rolloutTimeoutMs / 1000),
    ADDRESS_TIMEOUT: Math.round(addressTimeoutMs / 1000),
    PROBE_TIMEOUT: Math.round(probeTimeoutMs / 1000),
    PROBES: isChanged ? answersAfterChange : 1,
    ROLLBACK: options.rollbackOnFailure,
  };
  const before = changes.map(({ live, manifest }) =>
    live === undefined ? undefined : restorable(live, manifest.object),
  );
  const files = {
    'release.sh': releaseScript,
    'settings.sh': settingsFile(settings),
    'verdict.awk': verdict,
    'containers.jsonpath': containers,
    list: listOf(changes),
    ...objectFiles(
      'now',
      changes.map(({ manifest }) => manifest.object),
    ),
    ...objectFiles('before', before),
    ...selectorFiles(changes),
    ...probeFile(changes, probePath),
  };
  const timeoutMs = 2 * rolloutTimeoutMs + addressTimeoutMs + probeTimeoutMs + extraMs;
  return { command: 'sh release.sh', files, timeoutMs };
}

function subjectOf(changes: Changes, id: string): string {
  const change = changes[Number(id)];
  return change === undefined ? `object ${id}` : describe(refOf(change.planned));
}

/** The script's lines about what it did, in the words of a release by the agent. */
function tellSteps(transcript: Transcript, changes: Changes, log: Log): void {
  const verbs: Readonly<Record<string, (id: string) => string>> = {
    applied: (id) =>
      `${changes[Number(id)]?.action === 'create' ? 'Created' : 'Updated'} ${subjectOf(changes, id)}`,
    restored: (id) => `Restored ${subjectOf(changes, id)} to its state before this run`,
  };
  for (const line of transcript.said) {
    const [verb = '', id = ''] = line.split(' ');
    const words = verbs[verb]?.(id);
    if (words !== undefined) log.info(words);
  }
}

function verificationError(what: string, subject: string, transcript: Transcript): DeliveryError {
  if (what === 'address') {
    return new DeliveryError({
      code: 'ADDRESS_TIMEOUT',
      side: 'cluster',
      message: `${subject} got no load-balancer address in its time.`,
      remedy: "Check the cluster's load balancer and its quota of addresses, or raise 'addressTimeout'.",
    });
  }
  const said = transcript.frames.get('probe')?.text ?? 'no answer';
  return new DeliveryError({
    code: 'PROBE_FAILED',
    side: 'application',
    message: `The probe through the API server did not succeed in its time; the last answer: ${said.slice(0, 300)}`,
    remedy:
      "The pods are ready, yet users would not be served: check 'probePath' and the Service's port and selector. A refusal needs the right to get services/proxy.",
  });
}

type Failure = { readonly error: unknown; readonly diagnosis?: Diagnosis };

async function failureOf(
  transcript: Transcript,
  changes: Changes,
  outcome: string,
  options: CommandReleaseOptions,
): Promise<Failure> {
  const [what = '', id = ''] = outcome.split(' ');
  const subject = subjectOf(changes, id);
  if (what === 'refused') {
    const said = transcript.frames.get(`refused/${id}`)?.text ?? 'no answer';
    return { error: kubectlError({ verb: 'apply', what: subject }, said) };
  }
  const planned = changes[Number(id)]?.planned;
  if (planned === undefined || what === 'address' || what === 'probe') {
    return { error: verificationError(what, subject, transcript) };
  }
  const isOver = what === 'deadline';
  const diagnosis = await diagnoseCommand(transcript, planned, options.rolloutTimeoutMs, isOver);
  tell(diagnosis, options.log);
  return { error: diagnosis.error, diagnosis };
}

/** True where what had a state before has it again; a first deployment has none to go back to. */
function isRestored(transcript: Transcript, log: Log): boolean {
  const restored = transcript.said.some((line) => line.startsWith('restored '));
  const complaints = [...transcript.frames].filter(([name]) => name.startsWith('unrestored/'));
  for (const [, { text }] of complaints) log.warning(`The former state could not be restored: ${text}`);
  if (transcript.said.includes('back yes') && restored) return true;
  if (restored) log.warning('The former state was restored, but not every pod is available.');
  else log.info('Nothing was restored.');
  return false;
}

function addressIn(live: readonly KubeObject[]): Address | undefined {
  const service = live.find(wantsLoadBalancer);
  return service === undefined ? undefined : addressOf(service);
}

/**
 * Applies the changes, waits for the workloads and the address, probes, and puts the state before back after a
 * failure, all within one command in the cluster: it comes to its end even when this agent does not. Throws
 * RUN_COMMAND_… errors where the command itself did not run to its end.
 */
export async function releaseByCommand(
  run: RunCommand,
  changes: Changes,
  options: CommandReleaseOptions,
): Promise<ReleaseOutcome<Address | undefined>> {
  const mark = newMark();
  const transcript = readTranscript(await run(requestOf(changes, options, mark)), mark);
  tellSteps(transcript, changes, options.log);
  const outcome = transcript.said.find((line) => line.startsWith('outcome '))?.slice('outcome '.length) ?? '';
  if (outcome === 'released') {
    const live = changes.map(
      ({ planned }, index) => (jsonOf(transcript.frames.get(`after/${index}`)) ?? planned) as KubeObject,
    );
    return { state: 'released', live, verified: addressIn(live) };
  }
  const failure = await failureOf(transcript, changes, outcome, options);
  const begun = transcript.said.some((line) => line.startsWith('applied '));
  const rolledBack = begun && options.rollbackOnFailure && isRestored(transcript, options.log);
  return { state: 'failed', ...failure, begun, rolledBack };
}
