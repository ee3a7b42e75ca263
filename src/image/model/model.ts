/** One file of the model, readable from any byte. */
export interface ModelFile {
  /** Path below the model's folder, with `/`. */
  readonly path: string;
  readonly size: number;
  /** Hexadecimal SHA-256 that the content must have, where it is known beforehand. */
  readonly sha256?: string;
  open(offset: number): AsyncIterable<Uint8Array>;
}

/** A model on its way into an image. */
export interface Model {
  readonly name: string;
  readonly version: string;
  /** Identity of the source's version, or the digest where there is no lock. */
  readonly fingerprint: string;
  /** Digest of the set of files, where it is known beforehand. */
  readonly digest?: string;
  readonly size: number;
  /** Its files, looked for only when they must be sent. */
  readonly files: () => Promise<readonly ModelFile[]>;
  /** Where it came from, without credentials. */
  readonly source?: string;
}
