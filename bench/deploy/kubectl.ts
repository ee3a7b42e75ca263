import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureGoBinary } from '../../local/toolchain/binary.ts';
import type { Contestant } from '../contest.ts';
import { measure } from '../measure.ts';
import type { Room } from '../room.ts';
import { requests } from './metrics.ts';
import type { Target } from './target.ts';

const script = 'set -e; "$@" apply -f "$FOLDER"; "$@" rollout status deployment/web --timeout=120s';

/** kubectl of the cluster's own version. */
export function kubectlBinary(room: Room): Promise<string> {
  return ensureGoBinary(room.context, {
    name: 'kubectl',
    folder: fileURLToPath(new URL('../kubectl', import.meta.url)),
    duration: 'about a minute',
  });
}

/** What kubectl notes of its requests at `-v=6`: one line each. */
function countRequests(output: string): number {
  return output.match(/^I.*(?:"Response" verb=| (?:GET|POST|PATCH|PUT) https:).*$/gm)?.length ?? 0;
}

/** The script that the task replaces; a fresh agent has not kept what the API server can do. */
export function kubectl(room: Room, binary: string, target: Target, agent: 'fresh' | 'warm'): Contestant {
  const shared = mkdtemp(join(room.folder, 'kubectl-'));
  return {
    name: `kubectl apply, rollout status (${agent === 'fresh' ? 'fresh agent' : 'its cache kept'})`,
    async run() {
      const cache = agent === 'warm' ? await shared : await mkdtemp(join(room.folder, 'kubectl-'));
      const flags = ['-v=6', '--kubeconfig', target.kubeconfig, '--namespace', target.namespace];
      const { sample, output } = await measure({
        command: 'bash',
        args: ['-c', script, 'kubectl', binary, ...flags, '--cache-dir', cache],
        env: { ...process.env, FOLDER: target.folder },
      });
      return { ...sample, [requests.name]: countRequests(output) };
    },
  };
}
