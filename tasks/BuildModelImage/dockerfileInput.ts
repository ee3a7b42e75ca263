import { resolve } from 'node:path';
import type { Host } from '../../src/host/host.ts';
import { required } from '../../src/host/inputs.ts';
import type { EngineName } from '../../src/image/builder.ts';
import { pairs, refuse } from './checks.ts';
import type { Raw } from './fields.ts';

export type DockerfileEngine = Exclude<EngineName, 'registry'>;

/** An application that a Dockerfile builds. */
export interface DockerfileInput {
  /** `auto` until it is known what the agent has. */
  readonly engine: DockerfileEngine | 'auto';
  readonly dockerfile: string;
  readonly contextFolder?: string;
  readonly buildArguments: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly buildkitAddress?: string;
  /** Folder of ca.pem, cert.pem and key.pem. */
  readonly buildkitCertificates?: string;
  readonly cacheFrom: readonly string[];
  readonly cacheTo: readonly string[];
  /** Files by the secret's id. */
  readonly secrets: Readonly<Record<string, string>>;
  /** For engine `acr`, in seconds. */
  readonly acrTimeout: number;
  readonly acrAgentPool?: string;
}

/** Which engines know an input; every other one refuses it. */
const onlyFor: Partial<Record<keyof Raw, readonly DockerfileEngine[]>> = {
  buildkitAddress: ['buildkit'],
  buildkitCertificates: ['buildkit'],
  cacheFrom: ['buildkit'],
  cacheTo: ['buildkit'],
  buildSecrets: ['buildkit', 'podman'],
  acrAgentPool: ['acr'],
};

/** The engines of an agent; Tasks of a registry cost money, so they are taken where they are asked for alone. */
export type AgentEngine = Exclude<DockerfileEngine, 'acr'>;

/** The agent's engines that can do what these inputs ask for. */
export function fittingEngines(input: DockerfileInput): readonly AgentEngine[] {
  const all: readonly AgentEngine[] = ['docker', 'buildkit', 'podman'];
  const { buildkitAddress, buildkitCertificates, cacheFrom, cacheTo } = input;
  const own = [buildkitAddress, buildkitCertificates, ...cacheFrom, ...cacheTo];
  if (own.some((value) => value !== undefined)) return ['buildkit'];
  return Object.keys(input.secrets).length === 0 ? all : ['buildkit', 'podman'];
}

function refuseForEngine(raw: Raw, engine: DockerfileEngine | 'auto'): void {
  if (engine === 'auto') return;
  const names = Object.entries(onlyFor).filter(([, engines]) => !engines.includes(engine));
  refuse(
    raw,
    engine,
    names.map(([name]) => name as keyof Raw),
  );
}

function secretFiles(raw: Raw, host: Host): Readonly<Record<string, string>> {
  const files = Object.entries(pairs('buildSecrets', raw.buildSecrets)).map(([id, file]) => [
    id,
    resolve(host.workingFolder, file.trim()),
  ]);
  return Object.fromEntries(files) as Record<string, string>;
}

/** Reads the inputs about a Dockerfile. Throws INPUT_MISSING or INPUT_INVALID. */
export function readDockerfileInput(
  raw: Raw,
  host: Host,
  engine: DockerfileEngine | 'auto',
): DockerfileInput {
  refuse(raw, engine, ['baseImage', 'requirements', 'pythonVersion', 'libc']);
  refuseForEngine(raw, engine);
  const { appFolder, target, buildkitAddress, buildkitCertificates, acrTimeout, acrAgentPool } = raw;
  return {
    engine,
    dockerfile: required(raw.dockerfile, 'dockerfile', `with engine '${engine}'`),
    buildArguments: pairs('buildArguments', raw.buildArguments),
    ...(appFolder === undefined ? {} : { contextFolder: resolve(host.workingFolder, appFolder) }),
    ...(target === undefined ? {} : { target }),
    ...(buildkitAddress === undefined ? {} : { buildkitAddress }),
    ...(buildkitCertificates === undefined ? {} : { buildkitCertificates }),
    cacheFrom: raw.cacheFrom,
    cacheTo: raw.cacheTo,
    secrets: secretFiles(raw, host),
    acrTimeout,
    ...(acrAgentPool === undefined ? {} : { acrAgentPool }),
  };
}
