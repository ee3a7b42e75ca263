import { DeliveryError } from '../../errors.ts';
import { requireNoDowngrade } from './client.ts';

/** A file that an index names. */
export interface IndexedFile {
  /** `<model>/<version>/<path>`, or `<model>/<path>` for a file without version. */
  readonly name: string;
  readonly url: URL;
  /** Bytes, where the index says it. */
  readonly size?: number;
  /** Hexadecimal. */
  readonly sha256?: string;
}

type Node = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a JSON document means to be an index, and not a model that is written in JSON. */
export function isIndex(value: unknown): value is Node {
  return isRecord(value) && ['models', 'versions', 'files'].some((key) => Array.isArray(value[key]));
}

function invalid(where: string, problem: string): DeliveryError {
  return new DeliveryError({
    code: 'MODEL_INDEX_INVALID',
    side: 'storage',
    message: `The model index is not usable: ${where} ${problem}.`,
    remedy:
      'Correct the index: {"versions": [{"version": "1.0", "files": [{"path": "model.bin", "url": "1.0/model.bin", "size": 123, "sha256": "…"}]}]}.',
  });
}

function listAt(node: Node, key: string, where: string): readonly Node[] {
  const value = node[key] ?? [];
  if (!Array.isArray(value) || !value.every(isRecord))
    throw invalid(`${where}.${key}`, 'is not a list of objects');
  return value;
}

function textAt(node: Node, key: string, where: string): string {
  const value = node[key];
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(`${where}.${key}`, 'is not a text');
}

function fileAt(node: Node, prefix: string, where: string, base: URL): IndexedFile {
  const address = textAt(node, 'url', where);
  if (!URL.canParse(address, base.href)) throw invalid(`${where}.url`, 'is not an address');
  const url = new URL(address, base);
  requireNoDowngrade(base, url);
  const { size, sha256 } = node;
  if (size !== undefined && !(Number.isSafeInteger(size) && Number(size) >= 0)) {
    throw invalid(`${where}.size`, 'is not a number of bytes');
  }
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(String(sha256))) {
    throw invalid(`${where}.sha256`, 'is not a SHA-256 of 64 hexadecimal digits');
  }
  return {
    name: `${prefix}${textAt(node, 'path', where)}`,
    url,
    ...(size === undefined ? {} : { size: Number(size) }),
    ...(sha256 === undefined ? {} : { sha256: String(sha256).toLowerCase() }),
  };
}

function filesAt(node: Node, prefix: string, where: string, base: URL): IndexedFile[] {
  return listAt(node, 'files', where).map((file, at) => fileAt(file, prefix, `${where}.files[${at}]`, base));
}

/** The files of one model: those of its versions, and those that lie beside them. */
function modelAt(node: Node, model: string, where: string, base: URL): IndexedFile[] {
  const versions = listAt(node, 'versions', where).flatMap((version, at) => {
    const place = `${where}.versions[${at}]`;
    const name = textAt(version, 'version', place);
    if (name.includes('/')) throw invalid(`${place}.version`, 'has a slash');
    return filesAt(version, `${model}/${name}/`, place, base);
  });
  return [...filesAt(node, `${model}/`, where, base), ...versions];
}

/**
 * All files that an index names: of the models that it lists, and, where it has versions or files of its own, of
 * `model`. Relative addresses start from the index's own. Throws MODEL_INDEX_INVALID, naming the place.
 */
export function parseIndex(value: Node, model: string, base: URL): IndexedFile[] {
  const named = listAt(value, 'models', 'index').flatMap((node, at) => {
    const where = `index.models[${at}]`;
    return modelAt(node, textAt(node, 'model', where), where, base);
  });
  return [...modelAt(value, model, 'index', base), ...named];
}
