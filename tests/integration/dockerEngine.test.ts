import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { buffer, text } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { ensureBaseImage } from '../../local/baseimage/index.ts';
import type { LocalContext } from '../../local/lib/context.ts';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { startServices, stopServices } from '../../local/services/index.ts';
import { mountsBelow, processesNaming } from '../../local/services/remains.ts';
import { readState } from '../../local/services/state.ts';
import { killService, withOwnServices } from '../support/ownServices.ts';

interface EngineCall {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

/** A call of the Docker Engine API, as a client of the socket makes it. */
async function engine(socket: string, call: EngineCall): Promise<string> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const { path, method = 'POST', headers = {} } = call;
    const sent = request({ socketPath: socket.replace('unix://', ''), path, method, headers }, resolve);
    sent.once('error', reject);
    sent.end(call.body);
  });
  const answer = await text(response);
  assert.ok((response.statusCode ?? 500) < 300, answer);
  return answer;
}

async function buildContext(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name }, content);
  archive.finalize();
  return buffer(archive);
}

async function startParts(context: LocalContext): Promise<{ socket: string; registry: RegistryEndpoint }> {
  const { docker, registry } = await startServices(context, ['docker', 'registry']);
  assert.ok(docker && registry);
  return { socket: docker.socket, registry };
}

/** Builds an image `app` whose steps copy a file and run Python on it; the build's output. */
async function build(context: LocalContext, socket: string, registry: RegistryEndpoint): Promise<string> {
  const { reference } = await ensureBaseImage(context, registry);
  const { username, password, host } = registry;
  const steps = [
    `FROM ${reference}`,
    'COPY input.txt /app/input.txt',
    `RUN python -c "print('sum', sum(map(int, open('/app/input.txt').read().split())))"`,
    'CMD ["python", "-m", "http.server", "8000"]',
  ];
  return engine(socket, {
    path: '/build?t=app',
    headers: {
      'content-type': 'application/x-tar',
      'x-registry-config': Buffer.from(JSON.stringify({ [host]: { username, password } })).toString('base64'),
    },
    body: await buildContext({ Dockerfile: steps.join('\n'), 'input.txt': '19 23' }),
  });
}

async function runContainer(socket: string): Promise<string> {
  const json = { 'content-type': 'application/json' };
  const body = JSON.stringify({ Image: 'app' });
  const created = await engine(socket, { path: '/containers/create', headers: json, body });
  const { Id } = JSON.parse(created) as { readonly Id: string };
  await engine(socket, { path: `/containers/${Id}/start` });
  return Id;
}

interface Traces {
  readonly runFolder: string;
  readonly bridge: string;
  readonly cgroup: string;
}

/** What is there of this engine: mounts, processes, network, control groups. */
async function tracesOf(context: LocalContext, { runFolder, bridge, cgroup }: Traces): Promise<object> {
  const pids = await readdir('/sys/fs/cgroup/pids').catch(() => readdir('/sys/fs/cgroup'));
  return {
    mounts: (await mountsBelow([context.stateFolder, runFolder])).length > 0,
    processes: (await processesNaming('containerd', runFolder)).length > 0,
    bridge: networkInterfaces()[bridge] !== undefined,
    group: pids.includes(cgroup.slice(1)),
  };
}

describe('local Docker engine', function () {
  // The first run on a machine builds the registry and makes the base image.
  this.timeout(600_000);

  it('builds a Dockerfile on the base image: copied files are there and commands run', () =>
    withOwnServices(async (context) => {
      const { socket, registry } = await startParts(context);
      const output = await build(context, socket, registry);
      assert.match(output, /sum 42/);
      assert.match(output, /Successfully tagged app:latest/);
    }));

  it('works again after a kill, with its images, and a stop leaves no process, mount or network behind', () =>
    withOwnServices(async (context) => {
      const { socket, registry } = await startParts(context);
      const engineState = await readState<Traces>(context, 'docker');
      assert.ok(engineState);
      const forwarding = await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8');
      await build(context, socket, registry);
      await runContainer(socket);
      await killService(context, 'docker');

      assert.equal((await startParts(context)).socket, socket);
      await runContainer(socket);
      const running = { mounts: true, processes: true, bridge: true, group: true };
      assert.deepEqual(await tracesOf(context, engineState), running);
      await killService(context, 'docker');
      await stopServices(context);
      const nothing = { mounts: false, processes: false, bridge: false, group: false };
      assert.deepEqual(await tracesOf(context, engineState), nothing);
      assert.equal(await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8'), forwarding);
      assert.deepEqual((await readdir(context.stateFolder)).sort(), ['daemons', 'logs']);
    }));
});
