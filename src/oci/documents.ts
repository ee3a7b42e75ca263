import { createHash } from 'node:crypto';
import { DeliveryError } from '../errors.ts';
import type { Descriptor, ImageConfig, Index, Manifest, Platform } from './types.ts';
import { formatPlatform } from './types.ts';

/** A manifest as the registry keeps it: an image of one platform, or an index of several. */
export type StoredManifest = {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  /** The very bytes that the digest is of. */
  readonly content: string;
} & (
  | { readonly kind: 'image'; readonly manifest: Manifest }
  | { readonly kind: 'index'; readonly index: Index }
);

/** `sha256:…` of some bytes. */
export function digestOf(content: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDescriptor(value: unknown): value is Descriptor {
  return (
    isRecord(value) &&
    typeof value['mediaType'] === 'string' &&
    typeof value['digest'] === 'string' &&
    Number.isSafeInteger(value['size'])
  );
}

function isManifest(value: Record<string, unknown>): boolean {
  return (
    isDescriptor(value['config']) && Array.isArray(value['layers']) && value['layers'].every(isDescriptor)
  );
}

function isIndex(value: Record<string, unknown>): boolean {
  return Array.isArray(value['manifests']) && value['manifests'].every(isDescriptor);
}

function unreadable(what: string, why: string): DeliveryError {
  return new DeliveryError({
    code: 'IMAGE_UNREADABLE',
    side: 'registry',
    message: `The registry's answer for ${what} is not an image that can be used: ${why}.`,
    remedy:
      'Check the name; if it is right, push the image anew with a current tool (OCI or Docker schema 2).',
  });
}

function parseJson(content: Uint8Array, what: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(content).toString('utf8'));
    if (isRecord(value)) return value;
  } catch {
    // Said below.
  }
  throw unreadable(what, 'it is not a JSON document');
}

/** Reads a manifest or index; `mediaType` is the answer's content type. Throws IMAGE_UNREADABLE. */
export function parseManifest(content: Uint8Array, mediaType: string, what: string): StoredManifest {
  const value = parseJson(content, what);
  const stored = {
    digest: digestOf(content),
    mediaType: typeof value['mediaType'] === 'string' ? value['mediaType'] : mediaType,
    size: content.byteLength,
    content: Buffer.from(content).toString('utf8'),
  };
  if (value['schemaVersion'] === 2 && isManifest(value)) {
    return { ...stored, kind: 'image', manifest: value as unknown as Manifest };
  }
  if (value['schemaVersion'] === 2 && isIndex(value)) {
    return { ...stored, kind: 'index', index: value as unknown as Index };
  }
  throw unreadable(what, `its manifest is of an unknown kind (${stored.mediaType})`);
}

/** Reads an image's configuration. Throws IMAGE_UNREADABLE. */
export function parseConfig(content: Uint8Array, what: string): ImageConfig {
  const value = parseJson(content, what);
  const rootfs = value['rootfs'];
  if (typeof value['os'] === 'string' && isRecord(rootfs) && Array.isArray(rootfs['diff_ids'])) {
    return value as unknown as ImageConfig;
  }
  throw unreadable(
    what,
    'its configuration names no operating system or no layers (an artifact, not an image)',
  );
}

/** `linux/arm64` means any variant; a variant asked for must be the one offered. */
function fits(offered: Platform | undefined, wanted: Platform): boolean {
  return (
    offered !== undefined &&
    offered.os === wanted.os &&
    offered.architecture === wanted.architecture &&
    (wanted.variant === undefined || offered.variant === undefined || offered.variant === wanted.variant)
  );
}

/** The index's entry for a platform. Throws PLATFORM_NOT_FOUND, naming those that there are. */
export function selectPlatform(index: Index, wanted: Platform, what: string): Descriptor {
  const found = index.manifests.find((entry) => fits(entry.platform, wanted));
  if (found !== undefined) return found;
  const offered = index.manifests
    .flatMap((entry) => (entry.platform === undefined ? [] : [formatPlatform(entry.platform)]))
    .filter((platform) => !platform.startsWith('unknown/'));
  throw platformNotFound(what, wanted, offered);
}

function platformNotFound(what: string, wanted: Platform, offered: readonly string[]): DeliveryError {
  return new DeliveryError({
    code: 'PLATFORM_NOT_FOUND',
    side: 'registry',
    message: `${what} is not there for ${formatPlatform(wanted)}; it is for ${offered.join(', ') || 'none'}.`,
    remedy: "Choose one of these in 'platform', or another image.",
  });
}

/** Throws PLATFORM_NOT_FOUND when an image of one platform is not the one wanted. */
export function checkPlatform(config: ImageConfig, wanted: Platform, what: string): void {
  if (!fits(config, wanted)) throw platformNotFound(what, wanted, [formatPlatform(config)]);
}
