import type { RegistryClient } from '../../oci/client.ts';
import type { Artifact } from '../../oci/referrers.ts';
import type { Signer } from '../signature/key.ts';
import { type BuildDefinition, provenance } from './provenance.ts';
import { billOfMaterials } from './sbom.ts';
import type { ImageSubject } from './subject.ts';

/** Which documents about the image are wanted. */
export interface WantedDocuments {
  readonly sbom: boolean;
  /** Absent when no provenance is wanted. */
  readonly provenance?: BuildDefinition;
  /** Signs the image, and attests the documents. */
  readonly signer?: Signer;
}

export interface PublishOptions {
  readonly client: RegistryClient;
  readonly repository: string;
  readonly wanted: WantedDocuments;
  /** False for an image of an earlier run, whose provenance only that run could tell. */
  readonly isNew: boolean;
}

/** A document about the image as it stands in the registry. */
export interface PublishedDocument {
  readonly artifactType: string;
  /** Of its manifest. */
  readonly digest: string;
}

async function missing(
  { client, repository }: PublishOptions,
  subject: ImageSubject,
  documents: readonly Artifact[],
): Promise<readonly Artifact[]> {
  if (documents.length === 0) return [];
  const there = await client.referrers(repository, subject.descriptor.digest);
  return documents.filter(({ artifactType }) => !there.some((one) => one.artifactType === artifactType));
}

/** Pushes the wanted documents, one after the other: they share one list. Gives those that were pushed. */
export async function publishDocuments(
  options: PublishOptions,
  subject: ImageSubject,
): Promise<readonly PublishedDocument[]> {
  const { client, repository, wanted, isNew } = options;
  const documents = [
    ...(wanted.sbom ? [billOfMaterials(subject)] : []),
    ...(isNew && wanted.provenance !== undefined ? [provenance(subject, wanted.provenance)] : []),
  ];
  const published: PublishedDocument[] = [];
  for (const document of isNew ? documents : await missing(options, subject, documents)) {
    const digest = await client.pushReferrer(repository, subject.descriptor, document);
    published.push({ artifactType: document.artifactType, digest });
  }
  return published;
}
