import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { DeliveryError } from '../../src/errors.ts';
import { chooseImage, type ImagePolicy } from '../../src/kube/image/newest.ts';
import { mapParallel } from '../../src/parallel.ts';
import { services } from '../support/services.ts';
import { pushWebImages, registryClient } from '../support/webImage.ts';

const repository = `choose/web-${randomBytes(3).toString('hex')}`;

describe('The choice of an image', () => {
  let registry: RegistryEndpoint;
  let digests: string[];

  const choose = (policy: ImagePolicy) =>
    chooseImage(registryClient(registry, repository), repository, policy);

  before(async function () {
    this.timeout(300_000);
    registry = (await services('registry')).registry;
    digests = await pushWebImages(registry, repository, [
      { tag: '1.10.0', modelVersion: 'a', created: '2026-03-01T00:00:00Z' },
      { tag: '1.9.0', modelVersion: 'b', created: '2026-03-09T00:00:00Z' },
      { tag: '2.0.0-rc.1', modelVersion: 'c', created: '2026-03-02T00:00:00Z' },
      { tag: 'latest', modelVersion: 'b', created: '2026-03-09T00:00:00Z' },
      { tag: 'model-0123456789ab', modelVersion: 'd', created: '2027-01-01T00:00:00Z' },
      { tag: 'model-delivery-last-build', modelVersion: 'e', created: '2027-01-01T00:00:00Z' },
    ]);
  });

  it('by time takes what was made last and tells all its tags; helper images are no candidates', async () => {
    const { chosen, candidates } = await choose({ by: 'newest' });
    assert.equal(chosen.model.version, 'b');
    assert.equal(chosen.model.name, 'sentiment');
    assert.ok(chosen.tag === 'latest' || chosen.tag === '1.9.0');
    assert.equal(candidates.length, 4);
    assert.ok(chosen.tags.includes(chosen.tag));
  });

  it('counts an image of several tags once, with all its tags on one line', async () => {
    const client = registryClient(registry, repository);
    const stored = await client.manifest(repository, '1.10.0');
    assert.ok(stored.kind === 'image');
    const { mediaType, content } = stored;
    await client.putManifest(repository, '3-nightly', { mediaType, content });
    const { candidates, why } = await choose({ by: 'newest', tagFilter: /^(1\.|3-)/ });
    assert.match(why, / of 2 images$/);
    const twice = candidates.find((one) => one.digest === digests[0]);
    assert.deepEqual([...(twice?.tags ?? [])].sort(), ['1.10.0', '3-nightly']);
  });

  it('by version takes the highest, no pre-release', async () => {
    const { chosen } = await choose({ by: 'semver' });
    assert.equal(chosen.tag, '1.10.0');
    assert.equal(chosen.digest, digests[0]);
  });

  it('by version takes the highest of a range, and pre-releases when they are asked for', async () => {
    assert.equal((await choose({ by: 'semver', range: '~1.9' })).chosen.tag, '1.9.0');
    assert.equal((await choose({ by: 'semver', preReleases: true })).chosen.tag, '2.0.0-rc.1');
    await assert.rejects(choose({ by: 'semver', range: '^3' }), /semantic version of \^3/);
  });

  it('by time looks at every tag, however many there are', async () => {
    const client = registryClient(registry, repository);
    const many = `${repository}-many`;
    const [newest] = await pushWebImages(registry, many, [
      { tag: '0-first', modelVersion: 'z', created: '2026-12-01T00:00:00Z' },
      { tag: 'old', modelVersion: 'y', created: '2026-01-01T00:00:00Z' },
    ]);
    const old = await client.manifest(many, 'old');
    assert.ok(old.kind === 'image');
    const { mediaType, content } = old;
    const tags = Array.from({ length: 520 }, (_, at) => `build-${at}`);
    const pushing = registryClient(registry, many);
    await mapParallel(tags, 8, (tag) => pushing.putManifest(many, tag, { mediaType, content }));
    const { chosen } = await chooseImage(pushing, many, { by: 'newest' });
    assert.equal(chosen.digest, newest);
  });

  it('by the tag counts numbers as numbers', async () => {
    const { chosen } = await choose({ by: 'regex', tagFilter: /^1\.(\d+)\.0$/ });
    assert.equal(chosen.tag, '1.10.0');
  });

  it('is refused when nothing fits, with tags that are there', async () => {
    await assert.rejects(choose({ by: 'newest', tagFilter: /^release-/ }), (error: unknown) => {
      assert.ok(error instanceof DeliveryError);
      assert.equal(error.code, 'NO_IMAGE_CANDIDATE');
      assert.match(error.remedy, /It has 7 tags, for example/);
      return true;
    });
  });
});
