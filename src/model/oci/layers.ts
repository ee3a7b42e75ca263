import { annotations } from '../../oci/annotations.ts';
import type { Descriptor, Manifest } from '../../oci/types.ts';

/** How a layer holds the model. */
export type ModelLayer =
  | { readonly holds: 'file'; readonly path: string; readonly digest: string; readonly size: number }
  /** An uncompressed archive; files that are not below `root` are none of the model's. */
  | { readonly holds: 'archive'; readonly root: string; readonly digest: string; readonly size: number };

/** Why an image or artifact is not a model that can be read. */
export class NotAModel extends Error {}

/** Where ModelPack writes a layer's path; https://github.com/modelpack/model-spec/blob/main/docs/annotations.md */
const modelPackPath = 'org.cncf.model.filepath';
/** ORAS marks folders, which it packs and compresses, so; https://oras.land/docs/ */
const unpackMark = 'io.deis.oras.content.unpack';

function compressed({ mediaType, annotations: notes }: Descriptor): boolean {
  return /[+.](gzip|zstd)$/.test(mediaType) || notes?.[unpackMark] === 'true';
}

function namedLayer(layer: Descriptor): ModelLayer | undefined {
  const { digest, size, mediaType } = layer;
  const path = layer.annotations?.[modelPackPath] ?? layer.annotations?.[annotations.title];
  if (path === undefined) return undefined;
  if (compressed(layer))
    throw new NotAModel(`its layer '${path}' is compressed, so no part of it can be read by itself`);
  // ORAS says "tar" of every single file; ModelPack means it.
  return mediaType.startsWith('application/vnd.cncf.model.') && mediaType.endsWith('.tar')
    ? { holds: 'archive', root: '', digest, size }
    : { holds: 'file', path, digest, size };
}

/**
 * The layers that are the model: those that BuildModelImage marked, else those that name a file (ORAS, ModelPack).
 * Throws NotAModel.
 */
export function modelLayers(manifest: Manifest): readonly ModelLayer[] {
  const own = manifest.layers.filter((layer) => layer.annotations?.[annotations.layerKind] === 'model');
  const path = manifest.annotations?.[annotations.modelPath] ?? '';
  const root = path === '' ? '' : `${path.replace(/^\/|\/$/g, '')}/`;
  if (own.some(compressed)) throw new NotAModel('its model layers are compressed');
  if (own.length > 0) return own.map(({ digest, size }) => ({ holds: 'archive', root, digest, size }));
  const named = manifest.layers.map(namedLayer).filter((layer) => layer !== undefined);
  if (named.length > 0) return named;
  throw new NotAModel('no layer of it names a file, and none is a model layer of BuildModelImage');
}
