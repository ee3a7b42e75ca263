import { resolve } from 'node:path';
import { type RegistryChoice, registryChoice } from '../../src/azure/registry.ts';
import type { Host } from '../../src/host/host.ts';
import { readInputs, required } from '../../src/host/inputs.ts';
import { splitCommand } from '../../src/image/command.ts';
import type { Compression } from '../../src/image/model/deliver.ts';
import type { Libc } from '../../src/image/python/target.ts';
import type { ImageSettings } from '../../src/image/settings.ts';
import { checkRepository, checkTag } from '../../src/oci/reference.ts';
import type { Platform } from '../../src/oci/types.ts';
import { imageFolder, invalid, pairs, readLibc, readPlatforms, readPort, refuse } from './checks.ts';
import { type DockerfileInput, readDockerfileInput } from './dockerfileInput.ts';
import { fields, type Raw } from './fields.ts';
import { type ModelInput, readModel } from './modelInput.ts';
import { readSigning, type SigningInput } from './signing.ts';
import { readTest, type TestInput } from './testInput.ts';

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
