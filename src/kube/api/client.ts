import type { KubeObject, ObjectRef } from '../objects/objects.ts';
import type { Resource } from './discovery.ts';

/** Name under which the API server keeps which fields this product owns. */
export const fieldManager = 'model-delivery';

/** Objects of one kind in one namespace. */
export interface Collection {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Reads no more objects than these; without it all, part after part. */
  readonly atMost?: number;
}

export interface ApplyOptions {
  readonly dryRun: boolean;
  /** Takes over fields that another manager owns. */
  readonly force: boolean;
}

export interface LogOptions {
  readonly container: string;
  /** The log of the container's previous run. */
  readonly previous: boolean;
  readonly tailLines: number;
}

export interface RemoveOptions {
  /** Foreground: the object is gone only when all that it owns is gone. */
  readonly propagation: 'Foreground' | 'Background';
  /** Ends at once, without the time that a pod has to finish its requests. */
  readonly withoutGrace?: boolean;
  /** Refuses (409) another object that has taken the name since. */
  readonly uid?: string;
}

/** An HTTP request to a pod. */
export interface PodQuestion {
  readonly port: number;
  readonly method: string;
  /** With query, beginning with `/`. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: Uint8Array;
}

export interface PodAnswer {
  readonly status: number;
  readonly body: string;
}

/** One event of a watch: a change of an object, a bookmark, or an error Status. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubeObject;
}

export interface ObjectList {
  readonly items: readonly KubeObject[];
  /** True when there are more objects than were to be read. */
  readonly isCut?: boolean;
  readonly resourceVersion: string;
}

/** The verbs of the API server that a deployment uses; nothing more. */
export interface KubeClient {
  /** Where the kind lives. Throws KIND_UNKNOWN. */
  resource(apiVersion: string, kind: string, signal: AbortSignal): Promise<Resource>;
  /** The object; undefined when there is none. */
  get(ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined>;
  list(collection: Collection, signal: AbortSignal): Promise<ObjectList>;
  /** Changes since `resourceVersion`, until the server ends the watch. */
  watch(collection: Collection, resourceVersion: string, signal: AbortSignal): AsyncGenerator<WatchEvent>;
  /** Server-side apply; gives the object as it then is (or would be). */
  apply(object: KubeObject, options: ApplyOptions, signal: AbortSignal): Promise<KubeObject>;
  /** Replaces the object if it still has the given resourceVersion; else 409. */
  update(object: KubeObject, signal: AbortSignal): Promise<KubeObject>;
  create(object: KubeObject, signal: AbortSignal): Promise<KubeObject>;
  /** Asks for the object's removal; one that is gone already is no error. */
  remove(ref: ObjectRef, options: RemoveOptions, signal: AbortSignal): Promise<void>;
  /** Asks whether this identity may do something: the answered SelfSubjectAccessReview. */
  review(resourceAttributes: object, signal: AbortSignal): Promise<KubeObject>;
  /** Asks what this identity may do in a namespace: the answered SelfSubjectRulesReview. */
  rules(namespace: string, signal: AbortSignal): Promise<KubeObject>;
  /** Asks a pod's HTTP server through the API server: no address, no Service and no network path is needed. */
  ask(pod: ObjectRef, question: PodQuestion, signal: AbortSignal): Promise<PodAnswer>;
  /** The last lines of a container's log. */
  logs(pod: ObjectRef, options: LogOptions, signal: AbortSignal): Promise<string>;
  /** The server's version, for example `v1.36.3`. */
  version(signal: AbortSignal): Promise<string>;
  /** Requests sent so far. */
  count(): number;
  close(): Promise<void>;
}
