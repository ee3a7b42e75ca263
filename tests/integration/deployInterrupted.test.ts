import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import { bundleTask } from '../../build/bundle.ts';
import { packagedTaskFolder } from '../../build/layout.ts';
import { containersOf, podTemplate } from '../../src/kube/objects/workload.ts';
import { type ApiAsked, withApiRelay } from '../support/apiRelay.ts';
import { soon, usersGet, whileUsersAsk } from '../support/deployment.ts';
import { withFolder } from '../support/folder.ts';
import { randomFrom } from '../support/random.ts';
import { releases, succeeded } from '../support/releases.ts';

/** Releases that are interrupted, strategy after strategy, by a kill and a cancellation in turn: six have all of it. */
const rounds = Number(process.env['MODEL_DELIVERY_RELEASE_KILLS'] ?? 2);
/** The same seed gives the same moments. */
const seed = Number(process.env['MODEL_DELIVERY_SEED'] ?? randomInt(1, 2 ** 31 - 1));
const strategies = ['rolling', 'canary', 'blueGreen'] as const;

/** When a release is interrupted: at one of its requests, counted from its first change on, and so many milliseconds later. */
interface Moment {
  readonly requests: number;
  readonly waitMs: number;
}

type Inputs = Readonly<Record<string, string>>;

/** The packaged task as the agent starts it. */
function start(
  inputs: Inputs,
  folder: string,
  registry: { readonly url: string; readonly username: string; readonly password: string },
): ChildProcess {
  const given = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]);
  const { url, username, password } = registry;
  const parameters = { registry: url, username, password };
  return spawn(process.execPath, [join(packagedTaskFolder('DeployToAks'), 'index.js')], {
    cwd: folder,
    env: {
      ...{ PATH: process.env['PATH'], AGENT_TEMPDIRECTORY: folder, SYSTEM_DEFAULTWORKINGDIRECTORY: folder },
      ...Object.fromEntries(given),
      ENDPOINT_URL_registry: url,
      ENDPOINT_AUTH_registry: JSON.stringify({ parameters, scheme: 'UsernamePassword' }),
      ENDPOINT_DATA_registry_REGISTRYTYPE: 'Others',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

describe('A release that is ended at any moment', function () {
  this.timeout(60_000 + rounds * 60_000);
  const at = releases(
    'interrupted',
    [
      { tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' },
      { tag: '2', modelVersion: 'v2', created: '2026-01-02T00:00:00Z' },
    ],
    { appName: 'web', readinessPath: '/healthz', probePath: '/healthz', canaryDuration: '1' },
  );
  const random = randomFrom(seed);

  before(() => bundleTask('DeployToAks'));

  const lease = async (): Promise<Lease> => {
    const found = await at.find('coordination.k8s.io/v1', 'Lease', 'model-delivery-web');
    assert.ok(found);
    return found as Lease;
  };

  const imageOf = async (): Promise<string | undefined> => {
    const live = await at.find('apps/v1', 'Deployment');
    assert.ok(live);
    return containersOf(podTemplate(live)?.spec)[0]?.image;
  };

  /** The release in a process of its own, which gets the signal at the moment: what it said, and how it ended. */
  const interrupted = (inputs: Inputs, moment: Moment, signal: NodeJS.Signals) =>
    withFolder(async (folder) => {
      let left = moment.requests;
      let isBegun = false;
      const reached = new AbortController();
      const seen = ({ method, url }: ApiAsked): void => {
        isBegun ||= method === 'PATCH' && !url.includes('dryRun');
        if (isBegun) left -= 1;
        if (left === 0) reached.abort();
      };
      return withApiRelay(at.cluster.kubeconfig, seen, async (kubeconfig) => {
        const child = start({ ...inputs, kubeconfig }, folder, at.registry);
        let output = '';
        child.stdout?.setEncoding('utf8').on('data', (text: string) => {
          output += text;
        });
        const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
        reached.signal.addEventListener('abort', () => {
          void sleep(moment.waitMs).then(() => child.kill(signal));
        });
        const [, by] = await ended;
        return { output, by };
      });
    });

  /** A killed holder's lease is taken over when its time has passed: here after a second, as the lease says. */
  const shortenLease = async (): Promise<void> => {
    const held = await lease();
    const spec = { ...held.spec, leaseDurationSeconds: 1 };
    await at.namespace.client.update({ ...(held as object), spec } as never, soon());
  };

  /** True when the process was killed before it had finished, which its Lease shows. */
  const kill = async (inputs: Inputs, moment: Moment): Promise<boolean> => {
    const { by } = await interrupted(inputs, moment, 'SIGKILL');
    if (by !== 'SIGKILL') return false;
    if (((await lease()).spec?.holderIdentity ?? '') === '') return false;
    await shortenLease();
    return true;
  };

  /** True when the task was cancelled before it had finished; then the former version is back. */
  const cancel = async (inputs: Inputs, moment: Moment, former: number): Promise<boolean> => {
    const { output } = await interrupted(inputs, moment, 'SIGINT');
    if (!output.includes('CANCELLED')) return false;
    assert.match(output, /Restored Deployment|Restored Service/, output);
    assert.match((await imageOf()) ?? '', new RegExp(`${at.digests[former - 1]}$`), output);
    assert.equal((await lease()).spec?.holderIdentity ?? '', '', 'the lease was given back');
    return true;
  };

  const inputsFor = (version: number, strategy: string): Inputs => ({
    ...at.inputs,
    ...{ strategy, tagFilter: `^${version}$` },
  });

  const momentOf = (strategy: string): Moment => ({
    requests: 1 + Math.floor(random() * 8),
    waitMs: random() * (strategy === 'rolling' ? 1200 : 3000),
  });

  /** Releases the other version, interrupted; again and earlier where it was faster. Gives the version that it was. */
  const interrupt = async (
    former: number,
    strategy: string,
    moment: Moment,
    isKill: boolean,
  ): Promise<number> => {
    const next = 3 - former;
    const inputs = inputsFor(next, strategy);
    const isHit = isKill ? await kill(inputs, moment) : await cancel(inputs, moment, former);
    if (isHit) return next;
    return interrupt(next, strategy, { ...moment, waitMs: moment.waitMs / 2 }, isKill);
  };

  it(`fails no request of a user, and the next run finishes it (seed ${seed})`, async () => {
    const run = succeeded(await at.deploy(inputsFor(1, 'rolling')));
    const url = run.said.outputs.get('endpointUrl') ?? '';
    let version = 1;
    const { seen } = await whileUsersAsk(url, async () => {
      for (let round = 0; round < rounds; round += 1) {
        const strategy = strategies[(round + seed) % strategies.length] ?? 'rolling';
        version = await interrupt(version, strategy, momentOf(strategy), (round + seed) % 2 === 0);
        succeeded(await at.deploy(inputsFor(version, strategy)));
        assert.match((await imageOf()) ?? '', new RegExp(`${at.digests[version - 1]}$`));
        await usersGet(url, `v${version}`);
      }
    });
    assert.deepEqual(seen.failures, []);
    assert.deepEqual([...seen.answers.keys()].sort(), ['v1', 'v2']);
  });
});
