import type { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { DirectRead } from '../store.ts';
import { s3Client } from './client.ts';
import type { S3Location } from './location.ts';

/** A request as the SDK would send it. */
type Signed = Parameters<S3Client['config']['requestHandler']['handle']>[0];

/** Carries a request that was kept instead of sent. */
class Kept extends Error {
  readonly request: Signed;

  constructor(request: Signed) {
    super('kept');
    this.request = request;
  }
}

function addressOf({ protocol, hostname, port, path, query = {} }: Signed): string {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`);
  for (const [name, values] of Object.entries(query)) {
    for (const value of Array.isArray(values) ? values : [values ?? '']) url.searchParams.append(name, value);
  }
  return url.href;
}

/**
 * Lets the SDK find endpoint, credentials and signature of a request, which is given instead of sent.
 * Throws what the SDK throws before it sends, for example a CredentialsProviderError.
 */
export function createSigner(
  location: S3Location,
): (command: GetObjectCommand, etag: string) => Promise<DirectRead> {
  const client = s3Client(location, 1, {
    handle: async (request: Signed) => {
      throw new Kept(request);
    },
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  });
  return async (command, etag) => {
    const kept = await client.send(command).catch((error: unknown) => error);
    if (!(kept instanceof Kept)) throw kept;
    return { url: addressOf(kept.request), headers: kept.request.headers, etag };
  };
}
