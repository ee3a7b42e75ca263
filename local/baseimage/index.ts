import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { explain } from '../../src/errors.ts';
import { createRegistryClient, type RegistryClient } from '../../src/oci/client.ts';
import { digestOf } from '../../src/oci/documents.ts';
import { type ImageConfig, type Manifest, mediaTypes, type Platform } from '../../src/oci/types.ts';
import type { LocalContext } from '../lib/context.ts';
import type { RegistryEndpoint } from '../lib/endpoints.ts';
import { type BuiltLayer, debianLayer, recipeDigest, sourceDate } from './debian.ts';
import { copyImage, reachDockerHub } from './official.ts';

const repository = 'python';
const tag = '3.11-slim-bookworm';
/** For the whole image. */
const longestMs = 600_000;
const recipeAnnotation = 'dev.model-delivery.recipe';

/** The base image as it lies in the local registry. */
export interface BaseImage {
  /** `<registry host>/python:3.11-slim-bookworm` */
  readonly reference: string;
  readonly digest: string;
  /** The official image, or one of the same shape made from Debian packages. */
  readonly origin: 'docker.io' | 'debian';
}

function machinePlatform(): Platform {
  return { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };
}

/** As in the official image, but for the variables that name its source archive. */
function imageConfig(layer: BuiltLayer): ImageConfig {
  const created = new Date(sourceDate * 1000).toISOString();
  return {
    ...machinePlatform(),
    created,
    config: {
      Env: [
        'PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'LANG=C.UTF-8',
        `PYTHON_VERSION=${layer.pythonVersion}`,
      ],
      Cmd: ['python3'],
    },
    rootfs: { type: 'layers', diff_ids: [layer.diffId] },
    history: [{ created, created_by: 'mmdebstrap bookworm', comment: 'Debian packages' }],
  };
}

async function pushDebian(context: LocalContext, target: RegistryClient): Promise<string> {
  const layer = await debianLayer(context);
  const config = Buffer.from(JSON.stringify(imageConfig(layer)));
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: digestOf(config), size: config.length },
    layers: [{ mediaType: mediaTypes.layerGzip, digest: layer.digest, size: layer.size }],
    annotations: { [recipeAnnotation]: layer.recipe },
  };
  await target.pushBlob(repository, { ...layer, open: (start) => createReadStream(layer.file, { start }) });
  await target.pushBlob(repository, {
    ...manifest.config,
    open: (start) => Readable.from([config.subarray(start)]),
  });
  const { mediaType } = manifest;
  return target.putManifest(repository, tag, { mediaType, content: JSON.stringify(manifest) });
}

/** The image that the registry has already, unless another recipe made it. */
async function present(target: RegistryClient): Promise<Omit<BaseImage, 'reference'> | undefined> {
  const stored = await target.findManifest(repository, tag);
  if (stored?.kind !== 'image') return undefined;
  const recipe = stored.manifest.annotations?.[recipeAnnotation];
  if (recipe === undefined) return { digest: stored.digest, origin: 'docker.io' };
  return recipe === (await recipeDigest()) ? { digest: stored.digest, origin: 'debian' } : undefined;
}

async function bring(context: LocalContext, target: RegistryClient): Promise<Omit<BaseImage, 'reference'>> {
  try {
    const registry = await reachDockerHub(AbortSignal.timeout(longestMs));
    const source = { registry, repository: `library/${repository}`, tag, platform: machinePlatform() };
    return { digest: await copyImage(source, target, repository), origin: 'docker.io' };
  } catch (error) {
    const [reason] = explain(error).split('\n');
    context.say(`Docker Hub gives no ${repository}:${tag} (${reason}): Debian's packages make one.`);
    return { digest: await pushDebian(context, target), origin: 'debian' };
  }
}

/**
 * Puts `python:3.11-slim-bookworm` into the local registry, the way a team imports it into its private one: the
 * official image where Docker Hub can be reached, else one of the same name and shape from Debian packages.
 */
export async function ensureBaseImage(context: LocalContext, registry: RegistryEndpoint): Promise<BaseImage> {
  const target = createRegistryClient({
    registryUrl: registry.url,
    credentials: registry,
    pushTo: repository,
    signal: AbortSignal.timeout(longestMs),
    userAgent: 'model-delivery-local',
  });
  const image = (await present(target)) ?? (await bring(context, target));
  return { reference: `${registry.host}/${repository}:${tag}`, ...image };
}
