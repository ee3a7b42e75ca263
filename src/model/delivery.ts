import { join } from 'node:path';
import { DeliveryError } from '../errors.ts';
import { exclusively } from '../files/exclusive.ts';
import type { Log } from '../host/host.ts';
import type { Archived } from './archived.ts';
import type { Checksum } from './checksums.ts';
import type { LockedFile, ModelLock } from './lock.ts';
import type { Finding } from './scan/content.ts';
import type { ScanMode } from './scan/model.ts';
import type { ModelStore } from './store.ts';
import { busyFileName } from './target/paths.ts';

/** The version that a target folder shall hold. */
export interface DeliveryPlan {
  readonly resolved: ModelLock;
  /** Hexadecimal MD5 by path, where the store keeps one. */
  readonly md5: ReadonlyMap<string, string>;
  /** By path, where the store keeps one. */
  readonly checksums?: ReadonlyMap<string, Checksum>;
  /** Paths of the files that the store cannot be asked for parts of. */
  readonly whole?: ReadonlySet<string>;
  /** Files that the store cannot give now. */
  readonly archived?: Archived;
  readonly folder: string;
  /** Set digest that the model must have. */
  readonly expectedDigest?: string;
  /** What is done about content that runs code when it is loaded. */
  readonly scan: ScanMode;
  /** A folder that runs share, and its limit in bytes. */
  readonly cache?: { readonly folder: string; readonly limit: number };
}

export interface DeliveryContext {
  readonly store: ModelStore;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What was done. */
export interface Delivered {
  readonly lock: ModelLock;
  /** True when the folder held another version, or none. */
  readonly changed: boolean;
  readonly fetchedBytes: number;
  readonly reusedBytes: number;
  /** What the inspection of the content found. */
  readonly findings: readonly Finding[];
}

/** Throws DIGEST_MISMATCH when the model is not the expected one, DIGEST_UNKNOWN when nobody can tell. */
export function requireDigest(lock: ModelLock, expected: string | undefined): void {
  if (expected === undefined || lock.digest === expected) return;
  const model = `Model '${lock.name}', version '${lock.version}'`;
  if (lock.digest === undefined) {
    throw new DeliveryError({
      code: 'DIGEST_UNKNOWN',
      side: 'input',
      message: `${model}, cannot be compared with 'expectedDigest': its files' SHA-256 are not recorded, and mode resolve reads no file.`,
      remedy:
        "Set 'mode' to download, or publish the files with their SHA-256 in the blobs' metadata 'sha256'.",
    });
  }
  throw new DeliveryError({
    code: 'DIGEST_MISMATCH',
    side: 'storage',
    message: `${model}, has digest ${lock.digest}, and ${expected} was expected.`,
    remedy:
      "If the new content is wanted, set 'expectedDigest' to its digest; if not, find out who published it.",
  });
}

function sameSource(a: LockedFile, b: LockedFile): boolean {
  return a.name === b.name && a.etag === b.etag && a.versionId === b.versionId && a.size === b.size;
}

/** The hash that the wanted file must have, if the publisher or an earlier fetch of the same bytes tells. */
export function knownHash(file: LockedFile, owned: readonly LockedFile[]): string | undefined {
  return file.sha256 ?? owned.find((other) => other.sha256 !== undefined && sameSource(other, file))?.sha256;
}

/** Runs a step that changes the folder while no other run does. */
export function alone<T>(
  folder: string,
  { log, signal }: Omit<DeliveryContext, 'store'>,
  step: () => Promise<T>,
): Promise<T> {
  const onWait = () => log.info(`Another run works in '${folder}': waiting until it has ended.`);
  return exclusively(join(folder, busyFileName), { signal, onWait }, step);
}
