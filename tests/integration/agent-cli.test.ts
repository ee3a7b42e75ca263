import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { repositoryRoot } from '../../local/lib/context.ts';
import { withFolder } from '../support/folder.ts';

const program =
  "import('./local/agent/cli.ts').then((cli) => cli.pipelineCommand(process.argv.slice(1))).then((code) => process.exit(code))";

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command as `npm run pipeline` runs it; it is interrupted once `interruptAfter` was printed. */
async function pipeline(args: readonly string[], interruptAfter?: RegExp): Promise<Ended> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', program, '--', ...args],
    {
      cwd: repositoryRoot,
      env: { ...process.env, TOKEN_OF_TEST: 'from-the-environment', TMPDIR: dirname(args[0] ?? '') },
    },
  );
  const exited = once(child, 'exit') as Promise<[number | null]>;
  let stdout = '';
  let stderr = '';
  let interrupted = false;
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk);
    if (interrupted || interruptAfter?.test(stdout) !== true) return;
    interrupted = true;
    child.kill('SIGINT');
  });
  const [code] = await exited;
  return { code, stdout, stderr };
}

async function withPipeline<T>(
  yaml: string,
  use: (file: string, args: string[], json: string) => Promise<T>,
): Promise<T> {
  return withFolder(async (folder) => {
    const file = join(folder, 'p.yml');
    const json = join(folder, 'result.json');
    await writeFile(file, yaml);
    return use(file, [file, '--artifacts', join(folder, 'artifacts'), '--json', json], json);
  });
}

describe('npm run pipeline', () => {
  it('runs a file with variables, parameters and secrets, and writes its result', async () => {
    const yaml = `parameters: [ { name: who } ]\nsteps:\n- bash: echo '$(greeting) \${{ parameters.who }} $(TOKEN_OF_TEST)'\n  name: say\n`;
    await withPipeline(yaml, async (_file, args, json) => {
      const more = ['--variable', 'greeting=hello=1', '--parameter', 'who=you', '--secret', 'TOKEN_OF_TEST'];
      const { code, stdout, stderr } = await pipeline([...args, ...more]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /hello=1 you \*\*\*/);
      const result = JSON.parse(await readFile(json, 'utf8')) as { result: string; definitionName: string };
      assert.deepEqual([result.result, result.definitionName], ['Succeeded', 'p']);
    });
  });

  it('exits with 1 when the pipeline fails', async () => {
    await withPipeline('steps: [ { bash: exit 7 } ]', async (_file, args) => {
      assert.equal((await pipeline(args)).code, 1);
    });
  });

  it('exits with 2 and explains itself when there is nothing it can run', async () => {
    await withPipeline('steps: [ { bsh: ls } ]', async (_file, args) => {
      const wrongFile = await pipeline(args);
      assert.equal(wrongFile.code, 2);
      assert.match(wrongFile.stderr, /p\.yml:1:12: 'bsh' does not begin a step[\s\S]*What to do: /);
      assert.match((await pipeline([...args, '--variable', 'x'])).stderr, /--variable name=value/);
      assert.match((await pipeline([...args, '--nonsense'])).stderr, /--nonsense/);
    });
  });

  it('cancels the run on Ctrl+C, and says so', async () => {
    await withPipeline(
      'steps:\n- bash: echo now && sleep 600\n- { bash: echo tidied, condition: always() }\n',
      async (_file, args, json) => {
        const { code, stdout, stderr } = await pipeline(args, /│ now/);
        assert.equal(code, 1);
        assert.match(stdout, /│ tidied/);
        assert.match(stderr, /Cancelling/);
        assert.equal((JSON.parse(await readFile(json, 'utf8')) as { result: string }).result, 'Canceled');
      },
    );
  });
});
