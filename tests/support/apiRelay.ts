import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as forward } from 'node:https';
import type { AddressInfo } from 'node:net';
import { stringify } from 'yaml';
import type { ClusterAccess } from '../../src/kube/api/access.ts';
import { readKubeconfig } from '../../src/kube/connection/kubeconfig.ts';

/** A request to the API server, by method and by path with query. */
export interface ApiAsked {
  readonly method: string;
  readonly url: string;
}

function pass(access: ClusterAccess, incoming: IncomingMessage, answer: ServerResponse): void {
  const { server, certificateAuthority: ca, clientCertificate: cert, clientKey: key } = access;
  const { method, url = '/', headers } = incoming;
  const outgoing = forward(new URL(url, server), { method, headers, ca, cert, key }, (response) => {
    answer.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(answer);
    // Who asks learns that the server is gone, as without the relay.
    response.on('close', () => response.complete || answer.destroy());
  });
  outgoing.on('error', () => answer.destroy());
  answer.on('close', () => outgoing.destroy());
  incoming.pipe(outgoing);
}

function kubeconfigFor(server: string): string {
  return stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'relayed' },
    clusters: [{ name: 'relayed', cluster: { server } }],
    users: [{ name: 'relayed', user: {} }],
    contexts: [{ name: 'relayed', context: { cluster: 'relayed', user: 'relayed' } }],
  });
}

/**
 * A relay before the API server of a kubeconfig, for the time of `use`, which gets the content of a kubeconfig for it.
 * `seen` is told of every request first. It speaks plain HTTP to whoever asks, and asks as the kubeconfig's user.
 */
export async function withApiRelay<T>(
  kubeconfig: string,
  seen: (asked: ApiAsked) => void,
  use: (kubeconfig: string) => Promise<T>,
): Promise<T> {
  const content = await readFile(kubeconfig, 'utf8');
  const access = await readKubeconfig({ content, folder: '/', secret: () => undefined });
  const relay = createServer((incoming, answer) => {
    seen({ method: incoming.method ?? 'GET', url: incoming.url ?? '/' });
    pass(access, incoming, answer);
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const { port } = relay.address() as AddressInfo;
  try {
    return await use(kubeconfigFor(`http://127.0.0.1:${port}`));
  } finally {
    relay.closeAllConnections();
    relay.close();
  }
}
