import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createContext, type LocalContext } from '../../local/lib/context.ts';
import { startServices, stopServices } from '../../local/services/index.ts';
import { withApiRelay } from '../support/apiRelay.ts';
import { killOfCluster, signalCluster } from '../support/clusterProcesses.ts';
import { type Run, usersGet, whileUsersAsk } from '../support/deployment.ts';
import { randomFrom } from '../support/random.ts';
import { type ReleaseServices, releases, succeeded } from '../support/releases.ts';

/** Releases that meet a fault, one kind of fault after the other; six have every strategy with each. */
const rounds = Number(process.env['MODEL_DELIVERY_CLUSTER_FAULTS'] ?? 1);
/** The same seed gives the same moments and strategies. */
const seed = Number(process.env['MODEL_DELIVERY_SEED'] ?? randomInt(1, 2 ** 31 - 1));
const strategies = ['rolling', 'canary', 'blueGreen'] as const;

describe('A release in a cluster that suffers', function () {
  this.timeout(120_000 + rounds * 60_000);
  let context: LocalContext;
  let version = 1;
  let url = '';

  /** A cluster of this suite alone: what is done to it would disturb others. */
  const start = async (): Promise<ReleaseServices> => {
    const stateFolder = await mkdtemp(join(tmpdir(), 'model-delivery-faults-'));
    const logFolder = join(stateFolder, 'logs');
    await mkdir(logFolder);
    context = { ...(await createContext(() => undefined)), stateFolder, logFolder };
    const { cluster, registry } = await startServices(context, ['cluster', 'registry']);
    assert.ok(cluster !== undefined && registry !== undefined);
    return { cluster, registry };
  };

  const at = releases(
    'suffering',
    [
      { tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' },
      { tag: '2', modelVersion: 'v2', created: '2026-01-02T00:00:00Z' },
    ],
    { appName: 'web', readinessPath: '/healthz', probePath: '/healthz', canaryDuration: '1' },
    start,
  );

  before(async () => {
    const run = succeeded(await at.deploy({ tagFilter: '^1$' }));
    url = run.said.outputs.get('endpointUrl') ?? '';
  });

  after(async () => {
    await stopServices(context);
    await rm(context.stateFolder, { recursive: true, force: true });
  });

  const faults = [
    { title: 'the API server dies', strike: () => killOfCluster(context, 'kube-apiserver') },
    {
      title: 'etcd does not answer for seconds',
      strike: async () => {
        await signalCluster(context, 'SIGSTOP', '--unsafe-no-fsync');
        await sleep(4000);
        await signalCluster(context, 'SIGCONT', '--unsafe-no-fsync');
      },
    },
  ];

  /** Releases a version while the fault strikes: at one of the requests, or up to a second later. */
  const struck = (
    inputs: Readonly<Record<string, string>>,
    request: number,
    waitMs: number,
    strike: () => Promise<void>,
  ): Promise<Run> => {
    let left = request;
    let striking: Promise<void> | undefined;
    const seen = (): void => {
      left -= 1;
      if (left === 0) striking = sleep(waitMs).then(strike);
    };
    return withApiRelay(at.cluster.kubeconfig, seen, async (kubeconfig) => {
      const run = await at.deploy({ ...inputs, kubeconfig });
      assert.ok(striking, `request ${request} was sent`);
      await striking;
      return run;
    });
  };

  const random = randomFrom(seed);
  for (let round = 0; round < rounds; round += 1) {
    const fault = faults[(round + seed) % faults.length] ?? faults[0];
    const strategy = strategies[(round + seed) % strategies.length] ?? 'rolling';
    const [request, waitMs] = [1 + Math.floor(random() * 10), Math.floor(random() * 800)];
    it(`(${strategy}) comes to its end when ${fault?.title} ${waitMs} ms after request ${request}, and no user notices (seed ${seed})`, async () => {
      version = 3 - version;
      const inputs = { strategy, tagFilter: `^${version}$` };
      const { result, seen } = await whileUsersAsk(url, () =>
        struck(inputs, request, waitMs, fault?.strike ?? assert.fail),
      );
      succeeded(result);
      assert.deepEqual(seen.failures, [], result.log);
      await usersGet(url, `v${version}`);
    });
  }

  it('whose node is gone is taken back with the reason, and no user notices', async () => {
    await signalCluster(context, 'SIGSTOP', 'kubelet.json');
    try {
      const inputs = { tagFilter: `^${3 - version}$`, rolloutTimeout: '4' };
      const { result, seen } = await whileUsersAsk(url, () => at.deploy(inputs));
      assert.equal(result.error?.code, 'ROLLOUT_TIMEOUT', result.log);
      assert.match(result.error.message, /not taken up yet by node 'model-delivery'/);
      assert.equal(result.said.outputs.get('rolledBack'), 'true', result.log);
      assert.deepEqual(seen.failures, []);
      assert.deepEqual([...seen.answers.keys()], [`v${version}`]);
    } finally {
      await signalCluster(context, 'SIGCONT', 'kubelet.json');
    }
  });
});
