import { createHash } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { zipSync } from 'fflate';
import { Agent, request } from 'undici';
import type { Connection } from '../../local/agent/connections.ts';
import type { LocalAcr } from '../../local/azure/acr.ts';
import type { OauthStorage } from '../../local/azure/storage.ts';
import { audiences, type LocalIdentity } from '../../local/identity/index.ts';
import { createRegistryClient } from '../../src/oci/client.ts';
import { azureServiceConnection, type Scheme } from './identity.ts';
import { pushWebImagesBy } from './webImage.ts';

/** Hosts of a cloud that exists behind a proxy only: no resolver knows them. */
export const hosts = {
  login: 'login.sovereign.test',
  devops: 'devops.sovereign.test',
  storage: 'datascience.blob.core.sovereign.test',
  registry: 'models.azurecr.sovereign.test',
  manager: 'management.sovereign.test',
  cluster: 'prod.azmk8s.test',
  packages: 'packages.test',
} as const;

/** An AzureRM connection to that cloud, as a file of service connections holds it. */
export function sovereignConnection(local: LocalIdentity, scheme: Scheme): Connection {
  const { scheme: name, parameters } = azureServiceConnection(local, scheme);
  const identity = scheme === 'managedIdentity' ? { msiclientId: local.userAssigned.clientId } : {};
  return {
    name: 'sovereign',
    id: local.connectionId,
    type: 'azurerm',
    url: `https://${hosts.manager}/`,
    scheme: name,
    parameters,
    data: {
      ...identity,
      environment: 'AzureStack',
      activeDirectoryAuthority: `https://${hosts.login}/`,
      activeDirectoryServiceEndpointResourceId: audiences.resourceManager,
      storageEndpointSuffix: 'core.sovereign.test',
      subscriptionid: '00000000-0000-4000-8000-0000000000aa',
    },
  };
}

/** The data scientist's side: a container with one version of one model. */
export async function publishBlobs(storage: OauthStorage, local: LocalIdentity): Promise<void> {
  const dispatcher = new Agent({ connect: { ca: local.authority.certificate } });
  const token = await local.entra.issue(local.tenantId, local.application, audiences.storage);
  const headers = {
    authorization: `Bearer ${token}`,
    'x-ms-version': '2024-11-04',
    'x-ms-blob-type': 'BlockBlob',
  };
  const blobs = { 'models?restype=container': '', 'models/credit/1.0.0/model.bin': 'the weights' };
  for (const [path, body] of Object.entries(blobs)) {
    const answer = await request(`${storage.blobEndpoint}/${path}`, {
      method: 'PUT',
      headers,
      body,
      dispatcher,
    });
    if (answer.statusCode !== 201) throw new Error(await answer.body.text());
  }
  await dispatcher.close();
}

/** Pushes a small base image by the application's own token, past the proxy. */
export async function pushBase(acr: LocalAcr, local: LocalIdentity): Promise<void> {
  const dispatcher = new Agent({ connect: { ca: local.authority.certificate } });
  const ask = async (path: string, form: Record<string, string>): Promise<Record<string, string>> => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = new URLSearchParams({ service: hosts.registry, ...form }).toString();
    const answer = await request(`${acr.url}/oauth2/${path}`, { method: 'POST', headers, body, dispatcher });
    return (await answer.body.json()) as Record<string, string>;
  };
  const access_token = await local.entra.issue(local.tenantId, local.application, audiences.registry);
  const exchanged = await ask('exchange', {
    grant_type: 'access_token',
    access_token,
    tenant: local.tenantId,
  });
  const client = createRegistryClient({
    ...{ registryUrl: acr.url, dispatcher, pushTo: 'base', userAgent: 'test' },
    signal: AbortSignal.timeout(60_000),
    fetchToken: (url) =>
      ask('token', {
        grant_type: 'refresh_token',
        refresh_token: exchanged['refresh_token'] ?? '',
        scope: url.searchParams.getAll('scope').join(' '),
      }),
  });
  await pushWebImagesBy(client, 'base', [{ tag: '1', modelVersion: '', created: '2026-01-01T00:00:00Z' }]);
  await dispatcher.close();
}

/** A package index over HTTPS with one wheel. */
export interface PackageIndex {
  readonly url: string;
  readonly requests: readonly string[];
  close(): Promise<void>;
}

function wheel(): Buffer {
  const text = (content: string): Uint8Array => Buffer.from(content);
  const info = 'greeting-1.0.dist-info';
  return Buffer.from(
    zipSync({
      'greeting.py': text('HELLO = "hello"\n'),
      [`${info}/METADATA`]: text('Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n'),
      [`${info}/WHEEL`]: text(
        'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
      ),
      [`${info}/RECORD`]: text(`greeting.py,,\n${info}/METADATA,,\n${info}/WHEEL,,\n${info}/RECORD,,\n`),
    }),
  );
}

export async function startPackageIndex(local: LocalIdentity): Promise<PackageIndex> {
  const file = wheel();
  const digest = createHash('sha256').update(file).digest('hex');
  const requests: string[] = [];
  const server = createServer(await local.authority.issue(hosts.packages), (incoming, outgoing) => {
    requests.push(incoming.url ?? '');
    if (incoming.url?.endsWith('.whl')) return void outgoing.end(file);
    const link = `<a href="/files/greeting-1.0-py3-none-any.whl#sha256=${digest}">greeting-1.0-py3-none-any.whl</a>`;
    outgoing
      .writeHead(200, { 'content-type': 'text/html' })
      .end(`<!DOCTYPE html><html><body>${link}</body></html>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
