import type { Host } from '../../src/host/host.ts';
import { required } from '../../src/host/inputs.ts';
import type { ModelLock } from '../../src/model/lock.ts';
import type { ModelSource } from '../../src/model/open.ts';
import { imageFolder } from './checks.ts';
import type { Raw } from './fields.ts';
import { sourceOf } from './modelSource.ts';

/** The model as the inputs name it. */
export interface ModelInput {
  readonly lock?: string;
  readonly folder?: string;
  readonly destination: string;
  /** Present when files that are not on the agent may be read from where the lock found them. */
  readonly sourceOf?: (lock: ModelLock) => ModelSource;
}

/** A model in the application's folder or build context is neither sent nor packed a second time. */
export function excludedFolder({ model }: { readonly model?: ModelInput }): { readonly excluded?: string } {
  return model?.folder === undefined ? {} : { excluded: model.folder };
}

/** Reads the inputs about the model; undefined when there is none. */
export function readModel(host: Host, raw: Raw): ModelInput | undefined {
  const { modelLock, modelFolder } = raw;
  const source = sourceOf(host, raw);
  if (source !== undefined) required(modelLock, 'modelLock', "with 'modelAuthentication'");
  if (modelLock === undefined && modelFolder === undefined) return undefined;
  return {
    destination: imageFolder('modelDestination', raw.modelDestination),
    ...(modelLock === undefined ? {} : { lock: modelLock }),
    ...(modelFolder === undefined ? {} : { folder: modelFolder }),
    ...(source === undefined ? {} : { sourceOf: source }),
  };
}
