import {
  chosenRegistry,
  namedAzureRegistry,
  openRegistry,
  registryChoice,
} from '../../src/azure/registry.ts';
import { DeliveryError } from '../../src/errors.ts';
import type { Host, ServiceConnection } from '../../src/host/host.ts';
import { required } from '../../src/host/inputs.ts';
import type { AzureBlobLocation } from '../../src/model/azureBlob/location.ts';
import { checkedUrl, type HttpLocation, publicUrl } from '../../src/model/http/location.ts';
import type { HuggingFaceLocation } from '../../src/model/huggingFace/location.ts';
import type { LockedSource, ModelLock } from '../../src/model/lock.ts';
import type { MlflowLocation } from '../../src/model/mlflow/store.ts';
import { type OciLocation, ociLocation } from '../../src/model/oci/location.ts';
import type { ModelSource } from '../../src/model/open.ts';
import { readS3Connection, type S3Connection } from '../../src/model/s3/connection.ts';
import { awsEndpoint, isFor } from '../../src/model/s3/endpoint.ts';
import type { S3Location } from '../../src/model/s3/location.ts';
import { s3SignIn } from '../../src/model/s3/signIn.ts';
import { modelServer } from '../../src/model/server.ts';
import type { RegistryAccess } from '../../src/oci/connection.ts';
import { invalid } from './checks.ts';
import type { Raw } from './fields.ts';
import { type BlobCredentialFor, blobCredential } from './modelBlob.ts';

/** The address before the last slash, and the name after it. */
function split(url: string): { readonly place: string; readonly name: string } {
  const slash = url.lastIndexOf('/');
  return { place: url.slice(0, Math.max(slash, 0)), name: url.slice(slash + 1) };
}

/** A lock is a file that anybody may have written: a credential goes only where its owner said that it may. */
function elsewhere(input: string, meant: string, source: LockedSource): DeliveryError {
  return invalid(
    input,
    `is for ${meant}, but the lock's model is at ${source.url}`,
    'Choose the connection that FetchModel used; its URL must be the address of the service.',
  );
}

function azureBlob({ url }: LockedSource, credentialFor: BlobCredentialFor): AzureBlobLocation {
  const { place, name } = split(url);
  return { endpoint: place, container: name, credential: credentialFor(place) };
}

const awsAddress = /^https:\/\/s3\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/;

/** The endpoint that the environment's credentials are for, as every AWS SDK reads it. */
function environmentEndpoint({ environment }: Host): string | undefined {
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = environment;
  const endpoint = AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL;
  return endpoint?.replace(/\/+$/, '');
}

/** The connection; undefined where the SDK is to find the environment's credentials. */
function s3Connection(host: Host, raw: Raw): S3Connection | undefined {
  if (raw.modelAuthentication === 'environment') return undefined;
  const id = required(raw.modelS3Connection, 'modelS3Connection', 'to read a model from S3');
  return readS3Connection(host.connection(id));
}

/** FetchModel's `s3Endpoint` may name another address of Amazon's S3 than the connection does. */
function isOtherOfAws(place: string, connection: S3Connection | undefined): boolean {
  const isHttps = URL.canParse(place) && new URL(place).protocol === 'https:';
  return connection !== undefined && isHttps && isFor(connection, place);
}

function s3(host: Host, raw: Raw, source: LockedSource): S3Location {
  const connection = s3Connection(host, raw);
  const { place, name: bucket } = split(source.url);
  const inAws = awsAddress.exec(place)?.[1];
  const endpoint = connection === undefined ? environmentEndpoint(host) : connection.endpoint;
  const inOwn = place === endpoint || isOtherOfAws(place, connection);
  const isMeant = inAws === undefined ? inOwn : connection?.endpoint === undefined;
  if (!isMeant) throw elsewhere('modelS3Connection', endpoint ?? "Amazon's own service", source);
  const { AWS_REGION, AWS_DEFAULT_REGION } = host.environment;
  // A service of one's own seldom has regions; its software then takes this name.
  const named = inAws ?? (inOwn ? awsEndpoint(place)?.region : undefined);
  const region = named ?? connection?.region ?? (AWS_REGION || AWS_DEFAULT_REGION || 'us-east-1');
  return {
    bucket,
    region,
    addressing: raw.modelS3Addressing,
    ...(inAws === undefined ? { endpoint: place } : {}),
    ...(connection === undefined ? {} : s3SignIn(connection, host, region)),
  };
}

function httpCredentials(connection: ServiceConnection, host: Host, source: LockedSource) {
  const { username, password } = connection.parameters;
  if (username === undefined || password === undefined) {
    throw invalid('modelHttpConnection', 'has no user name and password', 'Complete it, or leave it empty.');
  }
  const origin = URL.canParse(connection.url) ? new URL(connection.url).origin : connection.url;
  if (origin !== new URL(source.url).origin) throw elsewhere('modelHttpConnection', origin, source);
  host.secret(password);
  return { username, password };
}

function http(host: Host, raw: Raw, { name, source }: ModelLock): HttpLocation {
  const url = checkedUrl(raw.modelUrl ?? source.url);
  for (const value of new URL(url).searchParams.values()) if (value.length >= 16) host.secret(value);
  if (publicUrl(url) !== source.url) throw elsewhere('modelUrl', publicUrl(url), source);
  const id = raw.modelHttpConnection;
  const credentials =
    id === undefined ? {} : { credentials: httpCredentials(host.connection(id), host, source) };
  return { url, model: name, ...credentials };
}

/** The registry that the inputs let in to: the model's own, else the one that the image goes to. */
function registryOf(host: Host, raw: Raw, hostName: string): RegistryAccess | undefined {
  if (raw.modelAuthentication === 'anonymous') return undefined;
  if (raw.modelRegistry !== undefined) return openRegistry(host.connection(raw.modelRegistry), host);
  const target = registryChoice(raw);
  const access = target === undefined ? undefined : chosenRegistry(target, host);
  if (access !== undefined && new URL(access.registryUrl).host === hostName) return access;
  const id = required(raw.azureSubscription, 'modelRegistry', `to read a model from ${hostName}`);
  return namedAzureRegistry(host.connection(id), hostName, host);
}

function oci(host: Host, raw: Raw, { name, source }: ModelLock): OciLocation {
  const url = new URL(source.url);
  const access = registryOf(host, raw, url.host);
  if (access !== undefined && new URL(access.registryUrl).origin !== url.origin) {
    throw elsewhere('modelRegistry', access.registryUrl, source);
  }
  return ociLocation(`${url.host}${url.pathname}`, name, access ?? { registryUrl: url.origin });
}

/** The server that the lock names, with the connection's credentials where they are for it. */
function server(host: Host, raw: Raw, source: LockedSource): MlflowLocation {
  const id = raw.modelServerConnection;
  if (id === undefined) return { url: source.url };
  const connection = host.connection(id);
  const secret = connection.parameters['password'];
  if (secret) host.secret(secret);
  const names = { connection: 'modelServerConnection', address: 'modelLock' };
  return modelServer(connection, source.url, names) ?? { url: source.url };
}

/** The hub of the repository that the lock names. */
function huggingFace(host: Host, raw: Raw, { name, source }: ModelLock): HuggingFaceLocation {
  const end = `/${name}`;
  if (!source.url.endsWith(end)) throw unsuitable('serviceConnection', source);
  const url = source.url.slice(0, -end.length);
  return { ...server(host, raw, { ...source, url }), model: name };
}

/** What is set for the model's source; `none` beside a connection of the model's stands for that connection. */
function authenticationOf(raw: Raw): Raw['modelAuthentication'] {
  const { modelAuthentication, modelS3Connection, modelHttpConnection, modelRegistry } = raw;
  const { modelUrl, modelServerConnection } = raw;
  const connections = [
    ...[modelS3Connection, modelHttpConnection, modelRegistry, modelServerConnection],
    modelUrl,
  ];
  const isSet = connections.some((value) => value !== undefined);
  return modelAuthentication === 'none' && isSet ? 'serviceConnection' : modelAuthentication;
}

function unsuitable(authentication: string, source: LockedSource): DeliveryError {
  return new DeliveryError({
    code: 'MODEL_SOURCE_UNSUPPORTED',
    side: 'input',
    message: `'modelAuthentication: ${authentication}' cannot read a model of source '${source.type}' (${source.url}).`,
    remedy:
      "Choose the authentication of that kind of source (docs/build-model-image.md), or use FetchModel with 'mode: download' before this step.",
  });
}

const notForBlobs: ReadonlySet<string> = new Set(['serviceConnection', 'environment']);
const suitable: Readonly<Record<string, ReadonlySet<string>>> = {
  s3: notForBlobs,
  http: new Set(['serviceConnection', 'anonymous']),
  oci: new Set(['serviceConnection', 'anonymous', 'azureResourceManager']),
  mlflow: new Set(['serviceConnection', 'anonymous']),
  huggingFace: new Set(['serviceConnection', 'anonymous']),
};

/**
 * How the inputs let in to the source that a lock names; undefined where they do not. What it gives throws
 * MODEL_SOURCE_UNSUPPORTED, and INPUT_INVALID for a credential that is for another place.
 */
export function sourceOf(host: Host, raw: Raw): ((lock: ModelLock) => ModelSource) | undefined {
  const authentication = authenticationOf(raw);
  if (authentication === 'none') return undefined;
  const blobs = blobCredential(host, raw);
  return (lock) => {
    const { source } = lock;
    if (source.type === 'azureBlob' && blobs !== undefined) {
      return { type: 'azureBlob', location: azureBlob(source, blobs) };
    }
    if (suitable[source.type]?.has(authentication) !== true) throw unsuitable(authentication, source);
    switch (source.type) {
      case 's3':
        return { type: 's3', location: s3(host, raw, source) };
      case 'http':
        return { type: 'http', location: http(host, raw, lock) };
      case 'oci':
        return { type: 'oci', location: oci(host, raw, lock) };
      case 'mlflow':
        return { type: 'mlflow', location: server(host, raw, source) };
      case 'huggingFace':
        return { type: 'huggingFace', location: huggingFace(host, raw, lock) };
      default:
        throw unsuitable(authentication, source);
    }
  };
}
