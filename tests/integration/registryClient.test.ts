import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { createRegistryClient, type RegistryClient } from '../../src/oci/client.ts';
import { digestOf } from '../../src/oci/documents.ts';
import type { BlobSource } from '../../src/oci/session.ts';
import { mediaTypes } from '../../src/oci/types.ts';
import { type SeenRequest, withFaultProxy } from '../support/faultProxy.ts';
import { services } from '../support/services.ts';

const platform = { os: 'linux', architecture: 'amd64' };

function blobOf(content: Buffer): BlobSource & { readonly digest: string } {
  return {
    digest: digestOf(content),
    size: content.byteLength,
    async *open(offset) {
      for (let at = offset; at < content.byteLength; at += 65_536) yield content.subarray(at, at + 65_536);
    },
  };
}

describe('registry client on a real registry', () => {
  let registry: RegistryEndpoint;

  const clientOf = (changes: { url?: string; password?: string; pushTo?: string } = {}): RegistryClient =>
    createRegistryClient({
      registryUrl: changes.url ?? registry.url,
      credentials: { username: registry.username, password: changes.password ?? registry.password },
      signal: new AbortController().signal,
      userAgent: 'model-delivery-tests',
      ...(changes.pushTo === undefined ? {} : { pushTo: changes.pushTo }),
    });

  /** Pushes an image of one small layer; gives its digest. */
  const pushImage = async (repository: string, tag: string): Promise<string> => {
    const client = clientOf({ pushTo: repository });
    const config = {
      ...platform,
      created: '2026-01-02T03:04:05Z',
      rootfs: { type: 'layers', diff_ids: [] },
      config: { Labels: { tag } },
    };
    const blob = blobOf(Buffer.from(JSON.stringify(config)));
    await client.pushBlob(repository, blob);
    const descriptor = { mediaType: mediaTypes.config, digest: blob.digest, size: blob.size };
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config: descriptor, layers: [] };
    const content = JSON.stringify(manifest);
    return client.putManifest(repository, tag, { mediaType: mediaTypes.manifest, content });
  };

  before(async function () {
    this.timeout(300_000);
    registry = (await services('registry')).registry;
  });

  it('lists tags and reads manifest and configuration by tag and digest', async () => {
    const digest = await pushImage('client/read', 'v1');
    await pushImage('client/read', 'v2');
    const client = clientOf();
    assert.deepEqual([...(await client.listTags('client/read'))].sort(), ['v1', 'v2']);
    assert.equal((await client.manifest('client/read', 'v1')).digest, digest);
    const image = await client.image('client/read', digest, platform);
    assert.equal(image.config.created, '2026-01-02T03:04:05Z');
    assert.equal(image.config.config?.Labels?.['tag'], 'v1');
  });

  it('follows an index to the platform and names the platforms that there are', async () => {
    const digest = await pushImage('client/index', 'amd64');
    const client = clientOf();
    const { size } = await client.manifest('client/index', digest);
    const entry = { mediaType: mediaTypes.manifest, digest, size, platform };
    const content = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [entry] });
    await client.putManifest('client/index', 'all', { mediaType: mediaTypes.index, content });
    assert.equal((await client.image('client/index', 'all', platform)).digest, digest);
    await assert.rejects(client.image('client/index', 'all', { os: 'linux', architecture: 'arm64' }), {
      code: 'PLATFORM_NOT_FOUND',
      message: /linux\/amd64/,
    });
  });

  it('pushes a blob, recognises it, reads it back and mounts it elsewhere', async () => {
    const content = randomBytes(3_000_000);
    const blob = blobOf(content);
    const client = clientOf({ pushTo: 'client/blobs' });
    assert.equal(await client.hasBlob('client/blobs', blob.digest), false);
    assert.equal(await client.pushBlob('client/blobs', blob), 'uploaded');
    assert.equal(await client.hasBlob('client/blobs', blob.digest), true);
    const parts: Uint8Array[] = [];
    for await (const part of client.readBlob('client/blobs', blob.digest)) parts.push(part);
    assert.equal(Buffer.concat(parts).equals(content), true);
    assert.equal(await client.pushBlob('client/mounted', blob, 'client/blobs'), 'mounted');
  });

  it('names the nearest tags of a repository and the nearest repositories of a registry', async () => {
    await pushImage('client/near', '2026.11.1');
    const client = clientOf();
    await assert.rejects(client.manifest('client/near', '2026.11.2'), {
      code: 'IMAGE_NOT_FOUND',
      remedy: /2026\.11\.1/,
    });
    await assert.rejects(client.listTags('client/naer'), {
      code: 'REPOSITORY_NOT_FOUND',
      remedy: /client\/near/,
    });
    assert.equal(await client.findManifest('client/naer', 'x'), undefined);
  });

  it('never shows its credentials to another address that a blob is redirected to', async () => {
    const blob = blobOf(randomBytes(1000));
    await clientOf({ pushTo: 'client/redirect' }).pushBlob('client/redirect', blob);
    const read = async (client: RegistryClient): Promise<void> => {
      for await (const part of client.readBlob('client/redirect', blob.digest))
        assert.ok(part.byteLength > 0);
    };
    await withFaultProxy(
      registry.url,
      () => undefined,
      async (elsewhere) => {
        const redirect = (seen: SeenRequest) =>
          seen.path.includes('/blobs/') && seen.headers.authorization !== undefined
            ? { kind: 'status' as const, status: 307, headers: { location: `${elsewhere.url}${seen.path}` } }
            : undefined;
        await withFaultProxy(registry.url, redirect, async ({ url }) => {
          // The real registry behind the other address asks for credentials, and does not get them.
          await assert.rejects(read(clientOf({ url })), { code: 'REGISTRY_UNAUTHORIZED' });
        });
        assert.ok(elsewhere.seen.length > 0);
        assert.ok(elsewhere.seen.every((seen) => seen.headers.authorization === undefined));
      },
    );
  });

  it('says that the password is wrong, and does not show it', async () => {
    const wrong = 'wrong-password-1';
    await assert.rejects(clientOf({ password: wrong }).listTags('client/read'), (error: Error) => {
      assert.equal((error as { code?: string }).code, 'REGISTRY_UNAUTHORIZED');
      assert.equal(JSON.stringify([error.message, String(error.cause)]).includes(wrong), false);
      return true;
    });
  });

  it('says that a registry cannot be reached, and that one does not speak TLS', async () => {
    await assert.rejects(clientOf({ url: 'http://127.0.0.1:9' }).listTags('app'), {
      code: 'REGISTRY_UNREACHABLE',
    });
    await assert.rejects(clientOf({ url: registry.url.replace('http:', 'https:') }).listTags('app'), {
      code: 'REGISTRY_NOT_TLS',
    });
  });
});
