import { DeliveryError } from '../errors.ts';
import { formatBytes } from '../report/format.ts';

const mebibyte = 1024 * 1024;

const gibibyte = 1024 * mebibyte;

/** What is known of a registry's uploads beyond the specification. */
export interface UploadProfile {
  /** Most bytes of one PATCH. */
  readonly largestRequest: number;
  /** Most bytes of one layer. */
  readonly largestLayer: number;
}

/** One PATCH of the whole blob is fastest, and what Azure, Google and Amazon want (kitops#777: some refuse parts). */
const ordinary: UploadProfile = {
  largestRequest: Number.POSITIVE_INFINITY,
  largestLayer: Number.POSITIVE_INFINITY,
};

/** Azure's, in every tier. https://learn.microsoft.com/azure/container-registry/container-registry-skus */
const azure: UploadProfile = { ...ordinary, largestLayer: 200 * gibibyte };

/** By the end of the host's name. */
const profiles: Readonly<Record<string, UploadProfile>> = {
  // GitHub's registry ends a PATCH of more than 4 MiB (regclient and oras found the same limit).
  'ghcr.io': { ...ordinary, largestRequest: 4 * mebibyte },
  'azurecr.io': azure,
  'azurecr.us': azure,
  'azurecr.cn': azure,
};

export function profileOf({ hostname }: URL): UploadProfile {
  const found = Object.entries(profiles).find(([name]) => hostname === name || hostname.endsWith(`.${name}`));
  return found?.[1] ?? ordinary;
}

/** Throws LAYER_TOO_LARGE before hours are spent on a layer that the registry will not take. */
export function checkLayerSize(registry: URL, size: number): void {
  const { largestLayer } = profileOf(registry);
  if (size <= largestLayer) return;
  throw new DeliveryError({
    code: 'LAYER_TOO_LARGE',
    side: 'registry',
    message: `A layer of ${formatBytes(size)} is larger than the registry ${registry.host} takes (${formatBytes(largestLayer)}).`,
    remedy: 'Split the file (most formats of weights know shards): each large file has a layer of its own.',
  });
}

/** The sizes that are tried after a 413, which proxies before a registry answer: each some proxy's default limit. */
const smallerRequests = [64 * mebibyte, 16 * mebibyte, 4 * mebibyte, mebibyte, mebibyte / 2];

/** The next size below one that was refused; undefined where smaller ones make no sense. */
export function smallerRequest(refused: number): number | undefined {
  return smallerRequests.find((size) => size < refused);
}
