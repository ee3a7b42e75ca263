import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import Mocha from 'mocha';
import { packageExtension } from '../build/package.ts';
import { checkCommand } from '../local/commands/check.ts';
import { createContext, type LocalContext, repositoryRoot } from '../local/lib/context.ts';
import { startServices } from '../local/services/index.ts';
import { buildahPackage, ensureSystemPackages, systemPackages } from '../local/services/packages.ts';
import { buildkitBinary } from '../local/toolchain/buildkit.ts';
import { kubectlBinary } from '../local/toolchain/kubectl.ts';
import { mlflowTool } from '../local/toolchain/mlflow.ts';
import { ensureNode } from '../local/toolchain/node.ts';
import { versitygwBinary } from '../local/toolchain/versitygw.ts';
import { kwokBinary } from './support/kwok.ts';
import { modelSigningTool } from './support/modelSigning.ts';
import { testProgram, testPrograms } from './support/programs.ts';
import { helmBinary, kustomizeBinary } from './support/renderTools.ts';
import { stopTestServices, testContext } from './support/services.ts';

/** What single tests would install within their time-outs on a new machine. */
const testPackages = process.platform === 'linux' && process.getuid?.() === 0 ? [buildahPackage] : [];

/** From what needs least to what needs most: the first failure is found soonest. */
const groups = ['unit', 'contract', 'integration', 'e2e'] as const;

function testFiles(place: string): string[] {
  const path = resolve(repositoryRoot, place);
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .sort()
    .map((file) => join(path, file));
}

/** Two files at a time: most of a file's time goes by while a service, a rollout or a time limit is waited for. */
const jobs = 2;

async function runMocha(files: readonly string[], grep: string | undefined): Promise<Mocha.Stats> {
  const parallel = files.length > 1;
  const limits = { timeout: 30_000, forbidOnly: true, forbidPending: true };
  const mocha = new Mocha({ ...limits, parallel, jobs, ...(grep && { grep }) });
  for (const file of files) mocha.addFile(file);
  if (!parallel) await mocha.loadFilesAsync();
  return new Promise((done) => {
    const runner = mocha.run(() => done(runner.stats ?? emptyStats()));
  });
}

function emptyStats(): Mocha.Stats {
  return { suites: 0, tests: 0, passes: 0, pending: 0, failures: 1 };
}

/** Builds and starts at once what single tests would build within their time-outs on a new machine. */
async function prepare(context: LocalContext): Promise<void> {
  await ensureNode(context, 20);
  await ensureNode(context, 24);
  const test = await testContext();
  await startServices({ ...test, say: context.say }, ['storage', 'registry', 'cluster']);
  await versitygwBinary(context);
  await kubectlBinary(context);
  await buildkitBinary(context, 'buildkitd');
  await buildkitBinary(context, 'buildctl');
  await helmBinary(context);
  await kwokBinary(context);
  await kustomizeBinary(context);
  for (const program of testPrograms) await testProgram(context, program);
  await modelSigningTool();
  await mlflowTool(context);
}

/**
 * `npm test`: checks, packages, starts what the tests need, runs them all and stops everything.
 * `npm test -- PLACE…` runs the tests below these files or folders only; `--grep TEXT` those with such titles.
 */
async function runTests(args: string[]): Promise<number> {
  const at = args.indexOf('--grep');
  const grep = at < 0 ? undefined : args.splice(at, 2)[1];
  const everything = args.length === 0 && grep === undefined;
  const context = await createContext();
  await ensureSystemPackages(context, everything ? [...systemPackages, ...testPackages] : systemPackages);
  const clean = !everything || (await checkCommand([])) === 0;
  await packageExtension(context.say);
  if (everything) await prepare(context);
  const places = args.length > 0 ? args : groups.map((group) => join('tests', group));
  const stats = await runMocha(places.flatMap(testFiles), grep).finally(stopTestServices);
  const failures = stats.failures + (clean ? 0 : 1);
  console.log(`${stats.passes} passed, ${failures} failed`);
  return failures === 0 && stats.passes > 0 ? 0 : 1;
}

process.exitCode = await runTests(process.argv.slice(2));
