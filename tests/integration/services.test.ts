import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BlobServiceClient, type RestError, StorageSharedKeyCredential } from '@azure/storage-blob';
import { canBuildCluster } from '../../local/cluster/cluster.ts';
import { ensureNetwork } from '../../local/cluster/network.ts';
import type { LocalContext } from '../../local/lib/context.ts';
import type { RegistryEndpoint, StorageEndpoint } from '../../local/lib/endpoints.ts';
import { servicesStatus, startServices, stopServices } from '../../local/services/index.ts';
import { killService, servicePid, withOwnServices } from '../support/ownServices.ts';

function blobClient({ blobEndpoint, account, accountKey }: StorageEndpoint): BlobServiceClient {
  const credential = new StorageSharedKeyCredential(account, accountKey);
  return new BlobServiceClient(blobEndpoint, credential, { retryOptions: { maxTries: 1 } });
}

async function catalogStatus(registry: RegistryEndpoint, password: string | undefined): Promise<number> {
  const pair = Buffer.from(`${registry.username}:${password}`).toString('base64');
  const headers = password === undefined ? {} : { authorization: `Basic ${pair}` };
  return (await fetch(`${registry.url}/v2/_catalog`, { headers })).status;
}

async function startBoth(
  context: LocalContext,
): Promise<{ storage: StorageEndpoint; registry: RegistryEndpoint }> {
  const { storage, registry } = await startServices(context, ['storage', 'registry']);
  assert.ok(storage && registry);
  return { storage, registry };
}

/** Command lines of all processes that mention the folder. */
async function commandLinesNaming(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => line.includes(folder));
}

describe('local storage and registry', function () {
  // The first run on a machine builds the registry.
  this.timeout(600_000);

  it('storage keeps blobs for the account key and refuses another key', () =>
    withOwnServices(async (context) => {
      const { storage } = await startBoth(context);
      const container = blobClient(storage).getContainerClient('models');
      await container.create();
      await container.getBlockBlobClient('m/1/weights.bin').upload('weights', 7);
      const read = await container.getBlobClient('m/1/weights.bin').downloadToBuffer();
      assert.equal(read.toString(), 'weights');
      const wrong = blobClient({ ...storage, accountKey: randomBytes(64).toString('base64') });
      await assert.rejects(
        wrong.getContainerClient('models').getBlobClient('m/1/weights.bin').downloadToBuffer(),
        (error: RestError) => error.statusCode === 403,
      );
    }));

  it('the registry refuses anonymous and wrong credentials and accepts its own', () =>
    withOwnServices(async (context) => {
      const { registry } = await startBoth(context);
      assert.equal(await catalogStatus(registry, undefined), 401);
      assert.equal(await catalogStatus(registry, 'guess'), 401);
      assert.equal(await catalogStatus(registry, registry.password), 200);
    }));

  it('keys stay out of command lines, and only the owner may read the files that hold them', () =>
    withOwnServices(async (context) => {
      const { storage, registry } = await startBoth(context);
      const lines = (await commandLinesNaming(context.stateFolder)).join('\n');
      assert.match(lines, /azurite/);
      for (const secret of [storage.accountKey, registry.password]) assert.ok(!lines.includes(secret));
      for (const file of [
        'services.json',
        'storage/state.json',
        'registry/state.json',
        'registry/config.yml',
      ]) {
        assert.equal((await stat(join(context.stateFolder, file))).mode & 0o077, 0, file);
      }
    }));

  it('a second start leaves the running services alone', () =>
    withOwnServices(async (context) => {
      const first = await startBoth(context);
      const pids = [await servicePid(context, 'storage'), await servicePid(context, 'registry')];
      assert.deepEqual(await startBoth(context), first);
      assert.deepEqual([await servicePid(context, 'storage'), await servicePid(context, 'registry')], pids);
    }));

  it('a registry that starts for a later cluster listens where that cluster will look for it, and stays there', () =>
    withOwnServices(async (context) => {
      const first = await startServices(context, ['registry'], { registryForCluster: true });
      const builds = canBuildCluster() && !process.env['MODEL_DELIVERY_KUBECONFIG'];
      const address = builds ? (await ensureNetwork(context)).hostAddress : '127.0.0.1';
      assert.equal(new URL(first.registry?.url ?? '').hostname, address);
      const pid = await servicePid(context, 'registry');
      assert.deepEqual(await startServices(context, ['registry']), first);
      assert.equal(await servicePid(context, 'registry'), pid);
    }));

  it('services that were killed start again at the same address with the same credentials', () =>
    withOwnServices(async (context) => {
      const first = await startBoth(context);
      await Promise.all(['storage', 'registry'].map((name) => killService(context, name)));
      assert.deepEqual(await startBoth(context), first);
      await blobClient(first.storage).getContainerClient('models').create();
      assert.equal(await catalogStatus(first.registry, first.registry.password), 200);
    }));

  it('a stop leaves nothing but logs, also after a service was killed, and is told by the status', () =>
    withOwnServices(async (context) => {
      await startBoth(context);
      const running = (await servicesStatus(context)).filter((it) => it.running).map((it) => it.part);
      assert.deepEqual(running, ['storage', 'registry']);
      await killService(context, 'storage');
      await stopServices(context);
      assert.ok((await servicesStatus(context)).every((it) => !it.running && it.address === undefined));
      assert.deepEqual(await commandLinesNaming(context.stateFolder), []);
      assert.deepEqual(await readdir(join(context.stateFolder, 'daemons')), []);
      assert.deepEqual((await readdir(context.stateFolder)).sort(), ['daemons', 'logs']);
    }));
});
