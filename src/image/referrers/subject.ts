import type { Descriptor } from '../../oci/types.ts';
import type { PythonPackage } from '../layers/layer.ts';
import type { DeliveredModel } from '../model/deliver.ts';

/** The image that documents tell about. */
export interface ImageSubject {
  readonly descriptor: Descriptor;
  /** `registry/repository` */
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  readonly model?: DeliveredModel;
  /** One a platform. */
  readonly bases: readonly { readonly name: string; readonly digest: string }[];
  readonly packages: readonly PythonPackage[];
}

/** The digits of a digest. */
export function hexOf(digest: string): string {
  return digest.replace(/^sha256:/, '');
}
