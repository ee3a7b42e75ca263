import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { startServices } from '../../local/services/index.ts';
import { s3Client } from '../../src/model/s3/client.ts';
import { newBucket } from '../../tests/support/buckets.ts';
import { measure } from '../measure.ts';
import type { Room } from '../room.ts';
import type { ModelCase } from './cases.ts';
import type { ModelServer } from './server.ts';

/**
 * The Versity Gateway (S3) with the models that lie below `folder`. Everybody may read its bucket, so that curl and
 * aria2c can; FetchModel, rclone and the SDK sign their requests as they would elsewhere.
 */
export async function versity(
  room: Room,
  folder: string,
  models: readonly ModelCase[],
): Promise<ModelServer> {
  const { s3 } = await startServices(room.context, ['s3']);
  if (s3 === undefined) throw new Error('The local S3 service did not start.');
  const { location } = await newBucket(s3);
  const { bucket } = location;
  const keys = { AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.secretAccessKey };
  const remote = {
    RCLONE_CONFIG: '/dev/null',
    RCLONE_CONFIG_SOURCE_TYPE: 's3',
    RCLONE_CONFIG_SOURCE_PROVIDER: 'Other',
    RCLONE_CONFIG_SOURCE_ENV_AUTH: 'true',
    RCLONE_CONFIG_SOURCE_ENDPOINT: s3.url,
    RCLONE_CONFIG_SOURCE_REGION: s3.region,
    // rclone cannot do with a bundle of authorities that is meant for other AWS clients.
    AWS_CA_BUNDLE: '',
    ...keys,
  };
  for (const { name } of models) {
    const args = ['copy', '--s3-no-check-bucket', '--transfers', '8', `${folder}/${name}/1`];
    const env = { ...process.env, ...remote };
    await measure({ command: 'rclone', args: [...args, `source:${bucket}/${name}/1`], env });
  }
  const readable = {
    Effect: 'Allow',
    Principal: '*',
    Action: 's3:GetObject',
    Resource: `arn:aws:s3:::${bucket}/*`,
  };
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [readable] });
  await s3Client(location, 2).send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
  return {
    name: 'Versity Gateway (S3)',
    bucket,
    address: (model, file) => `${s3.url}/${bucket}/${model.name}/1/${file}`,
    inputs: (model) => ({
      ...{ source: 's3', bucket, region: s3.region, s3Endpoint: s3.url },
      model: model.name,
    }),
    environment: { ...keys, AWS_REGION: s3.region, AWS_ENDPOINT_URL_S3: s3.url },
    rclone: { environment: remote, path: (model) => `source:${bucket}/${model.name}/1` },
  };
}
