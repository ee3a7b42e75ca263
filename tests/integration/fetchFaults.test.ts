import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ContainerSASPermissions } from '@azure/storage-blob';
import type { StorageEndpoint } from '../../local/lib/endpoints.ts';
import { freePort } from '../../local/lib/ports.ts';
import { openAzureBlobStore } from '../../src/model/azureBlob/store.ts';
import type { StoredFile } from '../../src/model/store.ts';
import { fetchSet } from '../../src/model/transfer/set.ts';
import { newContainer, publish } from '../support/blobs.ts';
import { type Fault, type SeenRequest, withFaultProxy } from '../support/faultProxy.ts';
import { failureOf, fetchModel, filesBelow, type Inputs, keyInputs } from '../support/fetch.ts';
import { withFolder, withSmallDisk } from '../support/folder.ts';
import { services } from '../support/services.ts';

const content = randomBytes(3_000_000);

describe('FetchModel under faults', () => {
  let storage: StorageEndpoint;
  let container: Awaited<ReturnType<typeof newContainer>>;

  before(async function () {
    this.timeout(120_000);
    ({ storage } = await services('storage'));
    container = await newContainer(storage);
    await publish(container, { 'm/1/big.bin': content, 'm/1/small.txt': 'small' });
  });

  const inputs = (folder: string, more: Inputs = {}): Inputs => ({
    ...keyInputs(storage, container.containerName, join(folder, 'model')),
    model: 'm',
    ...more,
  });

  const isBody = (seen: SeenRequest): boolean => seen.method === 'GET' && seen.path.endsWith('big.bin');

  /** The fault at the first reads of the big file, none afterwards. */
  const firstReads = (fault: Fault, times = 1) => {
    let left = times;
    return (seen: SeenRequest): Fault | undefined => {
      if (!isBody(seen) || left === 0) return undefined;
      left -= 1;
      return fault;
    };
  };

  async function nothingUnderFinalNames(folder: string): Promise<void> {
    const final = (await filesBelow(join(folder, 'model'))).filter(
      (file) => !/\.partial$|^\.model-delivery/.test(file),
    );
    assert.deepEqual(final, []);
  }

  async function nextRunSucceeds(folder: string): Promise<void> {
    await fetchModel(inputs(folder));
    assert.deepEqual(await filesBelow(join(folder, 'model')), ['big.bin', 'model.lock.json', 'small.txt']);
    assert.ok(content.equals(await readFile(join(folder, 'model', 'big.bin'))));
  }

  describe('of access', () => {
    const cases: readonly (readonly [string, () => Inputs | Promise<Inputs>, string, RegExp])[] = [
      [
        'a wrong key',
        () => ({ accountKey: randomBytes(64).toString('base64') }),
        'STORAGE_KEY_WRONG',
        /not one of storage account 'datascience'[\s\S]*x-ms-client-request-id [0-9a-f-]{36}, x-ms-request-id [0-9a-f-]{36}/,
      ],
      [
        'an expired SAS',
        async () => ({ authentication: 'sas', sasToken: await sas('rl', -60_000) }),
        'STORAGE_SAS_EXPIRED',
        /expired at 20/,
      ],
      [
        'a SAS without the right to list',
        async () => ({ authentication: 'sas', sasToken: await sas('r', 60_000) }),
        'STORAGE_FORBIDDEN',
        /lacks the right 'l'/,
      ],
      [
        'a SAS without the right to read',
        async () => ({ authentication: 'sas', sasToken: await sas('l', 60_000) }),
        'STORAGE_FORBIDDEN',
        /lacks the right 'r'/,
      ],
      [
        'no credential for a private container',
        () => ({ authentication: 'anonymous' }),
        'STORAGE_FORBIDDEN',
        /does not exist, or it is private/,
      ],
      [
        'an endpoint where nothing listens',
        async () => ({ blobEndpoint: `http://127.0.0.1:${await freePort()}/datascience` }),
        'STORAGE_UNREACHABLE',
        /ECONNREFUSED/,
      ],
      [
        'a host name that does not exist',
        () => ({ blobEndpoint: 'http://no-such-account.invalid' }),
        'STORAGE_UNREACHABLE',
        /cannot resolve/,
      ],
    ];

    const sas = async (permissions: string, validMs: number): Promise<string> => {
      const url = await container.generateSasUrl({
        permissions: ContainerSASPermissions.parse(permissions),
        expiresOn: new Date(Date.now() + validMs),
      });
      return new URL(url).search;
    };

    for (const [what, more, code, text] of cases) {
      it(`${what} is told as ${code}, without the secret`, () =>
        withFolder(async (folder) => {
          const given = inputs(folder, await more());
          const failure = await failureOf(given);
          assert.equal(failure.code, code);
          assert.match(failure.text, text);
          for (const name of ['accountKey', 'sasToken']) {
            const secret = given[name];
            if (secret !== undefined) assert.ok(!failure.text.includes(secret.slice(0, 20)));
          }
          assert.deepEqual(await filesBelow(join(folder, 'model')), []);
        }));
    }

    it('a SAS with both rights and a connection string get in', () =>
      withFolder(async (folder) => {
        await fetchModel(inputs(folder, { authentication: 'sas', sasToken: await sas('rl', 60_000) }));
        const { account, accountKey, blobEndpoint } = storage;
        const connectionString = `AccountName=${account};AccountKey=${accountKey};BlobEndpoint=${blobEndpoint};`;
        const said = await fetchModel(
          inputs(folder, { authentication: 'connectionString', connectionString }),
        );
        assert.equal(said.outputs.get('modelChanged'), 'false');
        assert.ok(said.secrets.includes(accountKey));
      }));
  });

  describe('of the transfer', () => {
    it('a silent connection is given up and asked again', () =>
      withFolder((folder) =>
        withFaultProxy(
          storage.blobEndpoint,
          firstReads({ kind: 'silence', afterBytes: 700_000 }, 2),
          async (proxy) => {
            const store = openAzureBlobStore({
              endpoint: proxy.url,
              container: container.containerName,
              credential: { kind: 'accountKey', account: storage.account, key: storage.accountKey },
            });
            const { signal } = new AbortController();
            const listing = store.list('m/1/big.bin', signal)[Symbol.asyncIterator]();
            const listed: StoredFile | undefined = (await listing.next()).value;
            assert.ok(listed);
            const retries: unknown[] = [];
            const [received] = await fetchSet({
              store,
              folder,
              signal,
              fingerprint: 'one',
              files: [{ locked: { ...listed, path: 'big.bin' } }],
              begin: async () => ({ add: () => undefined, done: () => undefined }),
              onRetry: (_, error) => retries.push(error),
              stallMs: 300,
            });
            assert.equal(received?.sha256, createHash('sha256').update(content).digest('hex'));
            assert.equal(retries.length, 2);
            assert.match(String(retries[0]), /no byte came for 0\.3 s/);
          },
        ),
      ));

    it('an overloaded service is asked again, no sooner than it says', () =>
      withFolder(async (folder) => {
        const asked: number[] = [];
        const overloaded = firstReads({ kind: 'status', status: 429, headers: { 'retry-after': '1' } });
        const rule = (seen: SeenRequest): Fault | undefined => {
          if (!isBody(seen) || !String(seen.headers['x-ms-range']).startsWith('bytes=0-')) return undefined;
          asked.push(performance.now());
          return overloaded(seen);
        };
        await withFaultProxy(storage.blobEndpoint, rule, (proxy) =>
          fetchModel(inputs(folder, { blobEndpoint: proxy.url })),
        );
        const [first = 0, second = 0] = asked;
        assert.ok(second - first >= 990, `asked again after ${second - first} ms`);
      }));

    it('one wrong bit is noticed, nothing stays, and the next run succeeds', () =>
      withFolder(async (folder) => {
        await withFaultProxy(
          storage.blobEndpoint,
          firstReads({ kind: 'flip', at: 234_567 }, 100),
          async (proxy) => {
            const failure = await failureOf(inputs(folder, { blobEndpoint: proxy.url }));
            assert.equal(failure.code, 'MODEL_CORRUPT');
            assert.match(failure.text, /big\.bin.*MD5/);
          },
        );
        assert.deepEqual(await filesBelow(join(folder, 'model')), []);
        await nextRunSucceeds(folder);
      }));

    it('a bit that is wrong is noticed by the recorded SHA-256 too', () =>
      withFolder(async (folder) => {
        const other = await newContainer(storage);
        await publish(other, { 'm/1/big.bin': 'content' }, { SHA256: 'ab'.repeat(32) });
        const failure = await failureOf(inputs(folder, { container: other.containerName }));
        assert.equal(failure.code, 'MODEL_CORRUPT');
        assert.match(failure.text, /SHA-256/);
      }));

    it('a disk that is full before or in the middle is told as such, and the next run succeeds', () =>
      withSmallDisk('5m', async (disk) => {
        const filler = join(disk, 'filler');
        const fill = (): Promise<void> => writeFile(filler, randomBytes(4_000_000)).catch(() => undefined);
        await fill();
        const before = await failureOf(inputs(disk));
        assert.equal(before.code, 'DISK_FULL');
        await rm(filler);
        const rule = async (seen: SeenRequest): Promise<Fault | undefined> => {
          if (isBody(seen)) await fill();
          return undefined;
        };
        await withFaultProxy(storage.blobEndpoint, rule, async (proxy) => {
          const during = await failureOf(inputs(disk, { blobEndpoint: proxy.url }));
          assert.equal(during.code, 'DISK_FULL');
        });
        assert.deepEqual(await filesBelow(join(disk, 'model')), []);
        await rm(filler);
        await nextRunSucceeds(disk);
      }));

    it('a cancelled run leaves nothing under a final name, and the next one succeeds', () =>
      withFolder(async (folder) => {
        const stop = new AbortController();
        const rule = (seen: SeenRequest): Fault | undefined => {
          if (!isBody(seen)) return undefined;
          setTimeout(() => stop.abort(), 200);
          return { kind: 'slow', pauseMs: 50 };
        };
        await withFaultProxy(storage.blobEndpoint, rule, async (proxy) => {
          await assert.rejects(fetchModel(inputs(folder, { blobEndpoint: proxy.url }), stop.signal));
        });
        await nothingUnderFinalNames(folder);
        await nextRunSucceeds(folder);
      }));

    it('a failed fetch of a new version leaves the old one whole', () =>
      withFolder(async (folder) => {
        await publish(container, { 'two/1/big.bin': 'one' });
        await fetchModel(inputs(folder, { model: 'two' }));
        const before = await readFile(join(folder, 'model', 'model.lock.json'), 'utf8');
        await publish(container, { 'two/1/big.bin': content });
        await withFaultProxy(
          storage.blobEndpoint,
          firstReads({ kind: 'flip', at: 7 }, 100),
          async (proxy) => {
            await failureOf(inputs(folder, { model: 'two', blobEndpoint: proxy.url }));
          },
        );
        assert.equal(await readFile(join(folder, 'model', 'big.bin'), 'utf8'), 'one');
        assert.equal(await readFile(join(folder, 'model', 'model.lock.json'), 'utf8'), before);
        assert.deepEqual(await filesBelow(join(folder, 'model')), ['big.bin', 'model.lock.json']);
      }));
  });
});
