import semver from 'semver';
import { DeliveryError } from '../errors.ts';
import type { RegistryClient } from '../oci/client.ts';
import { mapParallel } from '../parallel.ts';
import { nearest } from '../report/nearest.ts';
import { type ImageFacts, imageFacts } from './imageFacts.ts';

/** How one of a repository's images is chosen. */
export interface ImagePolicy {
  /** By time of creation, by version, or by what the tag filter's first group captures. */
  readonly by: 'newest' | 'semver' | 'regex';
  readonly tagFilter?: RegExp;
}

/** An image that could be deployed. */
export interface Candidate extends ImageFacts {
  /** The tag that counts for the order. */
  readonly tag: string;
  /** All tags, among those looked at, that name this image; `tag` is the first. */
  readonly tags: readonly string[];
}

export interface Choice {
  readonly chosen: Candidate;
  /** One an image, best first. */
  readonly candidates: readonly Candidate[];
  /** Why the first one won, in a sentence. */
  readonly why: string;
}

/** Tags of what is stored beside images: BuildModelImage's layers and bookkeeping, signatures, attestations. */
const artifactTag =
  /^(model|deps)-[0-9a-f]{12}$|^model-delivery-last-build$|^sha256-[0-9a-f]{64}|\.(sig|att|sbom)$/;
const readAtOnce = 8;
/** Two requests each: some seconds at a cloud registry. */
const mostCandidates = 500;

const natural = new Intl.Collator('en', { numeric: true });

function noCandidate(
  client: RegistryClient,
  repository: string,
  all: readonly string[],
  policy: ImagePolicy,
): DeliveryError {
  const filter =
    policy.tagFilter === undefined ? '' : ` that matches the tag filter /${policy.tagFilter.source}/`;
  const versions =
    policy.by === 'semver' ? ' whose tag is a semantic version (pre-releases are left out)' : '';
  return new DeliveryError({
    code: 'NO_IMAGE_CANDIDATE',
    side: 'input',
    message: `Repository '${repository}' of ${client.host} has no image${filter}${versions}.`,
    remedy:
      all.length === 0
        ? 'Push an image first.'
        : `It has ${all.length} tags, for example ${nearest(policy.tagFilter?.source ?? '', all).join(', ')}: correct 'tagFilter' or 'imagePolicy'.`,
  });
}

function captured(tag: string, filter: RegExp | undefined): string {
  const match = filter?.exec(tag);
  return match?.[1] ?? match?.[0] ?? tag;
}

/** The tags in the policy's order, best first, where the tag alone decides. */
function byTag(tags: readonly string[], policy: ImagePolicy): string[] {
  if (policy.by === 'semver') {
    const versions = tags.filter((tag) => semver.parse(tag)?.prerelease.length === 0);
    return versions.sort((a, b) => semver.rcompare(a, b) || natural.compare(b, a));
  }
  const key = (tag: string): string => captured(tag, policy.tagFilter);
  return [...tags].sort((a, b) => natural.compare(key(b), key(a)));
}

async function read(client: RegistryClient, repository: string, tag: string): Promise<Candidate[]> {
  const stored = await client.findManifest(repository, tag);
  const facts = stored === undefined ? undefined : await imageFacts(client, repository, stored);
  return facts === undefined ? [] : [{ ...facts, tag, tags: [tag] }];
}

/** One candidate an image, in the order of its first tag. */
function byImage(found: readonly Candidate[]): Candidate[] {
  const images = new Map<string, Candidate>();
  for (const one of found) {
    const known = images.get(one.digest);
    images.set(one.digest, known === undefined ? one : { ...known, tags: [...known.tags, one.tag] });
  }
  return [...images.values()];
}

function age(candidate: Candidate): number {
  const time = Date.parse(candidate.created ?? '');
  return Number.isNaN(time) ? 0 : time;
}

function reason(policy: ImagePolicy, chosen: Candidate, count: number): string {
  if (policy.by === 'newest')
    return `it was made last (${chosen.created ?? 'time unknown'}) of ${count} images`;
  if (policy.by === 'semver') return `'${chosen.tag}' is the highest version of ${count} tags`;
  return `'${captured(chosen.tag, policy.tagFilter)}' sorts highest of ${count} tags`;
}

/**
 * Chooses one of a repository's images. By `newest` the time of creation inside each image decides, so the
 * configurations of all candidates are read (the 500 highest tags where there are more); the other policies
 * read one. Throws NO_IMAGE_CANDIDATE and what the registry client throws.
 */
export async function chooseImage(
  client: RegistryClient,
  repository: string,
  policy: ImagePolicy,
): Promise<Choice> {
  const all = await client.listTags(repository);
  const fitting = all.filter((tag) => !artifactTag.test(tag) && (policy.tagFilter?.test(tag) ?? true));
  const ordered = byTag(fitting, policy).slice(0, mostCandidates);
  const wanted = policy.by === 'newest' ? ordered : ordered.slice(0, 1);
  const tagged = await mapParallel(wanted, readAtOnce, (tag) => read(client, repository, tag));
  const found = byImage(tagged.flat());
  // The sort is stable: images of the same moment stay in the order of their tags.
  const candidates = policy.by === 'newest' ? found.sort((a, b) => age(b) - age(a)) : found;
  const [chosen] = candidates;
  if (chosen === undefined) throw noCandidate(client, repository, all, policy);
  return {
    chosen,
    candidates,
    why: reason(policy, chosen, policy.by === 'newest' ? candidates.length : ordered.length),
  };
}
