import { annotations } from '../oci/annotations.ts';
import { digestOf } from '../oci/documents.ts';
import { type HistoryEntry, type ImageConfig, mediaTypes, type Platform, platformOf } from '../oci/types.ts';
import type { BuiltApplication } from './builder.ts';
import { type ImageDocuments, imageDocuments } from './documents.ts';
import type { Layer } from './layers/layer.ts';
import type { DeliveredModel } from './model/deliver.ts';
import { applySettings, type ImageSettings } from './settings.ts';

export interface AssembleOptions {
  readonly application: BuiltApplication;
  readonly model?: DeliveredModel;
  readonly settings: ImageSettings;
  /** Labels of this run; they do not count as a change. */
  readonly runLabels: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly created: string;
  /** Digest of the golden requests; they do not count as a change. */
  readonly test?: string;
}

export interface AssembledImage {
  readonly platform: Platform;
  readonly base?: { readonly name: string; readonly digest: string };
  readonly layers: readonly Layer[];
  readonly documents: ImageDocuments;
  /** `sha256:…` over all that went in but time and run: equal inputs, equal image. */
  readonly inputs: string;
}

function modelEnvironment(model: DeliveredModel | undefined): Record<string, string> {
  if (model === undefined) return {};
  return {
    MODEL_NAME: model.name,
    MODEL_VERSION: model.version,
    MODEL_DIGEST: model.digest,
    MODEL_PATH: model.destination,
  };
}

/** The history with entries for the model after those of the layers below it. */
function historyOf(options: AssembleOptions): readonly HistoryEntry[] {
  const { application, model, created } = options;
  const below = application.below.length;
  let layers = 0;
  let position = application.history.findIndex((entry) => {
    const reached = layers === below && entry.empty_layer !== true;
    if (entry.empty_layer !== true) layers += 1;
    return reached;
  });
  if (position < 0) position = application.history.length;
  const entries = (model?.layers ?? []).map((layer) => ({ created, created_by: layer.createdBy }));
  return [...application.history.slice(0, position), ...entries, ...application.history.slice(position)];
}

function configOf(
  options: AssembleOptions,
  layers: readonly Layer[],
  labels: Record<string, string>,
): ImageConfig {
  const { application, settings, created } = options;
  const run = { ...settings, labels: { ...labels, ...settings.labels } };
  return {
    ...application.config,
    created,
    config: applySettings(application.config.config ?? {}, run, modelEnvironment(options.model)),
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: historyOf(options),
  };
}

/** What a manifest or index tells in annotations; an index of several platforms stands on no single base. */
export function notesOf(
  options: Pick<AssembleOptions, 'model' | 'runLabels' | 'created' | 'test'>,
  inputs: string,
  base?: BuiltApplication['base'],
): Record<string, string> {
  const { model, runLabels, created, test } = options;
  const standard = Object.entries(runLabels).filter(([name]) => name.startsWith('org.opencontainers.image.'));
  return {
    ...Object.fromEntries(standard),
    [annotations.created]: created,
    [annotations.inputs]: inputs,
    ...(test === undefined ? {} : { [annotations.test]: test }),
    ...(base === undefined
      ? {}
      : { [annotations.baseName]: base.name, [annotations.baseDigest]: base.digest }),
    ...(model === undefined
      ? {}
      : {
          [annotations.modelName]: model.name,
          [annotations.modelVersion]: model.version,
          [annotations.modelDigest]: model.digest,
          [annotations.modelFingerprint]: model.fingerprint,
          [annotations.modelPath]: model.destination,
          ...(model.source === undefined ? {} : { [annotations.modelSource]: model.source }),
        }),
  };
}

const epoch = '1970-01-01T00:00:00Z';

/** Of the layers that can be either. */
function isCompressed({ kind, mediaType }: Layer): boolean {
  return (kind === 'model' || kind === 'application') && mediaType !== mediaTypes.layer;
}

/** Everything without time and run; history is left out because it repeats the layers with times. */
function inputsDigest(options: AssembleOptions, layers: readonly Layer[]): string {
  const { history: _, ...config } = configOf({ ...options, created: epoch }, layers, {});
  const base = options.application.base?.digest ?? '';
  // The configuration names the archives alone; what any zlib made of them is the same image.
  const compressed = layers.filter(isCompressed).map((layer) => layer.diffId);
  const parts = ['v1', base, options.model?.fingerprint ?? '', config];
  return digestOf(JSON.stringify(compressed.length === 0 ? parts : [...parts, compressed]));
}

/** Application and model as one image: base, dependencies, model, application, in this order from below. */
export function assembleImage(options: AssembleOptions): AssembledImage {
  const { application, model } = options;
  const layers = [...application.below, ...(model?.layers ?? []), ...application.above];
  const inputs = inputsDigest(options, layers);
  const config = configOf(options, layers, { ...options.runLabels });
  return {
    platform: platformOf(config),
    ...(application.base === undefined ? {} : { base: application.base }),
    layers,
    documents: imageDocuments(config, layers, notesOf(options, inputs, application.base)),
    inputs,
  };
}
