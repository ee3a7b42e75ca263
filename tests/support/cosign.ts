import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { testProgram } from './programs.ts';
import { testContext } from './services.ts';
import { signedIn } from './validator.ts';

/** cosign's own code, as `cosign verify --key` and its relatives run it. */
export interface Cosign {
  /** Writes cosign.key and cosign.pub into the folder. */
  generate(folder: string, password: string): Promise<void>;
  /** The verified payloads. Rejects when there is no valid signature by this key. */
  verify(
    what: 'signature' | 'attestation',
    publicKey: string,
    image: string,
    registry: RegistryEndpoint,
  ): Promise<readonly string[]>;
}

/** Builds the program once for this user: cosign's command would link the clients of every cloud besides. */
export async function ensureCosign(): Promise<Cosign> {
  const binary = await testProgram(await testContext(), 'cosign');
  const run = promisify(execFile);
  return {
    async generate(target, password) {
      await run(binary, ['generate', target], { env: { ...process.env, COSIGN_PASSWORD: password } });
    },
    async verify(what, publicKey, image, registry) {
      const env = await signedIn(dirname(publicKey), registry);
      const { stdout } = await run(binary, [what, publicKey, image], { env, maxBuffer: 16 * 2 ** 20 });
      return stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as string);
    },
  };
}
