import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withFolder } from '../support/folder.ts';
import { connectionId, probe, run } from '../unit/agent/fixture.ts';

describe('the local agent', () => {
  it('runs a task from a .vsix by the contract, and hands over only the connection that it names', async () => {
    await withFolder(async (folder) => {
      const script =
        "const e = process.env; const show = (k) => console.log(k.padEnd(0) + '=' + e[k]);\n" +
        "['INPUT_FOLDER', 'BUILD_SOURCESDIRECTORY', 'SYSTEM_DEFAULTWORKINGDIRECTORY', 'GREETING', 'TF_BUILD'].forEach(show);\n" +
        `console.log('scheme ' + e['ENDPOINT_AUTH_SCHEME_${connectionId}']);\n` +
        "console.log('endpoints ' + Object.keys(e).filter((k) => k.startsWith('ENDPOINT_URL_')).sort().length);\n" +
        "console.log('cwd ' + process.cwd() + ' secret var ' + e.SECRET_PW + ' plain ' + e.PW);\n" +
        "console.log('agent temp ' + (e.AGENT_TEMPDIRECTORY.length > 0))\n";
      const yaml = `variables: { greeting: hello }\nsteps:\n${probe('p', script)}    registry: models\n`;
      const { result, text } = await run(folder, yaml, {
        variables: { pw: { value: 'quiet-please', secret: true } },
      });
      const sources = join(folder, 'work', '1', 's');
      assert.equal(result.result, 'Succeeded');
      for (const line of [
        `INPUT_FOLDER=${sources}`,
        `BUILD_SOURCESDIRECTORY=${sources}`,
        `SYSTEM_DEFAULTWORKINGDIRECTORY=${sources}`,
        'GREETING=hello',
        'TF_BUILD=True',
        'scheme UsernamePassword',
        'endpoints 2',
        `cwd ${sources} secret var *** plain undefined`,
        'agent temp true',
      ])
        assert.ok(text.includes(line), `${line} in\n${text}`);
      assert.ok(!existsSync(sources));
    });
  });

  it('runs a task’s handlers before and after the job, with the task’s own variables', async () => {
    await withFolder(async (folder) => {
      const yaml = `steps:\n${probe('p', "console.log('main sees ' + process.env.VSTS_TASKVARIABLE_STATE); process.exit(1)")}`;
      const { result, text } = await run(folder, yaml);
      assert.match(text, /main sees from-before/);
      assert.match(text, /after sees from-before/);
      assert.deepEqual(
        result.stages[0]?.jobs[0]?.steps.map(({ displayName, result: end }) => [displayName, end]),
        [
          ['Pre-job: Probe', 'Succeeded'],
          ['Checkout self', 'Succeeded'],
          ['Probe', 'Failed'],
          ['Post-job: Probe', 'Succeeded'],
        ],
      );
    });
  });

  it('finds a task by its full name', async () => {
    await withFolder(async (folder) => {
      const yaml = `steps:\n- task: acme.tools.probe.Probe@1\n  inputs: { script: "console.log('by full name')" }\n`;
      assert.match((await run(folder, yaml)).text, /by full name/);
    });
  });

  it('refuses an unknown task or connection before anything runs, with its place and the nearest', async () => {
    await withFolder(async (folder) => {
      await assert.rejects(
        run(folder, 'steps:\n- script: touch ran\n- task: Prob@1\n'),
        (error: Error & { remedy: string }) => {
          assert.match(error.message, /azure-pipelines\.yml:3:3: Task 'Prob@1'/);
          return error.remedy.includes('Probe@1');
        },
      );
      const yaml = `steps:\n${probe('p', '0')}    registry: modells\n`;
      await assert.rejects(run(folder, yaml), (error: Error & { remedy: string }) => {
        assert.match(error.message, /'modells'/);
        return error.remedy.includes('models');
      });
    });
  });

  it('passes outputs between steps, jobs and stages', async () => {
    await withFolder(async (folder) => {
      const yaml = `
stages:
- stage: Build
  jobs:
  - job: Make
    steps:
    - bash: |
        echo "text before ##vso[task.setvariable variable=digest;isOutput=true]sha256:1"
        echo "##vso[task.setvariable variable=hidden;isOutput=true;isSecret=true]tip-top-secret" >&2
      name: set
    - bash: echo 'same job $(set.digest) and $(digest)'
  - job: Use
    dependsOn: Make
    variables: { d: "$[ dependencies.Make.outputs['set.digest'] ]" }
    steps:
    - bash: echo "next job $(d) $D"
  - job: NotMine
    variables: { d: "$[ coalesce(dependencies.Make.outputs['set.digest'], 'nothing') ]" }
    steps: [ { bash: echo "no dependency $(d)" } ]
- stage: Release
  condition: and(succeeded(), eq(dependencies.Build.outputs['Make.set.digest'], 'sha256:1'))
  variables: { d: "$[ stageDependencies.Build.Make.outputs['set.digest'] ]" }
  jobs:
  - deployment: Deploy
    environment: test
    strategy: { runOnce: { deploy: { steps: [ { bash: 'echo "next stage $(d)"' } ] } } }
- stage: Never
  condition: eq(dependencies.Release.result, 'Failed')
  jobs: [ { job: N, steps: [ { bash: echo never } ] } ]
`;
      const { result, text } = await run(folder, yaml);
      for (const line of [
        'same job sha256:1 and $(digest)',
        'next job sha256:1 sha256:1',
        'no dependency nothing',
        'next stage sha256:1',
      ])
        assert.ok(text.includes(line), `${line} in\n${text}`);
      assert.deepEqual(
        result.stages.map((stage) => [stage.name, stage.result]),
        [
          ['Build', 'Succeeded'],
          ['Release', 'Succeeded'],
          ['Never', 'Skipped'],
        ],
      );
      assert.deepEqual(result.outputs, {
        'Build.Make.set.digest': 'sha256:1',
        'Build.Make.set.hidden': '***',
      });
      assert.ok(!text.includes('tip-top-secret'));
    });
  });

  it('skips what follows a failed step, except always() and failed()', async () => {
    await withFolder(async (folder) => {
      const yaml = `
jobs:
- job: A
  steps:
  - { bash: exit 3, name: bad }
  - { bash: echo x, name: next }
  - { bash: echo x, name: always, condition: always() }
  - { bash: echo x, name: failed, condition: "and(failed(), eq(variables['Agent.JobStatus'], 'Failed'))" }
- job: B
  dependsOn: A
  steps: [ { bash: echo x } ]
- job: C
  dependsOn: A
  condition: failed()
  steps: [ { bash: exit 1, continueOnError: true, name: soft }, { bash: echo x, name: goesOn } ]
`;
      const { result, step } = await run(folder, yaml);
      assert.deepEqual(
        ['bad', 'next', 'always', 'failed', 'soft', 'goesOn'].map((name) => step(name).result),
        ['Failed', 'Skipped', 'Succeeded', 'Succeeded', 'SucceededWithIssues', 'Succeeded'],
      );
      assert.deepEqual(
        result.stages[0]?.jobs.map((job) => job.result),
        ['Failed', 'Skipped', 'SucceededWithIssues'],
      );
      assert.equal(result.result, 'Failed');
      assert.match(step('bad').issues[0]?.message ?? '', /exited with code '3'/);
    });
  });

  it('masks secrets in its output, its logs and its issues, and keeps them from scripts', async () => {
    await withFolder(async (folder) => {
      const script =
        `const p = process.env['ENDPOINT_AUTH_PARAMETER_${connectionId}_PASSWORD']; console.log('password ' + p);\n` +
        "console.error('base64 ' + Buffer.from(p).toString('base64')); console.log('##vso[task.logissue type=warning]leak ' + p)\n";
      const yaml = `steps:\n${probe('p', script)}    registry: models\n- bash: echo "env [$TOKEN] mapped [$MAPPED]"\n  env: { MAPPED: $(token) }\n`;
      const { text, step } = await run(folder, yaml, {
        variables: { token: { value: 'tok-en-1', secret: true } },
      });
      const log = await readFile(step('p').logFile, 'utf8');
      for (const secret of [
        'hunter2-of-models',
        Buffer.from('hunter2-of-models').toString('base64'),
        'tok-en-1',
      ])
        assert.ok(!(text + log + JSON.stringify(step('p').issues)).includes(secret));
      assert.match(text, /password \*\*\*/);
      assert.match(text, /env \[\] mapped \[\*\*\*\]/);
    });
  });

  it('lets a task set only the variables that its task.json allows', async () => {
    await withFolder(async (folder) => {
      const script =
        "for (const n of ['declared', 'freeToSet', 'PATH']) console.log('##vso[task.setvariable variable=' + n + ']v')";
      const yaml = `steps:\n${probe('p', script)}- bash: echo '[$(p.declared)] [$(freeToSet)] [$(declared)]'\n`;
      const { text, step, result } = await run(folder, yaml);
      assert.equal(result.result, 'Succeeded');
      assert.match(text, /\[v\] \[v\] \[\$\(declared\)\]/);
      assert.match(
        step('p')
          .issues.map(({ message }) => message)
          .join(),
        /'PATH' may not be set/,
      );
    });
  });

  it('fails the step for a command that cannot be followed, and for task.complete', async () => {
    await withFolder(async (folder) => {
      const yaml = `steps:\n- { bash: 'echo "##vso[task.uploadsummary]missing.md"', name: a, continueOnError: true }\n- { bash: 'echo "##vso[task.complete result=Failed]no"', name: b }\n`;
      const { step } = await run(folder, yaml);
      assert.equal(step('a').result, 'SucceededWithIssues');
      assert.equal(step('b').result, 'Failed');
    });
  });

  it('runs the chosen stages alone, as if they depended on no others', async () => {
    await withFolder(async (folder) => {
      const stage = (name: string): string =>
        `- stage: ${name}\n  jobs: [ { job: J, steps: [ { bash: echo ${name} } ] } ]\n`;
      const { result } = await run(folder, `stages:\n${stage('A')}${stage('B')}`, { stages: ['B'] });
      assert.deepEqual(
        result.stages.map(({ name, result: end }) => [name, end]),
        [['B', 'Succeeded']],
      );
    });
  });
});
