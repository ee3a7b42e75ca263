import type { KubeObject } from '../objects/objects.ts';
import { type Diagnosis, diagnose, type Evidence } from '../rollout/diagnosis.ts';
import { deadlineProblem, terminalProblem, type View } from '../rollout/rollout.ts';
import { type Frame, jsonOf, type Transcript } from './transcript.ts';

function itemsOf(frame: Frame | undefined, kind: string, apiVersion: string): KubeObject[] {
  const list = jsonOf(frame) as { items?: KubeObject[] } | undefined;
  return (list?.items ?? []).map((item) => ({ ...item, apiVersion, kind }));
}

/** The lines of one container, which kubectl prefixes by `[pod/<pod>/<container>] `. */
function logOf(frame: Frame | undefined, container: string): string {
  const lines = (frame?.text ?? '').split('\n').flatMap((line) => {
    const [, whose, text = ''] = /^\[pod\/[^/\]]+\/([^\]]+)\] ?(.*)$/.exec(line) ?? [];
    return whose === container ? [text] : [];
  });
  return lines.join('\n');
}

/** Events and logs as the command has read them. */
function recorded({ frames }: Transcript): Evidence {
  return {
    async list({ fieldSelector }) {
      const pod = /involvedObject\.name=(.+)$/.exec(fieldSelector ?? '')?.[1] ?? '';
      return { items: itemsOf(frames.get(`events/pod/${pod}`), 'Event', 'v1'), resourceVersion: '0' };
    },
    async logs(pod, { container, previous }) {
      return logOf(frames.get(`logs/pod/${pod.name}/${previous}`), container);
    },
  };
}

/** Why a rollout failed, by what the command saw of it; `isOver` when its time was over. */
export async function diagnoseCommand(
  transcript: Transcript,
  planned: KubeObject,
  timeoutMs: number,
  isOver: boolean,
): Promise<Diagnosis> {
  const { frames } = transcript;
  const view: View = {
    workload: (jsonOf(frames.get('workload')) as KubeObject | undefined) ?? planned,
    replicaSets: itemsOf(frames.get('sets'), 'ReplicaSet', 'apps/v1'),
    pods: itemsOf(frames.get('pods'), 'Pod', 'v1'),
  };
  const problem =
    (isOver ? undefined : terminalProblem(view)) ?? deadlineProblem(view, Math.round(timeoutMs / 1000));
  return diagnose(recorded(transcript), view.workload ?? planned, problem, AbortSignal.timeout(1000));
}
