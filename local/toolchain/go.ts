import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { DeliveryError } from '../../src/errors.ts';

/** From 1.21 on, Go fetches the newer toolchain that a module asks for by itself (https://go.dev/doc/toolchain). */
const oldestGo = { major: 1, minor: 21 };

/** One call of the go command. */
export interface GoCommand {
  /** For the progress lines: what is being built. */
  readonly title: string;
  /** Packages that are compiled when none is yet. */
  readonly packages?: number;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  readonly say: (line: string) => void;
}

const progressMs = 10_000;

function goMissing(found: string, cause?: unknown): DeliveryError {
  return new DeliveryError({
    code: 'GO_MISSING',
    side: 'agent',
    message: `The local services are built with Go ${oldestGo.major}.${oldestGo.minor} or newer, but ${found}.`,
    remedy:
      'Install Go from https://go.dev/dl/ or from the package manager, put it on PATH and run the command again.',
    cause,
  });
}

function outputOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.once('error', reject);
    child.once('close', () => resolve(text.trim()));
  });
}

/** Fails with `GO_MISSING` unless a Go that can build the local services is on the path. */
export async function checkGo(): Promise<void> {
  const child = spawn('go', ['env', 'GOVERSION'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const version = await outputOf(child).catch((cause: unknown) => {
    throw goMissing('there is no go command on PATH', cause);
  });
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version) ?? [];
  if (Number(major) !== oldestGo.major || Number(minor) < oldestGo.minor) {
    throw goMissing(version === '' ? 'the go command on PATH does not work' : `PATH has ${version}`);
  }
}

/** How many packages a program is made of, the standard library's included; 0 when Go cannot tell. */
export async function countPackages(program: string, cwd: string, env: NodeJS.ProcessEnv): Promise<number> {
  const args = ['list', '-deps', '-f', '.', program];
  const dots = await outputOf(spawn('go', args, { cwd, env, stdio: ['ignore', 'pipe', 'ignore'] }));
  return dots === '' ? 0 : dots.split('\n').length;
}

/** The environment of a build: static, for this machine, whatever the user's settings for other targets are. */
export function goEnvironment(base: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...base, CGO_ENABLED: '0', GOOS: '', GOARCH: '', GOWORK: 'off' };
}

async function endOfLog(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-10).join('\n');
}

/** Runs the go command with a progress line every ten seconds; its whole output goes to the log file. */
export async function runGo(command: GoCommand): Promise<void> {
  await mkdir(dirname(command.logFile), { recursive: true });
  const log = createWriteStream(command.logFile);
  const started = Date.now();
  let packages = 0;
  const child = spawn('go', command.args, {
    cwd: command.cwd,
    env: command.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.write(`${line}\n`);
    // With -v the compiler names each package once; every other line has a space in it.
    if (!line.includes(' ')) packages += 1;
  });
  const most = command.packages ? ` of at most ${command.packages}` : '';
  const progress = setInterval(() => {
    const seconds = Math.round((Date.now() - started) / 1000);
    command.say(`  building ${command.title}: ${packages}${most} packages compiled, ${seconds} s`);
  }, progressMs);
  const [status] = await once(child, 'close').finally(() => clearInterval(progress));
  await new Promise<void>((resolve) => log.end(resolve));
  if (status === 0) return;
  throw new DeliveryError({
    code: 'GO_BUILD_FAILED',
    side: 'agent',
    message: `Building ${command.title} failed (go ${command.args[0]} ended with ${status}):\n${await endOfLog(command.logFile)}`,
    remedy: `Read ${basename(command.logFile)} in ${dirname(command.logFile)}; a module that cannot be downloaded needs GOPROXY set.`,
  });
}
