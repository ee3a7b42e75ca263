import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { type FaultRule, type SeenRequest, withFaultProxy } from '../support/faultProxy.ts';
import { withFolder } from '../support/folder.ts';
import { baseImage, pull, runBuild } from '../support/image.ts';
import { services } from '../support/services.ts';

const mebibyte = 1024 * 1024;

/** A fault for the first requests that match, as many as said. */
function times(
  count: number,
  matches: (seen: SeenRequest) => boolean,
  fault: Awaited<ReturnType<FaultRule>>,
): FaultRule {
  let left = count;
  return (seen) => {
    if (left === 0 || !matches(seen)) return undefined;
    left -= 1;
    return fault;
  };
}

const isPatch = (seen: SeenRequest): boolean => seen.method === 'PATCH';
const isCommit = (seen: SeenRequest): boolean => seen.method === 'PUT' && seen.path.includes('/uploads/');
const isManifest = (seen: SeenRequest): boolean => seen.method === 'PUT' && seen.path.includes('/manifests/');

describe('BuildModelImage when the registry fails', function () {
  this.timeout(300_000);
  let registry: RegistryEndpoint;
  let base: string;

  before(async () => {
    registry = (await services('registry')).registry;
    base = (await baseImage(registry)).reference.slice(registry.host.length + 1);
  });

  /** Builds through the proxy with a model of 24 MiB, then pulls straight from the registry and compares. */
  const build = async (
    rule: FaultRule,
    check: (result: {
      seen: SeenRequest[];
      repository: string;
      error: Error | undefined;
    }) => Promise<void> | void,
  ): Promise<void> => {
    await withFolder(async (folder) => {
      const weights = randomBytes(24 * mebibyte);
      await mkdir(join(folder, 'app'));
      await mkdir(join(folder, 'model'));
      await writeFile(join(folder, 'app', 'app.py'), 'print(1)\n');
      await writeFile(join(folder, 'model', 'weights.bin'), weights);
      const repository = `faults/${randomBytes(6).toString('hex')}`;
      await withFaultProxy(registry.url, rule, async ({ url, seen }) => {
        const host = new URL(url).host;
        const through = { ...registry, url, host };
        const inputs = {
          repository,
          appFolder: 'app',
          modelFolder: join(folder, 'model'),
          baseImage: `${host}/${base}`,
        };
        const error = await runBuild({ registry: through, folder, inputs }).then(
          () => undefined,
          (failure: Error) => failure,
        );
        if (error === undefined) {
          const image = await pull(registry, repository, 'test', 1);
          assert.equal(image.files.get('app/model/weights.bin')?.content.equals(weights), true);
        }
        await check({ seen, repository, error });
        assert.deepEqual((await readdir(folder)).sort(), ['app', 'model']);
      });
    });
  };

  it('sends only the rest when the connection breaks in the middle of a layer', async () => {
    const isLarge = (seen: SeenRequest): boolean =>
      isPatch(seen) && Number(seen.headers['content-length']) > mebibyte;
    await build(times(1, isLarge, { kind: 'cut', afterBytes: 10 * mebibyte }), ({ seen, error }) => {
      assert.equal(error, undefined);
      const [first, second] = seen.filter(isLarge).map((one) => Number(one.headers['content-length']));
      assert.ok(
        first !== undefined && second !== undefined && second < first - 5 * mebibyte,
        `${first}, ${second}`,
      );
    });
  });

  it('gets a large layer through a line that breaks again and again', async () => {
    const isLarge = (seen: SeenRequest): boolean =>
      isPatch(seen) && Number(seen.headers['content-length']) > mebibyte;
    await build(times(8, isLarge, { kind: 'cut', afterBytes: 2.5 * mebibyte }), ({ seen, error }) => {
      assert.equal(error, undefined);
      assert.equal(seen.filter(isLarge).length >= 8, true);
    });
  });

  for (const status of [500, 503, 416, 404]) {
    it(`starts a layer again when its upload is answered ${status}`, async () => {
      await build(times(2, isPatch, { kind: 'status', status }), ({ error }) =>
        assert.equal(error, undefined),
      );
    });
  }

  it('waits as long as the registry asks when there are too many requests', async () => {
    const headers = { 'retry-after': '0' };
    await build(
      times(3, () => true, { kind: 'status', status: 429, headers }),
      ({ error }) => assert.equal(error, undefined),
    );
  });

  it('is right when the answer to a commit is lost', async () => {
    await build(times(2, isCommit, { kind: 'reset', afterBytes: -1 }), ({ error, seen }) => {
      assert.equal(error, undefined);
      const sent = seen.filter(isPatch).map((one) => Number(one.headers['content-length']));
      assert.ok(sent.filter((size) => size > mebibyte).length === 1, 'the layer is not sent a second time');
    });
    await build(times(2, isCommit, { kind: 'status', status: 502 }), ({ error }) =>
      assert.equal(error, undefined),
    );
  });

  it('leaves no tag and explains it when the registry refuses the manifest', async () => {
    await build(times(99, isManifest, { kind: 'status', status: 413 }), async ({ repository, error }) => {
      assert.equal((error as { code?: string } | undefined)?.code, 'REGISTRY_REFUSED');
      await assert.rejects(pull(registry, repository, 'test'), { code: /NOT_FOUND/ });
    });
  });

  it('gives up with an explanation when the registry fails for good', async () => {
    await build(times(99, isPatch, { kind: 'status', status: 507 }), ({ error }) => {
      assert.equal((error as { code?: string } | undefined)?.code, 'REGISTRY_FAILED');
    });
  });
});
