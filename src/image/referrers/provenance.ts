import { inTotoType } from '../../dsse.ts';
import type { Artifact } from '../../oci/referrers.ts';
import { withoutCredentials } from '../runLabels.ts';
import { hexOf, type ImageSubject } from './subject.ts';

const predicateType = 'https://slsa.dev/provenance/v1';
const buildType = 'https://github.com/model-delivery/model-delivery/blob/main/docs/build-model-image.md';

export interface BuildDefinition {
  /** Inputs that decide what is built, by their public names; no secrets. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Reads a variable of the agent. */
  readonly variable: (name: string) => string | undefined;
}

interface Resource {
  readonly name: string;
  readonly uri?: string;
  readonly digest?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

function sourceOf(variable: BuildDefinition['variable']): readonly Resource[] {
  const commit = variable('Build.SourceVersion');
  if (commit === undefined) return [];
  const repository = variable('Build.Repository.Uri');
  const branch = variable('Build.SourceBranch');
  const uri = repository === undefined ? undefined : `git+${withoutCredentials(repository)}`;
  return [
    {
      name: 'source',
      ...(uri === undefined ? {} : { uri: branch === undefined ? uri : `${uri}@${branch}` }),
      // Of TFVC and Subversion it is a number, not a digest.
      ...(/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(commit) ? { digest: { gitCommit: commit } } : {}),
    },
  ];
}

function materials({ model, bases, packages }: ImageSubject): readonly Resource[] {
  return [
    ...(model === undefined
      ? []
      : [
          {
            name: `model ${model.name}`,
            ...(model.source === undefined ? {} : { uri: model.source }),
            digest: { sha256: hexOf(model.digest) },
            annotations: { version: model.version, fingerprint: model.fingerprint },
          },
        ]),
    ...bases.map(({ name, digest }) => ({
      ...{ name: 'base image', uri: `docker://${name}`, digest: { sha256: hexOf(digest) } },
    })),
    ...packages.map(({ name, version, sha256 }) => ({
      name: `package ${name}`,
      uri: `pkg:pypi/${name}@${encodeURIComponent(version)}`,
      digest: { sha256 },
    })),
  ];
}

/** Pages of the definition and of the run, which lead from an image to what made it. */
function runOf(variable: BuildDefinition['variable']): { builder: string; invocation?: string } {
  const collection = variable('System.TeamFoundationCollectionUri');
  const project = variable('System.TeamProject');
  if (collection === undefined || project === undefined) return { builder: buildType };
  const home = `${collection.replace(/\/?$/, '/')}${encodeURIComponent(project)}/_build`;
  const definition = variable('System.DefinitionId');
  const run = variable('Build.BuildId');
  return {
    builder: definition === undefined ? home : `${home}?definitionId=${definition}`,
    ...(run === undefined ? {} : { invocation: `${home}/results?buildId=${run}` }),
  };
}

/**
 * Where the image comes from, as an unsigned in-toto statement with SLSA's provenance.
 * https://slsa.dev/spec/v1.0/provenance
 */
export function provenance(subject: ImageSubject, definition: BuildDefinition): Artifact {
  const { builder, invocation } = runOf(definition.variable);
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: subject.name, digest: { sha256: hexOf(subject.descriptor.digest) } }],
    predicateType,
    predicate: {
      buildDefinition: {
        buildType,
        externalParameters: definition.inputs,
        resolvedDependencies: [...sourceOf(definition.variable), ...materials(subject)],
      },
      runDetails: {
        builder: { id: builder },
        metadata: {
          ...(invocation === undefined ? {} : { invocationId: invocation }),
          startedOn: subject.created,
        },
      },
    },
  };
  return {
    artifactType: inTotoType,
    content: JSON.stringify(statement),
    annotations: {
      'in-toto.io/predicate-type': predicateType,
      'org.opencontainers.image.created': subject.created,
    },
  };
}
