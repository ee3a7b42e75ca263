import assert from 'node:assert/strict';
import { DeliveryError } from '../../src/errors.ts';
import { hasShare } from '../../src/kube/stages/httpRoute.ts';
import { type Run, usersGet, whileUsersAsk } from '../support/deployment.ts';
import { startGateway } from '../support/gatewayApi.ts';
import { releases, succeeded } from '../support/releases.ts';

const route = 'gateway.networking.k8s.io/v1';

describe('A canary by the weights of an HTTPRoute', function () {
  this.timeout(180_000);
  const at = releases(
    'weights',
    [
      { tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' },
      { tag: '2', modelVersion: 'v2', created: '2026-01-02T00:00:00Z' },
      { tag: '3', modelVersion: 'v3', created: '2026-01-03T00:00:00Z' },
    ],
    {
      ...{ appName: 'web', replicas: '2', readinessPath: '/healthz', serviceType: 'ClusterIP' },
      ...{ route: 'gateway', gateway: 'edge', strategy: 'canary', canaryDuration: '2' },
    },
  );
  let url = '';

  const deploy = (tag: string, inputs: Record<string, string> = {}): Promise<Run> =>
    at.deploy({ tagFilter: `^${tag}$`, ...inputs });

  /** Nothing of the stages is left behind. */
  const isUsual = async (): Promise<void> => {
    assert.equal(hasShare(await at.find(route, 'HTTPRoute')), false);
    assert.equal(await at.find('v1', 'Service', 'web-canary'), undefined);
    const service = await at.find('v1', 'Service');
    assert.ok(service);
    assert.deepEqual((service['spec'] as { selector: object }).selector, {
      'app.kubernetes.io/name': 'web',
    });
  };

  before(async () => {
    await startGateway(at, 'edge');
    url = succeeded(await deploy('1', { probePath: '/healthz' })).said.outputs.get('endpointUrl') ?? '';
    await usersGet(url, 'v1');
  });
  afterEach(() => isUsual());

  it('gives the new pods just that part of the requests, and no user notices', async () => {
    const { result, seen } = await whileUsersAsk(url, () => deploy('2', { canaryPercent: '10' }));
    assert.match(succeeded(result).log, /Canary: 10 % of the requests go to 1 new pods[\s\S]*Canary passed/);
    assert.deepEqual(seen.failures, []);
    const [former = 0, fresh = 0] = ['v1', 'v2'].map((version) => seen.answers.get(version));
    // By pods it would be a third of them: one of three.
    assert.ok(fresh > 0 && former > 3 * fresh, `${former} former and ${fresh} new answers`);
    await usersGet(url, 'v2');
  });

  it('that is held may be rejected, promoted, or overtaken, and no user notices any of it', async () => {
    const held = { canaryDuration: '1', holdForPromotion: 'true' };
    const { seen } = await whileUsersAsk(url, async () => {
      assert.equal(succeeded(await deploy('3', held)).said.outputs.get('held'), 'true');
      assert.ok(hasShare(await at.find(route, 'HTTPRoute')), 'a part of the users stays with the new pods');
      succeeded(await deploy('3', { action: 'reject' }));
      await isUsual();
      await usersGet(url, 'v2');
      succeeded(await deploy('1', held));
      succeeded(await deploy('1', { action: 'promote' }));
      await isUsual();
      await usersGet(url, 'v1');
      succeeded(await deploy('2', held));
      succeeded(await deploy('3', { strategy: 'rolling' }));
      await usersGet(url, 'v3');
    });
    assert.deepEqual(seen.failures, []);
  });

  it('is put back when it is cancelled', async () => {
    const cancel = new AbortController();
    const cancellation = new DeliveryError({
      ...{ code: 'CANCELLED', side: 'agent', message: 'Cancelled.', remedy: 'Run it again.' },
    });
    const { result, seen } = await whileUsersAsk(url, async () => {
      const running = at.deploy({ tagFilter: '^2$', canaryDuration: '60' }, { signal: cancel.signal });
      await usersGet(url, 'v2');
      cancel.abort(cancellation);
      return running;
    });
    assert.equal(result.error?.code, 'CANCELLED', result.log);
    assert.match(result.log, /All users are sent to the former pods again/);
    assert.deepEqual(seen.failures, []);
    await isUsual();
  });

  it('of one who forces weights where no Gateway divides requests is refused', async () => {
    const plain = { route: 'none', canaryTraffic: 'weights' };
    const run = await deploy('2', plain);
    assert.equal(run.error?.code, 'STRATEGY_IMPOSSIBLE', run.log);
    assert.match(run.error?.message ?? '', /no HTTPRoute of this release sends users to it/);
  });
});
