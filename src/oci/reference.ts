import { DeliveryError } from '../errors.ts';

/** An image's name, taken apart. */
export interface ImageReference {
  /** Host with optional port, as people write it: `docker.io`, `myteam.azurecr.io`, `localhost:5000`. */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  /** `sha256:…`; it wins over the tag. */
  readonly digest?: string;
}

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`);
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

function invalid(name: string, problem: string, remedy: string): DeliveryError {
  return new DeliveryError({
    code: 'IMAGE_NAME_INVALID',
    side: 'input',
    message: `'${name}' is not the name of an image: ${problem}.`,
    remedy,
  });
}

/** Checks a repository's name within a registry. Throws IMAGE_NAME_INVALID. */
export function checkRepository(name: string): string {
  if (repositoryPattern.test(name) && name.length <= 255) return name;
  throw invalid(
    name,
    'a repository consists of lower-case letters, digits and single separators (. _ - /)',
    `Write for example '${name.toLowerCase().replace(/[^a-z0-9/._-]+/g, '-')}', without registry and tag.`,
  );
}

/** Checks a tag. Throws IMAGE_NAME_INVALID. */
export function checkTag(tag: string): string {
  if (tagPattern.test(tag)) return tag;
  throw invalid(
    tag,
    'a tag has at most 128 letters, digits, underscores, periods and dashes, and starts with none of the last two',
    `Write for example '${tag.replace(/[^\w.-]+/g, '-').replace(/^[.-]+/, '')}'.`,
  );
}

/** The first part names a registry when it cannot be the first part of a repository on Docker Hub. */
function splitRegistry(name: string): { registry: string; path: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isHost = first === 'localhost' || /[.:A-Z]/.test(first);
  return isHost ? { registry: first, path: name.slice(slash + 1) } : { registry: 'docker.io', path: name };
}

function hubPath(registry: string, path: string): string {
  const isHub = registry === 'docker.io' || registry === 'index.docker.io';
  return isHub && !path.includes('/') ? `library/${path}` : path;
}

/**
 * Reads an image's name as Docker does: `python:3.12-slim` is `docker.io/library/python:3.12-slim`.
 * Throws IMAGE_NAME_INVALID. Grammar: https://pkg.go.dev/github.com/distribution/reference
 */
export function parseReference(name: string): ImageReference {
  const [beforeDigest = '', digest, ...rest] = name.split('@');
  if (rest.length > 0 || (digest !== undefined && !digestPattern.test(digest))) {
    throw invalid(name, 'what follows @ is no digest', 'Write @sha256: and 64 hexadecimal digits.');
  }
  const { registry, path } = splitRegistry(beforeDigest);
  const colon = path.indexOf(':');
  const tag = colon < 0 ? undefined : checkTag(path.slice(colon + 1));
  const repository = checkRepository(hubPath(registry, colon < 0 ? path : path.slice(0, colon)));
  return {
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** What a registry is asked for: the digest, else the tag, else `latest`. */
export function wantedVersion(reference: ImageReference): string {
  return reference.digest ?? reference.tag ?? 'latest';
}

/** The whole name again. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${reference.registry}/${reference.repository}${tag}${digest}`;
}

/** The API's address of a registry that is named in an image reference. */
export function registryUrlOf(registry: string): string {
  const isHub = registry === 'docker.io' || registry === 'index.docker.io';
  return `https://${isHub ? 'registry-1.docker.io' : registry}`;
}
