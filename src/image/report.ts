import { formatPlatform } from '../oci/types.ts';
import { formatBytes, formatSeconds, markdownTable, shortDigest } from '../report/format.ts';
import type { BuiltImage } from './build.ts';
import type { PushedLayer } from './push.ts';

export interface NamedImage {
  /** `registry/repository@sha256:…` */
  readonly reference: string;
  readonly tags: readonly string[];
  readonly image: BuiltImage;
}

const header = ['Layer', 'Holds', 'Size', 'Digest', 'How', 'From', 'Time'] as const;

/** Where the bytes came from: another repository, the base image's registry, or the agent; empty where none moved. */
function originOf({ layer, how }: PushedLayer, image: BuiltImage): string {
  const { source } = layer;
  if (how === 'reused') return '';
  if (how === 'mounted') return source.from === 'repository' ? (source.mountFrom ?? '') : '';
  if (layer.kind === 'base') {
    return image.platforms.find(({ base }) => base !== undefined)?.base?.name.split('/', 1)[0] ?? '';
  }
  return layer.kind === 'model' ? (image.model?.source ?? 'agent') : 'agent';
}

function rowsOf(image: BuiltImage): readonly (readonly string[])[] {
  return image.layers.map((pushed) => rowOf(pushed, image));
}

function rowOf(pushed: PushedLayer, image: BuiltImage): readonly string[] {
  const { layer, how, seconds } = pushed;
  return [
    layer.kind,
    layer.title,
    formatBytes(layer.size),
    shortDigest(layer.digest),
    how,
    originOf(pushed, image),
    seconds === 0 ? '' : formatSeconds(seconds),
  ];
}

/** The layers as a table for the log. */
export function layerTable(image: BuiltImage): readonly string[] {
  const rows = [header, ...rowsOf(image)];
  const widths = header.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** The run's summary section. */
export function summaryOf(named: NamedImage): string {
  const { image, reference, tags } = named;
  const model = image.model;
  const moved = `${formatBytes(image.bytesUploaded)} uploaded, ${formatBytes(image.bytesReused)} reused`;
  return [
    `**Image** \`${reference}\``,
    `**Tags** ${tags.map((tag) => `\`${tag}\``).join(', ')} · ${image.changed ? 'new' : 'unchanged, tagged again'} · ${moved}`,
    ...(model === undefined
      ? []
      : [`**Model** \`${model.name}\` version \`${model.version}\`, \`${shortDigest(model.digest)}\``]),
    ...image.platforms.map(
      ({ platform, digest, base }) =>
        `**${formatPlatform(platform)}** \`${shortDigest(digest)}\`${base === undefined ? '' : ` on \`${base.name}\`, \`${shortDigest(base.digest)}\``}`,
    ),
    ...image.documents.map(
      ({ artifactType, digest }) => `**Attached** \`${artifactType}\`, \`${shortDigest(digest)}\``,
    ),
    markdownTable(header, rowsOf(image)),
  ].join('\n\n');
}

function layerRecord(pushed: PushedLayer, image: BuiltImage): object {
  const { layer, how, seconds } = pushed;
  const { kind, title, mediaType, digest, size } = layer;
  return { kind, title, mediaType, digest, size, how, from: originOf(pushed, image), seconds };
}

/** The attachment `model-delivery.image`, which the results tab reads. */
export function imageRecord(named: NamedImage): string {
  const { image, reference, tags } = named;
  const only = image.platforms.length === 1 ? image.platforms[0] : undefined;
  const record = {
    schemaVersion: 1,
    reference,
    digest: image.digest,
    tags,
    changed: image.changed,
    bytesUploaded: image.bytesUploaded,
    bytesReused: image.bytesReused,
    layers: image.layers.map((pushed) => layerRecord(pushed, image)),
    documents: image.documents,
    platforms: image.platforms.map(({ platform, digest, base }) => ({
      ...{ platform: formatPlatform(platform), digest },
      ...(base === undefined ? {} : { base }),
    })),
    ...(only?.base === undefined ? {} : { base: only.base }),
    ...(image.model === undefined
      ? {}
      : {
          model: {
            name: image.model.name,
            version: image.model.version,
            digest: image.model.digest,
            fingerprint: image.model.fingerprint,
            path: image.model.destination,
            reused: image.model.reused,
            ...(image.model.source === undefined ? {} : { source: image.model.source }),
          },
        }),
  };
  return JSON.stringify(record, undefined, 2);
}
