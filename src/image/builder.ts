import type { HistoryEntry, ImageConfig } from '../oci/types.ts';
import type { Layer } from './layers/layer.ts';

/** An application without its model, as an engine made it; nothing of it need be in the registry yet. */
export interface BuiltApplication {
  /** The image that it stands on, where it is known. */
  readonly base?: { readonly name: string; readonly digest: string };
  /** Layers below the model: what changes less often than it. */
  readonly below: readonly Layer[];
  /** Layers above the model. */
  readonly above: readonly Layer[];
  /** Configuration with the history of `below` and `above`; its list of layers is not looked at. */
  readonly config: ImageConfig;
  readonly history: readonly HistoryEntry[];
}

/** The engines by the names that the input `engine` has for them. */
export type EngineName = 'registry' | 'docker' | 'buildkit' | 'podman' | 'acr';

/** A way to make the application's layers. Every implementation passes tests/contract/imageBuilder. */
export interface ImageBuilder {
  readonly engine: EngineName;
  /** Makes the layers. Throws DeliveryErrors; leaves nothing behind in an engine or on disk but its work folder. */
  build(): Promise<BuiltApplication>;
}
