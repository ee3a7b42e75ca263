import { resolve } from 'node:path';
import { type RegistryChoice, registryChoice } from '../../src/azure/registry.ts';
import type { Host } from '../../src/host/host.ts';
import {
  choice,
  connection,
  flag,
  integer,
  lines,
  path,
  readInputs,
  required,
  text,
  textOr,
  type Values,
} from '../../src/host/inputs.ts';
import { splitCommand } from '../../src/image/command.ts';
import { type Compression, compressions } from '../../src/image/model/deliver.ts';
import type { Libc } from '../../src/image/python/target.ts';
import type { ImageSettings } from '../../src/image/settings.ts';
import { checkRepository, checkTag } from '../../src/oci/reference.ts';
import type { Platform } from '../../src/oci/types.ts';
import { imageFolder, invalid, pairs, readLibc, readPlatforms, readPort, refuse } from './checks.ts';
import { type DockerfileInput, readDockerfileInput } from './dockerfileInput.ts';
import { type ModelInput, readModel } from './modelInput.ts';
import { readSigning, type SigningInput } from './signing.ts';
import { readTest, type TestInput } from './testInput.ts';

/** The inputs by their public names, as task.json declares them. */
export const fields = {
  containerRegistry: connection(),
  azureSubscription: connection(),
  registry: text(),
  repository: text(),
  tags: lines(),
  engine: choice(['auto', 'registry', 'docker', 'buildkit', 'podman', 'acr'], 'auto'),
  appFolder: text(),
  workingDirectory: textOr('/app'),
  command: text(),
  port: text(),
  environment: lines(),
  user: text(),
  baseImage: text(),
  baseRegistry: connection(),
  requirements: path(),
  pythonVersion: text(),
  libc: text(),
  dockerfile: path(),
  buildArguments: lines(),
  target: text(),
  buildSecrets: lines(),
  buildkitAddress: text(),
  buildkitCertificates: path(),
  cacheFrom: lines(),
  cacheTo: lines(),
  acrTimeout: integer({ min: 300, max: 28_800, defaultValue: 3600, unit: 'seconds' }),
  acrAgentPool: text(),
  modelLock: path(),
  modelFolder: path(),
  modelDestination: textOr('/app/model'),
  layerCompression: choice(compressions, 'none'),
  modelAuthentication: choice(
    [
      ...['none', 'azureResourceManager', 'accountKey', 'sas', 'connectionString', 'anonymous'],
      ...['serviceConnection', 'environment'],
    ] as const,
    'none',
  ),
  modelAccountKey: text(),
  modelSasToken: text(),
  modelConnectionString: text(),
  modelS3Connection: connection(),
  modelS3Addressing: choice(['auto', 'path', 'host'], 'auto'),
  modelHttpConnection: connection(),
  modelUrl: text(),
  modelRegistry: connection(),
  modelServerConnection: connection(),
  testFile: path(),
  testPort: text(),
  testTimeout: integer({ min: 1, max: 3600, defaultValue: 120, unit: 'seconds' }),
  platform: textOr('linux/amd64'),
  platforms: lines(),
  labels: lines(),
  addPipelineData: flag(true),
  sbom: flag(false),
  provenance: flag(false),
  signingKey: text(),
  signingKeyPassword: text(),
} as const;

export type Raw = Values<typeof fields>;

/** What the application is made from; the engine follows from it. */
export type ApplicationInput =
  | {
      readonly engine: 'registry';
      readonly baseImage: string;
      readonly appFolder?: string;
      readonly requirements?: string;
      readonly pythonVersion?: string;
      readonly libc?: Libc;
      readonly workingDirectory: string;
    }
  | DockerfileInput;

export interface BuildInputs {
  readonly registry: RegistryChoice;
  readonly repository: string;
  readonly tags: readonly string[];
  readonly application: ApplicationInput;
  /** Why the engine was chosen, for the log. */
  readonly why: string;
  readonly model?: ModelInput;
  /** Of the layers of model and application. */
  readonly layerCompression: Compression;
  readonly settings: ImageSettings;
  readonly test?: TestInput;
  /** One image each; with several an index leads to them. */
  readonly platforms: readonly [Platform, ...Platform[]];
  /** Service connection of the base image's registry. */
  readonly baseRegistry?: string;
  readonly addPipelineData: boolean;
  /** A CycloneDX bill of materials is attached to the image. */
  readonly sbom: boolean;
  /** A SLSA provenance is attached to the image. */
  readonly provenance: boolean;
  readonly signing?: SigningInput;
}

function readSettings(raw: Raw): ImageSettings {
  const { command, user } = raw;
  return {
    environment: pairs('environment', raw.environment),
    labels: pairs('labels', raw.labels),
    ...readPort('port', raw.port),
    ...(command === undefined ? {} : { command: splitCommand(command) }),
    ...(user === undefined ? {} : { user }),
  };
}

const dockerfileOnly = [
  'target',
  'buildSecrets',
  'buildkitAddress',
  'buildkitCertificates',
  'cacheFrom',
  'cacheTo',
  'acrAgentPool',
] as const;

function fromBaseImage(raw: Raw, host: Host): ApplicationInput {
  refuse(raw, 'registry', ['dockerfile', 'buildArguments', ...dockerfileOnly]);
  const { appFolder, requirements, pythonVersion } = raw;
  return {
    engine: 'registry',
    baseImage: required(raw.baseImage, 'baseImage', "when there is no 'dockerfile'"),
    workingDirectory: imageFolder('workingDirectory', raw.workingDirectory),
    ...(appFolder === undefined ? {} : { appFolder: resolve(host.workingFolder, appFolder) }),
    ...(requirements === undefined ? {} : { requirements }),
    ...(pythonVersion === undefined ? {} : { pythonVersion }),
    ...readLibc(raw.libc),
  };
}

function readApplication(raw: Raw, host: Host): Pick<BuildInputs, 'application' | 'why'> {
  const { engine, dockerfile } = raw;
  if (engine === 'registry' || (engine === 'auto' && dockerfile === undefined)) {
    const why = engine === 'auto' ? "because there is no 'dockerfile'" : 'as chosen';
    return { application: fromBaseImage(raw, host), why };
  }
  if (raw.workingDirectory !== fields.workingDirectory.defaultValue) {
    throw invalid(
      'workingDirectory',
      "has no meaning with a 'dockerfile'",
      'Write WORKDIR in the Dockerfile.',
    );
  }
  return { application: readDockerfileInput(raw, host, engine), why: 'as chosen' };
}

/** Reads and checks all inputs once. Throws INPUT_MISSING, INPUT_INVALID or IMAGE_NAME_INVALID. */
export function readBuildInputs(host: Host): BuildInputs {
  const raw = readInputs(host, fields);
  const model = readModel(host, raw);
  const buildId = host.variable('Build.BuildId');
  const tags = raw.tags.length > 0 ? raw.tags : buildId === undefined ? [] : [buildId];
  if (tags.length === 0)
    required(undefined, 'tags', "because the run has no 'Build.BuildId' to take instead");
  if (raw.appFolder === undefined && raw.dockerfile === undefined && model === undefined) {
    required(undefined, 'appFolder', 'because there is neither a model nor a Dockerfile');
  }
  return {
    registry: required(registryChoice(raw), 'containerRegistry', 'to know where the image goes'),
    repository: checkRepository(required(raw.repository, 'repository', 'to name the image')),
    tags: [...new Set(tags.map(checkTag))],
    ...readApplication(raw, host),
    ...(model === undefined ? {} : { model }),
    layerCompression: raw.layerCompression,
    settings: readSettings(raw),
    ...readTest(raw),
    platforms: readPlatforms(raw.platform, raw.platforms),
    ...(raw.baseRegistry === undefined ? {} : { baseRegistry: raw.baseRegistry }),
    addPipelineData: raw.addPipelineData,
    sbom: raw.sbom,
    provenance: raw.provenance,
    ...readSigning(host, raw),
  };
}
