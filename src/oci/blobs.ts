import { createHash } from 'node:crypto';
import { DeliveryError } from '../errors.ts';
import type { Access } from './access.ts';
import { type BlobSource, statBlob } from './session.ts';
import { headerOf } from './transport.ts';
import { pushBlob, type UploadControl } from './upload.ts';

/** The error for bytes that are not those of their digest. */
export function corrupt(what: string, wanted: string, got: string): DeliveryError {
  return new DeliveryError({
    code: 'BLOB_CORRUPT',
    side: 'registry',
    message: `The registry delivered other bytes for ${what} than its digest ${wanted} says (${got}).`,
    remedy: "Run again; if it stays so, check the registry's storage or a proxy that changes answers.",
  });
}

/** Whether the repository has the blob. */
export function hasBlob(access: Access, repository: string, digest: string): Promise<boolean> {
  return access.explained(`look for a blob in ${repository}`, async () => {
    const target = { repository, scope: access.scopeOf(repository) };
    return (await statBlob(access.transport, target, digest)) !== undefined;
  });
}

/**
 * A blob's bytes from `offset` on. Read from its beginning, it ends with BLOB_CORRUPT when they are not those of
 * the digest.
 */
export async function* readBlob(
  access: Access,
  repository: string,
  digest: string,
  offset = 0,
): AsyncGenerator<Uint8Array> {
  const action = `read a blob of ${repository}`;
  const response = await access.explained(action, () =>
    access.transport.send({
      method: 'GET',
      path: `/v2/${repository}/blobs/${digest}`,
      scope: access.scopeOf(repository),
      expect: offset === 0 ? [200] : [206],
      ...(offset === 0 ? {} : { headers: { range: `bytes=${offset}-` } }),
    }),
  );
  const hash = createHash('sha256');
  const body = (response.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await access.explained(action, () => body.next());
      if (next.done === true) break;
      hash.update(next.value);
      yield next.value;
    }
  } finally {
    await body.return?.();
  }
  const got = `sha256:${hash.digest('hex')}`;
  if (offset === 0 && got !== digest)
    throw corrupt(`${headerOf(response, 'content-length')} bytes`, digest, got);
}

/** Pushes a blob, mounted from another repository of the same registry where it can be. */
export function pushBlobTo(
  access: Access,
  target: { readonly repository: string; readonly mountFrom?: string },
  blob: BlobSource,
  control: UploadControl,
): Promise<'mounted' | 'uploaded'> {
  return access.explained(`push ${blob.size} bytes to ${target.repository}`, () =>
    pushBlob(access.transport, { ...target, scope: access.scopeOf(target.repository) }, blob, control),
  );
}
