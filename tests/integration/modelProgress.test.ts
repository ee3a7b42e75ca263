import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { deliverModel } from '../../src/image/model/deliver.ts';
import type { ModelFile } from '../../src/image/model/model.ts';
import { digestOf } from '../../src/oci/documents.ts';
import { withFaultProxy } from '../support/faultProxy.ts';
import { services } from '../support/services.ts';
import { registryClient } from '../support/webImage.ts';

/** A file of a model that is in memory. */
function fileOf(path: string, content: Buffer): ModelFile {
  return {
    path,
    size: content.byteLength,
    async *open(offset) {
      yield content.subarray(offset);
    },
  };
}

describe("a model's progress", function () {
  this.timeout(60_000);

  /** Sends the files through a proxy; gives the bytes that were announced and those that were counted. */
  const send = async (files: readonly ModelFile[], failures: number): Promise<[number, number]> => {
    const { registry } = await services('registry');
    const repository = `progress/${randomBytes(4).toString('hex')}`;
    let [announced, counted, left] = [0, 0, failures];
    const fault = ({ method = '' }: { method?: string }) =>
      method === 'PATCH' && left-- > 0 ? ({ kind: 'status', status: 503 } as const) : undefined;
    await withFaultProxy(registry.url, fault, async ({ url }) => {
      const client = registryClient({ ...registry, url, host: new URL(url).host }, repository);
      const platform = { os: 'linux', architecture: 'amd64' };
      const signal = AbortSignal.timeout(50_000);
      const progress = {
        onSend(bytes: number) {
          announced = bytes;
        },
        onBytes(bytes: number) {
          counted += bytes;
        },
      };
      const model = { name: 'tiny', version: '1', fingerprint: digestOf(repository), size: 11 };
      const options = { client, repository, platform, destination: '/app/model', signal, ...progress };
      await deliverModel(options, { ...model, files: async () => files });
    });
    return [announced, counted];
  };

  it('counts what is announced: a small model is padded and has headers', async () => {
    const [announced, counted] = await send([fileOf('model.bin', Buffer.from('11 byte str'))], 0);
    assert.ok(announced > 11);
    assert.equal(counted, announced);
  });

  it('counts no byte twice that is sent again', async () => {
    const [announced, counted] = await send([fileOf('model.bin', randomBytes(3 << 20))], 2);
    assert.equal(counted, announced);
  });
});
