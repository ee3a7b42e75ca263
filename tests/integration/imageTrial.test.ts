import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { XMLParser } from 'fast-xml-parser';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { withFolder } from '../support/folder.ts';
import type { Recorded } from '../support/host.ts';
import { type BuildSettings, baseImage, buildWith, pull, runBuild } from '../support/image.ts';
import { services } from '../support/services.ts';
import { registryClient } from '../support/webImage.ts';

const run = promisify(execFile);

/** Answers a score with the model's first number. */
const application = `
import http.server, json, os, time
print('##vso[task.setvariable variable=stolen]loading the model', flush=True)
time.sleep(float(os.environ.get('LOADS_FOR', '0')))
score = float(open(os.environ['MODEL_PATH'] + '/score.txt').read())
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(404, {})
    def do_POST(self):
        text = self.rfile.read(int(self.headers['content-length']))
        self.answer(200, {'score': score, 'length': len(json.loads(text)['text']), 'at': time.time()})
    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Handler).serve_forever()
`;

const golden = (score: number): string =>
  JSON.stringify({
    tolerance: 0.01,
    cases: [
      {
        name: 'four letters',
        request: { method: 'POST', path: '/score', json: { text: 'four' } },
        expected: { score, length: 4 },
      },
      { name: 'no page', request: { path: '/page' }, status: 404 },
    ],
  });

describe('The test of an image before it gets its tags', function () {
  this.timeout(300_000);
  let registry: RegistryEndpoint;
  let socket: string;
  let base: string;
  const callersHost = process.env['DOCKER_HOST'];

  before(async () => {
    const started = await services('registry', 'docker');
    registry = started.registry;
    socket = started.docker.socket;
    base = (await baseImage(registry)).reference;
    process.env['DOCKER_HOST'] = socket;
  });

  after(() => {
    if (callersHost === undefined) delete process.env['DOCKER_HOST'];
    else process.env['DOCKER_HOST'] = callersHost;
  });

  const docker = async (...args: readonly string[]): Promise<string> =>
    (await run('docker', ['--host', socket, ...args])).stdout.trim();

  /** Containers and images that a test left in the engine. */
  const remains = async (repository: string): Promise<string> => {
    const containers = await docker(
      'ps',
      '--all',
      '--quiet',
      '--filter',
      'label=dev.model-delivery.part=test',
    );
    return (
      containers + (await docker('images', '--quiet', '--filter', `reference=${registry.host}/${repository}`))
    );
  };

  const tagsOf = async (repository: string): Promise<readonly string[]> =>
    (await registryClient(registry, repository).listTags(repository)).filter(
      (tag) => !/^model-[0-9a-f]/.test(tag),
    );

  interface Project {
    readonly folder: string;
    readonly repository: string;
    readonly settings: (inputs?: Readonly<Record<string, string>>) => BuildSettings;
    readonly build: (inputs?: Readonly<Record<string, string>>) => Promise<Recorded>;
  }

  const withProject = (use: (project: Project) => Promise<void>): Promise<void> =>
    withFolder(async (folder) => {
      await mkdir(join(folder, 'app'));
      await mkdir(join(folder, 'model'));
      await writeFile(join(folder, 'app', 'app.py'), application);
      await writeFile(join(folder, 'model', 'score.txt'), '0.5\n');
      await writeFile(join(folder, 'golden.json'), golden(0.505));
      const repository = `trial/${randomBytes(6).toString('hex')}`;
      const settings = (inputs: Readonly<Record<string, string>> = {}): BuildSettings => ({
        registry,
        folder,
        inputs: {
          ...{ repository, baseImage: base, appFolder: 'app', command: 'python3 app.py', port: '8080' },
          ...{ modelFolder: join(folder, 'model'), testFile: 'golden.json' },
          ...inputs,
        },
      });
      await use({ folder, repository, settings, build: (inputs) => runBuild(settings(inputs)) });
    });

  it('asks the assembled image with its model, tags it and leaves nothing in the engine', async () => {
    await withProject(async ({ repository, build }) => {
      const said = await build({ environment: 'LOADS_FOR=1.5' });
      assert.equal((await pull(registry, repository, 'test', 99)).digest, said.outputs.get('imageDigest'));
      const [[title, xml] = ['', '']] = said.testResults;
      assert.equal(title, `Image test ${repository}`);
      assert.equal(said.outputs.get('testResults'), `${title}.xml`);
      const { testsuites } = new XMLParser({ ignoreAttributes: false }).parse(xml);
      assert.equal(testsuites.testsuite['@_tests'], '2');
      assert.equal(testsuites.testsuite['@_failures'], '0');
      assert.match(String(said.summaries.get('Image test')), /four letters.*as expected/);
      assert.equal(await remains(repository), '');
    });
  });

  it('gives no tag to an image whose answers differ, and shows expected and actual', async () => {
    await withProject(async ({ folder, repository, settings }) => {
      await writeFile(join(folder, 'golden.json'), golden(0.9));
      const { said, done } = buildWith(settings());
      await assert.rejects(done, {
        code: 'TEST_FAILED',
        message: /1 of 2 .*four letters: \$\.score is 0\.5, expected 0\.9 ± 0\.01/,
      });
      assert.deepEqual(await tagsOf(repository), []);
      const text = said.lines.join('\n');
      assert.match(text, /FAILED {2}four letters: POST \/score/);
      assert.match(text, /loading the model/);
      assert.equal(text.includes('##vso['), false);
      const [xml = ''] = said.testResults.values();
      const { testsuites } = new XMLParser({ ignoreAttributes: false }).parse(xml);
      assert.equal(testsuites.testsuite['@_failures'], '1');
      assert.equal(await remains(repository), '');
    });
  });

  it('keeps the tags where they were when a new version fails', async () => {
    await withProject(async ({ folder, repository, build }) => {
      const good = await build();
      await writeFile(join(folder, 'model', 'score.txt'), '0.1\n');
      await assert.rejects(build(), { code: 'TEST_FAILED' });
      assert.equal((await pull(registry, repository, 'test', 99)).digest, good.outputs.get('imageDigest'));
    });
  });

  it('does not ask an unchanged image again, but for new requests', async () => {
    await withProject(async ({ folder, build }) => {
      const first = await build();
      const again = await build();
      assert.equal(again.outputs.get('imageDigest'), first.outputs.get('imageDigest'));
      assert.equal(again.testResults.size, 0);
      await writeFile(join(folder, 'golden.json'), golden(0.495));
      const asked = await build({ tags: 'later' });
      assert.equal(asked.outputs.get('imageDigest'), first.outputs.get('imageDigest'));
      assert.equal(asked.testResults.size, 1);
    });
  });

  it('ends at once with its last lines when the container does', async () => {
    await withProject(async ({ folder, repository, build }) => {
      await writeFile(join(folder, 'app', 'app.py'), 'raise SystemExit("the weights are corrupt")\n');
      await assert.rejects(build(), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'TEST_CONTAINER_EXITED');
        assert.match(error.message, /exit code 1/);
        assert.match(String((error.cause as Error).message), /the weights are corrupt/);
        return true;
      });
      assert.deepEqual(await tagsOf(repository), []);
      assert.equal(await remains(repository), '');
    });
  });

  it('says so when the container never answers', async () => {
    await withProject(async ({ repository, build }) => {
      const never = build({ environment: 'LOADS_FOR=600', testTimeout: '2' });
      await assert.rejects(never, { code: 'TEST_NOT_READY', message: /port 8080 within 2 s/ });
      assert.equal(await remains(repository), '');
    });
  });

  it('removes the container when the run is cancelled', async () => {
    await withProject(async ({ repository, settings }) => {
      const cancel = new AbortController();
      const { done } = buildWith({ ...settings({ environment: 'LOADS_FOR=600' }), signal: cancel.signal });
      const ended = assert.rejects(done);
      while ((await docker('ps', '--quiet', '--filter', 'label=dev.model-delivery.part=test')) === '');
      cancel.abort(new Error('cancelled'));
      await ended;
      assert.equal(await remains(repository), '');
      assert.deepEqual(await tagsOf(repository), []);
    });
  });

  it('removes what a killed run has left in the engine, and leaves alone what another run still uses', async () => {
    await withProject(async ({ folder, repository, build }) => {
      const image = `left-by-a-kill-${randomBytes(4).toString('hex')}`;
      await writeFile(join(folder, 'empty.tar'), Buffer.alloc(1024));
      await docker('import', join(folder, 'empty.tar'), image);
      const ended = spawnSync(process.execPath, ['--version']).pid;
      const create = (pid: number): Promise<string> => {
        const owner = { part: 'test', machine: hostname(), pid, until: 4e9, 'keep-image': pid !== ended };
        const labels = Object.entries(owner).map(
          ([name, value]) => `--label=dev.model-delivery.${name}=${value}`,
        );
        return docker('create', ...labels, image, '/none');
      };
      const [mine, left] = [await create(process.pid), await create(ended)];
      try {
        await build();
        const ids = (await docker('ps', '--all', '--quiet', '--no-trunc')).split('\n');
        assert.equal(ids.includes(left), false);
        assert.equal(ids.includes(mine), true);
      } finally {
        await docker('rm', '--force', mine);
      }
      await docker('rmi', image);
      assert.equal(await remains(repository), '');
    });
  });

  it("tests a Dockerfile's image too", async () => {
    await withProject(async ({ folder, repository, build }) => {
      const dockerfile = [`FROM ${base}`, 'WORKDIR /app', 'COPY app.py .', 'CMD ["python3", "app.py"]', ''];
      await writeFile(join(folder, 'app', 'Dockerfile'), dockerfile.join('\n'));
      const inputs = { baseImage: '', command: '', dockerfile: join(folder, 'app', 'Dockerfile') };
      const said = await build({ ...inputs, port: '', testPort: '8080' });
      assert.equal(said.testResults.size, 1);
      assert.equal(await remains(repository), '');
    });
  });

  it('builds nothing where no engine can start the image, and names the other way', async () => {
    await withProject(async ({ folder, build }) => {
      process.env['DOCKER_HOST'] = `unix://${join(folder, 'none.sock')}`;
      try {
        await assert.rejects(build(), (error: Error & { code?: string; remedy?: string }) => {
          assert.equal(error.code, 'TEST_ENGINE_MISSING');
          assert.match(String(error.remedy), /DeployToAks as 'verifyFile'/);
          return true;
        });
      } finally {
        process.env['DOCKER_HOST'] = socket;
      }
    });
  });

  it('refuses a test without a port, and a file that is none', async () => {
    await withProject(async ({ folder, build }) => {
      await assert.rejects(build({ port: '' }), { code: 'INPUT_MISSING', message: /testPort/ });
      await assert.rejects(build({ testFile: 'none.json' }), { code: 'GOLDEN_FILE_INVALID' });
      await writeFile(join(folder, 'golden.json'), '{}');
      await assert.rejects(build(), { code: 'GOLDEN_FILE_INVALID' });
    });
  });
});
