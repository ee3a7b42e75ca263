import type { HistoryEntry, ImageConfig, Platform } from '../../oci/types.ts';
import type { BaseImage } from '../base.ts';
import type { BuiltApplication, ImageBuilder } from '../builder.ts';
import { applicationLayer } from '../layers/application.ts';
import { packagesFolder } from '../layers/dependencies.ts';
import type { Layer } from '../layers/layer.ts';
import { type Libc, type PythonTarget, pythonTarget } from '../python/target.ts';
import { mergeEnvironment } from '../settings.ts';

export interface RegistryEngineOptions {
  readonly readBase: () => Promise<BaseImage>;
  readonly appFolder?: string;
  /** The model's folder: where it lies within the application's, it stays out of the application's layer. */
  readonly excluded?: string;
  /** Where the application goes in the image. */
  readonly workingDirectory: string;
  /** Present when the application's layer is to be compressed. */
  readonly gzipFolder?: string;
  /** Present when there are requirements; gives their layer for the image's Python. */
  readonly dependencies?: (target: PythonTarget) => Promise<Layer>;
  readonly pythonVersion?: string;
  readonly libc?: Libc;
  readonly platform: Platform;
  readonly created: Date;
  readonly signal: AbortSignal;
}

/** Used where neither the input nor the base image names a user that is not root. */
const ordinaryUser = '10001';

function userOf(config: ImageConfig): string {
  const user = config.config?.User ?? '';
  return /^(|0|root)(:|$)/.test(user) ? ordinaryUser : user;
}

function withPackages(lines: readonly string[]): readonly string[] {
  const values = new Map(lines.map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]));
  const path = values.get('PATH') ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const pythonPath = values.get('PYTHONPATH');
  return mergeEnvironment(lines, {
    PATH: `${packagesFolder}/bin:${path}`,
    PYTHONPATH: pythonPath === undefined ? packagesFolder : `${packagesFolder}:${pythonPath}`,
  });
}

/** One entry a layer where the base image tells no history, or one that does not fit its layers. */
function baseHistory(base: BaseImage): readonly HistoryEntry[] {
  const told = base.config.history ?? [];
  const layers = told.filter((entry) => entry.empty_layer !== true).length;
  return layers === base.layers.length
    ? told
    : base.layers.map((layer) => ({ created_by: `base: ${layer.title}` }));
}

/** Assembles the layers without any daemon: the base by its documents, packages by pip, the application's files. */
export function createRegistryEngine(options: RegistryEngineOptions): ImageBuilder {
  const { appFolder, workingDirectory, gzipFolder, excluded, signal } = options;

  const dependenciesOf = async (base: BaseImage): Promise<readonly Layer[]> => {
    if (options.dependencies === undefined) return [];
    return [
      await options.dependencies(
        pythonTarget(base, options.platform, { version: options.pythonVersion, libc: options.libc }),
      ),
    ];
  };

  const applicationOf = async (): Promise<readonly Layer[]> => {
    if (appFolder === undefined) return [];
    const compression = {
      ...(gzipFolder === undefined ? {} : { gzipFolder }),
      ...(excluded === undefined ? {} : { excluded }),
    };
    return [
      await applicationLayer({ folder: appFolder, destination: workingDirectory, ...compression, signal }),
    ];
  };

  return {
    engine: 'registry',
    async build(): Promise<BuiltApplication> {
      const [[base, dependencies], application] = await Promise.all([
        options.readBase().then(async (found) => [found, await dependenciesOf(found)] as const),
        applicationOf(),
      ]);
      const created = options.created.toISOString();
      const history = [...dependencies, ...application].map((layer) => ({
        created,
        created_by: layer.createdBy,
      }));
      const lines = base.config.config?.Env ?? [];
      const config = {
        ...base.config.config,
        Env: dependencies.length === 0 ? lines : withPackages(lines),
        User: userOf(base.config),
        WorkingDir: workingDirectory,
      };
      return {
        base: { name: base.name, digest: base.digest },
        below: [...base.layers, ...dependencies],
        above: application,
        config: { ...base.config, config },
        history: [...baseHistory(base), ...history],
      };
    },
  };
}
