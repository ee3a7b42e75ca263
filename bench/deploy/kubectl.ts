import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { measure } from '../measure.ts';
import type { Sample } from '../report.ts';
import type { Room } from '../room.ts';
import type { Target } from './target.ts';

const script = 'set -e; "$@" apply $HOW -f "$FOLDER"; "$@" rollout status deployment/web --timeout=120s';

/** Ways to use it. A fresh agent has not kept what the API server can do; merging is the client's job or the server's. */
export const kubectlKinds = [
  { name: 'kubectl apply, rollout status (fresh agent)', isFresh: true, how: '' },
  { name: 'kubectl apply, rollout status (its cache kept)', isFresh: false, how: '' },
  {
    name: 'kubectl apply --server-side, rollout status (its cache kept)',
    isFresh: false,
    how: '--server-side --force-conflicts',
  },
] as const;
type Kind = (typeof kubectlKinds)[number];

/** The script that the task replaces. */
export async function kubectl(room: Room, binary: string, target: Target, kind: Kind): Promise<Sample> {
  const kept = join(room.folder, `kubectl-${target.namespace}`);
  const cache = kind.isFresh ? await mkdtemp(join(room.folder, 'kubectl-')) : kept;
  const flags = ['--kubeconfig', target.kubeconfig, '--namespace', target.namespace];
  const { sample } = await measure({
    command: 'bash',
    args: ['-c', script, 'kubectl', binary, ...flags, '--cache-dir', cache],
    env: { ...process.env, FOLDER: target.folder, HOW: kind.how },
  });
  return sample;
}
