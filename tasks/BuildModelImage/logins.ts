import { openRegistry } from '../../src/azure/registry.ts';
import type { Logins } from '../../src/image/tool/logins.ts';
import type { RegistryAccess } from '../../src/oci/connection.ts';
import type { Run } from './running.ts';

/** The registries that an engine may have to pull from, the target's first. */
export function accesses({ host, inputs, access }: Run): readonly RegistryAccess[] {
  const { baseRegistry } = inputs;
  return baseRegistry === undefined ? [access] : [access, openRegistry(host.connection(baseRegistry), host)];
}

/** User names and passwords by registry, for an engine that pulls by itself; an identity gets one for the purpose. */
export async function loginsOf(run: Run, wanted = accesses(run)): Promise<Logins> {
  const entries = await Promise.all(
    wanted.map(async ({ registryUrl, credentials, fetchCredentials }) => {
      const login = credentials ?? (await fetchCredentials?.());
      return login === undefined ? [] : [[new URL(registryUrl).host, login] as const];
    }),
  );
  return Object.fromEntries(entries.flat().toReversed());
}
