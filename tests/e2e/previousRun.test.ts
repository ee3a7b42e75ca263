import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { runPipeline } from '../../local/agent/index.ts';
import { withFolder } from '../support/folder.ts';
import { builtExtension } from '../support/vsix.ts';

interface Night {
  readonly changed: string | undefined;
  readonly log: string;
}

/** A server of one model whose bytes a test changes. */
async function withModel(
  use: (url: string, publish: (text: string) => void) => Promise<void>,
): Promise<void> {
  let text = 'one';
  const server = createServer((request, response) => {
    const headers = { etag: `"${text}"`, 'last-modified': new Date(0).toUTCString() };
    response.writeHead(200, { ...headers, 'content-length': text.length });
    response.end(request.method === 'HEAD' ? '' : text);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  try {
    await use(`http://127.0.0.1:${port}/model.onnx`, (next) => {
      text = next;
    });
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

describe('modelChanged, through the packaged task on agents that share nothing', function () {
  this.timeout(300_000);

  it('is measured against the last run that succeeded, not one that failed after the model was fetched', () =>
    withFolder((folder) =>
      withModel(async (url, publish) => {
        const vsix = await builtExtension();
        const repository = join(folder, 'repository');
        await mkdir(repository);
        let nights = 0;
        const night = async (after = 'exit 0'): Promise<Night> => {
          nights += 1;
          const file = join(repository, 'nightly.yml');
          const inputs = `{ source: http, url: '${url}', model: credit }`;
          await writeFile(
            file,
            `steps:\n  - task: FetchModel@1\n    name: model\n    inputs: ${inputs}\n  - script: ${after}\n`,
          );
          const { stages } = await runPipeline({
            ...{ file, vsix, screen: false as const },
            workFolder: join(folder, `agent${nights}`),
            artifactsFolder: join(folder, 'runs'),
          });
          const step = stages[0]?.jobs[0]?.steps.find(({ name }) => name === 'model');
          assert.ok(step);
          return { changed: step.outputs['modelChanged'], log: await readFile(step.logFile, 'utf8') };
        };

        const first = await night();
        assert.equal(first.changed, 'true', first.log);
        assert.match(first.log, /earlier runs of this pipeline and branch, of which none has succeeded/);

        const second = await night();
        assert.equal(second.changed, 'false', second.log);
        assert.match(second.log, /Model unchanged: compared with version .* of the last successful run /);

        publish('two');
        assert.equal((await night('exit 1')).changed, 'true');
        const again = await night();
        assert.equal(again.changed, 'true', 'the run that first saw it failed');
        assert.equal((await night()).changed, 'false');
      }),
    ));
});
