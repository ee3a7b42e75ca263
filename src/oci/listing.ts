import { DeliveryError } from '../errors.ts';
import { nearest } from '../report/nearest.ts';
import { RegistryRefusal } from './refusal.ts';
import { headerOf, type Transport } from './transport.ts';

/** The next page's path in a Link header; RFC 8288 as the distribution specification uses it. */
function nextPage(link: string | undefined): string | undefined {
  return /<([^>]+)>\s*;\s*rel="?next"?/i.exec(link ?? '')?.[1];
}

/** All names of a paged list (`tags` or `repositories`). */
export async function listPages(
  transport: Transport,
  path: string,
  field: 'tags' | 'repositories',
  scope: string,
): Promise<readonly string[]> {
  const names: string[] = [];
  const seen = new Set<string>();
  for (let page: string | undefined = path; page !== undefined && !seen.has(page); ) {
    seen.add(page);
    const response = await transport.send({ method: 'GET', path: page, scope, expect: [200] });
    const document = JSON.parse((await transport.read(response)).toString('utf8')) as Record<string, unknown>;
    const listed = document[field];
    if (Array.isArray(listed)) for (const name of listed) names.push(String(name));
    page = nextPage(headerOf(response, 'link'));
  }
  return names;
}

/** True for the answer that a name is not there. */
export function nothingThere(error: unknown): boolean {
  return error instanceof RegistryRefusal && error.status === 404;
}

/** Why there are no names to compare with, where that is known. */
function unlisted(error: unknown, place: string): string {
  if (error instanceof DeliveryError) return `Near names are not known: ${error.message} ${error.remedy}`;
  const refused = error instanceof RegistryRefusal && [401, 403].includes(error.status);
  return refused ? `This user may not list the repositories of ${place}.` : `${place} does not list them.`;
}

function suggestion(wanted: string, names: readonly string[], kind: string, place: string): string {
  if (names.length === 0) return `${place} lists no ${kind}, or this user may not list them.`;
  return `Nearest ${kind}: ${nearest(wanted, names).join(', ')}.`;
}

/** The error for a repository or version that is not there, with the nearest that are (where they may be listed). */
export async function explainNotFound(
  transport: Transport,
  repository: string,
  version?: string,
): Promise<DeliveryError> {
  const host = transport.origin.host;
  const listTags = listPages(
    transport,
    `/v2/${repository}/tags/list?n=1000`,
    'tags',
    `repository:${repository}:pull`,
  );
  const tags = await listTags.catch(() => undefined);
  if (version !== undefined && tags !== undefined) {
    return new DeliveryError({
      code: 'IMAGE_NOT_FOUND',
      side: 'registry',
      message: `Repository '${repository}' of ${host} has no image '${version}'.`,
      remedy: `Correct the tag or digest. ${suggestion(version, tags, 'tags', repository)}`,
    });
  }
  const near = await listPages(transport, '/v2/_catalog?n=1000', 'repositories', 'registry:catalog:*').then(
    (repositories) => suggestion(repository, repositories, 'repositories', host),
    (error: unknown) => unlisted(error, host),
  );
  return new DeliveryError({
    code: 'REPOSITORY_NOT_FOUND',
    side: 'registry',
    message: `The registry ${host} has no repository '${repository}'.`,
    remedy: `Correct the name. ${near}`,
  });
}
