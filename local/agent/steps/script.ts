import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { childEnvironment, expandFor, runChild } from '../run/child.ts';
import type { StepContext } from '../run/context.ts';
import { lineHandler } from '../run/target.ts';
import { publicEnvironment } from '../task/environment.ts';
import type { Shell, Step } from '../yaml/model.ts';

type ScriptStep = Extract<Step, { kind: 'script' }>;

interface Interpreter {
  readonly command: string;
  readonly extension: string;
  readonly args: (file: string) => string[];
  readonly remedy: string;
}

const bash: Interpreter = {
  command: 'bash',
  extension: 'sh',
  args: (file) => ['--noprofile', '--norc', file],
  remedy: 'Install bash and put it on PATH.',
};
const cmd: Interpreter = {
  command: 'cmd.exe',
  extension: 'cmd',
  args: (file) => ['/D', '/E:ON', '/V:OFF', '/S', '/C', `CALL "${file}"`],
  remedy: 'cmd.exe belongs to Windows: check PATH.',
};

function powershell(command: string): Interpreter {
  return {
    command,
    extension: 'ps1',
    args: (file) => [
      '-NoLogo',
      '-NoProfile',
      '-NonInteractive',
      '-Command',
      `. '${file.replaceAll("'", "''")}'`,
    ],
    remedy: `Install PowerShell and put ${command} on PATH, or write the step as 'bash:' or 'script:'.`,
  };
}

function interpreterOf(shell: Shell): Interpreter {
  if (shell === 'bash') return bash;
  if (shell === 'script') return process.platform === 'win32' ? cmd : bash;
  return powershell(shell === 'powershell' && process.platform === 'win32' ? 'powershell.exe' : 'pwsh');
}

/** Runs `script:`, `bash:` or `pwsh:` in a shell of its own. Throws when it fails. */
export async function runScript(step: StepContext, script: ScriptStep): Promise<void> {
  const { folders, variables } = step.job;
  const expand = expandFor(step);
  const interpreter = interpreterOf(script.shell);
  const file = join(folders.temp, `${randomUUID()}.${interpreter.extension}`);
  await writeFile(file, expand(script.script));
  const onLine = lineHandler(step);
  let wroteToStderr = false;
  const end = await runChild(step, {
    command: interpreter.command,
    args: interpreter.args(file),
    cwd: resolve(folders.sources, expand(script.workingDirectory)),
    env: childEnvironment(step, script.env, publicEnvironment(variables.list())),
    onLine: (line, stream) => {
      wroteToStderr ||= stream === 'stderr';
      onLine(line);
    },
    signalWhom: 'group',
    remedy: interpreter.remedy,
  });
  if (end.exitCode !== 0) throw new Error(`${interpreter.command} exited with code '${end.exitCode}'.`);
  if (script.failOnStderr && wroteToStderr)
    throw new Error('The script wrote to standard error (failOnStderr).');
}
