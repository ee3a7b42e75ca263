import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { parse } from 'yaml';

/** An answer of the API server, or of another HTTPS server of the node. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
}

/** Asks the cluster's API server as its administrator; rejects when nothing answers within two seconds. */
export type ClusterApi = (path: string, method?: string, body?: unknown) => Promise<ApiAnswer>;

interface Kubeconfig {
  readonly clusters: readonly [
    { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } },
  ];
  readonly users: readonly [
    { readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string } },
  ];
}

function decode(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

/** Reads a kubeconfig that local/cluster has written: one cluster, one user with a client certificate. */
export async function clusterApi(kubeconfig: string): Promise<ClusterApi> {
  const config = parse(await readFile(kubeconfig, 'utf8')) as Kubeconfig;
  const { server, 'certificate-authority-data': authority } = config.clusters[0].cluster;
  const { user } = config.users[0];
  const identity = {
    ca: decode(authority),
    cert: decode(user['client-certificate-data']),
    key: decode(user['client-key-data']),
  };
  return (path, method = 'GET', body = undefined) =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const call = request(
        new URL(path, server),
        { ...identity, method, headers, timeout: 2_000 },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
          });
          answer
            .once('error', reject)
            .once('end', () => resolve({ status: answer.statusCode ?? 0, body: text }));
        },
      );
      call.once('timeout', () => call.destroy(new Error(`${server} does not answer`)));
      call.once('error', reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
}
