import { type Answer, type Asked, type RunningServer, startServer } from '../../identity/server.ts';
import type { ArtifactStore, RunRecord, StoredAttachment } from '../artifacts.ts';
import { definitionIdOf, projectId } from '../run/ids.ts';

/** What the service publishes of itself, for the resources that are here. */
const locations = [
  ['0cd358e1-9217-4d94-8269-1c1ee6f93dcf', 'Builds', '{project}/_apis/{area}/{resource}/{buildId}'],
  [
    'f2192269-89fa-4f94-baf6-8fb128c55159',
    'attachments',
    '{project}/_apis/{area}/builds/{buildId}/{resource}/{type}',
  ],
  [
    'af5122d3-3438-485e-a25a-2dbbfde84ee6',
    'attachments',
    '{project}/_apis/{area}/builds/{buildId}/{timelineId}/{recordId}/{resource}/{type}/{name}',
  ],
].map(([id, resourceName, routeTemplate]) => ({
  ...{ id, area: 'build', resourceName, routeTemplate },
  ...{ resourceVersion: 7, minVersion: '1.0', maxVersion: '7.1', releasedVersion: '7.1' },
}));

const refused = (status: number, message: string): Answer => ({ status, json: { message } });

/** Completed and succeeded, newest first: the only question that is answered, as the numbers of BuildInterfaces. */
const onlyQuestion = { statusFilter: '2', resultFilter: '2', queryOrder: '3', $top: '1' };

function lastRun(runs: readonly RunRecord[], query: URLSearchParams): Answer {
  for (const [name, value] of Object.entries(onlyQuestion)) {
    if (query.get(name) !== value) return refused(400, `The parameter ${name} must be ${value} here.`);
  }
  const found = runs.findLast(
    (run) =>
      String(definitionIdOf(run.definitionName)) === query.get('definitions') &&
      run.sourceBranch === query.get('branchName') &&
      run.result === 'Succeeded',
  );
  const value = found === undefined ? [] : [{ id: found.buildId, buildNumber: found.buildNumber }];
  return { status: 200, json: { count: value.length, value } };
}

function listed(found: readonly StoredAttachment[], base: string, buildId: string): Answer {
  const value = found.map(({ type, record, name }) => {
    const path = `${projectId}/${record}/attachments/${type}/${name}`;
    return { name, _links: { self: { href: `${base}/${projectId}/_apis/build/builds/${buildId}/${path}` } } };
  });
  return { status: 200, json: { count: value.length, value } };
}

function answer(artifacts: ArtifactStore, { url, method, headers }: Asked, accessToken: string): Answer {
  if (headers['authorization'] !== `Bearer ${accessToken}`)
    return refused(401, 'The access token is not valid.');
  if (method === 'OPTIONS' && url.pathname === '/_apis/build') {
    return { status: 200, json: { count: locations.length, value: locations } };
  }
  if (method !== 'GET' || !/;\s*api-version=7\.1/.test(headers['accept'] ?? '')) {
    return refused(400, 'Only GET with api-version 7.1 is supported.');
  }
  const [project, apis, build, builds, buildId = '', ...rest] = url.pathname.slice(1).split('/');
  if (project !== projectId || apis !== '_apis' || build !== 'build' || builds?.toLowerCase() !== 'builds') {
    return refused(404, 'No such resource.');
  }
  if (buildId === '') return lastRun(artifacts.runs(), url.searchParams);
  const stored = artifacts.attachments(Number(buildId));
  if (rest.length === 2 && rest[0] === 'attachments') {
    return listed(
      stored.filter(({ type }) => type === rest[1]),
      url.origin,
      buildId,
    );
  }
  const [timeline, record, , type, name] = rest;
  const one = stored.find((it) => it.record === record && it.type === type && it.name === name);
  if (timeline !== projectId || one === undefined) return refused(404, 'No such attachment.');
  return {
    status: 200,
    json: JSON.parse(one.content()),
    headers: { 'content-type': 'application/octet-stream' },
  };
}

/**
 * The part of Azure DevOps' REST API that tells a pipeline's last successful run and what it attached, from the
 * runs that are kept here; only the job's token is let in, and nothing else is answered.
 * https://learn.microsoft.com/rest/api/azure/devops/build
 */
export function startBuildService(artifacts: ArtifactStore, accessToken: string): Promise<RunningServer> {
  return startServer(async (request) => answer(artifacts, request, accessToken));
}
