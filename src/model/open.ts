import type { AzureBlobLocation } from './azureBlob/location.ts';
import type { HttpLocation } from './http/location.ts';
import type { HuggingFaceLocation } from './huggingFace/location.ts';
import type { MlflowLocation } from './mlflow/store.ts';
import type { OciLocation } from './oci/location.ts';
import type { S3Location } from './s3/location.ts';
import type { ModelStore } from './store.ts';

/** A place that models are read from, by its type, and how to get in. */
export type ModelSource =
  | {
      readonly type: 'azureBlob';
      readonly location: AzureBlobLocation;
      /** Lists index tags. */
      readonly tags?: boolean;
    }
  | { readonly type: 's3'; readonly location: S3Location }
  | { readonly type: 'http'; readonly location: HttpLocation }
  | { readonly type: 'oci'; readonly location: OciLocation }
  | { readonly type: 'mlflow'; readonly location: MlflowLocation }
  | { readonly type: 'huggingFace'; readonly location: HuggingFaceLocation };

/** Opens the store of a source. Its client is loaded only here: whoever needs no bytes does not wait for it. */
export async function openStore(source: ModelSource, signal: AbortSignal): Promise<ModelStore> {
  switch (source.type) {
    case 'azureBlob':
      return (await import('./azureBlob/store.ts')).openAzureBlobStore(source.location, {
        tags: source.tags ?? false,
      });
    case 's3':
      return (await import('./s3/store.ts')).openS3Store(source.location);
    case 'http':
      return (await import('./http/store.ts')).openHttpStore(source.location);
    case 'mlflow':
      return (await import('./mlflow/store.ts')).openMlflowStore(source.location);
    case 'huggingFace':
      return (await import('./huggingFace/store.ts')).openHuggingFaceStore(source.location);
    case 'oci': {
      const { openOciStore } = await import('./oci/store.ts');
      return openOciStore(source.location, { signal });
    }
  }
}
