import { setDigest } from '../../model/lock.ts';
import { annotations } from '../../oci/annotations.ts';
import { digestOf } from '../../oci/documents.ts';
import { mediaTypes, type Platform } from '../../oci/types.ts';
import { mapParallel } from '../../parallel.ts';
import { compressInto } from '../layers/compressed.ts';
import type { Layer } from '../layers/layer.ts';
import { findPart, type Part, type PartName, putPart } from '../parts.ts';
import type { PushOptions } from '../push.ts';
import type { Model, ModelFile } from './model.ts';
import { type ModelLayerPlan, planModelLayers } from './packing.ts';
import { createTap, type Tap } from './tap.ts';

/** The model as it stands in the target repository. */
export interface DeliveredModel {
  readonly name: string;
  readonly version: string;
  readonly fingerprint: string;
  readonly digest: string;
  readonly source?: string;
  readonly destination: string;
  readonly layers: readonly Layer[];
  /** True when its layers were there: neither read nor sent. */
  readonly reused: boolean;
}

export interface DeliverOptions extends PushOptions {
  readonly platform: Platform;
  /** Folder in the image. */
  readonly destination: string;
  /** Present when layers are to be compressed: where each stands until it is sent. */
  readonly gzipFolder?: string;
  readonly signal: AbortSignal;
  /** Told how many bytes must move, before they do: the layers', headers and padding included. */
  readonly onSend?: (bytes: number) => void;
}

export const defaultDestination = '/app/model';
const atOnce = 4;
const emptySha256 = digestOf('').slice('sha256:'.length);

export const compressions = ['none', 'gzip'] as const;
export type Compression = (typeof compressions)[number];

/**
 * Another destination means other archives, and compression other blobs, so another key; the usual ones keep the
 * model's own identity. The compressed bytes are not in the key: whatever zlib made them, they are found again.
 */
export function modelKey(identity: string, destination: string, compression: Compression = 'none'): string {
  if (compression === 'gzip') return digestOf(`${identity}\n${destination}\n${compression}`);
  return destination === defaultDestination ? identity : digestOf(`${identity}\n${destination}`);
}

function partNames(
  fingerprint: string,
  digest: string | undefined,
  { destination, gzipFolder }: DeliverOptions,
): readonly PartName[] {
  const compression = gzipFolder === undefined ? 'none' : 'gzip';
  const identities = new Set([fingerprint, ...(digest === undefined ? [] : [digest])]);
  return [...identities].map((identity) => ({
    kind: 'model',
    key: modelKey(identity, destination, compression),
  }));
}

interface SentLayer {
  readonly layer: Layer;
  readonly files: readonly { readonly path: string; readonly size: number; readonly sha256: string }[];
}

function hashedFiles(files: readonly ModelFile[], hashes: readonly string[]): SentLayer['files'] {
  let next = 0;
  return files.map(({ path, size }) => {
    const sha256 = size === 0 ? emptySha256 : (hashes[next++] ?? '');
    return { path, size, sha256 };
  });
}

type Blob = Pick<Layer, 'mediaType' | 'digest' | 'diffId' | 'size'>;

/** The archive itself: its digest is known when its last byte has left. */
async function sendPlain(options: DeliverOptions, size: number, tap: Tap): Promise<Blob> {
  const { open } = tap;
  await options.client.pushBlob(options.repository, { digest: () => tap.digest(), size, open });
  const digest = tap.digest();
  return { mediaType: mediaTypes.layer, digest, diffId: digest, size };
}

/** Compressed first, since the size must be told before the first byte; looked for before it is sent. */
async function sendCompressed(options: DeliverOptions, folder: string, tap: Tap): Promise<Blob> {
  const { client, repository, signal } = options;
  const file = await compressInto(folder, { open: (offset = 0) => tap.open(offset) }, signal);
  const { digest, diffId, size } = file;
  if (!(await client.hasBlob(repository, digest))) await client.pushBlob(repository, file);
  await file.remove();
  return { mediaType: mediaTypes.layerGzip, digest, diffId, size };
}

/** Reads, hashes and verifies one layer in a single pass, and sends it. */
async function sendLayer(options: DeliverOptions, plan: ModelLayerPlan): Promise<SentLayer> {
  const started = performance.now();
  const tap = createTap(plan.archive, plan.files);
  const { onBytes, gzipFolder } = options;
  let reached = 0;
  async function* open(offset: number): AsyncGenerator<Uint8Array> {
    let at = offset;
    for await (const part of tap.open(offset)) {
      at += part.byteLength;
      // What is read again after a failure was counted before.
      if (at > reached) onBytes?.(at - reached);
      reached = Math.max(reached, at);
      yield part;
    }
  }
  const told = { ...tap, open };
  const blob = await (gzipFolder === undefined
    ? sendPlain(options, plan.archive.size, told)
    : sendCompressed(options, gzipFolder, told));
  const layer: Layer = {
    kind: 'model',
    title: plan.title,
    ...blob,
    createdBy: `model: ${plan.title}`,
    source: { from: 'sent', seconds: (performance.now() - started) / 1000 },
  };
  return { layer, files: hashedFiles(plan.files, tap.fileHashes()) };
}

function describe(model: Model, digest: string, destination: string): Record<string, string> {
  return {
    [annotations.modelName]: model.name,
    [annotations.modelVersion]: model.version,
    [annotations.modelFingerprint]: model.fingerprint,
    [annotations.modelDigest]: digest,
    [annotations.modelPath]: destination,
    ...(model.source === undefined ? {} : { [annotations.modelSource]: model.source }),
  };
}

async function findModel(options: DeliverOptions, model: Model): Promise<Part | undefined> {
  for (const name of partNames(model.fingerprint, model.digest, options)) {
    const part = await findPart(options.client, options.repository, name);
    if (part !== undefined) return part;
  }
  return undefined;
}

async function sendModel(options: DeliverOptions, model: Model): Promise<Part & { readonly digest: string }> {
  const files = await model.files();
  const plans = planModelLayers(files, options.destination);
  options.onSend?.(plans.reduce((sum, plan) => sum + plan.archive.size, 0));
  const sent = await mapParallel(plans, atOnce, (plan) => sendLayer(options, plan));
  const digest = setDigest(sent.flatMap((one) => one.files)) ?? '';
  const layers = sent.map((one) => one.layer);
  return { layers, annotations: describe(model, digest, options.destination), digest };
}

/**
 * Sees to it that the model's layers are in the repository: found by the tag of its fingerprint or digest, else
 * sent. Throws MODEL_CHANGED when a file is not the locked one; nothing is tagged then.
 */
export async function deliverModel(options: DeliverOptions, model: Model): Promise<DeliveredModel> {
  const { client, repository, destination, platform } = options;
  const found = await findModel(options, model);
  const part = found ?? (await sendModel(options, model));
  const digest = part.annotations[annotations.modelDigest] ?? '';
  if (found === undefined || found.annotations[annotations.modelFingerprint] !== model.fingerprint) {
    const names = partNames(model.fingerprint, digest, options);
    const notes = describe(model, digest, destination);
    await putPart(client, repository, names, { layers: part.layers, annotations: notes, platform });
  }
  const { name, version, fingerprint, source } = model;
  return {
    ...{ name, version, fingerprint, digest, destination, layers: part.layers },
    ...(source === undefined ? {} : { source }),
    reused: found !== undefined,
  };
}
