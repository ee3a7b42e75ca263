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
      assert.equal((error as { code?: string } | undefined)?.code, 'UPLOAD_TOO_LARGE');
      await assert.rejects(pull(registry, repository, 'test'), { code: /NOT_FOUND/ });
    });
  });

  it('gives up with an explanation when the registry fails for good', async () => {
    await build(times(99, isPatch, { kind: 'status', status: 501 }), ({ error }) => {
      assert.equal((error as { code?: string } | undefined)?.code, 'REGISTRY_FAILED');
    });
  });

  it('says what ails the registry, and leaves no tag', async () => {
    const complaint = (code: string, detail?: object) => ({
      body: JSON.stringify({ errors: [{ code, message: 'no', detail }] }),
    });
    const cases = [
      [isPatch, { status: 507 }, 'REGISTRY_FULL'],
      [
        isPatch,
        { status: 400, ...complaint('UNKNOWN', { Err: 'write: no space left on device' }) },
        'REGISTRY_FULL',
      ],
      [isManifest, { status: 400, ...complaint('MANIFEST_INVALID') }, 'MANIFEST_REFUSED'],
      [isManifest, { status: 404, ...complaint('MANIFEST_BLOB_UNKNOWN') }, 'MANIFEST_REFUSED'],
      [isPatch, { status: 413 }, 'UPLOAD_TOO_LARGE'],
    ] as const;
    for (const [matches, answer, code] of cases) {
      await build(times(999, matches, { kind: 'status', ...answer }), async ({ repository, error }) => {
        assert.equal((error as { code?: string } | undefined)?.code, code);
        await assert.rejects(pull(registry, repository, 'test'), { code: /NOT_FOUND/ });
      });
    }
  });

  it('sends a layer in parts where one request may not be large', async () => {
    const limit = 4 * mebibyte;
    const tooLarge: FaultRule = (seen) =>
      isPatch(seen) && Number(seen.headers['content-length']) > limit
        ? { kind: 'status', status: 413 }
        : undefined;
    await build(tooLarge, ({ error, seen }) => {
      assert.equal(error, undefined);
      const parts = seen.filter((one) => isPatch(one) && Number(one.headers['content-length']) === limit);
      assert.deepEqual(
        parts.slice(0, 2).map((one) => one.headers['content-range']),
        [`0-${limit - 1}`, `${limit}-${2 * limit - 1}`],
      );
    });
  });

  it('sends in parts, too, where a large request ends the connection without a word', async () => {
    const limit = 4 * mebibyte;
    const breaks: FaultRule = (seen) =>
      isPatch(seen) && Number(seen.headers['content-length']) > limit
        ? { kind: 'reset', afterBytes: -1 }
        : undefined;
    // What reached the registry before it is taken away again, as if the proxy had kept it all.
    const rule: FaultRule = (seen) =>
      seen.method === 'GET' && seen.path.includes('/uploads/')
        ? { kind: 'status', status: 404 }
        : breaks(seen);
    await build(rule, ({ error }) => assert.equal(error, undefined));
  });

  it('sends a layer anew when other bytes arrived, and gives up with the reason when they always do', async () => {
    const body = JSON.stringify({
      errors: [{ code: 'DIGEST_INVALID', message: 'provided digest did not match' }],
    });
    const damaged = { kind: 'status', status: 400, body } as const;
    await build(times(1, isCommit, damaged), ({ error }) => assert.equal(error, undefined));
    await build(times(999, isCommit, damaged), async ({ repository, error }) => {
      assert.equal((error as { code?: string } | undefined)?.code, 'UPLOAD_CORRUPT');
      await assert.rejects(pull(registry, repository, 'test'), { code: /NOT_FOUND/ });
    });
  });

  it('asks where the registry stands when it does not take a part, and goes on there', async () => {
    const limit = 4 * mebibyte;
    let refusals = 0;
    const rule: FaultRule = (seen) => {
      if (!isPatch(seen)) return undefined;
      if (Number(seen.headers['content-length']) > limit) return { kind: 'status', status: 413 };
      const isThird = seen.headers['content-range']?.startsWith(`${2 * limit}-`) === true;
      return isThird && refusals++ === 0 ? { kind: 'status', status: 416 } : undefined;
    };
    await build(rule, ({ error, seen }) => {
      assert.equal(error, undefined);
      const starts = seen.filter(isPatch).map((one) => one.headers['content-range']?.split('-')[0]);
      assert.equal(starts.filter((start) => start === String(limit)).length, 1, 'nothing is sent twice');
      assert.equal(starts.filter((start) => start === String(2 * limit)).length, 2);
    });
  });

  it('is right when two agents push the same model at once', async () => {
    await withFolder(async (folder) => {
      const weights = randomBytes(24 * mebibyte);
      await mkdir(join(folder, 'model'));
      await writeFile(join(folder, 'model', 'weights.bin'), weights);
      const repository = `faults/${randomBytes(6).toString('hex')}`;
      const common = {
        repository,
        modelFolder: join(folder, 'model'),
        baseImage: `${registry.host}/${base}`,
      };
      const runs = ['one', 'two', 'three'].map((tags) =>
        runBuild({ registry, folder, inputs: { ...common, tags, environment: `RUN=${tags}` } }),
      );
      await Promise.all(runs);
      for (const tag of ['one', 'two', 'three']) {
        const image = await pull(registry, repository, tag, 1);
        assert.equal(image.files.get('app/model/weights.bin')?.content.equals(weights), true);
      }
    });
  });
});
