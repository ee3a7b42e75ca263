import { DeliveryError } from '../../errors.ts';
import { answerInvalid, isNode, type JsonNode, nodesAt, textAt } from '../http/json.ts';
import { ask, type Tracking } from './api.ts';

/** A file of a version, as the server lists it. */
export interface Artifact {
  readonly path: string;
  /** Bytes; undefined where the listing does not tell, as for an empty file. */
  readonly size: number | undefined;
}

const proxyPath = '/api/2.0/mlflow-artifacts/artifacts';

function elsewhere(uri: string, what: string, { server }: Tracking): DeliveryError {
  const s3 = /^s3a?:\/\/([^/]+)\/(.*)$/.exec(uri);
  const azure = /^(?:wasbs?|abfss?):\/\/([^@/]+)@([^./]+)[^/]*\/(.*)$/.exec(uri);
  const where =
    s3 !== null
      ? `Read it there: 'source: s3', 'bucket: ${s3[1]}', and the folder '${s3[2]}' as model and version`
      : azure !== null
        ? `Read it there: 'source: azureBlob', 'storageAccount: ${azure[2]}', 'container: ${azure[1]}', and the folder '${azure[3]}' as model and version`
        : 'Publish the model where the tracking server hands it out';
  return new DeliveryError({
    code: 'MLFLOW_ARTIFACTS_ELSEWHERE',
    side: 'storage',
    message: `The files of ${what} lie at ${withoutUser(uri)}, which the tracking server ${server.url} does not hand out itself.`,
    remedy: `${where}; or let the server hand artifacts out (mlflow server --serve-artifacts --artifacts-destination …) and log the model anew.`,
  });
}

/** An address without the name and password that it may carry; the container of Azure's file systems stands there too. */
function withoutUser(uri: string): string {
  return uri.replace(/^([a-z][\w+.-]*:\/\/)[^/@]*:[^/@]*@/i, '$1');
}

/** Where a run or a logged model keeps its files. */
async function rootOf(tracking: Tracking, uri: string, signal: AbortSignal): Promise<string> {
  const [, run, below = ''] = /^runs:\/([^/]+)(\/.*)?$/.exec(uri) ?? [];
  if (run !== undefined) {
    const found = await ask(tracking, 'mlflow/runs/get', { run_id: run }, signal);
    const info = isNode(found?.['run']) ? found['run']['info'] : undefined;
    return isNode(info) ? `${textAt(info, 'artifact_uri')}${below}` : uri;
  }
  const [, logged, rest = ''] = /^models:\/(m-[^/]+)(\/.*)?$/.exec(uri) ?? [];
  if (logged === undefined) return uri;
  const found = await ask(tracking, `mlflow/logged-models/${encodeURIComponent(logged)}`, {}, signal);
  const info = isNode(found?.['model']) ? found['model']['info'] : undefined;
  return isNode(info) ? `${textAt(info, 'artifact_uri')}${rest}` : uri;
}

/** The path within the artifacts that the server hands out; undefined for what it does not. */
function proxiedPath(uri: string, { server }: Tracking): string | undefined {
  if (!URL.canParse(uri)) return undefined;
  const url = new URL(uri);
  const own = new URL(server.url);
  const decoded = decodedPath(url);
  if (decoded === undefined) return undefined;
  const path = decoded.replace(/^\/+|\/+$/g, '');
  if (url.protocol === 'mlflow-artifacts:')
    return url.host === '' || url.host === own.host ? path : undefined;
  const at = decoded.indexOf(`${proxyPath}/`);
  return url.origin === own.origin && at >= 0
    ? decoded.slice(at + proxyPath.length + 1).replace(/\/+$/, '')
    : undefined;
}

/** An address's path as it was before it was encoded; undefined where it cannot be that, or would lead upwards. */
function decodedPath({ pathname }: URL): string | undefined {
  try {
    const path = decodeURIComponent(pathname);
    return path.split('/').includes('..') ? undefined : path;
  } catch {
    return undefined;
  }
}

/**
 * The folder of a version's files, within what the tracking server hands out; undefined when there is no such version.
 * Throws MLFLOW_ARTIFACTS_ELSEWHERE.
 */
export async function artifactFolder(
  tracking: Tracking,
  model: string,
  version: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const query = { name: model, version };
  const found = await ask(tracking, 'mlflow/model-versions/get-download-uri', query, signal);
  if (found === undefined) return undefined;
  const uri = await rootOf(tracking, textAt(found, 'artifact_uri'), signal);
  const path = proxiedPath(uri, tracking);
  if (path === undefined) throw elsewhere(uri, `version ${version} of model '${model}'`, tracking);
  return path;
}

/** The address of an artifact. */
export function artifactUrl({ server }: Tracking, path: string): URL {
  return new URL(`${server.url}${proxyPath}/${path.split('/').map(encodeURIComponent).join('/')}`);
}

/** What the server lists in a folder below a version's, which has nothing where `below` is empty. */
async function nodesIn(
  tracking: Tracking,
  folder: string,
  below: string,
  signal: AbortSignal,
): Promise<readonly JsonNode[]> {
  const path = `${folder}/${below}`.replace(/\/$/, '');
  const page = await ask(tracking, 'mlflow-artifacts/artifacts', { path }, signal);
  if (Array.isArray(page?.['files'])) return nodesAt(page, 'files');
  if (below === '') return [];
  // The server itself has listed it: taken for empty, it would leave files out.
  throw answerInvalid(artifactUrl(tracking, path), 'it lists no files of a folder that it has');
}

/** All files below a folder, at any depth. */
export async function artifactsBelow(
  tracking: Tracking,
  folder: string,
  signal: AbortSignal,
): Promise<readonly Artifact[]> {
  const files: Artifact[] = [];
  const folders = [''];
  for (let below = folders.pop(); below !== undefined; below = folders.pop()) {
    signal.throwIfAborted();
    for (const node of await nodesIn(tracking, folder, below, signal)) {
      const name = textAt(node, 'path');
      // What would lead to another folder is none of this one's files.
      if (/^\.{0,2}$|\//.test(name)) {
        throw answerInvalid(artifactUrl(tracking, folder), `it lists a file by the name '${name}'`);
      }
      if (node['is_dir'] === true) folders.push(`${below}${name}/`);
      else files.push({ path: `${below}${name}`, size: sizeOf(node['file_size']) });
    }
  }
  return files;
}

/** Some servers write 64-bit numbers as texts, as protobuf's JSON does. */
function sizeOf(value: unknown): number | undefined {
  const size = typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
  return Number.isSafeInteger(size) && size >= 0 ? size : undefined;
}
