import { within } from '../../deadline.ts';
import { DeliveryError } from '../../errors.ts';
import type { KubeClient } from '../api/client.ts';
import { eventsAbout, eventTime } from '../api/events.ts';
import { describe, isRecord, type KubeObject, type ObjectRef, refOf } from '../objects/objects.ts';
import { containersOf } from '../objects/workload.ts';
import type { RolloutProblem } from './rollout.ts';

/** What is known about a failed rollout: the sentence first, then the evidence, then what to do. */
export interface Diagnosis {
  readonly error: DeliveryError;
  /** Events of the pod, oldest first. */
  readonly events: readonly string[];
  /** Last lines of the container's log. */
  readonly logLines: readonly string[];
}

/** A failed rollout or trial with its evidence, gathered while the pods were still there. */
export class DiagnosedFailure extends Error {
  readonly diagnosis: Diagnosis;

  constructor(diagnosis: Diagnosis) {
    super(diagnosis.error.message, { cause: diagnosis.error });
    this.diagnosis = diagnosis;
  }
}

/** Where the evidence is read: events and logs. */
export type Evidence = Pick<KubeClient, 'list' | 'logs'>;

const codes: Readonly<Record<RolloutProblem['kind'], string>> = {
  image: 'ROLLOUT_IMAGE_PULL',
  crash: 'ROLLOUT_CRASH',
  memory: 'ROLLOUT_OUT_OF_MEMORY',
  configuration: 'ROLLOUT_CONFIGURATION',
  scheduling: 'ROLLOUT_UNSCHEDULABLE',
  blocked: 'ROLLOUT_BLOCKED',
  deadline: 'ROLLOUT_TIMEOUT',
  deleted: 'ROLLOUT_DELETED',
  superseded: 'ROLLOUT_SUPERSEDED',
  flapping: 'ROLLOUT_FLAPPING',
};

const remedies: Readonly<Record<RolloutProblem['kind'], string>> = {
  image:
    "Check that the image exists and that the nodes may pull it: attach the registry to the cluster, or set 'createPullSecret: true'.",
  crash: "The container's last log lines are above: run the image with the same environment and correct it.",
  memory: "Raise the memory limit ('memoryLimit' or the manifest), or load a smaller model.",
  configuration: 'Create the ConfigMap, Secret or key that the container names, or correct its name.',
  scheduling:
    'Free or add nodes that fit the requests, tolerations and node selector; a cluster that scales up needs a longer rolloutTimeout.',
  blocked: 'Raise the quota or correct what the cluster refuses; the message names it.',
  deadline:
    "Look at the events and log lines above; raise 'rolloutTimeout' if the application only needs longer.",
  superseded:
    'Another release runs at the same time: let one pipeline deploy this workload, with an exclusive lock check.',
  flapping:
    'The readiness probe answers now and then only: look at the events and log lines above, and at what the probe depends on.',
  deleted: 'Find out who deletes it: another release may be running at the same time.',
};

const logLineCount = 20;
const eventCount = 8;
/** What the evidence may take: a node that is gone never gives its log, and users wait for the former state. */
const evidenceMs = 10_000;

function eventText(event: KubeObject): { at: string; text: string } {
  const count = Number(event['count'] ?? 1);
  const times = count > 1 ? ` (${count} times)` : '';
  return { at: eventTime(event), text: `${event['type']} ${event['reason']}: ${event['message']}${times}` };
}

async function eventsOf(client: Evidence, object: ObjectRef, signal: AbortSignal): Promise<string[]> {
  try {
    const events = await eventsAbout(client, object, signal);
    const sorted = events.map(eventText).sort((a, b) => a.at.localeCompare(b.at));
    return sorted.slice(-eventCount).map((event) => event.text);
  } catch (error) {
    return [`(events cannot be read: ${error instanceof Error ? error.message : String(error)})`];
  }
}

async function logOf(
  client: Evidence,
  pod: ObjectRef,
  container: string,
  signal: AbortSignal,
): Promise<string[]> {
  for (const previous of [true, false]) {
    try {
      const text = await client.logs(pod, { container, previous, tailLines: logLineCount }, signal);
      const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
      if (lines.length > 0) return lines;
    } catch {
      // A container that never ran, or ran once, has no previous log: the present one is asked for next.
    }
  }
  return [];
}

/** Image and configuration problems happen before a container runs: there is no log to read. */
function hasLog(problem: RolloutProblem): boolean {
  return ['crash', 'memory', 'deadline', 'flapping'].includes(problem.kind);
}

/** Gathers the evidence for a failed rollout. Never throws for evidence that cannot be read. */
export async function diagnose(
  client: Evidence,
  workload: KubeObject,
  problem: RolloutProblem,
  signal: AbortSignal,
): Promise<Diagnosis> {
  const patience = within(evidenceMs, signal);
  const subject = describe(refOf(workload));
  const error = new DeliveryError({
    code: codes[problem.kind],
    side: problem.kind === 'crash' || problem.kind === 'memory' ? 'application' : 'cluster',
    message: `The rollout of ${subject} failed: ${problem.message}.`.replace(/\.\.$/, '.'),
    remedy: remedies[problem.kind],
  });
  if (problem.pod === undefined)
    return { error, events: await eventsOf(client, refOf(workload), patience), logLines: [] };
  const pod = refOf({ ...(problem.pod as KubeObject), apiVersion: 'v1', kind: 'Pod' });
  const spec = isRecord(problem.pod.spec) ? problem.pod.spec : undefined;
  const container = problem.container ?? containersOf(spec).at(-1)?.name ?? '';
  const [events, logLines] = await Promise.all([
    eventsOf(client, pod, patience),
    hasLog(problem) ? logOf(client, pod, container, patience) : [],
  ]);
  return { error, events, logLines };
}
