import { describe, type KubeObject, type ObjectRef, refOf } from '../objects/objects.ts';
import {
  type Collection,
  fieldManager,
  type KubeClient,
  type ObjectList,
  type WatchEvent,
} from './client.ts';
import { createDiscovery, type Discovery, type Resource } from './discovery.ts';
import { ApiError } from './statusError.ts';
import type { Transport } from './transport.ts';

const watchSeconds = 290;
/** Objects in one answer: thousands in one text would take hundreds of megabytes to read. */
const pageSize = 500;

function collectionPath(resource: Resource, namespace: string | undefined): string {
  const place = resource.namespaced ? `/namespaces/${encodeURIComponent(namespace ?? 'default')}` : '';
  return `${resource.root}${place}/${resource.plural}`;
}

/** The paths of objects and collections, found by discovery. */
interface Paths {
  of(ref: ObjectRef, signal: AbortSignal): Promise<string>;
  ofCollection(ref: Omit<ObjectRef, 'name'>, signal: AbortSignal): Promise<string>;
}

function createPaths(resource: Discovery): Paths {
  const ofCollection: Paths['ofCollection'] = async (ref, signal) =>
    collectionPath(await resource(ref.apiVersion, ref.kind, signal), ref.namespace);
  return {
    ofCollection,
    of: async (ref, signal) => `${await ofCollection(ref, signal)}/${encodeURIComponent(ref.name)}`,
  };
}

function selectors(collection: Collection): Record<string, string> {
  return {
    ...(collection.labelSelector === undefined ? {} : { labelSelector: collection.labelSelector }),
    ...(collection.fieldSelector === undefined ? {} : { fieldSelector: collection.fieldSelector }),
  };
}

/** Part of a list, with the token of its next part where there is one. */
interface Page extends ObjectList {
  readonly next: string;
}

/** A list's items come without apiVersion and kind. */
function toPage(answer: unknown, collection: Collection): Page {
  const list = answer as { items?: KubeObject[]; metadata?: { resourceVersion?: string; continue?: string } };
  const { apiVersion, kind } = collection;
  return {
    items: (list.items ?? []).map((item) => ({ ...item, apiVersion, kind })),
    resourceVersion: list.metadata?.resourceVersion ?? '0',
    next: list.metadata?.continue ?? '',
  };
}

/**
 * All parts of a list, which are of one version. One whose next part is too old by now (410) is asked for as a whole.
 * Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
 */
async function wholeList(page: (query: Record<string, string>) => Promise<Page>): Promise<ObjectList> {
  const limit = String(pageSize);
  const first = await page({ limit });
  const items = [...first.items];
  try {
    for (let { next } = first; next !== ''; ) {
      const more = await page({ limit, continue: next });
      items.push(...more.items);
      ({ next } = more);
    }
  } catch (error) {
    if (error instanceof ApiError && error.status === 410) return page({});
    throw error;
  }
  return { items, resourceVersion: first.resourceVersion };
}

function reads(transport: Transport, paths: Paths): Pick<KubeClient, 'get' | 'list' | 'watch' | 'logs'> {
  return {
    async get(ref, signal) {
      const path = await paths.of(ref, signal);
      try {
        const call = { verb: 'get', what: describe(ref) };
        return (await transport.json({ call, method: 'GET', path, signal })) as KubeObject;
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return undefined;
        throw error;
      }
    },
    async list(of, signal) {
      const path = await paths.ofCollection(of, signal);
      const call = { verb: 'list', what: `${of.kind}s in namespace '${of.namespace}'` };
      const page = async (part: Record<string, string>): Promise<Page> => {
        const query = { ...selectors(of), ...part };
        return toPage(await transport.json({ call, method: 'GET', path, query, signal }), of);
      };
      if (of.atMost === undefined) return wholeList(page);
      const { items, resourceVersion, next } = await page({ limit: String(of.atMost) });
      return { items, resourceVersion, isCut: next !== '' };
    },
    async *watch(of, resourceVersion, signal) {
      const path = await paths.ofCollection(of, signal);
      const call = { verb: 'watch', what: `${of.kind}s in namespace '${of.namespace}'` };
      const query = {
        ...selectors(of),
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion,
        timeoutSeconds: String(watchSeconds),
      };
      for await (const line of transport.lines({ call, method: 'GET', path, query, signal })) {
        if (line.trim() !== '') yield JSON.parse(line) as WatchEvent;
      }
    },
    async logs(pod, options, signal) {
      const path = `${await paths.of(pod, signal)}/log`;
      const query = {
        container: options.container,
        previous: String(options.previous),
        tailLines: String(options.tailLines),
      };
      const call = { verb: 'read the log of', what: describe(pod) };
      return transport.text({ call, method: 'GET', path, query, signal });
    },
  };
}

function writes(
  transport: Transport,
  paths: Paths,
): Pick<KubeClient, 'apply' | 'create' | 'update' | 'remove'> {
  return {
    async apply(object, options, signal) {
      const ref = refOf(object);
      const query = {
        fieldManager,
        force: String(options.force),
        fieldValidation: 'Strict',
        ...(options.dryRun ? { dryRun: 'All' } : {}),
      };
      const path = await paths.of(ref, signal);
      const call = { verb: 'apply', what: describe(ref) };
      const contentType = 'application/apply-patch+yaml';
      const answer = transport.json({
        call,
        method: 'PATCH',
        path,
        query,
        contentType,
        body: object,
        signal,
      });
      return (await answer) as KubeObject;
    },
    async create(object, signal) {
      const ref = refOf(object);
      const path = await paths.ofCollection(ref, signal);
      const call = { verb: 'create', what: describe(ref) };
      return (await transport.json({ call, method: 'POST', path, body: object, signal })) as KubeObject;
    },
    async update(object, signal) {
      const ref = refOf(object);
      const path = await paths.of(ref, signal);
      const call = { verb: 'update', what: describe(ref) };
      return (await transport.json({ call, method: 'PUT', path, body: object, signal })) as KubeObject;
    },
    async remove(ref, { propagation, withoutGrace, uid }, signal) {
      const path = await paths.of(ref, signal);
      const call = { verb: 'delete', what: describe(ref) };
      const body = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: propagation,
        ...(withoutGrace === true ? { gracePeriodSeconds: 0 } : {}),
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      };
      try {
        await transport.json({ call, method: 'DELETE', path, body, signal });
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404)) throw error;
      }
    },
  };
}

/** Asks the API server about the identity that asks. */
async function askSelf(
  transport: Transport,
  kind: string,
  spec: object,
  signal: AbortSignal,
): Promise<KubeObject> {
  const body = { apiVersion: 'authorization.k8s.io/v1', kind, spec };
  const call = { verb: 'create', what: `a ${kind}` };
  const path = `/apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`;
  return (await transport.json({ call, method: 'POST', path, body, signal })) as KubeObject;
}

function questions(
  transport: Transport,
  paths: Paths,
): Pick<KubeClient, 'review' | 'rules' | 'ask' | 'version'> {
  return {
    review: (resourceAttributes, signal) =>
      askSelf(transport, 'SelfSubjectAccessReview', { resourceAttributes }, signal),
    rules: (namespace, signal) => askSelf(transport, 'SelfSubjectRulesReview', { namespace }, signal),
    async version(signal) {
      const call = { verb: 'read', what: "the server's version" };
      const answer = await transport.json({ call, method: 'GET', path: '/version', signal });
      return String((answer as { gitVersion?: string }).gitVersion ?? '');
    },
    async ask(pod, question, signal) {
      const path = `${await paths.of(pod, signal)}:${question.port}/proxy${question.path}`;
      return transport.forward({ ...question, path, signal });
    },
  };
}

/** A client over this transport. Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ */
export function createClient(transport: Transport): KubeClient {
  const resource = createDiscovery(transport);
  const paths = createPaths(resource);
  return {
    resource,
    ...reads(transport, paths),
    ...writes(transport, paths),
    ...questions(transport, paths),
    count: () => transport.count(),
    close: () => transport.close(),
  };
}
