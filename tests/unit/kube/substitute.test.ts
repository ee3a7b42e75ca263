import assert from 'node:assert/strict';
import { parseManifests } from '../../../src/kube/manifests/manifests.ts';
import { substitute } from '../../../src/kube/manifests/substitute.ts';
import type { KubeObject } from '../../../src/kube/objects/objects.ts';

const variables = [
  { name: 'Build.BuildId', value: '42', isSecret: false },
  { name: 'stage', value: 'prod\nkind: Secret', isSecret: false },
  { name: 'password', value: 'hunter2', isSecret: true },
];

function substituted(text: string): KubeObject | undefined {
  return substitute(parseManifests({ name: 'web.yaml', text }), variables)[0]?.object;
}

const configMap = (data: object): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web' }, data });

describe('$(name) in manifests, when asked', () => {
  it('becomes the value of the pipeline variable, however its letters are cased', () => {
    const object = substituted(configMap({ build: 'run $(build.buildid) of $(BUILD.BUILDID)' }));
    assert.deepEqual(object?.['data'], { build: 'run 42 of 42' });
  });

  it('is replaced after parsing, so that a value stays one text', () => {
    const object = substituted(
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  stage: $(stage)\n',
    );
    assert.equal(object?.kind, 'ConfigMap');
    assert.deepEqual(object?.['data'], { stage: 'prod\nkind: Secret' });
  });

  it('is left to Kubernetes where the container defines the name, and after its escape', () => {
    const container = {
      name: 'web',
      image: 'web:$(Build.BuildId)',
      env: [
        { name: 'HOST', value: 'db' },
        { name: 'stage', value: 'of the container' },
        { name: 'URL', value: 'http://$(HOST)/$(Build.BuildId)' },
      ],
      args: ['$(stage)', '$$(stage)', '$(Build.BuildId)', '$(date +%s)'],
    };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web' },
      spec: { containers: [container] },
    };
    const spec = substituted(JSON.stringify(pod))?.['spec'];
    const containers = [
      {
        ...container,
        image: 'web:42',
        env: [...container.env.slice(0, 2), { name: 'URL', value: 'http://$(HOST)/42' }],
        args: ['$(stage)', '$$(stage)', '42', '$(date +%s)'],
      },
    ];
    assert.deepEqual(spec, { containers });
  });

  it('ends with every name that has no value, by file and field', () => {
    assert.throws(() => substituted(configMap({ a: '$(first)', b: 'x $(Second.One)' })), {
      code: 'MANIFEST_VARIABLE',
      message:
        /web\.yaml, document 1 \(line 1\): data\.a: \$\(first\) is not set\n.*data\.b: \$\(Second\.One\) is not set/,
    });
  });

  it('puts a secret into the values of a Secret and nowhere else, without showing it', () => {
    const secret = (more: object): string =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'web', ...more },
        stringData: { a: '$(password)' },
      });
    assert.deepEqual(substituted(secret({}))?.['stringData'], { a: 'hunter2' });
    const refused = [configMap({ a: '$(password)' }), secret({ annotations: { a: '$(password)' } })];
    for (const text of refused) {
      assert.throws(
        () => substituted(text),
        ({ code, message }: { code: string; message: string }) =>
          code === 'MANIFEST_VARIABLE' &&
          message.includes('$(password) is secret') &&
          !message.includes('hunter2'),
      );
    }
  });
});
