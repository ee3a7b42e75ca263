import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metric, Sample } from '../report.ts';
import type { Checkout, Site } from './site.ts';

/** Bytes through the registry's front door. */
export const wireMetrics = {
  sent: { name: 'sent', unit: 'MiB' },
  received: { name: 'received', unit: 'MiB' },
} as const satisfies Record<string, Metric>;

/** Somebody who makes an image and pushes it. */
export interface Builder {
  readonly name: string;
  /** Makes the agent a fresh one: no image, layer or cache of earlier builds. */
  readonly reset: () => Promise<void>;
  /** Builds and pushes as `<repository>:<tag>`; the sample is without the bytes on the wire. */
  readonly build: (source: Checkout, repository: string, tag: string) => Promise<Sample>;
}

/** Runs a build and adds what it sent and received. */
export async function counted({ wire }: Site, build: () => Promise<Sample>): Promise<Sample> {
  const before = wire.traffic();
  const sample = await build();
  const after = wire.traffic();
  return {
    ...sample,
    [wireMetrics.sent.name]: (after.sent - before.sent) / 2 ** 20,
    [wireMetrics.received.name]: (after.received - before.received) / 2 ** 20,
  };
}

/** The file by which docker and buildah sign in: passwords do not belong on command lines. */
export async function writeAuthFile({ registry }: Site, folder: string): Promise<string> {
  const auth = Buffer.from(`${registry.username}:${registry.password}`).toString('base64');
  const file = join(folder, 'config.json');
  await writeFile(file, JSON.stringify({ auths: { [registry.host]: { auth } } }), { mode: 0o600 });
  return file;
}
