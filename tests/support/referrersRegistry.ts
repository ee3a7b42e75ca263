import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { testProgram } from './programs.ts';
import { testContext } from './services.ts';

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the registry has no output');
  const lines = createInterface(child.stdout);
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(() => Promise.reject(new Error('the registry did not start'))),
  ]);
  return String(line);
}

/** A registry with the referrers API (distribution v3 has none), for as long as `use` takes. */
export async function withReferrersRegistry(
  use: (registry: RegistryEndpoint) => Promise<void>,
): Promise<void> {
  const binary = await testProgram(await testContext(), 'referrers');
  const child = spawn(binary, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const host = await firstLine(child);
    await use({ url: `http://${host}`, host, username: 'anyone', password: 'anything' });
  } finally {
    child.kill();
  }
}
