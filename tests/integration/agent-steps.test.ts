import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withFolder } from '../support/folder.ts';
import { run } from '../unit/agent/fixture.ts';

describe('the local agent’s own steps', () => {
  it('checks out what git would, uncommitted changes included', async () => {
    await withFolder(async (folder) => {
      const repository = join(folder, 'repository');
      await mkdir(join(repository, 'sub'), { recursive: true });
      const git = (...args: string[]): string =>
        execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
          cwd: repository,
          encoding: 'utf8',
        });
      git('init', '-q', '-b', 'trunk');
      await writeFile(join(repository, '.gitignore'), 'ignored\n');
      await writeFile(join(repository, 'sub', 'tracked'), 'old');
      git('add', '.');
      git('commit', '-qm', 'first');
      await writeFile(join(repository, 'sub', 'tracked'), 'new');
      await writeFile(join(repository, 'untracked'), '');
      await writeFile(join(repository, 'ignored'), '');
      const yaml =
        'steps:\n- bash: echo "[$(ls | tr "\\n" " ")] $(cat sub/tracked) on $(Build.SourceBranch)"\n';
      const { result, text } = await run(folder, yaml);
      assert.ok(text.includes('[azure-pipelines.yml sub untracked ] new on refs/heads/trunk'), text);
      assert.equal(result.sourceVersion, git('rev-parse', 'HEAD').trim());
    });
  });

  it('keeps artifacts for later jobs, and for later runs of other pipelines', async () => {
    await withFolder(async (folder) => {
      const ci = `
jobs:
- job: A
  steps:
  - bash: mkdir -p $(Build.ArtifactStagingDirectory)/d && echo content > $(Build.ArtifactStagingDirectory)/d/f.txt
  - { publish: $(Build.ArtifactStagingDirectory), artifact: drop }
- job: B
  dependsOn: A
  steps:
  - { checkout: none }
  - { download: current, artifact: drop }
  - { bash: cat $(Pipeline.Workspace)/drop/d/f.txt && ls $(Build.SourcesDirectory) | wc -l }
`;
      const first = await run(folder, ci, { definitionName: 'app-ci' });
      assert.equal(first.result.result, 'Succeeded', first.text);
      assert.deepEqual(
        first.result.artifacts.map(({ name }) => name),
        ['drop'],
      );
      const release = `
resources: { pipelines: [ { pipeline: app, source: app-ci } ] }
jobs:
- deployment: D
  environment: test
  strategy: { runOnce: { deploy: { steps: [ { bash: 'echo "got $(cat $(Pipeline.Workspace)/app/drop/d/f.txt) of $(resources.pipeline.app.runName)"' } ] } } }
`;
      const second = await run(folder, release, { definitionName: 'app-release' });
      assert.ok(second.text.includes(`got content of ${first.result.buildNumber}`), second.text);
      assert.equal(second.result.buildId, first.result.buildId + 1);
      const missing = await run(folder, release.replace('app-ci', 'ap-ci'));
      assert.match(missing.text, /'ap-ci'[\s\S]*app-ci/);
    });
  });

  it('publishes test results, and fails for failed tests when it is told to', async () => {
    await withFolder(async (folder) => {
      const xml =
        '<testsuite><testcase name="ok"/><testcase name="bad"><failure message="no"/></testcase></testsuite>';
      const yaml = `
steps:
- bash: echo '${xml}' > junit.xml
- task: PublishTestResults@2
  name: soft
  inputs: { testResultsFiles: '**/junit.xml' }
- task: PublishTestResults@2
  name: hard
  inputs: { testResultsFiles: junit.xml, failTaskOnFailedTests: true }
`;
      const { result, text, step } = await run(folder, yaml);
      assert.equal(step('soft').result, 'Succeeded');
      assert.equal(step('hard').result, 'Failed');
      assert.deepEqual([result.testResults?.passed, result.testResults?.failed], [2, 2]);
      assert.match(text, /bad: no/);
    });
  });

  it('keeps summaries and attachments with the run’s logs', async () => {
    await withFolder(async (folder) => {
      const yaml =
        'steps:\n- bash: |\n    echo "# all well" > s.md\n    echo "##vso[task.uploadsummary]$PWD/s.md"\n    echo "##vso[task.addattachment type=lineage;name=lineage.json]$PWD/s.md"\n    echo "##vso[build.addbuildtag]gold"\n';
      const { result } = await run(folder, yaml);
      assert.deepEqual(
        result.attachments.map(({ type, name }) => [type, name]),
        [
          ['Distributedtask.Core.Summary', 's.md'],
          ['lineage', 'lineage.json'],
        ],
      );
      assert.equal(await readFile(result.summaries[0]?.file ?? '', 'utf8'), '# all well\n');
      assert.deepEqual(result.tags, ['gold']);
    });
  });

  it('puts a Python of the wanted version on PATH, or says which are there', async () => {
    await withFolder(async (folder) => {
      const yaml =
        "steps:\n- task: UsePythonVersion@0\n  name: python\n  inputs: { versionSpec: '3.x' }\n- bash: python -c 'import sys; print(\"major\", sys.version_info[0])'\n- task: UsePythonVersion@0\n  name: absent\n  inputs: { versionSpec: '2.6' }\n";
      const { text, step } = await run(folder, yaml);
      assert.match(text, /major 3/);
      assert.match(step('absent').issues[0]?.message ?? '', /No Python 2\.6[\s\S]*There is 3\./);
    });
  });

  it('explains a missing interpreter and a missing working directory', async () => {
    await withFolder(async (folder) => {
      const yaml =
        'steps:\n- { pwsh: Get-Date, name: a, continueOnError: true }\n- { bash: ls, name: b, workingDirectory: nowhere }\n';
      const { step } = await run(folder, yaml, { environment: { ...process.env, PATH: '/usr/bin:/bin' } });
      assert.match(step('a').issues[0]?.message ?? '', /'pwsh' cannot be started[\s\S]*Install PowerShell/);
      assert.match(step('b').issues[0]?.message ?? '', /working directory .*nowhere does not exist/);
    });
  });

  it('prints steps as they run and a table at the end, without colours where there is no terminal', async () => {
    await withFolder(async (folder) => {
      const { text } = await run(
        folder,
        'steps:\n- bash: echo "##[warning]careful"\n  displayName: Be careful\n',
      );
      assert.match(text, /▶ Be careful \(bash\)\n {2}│ warning: careful\n✓ Be careful/);
      assert.match(text, /Step +Task +Result +Duration\n/);
      assert.match(text, /Run \d{8}\.1 ✓ succeeded/);
      assert.ok(!text.includes('\u001b'));
    });
  });
});
