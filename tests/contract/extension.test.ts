import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inputsProblems } from '../../build/contract/inputs.ts';
import { outputsProblems } from '../../build/contract/outputs.ts';
import { readRecorded, recordedProblems } from '../../build/contract/recorded.ts';
import { schemaProblems } from '../../build/contract/schema.ts';
import { readTaskJson } from '../../build/contract/taskJson.ts';
import { taskNames } from '../../build/layout.ts';
import { repositoryRoot } from '../../local/lib/context.ts';

function readJson(file: string): { version: string } {
  return JSON.parse(readFileSync(join(repositoryRoot, file), 'utf8')) as { version: string };
}

describe("the extension's contract", () => {
  it('offers the three tasks of the article', () => {
    assert.deepEqual(taskNames, ['BuildModelImage', 'DeployToAks', 'FetchModel']);
  });

  it('has one version', () => {
    assert.equal(readJson('vss-extension.json').version, readJson('package.json').version);
  });

  for (const name of taskNames) {
    describe(name, () => {
      it('has a valid task.json', () => assert.deepEqual(schemaProblems(name), []));
      it('declares exactly the inputs that it reads', async () =>
        assert.deepEqual(await inputsProblems(name), []));
      it('declares exactly the outputs that it sets', () => assert.deepEqual(outputsProblems(name), []));
    });
  }

  it('keeps every name that was promised', () => assert.deepEqual(recordedProblems(), []));

  it('notices a promised name that is gone', () => {
    const recorded = readRecorded();
    const fetch = recorded['FetchModel'];
    assert.ok(fetch);
    const problems = recordedProblems({
      ...recorded,
      FetchModel: { ...fetch, inputs: [...fetch.inputs, 'formerInput'] },
    });
    assert.deepEqual(problems, ["FetchModel: input 'formerInput' was promised and is gone"]);
  });

  it('notices a malformed task.json', () => {
    const task = readTaskJson('FetchModel');
    assert.notDeepEqual(
      schemaProblems('FetchModel', { ...task, execution: { Node16: { target: 'index.js' } } }),
      [],
    );
    assert.notDeepEqual(schemaProblems('FetchModel', { ...task, friendlyName: 'x'.repeat(41) }), []);
  });
});
