import assert from 'node:assert/strict';
import type { Layer, LayerKind, LayerSource } from '../../../src/image/layers/layer.ts';
import type { PushedLayer } from '../../../src/image/push.ts';
import { imageRecord, summaryOf } from '../../../src/image/report.ts';

const digest = `sha256:${'1'.repeat(64)}`;
const open = async function* (): AsyncGenerator<Uint8Array> {};

function pushed(kind: LayerKind, how: PushedLayer['how'], source: LayerSource): PushedLayer {
  const layer: Layer = {
    ...{ kind, title: kind, mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, diffId: digest },
    ...{ size: 1024, createdBy: kind, source },
  };
  return { layer, how, seconds: how === 'reused' ? 0 : 1 };
}

describe("an image's report", () => {
  const image = {
    ...{ digest, changed: true, documents: [], bytesUploaded: 2048, bytesReused: 2048 },
    platforms: [
      {
        platform: { os: 'linux', architecture: 'arm64' },
        digest,
        base: { name: 'registry.example.com/python:3.12', digest },
      },
    ],
    layers: [
      pushed('base', 'mounted', { from: 'repository', mountFrom: 'team/python', open }),
      pushed('base', 'uploaded', { from: 'repository', open }),
      pushed('dependencies', 'reused', { from: 'target' }),
      pushed('application', 'uploaded', { from: 'bytes', open }),
    ],
  };
  const named = { reference: `r.example.com/app@${digest}`, tags: ['1'], image };

  it('says of each layer how it came and from where, of each platform what it stands on', () => {
    const record = JSON.parse(imageRecord(named));
    assert.equal(record.schemaVersion, 1);
    assert.deepEqual(
      record.layers.map(({ how, from }: { how: string; from: string }) => [how, from]),
      [
        ['mounted', 'team/python'],
        ['uploaded', 'registry.example.com'],
        ['reused', ''],
        ['uploaded', 'agent'],
      ],
    );
    assert.equal(record.platforms[0].platform, 'linux/arm64');
    const summary = summaryOf(named);
    assert.match(summary, /mounted \| team\/python/);
    assert.match(summary, /linux\/arm64.*registry\.example\.com\/python:3\.12/);
  });
});
