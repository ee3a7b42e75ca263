import type { ContainerConfig } from '../oci/types.ts';
import { sortedRecord } from './documents.ts';

/** What the user says about how the image runs; what is absent stays as the base image or Dockerfile has it. */
export interface ImageSettings {
  readonly environment: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly port?: number;
  readonly user?: string;
  readonly workingDirectory?: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** `NAME=value` lines with others replaced or added; the order of the old ones stays. */
export function mergeEnvironment(
  lines: readonly string[],
  changes: Readonly<Record<string, string>>,
): readonly string[] {
  const names = new Set(Object.keys(changes));
  const nameOf = (line: string): string => line.split('=', 1)[0] ?? '';
  const kept = lines.map((line) =>
    names.has(nameOf(line)) ? `${nameOf(line)}=${changes[nameOf(line)]}` : line,
  );
  const old = new Set(lines.map(nameOf));
  return [...kept, ...[...names].filter((name) => !old.has(name)).map((name) => `${name}=${changes[name]}`)];
}

/** The container's configuration with the settings applied. */
export function applySettings(
  config: ContainerConfig,
  settings: ImageSettings,
  environment: Readonly<Record<string, string>>,
): ContainerConfig {
  const { command, port, user, workingDirectory } = settings;
  const ports = port === undefined ? {} : { [`${port}/tcp`]: {} };
  const labels = { ...config.Labels, ...settings.labels };
  return {
    ...config,
    Env: mergeEnvironment(config.Env ?? [], { ...environment, ...settings.environment }),
    ...(command === undefined ? {} : { Cmd: command }),
    ...(port === undefined ? {} : { ExposedPorts: { ...config.ExposedPorts, ...ports } }),
    ...(user === undefined ? {} : { User: user }),
    ...(workingDirectory === undefined ? {} : { WorkingDir: workingDirectory }),
    ...(Object.keys(labels).length === 0 ? {} : { Labels: sortedRecord(labels) }),
  };
}
