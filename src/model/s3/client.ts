import http from 'node:http';
import https from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { installedNetwork } from '../../http/network/network.ts';
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
    customUserAgent: 'model-delivery',
    requestHandler: usualHandler(),
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
  return new S3Client({
    ...clientSettings(attempts),
    ...(requestHandler !== undefined && { requestHandler }),
    region,
    // Services other than AWS's rarely have a name for each bucket.
    forcePathStyle: addressing === 'path' || (addressing === 'auto' && endpoint !== undefined),
    // The model's own digest is checked; many services know no checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    followRegionRedirects: false,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
  });
}
