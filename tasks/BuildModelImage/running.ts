import type { Host } from '../../src/host/host.ts';
import type { BaseImage } from '../../src/image/base.ts';
import type { RegistryClient } from '../../src/oci/client.ts';
import type { RegistryAccess } from '../../src/oci/connection.ts';
import type { Platform } from '../../src/oci/types.ts';
import type { BuildInputs } from './inputs.ts';

/** What the parts of one run share. */
export interface Run {
  readonly host: Host;
  readonly inputs: BuildInputs;
  readonly access: RegistryAccess;
  readonly client: RegistryClient;
  readonly created: Date;
  /** Removed when the run ends, however it ends. */
  readonly workFolder: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Reads a base image by its name. */
export type ReadBase = (name: string, platform: Platform) => Promise<BaseImage>;
