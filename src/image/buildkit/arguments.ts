import { basename, dirname } from 'node:path';
import { formatPlatform } from '../../oci/types.ts';
import type { DockerfileBuild } from '../engines/application.ts';

/** What only BuildKit has. */
export interface BuildkitInputs {
  /** Folder of ca.pem, cert.pem and key.pem, where the daemon wants a client's certificate. */
  readonly certificates?: string;
  /** Cache sources and destinations as BuildKit writes them, for example `type=registry,ref=…`. */
  readonly cacheFrom: readonly string[];
  readonly cacheTo: readonly string[];
  /** Files by the id that `RUN --mount=type=secret` names. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** One field of comma-separated values, RFC 4180. */
function field(name: string, value: string): string {
  const text = `${name}=${value}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The output: layers as they are, since compressing them costs more than it saves; times where they are prescribed. */
export function outputOf({ epoch }: Pick<DockerfileBuild, 'epoch'>): string {
  return `type=oci,compression=uncompressed${epoch === undefined ? '' : ',rewrite-timestamp=true'}`;
}

/** `id=…,src=…`: the value stays in its file, so that no command line shows it. */
export function secretArguments(secrets: BuildkitInputs['secrets']): readonly string[] {
  return Object.entries(secrets).flatMap(([id, file]) => [
    '--secret',
    `${field('id', id)},${field('src', file)}`,
  ]);
}

/** Build arguments with the time that BuildKit gives to files, where one is prescribed. */
export function argumentsWithEpoch({
  buildArguments,
  epoch,
}: Pick<DockerfileBuild, 'buildArguments' | 'epoch'>): readonly (readonly [string, string])[] {
  const prescribed = epoch === undefined ? {} : { SOURCE_DATE_EPOCH: String(epoch) };
  return Object.entries({ ...prescribed, ...buildArguments });
}

/**
 * The arguments of buildctl for this build; the archive goes to its standard output.
 * https://github.com/moby/buildkit/blob/v0.34.2/docs/reference/buildctl.md
 */
export function buildctlArguments(
  address: string,
  options: DockerfileBuild & BuildkitInputs,
  contextFolder: string,
): readonly string[] {
  const { dockerfile, target, platform, certificates } = options;
  const settings = [
    `filename=${basename(dockerfile)}`,
    `platform=${formatPlatform(platform)}`,
    ...(target === undefined ? [] : [`target=${target}`]),
    ...argumentsWithEpoch(options).map(([name, value]) => `build-arg:${name}=${value}`),
  ];
  return [
    ...[
      '--addr',
      address,
      ...(certificates === undefined ? [] : ['--tlsdir', certificates]),
      'build',
      '--progress',
      'plain',
      '--frontend',
      'dockerfile.v0',
    ],
    ...['--local', `context=${contextFolder}`, '--local', `dockerfile=${dirname(dockerfile)}`],
    ...settings.flatMap((setting) => ['--opt', setting]),
    ...options.cacheFrom.flatMap((cache) => ['--import-cache', cache]),
    ...options.cacheTo.flatMap((cache) => ['--export-cache', cache]),
    ...secretArguments(options.secrets),
    ...['--output', outputOf(options)],
  ];
}
