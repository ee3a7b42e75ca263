import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';
import { watchUntil } from '../../src/kube/api/watchUntil.ts';
import type { KubeObject } from '../../src/kube/objects/objects.ts';
import { hashLabel } from '../../src/kube/objects/workloadState.ts';
import type { Change } from '../../src/kube/plan/plan.ts';
import { restore } from '../../src/kube/release/restore.ts';
import { pinnedTo, pinOf } from '../../src/kube/stages/hold.ts';
import { type Run, soon, usersGet, whileUsersAsk } from '../support/deployment.ts';
import { withFolder } from '../support/folder.ts';
import { recordingHost } from '../support/host.ts';
import { releases, succeeded } from '../support/releases.ts';

describe('DeployToAks in stages', function () {
  this.timeout(180_000);
  // About one run in thirty meets a connection that the node's network leaves without an answer for seconds.
  this.retries(1);
  const at = releases(
    'strategy',
    [
      { tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' },
      { tag: '2', modelVersion: 'v2', created: '2026-01-02T00:00:00Z' },
      { tag: 'crash', modelVersion: 'v3', created: '2026-01-03T00:00:00Z', behaviour: 'crash' },
      { tag: 'broken', modelVersion: 'v4', created: '2026-01-04T00:00:00Z', behaviour: 'broken' },
      { tag: 'flapping', modelVersion: 'v5', created: '2026-01-05T00:00:00Z', behaviour: 'flapping' },
    ],
    { appName: 'web', replicas: '2', readinessPath: '/healthz' },
  );
  let url: string;

  const deploy = (
    tag: string,
    inputs: Record<string, string>,
    workingFolder = '/nonexistent',
  ): Promise<Run> => at.deploy({ tagFilter: `^${tag}$`, ...inputs }, { workingFolder });

  const live = async (apiVersion: string, kind: string): Promise<KubeObject> => {
    const found = await at.namespace.client.get(
      { apiVersion, kind, namespace: at.namespace.name, name: 'web' },
      soon(),
    );
    assert.ok(found);
    return found;
  };

  /** The first version in its usual state: two pods, nobody else's traffic. */
  const firstVersion = async (): Promise<void> => {
    const run = await deploy('1', { probePath: '/healthz' });
    assert.equal(run.error, undefined, `${run.error?.message}\n${run.log}`);
    url = run.said.outputs.get('endpointUrl') ?? '';
    const pods = { apiVersion: 'v1', kind: 'Pod', namespace: at.namespace.name };
    const options = { timeoutMs: 60_000, signal: soon() };
    const { answer } = await watchUntil(
      at.namespace.client,
      [pods],
      options,
      ([all]) => all?.length === 2 || undefined,
    );
    assert.ok(answer, 'the former pods have ended');
  };

  /** The generated Deployment as a manifest of one's own, with what is changed in it. */
  const asManifest = async (more: object = {}): Promise<object> => {
    const { metadata, spec } = (await live('apps/v1', 'Deployment')) as KubeObject & { spec: object };
    const { name, labels } = metadata;
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, labels },
      spec: { ...spec, ...more },
    };
  };

  const service = async (): Promise<object> => {
    const { metadata, spec } = (await live('v1', 'Service')) as KubeObject & {
      spec: Record<string, unknown>;
    };
    const { type, selector, ports } = spec;
    const { name, labels } = metadata;
    return { apiVersion: 'v1', kind: 'Service', metadata: { name, labels }, spec: { type, selector, ports } };
  };

  const byManifests = { appName: '', manifests: 'all.json' };

  const withManifests = (items: readonly object[], use: (folder: string) => Promise<void>): Promise<void> =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'all.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
      await use(folder);
    });

  /** Nothing of the stages is left behind. */
  const isUsual = async (): Promise<void> => {
    const service = await live('v1', 'Service');
    assert.deepEqual((service['spec'] as { selector: object }).selector, { 'app.kubernetes.io/name': 'web' });
    const spec = (await live('apps/v1', 'Deployment'))['spec'] as {
      minReadySeconds?: number;
      strategy: object;
    };
    assert.equal(spec.minReadySeconds ?? 0, 0);
    assert.deepEqual(spec.strategy, {
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' },
    });
  };

  /** The test application answers 0.2 for every version of two letters. */
  const withGolden = (score: number, use: (folder: string) => Promise<void>): Promise<void> =>
    withFolder(async (folder) => {
      const golden = { cases: [{ name: 'a greeting', request: { path: '/score' }, expected: { score } }] };
      await writeFile(join(folder, 'golden.json'), JSON.stringify(golden));
      await use(folder);
    });

  beforeEach(() => firstVersion());
  afterEach(() => isUsual());

  describe('blue-green', () => {
    it('switches all users after the new pods were verified, and no user notices', async () => {
      await withGolden(0.2, async (folder) => {
        const inputs = {
          ...{ strategy: 'blueGreen', keepFormer: '1' },
          ...{ verifyFile: 'golden.json', probePath: '/score' },
        };
        const { result, seen } = await whileUsersAsk(url, () => deploy('2', inputs, folder));
        succeeded(result);
        assert.match(
          result.log,
          /2 new pods are ready beside the former ones[\s\S]*1 of 1 as expected[\s\S]*Users are switched[\s\S]*kept for 1 s/,
        );
        assert.deepEqual(seen.failures, []);
        assert.equal([...seen.answers.keys()][0], 'v1');
        await usersGet(url, 'v2');
        const again = succeeded(await deploy('2', inputs, folder));
        assert.equal(again.said.outputs.get('changed'), 'false', again.log);
      });
    });

    it('shows no user a version whose predictions differ', async () => {
      await withGolden(0.9, async (folder) => {
        const inputs = { strategy: 'blueGreen', verifyFile: 'golden.json' };
        const { result, seen } = await whileUsersAsk(url, () => deploy('2', inputs, folder));
        assert.equal(result.error?.code, 'VERIFY_FAILED', result.log);
        assert.equal(result.said.outputs.get('rolledBack'), 'true');
        assert.deepEqual(seen.failures, []);
        assert.deepEqual([...seen.answers.keys()], ['v1']);
      });
    });

    it('switches back when the probe fails', async () => {
      const run = await deploy('broken', { strategy: 'blueGreen', probePath: '/score', probeTimeout: '3' });
      assert.equal(run.error?.code, 'PROBE_FAILED', run.log);
      assert.match(run.log, /Users are switched back/);
      assert.equal(run.said.outputs.get('rolledBack'), 'true');
    });
  });

  describe('blue-green, with pods that have to last before they count', () => {
    it('has users switched back at once when they do not', async () => {
      await withManifests([await asManifest({ minReadySeconds: 8 }), await service()], async (folder) => {
        const inputs = { ...byManifests, strategy: 'blueGreen' };
        const { result, seen } = await whileUsersAsk(url, () => deploy('flapping', inputs, folder));
        assert.equal(result.error?.code, 'ROLLOUT_FLAPPING', result.log);
        assert.match(result.log, /kept for 8 s[\s\S]*Users are switched back to the former pods/);
        assert.equal(result.said.outputs.get('rolledBack'), 'true');
        assert.deepEqual(seen.failures, []);
        await usersGet(url, 'v1');
      });
    });
  });

  it('gives back what it has closed to changes, and everything else', async () => {
    const { client, name: namespace } = at.namespace;
    const settings = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' } };
    const former = { ...settings, metadata: { name: 'settings', namespace }, data: { level: 'low' } };
    await client.apply(former, { dryRun: false, force: true }, soon());
    const next = { ...settings, data: { level: 'high' }, immutable: true };
    await withManifests([next, await asManifest(), await service()], async (folder) => {
      const run = await deploy('crash', byManifests, folder);
      assert.equal(run.error?.code, 'ROLLOUT_CRASH', run.log);
      assert.equal(run.said.outputs.get('rolledBack'), 'true', run.log);
      const found = await client.get({ ...former, ...former.metadata }, soon());
      assert.deepEqual([found?.['data'], found?.['immutable']], [{ level: 'low' }, undefined]);
      await usersGet(url, 'v1');
    });
  });

  describe('a release that died in the middle', () => {
    it('leaves the former pods serving, and the next run finishes it whatever its strategy', async () => {
      await withGolden(0.9, async (folder) => {
        // What is left behind is what a killed task leaves: the stage was never ended.
        const inputs = { strategy: 'blueGreen', verifyFile: 'golden.json', rollbackOnFailure: 'false' };
        const left = await whileUsersAsk(url, () => deploy('2', inputs, folder));
        assert.equal(left.result.error?.code, 'VERIFY_FAILED', left.result.log);
        assert.deepEqual([...left.seen.answers.keys()], ['v1']);
        const { result, seen } = await whileUsersAsk(url, () => deploy('2', {}));
        succeeded(result);
        assert.deepEqual([...left.seen.failures, ...seen.failures], []);
        assert.equal([...seen.answers.keys()][0], 'v1');
        await usersGet(url, 'v2');
      });
    });
  });

  it('that fails after its switch sends users back before anything else', async () => {
    const before = [await live('apps/v1', 'Deployment'), await live('v1', 'Service')];
    await withGolden(0.9, async (folder) => {
      const inputs = { strategy: 'blueGreen', verifyFile: 'golden.json', rollbackOnFailure: 'false' };
      await deploy('2', inputs, folder);
    });
    const { client, name: namespace } = at.namespace;
    const pin = pinOf(await live('v1', 'Service'));
    const sets = await client.list({ apiVersion: 'apps/v1', kind: 'ReplicaSet', namespace }, soon());
    const ready = sets.items.filter((set) => ((set as ReplicaSet).status?.readyReplicas ?? 0) > 0);
    const next = ready.map((set) => set.metadata.labels?.[hashLabel]).find((hash) => hash !== pin) ?? '';
    const manifest = { ...(await service()), metadata: { name: 'web', namespace } } as KubeObject;
    await client.apply(pinnedTo(manifest, next), { dryRun: false, force: true }, soon());
    await usersGet(url, 'v2');
    const changes = before.map(
      (object): Change => ({
        manifest: { origin: 'test', object },
        action: 'update',
        live: object,
        planned: object,
      }),
    );
    const { host, said } = recordingHost({ inputs: {}, workingFolder: '/nonexistent' });
    const options = { client, log: host.log, timeoutMs: 60_000, removeOnFailure: false };
    const { result, seen } = await whileUsersAsk(url, () => restore(changes, options));
    assert.equal(result, true, said.lines.join('\n'));
    assert.match(said.lines.join('\n'), /sends users to the former pods again[\s\S]*Restored Deployment/);
    assert.deepEqual(seen.failures, []);
    await usersGet(url, 'v1');
  });

  describe('held for its promotion', () => {
    const decide = (action: string): Promise<Run> => deploy('2', { action });

    it('shows no user the new version before it is promoted, which may be repeated', async () => {
      const inputs = { strategy: 'blueGreen', holdForPromotion: 'true' };
      const { result, seen } = await whileUsersAsk(url, () => deploy('2', inputs));
      assert.equal(succeeded(result).said.outputs.get('held'), 'true');
      const again = succeeded(await deploy('2', inputs));
      assert.match(again.log, /is held \(verified\); what it replaces is still known/);
      assert.deepEqual([...seen.answers.keys()], ['v1']);
      const { minReadySeconds = 0 } = (await live('apps/v1', 'Deployment'))['spec'] as {
        minReadySeconds?: number;
      };
      assert.ok(minReadySeconds > 365 * 86_400, 'no approval takes so long that the former pods go');
      const promoted = await whileUsersAsk(url, () => decide('promote'));
      assert.equal(succeeded(promoted.result).said.outputs.get('changed'), 'true');
      await usersGet(url, 'v2');
      assert.deepEqual([...seen.failures, ...promoted.seen.failures], []);
      assert.match(succeeded(await decide('promote')).log, /Nothing to do: the release was promoted by/);
      assert.equal((await decide('reject')).error?.code, 'NOTHING_HELD');
    });

    it('is replaced by the next release when its record is lost', async () => {
      const { client, name: namespace } = at.namespace;
      const inputs = { strategy: 'canary', canaryDuration: '1', holdForPromotion: 'true' };
      succeeded(await deploy('2', inputs));
      const record = { apiVersion: 'v1', kind: 'Secret', name: 'model-delivery-held-web', namespace };
      await client.remove(record, { propagation: 'Background' }, soon());
      assert.equal((await decide('promote')).error?.code, 'HELD_RECORD_LOST');
      assert.match(succeeded(await deploy('2', {})).log, /record of the release that is held on .* is lost/);
      await usersGet(url, 'v2');
    });

    it('is taken back when it is rejected, which may be repeated', async () => {
      const inputs = { strategy: 'canary', canaryDuration: '1', holdForPromotion: 'true' };
      assert.equal(succeeded(await deploy('2', inputs)).said.outputs.get('held'), 'true');
      const { result, seen } = await whileUsersAsk(url, () => decide('reject'));
      assert.equal(succeeded(result).said.outputs.get('rolledBack'), 'true');
      await usersGet(url, 'v1');
      assert.deepEqual(seen.failures, []);
      assert.match(succeeded(await decide('reject')).log, /Nothing to do: the release was rejected by/);
      assert.equal((await decide('promote')).error?.code, 'NOTHING_HELD');
    });
  });

  it('that meets a quota of pods is taken back with the quota, and no user notices', async () => {
    const { client, name: namespace } = at.namespace;
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'pods', namespace } };
    await client.create({ ...quota, spec: { hard: { pods: '2' } } }, soon());
    try {
      const { result, seen } = await whileUsersAsk(url, () => deploy('2', {}));
      assert.equal(result.error?.code, 'ROLLOUT_BLOCKED', result.log);
      assert.match(result.error.message, /exceeded quota: pods/);
      assert.equal(result.said.outputs.get('rolledBack'), 'true');
      assert.deepEqual(seen.failures, []);
      assert.deepEqual([...seen.answers.keys()], ['v1']);
    } finally {
      await client.remove({ ...quota, name: 'pods', namespace }, { propagation: 'Background' }, soon());
    }
  });

  describe('a canary', () => {
    it('serves a part of the users for its time, then the rollout goes on', async () => {
      const inputs = { strategy: 'canary', canaryPercent: '50', canaryDuration: '3' };
      const { result, seen } = await whileUsersAsk(url, () => deploy('2', inputs));
      succeeded(result);
      assert.match(
        result.log,
        /Canary: 1 new pods serve beside the former ones, for 3 s[\s\S]*Canary passed/,
      );
      assert.deepEqual(seen.failures, []);
      assert.deepEqual([...seen.answers.keys()].sort(), ['v1', 'v2']);
    });

    it('that does not stay ready is taken back, and no user notices', async () => {
      const inputs = { strategy: 'canary', canaryDuration: '20' };
      const { result, seen } = await whileUsersAsk(url, () => deploy('flapping', inputs));
      assert.equal(result.error?.code, 'ROLLOUT_FLAPPING', result.log);
      assert.equal(result.said.outputs.get('rolledBack'), 'true');
      assert.deepEqual(seen.failures, []);
    });

    it('that crashes is taken back, and no user notices', async () => {
      const inputs = { strategy: 'canary', canaryDuration: '3' };
      const { result, seen } = await whileUsersAsk(url, () => deploy('crash', inputs));
      assert.equal(result.error?.code, 'ROLLOUT_CRASH', result.log);
      assert.equal(result.said.outputs.get('rolledBack'), 'true');
      assert.deepEqual(seen.failures, []);
      assert.deepEqual([...seen.answers.keys()], ['v1']);
    });
  });
});
