import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { request as forward } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { readKubeconfig } from '../../src/kube/kubeconfig.ts';
import type { Target } from './target.ts';

/**
 * Does something through a proxy before the API server, and tells how many requests went through it. It speaks plain
 * HTTP to whoever asks, so nobody is timed through it.
 */
export async function countRequests(
  target: Target,
  work: (proxied: Target) => Promise<unknown>,
): Promise<number> {
  const content = await readFile(target.kubeconfig, 'utf8');
  const access = await readKubeconfig({ content, folder: '/', secret: () => undefined });
  const { server, certificateAuthority: ca, clientCertificate: cert, clientKey: key } = access;
  let count = 0;
  const proxy = createServer((incoming, answer) => {
    count += 1;
    const { method, url = '/', headers } = incoming;
    const outgoing = forward(new URL(url, server), { method, headers, ca, cert, key }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    outgoing.on('error', () => answer.destroy());
    answer.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const kubeconfig = join(target.folder, '..', `${target.namespace}.kubeconfig`);
  const { port } = proxy.address() as AddressInfo;
  await writeFile(kubeconfig, kubeconfigFor(`http://127.0.0.1:${port}`));
  try {
    await work({ ...target, kubeconfig });
    return count;
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
}

function kubeconfigFor(server: string): string {
  return stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'counted' },
    clusters: [{ name: 'counted', cluster: { server } }],
    users: [{ name: 'counted', user: {} }],
    contexts: [{ name: 'counted', context: { cluster: 'counted', user: 'counted' } }],
  });
}
