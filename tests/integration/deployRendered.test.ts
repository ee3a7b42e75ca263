import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createContext } from '../../local/lib/context.ts';
import type { KubeObject } from '../../src/kube/objects/objects.ts';
import { type Run, runDeploy, soon, type TestNamespace, testNamespace } from '../support/deployment.ts';
import { renderTools } from '../support/renderTools.ts';
import { services } from '../support/services.ts';

const image = `registry.example/team/app@sha256:${'a'.repeat(64)}`;

const workload = (name: string, more = '') => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: 0
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { containers: [{ name: app, image: team/app${more} }] }
`;

const hook = (kind: string) => `apiVersion: batch/v1
kind: Job
metadata: { name: {{ .Release.Name }}-${kind}, annotations: { "helm.sh/hook": ${kind} } }
spec: { template: { spec: { restartPolicy: Never, containers: [{ name: job, image: job }] } } }
`;

const files: Readonly<Record<string, string>> = {
  'overlays/prod/kustomization.yaml':
    'resources: [../../base]\nnamePrefix: prod-\nconfigMapGenerator: [{ name: settings, literals: [greeting=hello] }]\n',
  'base/kustomization.yaml': 'resources: [web.yaml]\n',
  'base/web.yaml': workload('web'),
  'overlays/broken/kustomization.yaml': 'resources: [../../nowhere]\n',
  'charts/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'charts/web/values.yaml': 'greeting: hello\nmigrate: false\nwrong: false\n',
  'charts/web/templates/web.yaml': workload(
    '{{ .Release.Name }}',
    ', env: [{ name: GREETING, value: {{ .Values.greeting | quote }} }, { name: VERSION, value: {{ .Capabilities.KubeVersion.Major | quote }} }]',
  ),
  'charts/web/templates/test.yaml': hook('test'),
  'charts/web/templates/migrate.yaml': `{{ if .Values.migrate }}\n${hook('pre-upgrade')}{{ end }}\n`,
  'charts/web/templates/wrong.yaml':
    '{{ if .Values.wrong }}\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: wrong }\ndeta: {}\n{{ end }}\n',
  'values.yaml': 'greeting: from a file\n',
};

describe('DeployToAks with manifests that are rendered', function () {
  this.timeout(60_000);
  let namespace: TestNamespace;
  let kubeconfig: string;
  let folder: string;
  let tools: string;

  const deploy = (inputs: Record<string, string>, path = tools): Promise<Run> =>
    runDeploy({
      variables: { 'Build.BuildId': '42' },
      inputs: { connectionType: 'kubeconfig', kubeconfig, namespace: namespace.name, image, ...inputs },
      workingFolder: folder,
      environment: { ...process.env, PATH: path },
    });

  const succeeded = (run: Run): Run => {
    assert.equal(run.error, undefined, `${run.error?.message}\n${run.log}`);
    return run;
  };

  const find = (kind: string, name: string): Promise<KubeObject | undefined> =>
    namespace.client.get({ apiVersion: 'apps/v1', kind, name, namespace: namespace.name }, soon());

  before(async function () {
    this.timeout(900_000);
    const { cluster } = await services('cluster');
    kubeconfig = cluster.kubeconfig;
    namespace = await testNamespace(cluster);
    folder = await mkdtemp(join(tmpdir(), 'model-delivery-test-'));
    tools = join(folder, 'tools');
    for (const [file, text] of Object.entries({ ...files, 'tools/.keep': '' })) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), text);
    }
    await renderTools(await createContext(() => undefined), tools);
  });

  after(async () => {
    await namespace?.remove();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  it('takes a kustomization as what it stands for, and a second run has nothing to do', async () => {
    succeeded(await deploy({ manifests: 'overlays/prod' }));
    const live = await find('Deployment', 'prod-web');
    assert.ok(JSON.stringify(live).includes(image), 'the image is pinned');
    const again = succeeded(await deploy({ manifests: 'overlays/prod' }));
    assert.equal(again.said.outputs.get('changed'), 'false', again.log);
  });

  it('takes a chart with its values, those of files and single ones, without its tests', async () => {
    const inputs = { manifests: 'charts/web', helmReleaseName: 'shop', helmValues: 'values.yaml' };
    succeeded(await deploy(inputs));
    const text = JSON.stringify(await find('Deployment', 'shop'));
    assert.ok(text.includes('"value":"from a file"') && text.includes('"value":"1"'), text);
    const set = succeeded(await deploy({ ...inputs, helmSet: 'greeting=a=b {c}' }));
    assert.match(set.log, /leave|update Deployment 'shop'/);
    assert.ok(JSON.stringify(await find('Deployment', 'shop')).includes('"value":"a=b {c}"'));
  });

  it('puts pipeline variables into what was rendered, when asked', async () => {
    const inputs = {
      manifests: 'charts/web',
      helmReleaseName: 'built',
      helmSet: 'greeting=of $(Build.BuildId)',
    };
    succeeded(await deploy(inputs));
    assert.ok(JSON.stringify(await find('Deployment', 'built')).includes('"value":"of $(Build.BuildId)"'));
    succeeded(await deploy({ ...inputs, substituteVariables: 'true' }));
    assert.ok(JSON.stringify(await find('Deployment', 'built')).includes('"value":"of 42"'));
  });

  for (const [what, inputs, code, expected] of [
    ['a tool refuses', { manifests: 'overlays/broken' }, 'RENDER_FAILED', /kustomize cannot .*nowhere/s],
    [
      'have hooks',
      { manifests: 'charts/web', helmSet: 'migrate=true' },
      'CHART_HOOKS',
      /Job 'web-pre-upgrade'.*pre-upgrade, .*templates\/migrate\.yaml/,
    ],
    [
      'the API server refuses',
      { manifests: 'charts/web', helmSet: 'wrong=true' },
      'MANIFEST_INVALID',
      /charts\/web \(chart\), web\/templates\/wrong\.yaml: .*deta/,
    ],
  ] as const) {
    it(`that ${what} are refused with the place and the reason`, async () => {
      const run = await deploy(inputs);
      assert.equal(run.error?.code, code, `${run.error?.message}\n${run.log}`);
      assert.match(run.error.message, expected);
    });
  }

  it('names the tool that the agent lacks', async () => {
    const run = await deploy({ manifests: 'overlays/prod' }, join(folder, 'base'));
    assert.equal(run.error?.code, 'RENDER_TOOL_MISSING');
    assert.match(run.error.message, /kustomize or kubectl/);
  });
});
