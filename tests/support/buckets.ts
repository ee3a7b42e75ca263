import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { S3Endpoint } from '../../local/lib/endpoints.ts';
import type { ServiceConnection } from '../../src/host/host.ts';
import { s3Client } from '../../src/model/s3/client.ts';
import type { S3Location } from '../../src/model/s3/location.ts';

/** A bucket of a test's own, seen from the publisher's side. */
export interface TestBucket {
  readonly location: S3Location;
  put(name: string, content: string | Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
}

/** Where the local S3 service's bucket of this name is. */
export function s3Location({ url, region, ...credentials }: S3Endpoint, bucket: string): S3Location {
  return { bucket, region, endpoint: url, addressing: 'auto', credentials };
}

/** The service connection `s3` of the local S3 service. */
export function s3Connection({ url, accessKeyId, secretAccessKey, region }: S3Endpoint): ServiceConnection {
  const parameters = { username: accessKeyId, password: secretAccessKey, region };
  return { id: 's3', url, scheme: 'UsernamePassword', parameters, data: {} };
}

/** A new bucket. */
export async function newBucket(s3: S3Endpoint, { versioned = false } = {}): Promise<TestBucket> {
  const location = s3Location(s3, `models-${randomBytes(6).toString('hex')}`);
  const client = s3Client(location, 2);
  const Bucket = location.bucket;
  await client.send(new CreateBucketCommand({ Bucket }));
  if (versioned) {
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  }
  return {
    location,
    async put(Key, content) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.from(content) }));
    },
    async remove(Key) {
      await client.send(new DeleteObjectCommand({ Bucket, Key }));
    },
  };
}
