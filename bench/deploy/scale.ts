import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { kubectlBinary } from '../../local/toolchain/kubectl.ts';
import { type TestNamespace, testNamespace } from '../../tests/support/deployment.ts';
import { type PlayedNodes, playNodes } from '../../tests/support/kwok.ts';
import { type Contestant, hold, type Outcome } from '../contest.ts';
import { type Measured, measure, usage } from '../measure.ts';
import type { BenchOptions } from '../options.ts';
import type { Room } from '../room.ts';
import { bundled, checkTask, registryConnection, taskCommand } from '../task.ts';
import { requests } from './metrics.ts';
import type { Site } from './target.ts';

const replicas = 5;
const nodeCount = 10;
const seconds = 1200;

/** A namespace with nothing in it, and the manifests that somebody deploys there. */
interface Place {
  readonly namespace: TestNamespace;
  readonly folder: string;
  readonly image: string;
  readonly site: Site;
}

function deployment(name: string, image: string, { podSpec }: PlayedNodes): object {
  const labels = { app: name };
  const spec = { ...podSpec, containers: [{ name: 'web', image, ports: [{ containerPort: 8080 }] }] };
  return {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, labels: { suite: 'scale' } } },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}

async function newPlace(room: Room, site: Site, nodes: PlayedNodes, count: number): Promise<Place> {
  const namespace = await testNamespace(site.cluster);
  const folder = join(room.folder, 'scale', namespace.name);
  await mkdir(folder, { recursive: true });
  const [image] = site.images;
  const documents = Array.from({ length: count }, (_, at) => deployment(`web-${at}`, image, nodes));
  await writeFile(join(folder, 'all.yaml'), documents.map((one) => stringify(one)).join('---\n'));
  return { namespace, folder, image, site };
}

async function byTask(room: Room, bundle: string, place: Place): Promise<Measured> {
  const connection = registryConnection(place.site.registry);
  const run = await measure(
    taskCommand({
      ...{ bundle, room, connections: [connection] },
      inputs: {
        ...{ connectionType: 'kubeconfig', kubeconfig: place.site.cluster.kubeconfig },
        ...{ namespace: place.namespace.name, manifests: `${place.folder}/*.yaml`, image: place.image },
        ...{ containerRegistry: connection.id, rolloutTimeout: String(seconds) },
      },
    }),
  );
  checkTask(run.output);
  return run;
}

/** Ways of kubectl to wait for many. */
const waits = {
  'one rollout status for all': `rollout status deployment -l suite=scale --timeout=${seconds}s`,
  'a rollout status each, twenty at once': `get deployments -o name | xargs -P 20 -I % "$@" -v=6 rollout status % --timeout=${seconds}s`,
};

async function byKubectl(binary: string, place: Place, wait: string): Promise<Measured> {
  const flags = ['--kubeconfig', place.site.cluster.kubeconfig, '--namespace', place.namespace.name];
  const apply = `"$@" -v=6 apply --server-side -f "$FOLDER"`;
  return measure({
    command: 'bash',
    args: ['-c', `set -e; ${apply}; "$@" -v=6 ${wait}`, 'kubectl', binary, ...flags],
    env: { ...process.env, FOLDER: place.folder },
  });
}

/** Both tell of each request that they send, each in its own way. */
function requestsIn(output: string): number {
  const told = /with (\d+) requests to the API server/.exec(output)?.[1];
  return told === undefined ? (output.match(/verb="?[A-Z]+"? url=/g) ?? []).length : Number(told);
}

/** As many Deployments as asked, of five pods each, from nothing to the last pod's readiness; kwok plays the pods. */
export async function scale(room: Room, site: Site, title: string, options: BenchOptions): Promise<Outcome> {
  const count = options.size === 'SMALL' ? 60 : 1000;
  const bundle = await bundled(room, 'DeployToAks');
  const kubectl = await kubectlBinary(room.context);
  const own = await testNamespace(site.cluster);
  const nodes = await playNodes(room.context, site.cluster, own.client, nodeCount);
  room.atEnd(() => nodes.remove());
  const contestant = (name: string, work: (place: Place) => Promise<Measured>): Contestant => ({
    name,
    async run() {
      const place = await newPlace(room, site, nodes, count);
      try {
        const { sample, output } = await work(place);
        return { ...sample, [requests.name]: requestsIn(output) };
      } finally {
        await place.namespace.remove();
      }
    },
  });
  return hold(room.context, {
    title,
    metrics: [usage.time, usage.cpu, usage.peak, requests],
    contestants: [
      contestant('DeployToAks', (place) => byTask(room, bundle, place)),
      ...Object.entries(waits).map(([name, wait]) =>
        contestant(`kubectl apply --server-side, ${name}`, (place) => byKubectl(kubectl, place, wait)),
      ),
    ],
    rounds: options.rounds ?? 1,
  });
}
