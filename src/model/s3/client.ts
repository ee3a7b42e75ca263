import http from 'node:http';
import https from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { installedNetwork } from '../../http/network/network.ts';
import { userAgent } from '../../http/ownRequest.ts';
import { awsEndpoint, insecureEndpoint, isUnsafeForTokens } from './endpoint.ts';
import type { S3Location } from './location.ts';

/** Idle and connection limits in milliseconds; who reads watches for silence itself. */
const timeouts = { connectionTimeout: 15_000, requestTimeout: 60_000 };

/** The SDK makes agents of its own unless it is given some; the process's own know proxies and authorities. */
function usualHandler() {
  if (installedNetwork() === undefined) return timeouts;
  return { ...timeouts, httpAgent: http.globalAgent, httpsAgent: https.globalAgent };
}

/** What all clients of the SDK have in common; `attempts` 1 leaves repeating to the caller. */
export function clientSettings(attempts: number) {
  return {
    maxAttempts: attempts,
    requestHandler: usualHandler(),
  };
}

/** When {@link namingProduct} is done: once the SDK has written its own name. */
export const afterOwnName = { step: 'build', priority: 'low' } as const;

/** Puts the product's name before the SDK's in a request of the SDK, which writes only its own in that place. */
export function namingProduct<Input extends { readonly request: unknown }, Output>(
  next: (input: Input) => Output,
): (input: Input) => Output {
  return (input) => {
    const { headers } = input.request as { readonly headers: Record<string, string> };
    headers['user-agent'] = [userAgent(), headers['user-agent']].filter(Boolean).join(' ');
    return next(input);
  };
}

function isOthers(endpoint: string | undefined): boolean {
  return endpoint !== undefined && awsEndpoint(endpoint) === undefined;
}

/** What a signed request of the SDK has. */
interface Signed {
  readonly protocol: string;
  readonly hostname: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Refuses to send a session's token unencrypted, whoever gave it: the environment's sessions are known only here. */
function keepingTokens<Input extends { readonly request: unknown }, Output>(
  next: (input: Input) => Output,
): (input: Input) => Output {
  return (input) => {
    const { protocol, hostname, headers } = input.request as Signed;
    const address = `${protocol}//${hostname}`;
    if (headers['x-amz-security-token'] !== undefined && isUnsafeForTokens(address)) {
      throw insecureEndpoint("The session's token", address);
    }
    return next(input);
  };
}

/** A client of the SDK; `attempts` 1 leaves repeating to the caller. */
export function s3Client(
  location: S3Location,
  attempts: number,
  requestHandler?: NonNullable<S3ClientConfig['requestHandler']>,
): S3Client {
  const { region, endpoint, addressing } = location;
  const credentials = location.session ?? location.credentials;
  const client = new S3Client({
    ...clientSettings(attempts),
    ...(requestHandler !== undefined && { requestHandler }),
    region,
    // Services other than AWS's rarely have a name for each bucket.
    forcePathStyle: addressing === 'path' || (addressing === 'auto' && isOthers(endpoint)),
    // The model's own digest is checked; many services know no checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    followRegionRedirects: false,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
  });
  client.middlewareStack.add(namingProduct, afterOwnName);
  client.middlewareStack.add(keepingTokens, { step: 'finalizeRequest', priority: 'low' });
  return client;
}
