import type { BlobSource } from '../../oci/session.ts';

/** What a layer is for; the log, the summary and the order in the image follow it. */
export type LayerKind = 'base' | 'dependencies' | 'model' | 'application';

/** A Python package that a layer holds. */
export interface PythonPackage {
  /** Normalised as the package index writes it. */
  readonly name: string;
  readonly version: string;
  /** Hexadecimal SHA-256 of its wheel. */
  readonly sha256: string;
}

/** One layer of the image that is being made. */
export interface Layer {
  readonly kind: LayerKind;
  /** What it holds, for people: `Flask 3.0.3 and 6 more`, `weights.onnx`. */
  readonly title: string;
  readonly mediaType: string;
  readonly digest: string;
  /** Bytes of the blob. */
  readonly size: number;
  /** Digest of the uncompressed archive. */
  readonly diffId: string;
  /** Line in the image's history. */
  readonly createdBy: string;
  /** Of a layer of dependencies, where they are known. */
  readonly packages?: readonly PythonPackage[];
  readonly source: LayerSource;
}

/** Where the layer's bytes come from if the target repository has not got them. */
export type LayerSource =
  /** In the target repository already. */
  | { readonly from: 'target' }
  /** Was sent a moment ago, while its digest was computed. */
  | { readonly from: 'sent'; readonly seconds: number }
  | { readonly from: 'bytes'; readonly open: BlobSource['open'] }
  /** In another repository: mounted where it is of the same registry, else streamed. */
  | { readonly from: 'repository'; readonly mountFrom?: string; readonly open: BlobSource['open'] };
