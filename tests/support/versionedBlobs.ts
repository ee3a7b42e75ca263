import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BlobSASPermissions, type ContainerClient, ContainerSASPermissions } from '@azure/storage-blob';
import type { StorageEndpoint } from '../../local/lib/endpoints.ts';
import type { AzureBlobLocation } from '../../src/model/azureBlob/location.ts';
import { newContainer, publish } from './blobs.ts';

/** A container of an account that keeps versions, seen from the publisher's side. */
export interface VersionedContainer {
  readonly location: AzureBlobLocation;
  /** Gives the id of the new version. */
  put(name: string, content: string | Uint8Array): Promise<string>;
  /** The blob has no current version any more; those that it had stay. */
  remove(name: string): void;
  /** The queries of reads, in the order of arrival. */
  readonly reads: URLSearchParams[];
  close(): Promise<void>;
}

interface Kept {
  current: string | undefined;
  readonly versions: string[];
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The listing as an account with versioning gives it: the current version's id with each blob. */
function listing(xml: string, blobs: ReadonlyMap<string, Kept>): string {
  return xml.replace(/<Blob><Name>(.*?)<\/Name>(.*?)<\/Blob>/gs, (entry, escaped: string, rest: string) => {
    const name = escaped.replace(/&(\w+);/g, (_, entity: string) => entities[entity] ?? '');
    const kept = blobs.get(name);
    if (kept === undefined) return entry;
    if (kept.current === undefined) return '';
    const version = `<VersionId>${kept.current}</VersionId><IsCurrentVersion>true</IsCurrentVersion>`;
    return `<Blob><Name>${escaped}</Name>${version}${rest}</Blob>`;
  });
}

function refuse(response: ServerResponse, status: number, code: string): void {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  response.writeHead(status, { 'x-ms-error-code': code, 'content-type': 'application/xml' }).end(body);
}

/**
 * Azurite keeps no versions, so this stands before it and does what the service does: each write gets an id, under
 * which a snapshot of Azurite's keeps it; a read that names an id gets exactly that version, or is refused.
 * https://learn.microsoft.com/azure/storage/blobs/versioning-overview
 */
export async function versionedContainer(storage: StorageEndpoint): Promise<VersionedContainer> {
  const container = await newContainer(storage);
  const blobs = new Map<string, Kept>();
  const reads: URLSearchParams[] = [];
  const server = createServer((incoming, response) => {
    answer(incoming, response).catch(() => response.destroy());
  });

  /** The code of the service's refusal of a read, if it is one to refuse. */
  const refusalOf = (kept: Kept | undefined, query: URLSearchParams): [number, string] | undefined => {
    const version = query.get('versionid');
    if (version !== null && query.get('sig') !== signature) return [403, 'AuthenticationFailed'];
    const gone = kept !== undefined && kept.current === undefined && !query.has('snapshot');
    const unknown = version === null ? gone : kept?.versions.includes(version) !== true;
    return unknown ? [404, 'BlobNotFound'] : undefined;
  };
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(incoming.url ?? '/', storage.blobEndpoint);
    const name = decodeURIComponent(url.pathname).split('/').slice(3).join('/');
    const version = url.searchParams.get('versionid');
    const kept = blobs.get(name);
    if (kept !== undefined) reads.push(url.searchParams);
    const refused = refusalOf(kept, url.searchParams);
    if (refused !== undefined) return refuse(response, ...refused);
    const moment = version ?? url.searchParams.get('snapshot');
    const target = moment === null ? url : await snapshotUrl(container, name, moment);
    const { host: _, connection: __, ...headers } = incoming.headers as Record<string, string>;
    const { method = 'GET' } = incoming;
    const upstream = await fetch(target, { method, headers });
    const own = [...upstream.headers].filter(([key]) => !/^(connection|transfer-)/.test(key));
    const id = version ?? kept?.current;
    const body = Buffer.from(await upstream.arrayBuffer());
    const isListing = url.searchParams.get('comp') === 'list';
    const sent = isListing ? Buffer.from(listing(String(body), blobs)) : body;
    response.writeHead(upstream.status, {
      ...Object.fromEntries(own),
      ...(method !== 'HEAD' && { 'content-length': String(sent.length) }),
      ...(upstream.ok && id !== undefined && { 'x-ms-version-id': id }),
    });
    response.end(sent);
  };

  const credential = await sasOf(container);
  const signature = new URLSearchParams(credential.token).get('sig');
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    location: {
      endpoint: `http://127.0.0.1:${port}/${storage.account}`,
      container: container.containerName,
      credential,
    },
    reads,
    async put(name, content) {
      await publish(container, { [name]: content });
      const { snapshot = '' } = await container.getBlobClient(name).createSnapshot();
      blobs.set(name, { current: snapshot, versions: [...(blobs.get(name)?.versions ?? []), snapshot] });
      return snapshot;
    },
    remove(name) {
      const kept = blobs.get(name);
      if (kept !== undefined) kept.current = undefined;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

const inAnHour = (): Date => new Date(Date.now() + 3_600_000);

/** A signature that does not cover which version is read, as the service's does not. */
async function sasOf(container: ContainerClient) {
  const permissions = ContainerSASPermissions.parse('rl');
  const url = await container.generateSasUrl({ permissions, expiresOn: inAnHour() });
  return { kind: 'sas', token: new URL(url).search.slice(1) } as const;
}

/** Azurite wants a signature for a snapshot of its own. */
async function snapshotUrl(container: ContainerClient, name: string, snapshot: string): Promise<URL> {
  const permissions = BlobSASPermissions.parse('r');
  const blob = container.getBlobClient(name).withSnapshot(snapshot);
  return new URL(await blob.generateSasUrl({ permissions, expiresOn: inAnHour() }));
}
