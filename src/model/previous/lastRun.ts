import type { BuildApi } from 'azure-devops-node-api/BuildApi.js';
import type { Attachment } from 'azure-devops-node-api/interfaces/BuildInterfaces.js';
import { userAgent } from '../../http/ownRequest.ts';
import { type ModelLock, parseLock } from '../lock.ts';
import { type DevOpsNetwork, devOpsNetwork } from './network.ts';

/** Type of the attachment that carries a run's lock. */
export const lockAttachment = 'model-delivery.model';

/** The pipeline and branch whose runs are looked through, and the job's right to do so. */
export interface PipelineBranch {
  readonly collection: string;
  readonly project: string;
  readonly definition: number;
  /** For example `refs/heads/main`. */
  readonly branch: string;
  readonly accessToken: string;
}

/** The last successful run, and the locks that its FetchModel steps attached. */
export interface LastRun {
  readonly number: string;
  readonly locks: readonly ModelLock[];
}

/** BuildStatus.Completed, BuildResult.Succeeded and BuildQueryOrder.FinishTimeDescending of the REST API. */
const [completed, succeeded, newestFirst] = [2, 2, 3];
/** Steps of one run that fetch a model; more are not looked at. */
const mostAttachments = 20;
/** Bytes; a lock of ten thousand files is smaller. */
const largestLock = 16 * 1024 * 1024;
const secondsForOneRequest = 8;

async function open({ collection, accessToken }: PipelineBranch, network: DevOpsNetwork): Promise<BuildApi> {
  const { BuildApi: Client } = await import('azure-devops-node-api/BuildApi.js');
  const { BearerCredentialHandler } = await import('azure-devops-node-api/handlers/bearertoken.js');
  const options = { allowRetries: false, socketTimeout: secondsForOneRequest * 1000 };
  const handlers = [new BearerCredentialHandler(accessToken, false), network];
  return new Client(collection, handlers, options, userAgent());
}

async function contentOf(stream: NodeJS.ReadableStream): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stream) {
    size += piece.length;
    if (size > largestLock) throw new Error('its attachment is too large for a lock');
    pieces.push(Buffer.from(piece));
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** The attachment's link names the timeline and its record; only those are taken from it, not where it leads. */
function recordOf(attachment: Attachment): { timeline: string; record: string } | undefined {
  const links = attachment._links as { self?: { href?: unknown } } | undefined;
  const href = links?.self?.href;
  const found = /\/([0-9a-f-]{36})\/([0-9a-f-]{36})\/attachments\//i.exec(
    typeof href === 'string' ? href : '',
  );
  return found?.[1] === undefined || found[2] === undefined
    ? undefined
    : { timeline: found[1], record: found[2] };
}

async function lockIn(
  api: BuildApi,
  { project }: PipelineBranch,
  buildId: number,
  attachment: Attachment,
): Promise<ModelLock[]> {
  const place = recordOf(attachment);
  if (place === undefined || attachment.name === undefined) return [];
  const { timeline, record } = place;
  const stream = await api.getAttachment(project, buildId, timeline, record, lockAttachment, attachment.name);
  const lock = parseLock(await contentOf(stream));
  return lock === undefined ? [] : [lock];
}

/**
 * The last run of the pipeline and branch that succeeded, undefined where there is none. Throws what the service
 * or the network said, with the request's ids. https://learn.microsoft.com/rest/api/azure/devops/build/builds/list and
 * https://learn.microsoft.com/rest/api/azure/devops/build/attachments
 */
export async function readLastRun(place: PipelineBranch): Promise<LastRun | undefined> {
  const network = devOpsNetwork(place.collection);
  try {
    return await lastRunOf(await open(place, network), place);
  } catch (error) {
    throw network.explained(error);
  }
}

async function lastRunOf(api: BuildApi, place: PipelineBranch): Promise<LastRun | undefined> {
  const { project, definition, branch } = place;
  const none = undefined;
  const filter = [none, none, none, none, none, none, completed, succeeded] as const;
  const order = [none, none, 1, none, none, none, newestFirst] as const;
  const builds = await api.getBuilds(project, [definition], ...filter, ...order, branch);
  // The service answers 404 for a project that the token may not see; the client makes nothing of it.
  if (!Array.isArray(builds)) throw new Error("it does not show this project's runs to the job's token");
  const [build] = builds;
  if (build?.id === undefined) return undefined;
  const attachments = (await api.getAttachments(project, build.id, lockAttachment)) ?? [];
  const locks: ModelLock[] = [];
  for (const attachment of attachments.slice(0, mostAttachments)) {
    locks.push(...(await lockIn(api, place, build.id, attachment)));
  }
  return { number: build.buildNumber ?? String(build.id), locks };
}
