import semver from 'semver';
import { DeliveryError } from '../../errors.ts';
import type { RegistryClient } from '../../oci/client.ts';
import { mapParallel } from '../../parallel.ts';
import { nearest } from '../../report/nearest.ts';
import { type ImageFacts, imageFacts } from './imageFacts.ts';

/** How one of a repository's images is chosen. */
export interface ImagePolicy {
  /** By time of creation, by version, or by what the tag filter's first group captures. */
  readonly by: 'newest' | 'semver' | 'regex';
  readonly tagFilter?: RegExp;
  /** Versions that count by semver, as npm writes ranges; every version without it. */
  readonly range?: string;
  /** Pre-releases count too by semver. */
  readonly preReleases?: boolean;
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
  /^(model|deps)-[0-9a-f]{12}$|^model-delivery-(last-build|stage(-\w+)?)$|^sha256-[0-9a-f]{64}|\.(sig|att|sbom)$/;
/** A request each, and a second one for each image. */
const readAtOnce = 8;

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
    policy.by === 'semver'
      ? ` whose tag is a semantic version${policy.range === undefined ? '' : ` of ${policy.range}`}${policy.preReleases === true ? '' : ' (pre-releases are left out)'}`
      : '';
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

function fitsVersion(tag: string, { range = '*', preReleases = false }: ImagePolicy): boolean {
  const version = semver.parse(tag);
  if (version === null || (version.prerelease.length > 0 && !preReleases)) return false;
  return semver.satisfies(version, range, { includePrerelease: preReleases });
}

/** The tags in the policy's order, best first, where the tag alone decides. */
function byTag(tags: readonly string[], policy: ImagePolicy): string[] {
  if (policy.by === 'semver') {
    const versions = tags.filter((tag) => fitsVersion(tag, policy));
    return versions.sort((a, b) => semver.rcompare(a, b) || natural.compare(b, a));
  }
  const key = (tag: string): string => captured(tag, policy.tagFilter);
  return [...tags].sort((a, b) => natural.compare(key(b), key(a)));
}

type Read = (tag: string) => Promise<Candidate[]>;

/** Reads what tags name; an image of several tags is read once. */
function reader(client: RegistryClient, repository: string): Read {
  const known = new Map<string, Promise<ImageFacts | undefined>>();
  return async (tag) => {
    const stored = await client.findManifest(repository, tag);
    if (stored === undefined) return [];
    const reading = known.get(stored.digest) ?? imageFacts(client, repository, stored);
    known.set(stored.digest, reading);
    const facts = await reading;
    return facts === undefined ? [] : [{ ...facts, tag, tags: [tag] }];
  };
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

async function readAll(
  client: RegistryClient,
  repository: string,
  tags: readonly string[],
  onProgress: (read: number, all: number) => void,
): Promise<Candidate[]> {
  const read = reader(client, repository);
  let done = 0;
  const found = await mapParallel(tags, readAtOnce, async (tag) => {
    const candidate = await read(tag);
    done += 1;
    onProgress(done, tags.length);
    return candidate;
  });
  return found.flat();
}

/**
 * Chooses one of a repository's images. By `newest` the time of creation inside each image decides, so the
 * configurations of all candidates are read; the other policies read one. Throws NO_IMAGE_CANDIDATE and what the
 * registry client throws.
 */
export async function chooseImage(
  client: RegistryClient,
  repository: string,
  policy: ImagePolicy,
  onProgress: (read: number, all: number) => void = () => undefined,
): Promise<Choice> {
  const all = await client.listTags(repository);
  const fitting = all.filter((tag) => !artifactTag.test(tag) && (policy.tagFilter?.test(tag) ?? true));
  const ordered = byTag(fitting, policy);
  const wanted = policy.by === 'newest' ? ordered : ordered.slice(0, 1);
  const found = byImage(await readAll(client, repository, wanted, onProgress));
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
