import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runPipeline } from '../../local/agent/index.ts';
import type { PipelineResult, StepResult } from '../../local/agent/results.ts';
import { publishedModels, publishModel } from '../../local/demo/models.ts';
import type { RegistryEndpoint, StorageEndpoint } from '../../local/lib/endpoints.ts';
import { withFolder } from '../support/folder.ts';
import { services, testContext } from '../support/services.ts';
import { builtExtension } from '../support/vsix.ts';

type Inputs = Readonly<Record<string, string>>;

const deadPort = 'http://127.0.0.1:9';

function pipelineOf(task: string, inputs: Inputs): string {
  const lines = Object.entries(inputs).map(([name, value]) => `      ${name}: ${JSON.stringify(value)}`);
  return `steps:\n  - checkout: self\n  - task: ${task}@1\n    name: faulty\n    inputs:\n${lines.join('\n')}\n`;
}

function connectionsOf(registry: RegistryEndpoint, password: string, url = registry.url): string {
  const parameters = { registry: url, username: registry.username, password };
  const connection = {
    name: 'model-registry',
    id: '11111111-2222-4333-8444-555555555555',
    type: 'dockerregistry',
    url,
    scheme: 'UsernamePassword',
    parameters,
    data: { registrytype: 'Others' },
  };
  return JSON.stringify({ connections: [connection] });
}

async function runStep(
  folder: string,
  task: string,
  inputs: Inputs,
  connections: string,
): Promise<PipelineResult> {
  await mkdir(join(folder, 'repository'), { recursive: true });
  const file = join(folder, 'repository', 'faulty.yml');
  await writeFile(file, pipelineOf(task, inputs));
  await writeFile(join(folder, 'connections.json'), connections);
  return runPipeline({
    file,
    vsix: await builtExtension(),
    connectionsFile: join(folder, 'connections.json'),
    workFolder: join(folder, 'work'),
    screen: false,
  });
}

function faultyStep(result: PipelineResult): StepResult {
  const steps = result.stages.flatMap((stage) => stage.jobs).flatMap((job) => job.steps);
  const step = steps.find(({ name }) => name === 'faulty');
  assert.ok(step);
  return step;
}

describe('a packaged task that cannot do its work', function () {
  this.timeout(180_000);
  let storage: StorageEndpoint;
  let registry: RegistryEndpoint;
  let fetchInputs: Inputs;
  let buildInputs: Inputs;

  before(async () => {
    ({ storage, registry } = await services('storage', 'registry'));
    await publishModel(await testContext(), storage, publishedModels[0]);
    fetchInputs = {
      authentication: 'accountKey',
      storageAccount: storage.account,
      accountKey: storage.accountKey,
      blobEndpoint: storage.blobEndpoint,
      container: 'models',
      model: 'file-type',
      targetFolder: 'model',
    };
    buildInputs = {
      engine: 'registry',
      containerRegistry: 'model-registry',
      repository: 'faulty',
      tags: 'one',
      baseImage: `${registry.host}/python:no-such-tag`,
      appFolder: 'app',
      command: 'python3 -m app',
    };
  });

  interface Fault {
    readonly title: string;
    readonly task: string;
    readonly inputs: () => Inputs;
    readonly code: string;
    /** What the message or its remedy must name. */
    readonly says: RegExp;
    readonly password?: string;
    readonly registryUrl?: string;
  }

  const wrongKey = Buffer.from('not the key of this account').toString('base64');
  const faults: readonly Fault[] = [
    {
      title: 'names the container that is nearly right',
      task: 'FetchModel',
      inputs: () => ({ ...fetchInputs, container: 'modles' }),
      code: 'CONTAINER_NOT_FOUND',
      says: /models/,
    },
    {
      title: 'names the model that is nearly right',
      task: 'FetchModel',
      inputs: () => ({ ...fetchInputs, model: 'file-typo' }),
      code: 'MODEL_NOT_FOUND',
      says: /file-type/,
    },
    {
      title: 'names the versions there are',
      task: 'FetchModel',
      inputs: () => ({ ...fetchInputs, versionPolicy: 'exact', version: '3.2.1' }),
      code: 'VERSION_NOT_FOUND',
      says: /3\.2\.0/,
    },
    {
      title: 'says that the key is wrong, not that the model is missing',
      task: 'FetchModel',
      inputs: () => ({ ...fetchInputs, accountKey: wrongKey }),
      code: 'STORAGE_KEY_WRONG',
      says: /secret variable/,
    },
    {
      title: 'says which storage endpoint does not answer',
      task: 'FetchModel',
      inputs: () => ({ ...fetchInputs, blobEndpoint: `${deadPort}/${storage.account}` }),
      code: 'STORAGE_UNREACHABLE',
      says: /127\.0\.0\.1:9/,
    },
    {
      title: 'names the input that is missing',
      task: 'FetchModel',
      inputs: () => ({ ...fetchInputs, versionPolicy: 'exact' }),
      code: 'INPUT_MISSING',
      says: /version/,
    },
    {
      title: 'names the base image that is not there, and the tags that are',
      task: 'BuildModelImage',
      inputs: () => buildInputs,
      code: '(IMAGE|REPOSITORY)_NOT_FOUND',
      says: /python/,
    },
    {
      title: 'says that the registry refuses the credentials',
      task: 'BuildModelImage',
      inputs: () => buildInputs,
      code: 'REGISTRY_UNAUTHORIZED',
      says: /password|credentials/,
      password: 'a-wrong-password',
    },
    {
      title: 'says which registry does not answer',
      task: 'BuildModelImage',
      inputs: () => ({ ...buildInputs, baseImage: '127.0.0.1:9/python:3' }),
      code: 'REGISTRY_UNREACHABLE',
      says: /127\.0\.0\.1:9/,
      registryUrl: deadPort,
    },
  ];

  for (const fault of faults) {
    it(`${fault.title} (${fault.task}, ${fault.code})`, () =>
      withFolder(async (folder) => {
        await mkdir(join(folder, 'repository', 'app'), { recursive: true });
        await writeFile(join(folder, 'repository', 'app', '__main__.py'), 'print(1)\n');
        const password = fault.password ?? registry.password;
        const connections = connectionsOf(registry, password, fault.registryUrl ?? registry.url);
        const result = await runStep(folder, fault.task, fault.inputs(), connections);
        const step = faultyStep(result);
        assert.equal(result.result, 'Failed');
        const errors = step.issues.filter(({ type }) => type === 'error');
        assert.equal(errors.length, 1, JSON.stringify(errors));
        const message = errors[0]?.message ?? '';
        assert.match(message, new RegExp(`Code: ${fault.code}`));
        assert.match(message, /What to do: /);
        assert.match(message, fault.says);
        const logs = await Promise.all(
          (await readdir(result.logFolder)).map((name) =>
            readFile(join(result.logFolder, name), 'utf8').catch(() => ''),
          ),
        );
        for (const secret of [storage.accountKey, password]) assert.ok(!logs.join('').includes(secret));
      }));
  }
});
