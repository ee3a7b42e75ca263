import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ClusterEndpoint, RegistryEndpoint } from '../../local/lib/endpoints.ts';
import type { ServiceConnection } from '../../src/host/host.ts';
import type { KubeObject } from '../../src/kube/objects/objects.ts';
import {
  type Run,
  type RunSettings,
  registryConnection,
  runDeploy,
  soon,
  type TestNamespace,
  testNamespace,
} from './deployment.ts';
import { services } from './services.ts';
import { pushWebImages, type WebImage } from './webImage.ts';

/** What a suite of releases works with; there from its first test on. */
export interface Releases {
  /** The images' repository, the suite's own. */
  readonly repository: string;
  readonly registry: RegistryEndpoint;
  readonly cluster: ClusterEndpoint;
  readonly namespace: TestNamespace;
  /** Digests of the images, in their order. */
  readonly digests: readonly string[];
  /** What {@link deploy} gives the task beside the own inputs of a run. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Runs the task once with the suite's inputs and these. */
  deploy(inputs?: Readonly<Record<string, string>>, more?: Omit<RunSettings, 'inputs'>): Promise<Run>;
  /** An object of the namespace. */
  find(apiVersion: string, kind: string, name?: string): Promise<KubeObject | undefined>;
}

/** What a suite of releases runs on. */
export type ReleaseServices = Pick<Releases, 'registry' | 'cluster'>;

/**
 * Registers, in the describe around it, what makes a repository with images and a namespace, and removes it. On the
 * tests' shared services, where the suite starts none of its own.
 */
export function releases(
  name: string,
  images: readonly WebImage[],
  own: Readonly<Record<string, string>> = {},
  start: () => Promise<ReleaseServices> = () => services('cluster', 'registry'),
): Releases {
  const repository = `deploy/${name}-${randomBytes(3).toString('hex')}`;
  const connection = (): ServiceConnection => registryConnection(suite.registry);
  let made: Pick<Releases, 'registry' | 'cluster' | 'namespace' | 'digests'> | undefined;
  const ready = (): NonNullable<typeof made> => {
    assert.ok(made, 'the suite has begun');
    return made;
  };

  before(async function () {
    this.timeout(900_000);
    const { registry, cluster } = await start();
    const digests = await pushWebImages(registry, repository, images);
    made = { registry, cluster, digests, namespace: await testNamespace(cluster) };
  });

  after(async () => {
    await made?.namespace.remove();
  });

  const suite: Releases = {
    repository,
    get registry() {
      return ready().registry;
    },
    get cluster() {
      return ready().cluster;
    },
    get namespace() {
      return ready().namespace;
    },
    get digests() {
      return ready().digests;
    },
    get inputs() {
      return {
        connectionType: 'kubeconfig',
        kubeconfig: suite.cluster.kubeconfig,
        namespace: suite.namespace.name,
        containerRegistry: 'registry',
        repository,
        createPullSecret: 'true',
        rolloutTimeout: '60',
        ...own,
      };
    },
    deploy: (inputs = {}, { connections = [], ...more } = {}) =>
      runDeploy({
        inputs: { ...suite.inputs, ...inputs },
        connections: [connection(), ...connections],
        ...more,
      }),
    find: (apiVersion, kind, of = 'web') => {
      const { client, name: namespace } = suite.namespace;
      return client.get({ apiVersion, kind, namespace, name: of }, soon());
    },
  };
  return suite;
}

/** A run that succeeded; else the test fails with its log. */
export function succeeded(run: Run): Run {
  assert.equal(run.error, undefined, `${run.error?.message}\n${run.log}`);
  return run;
}
