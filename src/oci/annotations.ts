/** Names under which an image's manifest tells what it was made from. */
export const annotations = {
  /** What a helper image holds: `model` or `dependencies`. */
  part: 'dev.model-delivery.part',
  /** The whole key of which a helper image's tag has the beginning. */
  key: 'dev.model-delivery.key',
  /** Digest over all inputs of an image: an equal one means that nothing would change. */
  inputs: 'dev.model-delivery.inputs',
  /** Digest of the golden requests that had to be answered as expected before an image got its tags. */
  test: 'dev.model-delivery.test',
  /** Packages of a helper image of dependencies, as JSON. */
  packages: 'dev.model-delivery.packages',
  modelName: 'dev.model-delivery.model.name',
  modelVersion: 'dev.model-delivery.model.version',
  modelDigest: 'dev.model-delivery.model.digest',
  modelFingerprint: 'dev.model-delivery.model.fingerprint',
  modelSource: 'dev.model-delivery.model.source',
  modelPath: 'dev.model-delivery.model.path',
  layerKind: 'dev.model-delivery.layer',
  title: 'org.opencontainers.image.title',
  baseName: 'org.opencontainers.image.base.name',
  baseDigest: 'org.opencontainers.image.base.digest',
  created: 'org.opencontainers.image.created',
  revision: 'org.opencontainers.image.revision',
  sourceUrl: 'org.opencontainers.image.source',
  version: 'org.opencontainers.image.version',
} as const;
