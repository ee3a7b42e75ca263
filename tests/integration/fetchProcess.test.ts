import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packagedTaskFolder } from '../../build/layout.ts';
import { repositoryRoot } from '../../local/lib/context.ts';
import type { StorageEndpoint } from '../../local/lib/endpoints.ts';
import { parseLock } from '../../src/model/lock.ts';
import { newContainer, publish } from '../support/blobs.ts';
import { type SeenRequest, withFaultProxy } from '../support/faultProxy.ts';
import { filesBelow, type Inputs, keyInputs } from '../support/fetch.ts';
import { withFolder } from '../support/folder.ts';
import { services } from '../support/services.ts';

/** Moments at which the process is killed while it replaces a version; more by MODEL_DELIVERY_KILLS. */
const kills = Number(process.env['MODEL_DELIVERY_KILLS'] ?? 8);

/** The packaged task as the agent starts it: a process of its own, inputs in the environment. */
function start(inputs: Inputs, temporaryFolder: string): ChildProcess {
  const given = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]);
  return spawn(process.execPath, [join(packagedTaskFolder('FetchModel'), 'index.js')], {
    cwd: repositoryRoot,
    env: { ...process.env, AGENT_TEMPDIRECTORY: temporaryFolder, ...Object.fromEntries(given) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function finished(child: ChildProcess): Promise<string> {
  let output = '';
  if (child.exitCode !== null || child.signalCode !== null) return output;
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await once(child, 'close');
  return output;
}

/** Kills the process once its journal has this many finished ranges. */
async function killWhen(journal: string, ranges: number, child: ChildProcess | undefined): Promise<void> {
  const finished = async (): Promise<number> => (await readFile(journal, 'utf8')).split('\n').length - 2;
  while ((await finished()) < ranges) await sleep(20);
  child?.kill('SIGKILL');
}

describe('the FetchModel process', () => {
  // More than one range each.
  const content = randomBytes(26_000_000);
  let storage: StorageEndpoint;
  let container: Awaited<ReturnType<typeof newContainer>>;

  before(async function () {
    this.timeout(120_000);
    ({ storage } = await services('storage'));
    container = await newContainer(storage);
    await publish(container, { 'm/1/a.bin': content, 'm/1/b.bin': content.subarray(1) });
  });

  async function holdsTheModel(folder: string): Promise<void> {
    assert.deepEqual(await filesBelow(folder), ['a.bin', 'b.bin', 'model.lock.json']);
    assert.ok(content.equals(await readFile(join(folder, 'a.bin'))));
    assert.ok(content.subarray(1).equals(await readFile(join(folder, 'b.bin'))));
    assert.ok(parseLock(await readFile(join(folder, 'model.lock.json'), 'utf8'))?.digest);
  }

  it('may be killed at any moment: no lock, no final name, and the next run is right', function () {
    this.timeout(120_000);
    return withFolder(async (folder) => {
      const target = join(folder, 'model');
      const inputs = { ...keyInputs(storage, container.containerName, target), model: 'm' };
      for (const pieces of [1, 20, 90]) {
        let passed = 0;
        let child: ChildProcess | undefined;
        const rule = () => {
          // Slow enough that the transfer is under way when the process dies.
          passed += 1;
          if (passed === 2) setTimeout(() => child?.kill('SIGKILL'), pieces * 5);
          return passed > 1 ? ({ kind: 'slow', pauseMs: 10 } as const) : undefined;
        };
        await withFaultProxy(storage.blobEndpoint, rule, async (proxy) => {
          child = start({ ...inputs, blobEndpoint: proxy.url }, folder);
          await finished(child);
          assert.equal(child.signalCode, 'SIGKILL');
        });
        const left = await filesBelow(target);
        assert.deepEqual(
          left.filter((file) => !/\.partial$|^\.model-delivery/.test(file)),
          [],
        );
      }
      const output = await finished(start(inputs, folder));
      assert.match(output, /task\.complete result=Succeeded/);
      await holdsTheModel(target);
    });
  });

  it('sets the outputs by the logging commands, registers the key, and shows it nowhere else', () =>
    withFolder(async (folder) => {
      const target = join(folder, 'model');
      const inputs = { ...keyInputs(storage, container.containerName, target), model: 'm' };
      const output = await finished(start(inputs, folder));
      assert.match(output, /##vso\[task\.setvariable variable=modelVersion;[^\]]*isOutput=true[^\]]*\]1\n/);
      assert.match(output, /##vso\[task\.addattachment type=model-delivery\.model;name=model;\]/);
      assert.match(output, /##vso\[task\.uploadsummary\]/);
      const shown = output
        .split('\n')
        .filter(
          (line) => line.includes(storage.accountKey) && !/^##vso\[task\.(setsecret|debug)\]/.test(line),
        );
      assert.deepEqual(shown, []);
      await holdsTheModel(target);
    }));

  it('ends when the agent cancels, and leaves nothing under a final name', () =>
    withFolder(async (folder) => {
      const target = join(folder, 'model');
      const inputs = { ...keyInputs(storage, container.containerName, target), model: 'm' };
      let child: ChildProcess | undefined;
      let passed = 0;
      const rule = () => {
        passed += 1;
        if (passed === 2) setTimeout(() => child?.kill('SIGINT'), 100);
        return passed > 1 ? ({ kind: 'slow', pauseMs: 20 } as const) : undefined;
      };
      await withFaultProxy(storage.blobEndpoint, rule, async (proxy) => {
        child = start({ ...inputs, blobEndpoint: proxy.url }, folder);
        const output = await finished(child);
        assert.match(output, /task\.complete result=Failed.*Code: CANCELLED/);
      });
      assert.equal((await filesBelow(target)).includes('a.bin'), false);
      assert.match(await finished(start(inputs, folder)), /task\.complete result=Succeeded/);
      await holdsTheModel(target);
    }));

  it('never leaves a lock that lies, whenever it is killed while it replaces a version', function () {
    this.timeout(60_000 + kills * 10_000);
    return withFolder(async (folder) => {
      const target = join(folder, 'model');
      const many = await newContainer(storage);
      const version = (name: string, from: number): Record<string, string> =>
        Object.fromEntries(
          Array.from({ length: 120 }, (_, index) => [`v/${name}/f${from + index}`, `${name} ${index}`]),
        );
      await Promise.all(
        Object.entries({ ...version('1', 0), ...version('2', 60) }).map(([name, content]) =>
          publish(many, { [name]: content }),
        ),
      );
      const inputs = {
        ...keyInputs(storage, many.containerName, target),
        model: 'v',
        versionPolicy: 'exact',
      };
      const lockIsTrue = async (): Promise<void> => {
        const file = join(target, 'model.lock.json');
        const lock = parseLock(await readFile(file, 'utf8').catch(() => ''));
        const names = (await filesBelow(target)).filter((name) => /^f\d+$/.test(name));
        if (lock === undefined) return;
        assert.deepEqual(names, lock.files.map((each) => each.path).sort());
        for (const { path, sha256 } of lock.files) {
          assert.equal(
            createHash('sha256')
              .update(await readFile(join(target, path)))
              .digest('hex'),
            sha256,
          );
        }
      };
      // Park and Miller's generator: the same moments in every run.
      let seed = 20_261_122;
      for (let round = 0; round < kills; round += 1) {
        seed = (seed * 48_271) % 2_147_483_647;
        const child = start({ ...inputs, version: String(1 + (round % 2)) }, folder);
        const chosen = once(child.stdout ?? child, 'data');
        await Promise.race([chosen, once(child, 'close')]);
        await sleep(seed % 400);
        child.kill('SIGKILL');
        await finished(child);
        await lockIsTrue();
      }
      for (const wanted of ['1', '2']) {
        const output = await finished(start({ ...inputs, version: wanted }, folder));
        assert.match(output, /task\.complete result=Succeeded/);
        await lockIsTrue();
        assert.equal((await filesBelow(target)).length, 121);
      }
    });
  });

  it('waits for another run in the same folder, and then finds nothing to do', () =>
    withFolder(async (folder) => {
      const target = join(folder, 'model');
      const inputs = { ...keyInputs(storage, container.containerName, target), model: 'm' };
      // Each agent has a temporary folder of its own.
      const agents = [join(folder, 'agent1'), join(folder, 'agent2')];
      await Promise.all(agents.map((agent) => mkdir(agent)));
      const outputs = await Promise.all(agents.map((agent) => finished(start(inputs, agent))));
      for (const output of outputs) assert.match(output, /task\.complete result=Succeeded/);
      assert.equal(outputs.filter((output) => output.includes('no bytes moved')).length, 1);
      await holdsTheModel(target);
    }));

  it('shares a cache with another agent that fills it at the same time', () =>
    withFolder(async (folder) => {
      const cacheFolder = join(folder, 'cache');
      const run = async (agent: string): Promise<string> => {
        const target = join(folder, agent, 'model');
        await mkdir(join(folder, agent));
        const inputs = { ...keyInputs(storage, container.containerName, target), model: 'm', cacheFolder };
        const output = await finished(start(inputs, join(folder, agent)));
        await holdsTheModel(target);
        return output;
      };
      await Promise.all([run('agent1'), run('agent2')]);
      assert.match(await run('agent3'), /2 file\(s\) come from the cache/);
    }));

  it('goes on after a kill where it was, and fetches only the rest', function () {
    this.timeout(120_000);
    return withFolder(async (folder) => {
      const target = join(folder, 'model');
      const inputs = { ...keyInputs(storage, container.containerName, target), model: 'm' };
      let child: ChildProcess | undefined;
      let killing = true;
      const lastRange = 'bytes=25165824-25999998';
      const isLast = (seen: SeenRequest): boolean =>
        seen.path.endsWith('b.bin') && seen.headers['x-ms-range'] === lastRange;
      // In the first run the last range never ends; all others do.
      const rule = (seen: SeenRequest) => {
        if (!killing || !isLast(seen)) return undefined;
        void killWhen(join(target, '.model-delivery.ranges'), 49, child);
        return { kind: 'silence', afterBytes: 1000 } as const;
      };
      await withFaultProxy(storage.blobEndpoint, rule, async (proxy) => {
        child = start({ ...inputs, blobEndpoint: proxy.url }, folder);
        await finished(child);
        killing = false;
        const before = proxy.seen.length;
        const output = await finished(start({ ...inputs, blobEndpoint: proxy.url }, folder));
        assert.match(output, /An interrupted run left 48\.\d MiB/);
        const reads = proxy.seen.slice(before).filter((seen) => seen.path.endsWith('.bin'));
        assert.deepEqual(
          reads.map((seen) => seen.headers['x-ms-range']),
          [lastRange],
        );
      });
      await holdsTheModel(target);
    });
  });
});
