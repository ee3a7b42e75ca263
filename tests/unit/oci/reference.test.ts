import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatReference, parseReference, registryUrlOf, wantedVersion } from '../../../src/oci/reference.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('image reference', () => {
  it('reads short names as Docker Hub does', () => {
    assert.deepEqual(parseReference('python:3.12-slim'), {
      registry: 'docker.io',
      repository: 'library/python',
      tag: '3.12-slim',
    });
    assert.deepEqual(parseReference('team/app'), { registry: 'docker.io', repository: 'team/app' });
    assert.equal(registryUrlOf('docker.io'), 'https://registry-1.docker.io');
  });

  it('takes a first part with a dot, a port or the name localhost for a registry', () => {
    assert.equal(parseReference('myteam.azurecr.io/app').registry, 'myteam.azurecr.io');
    assert.equal(parseReference('localhost/app').registry, 'localhost');
    assert.deepEqual(parseReference('registry:5000/library/app:1'), {
      registry: 'registry:5000',
      repository: 'library/app',
      tag: '1',
    });
  });

  it('prefers the digest to the tag', () => {
    const reference = parseReference(`host.example/app:1@${digest}`);
    assert.equal(wantedVersion(reference), digest);
    assert.equal(wantedVersion(parseReference('host.example/app')), 'latest');
  });

  it('refuses what is no name and proposes one that is', () => {
    for (const name of ['', 'App', 'a//b', 'a:', 'a@sha256:12', 'a@b@c', 'host.example/', 'a b', 'a:-x']) {
      assert.throws(() => parseReference(name), { code: 'IMAGE_NAME_INVALID' }, name);
    }
  });

  it('gives the same name back that it has read', () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?$/);
    const names = fc.record({
      registry: fc.constantFrom('localhost:5000', 'myteam.azurecr.io', 'docker.io'),
      path: fc.array(part, { minLength: 2, maxLength: 4 }),
      tag: fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/)),
      pinned: fc.boolean(),
    });
    fc.assert(
      fc.property(names, ({ registry, path, tag, pinned }) => {
        const name = `${registry}/${path.join('/')}${tag === null ? '' : `:${tag}`}${pinned ? `@${digest}` : ''}`;
        assert.equal(formatReference(parseReference(name)), name);
      }),
    );
  });
});
