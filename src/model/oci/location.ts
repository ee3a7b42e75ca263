import { DeliveryError } from '../../errors.ts';
import type { RegistryAccess } from '../../oci/connection.ts';
import { parseReference, registryUrlOf } from '../../oci/reference.ts';

/** A repository whose tags are the versions of one model. */
export interface OciLocation extends RegistryAccess {
  readonly repository: string;
  /** The one tag or digest that is meant; all tags when absent. */
  readonly version?: string;
  /** The model's name. */
  readonly model: string;
}

/** Whether the part before the first slash is a registry, as Docker reads names. */
function namesRegistry(reference: string): boolean {
  return /^(localhost|[^/]*[.:][^/]*)\//.test(reference);
}

/**
 * The repository that a reference names, in the connection's registry if there is one. Throws IMAGE_NAME_INVALID,
 * and INPUT_INVALID when reference and connection name different registries.
 */
export function ociLocation(reference: string, model: string, connection?: RegistryAccess): OciLocation {
  const host = connection === undefined ? undefined : new URL(connection.registryUrl).host;
  const whole = host === undefined || namesRegistry(reference) ? reference : `${host}/${reference}`;
  const { registry, repository, tag, digest } = parseReference(whole);
  const registryUrl = connection?.registryUrl ?? registryUrlOf(registry);
  if (new URL(registryUrl).host !== new URL(registryUrlOf(registry)).host) {
    throw new DeliveryError({
      code: 'INPUT_INVALID',
      side: 'input',
      message: `Input 'reference' names the registry ${registry}, but the service connection is for ${host}.`,
      remedy:
        "Choose the registry's own connection in 'containerRegistry', or leave the registry out of 'reference'.",
    });
  }
  const version = digest ?? tag;
  return {
    ...connection,
    registryUrl,
    repository,
    model,
    ...(version !== undefined && { version }),
  };
}
