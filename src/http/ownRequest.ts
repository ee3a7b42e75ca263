import { randomUUID } from 'node:crypto';
import { installedNetwork } from './network/network.ts';

/** Headers by name in lower case, as Node's and undici's answers have them. */
export type HeaderFields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What kind of service is asked: each logs the client's id of a request under a name of its own. */
export type AskedService = 'azure' | 'azureDevOps' | 'kubernetes' | 'other';

/**
 * Azure: https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling (and the
 * registries' and the storage's own pages); Kubernetes takes the id of its audit log from the client
 * (https://pkg.go.dev/k8s.io/apiserver/pkg/apis/audit#HeaderAuditID); Azure DevOps's own clients send their session.
 * Others ignore a header that they do not know; many a registry and proxy logs this one.
 */
const idHeaders: Readonly<Record<AskedService, string>> = {
  azure: 'x-ms-client-request-id',
  azureDevOps: 'x-tfs-session',
  kubernetes: 'audit-id',
  other: 'x-request-id',
};

/** By which a service's support finds a request, beside the id that was sent. */
const answeredIds = [
  ...['x-ms-request-id', 'x-ms-correlation-request-id', 'x-vss-e2eid', 'activityid', 'audit-id'],
  ...['x-request-id', 'x-github-request-id', 'x-amz-request-id'],
];

/** How the running task names itself to services: `model-delivery/<version> (<task>)`. */
export function userAgent(): string {
  return installedNetwork()?.userAgent ?? 'model-delivery';
}

/** Headers of one request: who asks, and a new id by which both sides find it again. */
export function ownHeaders(service: AskedService): Record<string, string> {
  return { 'user-agent': userAgent(), [idHeaders[service]]: randomUUID() };
}

/** Headers that another made, with what is missing of a request's own. */
export function withOwnHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const own = sentId(headers) === undefined ? ownHeaders('other') : { 'user-agent': userAgent() };
  return { ...own, ...headers };
}

/** The id among a request's headers; undefined for a request without one. */
function sentId(sent: HeaderFields): readonly [name: string, id: string] | undefined {
  for (const name of Object.values(idHeaders)) {
    const id = sent[name];
    if (typeof id === 'string') return [name, id];
  }
  return undefined;
}

/**
 * The ids of a request and its answer for an error's text, for example
 * `x-ms-client-request-id 6e8b…, x-ms-request-id 93f1…`; empty where there is none.
 */
export function correlation(sent: HeaderFields, answered: HeaderFields = {}): string {
  const own = sentId(sent);
  const theirs = answeredIds.flatMap((name) => {
    const value = [answered[name]].flat()[0];
    // It comes from outside, and is to be copied by people: nothing else than an id is shown.
    const id = typeof value === 'string' && /^[\w.:+/=-]{1,128}$/.test(value) ? value : undefined;
    return id === undefined || id === own?.[1] ? [] : [[name, id] as const];
  });
  return [...(own === undefined ? [] : [own]), ...theirs].map((pair) => pair.join(' ')).join(', ');
}

/** `HTTP 503, <ids>`: what is told of an answer that was no success. */
export function answerText(status: number, sent: HeaderFields, answered: HeaderFields): string {
  return [`HTTP ${status}`, correlation(sent, answered)].filter((part) => part !== '').join(', ');
}

/** Codes of connections that failed when the request was on its way already. */
const lostAnswers: ReadonlySet<unknown> = new Set([
  'ECONNRESET',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** The error of a request that may have arrived, with its id: the service may have logged it. Others stay as they are. */
export function withSentId(error: unknown, sent: HeaderFields): unknown {
  const lost = error instanceof Error && 'code' in error && lostAnswers.has(error.code);
  return lost ? new Error(`${error.message} (${correlation(sent)})`, { cause: error }) : error;
}
