import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TasksSettings } from '../../local/azure/taskRuns.ts';
import { repositoryRoot } from '../../local/lib/context.ts';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { DeliveryError } from '../../src/errors.ts';
import type { BuiltApplication } from '../../src/image/builder.ts';
import { createAcrEngine } from '../../src/image/engines/acr.ts';
import { withFolder } from '../support/folder.ts';
import { failureText } from '../support/identity.ts';
import { baseImage } from '../support/image.ts';
import { startTasksBench, type TasksBench } from '../support/registryTasks.ts';
import { services } from '../support/services.ts';

const platform = { os: 'linux', architecture: 'amd64' };
const stage = 'model-delivery-stage';

describe("builds by a registry's own Tasks", function () {
  this.timeout(300_000);
  let bench: TasksBench;
  let registry: RegistryEndpoint;
  let base: string;

  before(async () => {
    registry = (await services('registry')).registry;
    base = (await baseImage(registry)).reference;
    bench = await startTasksBench();
  });

  after(() => bench.close());

  /** A build of these instructions, with what it has logged. */
  function build(
    on: TasksBench,
    steps: readonly string[],
    options: {
      signal?: AbortSignal;
      onLine?: (line: string) => void;
      agentPool?: string;
      registryUrl?: string;
    } = {},
  ): Promise<BuiltApplication> {
    const { signal = new AbortController().signal, onLine = () => undefined, agentPool } = options;
    return withFolder(async (folder) => {
      await writeFile(join(folder, 'Dockerfile'), `${steps.join('\n')}\n`);
      await mkdir(join(folder, 'work'));
      return createAcrEngine({
        ...{ tasks: on.tasksOf(signal, options.registryUrl), client: on.clientOf('tasks/app', signal) },
        ...{
          repository: 'tasks/app',
          stagingTag: stage,
          timeoutSeconds: 300,
          pollMs: 50,
          platform,
          signal,
          onLine,
        },
        ...{ dockerfile: join(folder, 'Dockerfile'), workFolder: join(folder, 'work') },
        buildArguments: { BASE: base, TOKEN: 'a-value-of-a-secret-variable' },
        logins: async () => ({ [registry.host]: registry }),
        readBase: async () => undefined,
        ...(agentPool === undefined ? {} : { agentPool }),
      }).build();
    });
  }

  /** With these settings for one test. */
  async function withSettings(changed: Partial<TasksSettings>, use: () => Promise<void>): Promise<void> {
    const before = { ...bench.settings };
    Object.assign(bench.settings, changed);
    try {
      await use();
    } finally {
      Object.assign(bench.settings, before);
    }
  }

  const fromScratch = ['FROM scratch', 'COPY Dockerfile /made'];
  const failing = (work: Promise<unknown>) => failureText(work);

  it('gives an image of the usual shape, with no staging tag left and no secret said', () =>
    withFolder(async (folder) => {
      for (const name of ['app', 'model']) await mkdir(join(folder, name));
      const weights = randomBytes(200_000);
      await writeFile(join(folder, 'model', 'weights.bin'), weights);
      const steps = ['ARG TOKEN', ...fromScratch.slice(0, 1), 'COPY . /app'];
      await writeFile(join(folder, 'app', 'Dockerfile'), `${steps.join('\n')}\n`);
      await writeFile(join(folder, 'authority.pem'), bench.local.authority.certificate);
      const { connection, acr, local } = bench;
      const settings = {
        workingFolder: folder,
        connections: [connection],
        pipelineIdentity: {
          accessToken: local.devops.accessToken,
          oidcRequestUri: local.devops.oidcRequestUri,
        },
        inputs: {
          ...{ azureSubscription: connection.id, registry: acr.url, repository: 'tasks/model', tags: 'one' },
          ...{ engine: 'acr', dockerfile: 'app/Dockerfile', modelFolder: 'model' },
          buildArguments: 'TOKEN=a-value-of-a-secret-variable',
        },
      };
      const script = `
        import { recordingHost } from ${JSON.stringify(join(repositoryRoot, 'tests/support/host.ts'))};
        import { buildModelImage } from ${JSON.stringify(join(repositoryRoot, 'tasks/BuildModelImage/run.ts'))};
        const { host, said } = recordingHost(${JSON.stringify(settings)});
        await buildModelImage(host).catch((error) => { console.error(error); process.exitCode = 1; });
        console.log(JSON.stringify({ lines: said.lines, warnings: said.warnings, secrets: said.secrets }));`;
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--import', 'tsx/esm', '--input-type=module', '--eval', script],
        {
          cwd: repositoryRoot,
          env: { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'authority.pem') },
        },
      );
      const said = JSON.parse(stdout) as { lines: string[]; warnings: string[]; secrets: string[] };
      const client = bench.clientOf('tasks/model');
      const image = await client.image('tasks/model', 'one', platform);
      const kinds = image.manifest.layers.map((layer) => layer.annotations?.['dev.model-delivery.layer']);
      assert.deepEqual(kinds, ['application', 'model']);
      assert.deepEqual(said.warnings, []);
      const text = said.lines.join('\n');
      assert.match(text, /ACR Tasks, run c\w+: Succeeded/);
      assert.ok(!text.includes('a-value-of-a-secret-variable'));
      assert.ok(
        said.secrets.some((value) => value.length > 30),
        'signatures of addresses are masked',
      );
      assert.deepEqual(
        said.secrets.filter((value) => text.includes(value)),
        [],
      );
      assert.ok(!(await client.listTags('tasks/model')).includes(stage));
    }));

  it('finds the image by the log where the service does not name it', () =>
    withSettings({ namesImage: false }, async () => {
      const built = await build(bench, fromScratch);
      assert.equal([...built.below, ...built.above].length, 1);
    }));

  it('leaves the staging tag to the next run where the identity may not delete', async () => {
    const { objectId } = bench.local.application;
    const { grants } = bench.acr.settings;
    bench.acr.settings.grants = [{ objectId, repository: '*', actions: ['pull', 'push'] }];
    try {
      await build(bench, fromScratch);
      assert.deepEqual(await bench.clientOf('tasks/app').listTags('tasks/app'), [stage]);
    } finally {
      bench.acr.settings.grants = grants;
    }
    await bench.clientOf('tasks/app').removeTag('tasks/app', stage);
    assert.deepEqual(await bench.clientOf('tasks/app').listTags('tasks/app'), []);
  });

  it('cancels the run when the agent cancels, and it stops', async () => {
    const cancel = new AbortController();
    const reason = new Error('cancelled by the test');
    const steps = ['ARG BASE', 'FROM ${BASE}', 'RUN sleep 600'];
    const onLine = (line: string): void => {
      if (line.includes('RUN sleep')) cancel.abort(reason);
    };
    let id = '';
    const noting = (line: string): void => {
      id = /run (c\w+):/.exec(line)?.[1] ?? id;
      onLine(line);
    };
    await assert.rejects(build(bench, steps, { signal: cancel.signal, onLine: noting }), reason);
    assert.equal((await bench.tasksOf().run(id)).status, 'Canceled');
  });

  it('says when someone else cancels the run, and when its time is up', async () => {
    const steps = ['ARG BASE', 'FROM ${BASE}', 'RUN sleep 600'];
    const onLine = (line: string): void => {
      const id = /run (c\w+): Running/.exec(line)?.[1];
      if (id !== undefined) void bench.tasksOf().cancel(id);
    };
    assert.equal((await failing(build(bench, steps, { onLine }))).code, 'ACR_RUN_CANCELLED');
    await withSettings({ secondMs: 5 }, async () => {
      const { code, text } = await failing(build(bench, steps));
      assert.equal(code, 'ACR_RUN_TIMEOUT');
      assert.match(text, /300 s/);
    });
  });

  it('names the roles, the near registries, the tier and the networks that stand in the way', async () => {
    await withSettings({ contributors: [] }, async () => {
      const { code, text } = await failing(build(bench, fromScratch));
      assert.equal(code, 'ACR_ROLE_MISSING');
      assert.match(text, /Container Registry Tasks Contributor.*AcrPush/);
    });
    const elsewhere = await failing(build(bench, fromScratch, { registryUrl: 'https://my-team.azurecr.io' }));
    assert.equal(elsewhere.code, 'ACR_REGISTRY_NOT_FOUND');
    assert.ok(elsewhere.text.includes(new URL(bench.acr.url).host));
    await withSettings({ allowed: false }, async () => {
      assert.equal((await failing(build(bench, fromScratch))).code, 'ACR_TASKS_NOT_ALLOWED');
    });
    const pool = await failing(build(bench, fromScratch, { agentPool: 'outside' }));
    assert.equal(pool.code, 'ACR_AGENT_POOL_UNKNOWN');
    await withSettings({ admitted: false }, async () => {
      assert.equal((await failing(build(bench, fromScratch))).code, 'ACR_NETWORK_RESTRICTED');
    });
    await withSettings({ signedForMs: -60_000 }, async () => {
      assert.equal((await failing(build(bench, fromScratch))).code, 'ACR_CONTEXT_REFUSED');
    });
  });

  it('shows the last lines of a run that fails for another reason than its Dockerfile', async () => {
    const { code, text } = await failing(build(bench, ['FROM 127.0.0.1:1/nothing', 'COPY Dockerfile /']));
    assert.equal(code, 'ACR_RUN_FAILED');
    assert.match(text, /127\.0\.0\.1:1/);
  });

  it('pushes as the caller where permissions are by repository, and not without its right', async () => {
    const byRepository = await startTasksBench(true);
    try {
      await build(byRepository, fromScratch);
      byRepository.acr.settings.grants = [];
      const failure = await build(byRepository, fromScratch).catch((error: unknown) => error);
      assert.ok(failure instanceof DeliveryError && failure.code === 'ACR_RUN_FAILED');
    } finally {
      await byRepository.close();
    }
  });
});
