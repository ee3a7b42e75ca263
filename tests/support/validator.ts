import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { testProgram } from './programs.ts';
import { testContext } from './services.ts';

/** The environment in which others' tools sign in; their file is written into `folder`. */
export async function signedIn(folder: string, registry: RegistryEndpoint): Promise<NodeJS.ProcessEnv> {
  const auth = Buffer.from(`${registry.username}:${registry.password}`).toString('base64');
  const file = join(folder, 'config.json');
  await writeFile(file, JSON.stringify({ auths: { [registry.host]: { auth } } }), { mode: 0o600 });
  return { ...process.env, DOCKER_CONFIG: folder, REGISTRY_AUTH_FILE: file };
}

/**
 * Validates an image by the specification's schemas and by go-containerregistry. Gives the SHA-256 of each file as crane
 * exports it, by path; rejects with what is wrong.
 */
export async function validateImage(
  image: string,
  registry: RegistryEndpoint,
  folder: string,
): Promise<ReadonlyMap<string, string>> {
  const binary = await testProgram(await testContext(), 'validate');
  const env = await signedIn(folder, registry);
  const { stdout } = await promisify(execFile)(binary, [image], { env, maxBuffer: 64 * 2 ** 20 });
  const lines = stdout.split('\n').map((line) => /^(\w+) (\d+) 0 (.+)$/.exec(line));
  return new Map(lines.flatMap((found) => (found === null ? [] : [[found[3] ?? '', found[1] ?? '']])));
}
