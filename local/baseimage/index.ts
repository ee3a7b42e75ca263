import { createReadStream } from 'node:fs';
import { explain } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/documents.ts';
import { type ImageConfig, type Manifest, mediaTypes, type Platform } from '../../src/oci/types.ts';
import type { LocalContext } from '../lib/context.ts';
import type { RegistryEndpoint } from '../lib/endpoints.ts';
import { type BuiltLayer, debianLayer, recipeDigest, sourceDate } from './debian.ts';
import { copyImage } from './official.ts';
import {
  localRepository,
  publicRepository,
  pushBlob,
  pushManifest,
  type Repository,
  readManifest,
} from './push.ts';

const repository = 'python';
const tag = '3.11-slim-bookworm';
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

async function pushDebian(context: LocalContext, target: Repository): Promise<string> {
  const layer = await debianLayer(context);
  const config = Buffer.from(JSON.stringify(imageConfig(layer)));
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: digestOf(config), size: config.length },
    layers: [{ mediaType: mediaTypes.layerGzip, digest: layer.digest, size: layer.size }],
    annotations: { [recipeAnnotation]: layer.recipe },
  };
  await pushBlob(target, layer, async () => createReadStream(layer.file));
  await pushBlob(target, manifest.config, async () => config);
  const content = Buffer.from(JSON.stringify(manifest));
  await pushManifest(target, tag, { content, mediaType: manifest.mediaType });
  return digestOf(content);
}

/** The image that the registry has already, unless another recipe made it. */
async function present(target: Repository): Promise<Omit<BaseImage, 'reference'> | undefined> {
  const stored = await readManifest(target, tag);
  if (stored === undefined) return undefined;
  const { annotations } = JSON.parse(stored.content.toString('utf8')) as Manifest;
  const recipe = annotations?.[recipeAnnotation];
  if (recipe === undefined) return { digest: stored.digest, origin: 'docker.io' };
  return recipe === (await recipeDigest()) ? { digest: stored.digest, origin: 'debian' } : undefined;
}

async function bring(context: LocalContext, target: Repository): Promise<Omit<BaseImage, 'reference'>> {
  const source = publicRepository('https://registry-1.docker.io', `library/${repository}`);
  try {
    return { digest: await copyImage(source, target, tag, machinePlatform()), origin: 'docker.io' };
  } catch (error) {
    const [reason] = explain(error).split('\n');
    context.say(`Docker Hub's ${repository}:${tag} cannot be copied (${reason}).`);
    return { digest: await pushDebian(context, target), origin: 'debian' };
  }
}

/**
 * Puts `python:3.11-slim-bookworm` into the local registry, the way a team imports it into its private one: the
 * official image where Docker Hub can be reached, else one of the same name and shape from Debian packages.
 */
export async function ensureBaseImage(context: LocalContext, registry: RegistryEndpoint): Promise<BaseImage> {
  const target = localRepository(registry, repository);
  const image = (await present(target)) ?? (await bring(context, target));
  return { reference: `${registry.host}/${repository}:${tag}`, ...image };
}
