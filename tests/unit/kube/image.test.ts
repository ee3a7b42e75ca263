import assert from 'node:assert/strict';
import { DeliveryError } from '../../../src/errors.ts';
import { readInputs } from '../../../src/host/inputs.ts';
import { pinOthers, readOtherImages } from '../../../src/kube/image/otherImages.ts';
import { toApplication } from '../../../src/kube/manifests/application.ts';
import { generate } from '../../../src/kube/manifests/generate.ts';
import { pinImage } from '../../../src/kube/manifests/imagePin.ts';
import { parseManifests } from '../../../src/kube/manifests/manifests.ts';
import { pullSecret, pullSecretName, withPullSecret } from '../../../src/kube/manifests/pullSecret.ts';
import { withTrace } from '../../../src/kube/objects/trace.ts';
import { podTemplate } from '../../../src/kube/objects/workload.ts';
import { comparable } from '../../../src/kube/plan/plan.ts';
import { fields } from '../../../tasks/DeployToAks/fields.ts';
import { recordingHost } from '../../support/host.ts';

const other = `registry.example/other@sha256:${'c'.repeat(64)}`;
const image = `registry.example/team/app@sha256:${'a'.repeat(64)}`;

function workloads(...containers: readonly (readonly [string, string])[]) {
  const text = containers.map(([name, from], index) =>
    JSON.stringify({
      apiVersion: 'batch/v1',
      kind: index % 2 === 0 ? 'CronJob' : 'Pod',
      metadata: { name: `w${index}` },
      spec:
        index % 2 === 0
          ? {
              jobTemplate: {
                spec: { template: { spec: { initContainers: [{ name, image: from }], containers: [] } } },
              },
            }
          : { containers: [{ name, image: from }] },
    }),
  );
  return parseManifests({ name: 'w.yaml', text: text.join('\n---\n') });
}

function images(manifests: ReturnType<typeof pinImage>) {
  return manifests.map(({ object, runsImage }) => {
    const spec = podTemplate(object)?.spec;
    return [[...(spec?.initContainers ?? []), ...(spec?.containers ?? [])][0]?.image, runsImage];
  });
}

describe('The image', () => {
  it('goes to every container of the same repository, in init containers and cron jobs too', () => {
    const pinned = pinImage(
      workloads(['a', 'registry.example/team/app:1'], ['b', 'redis'], ['c', 'registry.example/team/app']),
      { image },
    );
    assert.deepEqual(images(pinned), [
      [image, true],
      ['redis', false],
      [image, true],
    ]);
  });

  it('goes to a container that names the repository without a registry', () => {
    const pinned = pinImage(workloads(['a', 'team/app'], ['b', 'redis']), { image });
    assert.deepEqual(images(pinned)[0], [image, true]);
  });

  it('goes to a one-part name as manifests write it', () => {
    const own = `registry.example/app@sha256:${'b'.repeat(64)}`;
    assert.deepEqual(images(pinImage(workloads(['a', 'app'], ['b', 'redis']), { image: own }))[0], [
      own,
      true,
    ]);
  });

  it('goes to the only container whatever its image says', () => {
    assert.deepEqual(images(pinImage(workloads(['a', '#{placeholder}#']), { image })), [[image, true]]);
  });

  it('goes to the named container alone', () => {
    const pinned = pinImage(workloads(['a', 'team/app'], ['b', 'redis']), { image, container: 'b' });
    assert.deepEqual(images(pinned), [
      ['team/app', false],
      [image, true],
    ]);
  });

  it('goes to a custom resource that keeps its pods as a Deployment does', () => {
    const [rollout] = parseManifests({
      name: 'r.yaml',
      text: JSON.stringify({
        ...{ apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', metadata: { name: 'r' } },
        spec: { template: { spec: { containers: [{ name: 'a', image: 'team/app' }] } } },
      }),
    });
    assert.ok(rollout);
    assert.deepEqual(images(pinImage([rollout], { image })), [[image, true]]);
  });

  it('may be given for other containers, by their name or repository, which does not make them the application', async () => {
    const others = readOtherImages([`b=${other}`, `library/cache = ${other}`]);
    const { host } = recordingHost({ workingFolder: '/' });
    const own = pinImage(workloads(['a', 'team/app'], ['b', 'redis'], ['c', 'cache:7']), { image });
    assert.deepEqual(images([...(await pinOthers(own, others, undefined, host))]), [
      [image, true],
      [other, false],
      [other, false],
    ]);
    await assert.rejects(
      pinOthers(own, readOtherImages([`team/none=${other}`]), undefined, host),
      /repository of team\/none/,
    );
    assert.throws(() => readOtherImages(['redis']), /'redis', which names no container/);
  });

  it('that fits no container is refused, and the containers are listed', () => {
    assert.throws(
      () => pinImage(workloads(['a', 'nginx'], ['b', 'redis']), { image }),
      (error: unknown) => {
        assert.ok(error instanceof DeliveryError);
        assert.equal(error.code, 'CONTAINER_NOT_FOUND');
        assert.match(error.remedy, /'a' of CronJob 'w0' \(nginx\), 'b' of Pod 'w1' \(redis\)/);
        return true;
      },
    );
  });
});

describe("The run's trace", () => {
  const application = {
    name: 'web',
    replicas: 2,
    port: 8080,
    service: { type: 'LoadBalancer', port: 80 },
    requests: {},
    limits: {},
    nonRoot: 'auto',
    isSpread: false,
    hasBudget: false,
  } as const;
  const trace = { image, tags: ['42'], model: { name: 'm', version: 'v7' }, pipeline: 'nightly', run: '9' };

  it('stands on the workload and its pods, with a cause for the rollout history', () => {
    const [deployment] = generate(application, { reference: image });
    assert.ok(deployment);
    const traced = withTrace(deployment.object, trace);
    assert.equal(
      traced.metadata.annotations?.['kubernetes.io/change-cause'],
      `${image}, model m v7 by nightly 9`,
    );
    assert.equal(podTemplate(traced)?.metadata?.annotations?.['model-delivery/model-version'], 'v7');
  });

  it('links the objects with the run on the page of an environment in Azure Pipelines', () => {
    const [deployment] = generate(application, { reference: image });
    assert.ok(deployment);
    const origin = { org: 'https://dev.azure.com/fabrikam/', project: 'Credit Risk', jobName: 'Deploy' };
    const { annotations = {} } = withTrace(deployment.object, { ...trace, origin }).metadata;
    const told = Object.entries(annotations).filter(([name]) => name.startsWith('azure-pipelines/'));
    assert.deepEqual(Object.fromEntries(told), {
      'azure-pipelines/run': '9',
      'azure-pipelines/pipeline': 'nightly',
      'azure-pipelines/org': origin.org,
      'azure-pipelines/project': 'Credit Risk',
      'azure-pipelines/jobName': 'Deploy',
    });
  });

  it('is no difference by itself, so that another run of the same state changes nothing', () => {
    const [deployment] = generate(application, { reference: image });
    assert.ok(deployment);
    const first = withTrace(deployment.object, trace);
    const second = withTrace(deployment.object, { ...trace, run: '10', origin: { project: 'Another' } });
    assert.deepEqual(comparable(first), comparable(second));
    const [other] = generate({ ...application, replicas: 3 }, { reference: image });
    assert.ok(other);
    assert.notDeepEqual(comparable(first), comparable(withTrace(other.object, trace)));
  });
});

describe('A generated application', () => {
  const application = toApplication(
    readInputs(recordingHost({ workingFolder: '/', inputs: { appName: 'web' } }).host, fields),
  );
  const securityOf = (user: string | undefined, nonRoot: 'auto' | 'always' | 'never' = 'auto') => {
    const [deployment] = generate(
      { ...application, nonRoot },
      { reference: image, ...(user === undefined ? {} : { user }) },
    );
    return deployment === undefined
      ? undefined
      : podTemplate(deployment.object)?.spec?.containers[0]?.securityContext;
  };

  it('may not run as root where its image says that it does not', () => {
    for (const user of ['1000', '65532:65532']) assert.equal(securityOf(user)?.runAsNonRoot, true, user);
    for (const user of [undefined, '0', '0:0', 'root', 'app']) {
      assert.equal(securityOf(user)?.runAsNonRoot, undefined, user);
    }
    assert.equal(securityOf(undefined, 'always')?.runAsNonRoot, true);
    assert.equal(securityOf('1000', 'never')?.runAsNonRoot, undefined);
  });

  it('has a route of a Gateway in its own or another namespace', () => {
    const route = { kind: 'gateway', path: '/' } as const;
    const parents = (gateway: string): unknown => {
      const made = generate({ ...application, route: { ...route, gateway } }, { reference: image });
      return (made.at(-1)?.object['spec'] as { parentRefs?: unknown } | undefined)?.parentRefs;
    };
    assert.deepEqual(parents('shared/public'), [{ name: 'public', namespace: 'shared' }]);
    assert.deepEqual(parents('public'), [{ name: 'public' }]);
  });

  it('is refused with wrong inputs by their names', () => {
    for (const [inputs, expected] of [
      [{ appName: 'Web' }, /'appName' is 'Web', which cannot name a Service/],
      [{ appName: 'web', cpuRequest: '1 core' }, /'cpuRequest' is '1 core'/],
      [{ appName: 'web', maxReplicas: '1', cpuRequest: '1' }, /'maxReplicas' is 1, less than 'replicas'/],
      [{ appName: 'web', maxReplicas: '5' }, /'cpuRequest' is empty/],
      [
        { appName: 'web', route: 'ingress', routeHost: 'shop' },
        /'routeHost' is 'shop', which is no DNS name/,
      ],
      [{ appName: 'web', route: 'gateway' }, /'gateway' is empty/],
    ] as const) {
      const { host } = recordingHost({ workingFolder: '/', inputs });
      assert.throws(() => toApplication(readInputs(host, fields)), expected);
    }
  });
});

describe('The pull secret', () => {
  it('has the same name at every run and is added to the pods once', () => {
    const secret = pullSecret('registry.example:5000', { username: 'u', password: 'p' });
    assert.equal(secret.object.metadata.name, pullSecretName('registry.example:5000'));
    assert.match(secret.object.metadata.name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
    const [pod] = parseManifests({
      name: 'p',
      text: JSON.stringify({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p' },
        spec: { containers: [] },
      }),
    });
    assert.ok(pod);
    const twice = withPullSecret(withPullSecret(pod.object, 's'), 's');
    assert.deepEqual(podTemplate(twice)?.spec?.imagePullSecrets, [{ name: 's' }]);
  });

  it('holds the credentials as the kubelet reads them', () => {
    const data = pullSecret('docker.io', { username: 'u', password: 'p' }).object['data'] as Record<
      string,
      string
    >;
    const document = JSON.parse(
      Buffer.from(data['.dockerconfigjson'] ?? '', 'base64').toString('utf8'),
    ) as object;
    assert.deepEqual(document, {
      auths: {
        'https://index.docker.io/v1/': {
          username: 'u',
          password: 'p',
          auth: Buffer.from('u:p').toString('base64'),
        },
      },
    });
  });
});
