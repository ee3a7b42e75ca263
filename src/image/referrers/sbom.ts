import { createHash } from 'node:crypto';
import { parseReference } from '../../oci/reference.ts';
import type { Artifact } from '../../oci/referrers.ts';
import type { PythonPackage } from '../layers/layer.ts';
import type { DeliveredModel } from '../model/deliver.ts';
import { hexOf, type ImageSubject } from './subject.ts';

export const sbomType = 'application/vnd.cyclonedx+json';

type Component = Readonly<Record<string, unknown>> & { readonly 'bom-ref': string };

const hashes = (digest: string): object[] => [{ alg: 'SHA-256', content: hexOf(digest) }];

/** https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md */
function imagePurl(name: string, digest: string): string {
  const last = name.slice(name.lastIndexOf('/') + 1).toLowerCase();
  const place = encodeURIComponent(name.toLowerCase()).replaceAll('%2F', '/');
  return `pkg:oci/${last}@${encodeURIComponent(digest)}?repository_url=${place}`;
}

function imageComponent(name: string, digest: string): Component {
  const purl = imagePurl(name, digest);
  return { type: 'container', 'bom-ref': purl, name, version: digest, purl, hashes: hashes(digest) };
}

function modelComponent(model: DeliveredModel): Component {
  const { name, version, digest, source, fingerprint, destination } = model;
  const isUrl = source !== undefined && URL.canParse(source);
  const facts = {
    'dev.model-delivery:digest': `${digest} (of the set of files: path, size and SHA-256 of each)`,
    'dev.model-delivery:fingerprint': fingerprint,
    'dev.model-delivery:path': destination,
    ...(source === undefined ? {} : { 'dev.model-delivery:source': source }),
  };
  return {
    type: 'machine-learning-model',
    'bom-ref': `model:${digest}`,
    name,
    version,
    ...(digest === '' ? {} : { hashes: hashes(digest) }),
    ...(isUrl ? { externalReferences: [{ type: 'distribution', url: source }] } : {}),
    properties: Object.entries(facts).map(([property, value]) => ({ name: property, value })),
  };
}

function packageComponent({ name, version, sha256 }: PythonPackage): Component {
  const purl = `pkg:pypi/${name}@${encodeURIComponent(version)}`;
  return { type: 'library', 'bom-ref': purl, name, version, purl, hashes: hashes(sha256) };
}

/** The base by its repository: a tag says nothing once the digest is known. */
function baseName(reference: string): string {
  const { registry, repository } = parseReference(reference);
  return `${registry}/${repository}`;
}

/** The same document has the same number: RFC 9562 version 8 over what it is about. */
function serialNumber(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex');
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/**
 * The image's bill of materials with its model: CycloneDX 1.6. It names what this build put together: model, base image
 * and Python packages; what the base image holds is told by the base image's own.
 * https://cyclonedx.org/docs/1.6/json/
 */
export function billOfMaterials(subject: ImageSubject): Artifact {
  const { model, bases, packages, created, name, descriptor } = subject;
  const image = imageComponent(name, descriptor.digest);
  const containers = bases.map((base) => imageComponent(baseName(base.name), base.digest));
  const components = [
    ...(model === undefined ? [] : [modelComponent(model)]),
    ...containers,
    ...packages.map(packageComponent),
  ];
  const refs = components.map((component) => component['bom-ref']);
  // The base's own packages are not looked at, nor what a Dockerfile installs: said so that no scanner takes it for all.
  const unread = [image, ...containers].map((component) => component['bom-ref']);
  const body = {
    components,
    dependencies: [{ ref: image['bom-ref'], dependsOn: refs }],
    compositions: [{ aggregate: 'incomplete', assemblies: unread }],
  };
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: serialNumber(JSON.stringify([image, body])),
    version: 1,
    metadata: {
      timestamp: created,
      tools: { components: [{ type: 'application', name: 'model-delivery BuildModelImage' }] },
      component: image,
    },
    ...body,
  };
  return {
    artifactType: sbomType,
    content: JSON.stringify(document),
    annotations: { 'org.opencontainers.image.created': created },
  };
}
