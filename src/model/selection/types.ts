import type { StoredFile } from '../store.ts';

/** Which of a model's versions is wanted. */
export type VersionPolicy =
  | { readonly kind: 'latestModified' }
  | { readonly kind: 'latestName' }
  /** Highest semantic version, within a range where one is given. */
  | { readonly kind: 'latestSemver'; readonly range?: string }
  | { readonly kind: 'exact'; readonly version: string }
  /** The version that a small file beside the versions names. */
  | { readonly kind: 'pointer'; readonly file: string };

/** When a version counts as published whole. */
export interface Readiness {
  /** A file that the publisher writes last. */
  readonly markerFile?: string;
  /** Seconds that must have passed since its newest file was written. */
  readonly quietSeconds: number;
  /** Tags that one of its files must have, all of them. */
  readonly tags?: Readonly<Record<string, string>>;
}

/** What to look for. */
export interface Wanted {
  /** The model's path in the store, without slashes at its ends. */
  readonly model: string;
  readonly policy: VersionPolicy;
  /** Glob patterns for paths within a version. */
  readonly files: readonly string[];
  readonly ready: Readiness;
}

/** A file of a version with its path within it. */
export interface SelectedFile {
  readonly path: string;
  readonly stored: StoredFile;
}

/** A version that was considered. Figures are known where the policy needed the files' listing. */
export interface Candidate {
  readonly version: string;
  /** When its newest file was written. */
  readonly newest?: Date;
  readonly files?: number;
  /** Bytes. */
  readonly size?: number;
}

/** One version with its files, from one listing. */
export interface Version {
  readonly version: string;
  /** The files that the patterns choose. */
  readonly files: readonly SelectedFile[];
  /** Paths of some files that the patterns left out, for "did you mean". */
  readonly leftOut: readonly string[];
  readonly newest: Date;
}

/** The chosen version, and how it came to be chosen. */
export interface Selection extends Version {
  readonly model: string;
  /** `versions`: folders of versions below the model; `flat`: files directly below it (or one blob). */
  readonly layout: 'versions' | 'flat';
  /** One sentence for the log. */
  readonly reason: string;
  /** The best candidates, the chosen one first. */
  readonly candidates: readonly Candidate[];
  /** How many versions there were in all. */
  readonly considered: number;
  /** What the reader should know: files ignored, ties. */
  readonly notes: readonly string[];
}
