import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { publishedModels } from '../../local/demo/models.ts';
import { repositoryRoot } from '../../local/lib/context.ts';

const example = join(repositoryRoot, 'examples/flask-app');

function text(file: string): string {
  return readFileSync(join(example, file), 'utf8');
}

/** The inputs of a task in a pipeline, wherever its step is. */
function inputsOf(file: string, task: string): Readonly<Record<string, unknown>> {
  const found: Record<string, unknown>[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const step = node as Record<string, unknown>;
    if (step['task'] === task) found.push(step);
    for (const child of Object.values(step)) visit(child);
  };
  visit(parse(text(file)));
  assert.equal(found.length, 1, `${file} uses ${task} once`);
  return found[0]?.['inputs'] as Readonly<Record<string, unknown>>;
}

interface Pipeline {
  readonly variables: Readonly<Record<string, string>>;
}

interface Deployment {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly securityContext: { readonly runAsUser: number; readonly runAsGroup: number };
        readonly containers: readonly {
          readonly image: string;
          readonly ports: readonly { readonly containerPort: number }[];
          readonly readinessProbe: { readonly httpGet: { readonly path: string } };
        }[];
      };
    };
  };
}

function imageSize(file: string): { width: number; height: number } {
  const png = readFileSync(join(repositoryRoot, file));
  assert.equal(png.subarray(1, 4).toString('latin1'), 'PNG');
  return { width: png.readUInt32BE(16), height: png.readUInt32BE(20) };
}

describe('the example', () => {
  const deployment = parse(text('manifests/deployment.yaml')) as Deployment;
  const pod = deployment.spec.template.spec;
  const [container] = pod.containers;
  const image = inputsOf('azure-pipelines.yml', 'BuildModelImage@1');
  const release = inputsOf('azure-pipelines.release.yml', 'DeployToAks@1');

  it('deploys the repository that the commit pipeline pushes to', () => {
    const names = ['azure-pipelines.yml', 'azure-pipelines.release.yml'].map(
      (file) => (parse(text(file)) as Pipeline).variables['imageRepository'],
    );
    assert.deepEqual(names, [container?.image, container?.image]);
  });

  it('runs the image on the port and as the user it was built for', () => {
    assert.equal(container?.ports[0]?.containerPort, image['port']);
    const { runAsUser, runAsGroup } = pod.securityContext;
    assert.equal(`${runAsUser}:${runAsGroup}`, image['user']);
  });

  it('asks the same question in the cluster and through the load balancer', () => {
    assert.equal(container?.readinessProbe.httpGet.path, release['probePath']);
  });

  it('pins every requirement to one version', () => {
    const lines = text('requirements.txt').split('\n');
    const requirements = lines.filter((line) => line !== '' && !line.startsWith('#'));
    assert.ok(requirements.length > 4);
    for (const line of requirements) assert.match(line, /^[a-z0-9]+==\d+(\.\d+)+$/);
  });

  it('puts the application and nothing else into the image', () => {
    const ignored = text('.dockerignore').split('\n');
    const generated = ['.pytest_cache', '.venv', 'published', 'test-results'];
    const left = readdirSync(example).filter((name) => !ignored.includes(name) && !generated.includes(name));
    assert.deepEqual(left.sort(), ['app', 'requirements.txt']);
  });

  it('knows the answers of every published model, and the first tells the versions apart', () => {
    const golden = JSON.parse(text('golden.json')) as {
      cases: { expected: Record<string, { label: string }> }[];
    };
    const versions = publishedModels.map(({ version }) => version);
    for (const { expected } of golden.cases) assert.deepEqual(Object.keys(expected), versions);
    const labels = Object.values(golden.cases[0]?.expected ?? {}).map(({ label }) => label);
    assert.equal(new Set(labels).size, versions.length);
  });
});

describe('the icons', () => {
  it('have the sizes that Azure DevOps asks for', () => {
    assert.deepEqual(imageSize('images/icon.png'), { width: 128, height: 128 });
    for (const task of ['FetchModel', 'BuildModelImage', 'DeployToAks']) {
      assert.deepEqual(imageSize(`tasks/${task}/icon.png`), { width: 32, height: 32 });
    }
  });
});
