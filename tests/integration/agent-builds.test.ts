import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createArtifactStore, type RunRecord } from '../../local/agent/artifacts.ts';
import { definitionIdOf, projectId } from '../../local/agent/run/ids.ts';
import { startBuildService } from '../../local/agent/service/builds.ts';
import { withFolder } from '../support/folder.ts';

const run = (buildId: number, changes: Partial<RunRecord> = {}): RunRecord => ({
  definitionName: 'app',
  buildId,
  buildNumber: `20261123.${buildId}`,
  sourceBranch: 'refs/heads/main',
  sourceVersion: 'abc',
  result: 'Succeeded',
  ...changes,
});

const question = `definitions=${definitionIdOf('app')}&branchName=refs/heads/main&statusFilter=2&resultFilter=2&queryOrder=3&%24top=1`;

type Asked = (
  path: string,
  headers?: Record<string, string>,
) => Promise<{ status: number; json: Record<string, unknown> }>;

/** A service over three runs: the newest failed, the one before attached a lock, another branch is newer. */
function withService(use: (ask: Asked) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const artifacts = createArtifactStore(join(folder, 'artifacts'));
    const runs = [run(1), run(2), run(3, { sourceBranch: 'refs/heads/other' }), run(4, { result: 'Failed' })];
    for (const one of runs) artifacts.record(one);
    await mkdir(join(folder, 'made'));
    await writeFile(join(folder, 'made', 'model.json'), '{"lock":true}');
    const file = join(folder, 'made', 'model.json');
    artifacts.attach(2, 'build.job.fetch', { type: 'model-delivery.model', name: 'model', file });
    const service = await startBuildService(artifacts, 'token');
    try {
      await use(async (path, headers = {}) => {
        const response = await fetch(`${service.url}/${projectId}/_apis/build/builds${path}`, {
          headers: { authorization: 'Bearer token', accept: 'application/json;api-version=7.1', ...headers },
        });
        return { status: response.status, json: (await response.json()) as Record<string, unknown> };
      });
    } finally {
      await service.close();
    }
  });
}

describe("the local agent's service", () => {
  it('tells the last successful run of a pipeline and branch', () =>
    withService(async (ask) => {
      const { json } = await ask(`?${question}`);
      assert.deepEqual(json, { count: 1, value: [{ id: 2, buildNumber: '20261123.2' }] });
    }));

  it('gives what that run attached, at the address that its list names', () =>
    withService(async (ask) => {
      const { json } = await ask('/2/attachments/model-delivery.model');
      const [{ _links: links }] = json['value'] as [{ _links: { self: { href: string } } }];
      const path = new URL(links.self.href).pathname.split('/builds')[1] ?? '';
      assert.deepEqual(await ask(path), { status: 200, json: { lock: true } });
    }));

  it('refuses another token, another version of the interface and another question', () =>
    withService(async (ask) => {
      assert.equal((await ask(`?${question}`, { authorization: 'Bearer other' })).status, 401);
      assert.equal((await ask(`?${question}`, { accept: 'application/json' })).status, 400);
      assert.equal((await ask(`?${question.replace('resultFilter=2', 'resultFilter=8')}`)).status, 400);
      assert.equal((await ask('/2/timeline')).status, 404);
    }));
});
