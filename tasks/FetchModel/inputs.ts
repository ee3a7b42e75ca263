import { join } from 'node:path';
import { checkedForToken, storageIdentity } from '../../src/azure/storage.ts';
import { DeliveryError } from '../../src/errors.ts';
import type { Host } from '../../src/host/host.ts';
import { readInputs, required } from '../../src/host/inputs.ts';
import { parseConnectionString } from '../../src/model/azureBlob/connectionString.ts';
import {
  type AzureBlobLocation,
  accountEndpoint,
  accountOf,
  checkedContainer,
  checkedEndpoint,
  checkedKey,
  checkedSas,
  secretsOf,
} from '../../src/model/azureBlob/location.ts';
import type { ModelSource } from '../../src/model/open.ts';
import type { ScanMode } from '../../src/model/scan/model.ts';
import type { VersionPolicy, Wanted } from '../../src/model/selection/types.ts';
import type { SignatureSettings } from '../../src/model/signature/check.ts';
import {
  checkedDigest,
  checkedModel,
  checkedPointer,
  checkedRange,
  checkedSecret,
  checkedTags,
  checkedVersion,
  isRange,
} from './checks.ts';
import { fields, type Raw } from './fields.ts';
import { signatureOf } from './signature.ts';
import { http, huggingFace, mlflow, oci, s3 } from './sources.ts';

/** What the task shall do, checked. */
export interface FetchInputs {
  readonly source: ModelSource;
  readonly wanted: Wanted;
  readonly mode: 'download' | 'resolve';
  /** What to do when the chosen version is overwritten before it has arrived. */
  readonly onChange: 'restart' | 'fail';
  readonly targetFolder: string;
  readonly expectedDigest?: string;
  /** Nothing is transferred unless its digest is known before. */
  readonly requireDigest: boolean;
  /** A lock file to compare with; it may be absent. */
  readonly previousLock?: string;
  readonly scan: ScanMode;
  readonly signature: SignatureSettings;
  /** A folder that runs share, and its limit in bytes. */
  readonly cache?: { readonly folder: string; readonly limit: number };
}

/** The value of a secret input, registered for masking before anything else sees it. */
function secret(host: Host, raw: Raw, name: 'accountKey' | 'sasToken' | 'connectionString'): string {
  const value = required(raw[name], name, `with authentication '${raw.authentication}'`);
  host.secret(value);
  return checkedSecret(value, name);
}

function endpoint(raw: Raw, suffix?: string): string {
  if (raw.blobEndpoint !== undefined) return checkedEndpoint(raw.blobEndpoint, 'blobEndpoint');
  const account = required(raw.storageAccount, 'storageAccount', "unless 'blobEndpoint' is given");
  return accountEndpoint(account, suffix);
}

/** The service connection alone is enough in YAML: it stands for the authentication that it is for. */
function authenticationOf(raw: Raw): Raw['authentication'] {
  const { azureSubscription, authentication, accountKey } = raw;
  if (azureSubscription === undefined || authentication === 'azureResourceManager') return authentication;
  if (authentication === 'accountKey' && accountKey === undefined) return 'azureResourceManager';
  throw new DeliveryError({
    code: 'INPUT_INVALID',
    side: 'input',
    message: `Inputs 'azureSubscription' and 'authentication: ${authentication}' are two ways to sign in.`,
    remedy: 'Leave one of them out; with a service connection, no key is needed.',
  });
}

function byIdentity(host: Host, raw: Raw, container: string): AzureBlobLocation {
  const id = required(
    raw.azureSubscription,
    'azureSubscription',
    "with authentication 'azureResourceManager'",
  );
  const { identity, suffix } = storageIdentity(host.connection(id), host);
  const url = checkedForToken(endpoint(raw, suffix), suffix);
  return { endpoint: url, container, credential: { kind: 'identity', identity } };
}

function azureBlob(host: Host, raw: Raw): AzureBlobLocation {
  const container = checkedContainer(required(raw.container, 'container', 'with source azureBlob'));
  switch (authenticationOf(raw)) {
    case 'azureResourceManager':
      return byIdentity(host, raw, container);
    case 'connectionString': {
      const parts = parseConnectionString(secret(host, raw, 'connectionString'));
      for (const part of secretsOf(parts.credential)) host.secret(part);
      return { ...parts, container };
    }
    case 'accountKey': {
      const key = checkedKey(secret(host, raw, 'accountKey'), 'accountKey');
      const url = endpoint(raw);
      const account = raw.storageAccount ?? accountOf(url);
      return { endpoint: url, container, credential: { kind: 'accountKey', account, key } };
    }
    case 'sas': {
      const token = checkedSas(secret(host, raw, 'sasToken'), 'sasToken');
      for (const part of secretsOf({ kind: 'sas', token })) host.secret(part);
      return { endpoint: endpoint(raw), container, credential: { kind: 'sas', token } };
    }
    case 'anonymous':
      return { endpoint: endpoint(raw), container, credential: { kind: 'anonymous' } };
  }
}

function policy(raw: Raw): VersionPolicy {
  switch (raw.versionPolicy) {
    case 'exact': {
      const version = required(raw.version, 'version', 'with versionPolicy exact');
      return isRange(version)
        ? { kind: 'latestSemver', range: version }
        : { kind: 'exact', version: checkedVersion(version) };
    }
    case 'latestSemver':
      return {
        kind: 'latestSemver',
        ...(raw.version !== undefined && { range: checkedRange(raw.version) }),
      };
    case 'pointer':
      return { kind: 'pointer', file: checkedPointer(raw.pointerFile) };
    default:
      return { kind: raw.versionPolicy };
  }
}

/** Only blobs have index tags; elsewhere the input is left out, as the editor hides it. */
function tagsOf({ source, blobTags }: Raw): Pick<Wanted['ready'], 'tags'> {
  return source !== 'azureBlob' || blobTags.length === 0 ? {} : { tags: checkedTags(blobTags) };
}

function source(host: Host, raw: Raw, model: string): ModelSource {
  switch (raw.source) {
    case 'azureBlob':
      return {
        type: 'azureBlob',
        location: azureBlob(host, raw),
        ...(raw.blobTags.length > 0 && { tags: true }),
      };
    case 's3':
      return { type: 's3', location: s3(host, raw) };
    case 'http':
      return { type: 'http', location: http(host, raw, model) };
    case 'oci':
      return { type: 'oci', location: oci(host, raw, model) };
    case 'mlflow':
      return { type: 'mlflow', location: mlflow(host, raw, model) };
    case 'huggingFace':
      return { type: 'huggingFace', location: huggingFace(host, raw, model) };
  }
}

/** Reads and checks all inputs. Throws INPUT_MISSING or INPUT_INVALID, naming the input. */
export function readFetchInputs(host: Host): FetchInputs {
  const raw = readInputs(host, fields);
  const model = checkedModel(required(raw.model, 'model', 'to know which model is meant'));
  const workspace = host.variable('Pipeline.Workspace') ?? host.workingFolder;
  return {
    source: source(host, raw, model),
    wanted: {
      model,
      policy: policy(raw),
      files: raw.files,
      ready: {
        quietSeconds: raw.quietPeriod,
        ...(raw.readyFile !== undefined && { markerFile: raw.readyFile }),
        ...tagsOf(raw),
      },
    },
    mode: raw.mode,
    onChange: raw.onChange,
    scan: raw.scan,
    requireDigest: raw.requireDigest,
    ...(raw.previousLock !== undefined && { previousLock: raw.previousLock }),
    signature: signatureOf(raw),
    targetFolder: raw.targetFolder ?? join(workspace, 'model'),
    ...(raw.cacheFolder !== undefined && {
      cache: { folder: raw.cacheFolder, limit: raw.cacheLimit * 1024 ** 3 },
    }),
    ...(raw.expectedDigest !== undefined && { expectedDigest: checkedDigest(raw.expectedDigest) }),
  };
}
