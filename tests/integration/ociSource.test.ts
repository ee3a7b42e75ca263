import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { modelLayers, NotAModel } from '../../src/model/oci/layers.ts';
import { ociLocation } from '../../src/model/oci/location.ts';
import { openOciStore } from '../../src/model/oci/store.ts';
import { NotAnArchive, tarFiles } from '../../src/model/oci/tar.ts';
import { blobWindow } from '../../src/model/oci/window.ts';
import type { ModelStore, StoredFile } from '../../src/model/store.ts';
import { annotations } from '../../src/oci/annotations.ts';
import { type Manifest, mediaTypes } from '../../src/oci/types.ts';
import { modelRepository } from '../support/artifacts.ts';
import { withFolder } from '../support/folder.ts';
import { baseImage, runBuild } from '../support/image.ts';
import { services } from '../support/services.ts';

const { signal } = new AbortController();
const userAgent = 'model-delivery-tests';

async function listed(store: ModelStore, prefix: string): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for await (const file of store.list(prefix, signal)) files.push(file);
  return files;
}

async function content(store: ModelStore, file: StoredFile): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of await store.read(file, { signal })) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The registry, seen through a proxy that keeps Range from it. */
async function withoutRanges<T>(upstream: string, use: (url: string) => Promise<T>): Promise<T> {
  const target = new URL(upstream);
  const server = createServer((incoming, response) => {
    const { range: _, ...headers } = incoming.headers;
    const { method, url: path } = incoming;
    const passed = request({ host: target.hostname, port: target.port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    response.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

describe('a model in a registry', function () {
  this.timeout(300_000);
  let registry: RegistryEndpoint;

  before(async () => {
    ({ registry } = await services('registry'));
  });

  const open = (repository: string, more: { url?: string; version?: string; password?: string } = {}) => {
    const { url = registry.url, version, password = registry.password } = more;
    const credentials = { username: registry.username, password };
    const location = {
      registryUrl: url,
      credentials,
      repository,
      model: 'scorer',
      ...(version && { version }),
    };
    return openOciStore(location, { signal, userAgent });
  };

  it('is read out of the image that BuildModelImage made, whose other tags do not disturb', async () => {
    await withFolder(async (folder) => {
      const weights = randomBytes(300_000);
      await mkdir(join(folder, 'app'));
      await writeFile(join(folder, 'app', 'app.py'), 'print(1)\n');
      await mkdir(join(folder, 'trained', 'sub'), { recursive: true });
      await writeFile(join(folder, 'trained', 'weights.bin'), weights);
      await writeFile(join(folder, 'trained', 'sub', 'labels.txt'), 'a\nb\n');
      const repository = `models/${randomBytes(6).toString('hex')}`;
      const base = (await baseImage(registry)).reference;
      const inputs = {
        repository,
        appFolder: 'app',
        baseImage: base,
        modelFolder: join(folder, 'trained'),
        tags: '7',
      };
      await runBuild({ registry, folder, inputs });
      const store = open(repository);
      const files = await listed(store, 'scorer/7/');
      assert.deepEqual(
        files.map((file) => [file.name, file.size]),
        [
          ['scorer/7/sub/labels.txt', 4],
          ['scorer/7/weights.bin', 300_000],
        ],
      );
      const [labels, found] = files;
      assert.ok(labels && found);
      assert.ok(weights.equals(await content(store, found)));
      assert.equal(String(await content(store, labels)), 'a\nb\n');
      assert.ok((await listed(store, 'scorer/')).length >= files.length);
    });
  });

  it('is read from a registry that gives no ranges, too', async () => {
    for (const shape of ['artifact', 'image'] as const) {
      const models = modelRepository(registry, shape);
      const files = new Map([
        ['a.bin', randomBytes(500_000)],
        ['b.bin', randomBytes(200_000)],
      ]);
      await models.put('1.0', files);
      await withoutRanges(registry.url, async (url) => {
        const store = open(models.repository, { url });
        const found = await listed(store, 'scorer/1.0/');
        assert.equal(found.length, 2);
        for (const file of found) {
          assert.ok(files.get(file.name.slice('scorer/1.0/'.length))?.equals(await content(store, file)));
        }
      });
    }
  });

  it('has the one version that the reference names by tag or digest', async () => {
    const models = modelRepository(registry, 'artifact');
    await models.put('1.0', new Map([['a', Buffer.from('1')]]));
    await models.put('2.0', new Map([['a', Buffer.from('2')]]));
    assert.deepEqual(await open(models.repository).children('scorer/', signal), ['1.0/', '2.0/']);
    assert.deepEqual(await open(models.repository, { version: '1.0' }).children('scorer/', signal), ['1.0/']);
    const { digest } = await models.client.manifest(models.repository, '2.0');
    const [file] = await listed(open(models.repository, { version: digest }), 'scorer/');
    assert.equal(file?.name, `scorer/${digest}/a`);
  });

  it('is refused with the reason when it is none, or the registry refuses', async () => {
    const models = modelRepository(registry, 'artifact');
    await models.put('1.0', new Map());
    await assert.rejects(listed(open(models.repository), 'scorer/1.0/'), { code: 'MODEL_IMAGE_UNSUPPORTED' });
    assert.deepEqual(await listed(open(models.repository), 'scorer/'), []);
    assert.deepEqual(await listed(open(models.repository), 'scorer/none/'), []);
    await assert.rejects(listed(open('models/none'), 'scorer/'), { code: 'REPOSITORY_NOT_FOUND' });
    const stranger = open(models.repository, { password: 'wrong' });
    await assert.rejects(listed(stranger, 'scorer/'), { code: 'REGISTRY_UNAUTHORIZED' });
  });
});

describe('a model reference', () => {
  const connection = { registryUrl: 'http://registry.example:5000' };

  it('is within the registry of its connection', () => {
    for (const reference of ['models/credit:1.0', 'registry.example:5000/models/credit:1.0']) {
      const location = ociLocation(reference, 'credit', connection);
      assert.deepEqual(
        [location.registryUrl, location.repository, location.version],
        [connection.registryUrl, 'models/credit', '1.0'],
      );
    }
    assert.throws(() => ociLocation('other.example/models/credit', 'credit', connection), {
      code: 'INPUT_INVALID',
    });
  });

  it('names its registry itself without a connection', () => {
    const location = ociLocation('ghcr.io/team/credit', 'credit');
    assert.deepEqual([location.registryUrl, location.version], ['https://ghcr.io', undefined]);
  });
});

describe('the layers of a model artifact', () => {
  const layer = (mediaType: string, notes: Record<string, string>) => ({
    mediaType,
    digest: 'sha256:0',
    size: 1,
    annotations: notes,
  });
  const manifest = (...layers: Manifest['layers']): Manifest => ({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: layer('application/vnd.oci.empty.v1+json', {}),
    layers,
  });

  it('are files or archives, as ORAS and ModelPack mark them', () => {
    const raw = layer('application/vnd.cncf.model.weight.v1.raw', { 'org.cncf.model.filepath': 'w/a.bin' });
    const tar = layer('application/vnd.cncf.model.doc.v1.tar', { 'org.cncf.model.filepath': 'README.md' });
    const oras = layer(mediaTypes.layer, { [annotations.title]: 'b.bin' });
    const held = modelLayers(manifest(raw, tar, oras)).map((one) =>
      one.holds === 'file' ? one.path : one.holds,
    );
    assert.deepEqual(held, ['w/a.bin', 'archive', 'b.bin']);
  });

  it('are refused where they are compressed or nameless', () => {
    const zipped = layer('application/vnd.cncf.model.weight.v1.tar+gzip', { 'org.cncf.model.filepath': 'a' });
    const packed = layer(mediaTypes.layerGzip, {
      [annotations.title]: 'folder',
      'io.deis.oras.content.unpack': 'true',
    });
    for (const one of [zipped, packed, layer(mediaTypes.layer, {})]) {
      assert.throws(() => modelLayers(manifest(one)), NotAModel);
    }
  });
});

describe('the files of an archive', () => {
  const found = async (bytes: Buffer): Promise<Map<string, Buffer>> => {
    const open = async ({ offset, length }: { offset: number; length: number }) => ({
      ranged: true,
      body: (async function* () {
        yield bytes.subarray(offset, offset + length);
      })(),
    });
    const files = new Map<string, Buffer>();
    for await (const { path, offset, size } of tarFiles(blobWindow(open, bytes.length), bytes.length)) {
      files.set(path, bytes.subarray(offset, offset + size));
    }
    return files;
  };

  for (const format of ['gnu', 'pax', 'ustar']) {
    it(`are found as GNU tar writes them in the format ${format}`, async () => {
      await withFolder(async (folder) => {
        const names = ['short', 'ü', `${'long/'.repeat(30)}file`, 'big.bin'];
        const contents = new Map(
          names.map((name) => [name, randomBytes(name === 'big.bin' ? 400_000 : 700)]),
        );
        for (const [name, bytes] of contents) {
          await mkdir(join(folder, name, '..'), { recursive: true });
          await writeFile(join(folder, name), bytes);
        }
        const archive = join(folder, 'archive.tar');
        await promisify(execFile)('tar', [`--format=${format}`, '-C', folder, '-cf', archive, ...names]);
        const files = await found(await readFile(archive));
        assert.deepEqual([...files.keys()], names);
        for (const [name, bytes] of contents) assert.ok(files.get(name)?.equals(bytes));
      });
    });
  }

  it('are refused where there is no archive', async () => {
    await assert.rejects(found(randomBytes(4096)), NotAnArchive);
  });
});
