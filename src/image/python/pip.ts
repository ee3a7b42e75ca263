import { spawn } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DeliveryError } from '../../errors.ts';
import { makeFolder } from '../../files/folder.ts';
import { formatLibc, markerEnvironment, type PythonTarget, platformTags } from './target.ts';

export interface PipOptions {
  readonly requirements: string;
  readonly target: PythonTarget;
  /** An empty folder of the task's own. */
  readonly workFolder: string;
  /** The agent's environment: pip's own settings (index, proxy, credentials) are in it. */
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/**
 * pip answers environment markers for the Python that runs it, whatever --platform and --python-version say
 * (pypa/pip#11664), so they are answered for the image here.
 */
const runner = `import json, os, runpy, sys
from pip._vendor.packaging import markers
values = json.loads(os.environ['MODEL_DELIVERY_MARKERS'])
markers.default_environment = lambda: dict(values)
sys.argv[0] = 'pip'
runpy.run_module('pip', run_name='__main__')
`;

const mostOutput = 200_000;

function run(command: readonly string[], options: PipOptions, extra: NodeJS.ProcessEnv): Promise<Ended> {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { ...options.environment, PYTHONIOENCODING: 'utf-8', PIP_NO_INPUT: '1', ...extra },
      cwd: options.workFolder,
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: options.signal,
      windowsHide: true,
    });
    let output = '';
    const keep = (part: Buffer): void => {
      output = (output + part.toString('utf8')).slice(-mostOutput);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** The agent's Pythons by name; where none has pip, uv brings it for this one use. */
const pythons: readonly (readonly string[])[] = [
  ['python3'],
  ['python'],
  ['py', '-3'],
  ['uv', 'run', '--no-project', '--quiet', '--with', 'pip', 'python'],
];

/** The Python whose pip is used as a tool. Throws PIP_MISSING. */
async function findPython(options: PipOptions): Promise<readonly string[]> {
  for (const command of pythons) {
    const ended = await run([...command, '-m', 'pip', '--version'], options, {}).catch((error: unknown) => {
      options.signal.throwIfAborted();
      return { code: -1, output: String(error) };
    });
    if (ended.code === 0) return command;
  }
  throw new DeliveryError({
    code: 'PIP_MISSING',
    side: 'agent',
    message: `The agent has neither a Python with pip nor uv, one of which is needed to find the packages of '${options.requirements}'.`,
    remedy:
      'Add the UsePythonVersion task before this step (any version: packages are chosen for the image), or use a Dockerfile.',
  });
}

/** pip's reasons without its advice, at most a few lines. */
function reasonOf(output: string): string {
  const lines = output.split(/\r?\n/).map((line) => line.trim());
  const errors = lines.filter((line) => /^(ERROR|CRITICAL):/.test(line)).map((line) => line.slice(0, 500));
  const chosen = errors.length > 0 ? errors : lines.filter((line) => line !== '').slice(-3);
  return [...new Set(chosen)].slice(0, 4).join('\n');
}

function unresolved(options: PipOptions, ended: Ended): DeliveryError {
  const { version, libc, platform } = options.target;
  return new DeliveryError({
    code: 'REQUIREMENTS_UNRESOLVED',
    side: 'application',
    message: `pip found no set of wheels for '${options.requirements}' that fits Python ${version} on ${platform.os}/${platform.architecture} (${formatLibc(libc)}).`,
    remedy:
      'Correct the requirement that pip names. A package without a wheel for this platform needs a wheel of your own (--find-links) or a Dockerfile.',
    cause: new Error(reasonOf(ended.output)),
  });
}

/** Downloads the wheels that the requirements need in the image; their files, sorted by name. */
export async function downloadWheels(options: PipOptions): Promise<readonly string[]> {
  const python = await findPython(options);
  const script = join(options.workFolder, 'pip-for-image.py');
  const folder = join(options.workFolder, 'wheels');
  await makeFolder(folder);
  await writeFile(script, runner);
  const arguments_ = [
    ...['download', '--disable-pip-version-check', '--progress-bar', 'off', '--only-binary', ':all:'],
    ...['--implementation', 'cp', '--python-version', options.target.version],
    ...platformTags(options.target).flatMap((tag) => ['--platform', tag]),
    ...['--dest', folder, '--requirement', options.requirements],
  ];
  const markers = JSON.stringify(markerEnvironment(options.target));
  const ended = await run([...python, script, ...arguments_], options, { MODEL_DELIVERY_MARKERS: markers });
  if (ended.code !== 0) throw unresolved(options, ended);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.whl')).sort();
  return names.map((name) => join(folder, name));
}
