import { namedAzureRegistry, openRegistry } from '../../src/azure/registry.ts';
import { DeliveryError } from '../../src/errors.ts';
import type { Host, ServiceConnection } from '../../src/host/host.ts';
import { invalidInput, required } from '../../src/host/inputs.ts';
import { checkedUrl, type HttpCredentials, type HttpLocation } from '../../src/model/http/location.ts';
import { type HuggingFaceLocation, publicHub } from '../../src/model/huggingFace/location.ts';
import type { MlflowLocation } from '../../src/model/mlflow/store.ts';
import { type OciLocation, ociLocation } from '../../src/model/oci/location.ts';
import { readS3Connection } from '../../src/model/s3/connection.ts';
import { awsEndpoint, chosenEndpoint } from '../../src/model/s3/endpoint.ts';
import { checkedBucket, checkedRegion, type S3Location } from '../../src/model/s3/location.ts';
import { s3SignIn } from '../../src/model/s3/signIn.ts';
import { type ModelServer, modelServer } from '../../src/model/server.ts';
import type { RegistryAccess } from '../../src/oci/connection.ts';
import { parseReference } from '../../src/oci/reference.ts';
import type { Raw } from './fields.ts';

/** The S3 bucket that the inputs name; without a connection the SDK finds the environment's credentials. */
export function s3(host: Host, raw: Raw): S3Location {
  const connection =
    raw.s3Connection === undefined ? undefined : readS3Connection(host.connection(raw.s3Connection));
  const endpoint = chosenEndpoint(raw.s3Endpoint, connection);
  const { AWS_REGION, AWS_DEFAULT_REGION } = host.environment;
  const aws = endpoint === undefined ? { region: undefined } : awsEndpoint(endpoint);
  // A service of one's own seldom has regions; its software then takes this name.
  const usual = aws === undefined ? 'us-east-1' : undefined;
  const own = aws?.region ?? connection?.region;
  const named = raw.region ?? own ?? (AWS_REGION || AWS_DEFAULT_REGION || usual);
  const region = checkedRegion(
    required(named, 'region', "unless the service connection or 's3Endpoint' says where"),
  );
  return {
    bucket: checkedBucket(required(raw.bucket, 'bucket', 'with source s3')),
    region,
    addressing: raw.s3Addressing,
    ...(endpoint !== undefined && { endpoint }),
    ...(connection !== undefined && s3SignIn(connection, host, region)),
  };
}

/** Whoever writes the YAML may not send a connection's password to another server than its own. */
function checkOrigin(url: string, connection: ServiceConnection): void {
  const { origin } = new URL(url);
  const own = URL.canParse(connection.url) ? new URL(connection.url).origin : connection.url;
  if (origin === own) return;
  throw invalidInput(
    'url',
    `is at ${origin}, but the service connection of 'httpConnection' is for ${own}`,
    "Write that server's address into the connection, or choose the connection of this one.",
  );
}

function httpCredentials(host: Host, id: string, url: string): HttpCredentials {
  const connection = host.connection(id);
  const { username, password } = connection.parameters;
  checkOrigin(url, connection);
  if (username !== undefined && password !== undefined) {
    host.secret(password);
    return { username, password };
  }
  throw new DeliveryError({
    code: 'INPUT_INVALID',
    side: 'input',
    message: `Service connection '${id}' of input 'httpConnection' has no user name and password.`,
    remedy: "Complete it in the project settings, or leave 'httpConnection' empty for an open server.",
  });
}

/** The address that the inputs name. Whatever its query holds is masked: signatures travel there. */
export function http(host: Host, raw: Raw, model: string): HttpLocation {
  const url = checkedUrl(required(raw.url, 'url', 'with source http'));
  for (const value of new URL(url).searchParams.values()) if (value.length >= 16) host.secret(value);
  return {
    url,
    model,
    ...(raw.httpConnection !== undefined && { credentials: httpCredentials(host, raw.httpConnection, url) }),
  };
}

/** The registry's connection; with an Azure connection alone it is the one that the reference names. */
function registry(host: Host, raw: Raw, reference: string): RegistryAccess | undefined {
  const { containerRegistry, azureSubscription } = raw;
  if (containerRegistry !== undefined) return openRegistry(host.connection(containerRegistry), host);
  if (azureSubscription === undefined) return undefined;
  return namedAzureRegistry(host.connection(azureSubscription), parseReference(reference).registry, host);
}

/** The repository that the inputs name. */
export function oci(host: Host, raw: Raw, model: string): OciLocation {
  const reference = required(raw.reference, 'reference', 'with source oci');
  const access = registry(host, raw, reference);
  return ociLocation(reference, model, access);
}

/** The server that the inputs name, its password or token masked; undefined where they name none. */
function server(host: Host, raw: Raw): ModelServer | undefined {
  const id = raw.modelServerConnection;
  const connection = id === undefined ? undefined : host.connection(id);
  const secret = connection?.parameters['password'];
  if (secret) host.secret(secret);
  const names = { connection: 'modelServerConnection', address: 'modelServer' };
  return modelServer(connection, raw.modelServer, names);
}

/** The tracking server that the inputs name. */
export function mlflow(host: Host, raw: Raw, model: string): MlflowLocation {
  const why = "with source mlflow, unless 'modelServerConnection' says where";
  const found = required(server(host, raw), 'modelServer', why);
  if (model.includes('/')) {
    throw invalidInput('model', `is '${model}'`, 'Registered models of MLflow have no slash in their names.');
  }
  return { ...found, ...(raw.versionTag !== undefined && { versionTag: raw.versionTag }) };
}

/** The hub that the inputs name, else the public one, and the repository there. */
export function huggingFace(host: Host, raw: Raw, model: string): HuggingFaceLocation {
  if (!/^[\w.-]+(\/[\w.-]+)?$/.test(model)) {
    throw invalidInput('model', `is '${model}'`, "Write the repository's id: owner/name.");
  }
  return { ...(server(host, raw) ?? { url: publicHub }), model };
}
