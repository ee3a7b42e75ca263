import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createGzip } from 'node:zlib';
import { DeliveryError } from '../../src/errors.ts';
import type { LocalContext } from '../lib/context.ts';
import { baseImagePackages, ensureSystemPackages } from '../services/packages.ts';
import { withLock } from '../toolchain/lock.ts';

/** A layer in the cache folder. */
export interface BuiltLayer {
  readonly file: string;
  readonly digest: string;
  /** Compressed size in bytes. */
  readonly size: number;
  /** Digest of the uncompressed archive. */
  readonly diffId: string;
  readonly pythonVersion: string;
  /** Identity of the recipe it was made by. */
  readonly recipe: string;
}

/** Every file's time: the same packages give the same bytes on any day. Seconds since 1970. */
export const sourceDate = 1_700_000_000;

const customisation = fileURLToPath(new URL('customise.sh', import.meta.url));

const recipe: readonly string[] = [
  '--variant=essential',
  '--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr',
  '--skip=output/dev',
  // libstdc++6 is what the wheels of numpy and onnxruntime expect of the system.
  '--include=usr-is-merged,passwd,python3.11,libstdc++6,ca-certificates,python3-pip-whl',
  '--aptopt=Apt::Install-Recommends "false"',
  '--dpkgopt=force-unsafe-io',
  ...['man', 'info', 'locale', 'doc'].map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`),
  '--dpkgopt=path-include=/usr/share/doc/*/copyright',
];

/** Identity of the recipe: another one makes another image. */
export async function recipeDigest(): Promise<string> {
  const parts = [process.arch, `${sourceDate}`, ...recipe, await readFile(customisation, 'utf8')];
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16);
}

function debootstrap(folder: string): ChildProcessByStdio<null, Readable, Readable> {
  const hooks = [
    `sh '${customisation}' "$1"`,
    `chroot "$1" python3.11 -B -c 'import platform; print(platform.python_version())' > '${folder}/version'`,
  ];
  const args = [...recipe, ...hooks.map((hook) => `--customize-hook=${hook}`), 'bookworm', '-'];
  return spawn('mmdebstrap', args, {
    env: { ...process.env, SOURCE_DATE_EPOCH: `${sourceDate}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Passes bytes through and counts and digests them. */
function meter(): { readonly stream: Transform; readonly result: () => { digest: string; size: number } } {
  const hash = createHash('sha256');
  let size = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, result: () => ({ digest: `sha256:${hash.digest('hex')}`, size }) };
}

async function finish(child: ChildProcessByStdio<null, Readable, Readable>): Promise<void> {
  const log: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code === 0) return;
  const end = log.join('').trimEnd().split('\n').slice(-10).join('\n');
  throw new Error(`mmdebstrap ended with code ${code}:\n${end}`);
}

async function build(folder: string, name: string): Promise<void> {
  const child = debootstrap(folder);
  const plain = meter();
  const packed = meter();
  await Promise.all([
    finish(child),
    pipeline(
      child.stdout,
      plain.stream,
      createGzip(),
      packed.stream,
      createWriteStream(join(folder, 'layer.tar.gz')),
    ),
  ]);
  const layer: Omit<BuiltLayer, 'file'> = {
    ...packed.result(),
    diffId: plain.result().digest,
    pythonVersion: (await readFile(join(folder, 'version'), 'utf8')).trim(),
    recipe: name,
  };
  await writeFile(join(folder, 'layer.json'), JSON.stringify(layer));
}

async function cached(folder: string): Promise<BuiltLayer | undefined> {
  try {
    const layer = JSON.parse(await readFile(join(folder, 'layer.json'), 'utf8')) as Omit<BuiltLayer, 'file'>;
    return { ...layer, file: join(folder, 'layer.tar.gz') };
  } catch {
    return undefined;
  }
}

async function buildInto(context: LocalContext, target: string, name: string): Promise<void> {
  await ensureSystemPackages(context, baseImagePackages);
  context.say('Making the base image from Debian packages (once for this user, about half a minute) …');
  const folder = `${target}.part`;
  // What a killed process left; whoever holds the lock is the only one that builds here.
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  try {
    await build(folder, name);
    await rename(folder, target);
  } catch (cause) {
    throw new DeliveryError({
      code: 'BASE_IMAGE_FAILED',
      side: 'agent',
      message: 'The base image could not be made from Debian packages.',
      remedy: 'Check that the Debian package servers can be reached, then run the command again.',
      cause,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Debian 12 with Python 3.11, pip and what compiled wheels need, as one layer: built once into the cache folder. */
export async function debianLayer(context: LocalContext): Promise<BuiltLayer> {
  const name = await recipeDigest();
  const target = join(context.cacheFolder, 'base-images', name);
  const waiting = (): void => context.say('Waiting for another process that makes the base image …');
  const ready = await cached(target);
  if (ready !== undefined) return ready;
  await mkdir(join(context.cacheFolder, 'base-images'), { recursive: true });
  await withLock(`${target}.lock`, waiting, async () => {
    if ((await cached(target)) === undefined) await buildInto(context, target, name);
  });
  const built = await cached(target);
  if (built === undefined) throw new Error(`the base image's layer vanished from ${target}`);
  return built;
}
