import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { LocalContext } from '../lib/context.ts';
import { checkGo, countPackages, type GoCommand, goEnvironment, runGo } from './go.ts';
import { withLock } from './lock.ts';

/** A command of a published Go module, built as `go install <package>@<version>` builds it. */
export interface GoPackageSpec {
  readonly name: string;
  readonly package: string;
  readonly version: string;
  /** How long a first build takes, in words for the person who waits. */
  readonly duration?: string;
}

/** A command of a Go module in this repository; its version is the digest of what it is built from. */
export interface GoModuleSpec {
  readonly name: string;
  /** The folder of go.mod. */
  readonly folder: string;
  /** The program's folder below that; without it the module is one program. */
  readonly program?: string;
  /** A dependency's program instead, which the module names as its tool. */
  readonly tool?: string;
  /** `-X` assignments for the linker, for example `k8s.io/component-base/version.gitVersion=v1.36.3`. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly duration?: string;
}

export type GoBinarySpec = GoPackageSpec | GoModuleSpec;

const stripped = '-s -w';
const suffix = process.platform === 'win32' ? '.exe' : '';

function mainPackage({ tool, program = '.' }: GoModuleSpec): string {
  return tool ?? `./${program}`;
}

async function moduleVersion({ folder, program = '.', variables = {} }: GoModuleSpec): Promise<string> {
  const sources = (await readdir(join(folder, program))).filter((name) => name.endsWith('.go')).sort();
  const files = ['go.mod', 'go.sum', ...sources.map((name) => join(program, name))];
  const hash = createHash('sha256').update(JSON.stringify(variables));
  for (const file of files) {
    // A module without dependencies has no go.sum.
    const content = await readFile(join(folder, file)).catch(() => '');
    hash.update(`\n${file}\n`).update(content);
  }
  return hash.digest('hex').slice(0, 12);
}

function moduleArguments(spec: GoModuleSpec, output: string): string[] {
  const assignments = Object.entries(spec.variables ?? {}).map(([name, value]) => `-X ${name}=${value}`);
  const flags = [stripped, ...assignments].join(' ');
  return ['build', '-v', '-buildvcs=false', '-ldflags', flags, '-o', output, mainPackage(spec)];
}

type BuildStep = Pick<GoCommand, 'args' | 'cwd' | 'env' | 'packages'>;

function installCommand(spec: GoPackageSpec, folder: string): BuildStep {
  const args = ['install', '-v', '-ldflags', stripped, `${spec.package}@${spec.version}`];
  return { args, cwd: folder, env: { ...goEnvironment(process.env), GOBIN: folder } };
}

async function moduleCommand(spec: GoModuleSpec, output: string): Promise<BuildStep> {
  const env = goEnvironment(process.env);
  const packages = await countPackages(mainPackage(spec), spec.folder, env);
  return { args: moduleArguments(spec, output), cwd: spec.folder, env, packages };
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** What `go install` calls the program: a major version at the end of its path is no name. */
function programOf(path: string): string {
  return basename(path.replace(/\/v\d+$/, ''));
}

async function build(context: LocalContext, spec: GoBinarySpec, target: string): Promise<void> {
  await checkGo();
  const started = Date.now();
  context.say(
    `Building ${spec.name}: ${spec.duration ?? 'seconds'}, once for this user (kept in ${dirname(target)})`,
  );
  const folder = await mkdtemp(`${target}.part-`);
  const program = 'package' in spec ? programOf(spec.package) : spec.name;
  const built = join(folder, `${program}${suffix}`);
  try {
    await runGo({
      ...('package' in spec ? installCommand(spec, folder) : await moduleCommand(spec, built)),
      title: spec.name,
      logFile: join(context.logFolder, `build-${spec.name}.log`),
      say: context.say,
    });
    await chmod(built, 0o755);
    await rename(built, target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  context.say(`Built ${spec.name} in ${Math.round((Date.now() - started) / 1000)} s`);
}

/** Whoever holds the lock is the only one that builds: a part that lies there is of a build that was killed. */
async function removeParts(folder: string): Promise<void> {
  const parts = (await readdir(folder)).filter((name) => name.includes('.part-'));
  await Promise.all(parts.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

/**
 * Path of the binary `<cacheFolder>/bin/<name>-<version>-<os>-<arch>`, built first where it is not there yet.
 * Builds of all checkouts of a user wait for each other: side by side they would compile shared packages twice.
 * Fails with `GO_MISSING` or `GO_BUILD_FAILED`.
 */
export async function ensureGoBinary(context: LocalContext, spec: GoBinarySpec): Promise<string> {
  const version = 'package' in spec ? spec.version : await moduleVersion(spec);
  const folder = join(context.cacheFolder, 'bin');
  const target = join(folder, `${spec.name}-${version}-${process.platform}-${process.arch}${suffix}`);
  if (await exists(target)) return target;
  await mkdir(folder, { recursive: true });
  const waiting = () =>
    context.say(`Waiting for another build of local services to end before ${spec.name} is built`);
  await withLock(join(folder, 'build.lock'), waiting, async () => {
    if (await exists(target)) return;
    await removeParts(folder);
    await build(context, spec, target);
  });
  return target;
}
