import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Fault, type SeenRequest, withFaultProxy } from '../support/faultProxy.ts';
import {
  azureSource,
  type FaultySource,
  mlflowSource,
  s3Source,
  webSource,
} from '../support/faultSources.ts';
import { type Failure, failureOf, fetchModel, filesBelow, type Inputs } from '../support/fetch.ts';
import { withFolder } from '../support/folder.ts';

const content = randomBytes(3_000_000);
const file = 'big.bin';

/** Faults that pass: the right bytes arrive all the same. */
const passing: readonly (readonly [string, Fault])[] = [
  ['a connection that is reset in the middle', { kind: 'reset', afterBytes: 400_000 }],
  ['an answer that is lost as a whole', { kind: 'reset', afterBytes: -1 }],
  ['a body that ends before its announced length', { kind: 'truncate', afterBytes: 400_000 }],
  ['429 without Retry-After', { kind: 'status', status: 429 }],
  ['503 with Retry-After', { kind: 'status', status: 503, headers: { 'retry-after': '0' } }],
  ['500', { kind: 'status', status: 500 }],
];

function suffersFaults(name: string, open: () => Promise<FaultySource>): void {
  describe(`FetchModel from ${name}, under faults`, function () {
    this.timeout(120_000);
    let source: FaultySource;
    let models = 0;

    before(async () => {
      source = await open();
    });
    after(() => source?.close());

    const isBody = ({ method, path, headers }: SeenRequest): boolean =>
      // A web server is asked for the first byte to know the file.
      method === 'GET' && path.endsWith(file) && headers['range'] !== 'bytes=0-0';

    /** A new model, fetched through a proxy that asks the rule about each read of its file. */
    async function withModel(
      rule: (read: number, model: string) => Fault | undefined | Promise<Fault | undefined>,
      use: (given: (address?: string) => Inputs, target: string, proxied: Inputs) => Promise<void>,
    ): Promise<void> {
      const model = `m${++models}`;
      await source.put(model, file, content);
      let reads = 0;
      const seen = (request: SeenRequest) => (isBody(request) ? rule(++reads, model) : undefined);
      await withFolder((folder) =>
        withFaultProxy(source.upstream, seen, async ({ url }) => {
          const target = join(folder, 'model');
          const given = (address = source.upstream): Inputs => source.inputs(model, target, address);
          await use(given, target, given(url));
        }),
      );
    }

    const fetch = (inputs: Inputs) => fetchModel(inputs, undefined, source.connections(inputs));
    const failure = (inputs: Inputs): Promise<Failure> =>
      failureOf(inputs, undefined, source.connections(inputs));

    async function holds(target: string, bytes: Uint8Array): Promise<void> {
      assert.deepEqual(await filesBelow(target), [file, 'model.lock.json']);
      assert.ok((await readFile(join(target, file))).equals(bytes));
    }

    async function nothingFinal(target: string): Promise<void> {
      const left = await filesBelow(target);
      assert.deepEqual(
        left.filter((path) => !/\.partial$|^\.model-delivery/.test(path)),
        [],
      );
    }

    for (const [what, fault] of passing) {
      it(`gets the right bytes in spite of ${what}`, () =>
        withModel(
          (read) => (read <= 2 ? fault : undefined),
          async (_, target, proxied) => {
            await fetch(proxied);
            await holds(target, content);
          },
        ));
    }

    it('fails when the access ends in the middle, and the next run succeeds', () =>
      withModel(
        (read) => (read === 1 ? { kind: 'reset', afterBytes: 400_000 } : { kind: 'status', status: 403 }),
        async (given, target, proxied) => {
          const { code, text } = await failure(proxied);
          assert.match(code, /^STORAGE_(FORBIDDEN|KEY_WRONG)$/, text);
          await nothingFinal(target);
          await fetch(given());
          await holds(target, content);
        },
      ));

    it('never accepts a wrong bit where a digest is expected', () =>
      withModel(
        () => ({ kind: 'flip', at: 1_000_000 }),
        async (given, target, proxied) => {
          const { outputs } = await fetch({ ...given(), targetFolder: join(target, '..', 'other') });
          const expected = { expectedDigest: outputs.get('modelDigest') ?? '' };
          assert.match(
            (await failure({ ...proxied, ...expected })).code,
            /^(MODEL_CORRUPT|DIGEST_MISMATCH)$/,
          );
          assert.deepEqual(await filesBelow(target), []);
          await fetch({ ...given(), ...expected });
          await holds(target, content);
        },
      ));

    it('chooses anew when the file is replaced in the middle: the new bytes, no mixture', () => {
      const newer = randomBytes(content.length);
      return withModel(
        async (read, model) => {
          if (read === 2) await source.put(model, file, newer);
          return read === 1 ? { kind: 'reset', afterBytes: 400_000 } : undefined;
        },
        async (_, target, proxied) => {
          await fetch(proxied);
          await holds(target, newer);
        },
      );
    });

    for (const [what, change] of [
      ['replaced', (model: string) => source.put(model, file, randomBytes(content.length))],
      ['deleted', (model: string) => source.remove(model, file)],
    ] as const) {
      it(`fails when the file is ${what} in the middle, if that is wanted`, () =>
        withModel(
          async (read, model) => {
            if (read === 2) await change(model);
            return read === 1 ? { kind: 'reset', afterBytes: 400_000 } : undefined;
          },
          async (_, target, proxied) => {
            assert.equal((await failure({ ...proxied, onChange: 'fail' })).code, 'MODEL_CHANGED');
            assert.deepEqual(await filesBelow(target), []);
          },
        ));
    }

    it('says so when the file is archived in the middle, where the service has archives', () =>
      withModel(
        () => source.archived && { kind: 'status', ...source.archived },
        async (given, target, proxied) => {
          if (source.archived !== undefined) {
            assert.equal((await failure(proxied)).code, 'MODEL_ARCHIVED');
            await nothingFinal(target);
          }
          await fetch(given());
          await holds(target, content);
        },
      ));

    it('follows a redirect of the bytes, or refuses it clearly', () =>
      withModel(
        (_, model) => {
          const location = source.redirect?.(model, file).location ?? 'http://127.0.0.1:9/';
          return { kind: 'status', status: 302, headers: { location } };
        },
        async (_, target, proxied) => {
          if (source.redirect?.('', file).arrives !== true) {
            assert.match((await failure(proxied)).code, /^(STORAGE|S3)_/);
            await nothingFinal(target);
          } else {
            await fetch(proxied);
            await holds(target, content);
          }
        },
      ));
  });
}

suffersFaults('Azure Blob Storage', azureSource);
suffersFaults('S3', s3Source);
suffersFaults('a web server', webSource);
suffersFaults('MLflow', mlflowSource);
