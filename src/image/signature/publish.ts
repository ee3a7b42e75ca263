import { type BuildDefinition, provenance } from '../referrers/provenance.ts';
import type { PublishedDocument } from '../referrers/publish.ts';
import { billOfMaterials } from '../referrers/sbom.ts';
import { hexOf, type ImageSubject } from '../referrers/subject.ts';
import { attest, attestationType, type SignOptions, signatureType, signImage } from './cosign.ts';

export interface SignedDocuments {
  readonly sbom: boolean;
  /** Absent when no provenance is wanted, or another run made the image. */
  readonly provenance?: BuildDefinition;
}

interface Statement {
  readonly content: string;
  readonly predicateType: string;
}

/** A bill of materials as the predicate of a statement; https://cyclonedx.org/bom is the type that cosign takes. */
function bomStatement(subject: ImageSubject): Statement {
  const predicateType = 'https://cyclonedx.org/bom';
  const content = JSON.stringify({
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType,
    subject: [{ name: subject.name, digest: { sha256: hexOf(subject.descriptor.digest) } }],
    predicate: JSON.parse(billOfMaterials(subject).content) as unknown,
  });
  return { content, predicateType };
}

/** Signs the image, and attests the wanted documents by the same key. Gives what was written. */
export async function signDocuments(
  options: Omit<SignOptions, 'digest'>,
  subject: ImageSubject,
  wanted: SignedDocuments,
): Promise<readonly PublishedDocument[]> {
  const signing = { ...options, digest: subject.descriptor.digest };
  const published: PublishedDocument[] = [];
  const note = (artifactType: string, digest: string | undefined): void => {
    if (digest !== undefined) published.push({ artifactType, digest });
  };
  if (wanted.sbom) note(attestationType, await attest(signing, bomStatement(subject)));
  if (wanted.provenance !== undefined) {
    const { content } = provenance(subject, wanted.provenance);
    const predicateType = 'https://slsa.dev/provenance/v1';
    note(attestationType, await attest(signing, { content, predicateType }));
  }
  note(signatureType, await signImage(signing));
  return published;
}
