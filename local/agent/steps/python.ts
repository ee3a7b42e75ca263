import { execFile } from 'node:child_process';
import { mkdir, readdir, realpath, rm, symlink } from 'node:fs/promises';
import { basename, delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DeliveryError } from '../../../src/errors.ts';
import type { StepContext } from '../run/context.ts';

const run = promisify(execFile);

interface Python {
  readonly executable: string;
  readonly version: string;
}

function numbers(version: string): number[] {
  return version.split('.').map(Number);
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [numbers(a), numbers(b)];
  const index = left.findIndex((part, at) => part !== (right[at] ?? 0));
  return index < 0 ? 0 : (left[index] ?? 0) - (right[index] ?? 0);
}

/** Whether a version is what `3`, `3.x`, `3.11`, `3.11.4`, `>=3.10` or several of these, apart by spaces, ask for. */
export function satisfiesPython(version: string, spec: string): boolean {
  return spec
    .trim()
    .split(/\s+/)
    .every((part) => {
      const [, operator = '', wanted = ''] = /^(>=|<=|>|<|=)?v?(\d+(?:\.(?:\d+|x|\*))*)$/.exec(part) ?? [];
      const fixed = wanted.replace(/(\.(x|\*))+$/, '');
      if (fixed === '') return false;
      if (operator === '' || operator === '=') return `${version}.`.startsWith(`${fixed}.`);
      const order = compareVersions(version, fixed);
      if (operator === '>=') return order >= 0;
      if (operator === '<=') return order <= 0;
      return operator === '>' ? order > 0 : order < 0;
    });
}

async function describePython(command: string): Promise<Python | undefined> {
  const program = "import sys; print(sys.executable); print('%d.%d.%d' % sys.version_info[:3])";
  try {
    const { stdout } = await run(command, ['-c', program]);
    const [executable, version] = stdout.trim().split(/\r?\n/);
    return executable === undefined || version === undefined ? undefined : { executable, version };
  } catch {
    return undefined;
  }
}

/** pyenv's shims are scripts that take their time; one tells its default, the others are in its versions. */
function isSlowShim(folder: string, name: string): boolean {
  return basename(folder) === 'shims' && name !== 'python3';
}

/** Interpreters on PATH, and the ones that pyenv keeps beside its shims. */
async function candidates(machine: Readonly<Record<string, string>>): Promise<string[]> {
  const path = Object.entries(machine).find(([name]) => name.toUpperCase() === 'PATH')?.[1] ?? '';
  const pyenv = join(machine['PYENV_ROOT'] ?? join(machine['HOME'] ?? '', '.pyenv'), 'versions');
  const versions = await readdir(pyenv).catch(() => []);
  const folders = [...path.split(delimiter), ...versions.map((version) => join(pyenv, version, 'bin'))];
  const found: string[] = [];
  for (const folder of folders.filter(Boolean)) {
    const names = (await readdir(folder).catch(() => [])).filter((name) => !isSlowShim(folder, name));
    const pythons = names.filter((name) => /^python(3(\.\d+)?)?(\.exe)?$/.test(name));
    found.push(...pythons.map((name) => join(folder, name)));
  }
  const real = await Promise.all(found.map(async (file) => [await realpath(file), file] as const));
  return [...new Map(real.toReversed()).values()].toReversed();
}

async function findPython(spec: string, machine: Readonly<Record<string, string>>): Promise<Python> {
  const known = new Map<string, Python>();
  for (const command of await candidates(machine)) {
    const python = await describePython(command);
    if (python !== undefined && satisfiesPython(python.version, spec)) return python;
    if (python !== undefined) known.set(python.version, python);
  }
  const versions = [...known.keys()];
  throw new DeliveryError({
    code: 'PYTHON_MISSING',
    side: 'agent',
    message: `No Python ${spec} is on this machine.`,
    remedy: `Install one and put it on PATH. ${versions.length === 0 ? 'None is there' : `There is ${versions.join(', ')}`}.`,
  });
}

/** UsePythonVersion@0: puts a Python of that version first on PATH, as `python` and `python3`. */
export async function usePythonVersion(
  step: StepContext,
  inputs: Readonly<Record<string, string>>,
): Promise<void> {
  const spec = inputs['versionSpec'] || '3.x';
  const { run: context, prependedPaths, variables } = step.job;
  const python = await findPython(spec, context.machine);
  const location = dirname(python.executable);
  step.log(`Python ${python.version} at ${python.executable}`);
  step.outputs.set('pythonLocation', { value: location, secret: false });
  variables.set(`${step.name}.pythonLocation`, location);
  if (inputs['addToPath'] === 'false') return;
  prependedPaths.push(location);
  if (process.platform === 'win32') return;
  const links = join(context.folders.tools, `python-${python.version}`);
  await rm(links, { recursive: true, force: true });
  await mkdir(links, { recursive: true });
  for (const name of ['python', 'python3']) await symlink(python.executable, join(links, name));
  prependedPaths.push(links);
}
