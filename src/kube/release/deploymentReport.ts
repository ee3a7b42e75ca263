import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import type { Comparison } from '../../golden/comparison.ts';
import { formatSeconds, markdownTable } from '../../report/format.ts';
import type { Address } from '../gate/address.ts';
import type { KubeObject } from '../objects/objects.ts';
import type { Trace } from '../objects/trace.ts';
import { revisionOf } from '../objects/workloadState.ts';
import type { Diagnosis } from '../rollout/diagnosis.ts';

/** Attachment type that the results tab reads. */
export const deploymentAttachment = 'model-delivery.deployment';

/** The deployment as the results tab and the demo's JSON show it. */
export interface DeploymentDocument {
  readonly schemaVersion: 1;
  readonly name: string;
  readonly namespace: string;
  readonly kind: string;
  readonly revision: string;
  readonly image: string;
  readonly imageTags: readonly string[];
  readonly readyReplicas: number;
  readonly endpointUrl: string;
  readonly externalAddress: string;
  readonly changed: boolean;
  readonly rolledBack: boolean;
  /** True while a verified release waits for its promotion; the former version still serves. */
  readonly held?: boolean;
  readonly model: { readonly name?: string; readonly version?: string; readonly digest?: string };
  readonly pipeline?: string;
  readonly run?: string;
  readonly commit?: string;
  /** The comparison with the stable side that decided; absent without one. */
  readonly verification?: {
    readonly outcome: Comparison['outcome'];
    /** Figure, new pods, stable pods. */
    readonly rows: Comparison['rows'];
    /** What did not pass. */
    readonly findings: readonly string[];
  };
  /** Why it failed; absent after a success. */
  readonly failure?: string;
}

export interface ReportParts {
  readonly workload: KubeObject | undefined;
  readonly namespace: string;
  readonly trace: Trace;
  readonly address: Address | undefined;
  readonly changed: boolean;
  readonly rolledBack: boolean;
  readonly held?: boolean;
  /** In their order; the last one decided. */
  readonly comparisons: readonly Comparison[];
  readonly failure?: string;
}

function verificationOf(comparisons: readonly Comparison[]): Pick<DeploymentDocument, 'verification'> {
  const last = comparisons.at(-1);
  if (last === undefined) return {};
  const findings = last.findings.map((finding) => finding.text);
  return { verification: { outcome: last.outcome, rows: last.rows, findings } };
}

export function deploymentDocument(parts: ReportParts): DeploymentDocument {
  const { workload, trace, address } = parts;
  return {
    schemaVersion: 1,
    name: workload?.metadata.name ?? '',
    namespace: workload?.metadata.namespace ?? parts.namespace,
    kind: workload?.kind ?? '',
    revision: workload === undefined ? '' : revisionOf(workload),
    image: trace.image,
    imageTags: trace.tags,
    readyReplicas: (workload as Deployment | undefined)?.status?.readyReplicas ?? 0,
    endpointUrl: address?.url ?? '',
    externalAddress: address?.external ?? '',
    changed: parts.changed,
    rolledBack: parts.rolledBack,
    model: trace.model,
    ...(trace.pipeline === undefined ? {} : { pipeline: trace.pipeline }),
    ...(trace.run === undefined ? {} : { run: trace.run }),
    ...(trace.commit === undefined ? {} : { commit: trace.commit }),
    ...(parts.held === true ? { held: true } : {}),
    ...verificationOf(parts.comparisons),
    ...(parts.failure === undefined ? {} : { failure: parts.failure }),
  };
}

function outcomeText(document: DeploymentDocument): string {
  if (document.failure !== undefined) {
    const state = document.rolledBack ? 'the state before was restored' : 'nothing was restored';
    return `failed, ${state}`;
  }
  if (document.held === true) return 'verified, held for its promotion: the version before still serves';
  return document.changed ? 'deployed' : 'nothing to do: this image already runs, and it is healthy';
}

/** Fenced so that text from outside stays text. */
function fenced(lines: readonly string[]): string {
  return ['````text', ...lines.map((line) => line.replaceAll('````', "''''")), '````'].join('\n');
}

/** The section of the run's summary page. */
export function deploymentSummary(
  document: DeploymentDocument,
  seconds: number,
  diagnosis: Diagnosis | undefined,
): string {
  const rows = [
    ['Outcome', `${outcomeText(document)} (${formatSeconds(seconds)})`],
    ['Workload', `${document.kind} ${document.name} in ${document.namespace}, revision ${document.revision}`],
    ['Ready replicas', String(document.readyReplicas)],
    ['Image', document.image],
    ['Tags', document.imageTags.join(', ')],
    ['Model', [document.model.name, document.model.version].filter(Boolean).join(' ')],
    ['Address', document.endpointUrl],
    ['Reason', document.failure ?? ''],
  ].filter(([, value]) => value !== '');
  const evidence = [
    ...(diagnosis === undefined || diagnosis.events.length === 0
      ? []
      : ['', '**Events**', '', fenced(diagnosis.events)]),
    ...(diagnosis === undefined || diagnosis.logLines.length === 0
      ? []
      : ['', '**Last log lines**', '', fenced(diagnosis.logLines)]),
  ];
  const { verification } = document;
  const compared =
    verification === undefined
      ? []
      : [
          '',
          markdownTable(
            [`Verification: ${verification.outcome}`, 'New pods', 'Stable pods'],
            verification.rows,
          ),
        ];
  return [markdownTable(['Deployment', ''], rows), ...compared, ...evidence, ''].join('\n');
}
