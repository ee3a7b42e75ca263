import { createServer, request as send } from 'node:https';
import type { AddressInfo } from 'node:net';
import { parse } from 'yaml';
import { audiences, type LocalIdentity } from '../identity/index.ts';

/** The door of a cluster that signs in by Entra alone. */
export interface EntraApiServer {
  readonly url: string;
  /** Requests without a valid token for the server's application. */
  readonly refused: readonly string[];
  close(): Promise<void>;
}

interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
  }[];
  readonly users: readonly {
    readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string };
  }[];
}

function adminOf(kubeconfig: string): { server: URL; tls: { ca: string; cert: string; key: string } } {
  const { clusters, users } = parse(kubeconfig) as Kubeconfig;
  const [first, user] = [clusters[0]?.cluster, users[0]?.user];
  const text = (data = ''): string => Buffer.from(data, 'base64').toString('utf8');
  return {
    server: new URL(first?.server ?? ''),
    tls: {
      ca: text(first?.['certificate-authority-data']),
      cert: text(user?.['client-certificate-data']),
      key: text(user?.['client-key-data']),
    },
  };
}

/**
 * Verifies tokens for the AKS server application and passes what is admitted on to a real API server as its
 * administrator. `kubeconfig` must hold certificate and key as data.
 */
export async function startEntraApiServer(
  local: LocalIdentity,
  kubeconfig: string,
  name: string,
): Promise<EntraApiServer> {
  const { server, tls } = adminOf(kubeconfig);
  const refused: string[] = [];
  const front = createServer(await local.authority.issue(name), async (incoming, outgoing) => {
    const { authorization, host: _, ...headers } = incoming.headers;
    const verified = await local.entra.verify(authorization, [audiences.aks]);
    if ('problem' in verified) {
      refused.push(`${incoming.method} ${incoming.url}: ${verified.problem}`);
      const status = {
        kind: 'Status',
        apiVersion: 'v1',
        status: 'Failure',
        reason: 'Unauthorized',
        code: 401,
      };
      outgoing.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify(status));
      return;
    }
    const { method, url: path } = incoming;
    const onward = send(
      { hostname: server.hostname, port: server.port, method, path, headers, ...tls },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.flushHeaders();
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(front.address() as AddressInfo).port}`,
    refused,
    close: () =>
      new Promise((resolve) => {
        front.close(() => resolve());
        front.closeAllConnections();
      }),
  };
}
