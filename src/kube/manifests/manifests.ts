import { type Document, LineCounter, type ParsedNode, parseAllDocuments, type Tags } from 'yaml';
import { DeliveryError } from '../../errors.ts';
import { describe, identity, isRecord, type KubeObject, refOf } from '../objects/objects.ts';
import type { ManifestFile } from './manifestFiles.ts';

/** An object and where it was written, for every later message about it. */
export interface Manifest {
  /** For example `k8s/web.yaml, document 2 (line 14)`. */
  readonly origin: string;
  readonly object: KubeObject;
}

function invalid(origin: string, problem: string, remedy: string): DeliveryError {
  return new DeliveryError({
    code: 'MANIFEST_INVALID',
    side: 'input',
    message: `${origin}: ${problem}.`,
    remedy,
  });
}

/**
 * Kubernetes reads YAML 1.1 (an octal `defaultMode: 0644`, `on` as true), but knows neither its dates nor its
 * base-60 numbers.
 */
function kubernetesTags(tags: Tags): Tags {
  const unknown = new Set(['timestamp', 'intTime', 'floatTime', 'binary', 'omap', 'pairs', 'set']);
  return tags.filter((tag) => {
    if (typeof tag === 'string') return !unknown.has(tag);
    const isTime = 'format' in tag && tag.format === 'TIME';
    return !isTime && !/timestamp|binary|omap|pairs|set$/.test(tag.tag);
  });
}

function check(value: unknown, origin: string): KubeObject {
  const fix = 'Every object needs apiVersion, kind and metadata.name.';
  if (!isRecord(value)) throw invalid(origin, 'is not an object but a ' + typeof value, fix);
  for (const field of ['apiVersion', 'kind']) {
    const text = value[field];
    if (typeof text !== 'string' || text === '')
      throw invalid(origin, `'${field}' is missing or not text`, fix);
  }
  const metadata = value['metadata'];
  if (!isRecord(metadata)) throw invalid(origin, "'metadata' is missing", fix);
  if (metadata['generateName'] !== undefined && metadata['name'] === undefined) {
    const remedy = "Give it a fixed 'metadata.name': a generated one would add an object at every run.";
    throw invalid(origin, "'metadata.generateName' cannot be applied", remedy);
  }
  for (const field of ['name', 'namespace']) {
    const text = metadata[field];
    if (text === undefined && field === 'namespace') continue;
    if (typeof text !== 'string' || text === '') {
      throw invalid(origin, `'metadata.${field}' is missing or not text`, fix);
    }
  }
  return value as unknown as KubeObject;
}

/** Told here and not by the API server, whose answer would quote the value. */
function checkSecret(secret: KubeObject, origin: string): void {
  for (const field of ['data', 'stringData']) {
    const values = secret[field];
    for (const [key, value] of Object.entries(isRecord(values) ? values : {})) {
      if (value === null || typeof value === 'string') continue;
      const remedy = 'Write the value in quotes, or as a block (|): a Secret holds text only.';
      throw invalid(origin, `'${field}.${key}' is not text but a ${typeof value}`, remedy);
    }
  }
}

/** A List's items are objects of their own. */
function flatten(value: unknown, origin: string): Manifest[] {
  if (isRecord(value) && String(value['kind']).endsWith('List') && Array.isArray(value['items'])) {
    return value['items'].flatMap((item, index) => flatten(item, `${origin}, items[${index}]`));
  }
  const object = check(value, origin);
  if (object.kind === 'Secret') checkSecret(object, origin);
  return [{ origin, object }];
}

function toValue(document: Document.Parsed, origin: string): unknown {
  const [error] = document.errors;
  const why = error?.message.split('\n')[0]?.replace(/:$/, '');
  if (why !== undefined)
    throw invalid(origin, `is not valid YAML: ${why}`, 'Correct the file at that place.');
  try {
    // The limit stops documents whose aliases would grow without bound.
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw invalid(origin, `cannot be read: ${message}`, 'Write the document without so many YAML aliases.');
  }
}

/** Helm writes before each document which template it comes from. */
function templateOf(document: Document.Parsed<ParsedNode>): string | undefined {
  const comment = document.commentBefore ?? document.contents?.commentBefore ?? '';
  return /^ Source: (\S+)$/m.exec(comment)?.[1];
}

/** The objects of one file, YAML or JSON, one or many documents. Throws MANIFEST_INVALID with file and document. */
export function parseManifests(file: ManifestFile): Manifest[] {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments<ParsedNode>(file.text, {
    version: '1.1',
    customTags: kubernetesTags,
    lineCounter,
  });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document, index) => {
    const line = lineCounter.linePos(document.range[0]).line;
    const template = templateOf(document);
    const origin = `${file.name}, ${template ?? `document ${index + 1} (line ${line})`}`;
    const value = toValue(document, origin);
    return value === null || value === undefined ? [] : flatten(value, origin);
  });
}

/** Throws MANIFEST_DUPLICATE when two manifests name the same object, MANIFESTS_EMPTY when there is none. */
export function refuseDuplicates(manifests: readonly Manifest[]): void {
  const first = new Map<string, Manifest>();
  for (const manifest of manifests) {
    const key = identity(refOf(manifest.object));
    const earlier = first.get(key);
    if (earlier !== undefined) {
      throw new DeliveryError({
        code: 'MANIFEST_DUPLICATE',
        side: 'input',
        message: `${describe(refOf(manifest.object))} is written twice: in ${earlier.origin} and in ${manifest.origin}.`,
        remedy: 'Keep one of them: otherwise the last one read would win.',
      });
    }
    first.set(key, manifest);
  }
  if (first.size > 0) return;
  throw new DeliveryError({
    code: 'MANIFESTS_EMPTY',
    side: 'input',
    message: 'The manifest files hold no object.',
    remedy:
      "Correct the input 'manifests', or leave it empty and set 'appName' to have the objects generated.",
  });
}

const order = [
  'Namespace',
  'CustomResourceDefinition',
  'PriorityClass',
  'StorageClass',
  'ResourceQuota',
  'LimitRange',
  'ServiceAccount',
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
  'Secret',
  'ConfigMap',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'NetworkPolicy',
  'Service',
];
const last = ['HorizontalPodAutoscaler', 'PodDisruptionBudget', 'Ingress', 'HTTPRoute', 'Gateway'];

/** What others need comes first: namespaces, rights, configuration, services, workloads, then what acts on them. */
export function inApplyOrder<T extends Manifest>(manifests: readonly T[]): T[] {
  const rank = (manifest: T): number => {
    const { kind } = manifest.object;
    if (last.includes(kind)) return order.length + 1;
    const found = order.indexOf(kind);
    return found < 0 ? order.length : found;
  };
  return [...manifests].sort((a, b) => rank(a) - rank(b));
}
